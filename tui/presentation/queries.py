"""Views, filters and sort keys of the job table. The cells of a row are `columns`."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from tui.domain import evaluation, job_state
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import ACTIVE, PROBLEMS, Phase
from tui.domain.polling import duration_model
from tui.presentation import languages


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


class Term(NamedTuple):
    """Term of a filter: `phase:fail`, `-tag:test`, `text`."""

    field: str
    """One of FILTER_FIELDS; "": free text."""
    text: str
    """In lower case."""
    is_positive: bool


def _field_values(state: JobState, field: str, context: EvaluationContext) -> Iterable[str]:
    """Return the job's values of a filter field; free text searches name, id and note."""
    job, report = state.job, state.report
    match field:
        case "account":
            return (job.account,)
        case "provider":
            return (context.providers.get(job.account, job.account),)
        case "phase":
            return (state.phase, state.phase.replace("_", " "))
        case "tag":
            return job.tags
        case "lang":
            language = (report and report.language) or ""
            return (language, languages.language_code(language))
        case "kind":
            return (job.kind,)
        case "flag":
            return evaluation.flags(state, context)
        case _:
            return (display_name(state), job.id, job.note)


FILTER_FIELDS = ("account", "provider", "phase", "tag", "lang", "kind", "flag")
"""Fields before a ':' in a filter. Other text with a ':' is free text, since ids may contain one."""


class Filter(NamedTuple):
    """Filter of jobs that match every term. A field matches by its beginning, free text anywhere."""

    terms: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Filter":
        """Return the filter in a text, also in an incomplete one."""
        import shlex  # at the first filter, not at the start

        try:
            words = shlex.split(text)
        except ValueError:  # a quotation mark is not closed
            words = text.replace('"', " ").replace("'", " ").split()
        terms: list[Term] = []
        for word in words:
            is_positive = not (word.startswith("-") and len(word) > 1)
            bare = word if is_positive else word[1:]
            field, colon, value = bare.partition(":")
            if colon and field.lower() in FILTER_FIELDS:
                if value:
                    terms.append(Term(field.lower(), value.lower(), is_positive))
            else:
                terms.append(Term("", bare.lower(), is_positive))
        return cls(tuple(terms))

    def matches(self, state: JobState, context: EvaluationContext) -> bool:
        """Return whether the job matches every term."""
        return not self.terms or all(_term_matches(term, state, context) is term.is_positive for term in self.terms)


def _term_matches(term: Term, state: JobState, context: EvaluationContext) -> bool:
    values = (value.lower() for value in _field_values(state, term.field, context))
    if term.field:
        return any(value.startswith(term.text) for value in values)
    return any(term.text in value for value in values)


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
