"""When a job is to be asked next. Policy computes and never sleeps: each answer is a time and its reason.

What an account allows is `pace`; this is what a job is worth.
"""

from random import Random
from typing import NamedTuple

from msgspec import Struct

from tui.domain.board import JobState
from tui.domain.jobs import ACTIVE, Fault, FaultKind, Phase

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

COLD = {"text": (2.0, 15.0), "document": (3.0, 20.0), "video": (15.0, 30.0)}
"""Seconds between asks of a job that nothing is known of yet, by the provider file's `cadence`: at first, later."""


class Plan(NamedTuple):
    """The next ask of a job."""

    at: float
    """Instant."""
    reason: str
    """For an operator."""


TRIES = 10
"""Faults in a row after which a job that is done is asked for its result or link but hourly, and for a day only."""


class Tempo(Struct, frozen=True):
    """What decides the intervals of one job: its kind's cadence and the operator's settings. All in seconds."""

    first: float
    most: float
    stall_after: float
    result: bool = False
    """The kind has a result that takes a second ask."""

    @classmethod
    def of(cls, cadence: str, *, max_interval: float, stall_after: float, result: bool) -> "Tempo":
        """The tempo of a cadence named in a provider file, within the operator's longest interval."""
        first, most = COLD[cadence]
        return cls(min(first, max_interval), min(most, max_interval), stall_after, result)


def wants_result(state: JobState, tempo: Tempo) -> bool:
    """The job is done and its result has not been asked for with success: that ask comes next."""
    run = state.report.run if state.report is not None else None
    return state.phase is Phase.DONE and tempo.result and run is not None and state.result_at is None


def plan(state: JobState, tempo: Tempo, now: float, random: Random) -> Plan | None:
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
    return _active(state, tempo, now, random)


def _active(state: JobState, tempo: Tempo, now: float, random: Random) -> Plan:
    """Near-constant while it is young, stretched once stalled, hourly after a day. Never given up."""
    age = now - (state.born if state.born is not None else now)
    if age > DAY:
        interval, reason = HOUR, "running for over a day: hourly"
    elif age > tempo.stall_after:
        interval = min(STALLED_MOST, tempo.most * age / tempo.stall_after)
        reason = "running far beyond usual: less often"
    else:
        interval, reason = (
            min(tempo.most, max(tempo.first, age / 10)),
            "at a steady pace",
        )
    at = now + _jittered(interval, random)
    wanted = min(BELIEVED, (state.report and state.report.retry_after) or 0.0)
    if now + wanted > at:
        return Plan(now + wanted, "the service asks to wait that long for this job")
    return Plan(at, reason)


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
    """Done is asked on only for its result, or a few times for a promised link that is not there."""
    first, times = UNWHOLE
    result = wants_result(state, tempo)
    if not result and not 0 < state.unwhole <= times:
        return None
    if state.fault is not None:
        if state.faults < TRIES:
            return _after_fault(state, state.fault, tempo, now, random)
        if state.since is None or now - state.since > DAY:
            return None
        return Plan(now + _jittered(HOUR, random), "done, but for what it brought: hourly for a day")
    if result:
        return Plan(now, "done: now its result")
    return Plan(now + _jittered(first * 2.0 ** (state.unwhole - 1), random), "done, but its link is not there yet")


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
