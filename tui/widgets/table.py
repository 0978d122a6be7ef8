"""The live table, on Textual's Line API: a row is formatted when it is seen, and painted only when its text changed.

Cursor, scroll and marks belong to refs, never to row numbers.
"""

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.widget import Widget

from tui.domain import board as reducer
from tui.domain import cells
from tui.domain.cells import GAP, MARKS, Cell, Column, Tone
from tui.domain.jobs import Ref
from tui.widgets.anchors import anchored, disputed
from tui.widgets.board import Board
from tui.widgets.fit import fit

WHEEL = 3
"""Rows that one notch of a mouse wheel scrolls."""

Line = tuple[str, tuple[Cell, ...], bool]
"""What a row shows: marks, cells, dimmed. Two equal lines look the same."""


class TableHead(Widget):
    """The titles of the columns. A click sorts."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"head--title", "head--sorted"}
    ALLOW_SELECT = False

    class Sorted(Message):
        """A title was clicked."""

        def __init__(self, column: str) -> None:
            super().__init__()
            self.column = column

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board

    def render_line(self, y: int) -> Strip:
        """The one line there is."""
        title = self.get_component_rich_style("head--title")
        segments = [Segment(" " * MARKS, title)]
        for column in cells.columns(self.size.width):
            chosen = column.id == self._board.sort
            style = self.get_component_rich_style("head--sorted") if chosen else title
            arrow = ("↓" if self._board.descending else "↑") if chosen else ""
            segments.append(Segment(fit(column.title + arrow, column.width, right=column.right), style))
            segments.append(Segment(" " * GAP, title))
        return Strip(segments).adjust_cell_length(self.size.width, title)

    def on_click(self, event: events.Click) -> None:
        """Sorts by the column under the mouse."""
        left = MARKS
        for column in cells.columns(self.size.width):
            if left <= event.x < left + column.width + GAP:
                self.post_message(self.Sorted(column.id))
            left += column.width + GAP


class JobTable(ScrollView, can_focus=True):
    """The rows. `show_jobs` says which jobs, `tick` that time has passed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--plain",
        "table--quiet",
        "table--running",
        "table--done",
        "table--failed",
        "table--warning",
        "table--dimmed",
        "table--cursor",
        "table--changed",
        "table--marked",
        "table--scrollbar",
    }
    ALLOW_SELECT = False

    class Moved(Message):
        """The cursor is on another job, or on none."""

        def __init__(self, ref: Ref | None) -> None:
            super().__init__()
            self.ref = ref

    class Opened(Message):
        """The job under the cursor is wanted whole (a double click)."""

        def __init__(self, ref: Ref) -> None:
            super().__init__()
            self.ref = ref

    def __init__(self, board: Board) -> None:
        super().__init__()
        self._board = board
        self._refs: list[Ref] = []
        self._at = 0
        self._cursor: Ref | None = None
        self._columns: tuple[Column, ...] = ()
        self._shown: dict[int, tuple[Ref, Line]] = {}
        self._face = board.face
        self._sideways = 0

    @property
    def cursor(self) -> Ref | None:
        """The job under the cursor; None: the table is empty."""
        return self._cursor

    @property
    def refs(self) -> list[Ref]:
        """The jobs in the table, in its order."""
        return self._refs

    # What is shown.

    def show_jobs(self, refs: list[Ref]) -> None:
        """Shows these jobs. The cursor stays on its job, and its job on its line; if it is gone, on its neighbour."""
        line = self._at - self.scroll_offset.y
        places = {ref: place for place, ref in enumerate(refs)} if refs != self._refs else None
        if places is not None:
            self._at = self._neighbour(places)
            self._refs = refs
            self.virtual_size = Size(self.size.width, len(refs))
            self.scroll_to(y=max(0, self._at - line), animate=False, force=True, immediate=True)
            self.refresh()
        self._point()
        self.tick()

    def _neighbour(self, places: dict[Ref, int]) -> int:
        """Where the cursor goes among the new rows: to its job, else to the next one below that stayed, else above."""
        if self._cursor is not None and self._cursor in places:
            return places[self._cursor]
        below, above = self._refs[self._at :], reversed(self._refs[: self._at])
        for ref in (*below, *above):
            if ref in places:
                return places[ref]
        return 0

    def _point(self) -> None:
        """Says where the cursor is, if it is on another job than before."""
        self._at = max(0, min(self._at, len(self._refs) - 1))
        cursor = self._refs[self._at] if self._refs else None
        if cursor != self._cursor:
            self._cursor = cursor
            self.post_message(self.Moved(cursor))

    def tick(self) -> None:
        """Looks at the visible rows and paints those whose text is another than what stands there."""
        self._face = self._board.face
        top = self.scroll_offset.y
        for y in range(self.size.height):
            shown = self._shown.get(y)
            ref = self._refs[top + y] if top + y < len(self._refs) else None
            if ref is None or ref not in self._board.states:
                continue
            if shown is None or shown != (ref, self._line(ref)):
                self.refresh(Region(0, y, self.size.width, 1))

    def _line(self, ref: Ref) -> Line:
        state = self._board.states[ref]
        glyphs = self._face.glyphs
        marks = (
            (glyphs.changed if reducer.changed(state, self._face.outlook.now) else " ")
            + (glyphs.marked if ref in self._board.marks else " ")
            + (glyphs.muted if state.job.muted else " ")
        )
        return marks, cells.cells(state, self._columns, self._face), cells.dimmed(state, self._face)

    def render_line(self, y: int) -> Strip:
        """One row, or an empty line below the last."""
        width = self.size.width
        place = self.scroll_offset.y + y
        if place >= len(self._refs) or self._refs[place] not in self._board.states:
            self._shown.pop(y, None)
            return Strip.blank(width, self.rich_style)
        ref = self._refs[place]
        line = self._line(ref)
        self._shown[y] = (ref, line)
        return Strip(self._segments(line, y, place == self._at), width)

    def _segments(self, line: Line, y: int, under_cursor: bool) -> Iterable[Segment]:
        """The row as painted: marks, cells, and the scrollbar's piece in the last cell."""
        marks, shown, dimmed = line
        ground = self.get_component_rich_style("table--cursor") if under_cursor else self.rich_style
        yield Segment(marks[0], self._on(ground, "changed"))
        yield Segment(marks[1:], self._on(ground, "marked"))
        left = self.region.x + MARKS
        for column, cell in zip(self._columns, shown, strict=True):
            tone = Tone.QUIET if dimmed and cell.tone is Tone.PLAIN else cell.tone
            shift = self._sideways if column.id == "name" else 0
            text = fit(cell.text[shift:], column.width, right=column.right, cut=self._face.glyphs.cut)
            if disputed(text):
                text = anchored(text, column.width, left)
            left += column.width + GAP
            yield Segment(text, self._on(ground, tone))
            if column is not self._columns[-1]:
                yield Segment(" " * GAP, ground)
        taken = MARKS + sum(column.width + GAP for column in self._columns) - GAP
        yield Segment(" " * (self.size.width - taken - 1), ground)
        yield Segment(self._scrollbar(y), self._on(self.rich_style, "scrollbar"))

    def _on(self, ground: Style, part: str) -> Style:
        """The part's colour on the row's ground."""
        return ground + Style(color=self.get_component_rich_style(f"table--{part}").color)

    def _scrollbar(self, y: int) -> str:
        """The last cell of a line: the thumb where it is, nothing where everything fits."""
        height, total = self.size.height, len(self._refs)
        if total <= height:
            return " "
        length = max(1, height * height // total)
        start = round((height - length) * self.scroll_offset.y / (total - height))
        thumb = start <= y < start + length
        return ("|" if self._face.glyphs.ascii_only else "▐") if thumb else " "

    def on_resize(self) -> None:
        """Fits the columns to the new width and keeps the cursor in sight."""
        self._columns = cells.columns(self.size.width)
        self.virtual_size = Size(self.size.width, len(self._refs))
        self._shown.clear()
        self.refresh()
        self.call_after_refresh(self._reveal)

    def notify_style_update(self) -> None:
        """The theme has changed: nothing that stands there is right."""
        super().notify_style_update()
        self._shown.clear()

    # Moving.

    def move(self, by: int) -> None:
        """Moves the cursor by so many rows."""
        self.move_to(self._at + by)

    def move_to(self, place: int) -> None:
        """Moves the cursor to a row, and the row into sight."""
        self._at = place
        self._point()
        self._reveal()
        self.refresh()

    def point_at(self, ref: Ref) -> None:
        """Moves the cursor to a job, if it is shown."""
        if ref in self._refs:
            self.move_to(self._refs.index(ref))

    def page(self, pages: float) -> None:
        """Moves the cursor by so many screens."""
        self.move(int(self.size.height * pages) or (1 if pages > 0 else -1))

    def sideways(self, by: int) -> None:
        """Scrolls the names, so that the end of a long one can be read."""
        self._sideways = max(0, self._sideways + by)
        self.refresh()

    def _reveal(self) -> None:
        top, height = self.scroll_offset.y, self.size.height
        if self._at < top:
            self.scroll_to(y=self._at, animate=False, force=True, immediate=True)
        elif height and self._at >= top + height:
            self.scroll_to(y=self._at - height + 1, animate=False, force=True, immediate=True)

    def on_click(self, event: events.Click) -> None:
        """Puts the cursor under the mouse; a double click opens."""
        place = self.scroll_offset.y + event.y
        if place < len(self._refs):
            self.move_to(place)
            if event.chain == 2 and self._cursor is not None:
                self.post_message(self.Opened(self._cursor))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scrolls, and leaves the cursor on its job."""
        event.stop()
        self.scroll_to(y=self.scroll_offset.y + WHEEL, animate=False, force=True, immediate=True)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scrolls, and leaves the cursor on its job."""
        event.stop()
        self.scroll_to(y=self.scroll_offset.y - WHEEL, animate=False, force=True, immediate=True)
