"""Jobs and other things as a plain table: whole in a pipe, cut to the width of a terminal."""

import os
import sys
from collections.abc import Iterable, Sequence
from unicodedata import category, east_asian_width

from tui.domain.job_state import Flag, JobState
from tui.domain.models import PROBLEMS
from tui.presentation import columns, queries
from tui.presentation.columns import EMPTY_CELL, Column, RenderOptions
from tui.presentation.formatting import clean
from tui.presentation.queries import EvaluationContext

GAP = "  "
MIN_COLUMN_WIDTH = 8
"""Cells below which no column is cut."""

_TIME_COLUMNS = (Column("lang", "LANG", 7), Column("age", "AGE", 6), Column("link", "LINK", 9))
_HEADERS = ("STATUS", "ACCOUNT", "ID", "NAME", *(column.title for column in _TIME_COLUMNS), "REMARKS")


def render_jobs(states: Iterable[JobState], outlook: EvaluationContext) -> str:
    """A table of jobs, with a line of titles; nothing for no jobs."""
    face = RenderOptions(outlook)
    found = [_job_row(state, face) for state in states]
    return render([_HEADERS, *found], shrinkable=(2, 3, len(_HEADERS) - 1)) if found else ""


def render(rows: Sequence[Sequence[str]], shrinkable: Sequence[int]) -> str:
    """Lines of cells, one column under another; `cut` are the columns that give way on a terminal that is narrow."""
    rows = [[clean(cell) or EMPTY_CELL for cell in line] for line in rows]
    widths = [max(map(_text_width, column)) for column in zip(*rows, strict=True)]
    columns = terminal_width()
    while columns is not None and sum(widths) + len(GAP) * (len(widths) - 1) > columns:
        widest = max(shrinkable, key=lambda column: widths[column])
        if widths[widest] <= MIN_COLUMN_WIDTH:
            break
        widths[widest] -= 1
    return "".join(f"{GAP.join(map(_fit, line, widths)).rstrip()}\n" for line in rows)


def _job_row(state: JobState, face: RenderOptions) -> tuple[str, ...]:
    called = queries.display_name(state)
    return (
        state.phase,
        state.job.account,
        state.job.id,
        EMPTY_CELL if called == state.job.id else called,
        *(cell.text for cell in columns.row_cells(state, _TIME_COLUMNS, face)),
        "; ".join(_messages(state, face.context)),
    )


def _messages(state: JobState, outlook: EvaluationContext) -> Iterable[str]:
    """What an operator should notice: flags, and why the last ask or the job itself failed."""
    for flag in queries.flags(state, outlook):
        yield f"unknown word {state.report.raw_status!r}" if flag is Flag.UNKNOWN and state.report else flag
    if state.job.archived:
        yield "archived"
    if state.fault is not None:
        yield state.fault.message
    elif state.phase in PROBLEMS and state.report is not None and state.report.message:
        yield state.report.message


def terminal_width() -> int | None:
    """Columns of the terminal on stdout; None: it is no terminal."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None


def _text_width(text: str) -> int:
    """Cells that a text takes on a terminal."""
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if east_asian_width(character) in "WF" else 1


def _fit(text: str, width: int) -> str:
    """The text in exactly so many cells."""
    taken = _text_width(text)
    if taken > width:
        while taken > width - 1:
            taken -= _character_width(text[-1])
            text = text[:-1]
        text, taken = f"{text}…", taken + 1
    return text + " " * (width - taken)
