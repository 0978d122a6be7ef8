"""Fields of the filter language: the text or number that each reads of a job, and the search text of free words."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from msgspec import Struct

from tui.domain import evaluation, job_state
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import Flag, JobState
from tui.domain.links import expiry
from tui.domain.models import ACTIVE, Phase
from tui.presentation import formatting, languages, queries

END = "\n"
"""Character after each text in the search text. Neither it nor a mark occurs in a text or can be typed."""
_ACCOUNT, _PROVIDER, _PHASE, _STATUS, _LANGUAGE, _TAG = "\1\2\3\4\5\6"


class Unit(StrEnum):
    """What the number of a field counts."""

    ELAPSED = "elapsed"
    """Seconds that grow with time."""
    REMAINING = "remaining"
    """Seconds that fall with time."""
    ESTIMATE = "estimate"
    """Seconds of an estimate, which changes with time by no simple rule."""
    PERCENT = "percent"
    """0 to 100, which may be an estimate."""
    COUNT = "count"


class TextField(Struct, frozen=True):
    """Field that is compared by its text."""

    meaning: str
    texts: Callable[[JobState, EvaluationContext], Iterable[str]]
    is_contained: bool = False
    """A value matches anywhere in the text; else at its beginning."""
    choices: tuple[str, ...] = ()
    """All values; empty: any text."""
    column: str = ""
    """Column that shows the text; "": none."""
    mark: str = ""
    """Character before each text of the field in the search text; "": they are not marked there."""


class NumberField(Struct, frozen=True):
    """Field that is compared by its number; a job without one matches no comparison."""

    meaning: str
    unit: Unit
    number: Callable[[JobState, EvaluationContext], float | None]


Field = TextField | NumberField


def _messages(state: JobState) -> Iterable[str]:
    """Return what the service and the last failed request state about the job."""
    if state.fault is not None:
        yield state.fault.message
        yield state.fault.kind.replace("_", " ")
    if state.report is not None and state.report.message:
        yield state.report.message


def _language_texts(state: JobState) -> Iterable[str]:
    language = state.report.language if state.report is not None else None
    return languages.search_terms(language) if language else ()


def _age(state: JobState, context: EvaluationContext) -> float | None:
    since = state.job.added if state.job.added is not None else state.first_polled_at
    return None if since is None else context.now - since


def _time_in_phase(state: JobState, context: EvaluationContext) -> float | None:
    return None if state.phase_since is None else context.now - state.phase_since


def _total(state: JobState, context: EvaluationContext) -> float | None:
    return queries.total_time(state, context.now)


def _eta(state: JobState, context: EvaluationContext) -> float | None:
    rest = evaluation.remaining(state, context)
    return None if rest is None else rest.median


def _next(state: JobState, context: EvaluationContext) -> float | None:
    return None if state.next_poll_at is None else max(0.0, state.next_poll_at - context.now)


def _expires(state: JobState, context: EvaluationContext) -> float | None:
    link = job_state.primary_link(state)
    return None if link is None or expiry.is_expired(link, context.now) else expiry.remaining(link, context.now)


def _expiry(state: JobState, context: EvaluationContext) -> Iterable[str]:
    link = job_state.primary_link(state)
    if link is not None and link.expires_at is not None:
        yield formatting.date_and_time(link.expires_at, context.zone)


def _progress(state: JobState, context: EvaluationContext) -> float | None:
    """Return the progress of an active job in percent, measured or estimated."""
    if state.phase not in ACTIVE:
        return None
    measured = state.report.progress if state.report is not None else None
    share = measured if measured is not None else evaluation.estimated_progress(state, context)
    return None if share is None else 100 * share


_PHASES = tuple(phase.value for phase in Phase)

_TEXT_FIELDS: Mapping[str, TextField] = {
    "account": TextField("account", lambda state, _: (state.job.account,), column="account", mark=_ACCOUNT),
    "provider": TextField(
        "service", lambda state, context: (context.provider_of(state.job.account),), column="provider", mark=_PROVIDER
    ),
    "phase": TextField(
        "new, queued, running, done, failed, timed_out, blocked or missing",
        lambda state, _: (state.phase,),
        choices=_PHASES,
        column="status",
        mark=_PHASE,
    ),
    "status": TextField(
        "status as received from the service",
        lambda state, _: (state.report.raw_status,) if state.report is not None else (),
        column="status",
        mark=_STATUS,
    ),
    "name": TextField(
        "label, else title, else id", lambda state, _: (queries.display_name(state),), is_contained=True, column="name"
    ),
    "id": TextField("id", lambda state, _: (state.job.id,), column="id"),
    "lang": TextField(
        "language, by its code or its English name",
        lambda state, _: _language_texts(state),
        column="lang",
        mark=_LANGUAGE,
    ),
    "owner": TextField("watchlist of a team", lambda state, _: state.job.owners, column="owner"),
    "tag": TextField("tag", lambda state, _: state.job.tags, column="tags", mark=_TAG),
    "note": TextField("note", lambda state, _: (state.job.note,), is_contained=True, column="note"),
    "message": TextField(
        "message of the service or of the last error",
        lambda state, _: _messages(state),
        is_contained=True,
        column="message",
    ),
    "expiry": TextField("day of the link's expiry, such as 2026-11-28", _expiry),
    "kind": TextField("kind of job", lambda state, _: (state.job.kind,), column="kind"),
    "flag": TextField(
        "stalled, stale, expiring, expired, unknown (a status that is not known) or partial (done, but parts failed)",
        evaluation.flags,
        choices=tuple(flag.value for flag in Flag),
    ),
}
_NUMBER_FIELDS: Mapping[str, NumberField] = {
    "age": NumberField("time since the job was added", Unit.ELAPSED, _age),
    "time": NumberField("time in its phase", Unit.ELAPSED, _time_in_phase),
    "total": NumberField("time from the first poll to the end", Unit.ELAPSED, _total),
    "eta": NumberField("time to the expected end", Unit.ESTIMATE, _eta),
    "next": NumberField("time to the next poll", Unit.REMAINING, _next),
    "expires": NumberField("time to the expiry of the link", Unit.REMAINING, _expires),
    "progress": NumberField("progress of an active job in percent", Unit.PERCENT, _progress),
    "polls": NumberField("number of polls", Unit.COUNT, lambda state, _: float(state.poll_count)),
}
FIELDS: Mapping[str, Field] = {**_TEXT_FIELDS, **_NUMBER_FIELDS}
"""Fields by name, in the order of help and README."""
ALIASES: Mapping[str, str] = {"language": "lang", "tags": "tag", "label": "name", "title": "name", "link": "expires"}
"""Other names of fields."""


def search_text(state: JobState, context: EvaluationContext) -> str:
    """Return what is searched in for free text and for marked fields, in lower case: one line for each value.

    It depends on the state and the providers alone, so that it may be kept with the state.
    """
    job, report = state.job, state.report
    parts = [
        f"{_ACCOUNT}{job.account}",
        f"{job.account}:{job.id}",
        _PROVIDER + context.provider_of(job.account),
        _PHASE + state.phase.replace("_", " "),
        *(_TAG + tag for tag in job.tags),
    ]
    if job.label:
        parts.append(job.label)
    if job.note:
        parts.append(job.note)
    if report is not None:
        parts.append(_STATUS + report.raw_status)
        if report.title and not job.label:
            parts.append(report.title)
        if report.language:
            parts += (_LANGUAGE + term for term in languages.search_terms(report.language))
    parts += _messages(state)
    parts.append("")
    return END.join(parts).lower()
