"""Mirror of the dashboard's terminal, and the lines that its table should have."""

import pyte
from textual._compositor import CompositorUpdate

from tui.dashboard.app import Babeltop
from tui.dashboard.terminal.width_anchors import add_anchors, has_ambiguous_width, to_escape_codes
from tui.dashboard.widgets.job_table import JobTable
from tui.domain import job_state as reducer
from tui.presentation import columns
from tui.presentation.cell_width import fit_to_width
from tui.presentation.table_layout import COLUMN_GAP, MARKS_WIDTH, visible_columns


class Mirror:
    """A terminal that draws what the app writes."""

    def __init__(self, app: Babeltop):
        self.app = app
        self.sizes((120, 40))

    def sizes(self, size):
        self.screen = pyte.Screen(*size)
        self.stream = pyte.Stream(self.screen)

    def feed(self, segments_text: str) -> None:
        self.stream.feed(to_escape_codes(segments_text))


def expected_lines(table: JobTable) -> list[str]:
    """Return the table's lines with the cells of their jobs, drawn by a terminal of their own."""
    top = table.scroll_offset.y
    board, face = table._board, table._board.render_options
    shown = visible_columns(table.size.width, show_instants=board.zone is not None, chosen=board.columns)
    lines = []
    for ref in table.refs[top : top + table.size.height]:
        state = board.states[ref]
        text = (
            (face.glyphs.changed if reducer.recently_changed(state, face.context.now) else " ")
            + (face.glyphs.marked if ref in board.marks else " ")
            + (face.glyphs.muted if state.job.muted else " ")
        )
        left = table.region.x + MARKS_WIDTH
        for column, cell in zip(shown, columns.row_cells(state, shown, face), strict=True):
            piece = fit_to_width(cell.text, column.width, align_right=column.align_right, ellipsis=face.glyphs.ellipsis)
            text += (add_anchors(piece, column.width, left) if has_ambiguous_width(piece) else piece) + " " * COLUMN_GAP
            left += column.width + COLUMN_GAP
        screen = pyte.Screen(table.region.x + table.size.width + 40, 1)
        pyte.Stream(screen).feed(" " * table.region.x + to_escape_codes(text))
        lines.append("".join(screen.buffer[0][x].data for x in range(table.region.x, table.region.right - 1)))
    return lines


def shown_lines(mirror: Mirror, table: JobTable) -> list[str]:
    """Return the table's lines on the screen."""
    region = table.region
    count = min(table.size.height, len(table.refs) - table.scroll_offset.y)
    buffer = mirror.screen.buffer
    return [
        "".join(buffer[y][x].data for x in range(region.x, region.right - 1)) for y in range(region.y, region.y + count)
    ]


def drawn_on(mirror: Mirror, app: Babeltop):
    """Textual's own way from segments to the terminal, with the mirror in the driver's place."""
    from textual.app import App

    def display(screen, renderable):
        App._display(app, screen, renderable)
        if isinstance(renderable, CompositorUpdate) and screen is app.screen:
            mirror.feed(renderable.render_segments(app.console))

    return display
