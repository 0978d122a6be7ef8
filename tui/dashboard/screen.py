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
from tui.dashboard.board_model import PAUSED, BoardModel
from tui.dashboard.startup import UiPreferences
from tui.dashboard.widgets.bars import FooterBar, TopBar, ViewBar
from tui.dashboard.widgets.detail import DetailPane, DetailTabs
from tui.dashboard.widgets.detail_pages import DetailTab
from tui.dashboard.widgets.job_table import JobTable
from tui.dashboard.widgets.messages import RefreshDue
from tui.dashboard.widgets.notifications import Notifier, Severity
from tui.dashboard.widgets.semantic_styles import TONE_CLASSES
from tui.dashboard.widgets.table_header import TableHeader
from tui.dashboard.widgets.welcome import OnboardingInfo, Welcome
from tui.domain.models import Ref
from tui.engine.api import Command as Wish
from tui.engine.api import CommandResult, EngineHandle, Update
from tui.presentation.queries import View
from tui.storage.config.settings import AlertSettings

MIN_TICK = 1.0
"""Seconds that are left between two looks at what time has changed on the screen. Where nothing will, none is taken."""
ENGINE_TIMEOUT = 5.0
"""Seconds without a heartbeat after which the engine counts as stuck."""


WIDTH_BREAKPOINTS = [(0, "-narrow"), (120, "-medium"), (160, "-wide")]
HEIGHT_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
"""Cells from which on the screen has a class."""
INPUT_PLACEHOLDERS = {"filter": "phase:failed  -tag:test  provider:…  text", "search": "search in the response"}
"""The lines to type in, and what stands in them while they are empty."""


class OpaqueContainer(Container):
    """What is covered by its children, and need not be drawn itself."""

    BLANK = True


class Dashboard(Screen[None]):
    """The one screen that stays. Its parts cover it."""

    BLANK = True
    COMPONENT_CLASSES = TONE_CLASSES
    HORIZONTAL_BREAKPOINTS = WIDTH_BREAKPOINTS
    VERTICAL_BREAKPOINTS = HEIGHT_BREAKPOINTS
    AUTO_FOCUS = "JobTable"

    def __init__(
        self,
        board: BoardModel,
        engine: EngineHandle,
        *,
        commands: tuple[Command, ...],
        onboarding: OnboardingInfo,
        local_zone: tzinfo,
        preferences: UiPreferences,
        store_preferences: Callable[[UiPreferences], None],
        role: str,
        alerts: AlertSettings,
        notify_desktop: Callable[[str], None],
        readonly: bool,
        handlers: Callable[["Dashboard"], tuple[object, ...]],
    ) -> None:
        """`zone` is the local one. `keep` is told how the screen looks, whenever the operator changed that.

        `desktop` sends a desktop notification. `doers` makes what does the commands: each has a method of its id.
        """
        super().__init__()
        self._local_zone = local_zone
        self._preferences = preferences
        self._store_preferences = store_preferences
        self._tick_timer: asyncio.TimerHandle | None = None
        self._was_resumed = False
        self.board = board
        self.engine = engine
        self.commands = {command.id: command for command in commands}
        for command in commands:  # not Textual's keymap: applying that takes 8 ms a key
            for key in command.keys:
                does = Binding(key, f"run_command('{command.id}')", command.title, show=False, id=command.id)
                at_once = Binding(key, f"run_at_once('{command.id}')", show=False, priority=True)
                self._bindings.key_to_bindings[key] = [at_once, does]
        self.readonly = readonly
        self.table = JobTable(board)
        self.detail = DetailPane(board, engine, self.zone)
        self.held_updates: list[Update] | None = None
        """The updates that are held back; None: the view is not frozen."""
        self._top_bar = TopBar(board, self.zone, role)
        self._view_bar = ViewBar(board, lambda: len(self.table.refs))
        self._onboarding = onboarding
        self._notifier = Notifier(
            alerts,
            toast=self._show_notification,
            bell=lambda: self.typed_app.bell(),
            desktop=notify_desktop,
            call_later=self.set_timer,
        )
        self._handlers = handlers(self)
        board.zone = None if preferences.time == "relative" else self.zone()
        self.set_class(not preferences.preview, "-table-only")
        self.set_class(preferences.detail_swapped, "-detail-swapped")

    @property
    def typed_app(self) -> App[None]:
        """The app, with its type."""
        return cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType]  Textual leaves its type open

    def zone(self) -> tzinfo:
        """The zone in which instants are shown."""
        return UTC if self._preferences.time == "utc" else self._local_zone

    def cycle_time_format(self) -> None:
        """Turns to the next form of the times, and says which it is."""
        said = {"relative": "how long ago and how far away", "local": "local time", "utc": "UTC"}
        order = list(said)
        form = order[(order.index(self._preferences.time) + 1) % len(order)]
        self._preferences = replace(self._preferences, time=form)
        self.board.zone = None if form == "relative" else self.zone()
        self.query_one(TableHeader).refresh()
        self.table.on_time_format_change()
        self.tick()
        self.toast(f"times: {said[form]}")

    def save_preferences(self) -> None:
        """Has the looks kept."""
        board = self.board
        looks = replace(
            self._preferences,
            view=board.view,
            sort=board.sort,
            descending=board.descending,
            preview=not self.has_class("-table-only"),
            detail_swapped=self.has_class("-detail-swapped"),
            theme=self.typed_app.theme,
        )
        self._preferences = looks
        self._store_preferences(looks)

    def compose(self) -> ComposeResult:
        """From the top line to the keys."""
        self._apply_breakpoints(self.typed_app.size)
        yield self._top_bar
        yield self._view_bar
        yield Static(id="banner", markup=False)
        with OpaqueContainer(id="body"):
            yield Welcome(self._onboarding)
            with OpaqueContainer(id="jobs"):
                yield TableHeader(self.board)
                yield self.table
                yield Static(id="no-matches", markup=False)
            yield self.detail
        yield FooterBar(list(self.commands.values()))

    def _apply_breakpoints(self, size: Size) -> None:
        """Sets the size's classes before anything is styled: Textual does when all stands, and styles it anew."""
        for length, points in ((size.width, WIDTH_BREAKPOINTS), (size.height, HEIGHT_BREAKPOINTS)):
            self.add_class(max(point for point in points if point[0] <= length)[1], update=False)

    def on_screen_resume(self, event: ScreenResume) -> None:
        """When the screen comes up for the first time, everything on it was styled a moment ago."""
        event.refresh_styles = event.refresh_styles and self._was_resumed
        self._was_resumed = True

    def on_mount(self) -> None:
        """Shows what is known and looks at the time from now on."""
        self.update_rows()

    # What the engine says.

    def apply_update(self, update: Update) -> None:
        """Takes over an update, or holds it back while the view is frozen. Notices are never held back."""
        self._notifier.deliver(update.notices)
        if self.held_updates is not None:
            self.held_updates.append(update)
            return
        self.board.apply_update(update)
        self.tick()

    def show_all_jobs(self, update: Update) -> None:
        """Takes over all jobs, where the first frame showed only those at the top."""
        self.board.is_partial = False
        self.board.apply_update(update)
        self.update_rows()

    def update_rows(self) -> None:
        """Shows the jobs that view and filter let through."""
        refs = self.board.visible_refs()
        self.set_class(not self.board.states, "-no-jobs")
        self.set_class(bool(self.board.states) and not refs, "-no-matches")
        if not refs:
            self.query_one("#no-matches", Static).update(self._no_matches_text())
        self.table.show_jobs(refs)
        self.tick()

    def _no_matches_text(self) -> str:
        if self.board.filter.terms:
            return f"No job here matches “{self.board.filter_text}”. Esc shows all."
        if self.board.view is View.ALL:
            return "Every job is in the archive: 6 shows it."
        return f"No job is in the view {self.board.view.capitalize()}. 1 shows all."

    def tick(self) -> None:
        """Paints what says something else than a moment ago, and sleeps until that happens again."""
        if self.held_updates is None and self.board.visible_refs() is not self.table.refs:
            self.update_rows()  # which comes back here
            return
        still = min(ENGINE_TIMEOUT, self._top_bar.unchanged_for())
        if self.held_updates is None:
            still = min(still, self.table.tick() - self.board.now(), self.detail.tick())
        self._top_bar.tick()
        self._view_bar.tick()
        self._update_banner()
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        loop = asyncio.get_running_loop()  # a timer of Textual's is a task and three messages, each second
        self._tick_timer = loop.call_later(max(MIN_TICK, still), self.post_message, RefreshDue())

    def _update_banner(self) -> None:
        problems = list(self.board.problems)
        silent = self.engine.silent_for()
        if silent > ENGINE_TIMEOUT:
            problems.append(f"the engine has not answered for {silent:.0f} s: what you see is as old as that")
        if self.board.is_paused:
            here = self.board.role == PAUSED
            problems.append("asking is paused: Z goes on" if here else "asking is paused: Z over there goes on")
        if self.held_updates is not None:
            problems.append("the view is frozen: z lets it go on")
        banner = self.query_one("#banner", Static)
        text = "\n".join(problems)
        if banner.content != text:
            banner.update(text)
            banner.display = bool(text)

    def _show_notification(self, text: str, severity: Severity) -> None:
        self.notify(text, severity=severity, markup=False)

    # What the operator wants.

    def action_run_command(self, command: str) -> None:
        """Does a command of the table, by its id."""
        if self.readonly and self.commands[command].writes:
            self.toast(f"--readonly forbids to {self.commands[command].title}", ok=False)
            return
        for doer in self._handlers:
            do = getattr(doer, command, None)
            if do is not None:
                do()
                return

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002  Textual's
        """What is done at once is so only while the table has the focus: anything else may want the key for itself."""
        return action != "run_at_once" or self.focused is self.table

    def action_run_at_once(self, command: str) -> None:
        """Does a command before its key goes from widget to widget, which takes a third of the time until its paint."""
        self.action_run_command(command)

    def send_command(
        self, command: Wish, on_result: Callable[[CommandResult], None] | None = None, *, even_if_failed: bool = False
    ) -> None:
        """Sends a command to the engine, says what came of it and goes on where that is good, or `anyway`."""
        self.run_worker(
            self._await_result(self.engine.send(command), on_result, even_if_failed=even_if_failed), group="wishes"
        )

    async def _await_result(
        self,
        future: "Future[CommandResult]",
        on_result: Callable[[CommandResult], None] | None,
        *,
        even_if_failed: bool,
    ) -> None:
        outcome = await asyncio.wrap_future(future)
        self.toast(outcome.message, ok=outcome.ok)
        if (outcome.ok or even_if_failed) and on_result is not None:
            on_result(outcome)

    def toast(self, message: str, *, ok: bool = True) -> None:
        """A toast."""
        if message:
            self.notify(message, severity="information" if ok else "error", markup=False)

    @property
    def selected_refs(self) -> tuple[Ref, ...]:
        """What a command is about: the marked jobs, else the one under the cursor."""
        return self.board.selected_refs(self.table.cursor)

    # What the parts say.

    @on(RefreshDue)
    def _refresh_due(self) -> None:
        self.tick()

    @on(JobTable.CursorMoved)
    def _cursor_moved(self, event: JobTable.CursorMoved) -> None:
        self.detail.show_job(event.ref)

    @on(JobTable.JobOpened)
    def _job_opened(self) -> None:
        self.action_run_command("open")

    @on(TableHeader.SortRequested)
    def _header_clicked(self, event: TableHeader.SortRequested) -> None:
        self.sort_by(event.column)

    def sort_by(self, sort: str) -> None:
        """Sorts; the sort that is already is turned round."""
        self.board.set_view(sort=sort, descending=sort == self.board.sort and not self.board.descending)
        self.query_one(TableHeader).refresh()
        self.update_rows()
        self.save_preferences()

    @on(ViewBar.ViewClicked)
    def _view_clicked(self, event: ViewBar.ViewClicked) -> None:
        self.action_run_command(f"view_{event.view}")

    @on(DetailTabs.TabClicked)
    def _tab_clicked(self, event: DetailTabs.TabClicked) -> None:
        self.detail.select_tab(event.tab)

    @on(Input.Changed, "#filter")
    def _filter_changed(self, event: Input.Changed) -> None:
        self.board.set_filter(event.value)
        self.update_rows()

    @on(Input.Submitted, "#filter")
    def _filter_submitted(self) -> None:
        self.close_filter()

    def open_filter(self) -> None:
        """Shows the line to type the filter in."""
        self._open_input("filter")

    def close_filter(self) -> None:
        """Takes that line away; the filter stays."""
        self.set_focus(self.table)
        self.query_one("#filter", Input).display = False

    def mount_inputs(self) -> None:
        """Makes the lines to type in, once the first frame stands: neither it nor the first `/` waits for them.

        Where the program ends at that moment, the screen is taken down already, and takes nothing more.
        """
        for name in INPUT_PLACEHOLDERS:
            if self.is_attached and self.find_input(name) is None:
                self._mount_input(name)

    def _mount_input(self, name: str) -> Input:
        line = Input(id=name, placeholder=INPUT_PLACEHOLDERS[name], select_on_focus=False)
        line.cursor_blink = False
        self.mount(line, before=self.query_one(FooterBar))
        return line

    def _open_input(self, name: str) -> None:
        """Shows a line to type in; the first frame may not stand yet."""
        line = self.find_input(name) or self._mount_input(name)
        line.display = True
        self.set_focus(line)

    def find_input(self, name: str) -> Input | None:
        """The line to type in of that name; None: it is not made yet."""
        return next(iter(self.query(f"#{name}").results(Input)), None)

    def is_input_open(self, name: str) -> bool:
        """The line of that name stands on the screen."""
        line = self.find_input(name)
        return line is not None and line.display

    def clear_input(self, name: str) -> None:
        """Empties the line of that name, and what it filters or searches with it."""
        line = self.find_input(name)
        if line is not None:
            line.value = ""

    @property
    def is_searching_response(self) -> bool:
        """The detail has the focus and shows the response: `/` searches in it."""
        return self.focused is not self.table and self.detail.tab is DetailTab.RESPONSE

    @on(Input.Changed, "#search")
    def _search_changed(self, event: Input.Changed) -> None:
        self.detail.search(event.value)

    @on(Input.Submitted, "#search")
    def _search_submitted(self) -> None:
        self.close_search()

    def open_search(self) -> None:
        """Shows the line to type in what is searched."""
        self._open_input("search")

    def close_search(self) -> None:
        """Takes that line away; the search stays until it is emptied."""
        self.set_focus(self.query_one("#detail-scroll"))
        self.query_one("#search", Input).display = False
