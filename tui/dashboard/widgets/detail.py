"""Detail pane: tabs of selectable text about the job under the cursor. The texts: `detail_pages.py`."""

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
from tui.dashboard.widgets.detail_pages import DetailPages, DetailTab, has_chart_room
from tui.dashboard.widgets.line_widget import TextPage
from tui.dashboard.widgets.messages import RefreshDue
from tui.domain.models import Ref
from tui.engine.api import EngineHandle, JobHistory

PAINT_PAUSE = 0.001
"""Seconds of pause after the cursor is painted, in which the writer thread sends it to the terminal."""
HISTORY_TABS = frozenset({DetailTab.TIMELINE, DetailTab.RESPONSE, DetailTab.REQUESTS})
"""Tabs of the journal's data. Overview has some where charts fit."""
CURSOR_REST = 0.1
"""Seconds that the cursor rests on a job before the journal is read for its charts."""
MAX_MATCHES = 500
"""Matches of a search that are highlighted and counted."""


class DetailTabs(Bar):
    """Names of the tabs, and the state of the search; a click selects a tab."""

    class TabClicked(Message):
        """A tab was clicked."""

        def __init__(self, tab: DetailTab) -> None:
            super().__init__()
            self.tab = tab

    tab = DetailTab.OVERVIEW
    search = ""
    """`/ text  3 of 12`."""

    def texts(self) -> tuple[list[TonedText], list[TonedText]]:
        """Return tabs and search: ` Overview   Timeline   Response`."""
        left: list[TonedText] = []
        for tab in DetailTab:
            left += [("   " if left else " ", "plain"), (tab.capitalize(), "chosen" if tab is self.tab else "quiet")]
        return left, [(self.search, "key")]

    def on_click(self, event: events.Click) -> None:
        """Select the tab under the mouse."""
        end = 1
        for tab in DetailTab:
            end += len(tab) + 3
            if event.x < end:
                self.post_message(self.TabClicked(tab))
                return


class DetailPane(Vertical):
    """Tabs of one job, and the text of the selected tab."""

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
        """Text that is searched."""
        self._search_term = ""
        self._matches: list[int] = []
        self._match_index = 0
        self._is_update_pending = False
        self._next_tick_at = math.inf
        """Instant of the next tick, as the last one returned it."""

    def compose(self) -> ComposeResult:
        """Yield the tabs and the text below them."""
        yield self._tabs
        with self._scroll:
            yield self._text_page

    @property
    def tab(self) -> DetailTab:
        """The selected tab."""
        return self._tab

    def show_job(self, ref: Ref | None) -> None:
        """Show another job after its row's cursor is painted."""
        if ref != self._ref:
            self._ref, self._history, self._history_poll_count = ref, None, -1
            self._match_index = 0
        if not self._is_update_pending:
            self._is_update_pending = True
            self.call_after_refresh(self._update_after_pause)

    def on_resize(self) -> None:
        """Redraw after a change of the size."""
        self.call_after_refresh(self._redraw)

    async def _update_after_pause(self) -> None:
        await asyncio.sleep(PAINT_PAUSE)
        self._is_update_pending = False
        self._scroll.scroll_home(animate=False)
        self._redraw()

    def select_tab(self, tab: DetailTab) -> None:
        """Select a tab."""
        self._tab = tab
        if self._history is None:  # it may be waiting for the cursor to rest
            self._history_poll_count = -1
        self._tabs.tab = tab
        self._tabs.refresh()
        self._scroll.scroll_home(animate=False)
        self._redraw()

    def step_tab(self, by: int) -> None:
        """Select the next tab, or with -1 the previous one."""
        order = list(DetailTab)
        self.select_tab(order[(order.index(self._tab) + by) % len(order)])

    def tick(self) -> float:
        """Update the text if it has changed. Returns the seconds until the next change.

        Loads the journal's data if the job was polled since.
        """
        if not self.display or self._is_update_pending:
            return math.inf
        state = self._board.states.get(self._ref) if self._ref is not None else None
        room = self._scroll.scrollable_content_region.size
        if (
            state is not None
            and (self._tab in HISTORY_TABS or (self._tab is DetailTab.OVERVIEW and has_chart_room(room)))
            and self._history_poll_count != state.poll_count
        ):
            self._history_poll_count = state.poll_count
            self.run_worker(self._load_history(state.job.ref), exclusive=True, group="history")
        content = self._pages.page(self._tab, state, self._history, room) if state is not None else []
        self._text_page.set_text(self._highlight_matches(content))
        unchanged_for = self._pages.unchanged_for(self._tab, state) if state is not None else math.inf
        self._next_tick_at = self._board.now() + unchanged_for
        return unchanged_for

    def _redraw(self) -> None:
        """Update the text between two ticks, and request an earlier tick if needed."""
        before = self._next_tick_at
        self.tick()
        if self._next_tick_at < before:
            self.post_message(RefreshDue())

    async def _load_history(self, ref: Ref) -> None:
        if self._tab is DetailTab.OVERVIEW:
            await asyncio.sleep(CURSOR_REST)
        history = await asyncio.wrap_future(self._engine.job_history(ref))
        if ref != self._ref:
            return
        if history.is_read:
            self._history = history
            self._redraw()
        else:
            self._history_poll_count = -1  # read again at the next tick

    # Searching in the response.

    def search(self, term: str) -> None:
        """Highlight the matches and scroll to the first; "" ends the search."""
        self._search_term, self._match_index = term, 0
        self._scroll_to_match()

    def step_match(self, by: int) -> None:
        """Scroll to the next match, or with -1 to the previous one."""
        if self._matches:
            self._match_index = (self._match_index + by) % len(self._matches)
            self._scroll_to_match()

    def _highlight_matches(self, content: list[Content]) -> list[Content]:
        """Return the text with the matches in reverse, the selected one in the accent colour."""
        self._matches, search = [], ""
        if self._search_term and self._tab is DetailTab.RESPONSE:
            drawn = self._searched_text = Content("\n").join(content)
            found = re.finditer(re.escape(self._search_term), drawn.plain, re.IGNORECASE)
            self._matches = [match.start() for _, match in zip(range(MAX_MATCHES), found, strict=False)]
            for index, start in enumerate(self._matches):
                style = "$accent reverse bold" if index == self._match_index else "reverse"
                drawn = drawn.stylize(style, start, start + len(self._search_term))
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
