"""What is left of every account's allowance, for all processes on the state folder. `domain.budget` reckons.

By the account's name: whoever gives an account another key keeps its floors, which errs on the service's side.
"""

from collections.abc import Callable

import msgspec

from tui.domain.polling.rate_limit import RateLimit
from tui.storage.journal.database import Database

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RateLimit).decode


class RateLimitTable:
    """The journal's table of budgets."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._cache: dict[str, tuple[int, RateLimit | None]] = {}
        """By account, what was read last, and SQLite's data_version at that moment."""

    def get(self, account: str) -> RateLimit | None:
        """What the account's budget was when it was last written; None: never. Raises JournalError.

        It costs microseconds while no other process writes.
        """
        with self._database.connection() as db:
            (version,) = db.execute("PRAGMA data_version").fetchone()
            seen = self._cache.get(account)
            if seen is None or seen[0] != version:
                row = db.execute("SELECT state FROM budget WHERE account=?", (account,)).fetchone()
                seen = self._cache[account] = (version, _decode_row(row))
        return seen[1]

    def update(self, account: str, change: Callable[[RateLimit | None], RateLimit]) -> RateLimit:
        """Writes what `change` makes of the budget as it is now, in one transaction. Raises JournalError."""
        with self._database.transaction() as db:
            row = db.execute("SELECT state FROM budget WHERE account=?", (account,)).fetchone()
            budget = change(_decode_row(row))
            db.execute("INSERT OR REPLACE INTO budget VALUES (?,?)", (account, _encode(budget)))
        self._cache.pop(account, None)
        return budget


def _decode_row(row: tuple[bytes] | None) -> RateLimit | None:
    try:
        return None if row is None else _decode(row[0])
    except msgspec.DecodeError:
        return None  # another layout's: begun anew
