"""Processes of a team on one database."""

import pytest

from tui.storage.journal.journal import Journal
from tui.storage.team.storage import TeamStorage

KEYS = {"heygen": "sk-canary-0123456789", "dubs": "sk-canary-0123456789", "other": "sk-other-abcdef"}
RATES = {"heygen": 600.0, "dubs": 60.0, "other": 600.0}


@pytest.fixture
async def processes(team):
    """Returns a function that returns a further process of the team."""
    storages, journals = [], []

    def process(conninfo=team, *, polls=True, keys=KEYS):
        journals.append(journal := Journal(None))
        storages.append(TeamStorage(conninfo, lambda: journal, keys.get, RATES, polls=polls))
        return storages[-1]

    yield process
    for storage in storages:
        await storage.close()
    for journal in journals:
        journal.close()
