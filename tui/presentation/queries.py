"""Which jobs a table shows, and in which order: views, filters, sorts. Pure; what a row says is `cells`."""

import math
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from msgspec import Struct

from tui.domain import job_state
from tui.domain.job_state import Flag, JobState
from tui.domain.links import expiry
from tui.domain.models import ACTIVE, ENDS, PROBLEMS, Phase
from tui.domain.polling import duration_model
from tui.domain.polling.duration_model import Range
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


class Outlook(Struct, frozen=True, kw_only=True):
    """What judging a job takes beside its state. Durations are seconds."""

    now: float
    stall_after: float = 3600.0
    warn_before: float = 86400.0
    archive_after: float = 14 * 86400.0
    providers: Mapping[str, str] = {}
    """Account to provider, where they differ in name."""


def name(state: JobState) -> str:
    """What a job is called: its label, else its title, else its id."""
    return state.job.label or (state.report and state.report.title) or state.job.id


def flags(state: JobState, outlook: Outlook) -> tuple[Flag, ...]:
    """What is to be noticed of the job."""
    return job_state.flags(state, outlook.now, stall_after=outlook.stall_after, warn_before=outlook.warn_before)


def archived(state: JobState, outlook: Outlook) -> bool:
    """Put away by hand, or ended long ago without a link that lives."""
    if state.job.archived:
        return True
    if state.phase not in ENDS or state.since is None or outlook.now - state.since < outlook.archive_after:
        return False
    return all(expiry.expired(link, outlook.now) for link in state.links)


_ARCHIVED = frozenset({View.ARCHIVE})
_ACTIVE = frozenset({View.ALL, View.ACTIVE})
_PROBLEMS = frozenset({View.ALL, View.PROBLEMS})
_DONE = frozenset({View.ALL, View.DONE})
_EXPIRING = _DONE | {View.EXPIRING}


def left(state: JobState, outlook: Outlook) -> Range | None:
    """Seconds that the job will likely take yet; None: it has ended, or nobody knows."""
    if state.expected is None or state.born is None or state.phase not in ACTIVE:
        return None
    return duration_model.left(state.expected, outlook.now - state.born)


def estimated(state: JobState, outlook: Outlook) -> float | None:
    """The elapsed share of what the job will likely take in all; None: it has ended, or nobody knows."""
    if state.expected is None or state.born is None or state.phase not in ACTIVE:
        return None
    return duration_model.progress(state.expected, outlook.now - state.born)


def views(state: JobState, outlook: Outlook) -> frozenset[View]:
    """The views that show the job."""
    if archived(state, outlook):
        return _ARCHIVED
    if state.phase in ACTIVE:
        return _ACTIVE
    if state.phase in PROBLEMS:
        return _PROBLEMS
    link = job_state.soonest(state) if state.links else None
    expiring = link is not None and expiry.expiring(link, outlook.now, outlook.warn_before)
    return _EXPIRING if expiring else _DONE


def turn(state: JobState, outlook: Outlook) -> float:
    """The instant at which time alone changes the job's views or flags next; infinity: never."""
    now, soonest = outlook.now, math.inf
    for link in state.links:
        dies = link.expires_at
        if dies is not None and now < dies:
            soonest = min(soonest, dies - outlook.warn_before if dies - outlook.warn_before > now else dies)
    if state.phase in ENDS:
        turns = (state.since or 0.0) + outlook.archive_after
    else:
        patience = duration_model.patience(state.expected, outlook.stall_after)
        turns = math.nextafter((state.born or 0.0) + patience, math.inf)
    if now < turns < soonest:
        soonest = turns
    if state.fresh_until is not None and now <= state.fresh_until < soonest:
        soonest = math.nextafter(state.fresh_until, math.inf)
    return soonest


class Term(NamedTuple):
    """One word of a filter: `phase:fail`, `-tag:test`, `text`."""

    field: str
    """One of FIELDS; "" is free text."""
    text: str
    """In lower case."""
    wanted: bool


def _values(state: JobState, field: str, outlook: Outlook) -> Iterable[str]:
    """The job's values of a field, as typed by an operator; free text looks at name, id and note."""
    job, report = state.job, state.report
    match field:
        case "account":
            return (job.account,)
        case "provider":
            return (outlook.providers.get(job.account, job.account),)
        case "phase":
            return (state.phase, state.phase.replace("_", " "))
        case "tag":
            return job.tags
        case "lang":
            said = (report and report.language) or ""
            return (said, formatting.language(said))
        case "kind":
            return (job.kind,)
        case "flag":
            return flags(state, outlook)
        case _:
            return (name(state), job.id, job.note)


FIELDS = ("account", "provider", "phase", "tag", "lang", "kind", "flag")
"""What stands before a ':' in a filter. Anything else with a ':' is free text, since ids may hold one."""


class Filter(NamedTuple):
    """What an operator typed after `/`: every term must hold. A field matches by its beginning, text anywhere."""

    terms: tuple[Term, ...] = ()

    @classmethod
    def parse(cls, typed: str) -> "Filter":
        """The filter in a text, even one that is still being typed."""
        import shlex  # at the first filter, not at the start

        try:
            words = shlex.split(typed)
        except ValueError:  # a quotation mark that is not closed yet
            words = typed.replace('"', " ").replace("'", " ").split()
        terms: list[Term] = []
        for word in words:
            wanted = not (word.startswith("-") and len(word) > 1)
            bare = word if wanted else word[1:]
            field, colon, value = bare.partition(":")
            if colon and field.lower() in FIELDS:
                if value:
                    terms.append(Term(field.lower(), value.lower(), wanted))
            else:
                terms.append(Term("", bare.lower(), wanted))
        return cls(tuple(terms))

    def matches(self, state: JobState, outlook: Outlook) -> bool:
        """Whether every term holds for the job."""
        return not self.terms or all(_holds(term, state, outlook) is term.wanted for term in self.terms)


def _holds(term: Term, state: JobState, outlook: Outlook) -> bool:
    values = (value.lower() for value in _values(state, term.field, outlook))
    if term.field:
        return any(value.startswith(term.text) for value in values)
    return any(term.text in value for value in values)


_PHASES = {
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
_LATE = float("inf")


def _progress(state: JobState) -> float:
    progress = state.report.progress if state.report else None
    return -(progress if progress is not None else -1.0)


def _end(state: JobState) -> float:
    """When half of such jobs have ended: it needs no clock, and orders alike what began alike."""
    if state.expected is None or state.born is None or state.phase not in ACTIVE:
        return _LATE
    return state.born + duration_model.usual(state.expected).middle


def _expiry(state: JobState) -> float:
    link = job_state.soonest(state)
    return link.expires_at if link is not None and link.expires_at is not None else _LATE


SORTS: Mapping[str, Callable[[JobState], Any]] = {
    "status": lambda state: _PHASES[state.phase],
    "provider": lambda state: state.job.account,
    "name": lambda state: name(state).casefold(),
    "lang": lambda state: (state.report and state.report.language) or "\U0010ffff",
    "progress": _progress,
    "age": lambda state: -(state.since or 0.0),
    "eta": _end,
    "next": lambda state: state.next_ask_at if state.next_ask_at is not None else _LATE,
    "link": _expiry,
}
"""Sorts by column. The watchlist's own order is the sort "" (or any other name)."""
