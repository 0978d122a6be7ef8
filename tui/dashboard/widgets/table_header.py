"""Header of the job table."""

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.line_widget import LineWidget
from tui.dashboard.widgets.semantic_styles import tone_style
from tui.presentation.cell_width import fit_to_width
from tui.presentation.table_layout import COLUMN_GAP, MARKS_WIDTH, Column, visible_columns


class TableHeader(LineWidget):
    """Titles of the columns; a click sorts."""

    ALLOW_SELECT = False

    class SortRequested(Message):
        """The header of a column was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, board: BoardModel) -> None:
        super().__init__()
        self._board = board

    def render_line(self, y: int) -> Strip:
        """Return the line of titles."""
        title = self.rich_style + tone_style(self, "quiet")
        segments = [Segment(" " * MARKS_WIDTH, title)]
        up, down = "^v" if self._board.ascii_only else "↑↓"
        for column in self._visible_columns():
            chosen = column.id == self._board.sort
            style = self.rich_style + tone_style(self, "key") if chosen else title
            arrow = (down if self._board.descending else up) if chosen else ""
            segments.append(
                Segment(fit_to_width(column.title + arrow, column.width, align_right=column.align_right), style)
            )
            segments.append(Segment(" " * COLUMN_GAP, title))
        return Strip(segments).adjust_cell_length(self.size.width, title)

    def _visible_columns(self) -> tuple[Column, ...]:
        shows_instants = self._board.zone is not None
        return visible_columns(self.size.width, show_instants=shows_instants, chosen=self._board.columns)

    def on_click(self, event: events.Click) -> None:
        """Sort by the column under the mouse."""
        left = MARKS_WIDTH
        for column in self._visible_columns():
            if left <= event.x < left + column.width + COLUMN_GAP:
                self.post_message(self.SortRequested(column.id))
            left += column.width + COLUMN_GAP
