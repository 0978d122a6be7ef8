"""Who polls a watchlist, by its own word, and how it says its accounts are. The lock itself is `lease`."""

import sqlite3
from typing import NamedTuple

from tui.storage.journal.database import Database


class Beat(NamedTuple):
    """What the poller of a watchlist said last."""

    pid: int
    number: int
    """Grows with every beat: who sees the same one for long hears nothing, whatever the clocks say."""
    accounts: bytes
    """Its accounts' states and whether it is paused, as the engine writes them."""


class Heartbeats:
    """The journal's table of pollers, one for each watchlist."""

    def __init__(self, file: Database) -> None:
        self._file = file

    def beat(self, watchlist: str, pid: int, accounts: bytes) -> None:
        """The poller of the watchlist lives. Raises JournalError."""
        with self._file.writing() as db:
            db.execute(
                "INSERT INTO poller VALUES (?,?,1,?) ON CONFLICT DO UPDATE SET "
                "pid=excluded.pid, beat=beat + 1, accounts=excluded.accounts",
                (watchlist, pid, accounts),
            )

    def last(self, watchlist: str) -> Beat | None:
        """What its poller said last; None: nothing was ever said. Raises JournalError."""
        with self._file.reading() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT pid, beat, accounts FROM poller WHERE watchlist=?", (watchlist,)
            ).fetchone()
        return None if row is None else Beat(*row)
