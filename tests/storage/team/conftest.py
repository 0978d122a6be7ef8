"""Processes of a team on one database."""

from contextlib import AsyncExitStack

import pytest

from tui.storage.journal.journal import Journal
from tui.storage.team.storage import TeamStorage

KEYS = {"heygen": "sk-canary-0123456789", "dubs": "sk-canary-0123456789", "other": "sk-other-abcdef"}
RATES = {"heygen": 600.0, "dubs": 60.0, "other": 600.0}


@pytest.fixture
async def processes(team):
    """Returns a function that returns a further process of the team."""
    async with AsyncExitStack() as stack:

        def process(conninfo=team, *, polls=True, keys=KEYS, **more):
            stack.callback((journal := Journal(None)).close)
            storage = TeamStorage(conninfo, lambda: journal, keys.get, RATES, polls=polls, **more)
            stack.push_async_callback(storage.close)
            return storage

        yield process
