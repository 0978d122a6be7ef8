"""The commands that move: within the table, or within the detail where that has the focus."""

from textual.containers import VerticalScroll

from tui.dashboard.screen import Dashboard

NAME_SCROLL_CELLS = 8
"""Cells that one press moves long names sideways."""


class NavigationActions:
    """Moves the cursor; each method is the command of its name."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._table = dashboard.table

    @property
    def _focused_text(self) -> VerticalScroll | None:
        """The detail's text, if it has the focus: then it is what moves."""
        focused = self._dashboard.focused
        return focused if isinstance(focused, VerticalScroll) else None

    def down(self) -> None:
        """To the next job."""
        self._move_by(1)

    def up(self) -> None:
        """To the job above."""
        self._move_by(-1)

    def page_down(self) -> None:
        """A screen down."""
        self._move_by_pages(1)

    def page_up(self) -> None:
        """A screen up."""
        self._move_by_pages(-1)

    def half_down(self) -> None:
        """Half a screen down."""
        self._move_by_pages(0.5)

    def half_up(self) -> None:
        """Half a screen up."""
        self._move_by_pages(-0.5)

    def top(self) -> None:
        """To the first job."""
        if self._focused_text is not None:
            self._focused_text.scroll_home(animate=False)
        else:
            self._table.move_to(0)

    def bottom(self) -> None:
        """To the last job."""
        if self._focused_text is not None:
            self._focused_text.scroll_end(animate=False)
        else:
            self._table.move_to(len(self._table.refs) - 1)

    def right(self) -> None:
        """Moves long names to the left."""
        self._table.scroll_names(NAME_SCROLL_CELLS)

    def left(self) -> None:
        """Moves long names back."""
        self._table.scroll_names(-NAME_SCROLL_CELLS)

    def focus_next(self) -> None:
        """Between the table and the detail."""
        if self._focused_text is not None or not self._dashboard.detail.display:
            self._table.focus()
        else:
            self._dashboard.query_one("#detail-scroll").focus()

    def _move_by(self, rows: int) -> None:
        if self._focused_text is not None:
            self._focused_text.scroll_relative(y=rows, animate=False)
        else:
            self._table.move_by(rows)

    def _move_by_pages(self, pages: float) -> None:
        if self._focused_text is not None:
            self._focused_text.scroll_relative(y=int(self._focused_text.size.height * pages), animate=False)
        else:
            self._table.move_by_pages(pages)
