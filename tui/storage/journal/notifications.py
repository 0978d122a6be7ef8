"""Journal tables of notifications: sent ones, of which one process sends each, and those held in a quiet time.

Sent ones are keys and instants; the sender chooses the key. Pruning deletes what is older than the journal's retention.
"""

from collections.abc import Iterable, Mapping

from tui.storage.journal.database import Database

HELD_FOR = 7 * 86400.0
"""Seconds after which a process that sends deletes a held notification, sent or not; pruning deletes the rest."""


class SentNotifications:
    """Tables of one journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, keys: Mapping[str, float], now: float, held: Mapping[str, bytes] | None = None, *, is_sent: bool = False
    ) -> frozenset[str]:
        """Return the keys whose notification this process is to send, and record them as sent, in one transaction.

        `keys`: by key, the seconds after which it may be sent again. Of several processes that claim a key, one gets
        it. `held`: notifications that wait for the end of a quiet time; `is_sent`: only to be shown then. Raises
        JournalError, with nothing recorded.
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
            rows = [(key, now, body, is_sent) for key, body in (held or {}).items() if key in claimed]
            db.executemany("INSERT OR REPLACE INTO held_notification VALUES (?,?,?,?)", rows)
        return frozenset(claimed)

    def held(self, since: float, until: float) -> tuple[bytes, ...]:
        """Return the notifications that were held in this time, oldest first. Raises JournalError."""
        query = "SELECT body FROM held_notification WHERE held_at >= ? AND held_at < ? ORDER BY held_at"
        with self._database.connection() as db:
            return tuple(body for (body,) in db.execute(query, (since, until)))

    def take_held(self, now: float) -> tuple[bytes, ...]:
        """Return the held notifications that no process has sent, oldest first, and record them as sent.

        Raises JournalError, with nothing recorded.
        """
        with self._database.transaction() as db:
            db.execute("DELETE FROM held_notification WHERE abs(held_at - ?) > ?", (now, HELD_FOR))
            rows = db.execute("SELECT body FROM held_notification WHERE NOT is_sent ORDER BY held_at").fetchall()
            if rows:
                db.execute("UPDATE held_notification SET is_sent=1")
        return tuple(body for (body,) in rows)

    def forget(self, keys: Iterable[str]) -> None:
        """Delete the keys of conditions that ended: the next time is a new one. Raises JournalError."""
        with self._database.transaction() as db:
            db.executemany("DELETE FROM sent_notification WHERE key=?", [(key,) for key in keys])
