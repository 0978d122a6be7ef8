"""Journal table of heartbeats: the leader of each watchlist, and the states of its accounts. Its lock is the lease."""

import sqlite3
from typing import NamedTuple

from tui.storage.journal.database import Database


class Heartbeat(NamedTuple):
    """Last heartbeat of a watchlist's leader."""

    pid: int
    number: int
    """Count of heartbeats: a follower that reads the same number for long has lost its leader, whatever the clocks."""
    account_states: bytes
    """States of its accounts, and whether polling is paused, as the engine encodes them."""
    host: str = ""
    """Computer of the leader; "" for this one."""
    account: str = ""
    """Account that the leader polls; "" for every one."""


class HeartbeatTable:
    """Table with one heartbeat for each watchlist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, watchlist: str, pid: int, account_states: bytes) -> None:
        """Record a heartbeat of the watchlist's leader. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO heartbeat VALUES (?,?,1,?) ON CONFLICT DO UPDATE SET "
                "pid=excluded.pid, number=number + 1, account_states=excluded.account_states",
                (watchlist, pid, account_states),
            )

    def latest(self, watchlist: str) -> Heartbeat | None:
        """Return the last heartbeat of the watchlist's leader, or None if there was none. Raises JournalError."""
        with self._database.connection() as db:
            row: sqlite3.Row | None = db.execute(
                "SELECT pid, number, account_states FROM heartbeat WHERE watchlist=?", (watchlist,)
            ).fetchone()
        return None if row is None else Heartbeat(*row)
