"""Views and sort keys of the job table. The cells of a row are `columns`, the filter is `filters`."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from msgspec import Struct

from tui.domain import artifacts, evaluation, job_state
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import ACTIVE, ENDED, PROBLEMS, Phase
from tui.domain.polling import duration_model


class View(StrEnum):
    """View of the job table. Active, Done and Problems add up to All; Expiring is within Done."""

    ALL = "all"
    ACTIVE = "active"
    DONE = "done"
    PROBLEMS = "problems"
    EXPIRING = "expiring"
    ARCHIVE = "archive"
    """Jobs in no other view."""


def display_name(state: JobState) -> str:
    """Return the label of the job, else its title, else its id."""
    return state.job.label or (state.report and state.report.title) or state.job.id


_ARCHIVED_VIEWS = frozenset({View.ARCHIVE})
_ACTIVE_VIEWS = frozenset({View.ALL, View.ACTIVE})
_PROBLEM_VIEWS = frozenset({View.ALL, View.PROBLEMS})
_DONE_VIEWS = frozenset({View.ALL, View.DONE})
_EXPIRING_VIEWS = _DONE_VIEWS | {View.EXPIRING}


def views(state: JobState, context: EvaluationContext) -> frozenset[View]:
    """Return the views that show the job."""
    if evaluation.is_archived(state, context):
        return _ARCHIVED_VIEWS
    if state.phase in ACTIVE:
        return _ACTIVE_VIEWS
    if state.phase in PROBLEMS:
        return _PROBLEM_VIEWS
    link = job_state.primary_link(state) if state.links else None
    expiring = link is not None and expiry.is_expiring(link, context.now, context.warn_before)
    return _EXPIRING_VIEWS if expiring else _DONE_VIEWS


_PHASE_ORDER = {
    phase: place
    for place, phase in enumerate(
        (
            Phase.RUNNING,
            Phase.QUEUED,
            Phase.NEW,
            Phase.FAILED,
            Phase.TIMED_OUT,
            Phase.BLOCKED,
            Phase.MISSING,
            Phase.DONE,
        )
    )
}
_LAST = float("inf")
_LAST_TEXT = "\U0010ffff"


def _progress_key(state: JobState) -> float:
    progress = state.report.progress if state.report else None
    return -(progress if progress is not None else -1.0)


def _end_key(state: JobState) -> float:
    """Return the instant at which half of similar jobs have ended, so that no clock is needed."""
    if state.duration_fit is None or state.first_polled_at is None or state.phase not in ACTIVE:
        return _LAST
    return state.first_polled_at + duration_model.typical_range(state.duration_fit).median


def _expiry_key(state: JobState) -> float:
    link = job_state.primary_link(state)
    return link.expires_at if link is not None and link.expires_at is not None else _LAST


def _attention_key(state: JobState, context: EvaluationContext) -> int:
    """Return how urgently the job needs the operator: blocked, failed, missing or partial, expiring; active; done."""
    if state.phase in ACTIVE:
        return 4
    rank = _ATTENTION.get(state.phase)
    if rank is not None:
        return rank
    counts = state.report.part_counts if state.report is not None else None
    if counts is not None and counts.failed:
        return 2
    link = job_state.primary_link(state) if state.links else None
    is_expiring = link is not None and expiry.is_expiring(link, context.now, context.warn_before)
    return 3 if is_expiring and artifacts.undownloaded(state) else 5


_ATTENTION = {Phase.BLOCKED: 0, Phase.FAILED: 1, Phase.TIMED_OUT: 1, Phase.MISSING: 2}


def total_time(state: JobState, now: float) -> float | None:
    """Return the seconds from the first poll to the end of the job, or to now; None: never polled."""
    if state.first_polled_at is None:
        return None
    end = state.phase_since if state.phase in ENDED and state.phase_since is not None else now
    return max(0.0, end - state.first_polled_at)


def message(state: JobState) -> str:
    """Return why the last poll failed, else what the service states; "": nothing."""
    if state.fault is not None:
        return state.fault.message
    return (state.report and state.report.message) or ""


class Sort(Struct, frozen=True):
    """Sort of the table."""

    description: str
    """What comes first."""
    key: Callable[[JobState, EvaluationContext], Any] | None = None
    """None: the watchlist's order."""
    is_stable: bool = False
    """Ties are in the watchlist's order; else by ref."""


ATTENTION, WATCHLIST = "attention", "watchlist"
SORTS: Mapping[str, Sort] = {
    ATTENTION: Sort("blocked, failed, expiring; active; done", _attention_key, is_stable=True),
    WATCHLIST: Sort("order of the watchlist"),
    "status": Sort("running first, then problems, then done", lambda state, _: _PHASE_ORDER[state.phase]),
    "account": Sort("account", lambda state, _: state.job.account),
    "provider": Sort("service", lambda state, context: context.provider_of(state.job.account)),
    "owner": Sort("owner", lambda state, _: state.job.owners or (_LAST_TEXT,)),
    "name": Sort("name", lambda state, _: display_name(state).casefold()),
    "id": Sort("id", lambda state, _: state.job.id),
    "lang": Sort("language", lambda state, _: (state.report and state.report.language) or _LAST_TEXT),
    "progress": Sort("most progress first", lambda state, _: _progress_key(state)),
    "time": Sort("shortest time in the phase first", lambda state, _: -(state.phase_since or 0.0)),
    "total": Sort("latest first poll first", lambda state, _: -(state.first_polled_at or 0.0)),
    "eta": Sort("earliest expected end first", lambda state, _: _end_key(state)),
    "next": Sort(
        "earliest poll first", lambda state, _: state.next_poll_at if state.next_poll_at is not None else _LAST
    ),
    "link": Sort("earliest expiry first", lambda state, _: _expiry_key(state)),
    "tags": Sort("first tag", lambda state, _: state.job.tags or (_LAST_TEXT,)),
    "note": Sort("note", lambda state, _: state.job.note.casefold() or _LAST_TEXT),
    "message": Sort("message", lambda state, _: message(state).casefold() or _LAST_TEXT),
    "kind": Sort("kind", lambda state, _: state.job.kind or _LAST_TEXT),
    "polls": Sort("most polls first", lambda state, _: -state.poll_count),
    "changed": Sort("latest change first", lambda state, _: -(state.phase_since or 0.0)),
    "age": Sort("latest addition first", lambda state, _: -(state.job.added or 0.0)),
}
"""Sorts by name: of a column, by its id."""
SORT_ALIASES: Mapping[str, str] = {"expires": "link", "language": "lang", "added": "age"}
"""Other names of sorts, in config.toml."""
