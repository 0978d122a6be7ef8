"""When a link is asked for anew before it dies, and what an operator is told of it. Pure; asking is the engine's.

Services differ: one gives another link at every ask, another the same until it is dead. So a fresh one is asked for
in time; where the same comes back, ever more seldom, and once more when the old one has died.
"""

from random import Random
from typing import NamedTuple

from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import Fault, FaultKind, Phase, PollReason

MIN_LIFETIME = 3600.0
"""Seconds that a link must have left to be handed out unasked: who takes it needs time to use it."""
FIRST_POLL_SPREAD = 0.25
"""Share of the time that is left over which first asks are spread: many links were born in the same minute."""
RETRY_INTERVALS = (900.0, 86400.0)
"""Seconds to the second ask where the first brought nothing fresh, doubling, and the most between two."""
EXPIRED_RETRY_SECONDS = 60.0
"""Seconds after a link's death within which a fresh one is asked for once more; then it is ever more seldom again."""
GIVE_UP_AFTER = 7 * 86400.0
"""Seconds after a link's death from which only a person asks again."""
FAILING_AFTER = 2
"""Asks in a row without a fresh link from which on an operator is told."""
DEFINITIVE_FAULTS = frozenset(
    {
        *(FaultKind.MISSING, FaultKind.PAYMENT, FaultKind.REJECTED, FaultKind.MALFORMED),
        *(FaultKind.TOO_LARGE, FaultKind.REDIRECTED),
    }
)
"""Faults that say of this job that there is no fresh link. The others pass, or are the account's."""


class ScheduledRenewal(NamedTuple):
    """The next ask for a fresh link."""

    at: float
    reason: PollReason


def has_enough_life(expires_at: float | None, now: float) -> bool:
    """A link that dies then can be handed out without an ask."""
    return expires_at is None or expires_at - now >= MIN_LIFETIME


def renewal_start(state: JobState, renew_before: float) -> float | None:
    """Instant from which on the job is asked for a fresh link by itself; None: it never is.

    `renew_before` seconds before the first of its links dies, but not before half its life is over. A link that lives
    less than GOOD altogether is renewed only when it is wanted.
    """
    ends = [link for link in state.links if link.expires_at is not None]
    if state.phase is not Phase.DONE or not state.job.keep_link or state.job.archived or not ends:
        return None
    first = min(ends, key=lambda link: link.expires_at or 0.0)
    dies = first.expires_at or 0.0
    if first.is_dead:
        return dies
    life = dies - first.first_seen
    return None if life < MIN_LIFETIME else max(dies - renew_before, first.first_seen + life / 2)


def next_renewal(state: JobState, renew_before: float, now: float, random: Random) -> ScheduledRenewal | None:
    """When the job is asked for a fresh link; None: not by itself. A fault that passes is not its business."""
    start, dies = renewal_start(state, renew_before), expiry.earliest_expiry(state.links)
    if start is None or dies is None:
        return None
    tries, base = failed_attempts(state), max(now, start)
    if not tries:
        return ScheduledRenewal(
            base + random.uniform(0, FIRST_POLL_SPREAD * max(RETRY_INTERVALS[0], dies - base)),
            PollReason.RENEWAL,
        )
    last = state.checked_at if state.fault is None and state.checked_at is not None else now
    if last >= dies:
        return _renewal_after_expiry(last, dies, now, random)
    at = max(base, last + min(RETRY_INTERVALS[1], RETRY_INTERVALS[0] * 2.0 ** (tries - 1)) * random.uniform(0.9, 1.1))
    if at > dies:
        return ScheduledRenewal(
            max(now, dies) + random.uniform(1.0, EXPIRED_RETRY_SECONDS),
            PollReason.RENEWAL_AT_EXPIRY,
        )
    return ScheduledRenewal(at, PollReason.RENEWAL_RETRY)


def _renewal_after_expiry(last: float, expires_at: float, now: float, random: Random) -> ScheduledRenewal | None:
    """The next ask after one at an instant at which the link was dead: the service may be late, or our clock."""
    if last - expires_at > GIVE_UP_AFTER:
        return None
    pause = min(RETRY_INTERVALS[1], max(EXPIRED_RETRY_SECONDS, last - expires_at)) * random.uniform(0.9, 1.1)
    return ScheduledRenewal(max(now, last + pause), PollReason.RENEWAL_AFTER_EXPIRY)


def failed_attempts(state: JobState) -> int:
    """Asks in a row from which it is known that there was no fresh link."""
    met = state.fault is not None and state.fault.kind in DEFINITIVE_FAULTS
    return state.failed_renewals + (state.consecutive_faults if met else 0)


def is_failing(state: JobState) -> bool:
    """A job that is to keep its link was asked for a fresh one often enough for an operator to know that it fails."""
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
