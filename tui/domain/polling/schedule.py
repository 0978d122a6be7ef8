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
from tui.domain.models import ACTIVE, Fault, FaultKind, Phase
from tui.domain.polling import duration_model
from tui.domain.polling.duration_model import Fit
from tui.domain.polling.request_cost import SHORTEST, Demand
from tui.presentation import formatting

HOUR = 3600.0
DAY = 24 * HOUR
BACK_OFF = (2.0, 120.0)
"""Seconds: the first and the longest back-off after a fault."""
JITTER = 0.1
"""Share by which every interval is moved either way, so that jobs added together are not asked together."""
UNWHOLE = (30.0, 5)
"""Seconds to the first ask for a promised link that is not there (doubling), and how many such asks there are."""
STALLED_MOST = 600.0
"""Seconds: the longest interval of a stalled job in its first day."""
GRACE = 30.0
"""Seconds past three missed intervals after which a report counts as old."""

BELIEVED = DAY
"""Seconds: the longest wait that a service is believed. What asks for more is damage, and no job is given up for it."""

GUESSES, CLOSE = 8, 0.03
"""Of a learned interval: how many are made, and within which share of one ask one is good enough."""

COLD = {"text": (2.0, 15.0), "document": (3.0, 20.0), "video": (15.0, 30.0)}
"""Seconds between asks of a job that nothing is known of yet, by the provider file's `cadence`: at first, later."""


class Plan(NamedTuple):
    """The next ask of a job."""

    at: float
    """Instant."""
    reason: str
    """For an operator."""
    demand: Demand | None = None
    """What the job goes on to take of its account's rate; None: it waits for something."""


class Learned(NamedTuple):
    """What polling has taught of such jobs."""

    fit: Fit
    price: float
    """λ: seconds of delay that one request is worth to the account now."""


TRIES = 10
"""Faults in a row after which a job that is done is asked for its result or link but hourly, and for a day only."""


class Tempo(Struct, frozen=True):
    """What decides the intervals of one job: its kind's cadence and the operator's settings. All in seconds."""

    cadence: str
    """One of COLD."""
    first: float
    most: float
    longest: float
    """The operator's longest interval, which learned ones may reach."""
    stall_after: float
    result: bool = False
    """The kind has a result that takes a second ask."""
    renew_before: float = DAY
    """How long before its end a link that is to be kept is renewed."""

    @classmethod
    def of(
        cls, cadence: str, *, max_interval: float, stall_after: float, result: bool, renew_before: float = DAY
    ) -> "Tempo":
        """The tempo of a cadence named in a provider file, within the operator's longest interval."""
        first, most = COLD[cadence]
        return cls(
            cadence, min(first, max_interval), min(most, max_interval), max_interval, stall_after, result, renew_before
        )


def wants_result(state: JobState, tempo: Tempo) -> bool:
    """The job is done and its result has not been asked for with success: that ask comes next."""
    run = state.report.run if state.report is not None else None
    return state.phase is Phase.DONE and tempo.result and run is not None and state.result_at is None


def plan(state: JobState, tempo: Tempo, now: float, random: Random, learned: Learned | None = None) -> Plan | None:
    """When to ask the job next; None: not again by itself."""
    if state.job.archived:
        return None
    if state.phase is Phase.MISSING:
        return _missing(state, now, random)
    if state.phase is Phase.DONE:
        return _done(state, tempo, now, random)
    if state.phase not in ACTIVE:
        return None
    if state.fault is not None:
        return _after_fault(state, state.fault, tempo, now, random)
    if state.checked_at is None:
        return Plan(now + random.uniform(0, tempo.first), "first ask")
    return _active(state, tempo, now, random, learned)


def _active(state: JobState, tempo: Tempo, now: float, random: Random, learned: Learned | None) -> Plan:
    """As learned, else near-constant while it is young; stretched once stalled, hourly after a day. Never given up."""
    age = now - (state.born if state.born is not None else now)
    patience = duration_model.patience(learned and learned.fit, tempo.stall_after)
    if age <= min(DAY, patience) and learned is not None:
        return _floored(state, _warm(learned, age, tempo, now, random), now)
    if age > DAY:
        interval, reason = HOUR, "running for over a day: hourly"
    elif age > patience:
        before = learned_interval(learned, age, tempo.longest) if learned is not None else 0.0
        interval = min(STALLED_MOST, max(before, tempo.most * age / patience))
        reason = "running far beyond usual: less often"
    else:
        interval, reason = min(tempo.most, max(tempo.first, age / 10)), "at a steady pace"
    return _floored(state, Plan(now + _jittered(interval, random), reason, Demand(rate=1 / interval)), now)


def _warm(learned: Learned, age: float, tempo: Tempo, now: float, random: Random) -> Plan:
    least = min(SHORTEST, tempo.longest)
    interval = max(least, _jittered(learned_interval(learned, age, tempo.longest), random))
    usual = duration_model.usual(learned.fit)
    return Plan(
        now + interval,
        f"learned: most end at {formatting.between(usual.low, usual.high)}",
        Demand(hazard=duration_model.hazard(learned.fit, age)),
    )


def learned_interval(learned: Learned, age: float, longest: float) -> float:
    """Seconds from `age` to where the best rate, r = √(h / 2λ), has added up to one ask; from SHORTEST to `longest`.

    Where the hazard stands still that is √(2λ / h), the first guess. It is added up by Simpson's rule, since the hazard
    of a young job is next to nothing and may be high before so long an interval is over.
    """
    fit, wanted = learned.fit, sqrt(2 * learned.price)
    here = sqrt(duration_model.hazard(fit, age))
    low, high = min(SHORTEST, longest), longest
    few = many = 0.0  # asks of the longest interval that was too short, of the shortest too long; 0: none was yet
    interval = min(high, max(low, wanted / here))
    for _ in range(GUESSES):
        middle, end = duration_model.hazard(fit, age + interval / 2), duration_model.hazard(fit, age + interval)
        asks = interval * (here + 4 * sqrt(middle) + sqrt(end)) / 6 / wanted
        if abs(asks - 1) < CLOSE or (interval >= longest and asks < 1) or (interval <= SHORTEST and asks > 1):
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


def _floored(state: JobState, plan: Plan, now: float) -> Plan:
    """Not before what the service asks for with its report."""
    wanted = min(BELIEVED, (state.report and state.report.retry_after) or 0.0)
    if now + wanted > plan.at:
        return Plan(now + wanted, "the service asks to wait that long for this job")
    return plan


def _after_fault(state: JobState, fault: Fault, tempo: Tempo, now: float, random: Random) -> Plan:
    """Full jitter below a ceiling that doubles with every fault in a row, unless the fault says better."""
    match fault.kind:
        case FaultKind.REFUSED:
            return Plan(now + _jittered(HOUR, random), "refused: hourly, or at once with a changed key")
        case FaultKind.RETIRED:
            return Plan(now + _jittered(DAY, random), "the API is over: once a day")
        case FaultKind.LIMITED if fault.retry_at is not None:
            until = min(max(now, fault.retry_at), now + BELIEVED)
            return Plan(until + random.uniform(0, tempo.first), "the service asked to wait")
        case FaultKind.MISSING:
            return Plan(now + _jittered(20.0, random), "not found: asked again before it counts as missing")
        case _:
            first, most = BACK_OFF
            ceiling = min(most, first * 2.0 ** min(state.faults, 16))
            return Plan(now + random.uniform(min(first, ceiling), ceiling), f"after {fault.kind}: backing off")


def _missing(state: JobState, now: float, random: Random) -> Plan | None:
    """Hourly for a day: the id may have been submitted a moment ago, or belong to another organisation."""
    if state.since is None or now - state.since > DAY:
        return None
    return Plan(now + _jittered(HOUR, random), "missing: hourly for a day")


def _done(state: JobState, tempo: Tempo, now: float, random: Random) -> Plan | None:
    """Done is asked on only for its result, a few times for a promised link that is not there, or to keep one."""
    first, times = UNWHOLE
    result = wants_result(state, tempo)
    if not result and not 0 < state.unwhole <= times:
        return _renewal(state, tempo, now, random)
    if state.fault is not None:
        if state.faults < TRIES:
            return _after_fault(state, state.fault, tempo, now, random)
        if state.since is None or now - state.since > DAY:
            return _renewal(state, tempo, now, random)
        return Plan(now + _jittered(HOUR, random), "done, but for what it brought: hourly for a day")
    if result:
        return Plan(now, "done: now its result")
    return Plan(now + _jittered(first * 2.0 ** (state.unwhole - 1), random), "done, but its link is not there yet")


def _renewal(state: JobState, tempo: Tempo, now: float, random: Random) -> Plan | None:
    """A fresh link for one that is to be kept. Faults that pass are waited out as any, but for hourly at last."""
    start = renewal.begins(state, tempo.renew_before)
    if start is None:
        return None
    fault = state.fault
    if fault is not None and fault.kind not in renewal.DECIDED and now >= start:
        if state.faults < TRIES or fault.kind in {FaultKind.REFUSED, FaultKind.RETIRED}:
            return _after_fault(state, fault, tempo, now, random)
        return Plan(now + _jittered(HOUR, random), "its link could not be renewed: hourly")
    due = renewal.due(state, tempo.renew_before, now, random)
    return None if due is None else Plan(due.at, due.reason)


def fresh_until(state: JobState, next_at: float | None, now: float) -> float | None:
    """Until when the last report may be shown as fresh, once the next ask is planned; None: it has ended.

    A fault does not make a report fresher: what was said with the report stands.
    """
    if state.phase not in ACTIVE or state.checked_at is None or next_at is None:
        return None
    if state.fault is not None:
        return state.fresh_until
    return now + 3 * (next_at - now) + GRACE


def _jittered(interval: float, random: Random) -> float:
    return interval * random.uniform(1 - JITTER, 1 + JITTER)
