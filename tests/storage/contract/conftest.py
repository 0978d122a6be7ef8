"""Each storage that the contract suite runs on, as a function that returns another process's view of one store."""

import pytest

from tui.storage.journal.journal import Journal
from tui.storage.journal.shared import LocalStorage


@pytest.fixture(params=["sqlite"])
def processes(request, tmp_path):
    """Returns a function that returns a further process on the store."""
    journals = []

    def process():
        journals.append(journal := Journal(tmp_path / "journal.db"))
        return LocalStorage(lambda: journal, tmp_path, tmp_path / "watchlist.toml")

    yield process
    for journal in journals:
        journal.close()
