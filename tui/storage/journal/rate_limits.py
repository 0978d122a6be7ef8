"""What is left of every account's allowance, for all processes on the state folder. `domain.budget` reckons.

By the account's name: whoever gives an account another key keeps its floors, which errs on the service's side.
"""

from collections.abc import Callable

import msgspec

from tui.domain.polling.rate_limit import RateLimit
from tui.storage.journal.database import Database

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RateLimit).decode


class Budgets:
    """The journal's table of budgets."""

    def __init__(self, file: Database) -> None:
        self._file = file
        self._seen: dict[str, tuple[int, RateLimit | None]] = {}
        """By account, what was read last, and SQLite's data_version at that moment."""

    def look(self, account: str) -> RateLimit | None:
        """What the account's budget was when it was last written; None: never. Raises JournalError.

        It costs microseconds while no other process writes.
        """
        with self._file.reading() as db:
            (version,) = db.execute("PRAGMA data_version").fetchone()
            seen = self._seen.get(account)
            if seen is None or seen[0] != version:
                row = db.execute("SELECT state FROM budget WHERE account=?", (account,)).fetchone()
                seen = self._seen[account] = (version, _read(row))
        return seen[1]

    def change(self, account: str, change: Callable[[RateLimit | None], RateLimit]) -> RateLimit:
        """Writes what `change` makes of the budget as it is now, in one transaction. Raises JournalError."""
        with self._file.writing() as db:
            row = db.execute("SELECT state FROM budget WHERE account=?", (account,)).fetchone()
            budget = change(_read(row))
            db.execute("INSERT OR REPLACE INTO budget VALUES (?,?)", (account, _encode(budget)))
        self._seen.pop(account, None)
        return budget


def _read(row: tuple[bytes] | None) -> RateLimit | None:
    try:
        return None if row is None else _decode(row[0])
    except msgspec.DecodeError:
        return None  # another layout's: begun anew
