"""Schedule of link renewals. Requests are the engine's.

Services differ: some return another link at every request, others the same one until it expires. So a renewal is tried
in time; if the same link comes back, at growing intervals, and again just after the expiry.
"""

from random import Random
from typing import NamedTuple

from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import Fault, FaultKind, Phase, PollReason

MIN_LIFETIME = 3600.0
"""Seconds that a link must have left to be copied or opened without a renewal: using it takes time."""
FIRST_POLL_SPREAD = 0.25
"""Share of the remaining time over which first renewals are spread: many links start in the same minute."""
RETRY_INTERVALS = (900.0, 86400.0)
"""Seconds between renewals after failed ones: the first interval, doubling, and the longest."""
EXPIRED_RETRY_SECONDS = 60.0
"""Seconds after the expiry within which the renewal is tried again; later intervals grow."""
GIVE_UP_AFTER = 7 * 86400.0
"""Seconds after the expiry: only a user-requested renewal is tried then."""
FAILING_AFTER = 2
"""Consecutive failed renewals from which the operator is notified."""
DEFINITIVE_FAULTS = frozenset(
    {
        *(FaultKind.MISSING, FaultKind.PAYMENT, FaultKind.REJECTED, FaultKind.MALFORMED),
        *(FaultKind.TOO_LARGE, FaultKind.REDIRECTED),
    }
)
"""Faults that mean that this job has no new link. The others are transient, or the account's."""


class ScheduledRenewal(NamedTuple):
    """Next renewal of a link."""

    at: float
    reason: PollReason


def has_enough_life(expires_at: float | None, now: float) -> bool:
    """Return whether a link with this expiry can be used without a renewal."""
    return expires_at is None or expires_at - now >= MIN_LIFETIME


def renewal_start(state: JobState, renew_before: float) -> float | None:
    """Return the instant from which the job's link is renewed automatically; None: never.

    It is `renew_before` seconds before the first expiry, but not before half of the lifetime. A link with a lifetime
    below MIN_LIFETIME is renewed on request only.
    """
    ends = [link for link in state.links if link.expires_at is not None and not link.is_used]
    if state.phase is not Phase.DONE or not state.job.keep_link or state.job.archived or not ends:
        return None
    first = min(ends, key=lambda link: link.expires_at or 0.0)
    end = first.expires_at or 0.0
    if first.is_dead:
        return end
    lifetime = end - first.first_seen
    return None if lifetime < MIN_LIFETIME else max(end - renew_before, first.first_seen + lifetime / 2)


def next_renewal(state: JobState, renew_before: float, now: float, random: Random) -> ScheduledRenewal | None:
    """Return the next automatic renewal; None: none. Transient faults are the caller's."""
    start, end = renewal_start(state, renew_before), expiry.earliest_expiry(state.links)
    if start is None or end is None:
        return None
    tries, base = failed_attempts(state), max(now, start)
    if not tries:
        return ScheduledRenewal(
            base + random.uniform(0, FIRST_POLL_SPREAD * max(RETRY_INTERVALS[0], end - base)),
            PollReason.RENEWAL,
        )
    last = state.checked_at if state.fault is None and state.checked_at is not None else now
    if last >= end:
        return _renewal_after_expiry(last, end, now, random)
    at = max(base, last + min(RETRY_INTERVALS[1], RETRY_INTERVALS[0] * 2.0 ** (tries - 1)) * random.uniform(0.9, 1.1))
    if at > end:
        return ScheduledRenewal(
            max(now, end) + random.uniform(1.0, EXPIRED_RETRY_SECONDS),
            PollReason.RENEWAL_AT_EXPIRY,
        )
    return ScheduledRenewal(at, PollReason.RENEWAL_RETRY)


def _renewal_after_expiry(last: float, expires_at: float, now: float, random: Random) -> ScheduledRenewal | None:
    """Return the next renewal after one at `last`, past the expiry: the service may be late, or a clock wrong."""
    if last - expires_at > GIVE_UP_AFTER:
        return None
    pause = min(RETRY_INTERVALS[1], max(EXPIRED_RETRY_SECONDS, last - expires_at)) * random.uniform(0.9, 1.1)
    return ScheduledRenewal(max(now, last + pause), PollReason.RENEWAL_AFTER_EXPIRY)


def failed_attempts(state: JobState) -> int:
    """Return the consecutive renewals that definitely returned no new link."""
    is_definitive = state.fault is not None and state.fault.kind in DEFINITIVE_FAULTS
    return state.failed_renewals + (state.consecutive_faults if is_definitive else 0)


def is_failing(state: JobState) -> bool:
    """Return whether the link of the job is to be kept and its renewal failed FAILING_AFTER times or more."""
    return (
        state.job.keep_link
        and state.phase is Phase.DONE
        and state.failed_renewals + state.consecutive_faults >= FAILING_AFTER
    )


class RenewalFailure(NamedTuple):
    """Failed renewals of a link that is to be kept, enough of them to tell the operator."""

    attempts: int
    fault: Fault | None
    """The last fault; None: the service returned the same link."""


def failure(state: JobState) -> RenewalFailure | None:
    """Return how the renewals of the job's link fail; None: they do not."""
    if not is_failing(state):
        return None
    return RenewalFailure(state.failed_renewals + state.consecutive_faults, state.fault)
