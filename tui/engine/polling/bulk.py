"""Which jobs of an account one bulk ask takes along. It sends nothing.

A bulk ask says little: no title, no link, no reason for a failure. What ended there, and what it does not know, is
asked singly.
"""

from tui.domain.job_state import JobState
from tui.domain.models import ACTIVE, Fault, FaultKind
from tui.domain.polling.throttle import UNAVAILABLE_FAULTS
from tui.providers.model import BulkRequest

MAX_EARLY_SHARE = 1 / 3
"""Share of its interval by which a job may be asked too early, where it costs no request."""
DISABLED_FOR = 3600.0
"""Seconds for which the jobs of an account are asked singly after the service would not have its bulk ask."""
TRANSIENT = UNAVAILABLE_FAULTS | {FaultKind.LIMITED, FaultKind.MALFORMED, FaultKind.TOO_LARGE}
"""Faults that say nothing of the ask itself: it is sent again, later."""


class BulkPolicy:
    """What one account knows of its bulk asks."""

    def __init__(self) -> None:
        self._disabled_until = 0.0
        self._excluded: set[str] = set()

    def max_batch(self, request: BulkRequest | None, now: float) -> int:
        """Jobs in one ask."""
        return request.max_ids if request is not None and now >= self._disabled_until else 1

    def can_batch(self, state: JobState, due: float, now: float) -> bool:
        """The job, due at an instant, can be asked now with others: it is, or it soon would be, and bulk knows it."""
        if state.job.kind or state.job.archived or state.phase not in ACTIVE or state.job.id in self._excluded:
            return False
        if state.fault is not None:
            return due <= now and state.fault.kind in TRANSIENT
        if state.report is None or state.checked_at is None:
            return True
        return due <= now or (not state.report.retry_after and due - now <= MAX_EARLY_SHARE * (due - state.checked_at))

    def exclude(self, job_id: str) -> None:
        """A bulk ask does not know the job of this id, or not all of its end."""
        self._excluded.add(job_id)

    def disable_on(self, fault: Fault, now: float) -> bool:
        """Whether the fault lies in asking for many: then all are asked singly for a while."""
        if fault.kind in TRANSIENT or (fault.kind is FaultKind.REFUSED and fault.http_status != 403):
            return False
        self._disabled_until = now + DISABLED_FOR
        return True
