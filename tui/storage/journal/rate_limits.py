"""Journal table of rate limits: what is left for each account, shared by all processes on the state folder.

The arithmetic is in `domain.polling.rate_limit`. Rows go by the account's name: a new key keeps the account's
not_before, which errs on the service's side.
"""

from collections.abc import Callable

import msgspec

from tui.domain.polling.rate_limit import RateLimit
from tui.storage.journal.database import Database

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RateLimit).decode


class RateLimitTable:
    """Table with the rate limit of each account."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[str, tuple[int, RateLimit | None]] = {}
        """By account, SQLite's data_version and the value read at it."""

    def get(self, account: str) -> RateLimit | None:
        """Return the account's rate limit as last written, or None if it never was. Raises JournalError.

        Takes microseconds while no other process writes.
        """
        with self._database.connection() as db:
            (version,) = db.execute("PRAGMA data_version").fetchone()
            cached = self._cache.get(account)
            if cached is None or cached[0] != version:
                row = db.execute("SELECT state FROM rate_limit WHERE account=?", (account,)).fetchone()
                cached = self._cache[account] = (version, _decode_row(row))
        return cached[1]

    def update(self, account: str, change: Callable[[RateLimit | None], RateLimit]) -> RateLimit:
        """Write the result of `change`, applied to the stored value, in one transaction. Raises JournalError."""
        with self._database.transaction() as db:
            row = db.execute("SELECT state FROM rate_limit WHERE account=?", (account,)).fetchone()
            changed = change(_decode_row(row))
            db.execute("INSERT OR REPLACE INTO rate_limit VALUES (?,?)", (account, _encode(changed)))
        self._cache.pop(account, None)
        return changed


def _decode_row(row: tuple[bytes] | None) -> RateLimit | None:
    try:
        return None if row is None else _decode(row[0])
    except msgspec.DecodeError:
        return None  # a value of another version
