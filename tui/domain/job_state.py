"""State of one job and its reducer: state + event → state + phase change. Collections of states are the callers'.

Every change of a job's state is an event of `reduce`.
"""

from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import force_setattr, replace

from tui.domain import clock_repair, parts
from tui.domain.links import expiry
from tui.domain.models import (
    ACTIVE,
    ENDED,
    DownloadedFile,
    Fault,
    FaultKind,
    Job,
    Link,
    PartChange,
    Phase,
    PollReason,
    Ref,
    Report,
    Result,
)
from tui.domain.polling import duration_model
from tui.domain.polling.duration_model import LogNormalFit

MISSING_AFTER_404S = 3
"""A job is missing after this many consecutive 404s …"""
MISSING_AFTER_SECONDS = 60.0
"""… over at least this many seconds: a service may not know a new job everywhere at once."""
RECENT_CHANGE_SECONDS = 8.0
"""Seconds for which a phase change counts as recent."""


class JobState(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """State of one job. The last raw body is in the journal only."""

    job: Job
    phase: Phase = Phase.NEW
    phase_since: float | None = None
    """Instant of the first report of this phase; None: the job is new."""
    first_polled_at: float | None = None
    """Instant of the first report; of a job that ended and runs again, of the report that stated it."""
    report: Report | None = None
    """Last report, however old."""
    checked_at: float | None = None
    """Instant of that report."""
    fault: Fault | None = None
    """Why the last poll gave no report; None: it gave one."""
    consecutive_faults: int = 0
    first_404_at: float | None = None
    """Instant of the first of the consecutive 404s."""
    consecutive_404s: int = 0
    links: tuple[Link, ...] = ()
    result: str | None = None
    """Result text; None: the provider gives none, or none yet."""
    result_fetched_at: float | None = None
    """Instant of the response to the result request; None: none yet."""
    part_changes: tuple[PartChange, ...] = ()
    """Phase changes of the job's parts in its current run, oldest first."""
    downloads: tuple[DownloadedFile, ...] = ()
    """Downloaded files, also of an earlier run of the job (see `current_downloads`)."""
    poll_count: int = 0
    incomplete_polls: int = 0
    """Consecutive polls that reported done without the promised link."""
    failed_renewals: int = 0
    """Consecutive renewals that returned no link with a later expiry."""
    next_poll_at: float | None = None
    """Instant; None: no poll is scheduled."""
    next_poll_reason: PollReason | None = None
    """None: no poll is due."""
    stale_after: float | None = None
    """Instant after which the last report is stale; None: never, since the job has ended."""
    duration_fit: LogNormalFit | None = None
    """Durations of similar jobs, counted from `first_polled_at`; None: the job has ended, or too few are known."""


class Flag(StrEnum):
    """Warning about a job, beside its phase."""

    STALLED = "stalled"
    STALE = "stale"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    PARTIAL = "partial"
    """Done, but some parts of the job failed."""


class JobListed(Struct, frozen=True):
    """The watchlist lists this job, new or edited."""

    job: Job


class StatusReceived(Struct, frozen=True):
    """A poll gave a report."""

    report: Report
    at: float
    clock_skew: float = 0.0
    """Seconds by which the service's clock is ahead of this computer's."""
    is_renewal: bool = False
    """Renewal of a completed job's link: the job stays done, whatever the service reports."""


class ResultReceived(Struct, frozen=True):
    """The result request of a completed job was answered."""

    result: Result
    at: float
    clock_skew: float = 0.0
    """Seconds by which the service's clock is ahead of this computer's."""
    is_renewal: bool = False
    """The request renews a link."""


class PollFailed(Struct, frozen=True):
    """A poll gave no report."""

    fault: Fault
    at: float
    one_shot: bool = False
    """The poll is not repeated (`babeltop check`): one 404 is enough for missing."""
    is_follow_up: bool = False
    """The request was for the result or a new link of a completed job, which stays done."""


class LinkFoundDead(Struct, frozen=True):
    """A download from the link was rejected: it has expired."""

    url: str
    at: float


class LinkUsed(Struct, frozen=True):
    """The service has begun to send the file of a link that it sends once."""

    url: str


class PollSkipped(Struct, frozen=True):
    """No request was sent: no key, an unconfigured account, or a wait that is too long."""

    fault: Fault


class PollScheduled(Struct, frozen=True):
    """Schedule of the next poll."""

    next_poll_at: float | None
    reason: PollReason | None
    stale_after: float | None
    duration_fit: LogNormalFit | None = None


class FaultCleared(Struct, frozen=True):
    """The reason of the last fault no longer holds: the next fault starts a new series."""


class MarkedStale(Struct, frozen=True):
    """No console polls any more: the last report of an active job counts as stale from an instant on."""

    at: float


class ClockShifted(Struct, frozen=True):
    """The clock was set forward (negative: back): what is waited for stays as far away as it was.

    A report never gets younger by it: a short sleep of the computer looks the same.
    """

    seconds: float


class HistoryBounded(Struct, frozen=True):
    """A clock that was ahead wrote the state: nothing of it happened later than `now`."""

    now: float


class DownloadsRead(Struct, frozen=True):
    """The journal holds these downloads of the job, also those of other processes."""

    downloads: tuple[DownloadedFile, ...]


class ExternalStateRead(Struct, frozen=True):
    """Another process journalled a newer state of the job. The watchlist's job stays ours."""

    state: JobState
    at: float
    """Instant of the phase change, where the state has none."""


Event = (
    JobListed
    | StatusReceived
    | ResultReceived
    | PollFailed
    | LinkFoundDead
    | LinkUsed
    | PollSkipped
    | PollScheduled
    | DownloadedFile
    | FaultCleared
    | MarkedStale
    | ClockShifted
    | HistoryBounded
    | DownloadsRead
    | ExternalStateRead
)


class PhaseChange(NamedTuple):
    """Change of a job's phase, somewhere between two polls."""

    ref: Ref
    before: Phase
    after: Phase
    earliest: float | None
    """Instant of the last report with the phase `before`; None: there was none."""
    seen: float
    """Instant of the first report with the phase `after`."""
    message: str


def reduce(state: JobState, event: Event) -> tuple[JobState, PhaseChange | None]:
    """Return the state after the event, and the phase change if the event caused one."""
    match event:
        case StatusReceived(report, at, clock_skew, is_renewal):
            if is_renewal and state.phase is Phase.DONE:
                return _apply_renewal(state, event), None
            return _apply_report(state, report, at, clock_skew)
        case PollFailed(fault, at, one_shot, is_follow_up):
            if is_follow_up:
                return _apply_follow_up_fault(state, fault), None
            return _apply_fault(state, fault, at, one_shot)
        case ExternalStateRead(external, at):
            return _apply_external_state(state, external, at)
        case _:
            return _apply_within_phase(state, event), None


def _apply_within_phase(
    state: JobState,
    event: JobListed
    | ResultReceived
    | LinkFoundDead
    | LinkUsed
    | PollSkipped
    | PollScheduled
    | DownloadedFile
    | FaultCleared
    | MarkedStale
    | ClockShifted
    | HistoryBounded
    | DownloadsRead,
) -> JobState:
    """Return the state after an event that never changes the phase."""
    match event:
        case JobListed(job):
            # another kind is another path of the service: its faults say nothing of this one
            return replace(state if job.kind == state.job.kind else _without_fault(state), job=job)
        case PollScheduled(next_poll_at, reason, stale_after, duration_fit):
            return replace(
                state,
                next_poll_at=next_poll_at,
                next_poll_reason=reason,
                stale_after=stale_after,
                duration_fit=duration_fit,
            )
        case ResultReceived(result, at, clock_skew, is_renewal):
            after = _apply_result(state, result, at, clock_skew)
            return _count_failed_renewal(state, after) if is_renewal else after
        case PollSkipped(fault):
            return replace(state, fault=fault)
        case FaultCleared():
            return _without_fault(state)
        case LinkFoundDead(url, at):
            return replace(state, links=expiry.mark_dead(state.links, url, at))
        case LinkUsed(url):
            return replace(state, links=expiry.mark_used(state.links, url))
        case DownloadedFile():
            return replace(state, downloads=(*(each for each in state.downloads if each.name != event.name), event))
        case DownloadsRead(downloads):
            return replace(state, downloads=downloads)
        case MarkedStale(at):
            is_fresh = state.stale_after is None or state.stale_after > at
            has_report = state.phase in ACTIVE and state.checked_at is not None
            return replace(state, stale_after=at) if has_report and is_fresh else state
        case HistoryBounded(now):
            return clock_repair.bounded_history(state, now)
        case ClockShifted(seconds):
            return _apply_clock_shift(state, seconds)


def _apply_clock_shift(state: JobState, seconds: float) -> JobState:
    fault = state.fault
    if fault is not None and fault.retry_at is not None:
        fault = replace(fault, retry_at=fault.retry_at + seconds)
    return replace(
        state,
        next_poll_at=None if state.next_poll_at is None else state.next_poll_at + seconds,
        stale_after=None if state.stale_after is None else state.stale_after + min(0.0, seconds),
        fault=fault,
    )


def _without_fault(state: JobState) -> JobState:
    return replace(state, fault=None, consecutive_faults=0, first_404_at=None, consecutive_404s=0)


def _apply_external_state(state: JobState, external: JobState, at: float) -> tuple[JobState, PhaseChange | None]:
    after = replace(external, job=state.job)
    if after.phase is state.phase:
        return after, None
    message = (after.report and after.report.message) or ""
    seen = after.phase_since or at
    return after, PhaseChange(state.job.ref, state.phase, after.phase, state.checked_at, seen, message)


def _apply_report(state: JobState, report: Report, at: float, clock_skew: float) -> tuple[JobState, PhaseChange | None]:
    """Apply a report: it ends the series of faults, and merged links keep the first_seen of unchanged URLs."""
    phase = report.phase or (state.phase if state.phase in ENDED - {Phase.MISSING} else Phase.RUNNING)
    if state.report is not None:  # some services say these only once
        title, language = report.title or state.report.title, report.language or state.report.language
        report = replace(report, title=title, language=language)
    again = state.phase in ENDED - {Phase.MISSING} and phase in ACTIVE
    after = replace(
        state,
        report=report,
        checked_at=at,
        first_polled_at=at if state.first_polled_at is None or again else state.first_polled_at,
        fault=None,
        consecutive_faults=0,
        first_404_at=None,
        consecutive_404s=0,
        poll_count=state.poll_count + 1,
        incomplete_polls=0 if report.is_complete else state.incomplete_polls + 1,
        links=expiry.merge_links(state.links, report.links, at, clock_skew),
        part_changes=parts.changes_with(() if again else state.part_changes, report.parts, at),
    )
    if report.result_id is not None and state.report is not None and report.result_id != state.report.result_id:
        after = replace(after, result=None, result_fetched_at=None)
    return _change_phase(after, phase, at, state.checked_at, report.message or "")


def _apply_result(state: JobState, result: Result, at: float, clock_skew: float) -> JobState:
    return replace(
        state,
        result=result.text,
        result_fetched_at=at,
        links=expiry.merge_links(state.links, result.links, at, clock_skew),
        fault=None,
        consecutive_faults=0,
        poll_count=state.poll_count + 1,
    )


def _apply_renewal(state: JobState, event: StatusReceived) -> JobState:
    """Apply the report of a link renewal. A phase other than done is a fault of the renewal."""
    report = event.report
    if report.phase is not Phase.DONE:
        message = f"renewal: the service reports {report.raw_status!r} for a completed job; the old link is kept"
        return _apply_follow_up_fault(state, Fault(FaultKind.MALFORMED, message))
    after, _ = _apply_report(state, report, event.at, event.clock_skew)
    return _count_failed_renewal(state, after)


def _count_failed_renewal(before: JobState, after: JobState) -> JobState:
    """Count a renewal that returned no link with a later expiry."""
    old, new = expiry.earliest_expiry(before.links), expiry.earliest_expiry(after.links)
    is_renewed = old is None or (after.links and (new is None or new > old))
    return replace(after, failed_renewals=0 if is_renewed else before.failed_renewals + 1)


def _apply_follow_up_fault(state: JobState, fault: Fault) -> JobState:
    """Apply the fault of a request for a completed job's result or link."""
    return replace(state, fault=fault, consecutive_faults=state.consecutive_faults + 1, poll_count=state.poll_count + 1)


def _apply_fault(state: JobState, fault: Fault, at: float, one_shot: bool) -> tuple[JobState, PhaseChange | None]:
    """Apply a fault: only 402 (the operator must pay) and lasting 404s change the phase."""
    missing = fault.kind is FaultKind.MISSING
    first = state.first_404_at if state.first_404_at is not None else at
    after = replace(
        state,
        fault=fault,
        consecutive_faults=state.consecutive_faults + 1,
        first_404_at=first if missing else None,
        consecutive_404s=state.consecutive_404s + 1 if missing else 0,
        poll_count=state.poll_count + 1,
    )
    if fault.kind is FaultKind.PAYMENT:
        return _change_phase(after, Phase.BLOCKED, at, state.checked_at, fault.message)
    if missing and (one_shot or (after.consecutive_404s >= MISSING_AFTER_404S and at - first >= MISSING_AFTER_SECONDS)):
        return _change_phase(after, Phase.MISSING, at, state.checked_at, fault.message)
    return after, None


def _change_phase(
    state: JobState, phase: Phase, at: float, earliest: float | None, message: str
) -> tuple[JobState, PhaseChange | None]:
    if phase is state.phase:
        return state, None
    change = PhaseChange(state.job.ref, state.phase, phase, earliest, at, message)
    return replace(state, phase=phase, phase_since=at), change


def last_update_at(state: JobState) -> float:
    """Return the instant of the service's last statement about the job; 0: none. The later of two states is newer."""
    return max(state.checked_at or 0.0, state.result_fetched_at or 0.0, state.phase_since or 0.0)


def is_stale(state: JobState, now: float) -> bool:
    """Return whether the last report is stale."""
    return state.stale_after is not None and now > state.stale_after


def has_unknown_status(state: JobState) -> bool:
    """Return whether the provider's status is unknown."""
    return state.report is not None and state.report.phase is None and state.fault is None


def is_stalled(state: JobState, now: float, stall_after: float) -> bool:
    """Return whether an active job runs for longer than `stall_after` seconds, and far longer than usual."""
    if state.phase not in ACTIVE or state.first_polled_at is None or now - state.first_polled_at <= stall_after:
        return False
    return now - state.first_polled_at > duration_model.stall_threshold(state.duration_fit, stall_after)


def with_known_links(state: JobState) -> JobState:
    """Return a stored state without links that no response parser let pass."""
    links = tuple(link for link in state.links if link.is_web or link.is_hidden)
    return state if len(links) == len(state.links) else replace(state, links=links)


def share_values(state: JobState, shared: dict[Any, Any]) -> None:
    """Replace what a decoded state has like others by the object in `shared`: a quarter of the memory of many."""
    job, report = state.job, state.report
    for name in ("account", "kind", "tags"):
        value = getattr(job, name)
        force_setattr(job, name, shared.setdefault(value, value))
    if report is not None:
        for name in ("raw_status", "language", "message"):
            value = getattr(report, name)
            force_setattr(report, name, shared.setdefault(value, value))


def primary_link(state: JobState) -> Link | None:
    """Return the link shown for the job; None: there is none."""
    return primary_of(state.links)


def primary_of(links: tuple[Link, ...]) -> Link | None:
    """Return the first link that is not captions, else the first; None: there is none."""
    if len(links) < 2:
        return links[0] if links else None
    return min(links, key=lambda link: link.kind == "captions")


def current_downloads(state: JobState) -> tuple[DownloadedFile, ...]:
    """Return the downloaded files of the job's current run."""
    return tuple(each for each in state.downloads if each.downloaded_at >= (state.first_polled_at or 0.0))


def recently_changed(state: JobState, now: float) -> bool:
    """Return whether the phase changed in the last RECENT_CHANGE_SECONDS."""
    return state.phase_since is not None and 0 <= now - state.phase_since < RECENT_CHANGE_SECONDS
