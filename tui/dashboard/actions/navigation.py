"""Navigation handlers: they move the table's cursor, or scroll the detail while it has the focus."""

from typing import TYPE_CHECKING

from textual.containers import VerticalScroll

from tui.dashboard.actions import parts

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard

NAME_SCROLL_CELLS = 8
"""Cells by which one key press scrolls long names."""


def down(dashboard: "Dashboard") -> None:
    """Move to the next job."""
    _move_by(dashboard, 1)


def up(dashboard: "Dashboard") -> None:
    """Move to the previous job."""
    _move_by(dashboard, -1)


def page_down(dashboard: "Dashboard") -> None:
    """Move one page down."""
    _move_by_pages(dashboard, 1)


def page_up(dashboard: "Dashboard") -> None:
    """Move one page up."""
    _move_by_pages(dashboard, -1)


def half_down(dashboard: "Dashboard") -> None:
    """Move half a page down."""
    _move_by_pages(dashboard, 0.5)


def half_up(dashboard: "Dashboard") -> None:
    """Move half a page up."""
    _move_by_pages(dashboard, -0.5)


def top(dashboard: "Dashboard") -> None:
    """Move to the first job, or to the start of the detail."""
    detail_text = _focused_detail_text(dashboard)
    if detail_text is not None:
        detail_text.scroll_home(animate=False)
    else:
        dashboard.table.move_to(0)


def bottom(dashboard: "Dashboard") -> None:
    """Move to the last job, or to the end of the detail."""
    detail_text = _focused_detail_text(dashboard)
    if detail_text is not None:
        detail_text.scroll_end(animate=False)
    else:
        dashboard.table.move_to(len(dashboard.table.rows) - 1)


def right(dashboard: "Dashboard") -> None:
    """Show the parts of the job under the cursor; of one without parts, more of the end of long names."""
    if parts.has_parts(dashboard):
        parts.show_parts(dashboard)
    else:
        dashboard.table.scroll_names(NAME_SCROLL_CELLS)


def scroll_names_left(dashboard: "Dashboard") -> None:
    """Show more of the start of long names."""
    dashboard.table.scroll_names(-NAME_SCROLL_CELLS)


def focus_next(dashboard: "Dashboard") -> None:
    """Switch the focus between table and detail."""
    if _focused_detail_text(dashboard) is not None or not dashboard.detail.display:
        dashboard.table.focus()
    else:
        dashboard.query_one("#detail-scroll").focus()


def _focused_detail_text(dashboard: "Dashboard") -> VerticalScroll | None:
    """Return the detail's text if it has the focus."""
    return dashboard.focused if isinstance(dashboard.focused, VerticalScroll) else None


def _move_by(dashboard: "Dashboard", rows: int) -> None:
    detail_text = _focused_detail_text(dashboard)
    if detail_text is not None:
        detail_text.scroll_relative(y=rows, animate=False)
    else:
        dashboard.table.move_by(rows)


def _move_by_pages(dashboard: "Dashboard", pages: float) -> None:
    detail_text = _focused_detail_text(dashboard)
    if detail_text is not None:
        detail_text.scroll_relative(y=int(detail_text.size.height * pages), animate=False)
    else:
        dashboard.table.move_by_pages(pages)
