"""What was told already, for all processes on the state folder: an alert goes off once, whoever sees its cause first.

It keeps keys and instants; whoever tells chooses the key. Pruning takes away what is older than the journal keeps.
"""

from collections.abc import Iterable

from tui.storage.journal.database import Database


class SentNotifications:
    """The journal's table of what was told."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim_one(self, key: str, now: float, repeat_after: float) -> bool:
        """Whether `key` was not told within `again_after` seconds of the instant `now`; from here on it was.

        Of several processes that ask about the same key, one gets True. Raises JournalError, with nothing noted.
        """
        return bool(self.claim({key: repeat_after}, now))

    def claim(self, keys: dict[str, float], now: float) -> frozenset[str]:
        """Those of the keys, each with its `again_after`, that `first` is True for; in one transaction."""
        found: set[str] = set()
        with self._database.transaction() as db:
            for key, again_after in keys.items():
                row = db.execute("SELECT at FROM told WHERE key=?", (key,)).fetchone()
                if row is None or abs(now - row[0]) >= again_after:  # a clock set back silences nothing for long
                    db.execute("INSERT OR REPLACE INTO told VALUES (?,?)", (key, now))
                    found.add(key)
        return frozenset(found)

    def forget(self, keys: Iterable[str]) -> None:
        """What the keys stand for is over: the next time is a new one. Raises JournalError."""
        with self._database.transaction() as db:
            db.executemany("DELETE FROM told WHERE key=?", [(key,) for key in keys])
