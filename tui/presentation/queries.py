"""Views and sort keys of the job table. The cells of a row are `columns`, the filter is `filters`."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from tui.domain import evaluation, job_state
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import ACTIVE, PROBLEMS, Phase
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


SORT_KEYS: Mapping[str, Callable[[JobState], Any]] = {
    "status": lambda state: _PHASE_ORDER[state.phase],
    "account": lambda state: state.job.account,
    "name": lambda state: display_name(state).casefold(),
    "lang": lambda state: (state.report and state.report.language) or "\U0010ffff",
    "progress": _progress_key,
    "time": lambda state: -(state.phase_since or 0.0),
    "eta": _end_key,
    "next": lambda state: state.next_poll_at if state.next_poll_at is not None else _LAST,
    "link": _expiry_key,
}
"""Sort keys by column. The sort "" (or any other name) is the watchlist's order."""
