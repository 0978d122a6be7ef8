"""Journal table of retired APIs: accounts that have moved to a successor, and jobs that a successor refused."""

from tui.storage.journal.database import Database

_ACCOUNT_ROW = ""
"""Id in the row of the account itself."""


class SuccessorTable:
    """Table of moves and refusals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_move(self, account: str, provider: str, at: float) -> None:
        """Record that the account has moved to this provider, and delete its refusals. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM successor WHERE account=?", (account,))
            db.execute("INSERT INTO successor VALUES (?,?,?,?)", (account, _ACCOUNT_ROW, provider, at))

    def record_refusal(self, account: str, job: str, provider: str, at: float) -> None:
        """Record that the successor refused the job of this id too. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO successor VALUES (?,?,?,?)", (account, job, provider, at))

    def moves(self) -> dict[str, str]:
        """Return the provider that each moved account has moved to, by account. Raises JournalError."""
        with self._database.connection() as db:
            return dict(db.execute("SELECT account, provider FROM successor WHERE id=?", (_ACCOUNT_ROW,)))

    def refusals(self, account: str, provider: str, now: float) -> dict[str, float]:
        """Return the instants at which this successor refused jobs of the account, by id. Raises JournalError.

        An instant after `now`, which a clock that was ahead wrote, is set to it.
        """
        with self._database.transaction() as db:
            db.execute(
                "UPDATE successor SET recorded_at=:now WHERE account=:account AND recorded_at > :now",
                {"now": now, "account": account},
            )
            rows = db.execute(
                "SELECT id, recorded_at FROM successor WHERE account=? AND provider=? AND id<>?",
                (account, provider, _ACCOUNT_ROW),
            )
            return dict(rows)
