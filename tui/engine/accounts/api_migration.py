"""What an account does about an API that is over: who takes over, and which jobs the successor is asked for next.

It sends nothing. What an ask brought that found the API over is kept until the successor was asked for the same job.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Generic, TypeVar

from tui.domain.models import FaultKind
from tui.domain.polling.throttle import UNAVAILABLE_FAULTS
from tui.storage.workspace import Account

A = TypeVar("A")

RETRY_REFUSED_AFTER = 24 * 3600.0
"""Seconds after which a job that the successor refused too is tried there once more."""
INCONCLUSIVE = UNAVAILABLE_FAULTS | {FaultKind.LIMITED}
"""Faults with which the successor neither reports nor refuses: the job is asked again as after any such fault."""

FindSuccessor = Callable[[Account], Account | None]
"""The account as its provider's successor has it; None: nobody takes over."""


class MigrationStep(Enum):
    """What an ask meant for the account's succession."""

    RETRY_ON_SUCCESSOR = auto()
    """The API is over for this job: nothing is settled before the successor was asked for it, which comes next."""
    MOVED = auto()
    """The successor gave a report: the account is the successor's from now on."""
    REFUSED = auto()
    """The successor refused the job too."""


class ApiMigration(Generic[A]):
    """One account's. `A` is what an ask brought."""

    def __init__(self, account: Account, find_successor: FindSuccessor) -> None:
        self._find_successor = find_successor
        self._account = account
        self._refused_at: dict[str, float] = {}
        self._pending: dict[str, tuple[Account, A]] = {}
        self.successor = find_successor(account)

    def restore_refusals(self, refused_at: Mapping[str, float]) -> None:
        """Takes over what is known from before: by id, the instant at which the successor refused it."""
        self._refused_at.update(refused_at)

    def has_pending(self, job_id: str) -> bool:
        """One more ask for the job follows on one that found the API over."""
        return job_id in self._pending

    def start(self, account: Account, job_id: str, first_response: A, at: float) -> bool:
        """Whether one more ask follows on one that found the account's API over; what came first is kept until then.

        An account that has moved while it was asked is asked anew, wherever it is now.
        """
        refused_at = self._refused_at.get(job_id)
        refused = self.successor is None or (refused_at is not None and at - refused_at < RETRY_REFUSED_AFTER)
        if account is self._account and refused:
            return False
        self._pending[job_id] = (account, first_response)
        return True

    def pop_pending(self, job_id: str) -> A | None:
        """What came first for the job, if the successor is to be asked for it now: the account has not moved since."""
        account, first_response = self._pending.pop(job_id, (None, None))
        return first_response if account is self._account else None

    def record_refusal(self, job_id: str, at: float) -> None:
        """The successor refused the job too."""
        self._refused_at[job_id] = at

    def move_to(self, account: Account) -> None:
        """The account is the successor's, which may have one of its own. What was owed is an ask like any other."""
        self._account, self.successor = account, self._find_successor(account)
        self._refused_at.clear()
