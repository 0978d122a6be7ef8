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

from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.bars import Bar, TonedText
from tui.dashboard.widgets.detail_pages import DetailPages, DetailTab
from tui.dashboard.widgets.line_widget import TextPage
from tui.dashboard.widgets.messages import RefreshDue
from tui.domain.models import Ref
from tui.engine.api import EngineHandle, JobHistory

PAINT_PAUSE = 0.001
"""Seconds that the loop rests once the cursor is painted, so that the thread which writes that has its turn first."""
MAX_MATCHES = 500
"""Matches of a search that are coloured and counted."""


class DetailTabs(Bar):
    """The names of the tabs, and how a search goes. A click chooses."""

    class TabClicked(Message):
        """A tab was clicked."""

        def __init__(self, tab: DetailTab) -> None:
            super().__init__()
            self.tab = tab

    tab = DetailTab.OVERVIEW
    search = ""
    """`/ text  3 of 12`."""

    def texts(self) -> tuple[list[TonedText], list[TonedText]]:
        """See SCREENS: ` Overview   Timeline   Response`."""
        left: list[TonedText] = [(" ", "plain")]
        for tab in DetailTab:
            left += [(tab.capitalize(), "chosen" if tab is self.tab else "quiet"), ("   ", "plain")]
        return left, [(self.search, "key")]

    def on_click(self, event: events.Click) -> None:
        """Chooses the tab under the mouse."""
        end = 1
        for tab in DetailTab:
            end += len(tab) + 3
            if event.x < end:
                self.post_message(self.TabClicked(tab))
                return


class DetailPane(Vertical):
    """One job's tabs and the text of the chosen one, which cover it."""

    BLANK = True

    def __init__(self, board: BoardModel, engine: EngineHandle, zone: Callable[[], tzinfo]) -> None:
        super().__init__(id="detail")
        self._board = board
        self._engine = engine
        self._pages = DetailPages(board, zone)
        self._ref: Ref | None = None
        self._history: JobHistory | None = None
        self._history_poll_count = -1
        self._tab = DetailTab.OVERVIEW
        self._tabs = DetailTabs()
        self._scroll = VerticalScroll(id="detail-scroll")
        self._text_page = TextPage(id="detail-text")
        self._searched_text = Content("")
        """What is searched."""
        self._search_term = ""
        self._matches: list[int] = []
        self._match_index = 0
        self._is_update_pending = False
        self._next_tick_at = math.inf
        """Instant at which the next tick is to come, by the last one."""

    def compose(self) -> ComposeResult:
        """The tabs above the text."""
        yield self._tabs
        with self._scroll:
            yield self._text_page

    @property
    def tab(self) -> DetailTab:
        """The tab that is shown."""
        return self._tab

    def show_job(self, ref: Ref | None) -> None:
        """Turns to another job, once the cursor has been painted there."""
        if ref != self._ref:
            self._ref, self._history, self._history_poll_count = ref, None, -1
            self._match_index = 0
        if not self._is_update_pending:
            self._is_update_pending = True
            self.call_after_refresh(self._update_after_pause)

    def on_resize(self) -> None:
        """There is room for more, or for less."""
        self.call_after_refresh(self._redraw)

    async def _update_after_pause(self) -> None:
        await asyncio.sleep(PAINT_PAUSE)
        self._is_update_pending = False
        self._scroll.scroll_home(animate=False)
        self._redraw()

    def select_tab(self, tab: DetailTab) -> None:
        """Turns to another tab."""
        self._tab = tab
        self._tabs.tab = tab
        self._tabs.refresh()
        self._scroll.scroll_home(animate=False)
        self._redraw()

    def step_tab(self, by: int) -> None:
        """Turns to the next tab, or to one before."""
        order = list(DetailTab)
        self.select_tab(order[(order.index(self._tab) + by) % len(order)])

    def tick(self) -> float:
        """Draws the text anew if it says something else now; gives the seconds until it is to be looked at again.

        Asks the journal if the job was asked since.
        """
        if not self.display or self._is_update_pending:
            return math.inf
        state = self._board.states.get(self._ref) if self._ref is not None else None
        if (
            state is not None
            and self._tab in {DetailTab.TIMELINE, DetailTab.RESPONSE, DetailTab.REQUESTS}
            and self._history_poll_count != state.poll_count
        ):
            self._history_poll_count = state.poll_count
            self.run_worker(self._load_history(state.job.ref), exclusive=True, group="look")
        room = self._scroll.scrollable_content_region.size
        said = self._pages.page(self._tab, state, self._history, room) if state is not None else []
        self._text_page.set_text(self._highlight_matches(said))
        still = self._pages.unchanged_for(self._tab, state) if state is not None else math.inf
        self._next_tick_at = self._board.now() + still
        return still

    def _redraw(self) -> None:
        """Another text is shown, between two ticks."""
        before = self._next_tick_at
        self.tick()
        if self._next_tick_at < before:
            self.post_message(RefreshDue())

    async def _load_history(self, ref: Ref) -> None:
        looked = await asyncio.wrap_future(self._engine.job_history(ref))
        if ref == self._ref:
            self._history = looked
            self._redraw()

    # Searching in the response.

    def search(self, term: str) -> None:
        """Colours what matches, and shows the first of it; "" ends the search."""
        self._search_term, self._match_index = term, 0
        self._scroll_to_match()

    def step_match(self, by: int) -> None:
        """Shows the next match, or one before."""
        if self._matches:
            self._match_index = (self._match_index + by) % len(self._matches)
            self._scroll_to_match()

    def _highlight_matches(self, content: list[Content]) -> list[Content]:
        """The text with what matches turned round, and the match that is shown in the accent's colour."""
        self._matches, search = [], ""
        if self._search_term and self._tab is DetailTab.RESPONSE:
            drawn = self._searched_text = Content("\n").join(content)
            found = re.finditer(re.escape(self._search_term), drawn.plain, re.IGNORECASE)
            self._matches = [match.start() for _, match in zip(range(MAX_MATCHES), found, strict=False)]
            for place, at in enumerate(self._matches):
                style = "$accent reverse bold" if place == self._match_index else "reverse"
                drawn = drawn.stylize(style, at, at + len(self._search_term))
            count = f"{self._match_index + 1} of {len(self._matches)}" if self._matches else "no match"
            content, search = [drawn], f"/ {self._search_term}  {count} "
        if search != self._tabs.search:
            self._tabs.search = search
            self._tabs.refresh()
        return content

    def _scroll_to_match(self) -> None:
        self.tick()
        if self._matches:
            above = Content(self._searched_text.plain[: self._matches[self._match_index]])
            line = above.get_height({}, max(1, self._scroll.scrollable_content_region.width)) - 1
            self._scroll.scroll_to(y=max(0, line - self._scroll.size.height // 2), animate=False)
