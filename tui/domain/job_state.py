"""The board: a pure reducer of one job, state + event → state + changes. It keeps no dict of jobs and knows no clock.

Every side that holds a board (engine, front end, a verb of the command line) keeps its own dict of these frozen states.
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tui.domain.links import expiry
from tui.domain.models import ACTIVE, ENDS, Fault, FaultKind, Job, Link, Phase, Ref, Report, Result, Saved
from tui.domain.polling import duration_model
from tui.domain.polling.duration_model import Fit

MISSES = 3
"""A job is missing after this many 404s in a row …"""
MISSES_OVER = 60.0
"""… over at least this many seconds: a job submitted a moment ago may not be known everywhere yet."""
CHANGED_FOR = 8.0
"""Seconds for which a row is marked as just changed."""


class JobState(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Everything known of one job. The last raw body is not here: the journal keeps it."""

    job: Job
    phase: Phase = Phase.NEW
    since: float | None = None
    """Instant at which this phase was first seen; None while the job is new."""
    born: float | None = None
    """Instant of the first ask that brought a report; of a job that ended and runs again, of the one that said so."""
    report: Report | None = None
    """The last good report, however old."""
    checked_at: float | None = None
    """Instant of that report."""
    fault: Fault | None = None
    """Why the last ask brought no report; None after one that did."""
    faults: int = 0
    """Asks in a row without a report."""
    missed_at: float | None = None
    """Instant of the first 404 in a row."""
    misses: int = 0
    links: tuple[Link, ...] = ()
    result: str | None = None
    """Text that the job brought, where its provider gives text."""
    result_at: float | None = None
    """Instant at which the second ask for the result was answered; None: not yet."""
    saved: tuple[Saved, ...] = ()
    """The files that were downloaded, also of a run before this one: see `downloaded`."""
    asks: int = 0
    unwhole: int = 0
    """Asks in a row that said done without the promised link."""
    unrenewed: int = 0
    """Asks in a row for a fresh link that brought none that lives longer."""
    next_ask_at: float | None = None
    """Instant; None: nothing will be asked by itself."""
    reason: str = ""
    """Why then, for the detail."""
    fresh_until: float | None = None
    """Instant after which the last report counts as old; None: it does not grow old (the job has ended)."""
    expected: Fit | None = None
    """How long such jobs take, counted from `born`; None: it has ended, or too little is known."""


class Flag(StrEnum):
    """What is to be noticed of a job beside its phase."""

    STALLED = "stalled"
    STALE = "stale"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Listed(NamedTuple):
    """The watchlist holds this job, new or edited."""

    job: Job


class Reported(NamedTuple):
    """An ask brought a report."""

    report: Report
    at: float
    skew: float = 0.0
    """Seconds by which the service's clock is ahead of ours."""
    renewal: bool = False
    """A job that is done was asked for a fresh link: it stays done, whatever the service says now."""


class Resulted(NamedTuple):
    """The second ask of a job that is done was answered."""

    result: Result
    at: float
    skew: float = 0.0
    """Seconds by which the service's clock is ahead of ours."""
    renewal: bool = False
    """It was asked for a fresh link."""


class Faulted(NamedTuple):
    """An ask brought no report."""

    fault: Fault
    at: float
    person: bool = False
    """A person asked (`check`): one 404 is enough."""
    second: bool = False
    """It was an ask for the result or a fresh link of a job that is done, which it stays whatever becomes of that."""


class Died(NamedTuple):
    """A link proved to be dead: who wanted to fetch it was refused."""

    url: str
    at: float


class Unasked(NamedTuple):
    """No ask was sent at all: no key, an account that is not configured, a floor that is too far away."""

    fault: Fault


class Planned(NamedTuple):
    """When the next ask is due, and why."""

    at: float | None
    reason: str
    fresh_until: float | None
    expected: Fit | None = None


Event = Listed | Reported | Resulted | Faulted | Died | Unasked | Planned | Saved


class PhaseChange(NamedTuple):
    """A job went from one phase to another, somewhere between two asks."""

    ref: Ref
    before: Phase
    after: Phase
    earliest: float | None
    """Instant of the last report that still said `before`; None: there was none."""
    seen: float
    """Instant at which `after` was seen."""
    message: str


def reduce(state: JobState, event: Event) -> tuple[JobState, PhaseChange | None]:
    """The state after the event, and the phase change in it, if it is one."""
    match event:
        case Listed(job):
            return replace(state, job=job), None
        case Planned(at, reason, fresh_until, expected):
            return replace(state, next_ask_at=at, reason=reason, fresh_until=fresh_until, expected=expected), None
        case Resulted(result, at, skew, renewal):
            after = _resulted(state, result, at, skew)
            return (_renewed(state, after) if renewal else after), None
        case Unasked(fault):
            return replace(state, fault=fault), None
        case Died(url, at):
            return replace(state, links=expiry.died(state.links, url, at)), None
        case Saved():
            return replace(state, saved=(*(each for each in state.saved if each.what != event.what), event)), None
        case Reported(report, at, skew, renewal):
            if renewal and state.phase is Phase.DONE:
                return _asked_anew(state, event), None
            return _reported(state, report, at, skew)
        case Faulted(fault, at, person, second):
            if second:
                return _unanswered(state, fault), None
            return _faulted(state, fault, at, person)


def _reported(state: JobState, report: Report, at: float, skew: float) -> tuple[JobState, PhaseChange | None]:
    """A report ends every row of faults. Its links are merged, so that an unchanged URL keeps its clock."""
    phase = report.phase or (state.phase if state.phase in ENDS - {Phase.MISSING} else Phase.RUNNING)
    if state.report is not None:  # some services say these only once
        title, language = report.title or state.report.title, report.language or state.report.language
        report = replace(report, title=title, language=language)
    again = state.phase in ENDS - {Phase.MISSING} and phase in ACTIVE
    after = replace(
        state,
        report=report,
        checked_at=at,
        born=at if state.born is None or again else state.born,
        fault=None,
        faults=0,
        missed_at=None,
        misses=0,
        asks=state.asks + 1,
        unwhole=0 if report.whole else state.unwhole + 1,
        links=expiry.seen(state.links, report.links, at, skew),
    )
    if report.run is not None and state.report is not None and report.run != state.report.run:
        after = replace(after, result=None, result_at=None)
    return _enter(after, phase, at, state.checked_at, report.message or "")


def _resulted(state: JobState, result: Result, at: float, skew: float) -> JobState:
    return replace(
        state,
        result=result.text,
        result_at=at,
        links=expiry.seen(state.links, result.links, at, skew),
        fault=None,
        faults=0,
        asks=state.asks + 1,
    )


def _asked_anew(state: JobState, event: Reported) -> JobState:
    """A job that is done was asked for a fresh link. Any other word than done is that ask's fault."""
    report = event.report
    if report.phase is not Phase.DONE:
        said = f"asked for a fresh link, the service says {report.word!r} of a job that was done; its old link stays"
        return _unanswered(state, Fault(FaultKind.MALFORMED, said))
    after, _ = _reported(state, report, event.at, event.skew)
    return _renewed(state, after)


def _renewed(before: JobState, after: JobState) -> JobState:
    """Counts an ask that brought no link that lives longer than the one that was there."""
    died, dies = expiry.first_end(before.links), expiry.first_end(after.links)
    fresh = died is None or (after.links and (dies is None or dies > died))
    return replace(after, unrenewed=0 if fresh else before.unrenewed + 1)


def _unanswered(state: JobState, fault: Fault) -> JobState:
    """An ask for what a job that is done has brought met a fault."""
    return replace(state, fault=fault, faults=state.faults + 1, asks=state.asks + 1)


def _faulted(state: JobState, fault: Fault, at: float, person: bool) -> tuple[JobState, PhaseChange | None]:
    """A fault leaves the phase alone, but for 402 (a person must pay) and a 404 that lasts."""
    missing = fault.kind is FaultKind.MISSING
    first = state.missed_at if state.missed_at is not None else at
    after = replace(
        state,
        fault=fault,
        faults=state.faults + 1,
        missed_at=first if missing else None,
        misses=state.misses + 1 if missing else 0,
        asks=state.asks + 1,
    )
    if fault.kind is FaultKind.PAYMENT:
        return _enter(after, Phase.BLOCKED, at, state.checked_at, fault.message)
    if missing and (person or (after.misses >= MISSES and at - first >= MISSES_OVER)):
        return _enter(after, Phase.MISSING, at, state.checked_at, fault.message)
    return after, None


def _enter(
    state: JobState, phase: Phase, at: float, earliest: float | None, message: str
) -> tuple[JobState, PhaseChange | None]:
    if phase is state.phase:
        return state, None
    change = PhaseChange(state.job.ref, state.phase, phase, earliest, at, message)
    return replace(state, phase=phase, since=at), change


def known_at(state: JobState) -> float:
    """Instant of the newest thing that a service said of the job; 0: nothing yet. The later state is the truer one."""
    return max(state.checked_at or 0.0, state.result_at or 0.0, state.since or 0.0)


def flags(state: JobState, now: float, *, stall_after: float, warn_before: float) -> tuple[Flag, ...]:
    """What is to be noticed of the job now; `stall_after` and `warn_before` in seconds."""
    found: list[Flag] = []
    if stalled(state, now, stall_after):
        found.append(Flag.STALLED)
    if stale(state, now):
        found.append(Flag.STALE)
    link = soonest(state)
    if link is not None:
        if expiry.expired(link, now):
            found.append(Flag.EXPIRED)
        elif expiry.expiring(link, now, warn_before):
            found.append(Flag.EXPIRING)
    if unknown(state):
        found.append(Flag.UNKNOWN)
    return tuple(found)


def stale(state: JobState, now: float) -> bool:
    """The last good report is old."""
    return state.fresh_until is not None and now > state.fresh_until


def unknown(state: JobState) -> bool:
    """The provider's word is not known."""
    return state.report is not None and state.report.phase is None and state.fault is None


def stalled(state: JobState, now: float, stall_after: float) -> bool:
    """An active job that has been at it for longer than `stall_after` seconds, and than is usual by far."""
    if state.phase not in ACTIVE or state.born is None or now - state.born <= stall_after:
        return False
    return now - state.born > duration_model.patience(state.expected, stall_after)


def soonest(state: JobState) -> Link | None:
    """The link that counts for the row: the first of the result itself, captions only where there is nothing else."""
    if len(state.links) < 2:
        return state.links[0] if state.links else None
    return min(state.links, key=lambda link: link.kind == "captions")


def downloaded(state: JobState) -> tuple[Saved, ...]:
    """The files of this run of the job that were downloaded."""
    return tuple(each for each in state.saved if each.at >= (state.born or 0.0))


def changed(state: JobState, now: float) -> bool:
    """The phase was entered some seconds ago."""
    return state.since is not None and 0 <= now - state.since < CHANGED_FOR
