"""What the journal keeps of APIs that are over: which accounts have moved, and which jobs their successors refused."""

from tui.storage.journal.database import Database

_ACCOUNT_ROW = ""
"""Stands for an id in the row that is about the account itself."""


class SuccessorTable:
    """The journal's table of successors."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record_move(self, account: str, provider: str, at: float) -> None:
        """The account is this provider's from now on. What was refused before is forgotten. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute("DELETE FROM successor WHERE account=?", (account,))
            db.execute("INSERT INTO successor VALUES (?,?,?,?)", (account, _ACCOUNT_ROW, provider, at))

    def record_refusal(self, account: str, job: str, provider: str, at: float) -> None:
        """The successor refused the job of this id too. Raises JournalError."""
        with self._database.transaction() as db:
            db.execute("INSERT OR REPLACE INTO successor VALUES (?,?,?,?)", (account, job, provider, at))

    def moves(self) -> dict[str, str]:
        """The provider that each account has moved to, by account. Raises JournalError."""
        with self._database.connection() as db:
            return dict(db.execute("SELECT account, provider FROM successor WHERE id=?", (_ACCOUNT_ROW,)))

    def refusals(self, account: str, provider: str) -> dict[str, float]:
        """When this successor refused which jobs of the account, by id. Raises JournalError."""
        with self._database.connection() as db:
            rows = db.execute(
                "SELECT id, at FROM successor WHERE account=? AND provider=? AND id<>?",
                (account, provider, _ACCOUNT_ROW),
            )
            return dict(rows)
