"""What a row of the table says: columns, their widths, and each cell's text and tone. Pure; widgets paint it."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from tui.domain import board, expiry, rows, text
from tui.domain.board import Flag, JobState
from tui.domain.jobs import ACTIVE, ENDS, PROBLEMS, Phase
from tui.domain.rows import Outlook

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
    ascii_only: bool


_UNICODE = "○○▸✓✗⊘$?"
_ASCII = "..>+x!$?"

UNICODE = Glyphs(dict(zip(Phase, _UNICODE, strict=True)), "?", "▌", "◆", "-", "…", ascii_only=False)
ASCII = Glyphs(dict(zip(Phase, _ASCII, strict=True)), "?", "|", "*", "-", "~", ascii_only=True)

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


class Column(NamedTuple):
    """A column of the table, as it stands at one width."""

    id: str
    title: str
    width: int
    right: bool = False


_WIDTHS = {"status": 11, "provider": 9, "lang": 5, "progress": 14, "age": 5, "next": 5, "link": 9}
_NARROW = {"status": 11, "provider": 7, "lang": 5, "progress": 14, "age": 5, "next": 5, "link": 8}
_ORDER = ("status", "provider", "name", "lang", "progress", "age", "next", "link")
_RIGHT = frozenset({"age", "next", "link"})
_LEAVING = ("progress", "lang", "next", "age", "provider", "link")
"""Which column goes first where the name would be squeezed."""


def columns(width: int) -> tuple[Column, ...]:
    """The columns that stand in so many cells. The name takes what is left; the least needed go first."""
    widths = dict(_WIDTHS if width >= 100 else _NARROW)
    gone, rest = set[str](), 0
    for leaving in ("", *_LEAVING):
        gone.add(leaving)
        taken = sum(cells + GAP for column, cells in widths.items() if column not in gone)
        rest = width - MARKS - taken - 1
        if rest >= (NAME_LEAST if width < 100 else 2 * NAME_LEAST):
            break
    widths["name"] = max(1, rest)
    return tuple(
        Column(column, _title(column, widths[column]), widths[column], column in _RIGHT)
        for column in _ORDER
        if column not in gone
    )


def _title(column: str, width: int) -> str:
    title = column.upper()
    return title if len(title) <= width else title[:4]


def status(state: JobState, face: Face) -> Cell:
    """Glyph and word. A word that is not known stands as it came; doubt has its own glyph."""
    found = rows.flags(state, face.outlook)
    doubtful = Flag.UNKNOWN in found or Flag.STALE in found
    glyph = face.glyphs.doubt if doubtful else face.glyphs.phases[state.phase]
    word = state.phase.replace("_", " ")
    if Flag.UNKNOWN in found and state.report is not None:
        word = state.report.word
    tone = Tone.QUIET if Flag.STALE in found else Tone.WARNING if Flag.UNKNOWN in found else _TONES[state.phase]
    return Cell(f"{glyph} {word}", tone)


def _provider(state: JobState, face: Face) -> Cell:
    return Cell(state.job.account, Tone.QUIET if state.job.account in face.stopped else Tone.PLAIN)


def _name(state: JobState, face: Face) -> Cell:
    """The name, and of a problem what the service said of it."""
    called = rows.name(state)
    said = state.fault.message if state.fault else state.report.message if state.report else None
    if state.phase in PROBLEMS and said:
        called = f"{called}: {said}"
    elif state.phase in ACTIVE and state.fault is not None:
        called = f"{called}: {state.fault.kind.replace('_', ' ')}"
    return Cell(called, Tone.QUIET if state.job.muted else Tone.PLAIN)


def _lang(state: JobState, face: Face) -> Cell:
    language = state.report.language if state.report else None
    return Cell(text.language(language)) if language else Cell(NOTHING, Tone.QUIET)


def _progress(state: JobState, face: Face) -> Cell:
    """Measured progress as number and bar, a stage as its number; of an old report, how old it is."""
    if Flag.STALE in rows.flags(state, face.outlook) and state.checked_at is not None:
        return Cell(f"{text.age(face.outlook.now - state.checked_at)} old", Tone.WARNING)
    progress = state.report.progress if state.report else None
    if state.phase not in ACTIVE or progress is None or state.report is None:
        return Cell(NOTHING, Tone.QUIET)
    if not state.report.staged:
        return Cell(f"{progress:4.0%} {text.bar(progress, 9, ascii_only=face.glyphs.ascii_only)}", Tone.RUNNING)
    stage = Fraction(progress).limit_denominator(9)
    return Cell(f"stage {stage.numerator} of {stage.denominator}") if progress else Cell(NOTHING, Tone.QUIET)


def _age(state: JobState, face: Face) -> Cell:
    return Cell(NOTHING, Tone.QUIET) if state.since is None else Cell(text.age(face.outlook.now - state.since))


def next_ask(state: JobState, face: Face) -> float | None:
    """Instant of the job's next ask, its account's wait included; None: none is planned."""
    if state.next_ask_at is None or state.job.account in face.stopped:
        return None
    return max(state.next_ask_at, face.until.get(state.job.account, 0.0))


def _next(state: JobState, face: Face) -> Cell:
    at = next_ask(state, face)
    if at is None:
        return Cell(NOTHING, Tone.QUIET)
    return Cell("now" if at <= face.outlook.now else text.duration(at - face.outlook.now), Tone.QUIET)


def link(state: JobState, face: Face) -> Cell:
    """How long the result's link lives: an estimate bears '~', one about to die '!'."""
    found, now = board.soonest(state), face.outlook.now
    if found is None:
        return Cell("text", Tone.DONE) if state.result else Cell(NOTHING, Tone.QUIET)
    if expiry.expired(found, now):
        return Cell("expired", Tone.WARNING)
    left = expiry.left(found, now)
    if left is None:
        return Cell(str(found.kind), Tone.DONE)
    label = f"{'' if found.exact else '~'}{text.duration(left)}"
    if expiry.expiring(found, now, face.outlook.warn_before):
        return Cell(f"{label} !", Tone.WARNING)
    return Cell(label, Tone.DONE)


_CELLS: Mapping[str, Callable[[JobState, Face], Cell]] = {
    "status": status,
    "provider": _provider,
    "name": _name,
    "lang": _lang,
    "progress": _progress,
    "age": _age,
    "next": _next,
    "link": link,
}


def cells(state: JobState, shown: tuple[Column, ...], face: Face) -> tuple[Cell, ...]:
    """The cells of a job's row, one a column."""
    return tuple(_CELLS[column.id](state, face) for column in shown)


def dimmed(state: JobState, face: Face) -> bool:
    """The row is not to draw the eye: it is old news, or put away."""
    return Flag.STALE in rows.flags(state, face.outlook) or (state.job.archived and state.phase in ENDS)
