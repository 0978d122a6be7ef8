"""Plain text tables of jobs and other values: complete in a pipe, cut to the width of a terminal."""

import os
import sys
from collections.abc import Iterable, Sequence

from tui.domain import evaluation
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import Flag, JobState
from tui.domain.models import PROBLEMS
from tui.presentation import columns, queries
from tui.presentation.cell_width import fit_to_width, text_width
from tui.presentation.columns import EMPTY_CELL, Column, RenderOptions
from tui.presentation.sanitize import clean

GAP = "  "
MIN_COLUMN_WIDTH = 8
"""Cells. No column is cut below it."""

_OWNER = Column("owner", "OWNER", 12)
_TIME_COLUMNS = (Column("lang", "LANG", 7), Column("time", "TIME", 6), Column("link", "LINK", 9))


def render_jobs(states: Iterable[JobState], context: EvaluationContext, *, has_owners: bool = False) -> str:
    """Return a table of jobs with a header row, or an empty text without jobs. `has_owners`: with that column."""
    options, more = RenderOptions(context), ((_OWNER,) if has_owners else ()) + _TIME_COLUMNS
    headers = ("STATUS", "ACCOUNT", "ID", "NAME", *(column.title for column in more), "MESSAGE")
    rows = [_job_row(state, options, more) for state in states]
    return render([headers, *rows], shrinkable=(2, 3, len(headers) - 1)) if rows else ""


def render(rows: Sequence[Sequence[str]], shrinkable: Sequence[int]) -> str:
    """Return rows as aligned lines. On a narrow terminal the columns at the indices `shrinkable` are cut."""
    rows = [[clean(cell) or EMPTY_CELL for cell in row] for row in rows]
    widths = [max(map(text_width, column)) for column in zip(*rows, strict=True)]
    available = terminal_width()
    while available is not None and sum(widths) + len(GAP) * (len(widths) - 1) > available:
        widest = max(shrinkable, key=lambda column: widths[column])
        if widths[widest] <= MIN_COLUMN_WIDTH:
            break
        widths[widest] -= 1
    return "".join(f"{GAP.join(map(fit_to_width, row, widths)).rstrip()}\n" for row in rows)


def _job_row(state: JobState, options: RenderOptions, more: tuple[Column, ...]) -> tuple[str, ...]:
    name = queries.display_name(state)
    return (
        state.phase,
        state.job.account,
        state.job.id,
        EMPTY_CELL if name == state.job.id else name,
        *(cell.text for cell in columns.row_cells(state, more, options)),
        "; ".join(_messages(state, options.context)),
    )


def _messages(state: JobState, context: EvaluationContext) -> Iterable[str]:
    """Yield the flags, and the message of the fault or of the failed job."""
    for flag in evaluation.flags(state, context):
        yield f"unknown status {state.report.raw_status!r}" if flag is Flag.UNKNOWN and state.report else flag
    if state.job.archived:
        yield "archived"
    if state.fault is not None:
        yield state.fault.message
    elif state.phase in PROBLEMS and state.report is not None and state.report.message:
        yield state.report.message


def terminal_width() -> int | None:
    """Return the columns of the terminal on stdout, or None without a terminal."""
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except (OSError, ValueError):
        return None
