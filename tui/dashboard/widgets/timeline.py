"""Timeline of a job: its phases drawn to scale, and the typical end of similar jobs."""

from collections.abc import Iterator, Sequence
from datetime import tzinfo
from itertools import groupby, pairwise

from textual.content import Content

from tui.dashboard.board_model import BoardModel
from tui.domain import evaluation
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.polling import duration_model
from tui.presentation import columns, formatting

QUIET = "$job-quiet"
BAR_WIDTH, MIN_BAR_WIDTH = 24, 6
"""Cells of the longest bar, and of it on a narrow pane."""
OTHER_CELLS = 47
"""Cells of a line beside its bar."""


def timeline_lines(
    board: BoardModel, zone: tzinfo, state: JobState, changes: Sequence[PhaseChange], width: int
) -> Iterator[Content]:
    """Yield one line per phase, oldest first, with instants in `zone`. `width`: cells of a line."""
    now = board.now()
    bar_width = max(MIN_BAR_WIDTH, min(BAR_WIDTH, width - OTHER_CELLS))
    lines = list(_phase_lines(board, zone, state, changes, bar_width))
    if state.job.added is not None:
        lines.append((state.job.added, Content.assemble((_instant_text(state.job.added, zone, now), QUIET), "  added")))
    lines += _part_lines(zone, state, now)
    yield from (line for _, line in sorted(lines, key=lambda line: line[0]))
    if not changes:
        yield Content.styled("no phase changes yet", QUIET)


def _phase_lines(
    board: BoardModel, zone: tzinfo, state: JobState, changes: Sequence[PhaseChange], bar_width: int
) -> Iterator[tuple[float, Content]]:
    """Yield the instant and the line of each phase."""
    now, ascii_only = board.now(), board.render_options.glyphs.ascii_only
    lengths = [end - start for start, end in pairwise([*(change.seen for change in changes), now])]
    ahead = _seconds_to_typical_end(state, board)
    longest = max([1.0, *lengths, *(length + ahead for length in lengths[-1:])])
    for change, length in zip(changes, lengths, strict=True):
        bar = formatting.bar(length / longest, bar_width, ascii_only=ascii_only).rstrip("·.")
        mark = ""
        if ahead and change is changes[-1]:
            rest = round((length + ahead) / longest * bar_width) - len(bar)
            label = "typical end" if bar_width == BAR_WIDTH else "typical"
            mark = f"{('-' if ascii_only else '░') * max(1, rest)}  {label}"
        yield (
            change.seen,
            Content.assemble(
                (_instant_text(change.seen, zone, now), QUIET),
                f"  {change.after.replace('_', ' '):<10}",
                f"{formatting.span(length):>7}  ",
                (bar, f"$job-{columns.phase_tone(change.after)}"),
                (mark, QUIET),
                (f"  {change.message}" if change.message else "", QUIET),
            ),
        )


def _part_lines(zone: tzinfo, state: JobState, now: float) -> Iterator[tuple[float, Content]]:
    """Yield the instant and the line of each change of parts; those that changed together are one line."""
    for (seen, phase), changes in groupby(state.part_changes, lambda change: (change.seen, change.after)):
        names = ", ".join(change.part for change in changes)
        text = Content.assemble(
            (_instant_text(seen, zone, now), QUIET),
            "  ",
            (f"{phase.replace('_', ' '):<10}", f"$job-{columns.phase_tone(phase)}"),
            f"{'':>9}{names}",
        )
        yield seen, text


def _instant_text(instant: float, zone: tzinfo, now: float) -> str:
    return formatting.instant(instant, zone, now).rjust(13)


def _seconds_to_typical_end(state: JobState, board: BoardModel) -> float:
    """Return the seconds until half of similar jobs have ended; 0 if they have, or without learned durations."""
    if (
        evaluation.remaining(state, board.context) is None
        or state.duration_fit is None
        or state.first_polled_at is None
    ):
        return 0.0
    return max(0.0, state.first_polled_at + duration_model.typical_range(state.duration_fit).median - board.now())
