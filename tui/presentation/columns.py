"""What a row of the table says: columns, their widths, and each cell's text and tone. Pure; widgets paint it."""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import tzinfo
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from tui.domain import artifacts, job_state
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import ACTIVE, ENDS, PROBLEMS, Link, Phase, Ref
from tui.domain.polling import duration_model
from tui.presentation import formatting, queries
from tui.presentation.queries import Outlook

NOTHING = "·"
"""What is not there."""
GAP = 2
"""Cells between two columns."""
MARKS = 3
"""Cells at the left edge: just changed, marked by hand, muted."""
NAME_LEAST = 16
"""Cells below which the name is not squeezed: another column goes instead."""


class Tone(StrEnum):
    """What a cell means, for its colour. A theme maps each to a style."""

    PLAIN = "plain"
    QUIET = "quiet"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    WARNING = "warning"


class Cell(NamedTuple):
    """One cell: its whole text, which the widget cuts to the column, and its tone."""

    text: str
    tone: Tone = Tone.PLAIN


class Glyphs(NamedTuple):
    """The signs of one row, in a character set."""

    phases: Mapping[Phase, str]
    doubt: str
    changed: str
    marked: str
    muted: str
    cut: str
    saved: str
    """Of a result that was downloaded, or is being."""
    to: str
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


def tone(phase: Phase) -> Tone:
    """What a phase means, for its colour."""
    return _TONES[phase]


class Face(NamedTuple):
    """How cells are to look, beside what they judge by."""

    outlook: Outlook
    glyphs: Glyphs = UNICODE
    until: Mapping[str, float] = {}
    """Accounts that wait, and until which instant: no job of theirs is asked before it."""
    stopped: frozenset[str] = frozenset()
    """Accounts that ask nothing until a person acts."""
    zone: tzinfo | None = None
    """Times stand as instants in this zone; None: as how long ago, or how far away."""
    saving: Mapping[Ref, float | None] = {}
    """Jobs that are being downloaded, and which share of the file is there; None: not known."""


class Column(NamedTuple):
    """A column of the table, as it stands at one width."""

    id: str
    title: str
    width: int
    right: bool = False


_WIDTHS = {"status": 11, "provider": 9, "lang": 7, "progress": 14, "age": 5, "eta": 6, "next": 5, "link": 9}
_NARROW = {"status": 11, "provider": 7, "lang": 5, "progress": 14, "age": 5, "next": 5, "link": 8}
_INSTANTS = {"age": 6, "next": 6, "link": 9}
"""Cells for `28 Nov`, and for `~28 Nov !`."""
_NUMBER = 8
"""Cells of the progress where there is no room for its bar."""
_ORDER = ("status", "provider", "name", "lang", "progress", "age", "eta", "next", "link")
_RIGHT = frozenset({"age", "eta", "next", "link"})
_LEAVING = ("eta", "progress", "lang", "next", "age", "provider", "link")
"""Which column goes first where the name would be squeezed."""


def visible_columns(width: int, *, instants: bool = False) -> tuple[Column, ...]:
    """The columns that stand in so many cells. The name takes what is left; the least needed go first.

    `instants`: ages and times left stand as instants, which take a cell more. From 100 cells on the progress loses its
    bar before it goes.
    """
    widths = dict(_WIDTHS if width >= 100 else _NARROW) | (_INSTANTS if instants else {})
    gone, rest = set[str](), 0
    for leaving in ("", "bar", *_LEAVING) if width >= 100 else ("", *_LEAVING):
        gone.add(leaving)
        if leaving == "bar":
            widths["progress"] = _NUMBER
        taken = sum(cells + GAP for column, cells in widths.items() if column not in gone)
        rest = width - MARKS - taken - 1
        if rest >= (NAME_LEAST if width < 100 else 2 * NAME_LEAST):
            break
    widths["name"] = max(1, rest)
    return tuple(
        Column(column, _title(column, widths[column]), widths[column], column in _RIGHT)
        for column in _ORDER
        if column in widths and column not in gone
    )


def _title(column: str, width: int) -> str:
    title = column.upper()
    return title if len(title) <= width else title[:4]


def status(state: JobState, face: Face) -> Cell:
    """Glyph and word. A word that is not known stands as it came; doubt has its own glyph."""
    stale, unknown = job_state.stale(state, face.outlook.now), job_state.unknown(state)
    glyph = face.glyphs.doubt if stale or unknown else face.glyphs.phases[state.phase]
    word = state.phase.replace("_", " ")
    if unknown and state.report is not None:
        word = state.report.word
    tone = Tone.QUIET if stale else Tone.WARNING if unknown else _TONES[state.phase]
    return Cell(f"{glyph} {word}", tone)


def _provider(state: JobState, face: Face) -> Cell:
    return Cell(state.job.account, Tone.QUIET if state.job.account in face.stopped else Tone.PLAIN)


def _name(state: JobState, face: Face) -> Cell:
    """The name, and of a problem what the service said of it."""
    called = queries.name(state)
    said = state.fault.message if state.fault else state.report.message if state.report else None
    if state.phase in PROBLEMS and said:
        called = f"{called}: {said}"
    elif state.phase in ACTIVE and state.fault is not None:
        called = f"{called}: {state.fault.kind.replace('_', ' ')}"
    return Cell(called, Tone.QUIET if state.job.muted else Tone.PLAIN)


def _lang(state: JobState, face: Face) -> Cell:
    language = state.report.language if state.report else None
    return Cell(formatting.language(language)) if language else Cell(NOTHING, Tone.QUIET)


def _progress(state: JobState, face: Face) -> Cell:
    """Progress as number and bar, with '~' where it is learned; a stage's number; of an old report, how old it is."""
    if state.checked_at is not None and job_state.stale(state, face.outlook.now):
        return Cell(f"{formatting.age(face.outlook.now - state.checked_at)} old", Tone.WARNING)
    progress = state.report.progress if state.report else None
    share = face.saving.get(state.job.ref)
    if share is not None:
        return _bar(f"{share:.0%}", share, face)
    if state.phase not in ACTIVE:
        return Cell(NOTHING, Tone.QUIET)
    if progress is None or state.report is None:
        share = queries.estimated(state, face.outlook)
        return Cell(NOTHING, Tone.QUIET) if share is None else _bar(f"~{min(0.99, share):.0%}", share, face)
    if not state.report.staged:
        return _bar(f"{progress:.0%}", progress, face)
    stage = Fraction(progress).limit_denominator(9)
    return Cell(f"stage {stage.numerator} of {stage.denominator}") if progress else Cell(NOTHING, Tone.QUIET)


def _bar(number: str, share: float, face: Face) -> Cell:
    return Cell(f"{number:>4} {formatting.bar(share, 9, ascii_only=face.glyphs.ascii_only)}", Tone.RUNNING)


def _number(state: JobState, face: Face) -> Cell:
    """The progress without its bar: `62%`, `1 of 2`, `12m old`."""
    progress = _progress(state, face)
    said = progress.text.strip().removeprefix("stage ")
    return progress._replace(text=said.split()[0] if "%" in said else said)


def _instant(at: float, face: Face) -> str:
    """An instant in at most six cells: 14:05 on the same day, 28 Nov in the same year, 2027."""
    assert face.zone is not None, "times stand as instants"
    day, *rest = formatting.instant(at, face.zone, face.outlook.now).rsplit(" ", 1)
    return rest[0] if rest and ":" not in rest[0] else day


def _age(state: JobState, face: Face) -> Cell:
    if state.since is None:
        return Cell(NOTHING, Tone.QUIET)
    return Cell(_instant(state.since, face) if face.zone else formatting.age(face.outlook.now - state.since))


def _eta(state: JobState, face: Face) -> Cell:
    """Within what time most jobs that have come so far end."""
    found = queries.left(state, face.outlook)
    if found is None:
        return Cell(NOTHING, Tone.QUIET)
    return Cell(formatting.between(found.low, found.high, short=True).replace(UNICODE.to, face.glyphs.to))


def next_ask(state: JobState, face: Face) -> float | None:
    """Instant of the job's next ask, its account's wait included; None: none is planned."""
    if state.next_ask_at is None or state.job.account in face.stopped:
        return None
    return max(state.next_ask_at, face.until.get(state.job.account, 0.0))


def _next(state: JobState, face: Face) -> Cell:
    at = next_ask(state, face)
    if at is None:
        return Cell(NOTHING, Tone.QUIET)
    if at <= face.outlook.now:
        return Cell("now", Tone.QUIET)
    return Cell(_instant(at, face) if face.zone else formatting.duration(at - face.outlook.now), Tone.QUIET)


def link(state: JobState, face: Face) -> Cell:
    """How long the result's link lives: an estimate bears '~', one about to die '!', what was downloaded may die."""
    found, now, ref = job_state.soonest(state), face.outlook.now, state.job.ref
    if ref in face.saving:
        share = face.saving[ref]
        return Cell(f"{face.glyphs.saved} {'…' if share is None else f'{share:.0%}'}", Tone.RUNNING)
    left = expiry.left(found, now) if found is not None else None
    if state.saved and not artifacts.missing(state):
        life = _life(found, left, face) if found and left and left > 0 else "saved"
        return Cell(f"{face.glyphs.saved} {life}", Tone.DONE)
    if found is None:
        return Cell("text", Tone.DONE) if state.result else Cell(NOTHING, Tone.QUIET)
    if expiry.expired(found, now):
        return Cell("expired", Tone.WARNING)
    if left is None:
        return Cell(str(found.kind), Tone.DONE)
    label = _life(found, left, face)
    if expiry.expiring(found, now, face.outlook.warn_before):
        return Cell(f"{label} !", Tone.WARNING)
    return Cell(label, Tone.DONE)


def _life(found: Link, left: float, face: Face) -> str:
    at = _instant(face.outlook.now + left, face) if face.zone else formatting.duration(left)
    return f"{'' if found.exact else '~'}{at}"


_CELLS: Mapping[str, Callable[[JobState, Face], Cell]] = {
    "status": status,
    "provider": _provider,
    "name": _name,
    "lang": _lang,
    "progress": _progress,
    "age": _age,
    "eta": _eta,
    "next": _next,
    "link": link,
}


def _saying(column: Column) -> Callable[[JobState, Face], Cell]:
    return _number if column.id == "progress" and column.width == _NUMBER else _CELLS[column.id]


def cells(state: JobState, shown: tuple[Column, ...], face: Face) -> tuple[Cell, ...]:
    """The cells of a job's row, one a column."""
    return tuple([_saying(column)(state, face) for column in shown])


def dimmed(state: JobState, face: Face) -> bool:
    """The row is not to draw the eye: it is old news, or put away."""
    return job_state.stale(state, face.outlook.now) or (state.job.archived and state.phase in ENDS)


def still_for(state: JobState, face: Face) -> float:
    """For how many seconds the row says the same, if nothing happens to its job; infinity: for ever."""
    return min(_changes(state, face), default=math.inf)


def _changes(state: JobState, face: Face) -> Iterator[float]:
    now = face.outlook.now
    yield queries.turn(state, face.outlook) - now
    yield formatting.day_ends(face.zone, now) - now if face.zone is not None else math.inf
    if state.since is not None:
        yield state.since + job_state.CHANGED_FOR - now if job_state.changed(state, now) else math.inf
        yield formatting.next_change(now - state.since, "age") if face.zone is None else math.inf
    if state.checked_at is not None and job_state.stale(state, now):
        yield formatting.next_change(now - state.checked_at, "age")
    rest = queries.left(state, face.outlook)
    if rest is not None and state.born is not None and state.expected is not None:
        yield max(1.0, (now - state.born + rest.middle) / 100)  # about one in the hundred of the estimated progress
        yield max(1.0, state.born + duration_model.far(state.expected) - now)  # then nobody knows
    at, found = next_ask(state, face), job_state.soonest(state)
    if at is not None and at > now:
        yield at - now if face.zone else formatting.next_change(at - now, "duration")
    if found is not None and found.expires_at is not None and found.expires_at > now:
        yield found.expires_at - now if face.zone else formatting.next_change(found.expires_at - now, "duration")
