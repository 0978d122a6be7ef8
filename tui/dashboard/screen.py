"""The dashboard: table, detail and bars, kept true to a Feed. What the commands do is handed to it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from datetime import UTC, tzinfo
from typing import cast

from msgspec.structs import replace
from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Container
from textual.events import ScreenResume
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Input, Static

from tui.commands import Command
from tui.dashboard.board_model import PAUSED, Board
from tui.dashboard.startup import Looks
from tui.dashboard.widgets.bars import HintBar, TopBar, ViewBar
from tui.dashboard.widgets.detail import DetailPane, DetailTabs
from tui.dashboard.widgets.detail_pages import Tab
from tui.dashboard.widgets.job_table import JobTable
from tui.dashboard.widgets.messages import Due
from tui.dashboard.widgets.notifications import Notices, Severity
from tui.dashboard.widgets.semantic_styles import TONES
from tui.dashboard.widgets.table_header import TableHead
from tui.dashboard.widgets.welcome import Greeting, Welcome
from tui.domain.models import Ref
from tui.engine.api import Command as Wish
from tui.engine.api import Feed, Outcome, Update
from tui.presentation.queries import View
from tui.storage.config.settings import Alerts

TICK = 1.0
"""Seconds that are left between two looks at what time has changed on the screen. Where nothing will, none is taken."""
SILENT = 5.0
"""Seconds without a heartbeat after which the engine counts as stuck."""


WIDTHS = [(0, "-narrow"), (120, "-below"), (160, "-beside")]
HEIGHTS = [(0, "-short"), (30, "-tall")]
"""Cells from which on the screen has a class."""
LINES = {"filter": "phase:failed  -tag:test  provider:…  text", "find": "search in the response"}
"""The lines to type in, and what stands in them while they are empty."""


class Covered(Container):
    """What is covered by its children, and need not be drawn itself."""

    BLANK = True


class Dashboard(Screen[None]):
    """The one screen that stays. Its parts cover it."""

    BLANK = True
    COMPONENT_CLASSES = TONES
    HORIZONTAL_BREAKPOINTS = WIDTHS
    VERTICAL_BREAKPOINTS = HEIGHTS
    AUTO_FOCUS = "JobTable"

    def __init__(
        self,
        board: Board,
        feed: Feed,
        *,
        commands: tuple[Command, ...],
        greeting: Greeting,
        zone: tzinfo,
        looks: Looks,
        keep: Callable[[Looks], None],
        role: str,
        alerts: Alerts,
        desktop: Callable[[str], None],
        readonly: bool,
        doers: Callable[["Dashboard"], tuple[object, ...]],
    ) -> None:
        """`zone` is the local one. `keep` is told how the screen looks, whenever the operator changed that.

        `desktop` sends a desktop notification. `doers` makes what does the commands: each has a method of its id.
        """
        super().__init__()
        self._local = zone
        self._looks = looks
        self._keep = keep
        self._timer: asyncio.TimerHandle | None = None
        self._seen = False
        self.board = board
        self.feed = feed
        self.commands = {command.id: command for command in commands}
        for command in commands:  # not Textual's keymap: applying that takes 8 ms a key
            for key in command.keys:
                does = Binding(key, f"do('{command.id}')", command.title, show=False, id=command.id)
                at_once = Binding(key, f"do_at_once('{command.id}')", show=False, priority=True)
                self._bindings.key_to_bindings[key] = [at_once, does]
        self.readonly = readonly
        self.table = JobTable(board)
        self.pane = DetailPane(board, feed, self.zone)
        self.frozen: list[Update] | None = None
        """The updates that are held back; None: the view is not frozen."""
        self._top = TopBar(board, self.zone, role)
        self._views = ViewBar(board, lambda: len(self.table.refs))
        self._greeting = greeting
        self._notices = Notices(
            alerts, toast=self._toast, bell=lambda: self.host.bell(), desktop=desktop, later=self.set_timer
        )
        self._doers = doers(self)
        board.zone = None if looks.time == "relative" else self.zone()
        self.set_class(not looks.preview, "-alone")
        self.set_class(looks.turned, "-turned")

    @property
    def host(self) -> App[None]:
        """The app, with its type."""
        return cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType]  Textual leaves its type open

    def zone(self) -> tzinfo:
        """The zone in which instants are shown."""
        return UTC if self._looks.time == "utc" else self._local

    def turn_time(self) -> None:
        """Turns to the next form of the times, and says which it is."""
        said = {"relative": "how long ago and how far away", "local": "local time", "utc": "UTC"}
        order = list(said)
        form = order[(order.index(self._looks.time) + 1) % len(order)]
        self._looks = replace(self._looks, time=form)
        self.board.zone = None if form == "relative" else self.zone()
        self.query_one(TableHead).refresh()
        self.table.turn_times()
        self.tick()
        self.say(f"times: {said[form]}")

    def remember(self) -> None:
        """Has the looks kept."""
        board = self.board
        looks = replace(
            self._looks,
            view=board.view,
            sort=board.sort,
            descending=board.descending,
            preview=not self.has_class("-alone"),
            turned=self.has_class("-turned"),
            theme=self.host.theme,
        )
        self._looks = looks
        self._keep(looks)

    def compose(self) -> ComposeResult:
        """From the top line to the keys."""
        self._foresee(self.host.size)
        yield self._top
        yield self._views
        yield Static(id="problems", markup=False)
        with Covered(id="body"):
            yield Welcome(self._greeting)
            with Covered(id="jobs"):
                yield TableHead(self.board)
                yield self.table
                yield Static(id="empty", markup=False)
            yield self.pane
        yield HintBar(list(self.commands.values()))

    def _foresee(self, size: Size) -> None:
        """Sets the size's classes before anything is styled: Textual does when all stands, and styles it anew."""
        for length, points in ((size.width, WIDTHS), (size.height, HEIGHTS)):
            self.add_class(max(point for point in points if point[0] <= length)[1], update=False)

    def on_screen_resume(self, event: ScreenResume) -> None:
        """When the screen comes up for the first time, everything on it was styled a moment ago."""
        event.refresh_styles = event.refresh_styles and self._seen
        self._seen = True

    def on_mount(self) -> None:
        """Shows what is known and looks at the time from now on."""
        self.rearrange()

    # What the engine says.

    def take(self, update: Update) -> None:
        """Takes over an update, or holds it back while the view is frozen. Notices are never held back."""
        self._notices.take(update.notices)
        if self.frozen is not None:
            self.frozen.append(update)
            return
        self.board.take(update)
        self.tick()

    def complete(self, update: Update) -> None:
        """Takes over all jobs, where the first frame showed only those at the top."""
        self.board.partial = False
        self.board.take(update)
        self.rearrange()

    def rearrange(self) -> None:
        """Shows the jobs that view and filter let through."""
        refs = self.board.arranged()
        self.set_class(not self.board.states, "-nothing")
        self.set_class(bool(self.board.states) and not refs, "-empty")
        if not refs:
            self.query_one("#empty", Static).update(self._why_empty())
        self.table.show_jobs(refs)
        self.tick()

    def _why_empty(self) -> str:
        if self.board.filter.terms:
            return f"No job here matches “{self.board.filter_text}”. Esc shows all."
        if self.board.view is View.ALL:
            return "Every job is in the archive: 6 shows it."
        return f"No job is in the view {self.board.view.capitalize()}. 1 shows all."

    def tick(self) -> None:
        """Paints what says something else than a moment ago, and sleeps until that happens again."""
        if self.frozen is None and self.board.arranged() is not self.table.refs:
            self.rearrange()  # which comes back here
            return
        still = min(SILENT, self._top.still_for())
        if self.frozen is None:
            still = min(still, self.table.tick() - self.board.now(), self.pane.tick())
        self._top.tick()
        self._views.tick()
        self._show_problems()
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()  # a timer of Textual's is a task and three messages, each second
        self._timer = loop.call_later(max(TICK, still), self.post_message, Due())

    def _show_problems(self) -> None:
        problems = list(self.board.problems)
        silent = self.feed.silent_for()
        if silent > SILENT:
            problems.append(f"the engine has not answered for {silent:.0f} s: what you see is as old as that")
        if self.board.paused:
            here = self.board.role == PAUSED
            problems.append("asking is paused: Z goes on" if here else "asking is paused: Z over there goes on")
        if self.frozen is not None:
            problems.append("the view is frozen: z lets it go on")
        banner = self.query_one("#problems", Static)
        text = "\n".join(problems)
        if banner.content != text:
            banner.update(text)
            banner.display = bool(text)

    def _toast(self, text: str, severity: Severity) -> None:
        self.notify(text, severity=severity, markup=False)

    # What the operator wants.

    def action_do(self, command: str) -> None:
        """Does a command of the table, by its id."""
        if self.readonly and self.commands[command].writes:
            self.say(f"--readonly forbids to {self.commands[command].title}", ok=False)
            return
        for doer in self._doers:
            do = getattr(doer, command, None)
            if do is not None:
                do()
                return

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  Textual's
        """What is done at once is so only while the table has the focus: anything else may want the key for itself."""
        return action != "do_at_once" or self.focused is self.table

    def action_do_at_once(self, command: str) -> None:
        """Does a command before its key goes from widget to widget, which takes a third of the time until its paint."""
        self.action_do(command)

    def wish(self, command: Wish, then: Callable[[Outcome], None] | None = None, *, anyway: bool = False) -> None:
        """Sends a command to the engine, says what came of it and goes on where that is good, or `anyway`."""
        self.run_worker(self._wish(self.feed.send(command), then, anyway=anyway), group="wishes")

    async def _wish(self, coming: "Future[Outcome]", then: Callable[[Outcome], None] | None, *, anyway: bool) -> None:
        outcome = await asyncio.wrap_future(coming)
        self.say(outcome.message, ok=outcome.ok)
        if (outcome.ok or anyway) and then is not None:
            then(outcome)

    def say(self, message: str, *, ok: bool = True) -> None:
        """A toast."""
        if message:
            self.notify(message, severity="information" if ok else "error", markup=False)

    @property
    def chosen(self) -> tuple[Ref, ...]:
        """What a command is about: the marked jobs, else the one under the cursor."""
        return self.board.chosen(self.table.cursor)

    # What the parts say.

    @on(Due)
    def _due(self) -> None:
        self.tick()

    @on(JobTable.Moved)
    def _moved(self, event: JobTable.Moved) -> None:
        self.pane.show(event.ref)

    @on(JobTable.Opened)
    def _opened(self) -> None:
        self.action_do("open")

    @on(TableHead.Sorted)
    def _sorted(self, event: TableHead.Sorted) -> None:
        self.sort_by(event.column)

    def sort_by(self, sort: str) -> None:
        """Sorts; the sort that is already is turned round."""
        self.board.choose(sort=sort, descending=sort == self.board.sort and not self.board.descending)
        self.query_one(TableHead).refresh()
        self.rearrange()
        self.remember()

    @on(ViewBar.Chosen)
    def _view_chosen(self, event: ViewBar.Chosen) -> None:
        self.action_do(f"view_{event.view}")

    @on(DetailTabs.Chosen)
    def _tab_chosen(self, event: DetailTabs.Chosen) -> None:
        self.pane.choose(event.tab)

    @on(Input.Changed, "#filter")
    def _filtered(self, event: Input.Changed) -> None:
        self.board.search(event.value)
        self.rearrange()

    @on(Input.Submitted, "#filter")
    def _filter_kept(self) -> None:
        self.close_filter()

    def open_filter(self) -> None:
        """Shows the line to type the filter in."""
        self._open_line("filter")

    def close_filter(self) -> None:
        """Takes that line away; the filter stays."""
        self.set_focus(self.table)
        self.query_one("#filter", Input).display = False

    def make_lines(self) -> None:
        """Makes the lines to type in, once the first frame stands: neither it nor the first `/` waits for them.

        Where the program ends at that moment, the screen is taken down already, and takes nothing more.
        """
        for name in LINES:
            if self.is_attached and self.line(name) is None:
                self._make_line(name)

    def _make_line(self, name: str) -> Input:
        line = Input(id=name, placeholder=LINES[name], select_on_focus=False)
        line.cursor_blink = False
        self.mount(line, before=self.query_one(HintBar))
        return line

    def _open_line(self, name: str) -> None:
        """Shows a line to type in; the first frame may not stand yet."""
        line = self.line(name) or self._make_line(name)
        line.display = True
        self.set_focus(line)

    def line(self, name: str) -> Input | None:
        """The line to type in of that name; None: it is not made yet."""
        return next(iter(self.query(f"#{name}").results(Input)), None)

    def is_open(self, name: str) -> bool:
        """The line of that name stands on the screen."""
        line = self.line(name)
        return line is not None and line.display

    def empty_line(self, name: str) -> None:
        """Empties the line of that name, and what it filters or searches with it."""
        line = self.line(name)
        if line is not None:
            line.value = ""

    @property
    def reading(self) -> bool:
        """The detail has the focus and shows the response: `/` searches in it."""
        return self.focused is not self.table and self.pane.tab is Tab.RESPONSE

    @on(Input.Changed, "#find")
    def _searched(self, event: Input.Changed) -> None:
        self.pane.find(event.value)

    @on(Input.Submitted, "#find")
    def _search_kept(self) -> None:
        self.close_find()

    def open_find(self) -> None:
        """Shows the line to type in what is searched."""
        self._open_line("find")

    def close_find(self) -> None:
        """Takes that line away; the search stays until it is emptied."""
        self.set_focus(self.query_one("#detail-scroll"))
        self.query_one("#find", Input).display = False
