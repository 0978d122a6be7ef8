"""Job table on Textual's Line API: a row is formatted when visible, and painted when its text has changed.

Cursor, scroll position and marks belong to refs, not to row numbers.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from math import inf
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.dashboard.board_model import BoardModel
from tui.dashboard.row_index import Row
from tui.dashboard.widgets.messages import RefreshDue
from tui.dashboard.widgets.segments import (
    AMBIGUOUS_WIDTH_START,
    StyledText,
    fit_cell,
    highlight_matches,
    merge_segments,
    scrollbar_thumb,
)
from tui.dashboard.widgets.semantic_styles import tone_style
from tui.domain import job_state
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.presentation import columns
from tui.presentation.columns import Cell, Tone
from tui.presentation.table_layout import COLUMN_GAP, MARKS_WIDTH, Column, visible_columns

_GAP = " " * COLUMN_GAP
_MATCH = Style(bold=True, underline=True)
"""Style of what the filter matches: visible in any number of colours, and without any."""
WHEEL_ROWS = 3
"""Rows per notch of the mouse wheel."""

RowContent = tuple[str, tuple[Cell, ...], bool]
"""Marks, cells and dimming of a row. Rows with equal content look the same."""


class PaintedRow(NamedTuple):
    """Content of a row on the screen, and the state that it shows."""

    state: JobState
    content: RowContent
    next_change_at: float
    """Instant at which time alone changes the content."""


class JobTable(ScrollView, can_focus=True, inherit_bindings=False):
    """Table of jobs. `show_rows` sets its rows; `tick` repaints those that have changed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor"}
    ALLOW_SELECT = False
    virtual_size = Reactive(Size(0, 0))  # Textual's own arranges the screen again, though the rows move nothing

    class CursorMoved(Message):
        """The cursor moved to another job, or to none."""

        def __init__(self, ref: Ref | None) -> None:
            super().__init__()
            self.ref = ref

    class JobOpened(Message):
        """A job was double-clicked."""

        def __init__(self, ref: Ref) -> None:
            super().__init__()
            self.ref = ref

    def __init__(self, board: BoardModel) -> None:
        super().__init__()
        self._board = board
        self._rows: list[Row] = []
        self._cursor_row = 0
        self._cursor: Row | None = None
        self._columns: tuple[Column, ...] = ()
        self._chosen = board.columns
        """Columns of the board when they were last fitted to the width."""
        self._painted_rows: dict[int, PaintedRow] = {}
        self._next_tick_at = inf
        """Instant of the next tick, as the last one returned it."""
        self._options = board.render_options
        self._name_offset = 0
        self._painted_region = Region()
        """Region of the rows on the screen when last painted."""
        self._top_row = 0
        self._thumb_lines = range(0)
        """Lines of the scrollbar's thumb when last painted."""
        self._style_cache: dict[tuple[str, bool, bool], Style] = {}
        """By tone, whether the row has the cursor, and whether the text matches the filter."""
        self._highlights = board.highlights
        self._strips: dict[int, tuple[RowContent | None, bool, bool, Strip]] = {}
        """By line of the screen: content, whether with cursor, whether with thumb, strip."""
        self._line_filters: Sequence[LineFilter] = ()

    @property
    def cursor(self) -> Ref | None:
        """The job under the cursor; None: the table is empty."""
        return self._cursor.ref if self._cursor is not None else None

    @property
    def columns(self) -> tuple[Column, ...]:
        """The visible columns."""
        return self._columns

    @property
    def rows(self) -> list[Row]:
        """The rows of the table, in order."""
        return self._rows

    @property
    def refs(self) -> list[Ref]:
        """The jobs of the table, in order."""
        return [row.ref for row in self._rows]

    # What is shown.

    def show_rows(self, rows: list[Row]) -> None:
        """Show these rows. The cursor stays on its job and line; if the job is gone, on its neighbour."""
        line = self._cursor_row - self.scroll_offset.y
        changed, before = rows != self._rows, self._rows
        self._rows = rows
        if changed:
            self._cursor_row = self._nearest_row(rows, before)
            self.virtual_size = Size(self.size.width, len(rows))
            self.scroll_to(y=max(0, self._cursor_row - line), animate=False, force=True, immediate=True)
            self.refresh()
        if self._chosen != self._board.columns:
            self.on_columns_change()
        if self._highlights is not self._board.highlights:
            self._highlights = self._board.highlights
            self._strips.clear()
            self.refresh()
        self._update_cursor()

    def _nearest_row(self, rows: list[Row], previous: list[Row]) -> int:
        """Return the cursor's new row: of its job, else of the nearest job below that is still there, else above."""
        if self._cursor is None or not rows:
            return 0
        below, above = islice(previous, self._cursor_row, None), reversed(previous[: self._cursor_row])
        nearest = self._board.first_visible(chain([self._cursor], below, above))
        return rows.index(nearest) if nearest is not None else 0

    def _update_cursor(self) -> None:
        """Post `CursorMoved` if the cursor is on another job."""
        self._cursor_row = max(0, min(self._cursor_row, len(self._rows) - 1))
        cursor = self._rows[self._cursor_row] if self._rows else None
        if cursor is not self._cursor:
            self._cursor = cursor
            self.post_message(self.CursorMoved(self.cursor))

    def tick(self) -> float:
        """Repaint the visible rows whose content has changed. Returns the instant of the next change."""
        before, self._options = self._options, self._board.render_options
        now, soonest = self._options.context.now, inf
        same = before[1:] == self._options[1:] and now >= before.context.now
        top, (width, height), stale = self.scroll_offset.y, self.size, list[Region]()
        for y, row in enumerate(self._rows[top : top + height]):
            painted, state = self._painted_rows.get(y), row.state
            if not (same and painted is not None and self._is_current(painted, state, now)):
                fresh = self._format_row(state)
                if painted is None or painted.state.job.ref != row.ref or painted.content != fresh.content:
                    stale.append(Region(0, y, width, 1))
                else:
                    fresh = fresh._replace(content=painted.content)
                painted = self._painted_rows[y] = fresh
            soonest = min(soonest, painted.next_change_at)
        if stale:
            self.refresh(*stale)
        self._next_tick_at = soonest
        return soonest

    def _is_current(self, painted: PaintedRow, state: JobState, now: float) -> bool:
        marked = painted.content[0][1] != " "
        return (
            painted.state is state and now < painted.next_change_at and marked == (state.job.ref in self._board.marks)
        )

    def _format_row(self, state: JobState) -> PaintedRow:
        return PaintedRow(
            state,
            self._row_content(state),
            self._options.context.now + columns.unchanged_for(state, self._options, self._columns),
        )

    def _row_content(self, state: JobState) -> RowContent:
        glyphs = self._options.glyphs
        marks = (
            (glyphs.changed if job_state.recently_changed(state, self._options.context.now) else " ")
            + (glyphs.marked if state.job.ref in self._board.marks else " ")
            + (glyphs.muted if state.job.muted else " ")
        )
        return marks, columns.row_cells(state, self._columns, self._options), columns.is_dimmed(state, self._options)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows' strips. Without borders and the like of Textual's own rendering it takes half the time."""
        room, self._top_row = self.content_region, self.scroll_offset.y
        self._thumb_lines = scrollbar_thumb(room.height, self._top_row, len(self._rows))
        filters = self.get_line_filters()
        if room != self._painted_region or filters != self._line_filters:
            self._painted_region, self._line_filters = room, filters
            self._style_cache.clear()
            self._fit_columns()
        strips: list[Strip] = []
        for y in crop.line_range:
            is_cursor, has_thumb = self._top_row + y == self._cursor_row, y in self._thumb_lines
            content, cached = self._content_at(y), self._strips.get(y)
            if cached is None or cached[0] is not content or cached[1:3] != (is_cursor, has_thumb):
                strip = self._draw_row(content, is_cursor=is_cursor, has_thumb=has_thumb)
                cached = self._strips[y] = content, is_cursor, has_thumb, strip
            strips.append(cached[3])
        is_full_width = crop.column_span == (0, room.width)
        return strips if is_full_width else [strip.crop(*crop.column_span) for strip in strips]

    def _content_at(self, y: int) -> RowContent | None:
        """Return the content of a line of the screen; None below the last row."""
        row = self._top_row + y
        if row >= len(self._rows):
            self._painted_rows.pop(y, None)
            return None
        painted, state = self._painted_rows.get(y), self._rows[row].state
        if painted is None or not self._is_current(painted, state, self._options.context.now):
            painted = self._painted_rows[y] = self._format_row(state)
            if painted.next_change_at < self._next_tick_at:  # it has become visible
                self._next_tick_at = -inf
                self.post_message(RefreshDue())
        return painted.content

    def _draw_row(self, content: RowContent | None, *, is_cursor: bool, has_thumb: bool) -> Strip:
        width = self._painted_region.width
        if content is None:
            return Strip.blank(width, self._style_of("ground", is_cursor=False))
        return Strip(merge_segments(self._styled_texts(content, is_cursor=is_cursor, has_thumb=has_thumb)), width)

    def _styled_texts(self, content: RowContent, *, is_cursor: bool, has_thumb: bool) -> Iterator[StyledText]:
        """Yield the row's texts: marks, cells with the gap after them, scrollbar in the last cell."""
        marks, cells, dimmed = content
        ground = self._style_of("ground", is_cursor=is_cursor)
        for mark, tone in ((marks[0], "key"), (marks[1:], "warning")):
            style = ground if mark.isspace() else self._style_of(tone, is_cursor=is_cursor)
            yield mark, style, max(mark) >= AMBIGUOUS_WIDTH_START
        left, last = self._painted_region.x + MARKS_WIDTH, len(self._columns) - 1
        for index, (column, cell) in enumerate(zip(self._columns, cells, strict=True)):
            tone = Tone.QUIET if dimmed and cell.tone is Tone.PLAIN else cell.tone
            whole_text = cell.text[self._name_offset :] if column.id == "name" else cell.text
            ellipsis = self._options.glyphs.ellipsis
            text, is_ambiguous = fit_cell(whole_text, column.width, column.align_right, ellipsis, left)
            style = self._style_of(tone, is_cursor=is_cursor)
            pattern = self._highlights.get(column.id, self._highlights.get("")) if self._highlights else None
            if pattern is None or pattern.search(text) is None:  # most cells: a tenth of the time of their parts
                yield text, style, is_ambiguous
            else:
                match_style = self._style_of(tone, is_cursor=is_cursor, is_match=True)
                yield from highlight_matches((text, style, is_ambiguous), pattern, match_style)
            left += column.width
            if index < last:
                yield _GAP, ground if is_cursor else style, False  # the cursor may be drawn in reverse
                left += COLUMN_GAP
        yield " " * (self._painted_region.right - left - 1), ground, False
        thumb = ("|" if self._options.glyphs.ascii_only else "▐") if has_thumb else " "
        yield thumb, self._style_of("quiet", is_cursor=False), thumb >= AMBIGUOUS_WIDTH_START

    def _style_of(self, tone: str, *, is_cursor: bool, is_match: bool = False) -> Style:
        """Return the tone's style on the row's background. With few colours the cursor is drawn in reverse."""
        style = self._style_cache.get((tone, is_cursor, is_match))
        if style is None:
            ground = self.get_component_rich_style("table--cursor") if is_cursor else self.rich_style
            if is_cursor and self._has_few_colours:
                ground += Style(reverse=True)
            style = ground if tone == "ground" else ground + tone_style(self, tone)
            style = style + _MATCH if is_match else style
            for each in self._line_filters:  # one of these changes only styles
                style = each.apply([Segment("", style)], self.background_colors[1])[0].style or style
            self._style_cache[tone, is_cursor, is_match] = style
        return style

    @property
    def _has_few_colours(self) -> bool:
        return self.app.console.color_system in {None, "standard"}  # pyright: ignore[reportUnknownMemberType]

    def on_resize(self) -> None:
        """Keep the cursor visible."""
        self.virtual_size = Size(self.size.width, len(self._rows))
        self.call_after_refresh(self._scroll_to_cursor)

    def on_columns_change(self) -> None:
        """Fit the columns after a change of them or of the time format."""
        self._options = self._board.render_options
        self._fit_columns()
        self.refresh()

    def _fit_columns(self) -> None:
        """Fit the columns to the width."""
        shows_instants, width = self._board.zone is not None, self._painted_region.width
        self._chosen = self._board.columns
        self._columns = visible_columns(width, show_instants=shows_instants, chosen=self._chosen)
        self._discard_painted()

    def notify_style_update(self) -> None:
        """Discard everything painted after a change of the theme."""
        super().notify_style_update()
        self._style_cache.clear()
        self._discard_painted()

    def _discard_painted(self) -> None:
        self._painted_rows.clear()
        self._strips.clear()

    # Moving.

    def move_by(self, rows: int) -> None:
        """Move the cursor by so many rows."""
        self.move_to(self._cursor_row + rows)

    def move_to(self, row: int) -> None:
        """Move the cursor to a row, and scroll to it."""
        before, top = self._cursor_row, self.scroll_offset.y
        self._cursor_row = row
        self._update_cursor()
        self._scroll_to_cursor()
        if self.scroll_offset.y == top:  # else all of it is painted anyway
            for y in {before - top, self._cursor_row - top}:
                self.refresh(Region(0, y, self.size.width, 1))

    def move_to_job(self, ref: Ref) -> None:
        """Move the cursor to a job, if it is in the table."""
        refs = self.refs
        if ref in refs:
            self.move_to(refs.index(ref))

    def move_by_pages(self, pages: float) -> None:
        """Move the cursor by so many pages."""
        self.move_by(int(self.size.height * pages) or (1 if pages > 0 else -1))

    def scroll_names(self, cells: int) -> None:
        """Scroll the names, so that the end of long ones can be read."""
        self._name_offset = max(0, self._name_offset + cells)
        self._strips.clear()
        self.refresh()

    def _scroll_to_cursor(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if self._cursor_row < top:
            self.scroll_to(y=self._cursor_row, animate=False, force=True, immediate=True)
        elif height and self._cursor_row >= top + height:
            self.scroll_to(y=self._cursor_row - height + 1, animate=False, force=True, immediate=True)

    def on_click(self, event: events.Click) -> None:
        """Move the cursor to the clicked row; open the job on a double click."""
        row = self.scroll_offset.y + event.y
        if row < len(self._rows):
            self.move_to(row)
            if event.chain == 2 and self.cursor is not None:
                self.post_message(self.JobOpened(self.cursor))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll; the cursor stays on its job."""
        event.stop()
        self.scroll_to(y=self.scroll_offset.y + WHEEL_ROWS, animate=False, force=True, immediate=True)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll; the cursor stays on its job."""
        event.stop()
        self.scroll_to(y=self.scroll_offset.y - WHEEL_ROWS, animate=False, force=True, immediate=True)
