"""Who polls a watchlist, by its own word, and how it says its accounts are. The lock itself is `lease`."""

import sqlite3
from typing import NamedTuple

from tui.storage.journal.database import Database


class Heartbeat(NamedTuple):
    """What the poller of a watchlist said last."""

    pid: int
    number: int
    """Grows with every beat: who sees the same one for long hears nothing, whatever the clocks say."""
    account_states: bytes
    """Its accounts' states and whether it is paused, as the engine writes them."""


class HeartbeatTable:
    """The journal's table of pollers, one for each watchlist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, watchlist: str, pid: int, account_states: bytes) -> None:
        """The poller of the watchlist lives. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO poller VALUES (?,?,1,?) ON CONFLICT DO UPDATE SET "
                "pid=excluded.pid, beat=beat + 1, accounts=excluded.accounts",
                (watchlist, pid, account_states),
            )

    def latest(self, watchlist: str) -> Heartbeat | None:
        """What its poller said last; None: nothing was ever said. Raises JournalError."""
        with self._database.connection() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT pid, beat, accounts FROM poller WHERE watchlist=?", (watchlist,)
            ).fetchone()
        return None if row is None else Heartbeat(*row)
