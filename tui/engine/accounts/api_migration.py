"""Migration of an account from a retired API to its successor: the successor, and the jobs to poll there next.

Sending is left to the account. The response that found the API retired is kept until the successor is polled.
"""

from collections.abc import Callable, Mapping
from enum import Enum, auto
from typing import Generic, TypeVar

from tui.domain.models import FaultKind
from tui.domain.polling.throttle import UNAVAILABLE_FAULTS
from tui.storage.config.configuration import Account

A = TypeVar("A")

RETRY_REFUSED_AFTER = 24 * 3600.0
"""Seconds after which a job that the successor refused is polled there again."""
INCONCLUSIVE = UNAVAILABLE_FAULTS | {FaultKind.LIMITED}
"""Faults of the successor that are neither report nor refusal: the job is polled again as after any such fault."""

FindSuccessor = Callable[[Account], Account | None]
"""Returns the account on its provider's successor; None: there is no successor."""


class MigrationStep(Enum):
    """Effect of a response on the account's migration."""

    RETRY_ON_SUCCESSOR = auto()
    """The API is retired for this job: the successor is polled next, before anything is applied."""
    MOVED = auto()
    """The successor returned a report: the account uses it from now on."""
    REFUSED = auto()
    """The successor refused the job too."""


class ApiMigration(Generic[A]):
    """Migration of one account. `A` is the type of a poll response."""

    def __init__(self, account: Account, find_successor: FindSuccessor) -> None:
        self._find_successor = find_successor
        self._account = account
        self._refused_at: dict[str, float] = {}
        self._pending: dict[str, tuple[Account, A]] = {}
        self.successor = find_successor(account)

    def restore_refusals(self, refused_at: Mapping[str, float]) -> None:
        """Restore what the journal knows: by job id, the instant at which the successor refused the job."""
        self._refused_at.update(refused_at)

    def has_pending(self, job_id: str) -> bool:
        """Return whether the successor is still to be polled for the job."""
        return job_id in self._pending

    def start(self, account: Account, job_id: str, first_response: A, at: float) -> bool:
        """Return whether the job is to be polled at the successor, and keep the first response until then.

        If the account has moved during the request, the job is polled again at its current provider.
        """
        refused_at = self._refused_at.get(job_id)
        refused = self.successor is None or (refused_at is not None and 0 <= at - refused_at < RETRY_REFUSED_AFTER)
        if account is self._account and refused:
            return False
        self._pending[job_id] = (account, first_response)
        return True

    def pop_pending(self, job_id: str) -> A | None:
        """Return the job's first response if the successor is to be polled now; None: not, or the account has moved."""
        account, first_response = self._pending.pop(job_id, (None, None))
        return first_response if account is self._account else None

    def record_refusal(self, job_id: str, at: float) -> None:
        """Record that the successor refused the job too."""
        self._refused_at[job_id] = at

    def move_to(self, account: Account) -> None:
        """Switch to the successor, which may have one of its own. Pending jobs are polled there as usual."""
        self._account, self.successor = account, self._find_successor(account)
        self._refused_at.clear()
