"""The detail of one job, in tabs. It follows the cursor; what it shows is plain, selectable text."""

import asyncio
import math
import re
from collections.abc import Callable
from datetime import tzinfo

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.message import Message

from tui.dashboard.board_model import Board
from tui.dashboard.widgets.bars import Bar, Piece
from tui.dashboard.widgets.detail_pages import Pages, Tab
from tui.dashboard.widgets.line_widget import Page
from tui.dashboard.widgets.messages import Due
from tui.domain.models import Ref
from tui.engine.api import Detail, Feed

REST = 0.001
"""Seconds that the loop rests once the cursor is painted, so that the thread which writes that has its turn first."""
MATCHES = 500
"""Matches of a search that are coloured and counted."""


class DetailTabs(Bar):
    """The names of the tabs, and how a search goes. A click chooses."""

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: Tab) -> None:
            super().__init__()
            self.tab = tab

    tab = Tab.OVERVIEW
    search = ""
    """`/ text  3 of 12`."""

    def pieces(self) -> tuple[list[Piece], list[Piece]]:
        """See SCREENS: ` Overview   Timeline   Response`."""
        left: list[Piece] = [(" ", "plain")]
        for tab in Tab:
            left += [(tab.capitalize(), "chosen" if tab is self.tab else "quiet"), ("   ", "plain")]
        return left, [(self.search, "key")]

    def on_click(self, event: events.Click) -> None:
        """Chooses the tab under the mouse."""
        end = 1
        for tab in Tab:
            end += len(tab) + 3
            if event.x < end:
                self.post_message(self.Chosen(tab))
                return


class DetailPane(Vertical):
    """One job's tabs and the text of the chosen one, which cover it."""

    BLANK = True

    def __init__(self, board: Board, feed: Feed, zone: Callable[[], tzinfo]) -> None:
        super().__init__(id="detail")
        self._board = board
        self._feed = feed
        self._pages = Pages(board, zone)
        self._ref: Ref | None = None
        self._looked: Detail | None = None
        self._looked_asks = -1
        self._tab = Tab.OVERVIEW
        self._tabs = DetailTabs()
        self._scroll = VerticalScroll(id="detail-scroll")
        self._shown = Page(id="detail-text")
        self._read = Content("")
        """What is searched."""
        self._wanted = ""
        self._matches: list[int] = []
        self._match = 0
        self._coming = False
        self._due = math.inf
        """Instant at which the next tick is to come, by the last one."""

    def compose(self) -> ComposeResult:
        """The tabs above the text."""
        yield self._tabs
        with self._scroll:
            yield self._shown

    @property
    def tab(self) -> Tab:
        """The tab that is shown."""
        return self._tab

    def show(self, ref: Ref | None) -> None:
        """Turns to another job, once the cursor has been painted there."""
        if ref != self._ref:
            self._ref, self._looked, self._looked_asks = ref, None, -1
            self._match = 0
        if not self._coming:
            self._coming = True
            self.call_after_refresh(self._come)

    def on_resize(self) -> None:
        """There is room for more, or for less."""
        self.call_after_refresh(self._anew)

    async def _come(self) -> None:
        await asyncio.sleep(REST)
        self._coming = False
        self._scroll.scroll_home(animate=False)
        self._anew()

    def choose(self, tab: Tab) -> None:
        """Turns to another tab."""
        self._tab = tab
        self._tabs.tab = tab
        self._tabs.refresh()
        self._scroll.scroll_home(animate=False)
        self._anew()

    def step(self, by: int) -> None:
        """Turns to the next tab, or to one before."""
        order = list(Tab)
        self.choose(order[(order.index(self._tab) + by) % len(order)])

    def tick(self) -> float:
        """Draws the text anew if it says something else now; gives the seconds until it is to be looked at again.

        Asks the journal if the job was asked since.
        """
        if not self.display or self._coming:
            return math.inf
        state = self._board.states.get(self._ref) if self._ref is not None else None
        if (
            state is not None
            and self._tab in {Tab.TIMELINE, Tab.RESPONSE, Tab.ASKS}
            and self._looked_asks != state.poll_count
        ):
            self._looked_asks = state.poll_count
            self.run_worker(self._look(state.job.ref), exclusive=True, group="look")
        room = self._scroll.scrollable_content_region.size
        said = self._pages.page(self._tab, state, self._looked, room) if state is not None else []
        self._shown.show(self._searched(said))
        still = self._pages.still_for(self._tab, state) if state is not None else math.inf
        self._due = self._board.now() + still
        return still

    def _anew(self) -> None:
        """Another text is shown, between two ticks."""
        before = self._due
        self.tick()
        if self._due < before:
            self.post_message(Due())

    async def _look(self, ref: Ref) -> None:
        looked = await asyncio.wrap_future(self._feed.look(ref))
        if ref == self._ref:
            self._looked = looked
            self._anew()

    # Searching in the response.

    def find(self, wanted: str) -> None:
        """Colours what matches, and shows the first of it; "" ends the search."""
        self._wanted, self._match = wanted, 0
        self._to_match()

    def next_match(self, by: int) -> None:
        """Shows the next match, or one before."""
        if self._matches:
            self._match = (self._match + by) % len(self._matches)
            self._to_match()

    def _searched(self, said: list[Content]) -> list[Content]:
        """The text with what matches turned round, and the match that is shown in the accent's colour."""
        self._matches, search = [], ""
        if self._wanted and self._tab is Tab.RESPONSE:
            drawn = self._read = Content("\n").join(said)
            found = re.finditer(re.escape(self._wanted), drawn.plain, re.IGNORECASE)
            self._matches = [match.start() for _, match in zip(range(MATCHES), found, strict=False)]
            for place, at in enumerate(self._matches):
                style = "$accent reverse bold" if place == self._match else "reverse"
                drawn = drawn.stylize(style, at, at + len(self._wanted))
            count = f"{self._match + 1} of {len(self._matches)}" if self._matches else "no match"
            said, search = [drawn], f"/ {self._wanted}  {count} "
        if search != self._tabs.search:
            self._tabs.search = search
            self._tabs.refresh()
        return said

    def _to_match(self) -> None:
        self.tick()
        if self._matches:
            above = Content(self._read.plain[: self._matches[self._match]])
            line = above.get_height({}, max(1, self._scroll.scrollable_content_region.width)) - 1
            self._scroll.scroll_to(y=max(0, line - self._scroll.size.height // 2), animate=False)
