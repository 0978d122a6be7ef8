"""Journal table of sent notifications: of all processes on the state folder, one sends each alert.

It holds keys and instants; the sender chooses the key. Pruning deletes what is older than the journal's retention.
"""

from collections.abc import Iterable, Mapping

from tui.storage.journal.database import Database


class SentNotifications:
    """Table of the keys of sent notifications."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, keys: Mapping[str, float], now: float) -> frozenset[str]:
        """Return the keys whose notification this process is to send, and record them as sent, in one transaction.

        `keys`: by key, the seconds after which it may be sent again. Of several processes that claim a key, one gets
        it. Raises JournalError, with nothing recorded.
        """
        claimed: set[str] = set()
        with self._database.transaction() as db:
            for key, repeat_after in keys.items():
                row = db.execute("SELECT sent_at FROM sent_notification WHERE key=?", (key,)).fetchone()
                if row is None or abs(now - row[0]) >= repeat_after:  # a clock set back silences nothing for long
                    db.execute("INSERT OR REPLACE INTO sent_notification VALUES (?,?)", (key, now))
                    claimed.add(key)
                elif row[0] > now:  # a clock was ahead: it was sent now at the latest
                    db.execute("UPDATE sent_notification SET sent_at=? WHERE key=?", (now, key))
        return frozenset(claimed)

    def forget(self, keys: Iterable[str]) -> None:
        """Delete the keys of conditions that ended: the next time is a new one. Raises JournalError."""
        with self._database.transaction() as db:
            db.executemany("DELETE FROM sent_notification WHERE key=?", [(key,) for key in keys])
