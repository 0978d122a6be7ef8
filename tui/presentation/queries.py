"""Which jobs a table shows, and in which order: views, filters, sorts. Pure; what a row says is `cells`."""

import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct

from tui.domain import job_state
from tui.domain.job_state import Flag, JobState
from tui.domain.links import expiry
from tui.domain.models import ACTIVE, ENDED, PROBLEMS, Phase
from tui.domain.polling import duration_model
from tui.domain.polling.duration_model import DurationRange
from tui.presentation import formatting


class View(StrEnum):
    """The ways into the board. Active, Done and Problems sum to All; Expiring lies within Done."""

    ALL = "all"
    ACTIVE = "active"
    DONE = "done"
    PROBLEMS = "problems"
    EXPIRING = "expiring"
    ARCHIVE = "archive"
    """In none of the others."""


class EvaluationContext(Struct, frozen=True, kw_only=True):
    """What judging a job takes beside its state. Durations are seconds."""

    now: float
    stall_after: float = 3600.0
    warn_before: float = 86400.0
    archive_after: float = 14 * 86400.0
    providers: Mapping[str, str] = {}
    """Account to provider, where they differ in name."""


def display_name(state: JobState) -> str:
    """What a job is called: its label, else its title, else its id."""
    return state.job.label or (state.report and state.report.title) or state.job.id


def flags(state: JobState, context: EvaluationContext) -> tuple[Flag, ...]:
    """What is to be noticed of the job."""
    return job_state.flags(state, context.now, stall_after=context.stall_after, warn_before=context.warn_before)


def is_archived(state: JobState, context: EvaluationContext) -> bool:
    """Put away by hand, or ended long ago without a link that lives."""
    if state.job.archived:
        return True
    if state.phase not in ENDED or state.phase_since is None or context.now - state.phase_since < context.archive_after:
        return False
    return all(expiry.is_expired(link, context.now) for link in state.links)


_ARCHIVED_VIEWS = frozenset({View.ARCHIVE})
_ACTIVE_VIEWS = frozenset({View.ALL, View.ACTIVE})
_PROBLEM_VIEWS = frozenset({View.ALL, View.PROBLEMS})
_DONE_VIEWS = frozenset({View.ALL, View.DONE})
_EXPIRING_VIEWS = _DONE_VIEWS | {View.EXPIRING}


def remaining(state: JobState, context: EvaluationContext) -> DurationRange | None:
    """Seconds that the job will likely take yet; None: it has ended, or nobody knows."""
    if state.duration_fit is None or state.first_polled_at is None or state.phase not in ACTIVE:
        return None
    return duration_model.remaining(state.duration_fit, context.now - state.first_polled_at)


def estimated_progress(state: JobState, context: EvaluationContext) -> float | None:
    """The elapsed share of what the job will likely take in all; None: it has ended, or nobody knows."""
    if state.duration_fit is None or state.first_polled_at is None or state.phase not in ACTIVE:
        return None
    return duration_model.progress(state.duration_fit, context.now - state.first_polled_at)


def views(state: JobState, context: EvaluationContext) -> frozenset[View]:
    """The views that show the job."""
    if is_archived(state, context):
        return _ARCHIVED_VIEWS
    if state.phase in ACTIVE:
        return _ACTIVE_VIEWS
    if state.phase in PROBLEMS:
        return _PROBLEM_VIEWS
    link = job_state.primary_link(state) if state.links else None
    expiring = link is not None and expiry.is_expiring(link, context.now, context.warn_before)
    return _EXPIRING_VIEWS if expiring else _DONE_VIEWS


def next_change_at(state: JobState, context: EvaluationContext) -> float:
    """The instant at which time alone changes the job's views or flags next; infinity: never."""
    now, soonest = context.now, math.inf
    for link in state.links:
        dies = link.expires_at
        if dies is not None and now < dies:
            soonest = min(soonest, dies - context.warn_before if dies - context.warn_before > now else dies)
    if state.phase in ENDED:
        turns = (state.phase_since or 0.0) + context.archive_after
    else:
        patience = duration_model.stall_threshold(state.duration_fit, context.stall_after)
        turns = math.nextafter((state.first_polled_at or 0.0) + patience, math.inf)
    if now < turns < soonest:
        soonest = turns
    if state.stale_after is not None and now <= state.stale_after < soonest:
        soonest = math.nextafter(state.stale_after, math.inf)
    return soonest


class Term(NamedTuple):
    """One word of a filter: `phase:fail`, `-tag:test`, `text`."""

    field: str
    """One of FIELDS; "" is free text."""
    text: str
    """In lower case."""
    is_positive: bool


def _field_values(state: JobState, field: str, context: EvaluationContext) -> Iterable[str]:
    """The job's values of a field, as typed by an operator; free text looks at name, id and note."""
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
            said = (report and report.language) or ""
            return (said, formatting.language_code(said))
        case "kind":
            return (job.kind,)
        case "flag":
            return flags(state, context)
        case _:
            return (display_name(state), job.id, job.note)


FILTER_FIELDS = ("account", "provider", "phase", "tag", "lang", "kind", "flag")
"""What stands before a ':' in a filter. Anything else with a ':' is free text, since ids may hold one."""


class Filter(NamedTuple):
    """What an operator typed after `/`: every term must hold. A field matches by its beginning, text anywhere."""

    terms: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "Filter":
        """The filter in a text, even one that is still being typed."""
        import shlex  # at the first filter, not at the start

        try:
            words = shlex.split(text)
        except ValueError:  # a quotation mark that is not closed yet
            words = text.replace('"', " ").replace("'", " ").split()
        terms: list[Term] = []
        for word in words:
            wanted = not (word.startswith("-") and len(word) > 1)
            bare = word if wanted else word[1:]
            field, colon, value = bare.partition(":")
            if colon and field.lower() in FILTER_FIELDS:
                if value:
                    terms.append(Term(field.lower(), value.lower(), wanted))
            else:
                terms.append(Term("", bare.lower(), wanted))
        return cls(tuple(terms))

    def matches(self, state: JobState, context: EvaluationContext) -> bool:
        """Whether every term holds for the job."""
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
    """When half of such jobs have ended: it needs no clock, and orders alike what began alike."""
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
"""Sorts by column. The watchlist's own order is the sort "" (or any other name)."""
