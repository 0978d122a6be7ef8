"""Each storage that the contract suite runs on, as a function that returns another process's view of one store."""

from contextlib import AsyncExitStack

import pytest

from tui.storage.journal.journal import Journal
from tui.storage.journal.shared import LocalStorage


@pytest.fixture(params=["sqlite", "postgresql"])
def conninfo(request):
    """Connection string of the store; None for SQLite."""
    return request.getfixturevalue("team") if request.param == "postgresql" else None


@pytest.fixture
async def processes(conninfo, tmp_path):
    """Returns a function that returns a further process on the store."""
    async with AsyncExitStack() as stack:

        def process():
            journal = Journal(None if conninfo else tmp_path / "journal.db")
            stack.callback(journal.close)
            if conninfo is None:
                return LocalStorage(lambda: journal, tmp_path, tmp_path / "watchlist.toml")
            from tui.storage.team.storage import TeamStorage

            storage = TeamStorage(conninfo, lambda: journal, lambda account: f"key of {account}", {}, polls=True)
            stack.push_async_callback(storage.close)
            return storage

        yield process
