"""Charts of the detail's first tab where it has room: timeline, durations of similar jobs, latency of the polls."""

from collections.abc import Iterator
from datetime import tzinfo

from textual.content import Content
from textual.geometry import Size

from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.timeline import timeline_lines
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import Link
from tui.domain.polling import duration_model
from tui.engine.api import JobHistory
from tui.presentation import charts, formatting, queries
from tui.presentation.columns import UNICODE

QUIET = "$job-quiet"
MAX_CHART_WIDTH = 72
"""Cells of the histogram at most."""
BAR_ROWS, BAR_WIDTH = 3, 2
"""Lines and cells of the histogram's bars."""
MAX_POLLS = 40
"""Requests in the line of latencies."""
LIFE_BAR_WIDTH = 10
"""Cells of the bar of a link's life."""
INDENT = 12
"""Cells before a chart: those of a label."""


def chart_lines(
    board: BoardModel, zone: tzinfo, state: JobState, history: JobHistory | None, room: Size
) -> Iterator[Content]:
    """Yield the charts of a job; none until its history is loaded."""
    if history is None:
        return
    yield Content("")
    yield from timeline_lines(board, zone, state, history.phase_changes, room.width)
    yield from _similar_lines(board, state, history, room)
    if history.requests:
        yield Content("")
        yield requests_line(history, label_width=INDENT, ascii_only=board.ascii_only)


def _similar_lines(board: BoardModel, state: JobState, history: JobHistory, room: Size) -> Iterator[Content]:
    """Yield how long similar jobs took, with the learned range and this job's age."""
    durations = [(each.low + each.high) / 2 for each in history.durations]
    if len(durations) < duration_model.MIN_SAMPLES:
        return
    age, fit = queries.total_time(state, board.now()), state.duration_fit
    typical = duration_model.typical_range(fit) if fit is not None else None
    others = [] if age is None else [age]
    others += [] if typical is None else [typical.low, typical.high]
    cells = min(MAX_CHART_WIDTH, room.width - INDENT)
    chart = charts.histogram(durations, cells // BAR_WIDTH, others)
    glyphs = board.render_options.glyphs
    blank = " " * INDENT
    yield Content("")
    most = ""
    if typical is not None:
        most = f"; most end after {formatting.duration_range(typical.low, typical.high)}"
        most = most.replace(UNICODE.range_dash, glyphs.range_dash)
    yield Content.assemble(
        (f"{'similar':<{INDENT}}", QUIET), f"{formatting.count_of(len(durations), 'ended job')}{most}"
    )
    for row in chart.rows(BAR_ROWS, ascii_only=glyphs.ascii_only):
        yield Content.assemble(blank, ("".join(sign * BAR_WIDTH for sign in row), "$job-done"))
    if typical is not None:
        first, last = chart.cell_of(typical.low), chart.cell_of(typical.high)
        shade = ("-" if glyphs.ascii_only else "░") * BAR_WIDTH
        yield Content.assemble(blank + " " * (first * BAR_WIDTH), (shade * (last - first + 1), QUIET))
    yield Content.styled(blank + chart.axis(BAR_WIDTH), QUIET)
    if age is not None:
        yield _marker_line(
            chart.cell_of(age) * BAR_WIDTH, f"this job, {formatting.span(age)}", cells, ascii_only=glyphs.ascii_only
        )


def _marker_line(cell: int, text: str, cells: int, *, ascii_only: bool) -> Content:
    """Return the mark of a cell with its text, at the side that has room."""
    mark = "^" if ascii_only else "▲"
    is_left = cell + len(text) + 2 > cells and cell > len(text)
    line = f"{text} {mark}".rjust(cell + 1) if is_left else f"{' ' * cell}{mark} {text}"
    return Content.styled(" " * INDENT + line, "$job-running")


def requests_line(history: JobHistory, *, label_width: int, ascii_only: bool) -> Content:
    """Return the duration of the job's last requests, oldest first, with the shortest and the longest."""
    durations = [request.duration_ms for request in reversed(history.requests)]
    extremes = dict.fromkeys(f"{each:.0f}" for each in (min(durations), max(durations)))
    return Content.assemble(
        (f"{'requests':<{label_width}}", QUIET),
        (formatting.sparkline(durations[-MAX_POLLS:], ascii_only=ascii_only), "$job-running"),
        (f"  {' to '.join(extremes)} ms", QUIET),
    )


def life_bar(link: Link, now: float, *, ascii_only: bool) -> str:
    """Return how much of the link's life is left as a bar and a blank; "" if that is unknown or nothing."""
    left = expiry.remaining(link, now)
    if left is None or link.expires_at is None or left <= 0 or link.expires_at <= link.first_seen:
        return ""
    return f"{formatting.bar(left / (link.expires_at - link.first_seen), LIFE_BAR_WIDTH, ascii_only=ascii_only)} "
