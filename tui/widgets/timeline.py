"""A job's phases with their times and lengths, drawn to scale; and about where most like it end."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import pairwise

from textual.content import Content

from tui.domain import cells, durations, rows, text
from tui.domain.board import JobState, PhaseChange
from tui.widgets.board import Board

QUIET = "$job-quiet"
BAR = 24
"""Cells of the longest bar."""


def timeline(board: Board, zone: tzinfo, state: JobState, changes: Sequence[PhaseChange]) -> Iterator[Content]:
    """A line for each phase, oldest first; instants in `zone`."""
    now, ascii_only = board.now(), board.face.glyphs.ascii_only
    if state.job.added is not None:
        yield Content.assemble((text.instant(state.job.added, zone, now).rjust(13), QUIET), "  added")
    if not changes:
        yield Content.styled("nothing has happened to it yet", QUIET)
        return
    lengths = [end - start for start, end in pairwise([*(change.seen for change in changes), now])]
    ahead = _ahead(state, board)
    longest = max(*lengths, lengths[-1] + ahead) or 1.0
    for change, length in zip(changes, lengths, strict=True):
        bar = text.bar(length / longest, BAR, ascii_only=ascii_only).rstrip("·.")
        mark = ""
        if ahead and change is changes[-1]:
            rest = round((length + ahead) / longest * BAR) - len(bar)
            mark = ("-" if ascii_only else "░") * max(1, rest) + "  most end about here"
        yield Content.assemble(
            (text.instant(change.seen, zone, now).rjust(13), QUIET),
            f"  {change.after.replace('_', ' '):<10}",
            f"{text.span(length):>7}  ",
            (bar, f"$job-{cells.tone(change.after)}"),
            (mark, QUIET),
            (f"  {change.message}" if change.message else "", QUIET),
        )


def _ahead(state: JobState, board: Board) -> float:
    """Seconds until half of such jobs have ended; 0: they have, or nobody knows."""
    if rows.left(state, board.outlook) is None or state.expected is None or state.born is None:
        return 0.0
    return max(0.0, state.born + durations.usual(state.expected).middle - board.now())
