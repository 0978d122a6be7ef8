"""Cells of the job table: text and tone of each column. Widths are `table_layout`, painting is the widgets'."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, tzinfo
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from tui.domain import artifacts, evaluation, job_state
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import ACTIVE, ENDED, PROBLEMS, Link, PartCounts, Phase, Ref
from tui.domain.polling import duration_model
from tui.presentation import formatting, languages, queries
from tui.presentation.table_layout import PERCENT_WIDTH, Column

EMPTY_CELL = "·"
"""Text of a cell without a value."""
BAR_WIDTH = 9
"""Cells of a progress bar."""


class Tone(StrEnum):
    """Meaning of a cell, for its colour. A theme maps each to a style."""

    PLAIN = "plain"
    QUIET = "quiet"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    WARNING = "warning"


class Cell(NamedTuple):
    """Cell of a row: the whole text, which the widget cuts to the column, and its tone."""

    text: str
    tone: Tone = Tone.PLAIN


class Glyphs(NamedTuple):
    """Signs of a row in one character set."""

    phases: Mapping[Phase, str]
    doubtful: str
    changed: str
    marked: str
    muted: str
    ellipsis: str
    download: str
    """For a result that is downloaded, or being downloaded."""
    range_dash: str
    """Between the ends of a range."""
    ascii_only: bool


_UNICODE = "○○▸✓✗⊘$?"
_ASCII = "..>+x!$?"

UNICODE = Glyphs(dict(zip(Phase, _UNICODE, strict=True)), "?", "▌", "◆", "-", "…", "↓", "–", ascii_only=False)
ASCII = Glyphs(dict(zip(Phase, _ASCII, strict=True)), "?", "|", "*", "-", "~", "v", "-", ascii_only=True)

_TONES = {
    Phase.NEW: Tone.QUIET,
    Phase.QUEUED: Tone.QUIET,
    Phase.RUNNING: Tone.RUNNING,
    Phase.DONE: Tone.DONE,
    Phase.FAILED: Tone.FAILED,
    Phase.TIMED_OUT: Tone.FAILED,
    Phase.BLOCKED: Tone.WARNING,
    Phase.MISSING: Tone.WARNING,
}


def phase_tone(phase: Phase) -> Tone:
    """Return the tone of a phase."""
    return _TONES[phase]


class RenderOptions(NamedTuple):
    """Options for rendering cells."""

    context: EvaluationContext
    glyphs: Glyphs = UNICODE
    not_before: Mapping[str, float] = {}
    """Waiting accounts, with the instant before which no job of theirs is polled."""
    spaced_accounts: frozenset[str] = frozenset()
    """Accounts whose due polls are sent one by one, as their rate limit allows."""
    stopped_accounts: frozenset[str] = frozenset()
    """Accounts whose polling stopped until the operator acts."""
    time_zone: tzinfo | None = None
    """Zone of times shown as instants; None: times are ages and remaining times."""
    download_progress: Mapping[Ref, float | None] = {}
    """Running downloads, with the share of the file, 0 to 1; None: unknown."""
    instant_zone: tzinfo = UTC
    """Zone of the columns that always show instants."""


def status_cell(state: JobState, options: RenderOptions) -> Cell:
    """Return glyph and phase; of an unknown status, the status itself. Stale and unknown ones have their own glyph."""
    stale, unknown = job_state.is_stale(state, options.context.now), job_state.has_unknown_status(state)
    glyph = options.glyphs.doubtful if stale or unknown else options.glyphs.phases[state.phase]
    text = state.phase.replace("_", " ")
    if _has_failed_parts(state):
        return Cell(f"{glyph} partial", Tone.WARNING)
    if unknown and state.report is not None:
        text = state.report.raw_status
    tone = Tone.QUIET if stale else Tone.WARNING if unknown else _TONES[state.phase]
    return Cell(f"{glyph} {text}", tone)


def _account_cell(state: JobState, options: RenderOptions) -> Cell:
    return Cell(state.job.account, Tone.QUIET if state.job.account in options.stopped_accounts else Tone.PLAIN)


def _name_cell(state: JobState, options: RenderOptions) -> Cell:
    """Return the name; of a problem, also the service's message."""
    name = queries.display_name(state)
    message = state.fault.message if state.fault else state.report.message if state.report else None
    if message and (state.phase in PROBLEMS or _has_failed_parts(state)):
        name = f"{name}: {message}"
    elif state.phase in ACTIVE and state.fault is not None:
        name = f"{name}: {state.fault.kind.replace('_', ' ')}"
    return Cell(name, Tone.QUIET if state.job.muted else Tone.PLAIN)


def _language_cell(state: JobState, options: RenderOptions) -> Cell:
    language = state.report.language if state.report else None
    found = [part.language for part in state.report.parts if part.language] if state.report and not language else []
    if len(found) > 1:
        return Cell(f"{languages.language_code(found[0]).partition('-')[0]} +{len(found) - 1}")
    language = language or next(iter(found), None)
    return Cell(languages.language_code(language)) if language else Cell(EMPTY_CELL, Tone.QUIET)


def _has_failed_parts(state: JobState) -> bool:
    """Return whether the job is done, but parts of it failed."""
    counts = state.report.part_counts if state.report is not None else None
    return state.phase is Phase.DONE and counts is not None and counts.failed > 0


def _progress_cell(state: JobState, options: RenderOptions) -> Cell:
    """Return progress as number and bar, with '~' if estimated; a stage as number; of a stale report, its age."""
    if state.checked_at is not None and job_state.is_stale(state, options.context.now):
        return Cell(f"{formatting.age(options.context.now - state.checked_at)} old", Tone.WARNING)
    progress = state.report.progress if state.report else None
    share = options.download_progress.get(state.job.ref)
    if share is not None:
        return _bar_cell(f"{share:.0%}", share, options)
    counts = state.report.part_counts if state.report is not None else None
    if counts is not None and counts.total > 1:
        return _parts_cell(state, counts)
    if state.phase not in ACTIVE:
        return Cell(EMPTY_CELL, Tone.QUIET)
    if progress is None or state.report is None:
        share = evaluation.estimated_progress(state, options.context)
        return Cell(EMPTY_CELL, Tone.QUIET) if share is None else _bar_cell(f"~{min(0.99, share):.0%}", share, options)
    if not state.report.progress_is_stage:
        return _bar_cell(f"{progress:.0%}", progress, options)
    from fractions import Fraction  # 0.6 ms at the start, and few services report stages

    stage = Fraction(progress).limit_denominator(9)
    return Cell(f"stage {stage.numerator} of {stage.denominator}") if progress else Cell(EMPTY_CELL, Tone.QUIET)


def _parts_cell(state: JobState, counts: PartCounts) -> Cell:
    """Return how many of the job's parts are done: `5 of 7 done`."""
    text = f"{counts.done} of {counts.total}"
    tone = Tone.WARNING if counts.failed else Tone.RUNNING if state.phase in ACTIVE else Tone.QUIET
    return Cell(f"{text} done" if len(text) <= BAR_WIDTH else text, tone)


def _bar_cell(number: str, share: float, options: RenderOptions) -> Cell:
    return Cell(f"{number:>4} {formatting.bar(share, BAR_WIDTH, ascii_only=options.glyphs.ascii_only)}", Tone.RUNNING)


def _percent_cell(state: JobState, options: RenderOptions) -> Cell:
    """Return the progress without its bar: `62%`, `1 of 2`, `12m old`."""
    progress = _progress_cell(state, options)
    text = progress.text.strip().removeprefix("stage ").removesuffix(" done")
    return progress._replace(text=text.split()[0] if "%" in text else text)


def _short_instant(at: float, options: RenderOptions) -> str:
    """Return an instant in at most six cells: 14:05 on the same day, 28 Nov in the same year, 2027."""
    day, *rest = formatting.instant(at, options.time_zone or options.instant_zone, options.context.now).rsplit(" ", 1)
    return rest[0] if rest and ":" not in rest[0] else day


def _time_cell(state: JobState, options: RenderOptions) -> Cell:
    if state.phase_since is None:
        return Cell(EMPTY_CELL, Tone.QUIET)
    return Cell(
        _short_instant(state.phase_since, options)
        if options.time_zone
        else formatting.age(options.context.now - state.phase_since)
    )


def _eta_cell(state: JobState, options: RenderOptions) -> Cell:
    """Return the remaining time of most similar jobs."""
    found = evaluation.remaining(state, options.context)
    if found is None:
        return Cell(EMPTY_CELL, Tone.QUIET)
    return Cell(
        formatting.duration_range(found.low, found.high, short=True).replace(
            UNICODE.range_dash, options.glyphs.range_dash
        )
    )


def next_poll_at(state: JobState, options: RenderOptions) -> float | None:
    """Return the instant of the job's next poll, its account's wait included; None: none."""
    if state.next_poll_at is None or state.job.account in options.stopped_accounts:
        return None
    return max(state.next_poll_at, options.not_before.get(state.job.account, 0.0))


def _next_cell(state: JobState, options: RenderOptions) -> Cell:
    at = next_poll_at(state, options)
    if at is None:
        return Cell(EMPTY_CELL, Tone.QUIET)
    if at <= options.context.now:
        return Cell("due" if state.job.account in options.spaced_accounts else "now", Tone.QUIET)
    return Cell(
        _short_instant(at, options) if options.time_zone else formatting.duration(at - options.context.now), Tone.QUIET
    )


def link_cell(state: JobState, options: RenderOptions) -> Cell:
    """Return the remaining life of the primary link: '~' marks an estimate, '!' one about to expire."""
    found, now, ref = job_state.primary_link(state), options.context.now, state.job.ref
    if ref in options.download_progress:
        share = options.download_progress[ref]
        return Cell(f"{options.glyphs.download} {'…' if share is None else f'{share:.0%}'}", Tone.RUNNING)
    left = expiry.remaining(found, now) if found is not None else None
    if state.downloads and not artifacts.undownloaded(state):
        life = _remaining_life(found, left, options) if found and left and left > 0 else "saved"
        return Cell(f"{options.glyphs.download} {life}", Tone.DONE)
    if found is None:
        return Cell("text", Tone.DONE) if state.result is not None else Cell(EMPTY_CELL, Tone.QUIET)
    if found.is_used:
        return Cell("used", Tone.QUIET)
    if expiry.is_expired(found, now):
        return Cell("expired", Tone.WARNING)
    if left is None:
        return Cell("one only" if found.one_time else str(found.kind), Tone.DONE)
    label = _remaining_life(found, left, options)
    if expiry.is_expiring(found, now, options.context.warn_before):
        return Cell(f"{label} !", Tone.WARNING)
    return Cell(label, Tone.DONE)


def _remaining_life(found: Link, left: float, options: RenderOptions) -> str:
    at = _short_instant(options.context.now + left, options) if options.time_zone else formatting.duration(left)
    return f"{'' if found.expiry_is_exact else '~'}{at}"


def _text_cell(text: str, state: JobState) -> Cell:
    if not text:
        return Cell(EMPTY_CELL, Tone.QUIET)
    return Cell(text, Tone.QUIET if state.job.muted else Tone.PLAIN)


def _owner_cell(state: JobState, options: RenderOptions) -> Cell:
    if not state.job.owners:
        return Cell(EMPTY_CELL, Tone.QUIET)
    return Cell(", ".join(state.job.owners), Tone.QUIET if state.job.is_foreign else Tone.PLAIN)


def _message_cell(state: JobState, options: RenderOptions) -> Cell:
    is_problem = state.fault is not None or state.phase in PROBLEMS
    cell = _text_cell(queries.message(state), state)
    return cell._replace(tone=Tone.WARNING) if is_problem and cell.text != EMPTY_CELL else cell


def _total_cell(state: JobState, options: RenderOptions) -> Cell:
    total = queries.total_time(state, options.context.now)
    return Cell(EMPTY_CELL, Tone.QUIET) if total is None else Cell(formatting.age(total))


def _changed_cell(state: JobState, options: RenderOptions) -> Cell:
    if state.phase_since is None:
        return Cell(EMPTY_CELL, Tone.QUIET)
    return Cell(_short_instant(state.phase_since, options))


_RENDERERS: Mapping[str, Callable[[JobState, RenderOptions], Cell]] = {
    "status": status_cell,
    "account": _account_cell,
    "name": _name_cell,
    "lang": _language_cell,
    "progress": _progress_cell,
    "time": _time_cell,
    "eta": _eta_cell,
    "next": _next_cell,
    "link": link_cell,
    "provider": lambda state, options: Cell(options.context.provider_of(state.job.account)),
    "owner": _owner_cell,
    "id": lambda state, _: _text_cell(state.job.id, state),
    "total": _total_cell,
    "tags": lambda state, _: _text_cell(" ".join(state.job.tags), state),
    "note": lambda state, _: _text_cell(state.job.note, state),
    "message": _message_cell,
    "kind": lambda state, _: _text_cell(state.job.kind, state),
    "polls": lambda state, _: Cell(str(state.poll_count)),
    "changed": _changed_cell,
}


def _cell_renderer(column: Column) -> Callable[[JobState, RenderOptions], Cell]:
    return _percent_cell if column.id == "progress" and column.width == PERCENT_WIDTH else _RENDERERS[column.id]


def row_cells(state: JobState, columns: tuple[Column, ...], options: RenderOptions) -> tuple[Cell, ...]:
    """Return the cells of a job's row, one per column."""
    return tuple([_cell_renderer(column)(state, options) for column in columns])


def is_dimmed(state: JobState, options: RenderOptions) -> bool:
    """Return whether the row is dimmed: stale, or archived and ended."""
    return job_state.is_stale(state, options.context.now) or (state.job.archived and state.phase in ENDED)


def unchanged_for(state: JobState, options: RenderOptions, columns: tuple[Column, ...] = ()) -> float:
    """Return the seconds until the row changes by time alone; infinity: never."""
    return min(chain(_seconds_to_changes(state, options), _seconds_of_columns(state, options, columns)))


def _seconds_of_columns(state: JobState, options: RenderOptions, columns: tuple[Column, ...]) -> Iterator[float]:
    """Yield the seconds until the cells of other than the default columns change."""
    now = options.context.now
    for column in columns:
        if column.id == "changed":
            yield formatting.next_midnight(options.time_zone or options.instant_zone, now) - now
        elif column.id == "total" and state.phase not in ENDED and state.first_polled_at is not None:
            yield formatting.next_change(now - state.first_polled_at, "age")


def _seconds_to_changes(state: JobState, options: RenderOptions) -> Iterator[float]:
    now = options.context.now
    yield evaluation.next_change_at(state, options.context) - now
    yield formatting.next_midnight(options.time_zone, now) - now if options.time_zone is not None else math.inf
    if state.phase_since is not None:
        yield (
            state.phase_since + job_state.RECENT_CHANGE_SECONDS - now
            if job_state.recently_changed(state, now)
            else math.inf
        )
        yield formatting.next_change(now - state.phase_since, "age") if options.time_zone is None else math.inf
    if state.checked_at is not None and job_state.is_stale(state, now):
        yield formatting.next_change(now - state.checked_at, "age")
    rest = evaluation.remaining(state, options.context)
    if rest is not None and state.first_polled_at is not None and state.duration_fit is not None:
        yield max(1.0, (now - state.first_polled_at + rest.median) / 100)  # about 1 % of estimated progress
        yield max(
            1.0, state.first_polled_at + duration_model.upper_bound(state.duration_fit) - now
        )  # then there is no estimate
    at, found = next_poll_at(state, options), job_state.primary_link(state)
    if at is not None and at > now:
        yield at - now if options.time_zone else formatting.next_change(at - now, "duration")
    if found is not None and found.expires_at is not None and found.expires_at > now:
        yield (
            found.expires_at - now if options.time_zone else formatting.next_change(found.expires_at - now, "duration")
        )
