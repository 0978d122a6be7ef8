"""Schedule of the polls of a job: an instant and a reason. It never sleeps.

Leaves to others: what an account allows (`throttle`), what a request is worth (`request_cost`), how long jobs take
(`duration_model`).

Learned intervals: polling at a rate r finds an end 1/2r late on average, so a job costs ∫ f/2r + λ S r dt in delay and
in requests at λ each (f its density, S its survival). The minimum is at r² = h / 2λ, h = f/S the hazard; and
requests × delay is never below ½ (∫ √(f S) dt)², by Cauchy and Schwarz.
"""

from math import log, sqrt
from random import Random
from typing import NamedTuple

from msgspec import Struct

from tui.domain.job_state import JobState
from tui.domain.links import renewal
from tui.domain.models import ACTIVE, Fault, FaultKind, Phase, PollReason
from tui.domain.polling import duration_model
from tui.domain.polling.duration_model import LogNormalFit
from tui.domain.polling.request_cost import MIN_INTERVAL, PollDemand

HOUR = 3600.0
DAY = 24 * HOUR
FAULT_BACKOFF = (2.0, 120.0)
"""Seconds: the first and the longest backoff after a fault."""
JITTER = 0.1
"""Share by which every interval varies either way, so that jobs added together are not polled together."""
INCOMPLETE_RETRY = (30.0, 5)
"""Polls for a promised link that is missing: seconds to the first (doubling), and how many."""
MAX_STALLED_INTERVAL = 600.0
"""Seconds: the longest interval of a stalled job in its first day."""
STALE_GRACE = 30.0
"""Seconds past three missed intervals after which a report is stale."""

MAX_RETRY_AFTER = DAY
"""Seconds: a longer Retry-After is an error of the service, and no job waits longer."""

SOLVER_STEPS, SOLVER_TOLERANCE = 8, 0.03
"""Solver of the learned interval: most steps, and the accepted error as a share of one poll."""

DEFAULT_INTERVALS = {"text": (2.0, 15.0), "document": (3.0, 20.0), "video": (15.0, 30.0)}
"""Seconds between polls before anything is learned, by the provider file's `cadence`: at first, later."""


class ScheduledPoll(NamedTuple):
    """Next poll of a job."""

    at: float
    """Instant."""
    reason: PollReason
    demand: PollDemand | None = None
    """What the job takes of its account's rate; None: it waits for something."""


class LearnedTiming(NamedTuple):
    """What past polls taught about similar jobs."""

    fit: LogNormalFit
    shadow_price: float
    """λ: seconds of delay that one request is worth to the account now."""


FAULTS_BEFORE_HOURLY = 10
"""Consecutive faults after which the result or link of a completed job is requested hourly, for a day."""


class PollingPolicy(Struct, frozen=True):
    """Polling policy of one kind of job: its cadence and the operator's settings. All numbers are seconds."""

    cadence: str
    """One of DEFAULT_INTERVALS."""
    initial_interval: float
    steady_interval: float
    max_interval: float
    """The operator's longest interval, also for learned ones."""
    stall_after: float
    has_result_request: bool = False
    """The kind has a result request."""
    renew_before: float = DAY
    """How long before its expiry a link that is to be kept is renewed."""

    @classmethod
    def for_cadence(
        cls,
        cadence: str,
        *,
        max_interval: float,
        stall_after: float,
        has_result_request: bool,
        renew_before: float = DAY,
    ) -> "PollingPolicy":
        """Return the policy of a provider file's cadence, within the operator's longest interval."""
        first, most = DEFAULT_INTERVALS[cadence]
        return cls(
            cadence,
            min(first, max_interval),
            min(most, max_interval),
            max_interval,
            stall_after,
            has_result_request,
            renew_before,
        )


def needs_result(state: JobState, policy: PollingPolicy) -> bool:
    """Return whether the job is done and its result not received: the result request comes next."""
    has_result_id = state.report is not None and state.report.result_id is not None
    is_missing = state.phase is Phase.DONE and state.result_fetched_at is None
    return policy.has_result_request and has_result_id and is_missing


def next_poll(
    state: JobState, policy: PollingPolicy, now: float, random: Random, learned: LearnedTiming | None = None
) -> ScheduledPoll | None:
    """Return the next poll of the job, not before the service's waiting hint; None: none."""
    poll, not_before = _unhinted_poll(state, policy, now, random, learned), _hinted_not_before(state, now)
    return poll if poll is None or poll.at >= not_before else ScheduledPoll(not_before, PollReason.RETRY_AFTER)


def _hinted_not_before(state: JobState, now: float) -> float:
    """Return the instant before which the service wants no request for the job; 0: none."""
    if state.fault is not None:
        return min(state.fault.retry_at or 0.0, now + MAX_RETRY_AFTER)
    if state.report is None or state.report.retry_after is None or state.checked_at is None:
        return 0.0
    return state.checked_at + min(state.report.retry_after, MAX_RETRY_AFTER)


def _unhinted_poll(
    state: JobState, policy: PollingPolicy, now: float, random: Random, learned: LearnedTiming | None
) -> ScheduledPoll | None:
    if state.job.archived:
        return None
    if state.phase is Phase.MISSING:
        return _missing_poll(state, now, random)
    if state.phase is Phase.DONE:
        return _done_poll(state, policy, now, random)
    if state.phase not in ACTIVE:
        return None
    if state.fault is not None:
        return _poll_after_fault(state, state.fault, policy, now, random)
    if state.checked_at is None:
        return ScheduledPoll(now + random.uniform(0, policy.initial_interval), PollReason.FIRST)
    return _active_poll(state, policy, now, random, learned)


def _active_poll(
    state: JobState, policy: PollingPolicy, now: float, random: Random, learned: LearnedTiming | None
) -> ScheduledPoll:
    """Return the learned poll, else a near-constant interval; longer once stalled, hourly after a day."""
    age = now - (state.first_polled_at if state.first_polled_at is not None else now)
    threshold = duration_model.stall_threshold(learned and learned.fit, policy.stall_after)
    if age <= min(DAY, threshold) and learned is not None:
        return _learned_poll(learned, age, policy, now, random)
    if age > DAY:
        interval, reason = HOUR, PollReason.LONG_RUNNING
    elif age > threshold:
        before = learned_interval(learned, age, policy.max_interval) if learned is not None else 0.0
        interval = min(MAX_STALLED_INTERVAL, max(before, policy.steady_interval * age / threshold))
        reason = PollReason.STALLED
    else:
        interval, reason = min(policy.steady_interval, max(policy.initial_interval, age / 10)), PollReason.REGULAR
    return ScheduledPoll(now + _with_jitter(interval, random), reason, PollDemand(rate=1 / interval))


def _learned_poll(
    learned: LearnedTiming, age: float, policy: PollingPolicy, now: float, random: Random
) -> ScheduledPoll:
    least = min(MIN_INTERVAL, policy.max_interval)
    interval = max(least, _with_jitter(learned_interval(learned, age, policy.max_interval), random))
    return ScheduledPoll(
        now + interval,
        PollReason.LEARNED,
        PollDemand(hazard=duration_model.hazard(learned.fit, age)),
    )


def learned_interval(learned: LearnedTiming, age: float, max_interval: float) -> float:
    """Return the seconds from `age` in which the best rate, r = √(h / 2λ), adds up to one poll.

    It is from MIN_INTERVAL to `max_interval`. With a constant hazard it is √(2λ / h), the first guess. The rate is
    added up by Simpson's rule, since the hazard of a young job is next to nothing and may be high before so long an
    interval is over.
    """
    fit, wanted = learned.fit, sqrt(2 * learned.shadow_price)
    here = sqrt(duration_model.hazard(fit, age))
    low, high = min(MIN_INTERVAL, max_interval), max_interval
    few = many = 0.0  # polls in the longest interval that was too short, in the shortest too long; 0: none yet
    interval = min(high, max(low, wanted / here))
    for _ in range(SOLVER_STEPS):
        middle, end = duration_model.hazard(fit, age + interval / 2), duration_model.hazard(fit, age + interval)
        polls = interval * (here + 4 * sqrt(middle) + sqrt(end)) / 6 / wanted
        if (
            abs(polls - 1) < SOLVER_TOLERANCE
            or (interval >= max_interval and polls < 1)
            or (interval <= MIN_INTERVAL and polls > 1)
        ):
            break
        if polls < 1:
            low, few = interval, polls
        else:
            high, many = interval, polls
        if few and many:  # where the power law through both gives one poll
            interval = low * few ** (-log(high / low) / log(many / few))
        else:
            interval = interval / polls if low < interval / polls < high else sqrt(low * high)
    return interval


def _poll_after_fault(
    state: JobState, fault: Fault, policy: PollingPolicy, now: float, random: Random
) -> ScheduledPoll:
    """Return a poll with full jitter below a doubling ceiling, unless the fault names a time."""
    match fault.kind:
        case FaultKind.REFUSED:
            return ScheduledPoll(now + _with_jitter(HOUR, random), PollReason.REFUSED)
        case FaultKind.RETIRED:
            return ScheduledPoll(now + _with_jitter(DAY, random), PollReason.RETIRED)
        case FaultKind.LIMITED if fault.retry_at is not None:
            until = min(max(now, fault.retry_at), now + MAX_RETRY_AFTER)
            return ScheduledPoll(until + random.uniform(0, policy.initial_interval), PollReason.RETRY_AFTER)
        case FaultKind.MISSING:
            return ScheduledPoll(now + _with_jitter(20.0, random), PollReason.NOT_FOUND)
        case _:
            first, most = FAULT_BACKOFF
            ceiling = min(most, first * 2.0 ** min(state.consecutive_faults, 16))
            return ScheduledPoll(now + random.uniform(min(first, ceiling), ceiling), PollReason.BACKOFF)


def _missing_poll(state: JobState, now: float, random: Random) -> ScheduledPoll | None:
    """Return an hourly poll for a day: the id may be new, or another organisation's."""
    if state.phase_since is None or now - state.phase_since > DAY:
        return None
    return ScheduledPoll(now + _with_jitter(HOUR, random), PollReason.MISSING)


def _done_poll(state: JobState, policy: PollingPolicy, now: float, random: Random) -> ScheduledPoll | None:
    """Return the poll for the result, for a promised link that is missing, or a renewal."""
    first, times = INCOMPLETE_RETRY
    result = needs_result(state, policy)
    if not result and not 0 < state.incomplete_polls <= times:
        return _renewal_poll(state, policy, now, random)
    if state.fault is not None:
        if state.consecutive_faults < FAULTS_BEFORE_HOURLY:
            return _poll_after_fault(state, state.fault, policy, now, random)
        if state.phase_since is None or now - state.phase_since > DAY:
            return _renewal_poll(state, policy, now, random)
        return ScheduledPoll(now + _with_jitter(HOUR, random), PollReason.RESULT_PENDING)
    if result:
        return ScheduledPoll(now, PollReason.RESULT)
    return ScheduledPoll(
        now + _with_jitter(first * 2.0 ** (state.incomplete_polls - 1), random), PollReason.LINK_PENDING
    )


def _renewal_poll(state: JobState, policy: PollingPolicy, now: float, random: Random) -> ScheduledPoll | None:
    """Return the poll that renews a link to be kept: after transient faults with backoff, finally hourly."""
    start = renewal.renewal_start(state, policy.renew_before)
    if start is None:
        return None
    fault = state.fault
    if fault is not None and fault.kind not in renewal.DEFINITIVE_FAULTS and now >= start:
        if state.consecutive_faults < FAULTS_BEFORE_HOURLY or fault.kind in {FaultKind.REFUSED, FaultKind.RETIRED}:
            return _poll_after_fault(state, fault, policy, now, random)
        return ScheduledPoll(now + _with_jitter(HOUR, random), PollReason.RENEWAL_HOURLY)
    scheduled = renewal.next_renewal(state, policy.renew_before, now, random)
    return None if scheduled is None else ScheduledPoll(scheduled.at, scheduled.reason)


def stale_after(state: JobState, next_poll_at: float | None, now: float) -> float | None:
    """Return the instant after which the last report is stale, once the next poll is scheduled; None: never.

    A fault does not change the instant that was set with the report.
    """
    if state.phase not in ACTIVE or state.checked_at is None or next_poll_at is None:
        return None
    if state.fault is not None:
        return state.stale_after
    return now + 3 * (next_poll_at - now) + STALE_GRACE


def _with_jitter(interval: float, random: Random) -> float:
    return interval * random.uniform(1 - JITTER, 1 + JITTER)
