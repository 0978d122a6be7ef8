"""Policy of bulk polls: which jobs of an account can share one request. It sends no requests.

A bulk response is brief (no title, no link, no reason of a failure), unless the provider's file says that its items are
whole reports. Jobs that ended in a brief one, and jobs that it does not know, are polled singly.
"""

from tui.domain.job_state import JobState
from tui.domain.models import ACTIVE, Fault, FaultKind
from tui.domain.polling.throttle import UNAVAILABLE_FAULTS

MAX_EARLY_SHARE = 1 / 3
"""Share of its interval by which a job may be polled early, since that costs no request."""
DISABLED_FOR = 3600.0
"""Seconds of single polls after the service rejected a bulk request."""
TRANSIENT = UNAVAILABLE_FAULTS | {FaultKind.LIMITED, FaultKind.MALFORMED, FaultKind.TOO_LARGE}
"""Faults that do not concern the bulk request itself: it is sent again later."""


class BulkPolicy:
    """Policy of one account."""

    def __init__(self) -> None:
        self._disabled_until = 0.0
        self._excluded: set[str] = set()

    def max_batch(self, max_ids: int, now: float) -> int:
        """Return the number of jobs in one request: `max_ids`, unless bulk requests are disabled."""
        return max_ids if now >= self._disabled_until else 1

    def can_batch(self, state: JobState, due_at: float, now: float) -> bool:
        """Return whether the job can join a bulk request now: it is due, or nearly, and the request covers it."""
        if state.job.kind or state.job.archived or state.phase not in ACTIVE or state.job.id in self._excluded:
            return False
        if state.fault is not None:
            return due_at <= now and state.fault.kind in TRANSIENT
        if state.report is None or state.checked_at is None:
            return True
        is_nearly_due = due_at - now <= MAX_EARLY_SHARE * (due_at - state.checked_at)
        return due_at <= now or (not state.report.retry_after and is_nearly_due)

    def exclude(self, job_id: str) -> None:
        """Poll this job singly: the bulk response does not contain it, or not its end."""
        self._excluded.add(job_id)

    def disable_on(self, fault: Fault, now: float) -> bool:
        """Disable bulk requests for a while if the fault concerns them, and return whether it does."""
        if fault.kind in TRANSIENT or (fault.kind is FaultKind.REFUSED and fault.http_status != 403):
            return False
        self._disabled_until = now + DISABLED_FOR
        return True
