"""Expiry calendar: the links that expire in the next days, by hour, below the table of the selected day's jobs."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import tzinfo
from itertools import groupby
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import OptionList, Static

from tui.dashboard.board_model import BoardModel
from tui.dashboard.dialogs.dialog import Dialog
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.domain import evaluation
from tui.domain.links.calendar import DAYS, HOURS, CalendarDay, expiry_calendar
from tui.domain.models import Ref
from tui.presentation import formatting
from tui.presentation.columns import EMPTY_CELL

CALENDAR_INTERVAL = 5.0
"""Seconds between two updates of an open calendar: with 10,000 jobs each takes about 20 ms."""
NUMBERS_FROM = 150
"""Cells of the terminal from which on hours are numbers; else bars."""
TOTAL_WIDTH, SAVED_WIDTH = 5, 5
"""Cells of a day's totals."""
KEYS = ("Enter: keep the filter", "L: renew the day", "D: download it", "Esc: close")


class CalendarScreen(Dialog[bool]):
    """Screen that returns True to keep the selected day's filter, else None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,E", "dismiss", show=False),
        Binding("L", "act('renew')", show=False),
        Binding("D", "act('download')", show=False),
    ]

    def __init__(
        self,
        board: BoardModel,
        zone: tzinfo,
        show_day: Callable[[str], None],
        act: Callable[[str, Sequence[Ref]], None],
    ) -> None:
        """`show_day` filters the table by a date; `act` renews or downloads jobs, after a confirmation."""
        super().__init__()
        self._board = board
        self._zone = zone
        self._show_day = show_day
        self._act = act
        self._days: list[CalendarDay] = []

    def compose(self) -> ComposeResult:
        """Yield the head, a line for each day, and the keys."""
        with Vertical(classes="below-table"):
            yield Static(id="calendar-head", markup=False)
            yield VimOptionList(compact=True)
            keys = (KEYS[0], KEYS[-1]) if self._board.is_viewer else KEYS
            yield Static(" · ".join(keys), classes="keys", markup=False)

    def on_mount(self) -> None:
        """Show the days, with the first one on which a link expires, and keep them up to date."""
        with self.prevent(OptionList.OptionHighlighted):  # the first day is not always the one to show
            self._update_days()
        first = next((number for number, day in enumerate(self._days) if day.refs), 0)
        self.query_one(VimOptionList).highlighted = first
        self.set_interval(CALENDAR_INTERVAL, self._update_days)

    def on_resize(self) -> None:
        """Draw the hours for another width."""
        self._update_days()

    def _update_days(self) -> None:
        context, now = self._board.context, self._board.now()
        states = (state for state in self._board.states.values() if not evaluation.is_archived(state, context))
        self._days = expiry_calendar(states, now, formatting.midnights(self._zone, now, range(DAYS + 1)))
        most = max((count for day in self._days for count in (*day.kept, *day.unkept)), default=0)
        self.query_one(VimOptionList).show_lines([self._day_line(day, most) for day in self._days])
        self.query_one("#calendar-head", Static).update(Content("\n").join(self._head_lines()))

    @property
    def _hour_width(self) -> int:
        return 2 if self.size.width >= NUMBERS_FROM else 1

    def _head_lines(self) -> Iterator[Content]:
        count = sum(len(day.refs) for day in self._days)
        what = f"{formatting.count_of(count, 'link')} in {DAYS} days" if count else f"none in {DAYS} days"
        yield Content.assemble(("Expiring links", "bold"), (f"   {what}", "$job-quiet"))
        width = HOURS * self._hour_width
        scale = "".join(f"{hour:<{6 * self._hour_width}}" for hour in (0, 6, 12, 18))
        rows = (("NOT KEPT, BY HOUR", "KEPT, BY HOUR", "SAVED"), (scale, scale, ""))
        for unkept, kept, saved in rows:
            totals = " " * (TOTAL_WIDTH + 2)
            yield Content.styled(f"{'':<10}{totals}{unkept:<{width}}{totals}{kept:<{width}} {saved}", "$job-quiet")

    def _day_line(self, day: CalendarDay, most: int) -> Content:
        """Return a day: its links that are not kept and those that are, and how many are downloaded."""
        expires_soon = day.starts_at - self._board.now() < self._board.context.warn_before
        is_empty = not day.refs
        return Content.assemble(
            (formatting.day(day.starts_at, self._zone), "$job-quiet" if is_empty else "bold"),
            f" {_total(day.unkept):>{TOTAL_WIDTH}} ",
            self._hours(day.unkept, most, "$job-warning" if expires_soon else "$job-running"),
            f" {_total(day.kept):>{TOTAL_WIDTH}} ",
            self._hours(day.kept, most, "$job-done"),
            f" {day.saved or EMPTY_CELL:>{SAVED_WIDTH}}",
        )

    def _hours(self, counts: Sequence[int], most: int, colour: str) -> Content:
        """Return the hours as bars, or as numbers if there is room; those without a link are quiet."""
        if self._hour_width == 1:
            texts: Iterable[str] = formatting.count_line(counts, most=most, ascii_only=self._board.ascii_only)
        else:
            texts = (f"{min(count, 99) or EMPTY_CELL:<{self._hour_width}}" for count in counts)
        pairs = zip(texts, counts, strict=True)
        runs = groupby(pairs, lambda pair: colour if pair[1] else "$job-quiet")
        return Content.assemble(*(("".join(text for text, _ in run), style) for style, run in runs))

    @on(OptionList.OptionHighlighted)
    def _day_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if self.is_active:
            self._show_day(formatting.date_and_time(self._days[event.option_index].starts_at, self._zone).split()[0])

    @on(OptionList.OptionSelected)
    def _day_selected(self) -> None:
        self.dismiss(True)

    def action_act(self, what: str) -> None:
        """Renew or download all jobs of the selected day."""
        at = self.query_one(VimOptionList).highlighted
        if at is not None:
            self._act(what, tuple(self._days[at].refs))


def _total(counts: Sequence[int]) -> str:
    return str(sum(counts) or EMPTY_CELL)
