"""The live table, on Textual's Line API: a row is formatted when it is seen, and painted only when its text changed.

Cursor, scroll and marks belong to refs, never to row numbers.
"""

from collections.abc import Iterator, Sequence
from math import inf
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.filter import LineFilter
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.dashboard.board_model import Board
from tui.dashboard.widgets.messages import Due
from tui.dashboard.widgets.segments import UNEVEN, Piece, joined, thumb, written
from tui.dashboard.widgets.semantic_styles import toned
from tui.domain import job_state as reducer
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.presentation import columns
from tui.presentation.columns import COLUMN_GAP, MARKS_WIDTH, Cell, Column, Tone

_GAP = " " * COLUMN_GAP
WHEEL = 3
"""Rows that one notch of a mouse wheel scrolls."""

Line = tuple[str, tuple[Cell, ...], bool]
"""What a row shows: marks, cells, dimmed. Two equal lines look the same."""


class Painted(NamedTuple):
    """What stands in a row of the screen."""

    state: JobState
    line: Line
    until: float
    """Instant at which the same state would say something else."""


class JobTable(ScrollView, can_focus=True, inherit_bindings=False):
    """The rows. `show_jobs` says which jobs, `tick` that time has passed."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"table--cursor"}
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
        self._painted: dict[int, Painted] = {}
        self._due = inf
        """Instant at which the next tick is to come, by the last one."""
        self._face = board.face
        self._sideways = 0
        self._room = Region()
        """The rows' place on the screen, as they were painted last."""
        self._top = 0
        self._thumb = range(0)
        """The lines in which the scrollbar's thumb stands then."""
        self._styles: dict[tuple[str, bool], Style] = {}
        """By part, and whether it is under the cursor."""
        self._strips: dict[int, tuple[Line | None, bool, bool, Strip]] = {}
        """By line of the screen: what was painted there, whether with the cursor and with the thumb, and how."""
        self._filters: Sequence[LineFilter] = ()

    @property
    def cursor(self) -> Ref | None:
        """The job under the cursor; None: the table is empty."""
        return self._cursor

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that there is room for."""
        return self._columns

    @property
    def refs(self) -> list[Ref]:
        """The jobs in the table, in its order."""
        return self._refs

    # What is shown.

    def show_jobs(self, refs: list[Ref]) -> None:
        """Shows these jobs. The cursor stays on its job, and its job on its line; if it is gone, on its neighbour."""
        line = self._at - self.scroll_offset.y
        changed, before = refs != self._refs, self._refs
        self._refs = refs
        if changed:
            self._at = self._neighbour({ref: place for place, ref in enumerate(refs)}, before)
            self.virtual_size = Size(self.size.width, len(refs))
            self.scroll_to(y=max(0, self._at - line), animate=False, force=True, immediate=True)
            self.refresh()
        self._point()
        self.tick()

    def _neighbour(self, places: dict[Ref, int], before: list[Ref]) -> int:
        """Where the cursor goes among the new rows: to its job, else to the next one below that stayed, else above."""
        if self._cursor is not None and self._cursor in places:
            return places[self._cursor]
        below, above = before[self._at :], reversed(before[: self._at])
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

    def tick(self) -> float:
        """Paints the visible rows whose text is another than what stands there; gives the instant to look again."""
        before, self._face = self._face, self._board.face
        now, soonest = self._face.context.now, inf
        same = before[1:] == self._face[1:] and now >= before.context.now
        top, (width, height), stale = self.scroll_offset.y, self.size, list[Region]()
        for y, ref in enumerate(self._refs[top : top + height]):
            painted, state = self._painted.get(y), self._board.states.get(ref)
            if state is None:
                continue
            if not (same and painted is not None and self._holds(painted, state, now)):
                fresh = self._paint(state)
                if painted is None or painted.state.job.ref != ref or painted.line != fresh.line:
                    stale.append(Region(0, y, width, 1))
                else:
                    fresh = fresh._replace(line=painted.line)
                painted = self._painted[y] = fresh
            soonest = min(soonest, painted.until)
        if stale:
            self.refresh(*stale)
        self._due = soonest
        return soonest

    def _holds(self, painted: Painted, state: JobState, now: float) -> bool:
        marked = painted.line[0][1] != " "
        return painted.state is state and now < painted.until and marked == (state.job.ref in self._board.marks)

    def _paint(self, state: JobState) -> Painted:
        return Painted(state, self._line(state), self._face.context.now + columns.unchanged_for(state, self._face))

    def _line(self, state: JobState) -> Line:
        glyphs = self._face.glyphs
        marks = (
            (glyphs.changed if reducer.recently_changed(state, self._face.context.now) else " ")
            + (glyphs.marked if state.job.ref in self._board.marks else " ")
            + (glyphs.muted if state.job.muted else " ")
        )
        return marks, columns.row_cells(state, self._columns, self._face), columns.is_dimmed(state, self._face)

    def render_lines(self, crop: Region) -> list[Strip]:
        """The rows. Textual's own way here leads past borders and their like: without, it takes half the time."""
        room, self._top = self.content_region, self.scroll_offset.y
        self._thumb = thumb(room.height, self._top, len(self._refs))
        filters = self.get_line_filters()
        if room != self._room or filters != self._filters:
            self._room, self._filters = room, filters
            self._styles.clear()
            self._fit()
        strips: list[Strip] = []
        for y in crop.line_range:
            line, cursor, thumbed = self._seen(y), self._top + y == self._at, y in self._thumb
            known = self._strips.get(y)
            if known is None or known[0] is not line or known[1] is not cursor or known[2] is not thumbed:
                known = self._strips[y] = line, cursor, thumbed, self._strip(line, cursor=cursor, thumbed=thumbed)
            strips.append(known[3])
        whole = crop.column_span == (0, room.width)
        return strips if whole else [strip.crop(*crop.column_span) for strip in strips]

    def _seen(self, y: int) -> Line | None:
        """What stands in a line of the screen, or is to by now; None: it is below the last row."""
        place = self._top + y
        state = self._board.states.get(self._refs[place]) if place < len(self._refs) else None
        if state is None:
            self._painted.pop(y, None)
            return None
        painted = self._painted.get(y)
        if painted is None or not self._holds(painted, state, self._face.context.now):
            painted = self._painted[y] = self._paint(state)
            if painted.until < self._due:  # it has come into sight
                self._due = -inf
                self.post_message(Due())
        return painted.line

    def _strip(self, line: Line | None, *, cursor: bool, thumbed: bool) -> Strip:
        width = self._room.width
        if line is None:
            return Strip.blank(width, self._style("ground", cursor=False))
        return Strip(joined(self._pieces(line, cursor=cursor, thumbed=thumbed)), width)

    def _pieces(self, line: Line, *, cursor: bool, thumbed: bool) -> Iterator[Piece]:
        """The row as painted: marks, cells with the gap behind them, and the scrollbar's piece in the last cell."""
        marks, shown, dimmed = line
        ground = self._style("ground", cursor=cursor)
        for mark, part in ((marks[0], "key"), (marks[1:], "warning")):
            yield mark, ground if mark.isspace() else self._style(part, cursor=cursor), max(mark) >= UNEVEN
        left, cut, last = self._room.x + MARKS_WIDTH, self._face.glyphs.ellipsis, len(self._columns) - 1
        for place, (column, cell) in enumerate(zip(self._columns, shown, strict=True)):
            tone = Tone.QUIET if dimmed and cell.tone is Tone.PLAIN else cell.tone
            said = cell.text[self._sideways :] if column.id == "name" else cell.text
            text, uneven = written(said, column.width, column.align_right, cut, left)
            style = self._style(tone, cursor=cursor)
            yield text, style, uneven
            left += column.width
            if place < last:
                yield _GAP, ground if cursor else style, False  # the cursor may be drawn by turning colours round
                left += COLUMN_GAP
        yield " " * (self._room.right - left - 1), ground, False
        sign = ("|" if self._face.glyphs.ascii_only else "▐") if thumbed else " "
        yield sign, self._style("quiet", cursor=False), sign >= UNEVEN

    def _style(self, part: str, *, cursor: bool) -> Style:
        """The part's colour on the row's ground. Few colours have none for the cursor's: then it is turned round."""
        style = self._styles.get((part, cursor))
        if style is None:
            ground = self.get_component_rich_style("table--cursor") if cursor else self.rich_style
            if cursor and self._few_colours:
                ground += Style(reverse=True)
            style = ground if part == "ground" else ground + toned(self, part)
            for each in self._filters:  # one of these changes styles alone
                style = each.apply([Segment("", style)], self.background_colors[1])[0].style or style
            self._styles[part, cursor] = style
        return style

    @property
    def _few_colours(self) -> bool:
        return self.app.console.color_system in {None, "standard"}  # pyright: ignore[reportUnknownMemberType]

    def on_resize(self) -> None:
        """Keeps the cursor in sight."""
        self.virtual_size = Size(self.size.width, len(self._refs))
        self.call_after_refresh(self._reveal)

    def turn_times(self) -> None:
        """The form of the times is another."""
        self._face = self._board.face
        self._fit()
        self.refresh()

    def _fit(self) -> None:
        """Fits the columns to the width."""
        self._columns = columns.visible_columns(self._room.width, show_instants=self._board.zone is not None)
        self._forget()

    def notify_style_update(self) -> None:
        """The theme has changed: nothing that stands there is right."""
        super().notify_style_update()
        self._styles.clear()
        self._forget()

    def _forget(self) -> None:
        self._painted.clear()
        self._strips.clear()

    # Moving.

    def move(self, by: int) -> None:
        """Moves the cursor by so many rows."""
        self.move_to(self._at + by)

    def move_to(self, place: int) -> None:
        """Moves the cursor to a row, and the row into sight."""
        before, top = self._at, self.scroll_offset.y
        self._at = place
        self._point()
        self._reveal()
        if self.scroll_offset.y == top:  # else all of it is painted anyway
            for y in {before - top, self._at - top}:
                self.refresh(Region(0, y, self.size.width, 1))

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
        self._strips.clear()
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
