"""When a job is to be asked next. Policy computes and never sleeps: each answer is a time and its reason.

What an account allows is `pace`, what an ask is worth `price`, how long jobs take `durations`.

Learned intervals: asking at a rate r finds an end 1/2r late on the average, so that a job costs ∫ f/2r + λ S r dt in
delay and in requests at λ each (f its density, S its survival). Least it is where r² = h / 2λ, h = f/S the hazard; and
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
"""Seconds: the first and the longest back-off after a fault."""
JITTER = 0.1
"""Share by which every interval is moved either way, so that jobs added together are not asked together."""
INCOMPLETE_RETRY = (30.0, 5)
"""Seconds to the first ask for a promised link that is not there (doubling), and how many such asks there are."""
MAX_STALLED_INTERVAL = 600.0
"""Seconds: the longest interval of a stalled job in its first day."""
STALE_GRACE = 30.0
"""Seconds past three missed intervals after which a report counts as old."""

MAX_RETRY_AFTER = DAY
"""Seconds: the longest wait that a service is believed. What asks for more is damage, and no job is given up for it."""

SOLVER_STEPS, SOLVER_TOLERANCE = 8, 0.03
"""Of a learned interval: how many are made, and within which share of one ask one is good enough."""

DEFAULT_INTERVALS = {"text": (2.0, 15.0), "document": (3.0, 20.0), "video": (15.0, 30.0)}
"""Seconds between asks of a job that nothing is known of yet, by the provider file's `cadence`: at first, later."""


class ScheduledPoll(NamedTuple):
    """The next ask of a job."""

    at: float
    """Instant."""
    reason: PollReason
    demand: PollDemand | None = None
    """What the job goes on to take of its account's rate; None: it waits for something."""


class LearnedTiming(NamedTuple):
    """What polling has taught of such jobs."""

    fit: LogNormalFit
    shadow_price: float
    """λ: seconds of delay that one request is worth to the account now."""


FAULTS_BEFORE_HOURLY = 10
"""Faults in a row after which a job that is done is asked for its result or link but hourly, and for a day only."""


class PollingPolicy(Struct, frozen=True):
    """What decides the intervals of one job: its kind's cadence and the operator's settings. All in seconds."""

    cadence: str
    """One of COLD."""
    initial_interval: float
    steady_interval: float
    max_interval: float
    """The operator's longest interval, which learned ones may reach."""
    stall_after: float
    has_result_request: bool = False
    """The kind has a result that takes a second ask."""
    renew_before: float = DAY
    """How long before its end a link that is to be kept is renewed."""

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
        """The tempo of a cadence named in a provider file, within the operator's longest interval."""
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
    """The job is done and its result has not been asked for with success: that ask comes next."""
    run = state.report.result_id if state.report is not None else None
    return (
        state.phase is Phase.DONE and policy.has_result_request and run is not None and state.result_fetched_at is None
    )


def next_poll(
    state: JobState, policy: PollingPolicy, now: float, random: Random, learned: LearnedTiming | None = None
) -> ScheduledPoll | None:
    """When to ask the job next; None: not again by itself."""
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
    """As learned, else near-constant while it is young; stretched once stalled, hourly after a day. Never given up."""
    age = now - (state.first_polled_at if state.first_polled_at is not None else now)
    patience = duration_model.stall_threshold(learned and learned.fit, policy.stall_after)
    if age <= min(DAY, patience) and learned is not None:
        return _respect_retry_after(state, _learned_poll(learned, age, policy, now, random), now)
    if age > DAY:
        interval, reason = HOUR, PollReason.LONG_RUNNING
    elif age > patience:
        before = learned_interval(learned, age, policy.max_interval) if learned is not None else 0.0
        interval = min(MAX_STALLED_INTERVAL, max(before, policy.steady_interval * age / patience))
        reason = PollReason.STALLED
    else:
        interval, reason = min(policy.steady_interval, max(policy.initial_interval, age / 10)), PollReason.REGULAR
    return _respect_retry_after(
        state, ScheduledPoll(now + _with_jitter(interval, random), reason, PollDemand(rate=1 / interval)), now
    )


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
    """Seconds from `age` to where the best rate, r = √(h / 2λ), has added up to one ask; from SHORTEST to `longest`.

    Where the hazard stands still that is √(2λ / h), the first guess. It is added up by Simpson's rule, since the hazard
    of a young job is next to nothing and may be high before so long an interval is over.
    """
    fit, wanted = learned.fit, sqrt(2 * learned.shadow_price)
    here = sqrt(duration_model.hazard(fit, age))
    low, high = min(MIN_INTERVAL, max_interval), max_interval
    few = many = 0.0  # asks of the longest interval that was too short, of the shortest too long; 0: none was yet
    interval = min(high, max(low, wanted / here))
    for _ in range(SOLVER_STEPS):
        middle, end = duration_model.hazard(fit, age + interval / 2), duration_model.hazard(fit, age + interval)
        asks = interval * (here + 4 * sqrt(middle) + sqrt(end)) / 6 / wanted
        if (
            abs(asks - 1) < SOLVER_TOLERANCE
            or (interval >= max_interval and asks < 1)
            or (interval <= MIN_INTERVAL and asks > 1)
        ):
            break
        if asks < 1:
            low, few = interval, asks
        else:
            high, many = interval, asks
        if few and many:  # where the power of the interval that leads through both is one
            interval = low * few ** (-log(high / low) / log(many / few))
        else:
            interval = interval / asks if low < interval / asks < high else sqrt(low * high)
    return interval


def _respect_retry_after(state: JobState, poll: ScheduledPoll, now: float) -> ScheduledPoll:
    """Not before what the service asks for with its report."""
    wanted = min(MAX_RETRY_AFTER, (state.report and state.report.retry_after) or 0.0)
    if now + wanted > poll.at:
        return ScheduledPoll(now + wanted, PollReason.RETRY_AFTER)
    return poll


def _poll_after_fault(
    state: JobState, fault: Fault, policy: PollingPolicy, now: float, random: Random
) -> ScheduledPoll:
    """Full jitter below a ceiling that doubles with every fault in a row, unless the fault says better."""
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
    """Hourly for a day: the id may have been submitted a moment ago, or belong to another organisation."""
    if state.phase_since is None or now - state.phase_since > DAY:
        return None
    return ScheduledPoll(now + _with_jitter(HOUR, random), PollReason.MISSING)


def _done_poll(state: JobState, policy: PollingPolicy, now: float, random: Random) -> ScheduledPoll | None:
    """Done is asked on only for its result, a few times for a promised link that is not there, or to keep one."""
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
    """A fresh link for one that is to be kept. Faults that pass are waited out as any, but for hourly at last."""
    start = renewal.renewal_start(state, policy.renew_before)
    if start is None:
        return None
    fault = state.fault
    if fault is not None and fault.kind not in renewal.DEFINITIVE_FAULTS and now >= start:
        if state.consecutive_faults < FAULTS_BEFORE_HOURLY or fault.kind in {FaultKind.REFUSED, FaultKind.RETIRED}:
            return _poll_after_fault(state, fault, policy, now, random)
        return ScheduledPoll(now + _with_jitter(HOUR, random), PollReason.RENEWAL_HOURLY)
    due = renewal.next_renewal(state, policy.renew_before, now, random)
    return None if due is None else ScheduledPoll(due.at, due.reason)


def stale_after(state: JobState, next_poll_at: float | None, now: float) -> float | None:
    """Until when the last report may be shown as fresh, once the next ask is planned; None: it has ended.

    A fault does not make a report fresher: what was said with the report stands.
    """
    if state.phase not in ACTIVE or state.checked_at is None or next_poll_at is None:
        return None
    if state.fault is not None:
        return state.stale_after
    return now + 3 * (next_poll_at - now) + STALE_GRACE


def _with_jitter(interval: float, random: Random) -> float:
    return interval * random.uniform(1 - JITTER, 1 + JITTER)
