"""Main screen: table, detail and bars over the engine's updates. The commands' handlers: `tui.dashboard.actions`."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import UTC, tzinfo
from time import monotonic
from typing import TYPE_CHECKING, cast

from msgspec.structs import replace
from textual import on
from textual.app import App, ComposeResult
from textual.containers import Container
from textual.events import ScreenResume
from textual.geometry import Size
from textual.screen import Screen
from textual.widgets import Input, Static

from tui.commands import Command, key_label
from tui.dashboard.board_model import PAUSED, BoardModel
from tui.dashboard.row_index import Row
from tui.dashboard.startup import OnboardingInfo, UiPreferences
from tui.dashboard.terminal.key_bindings import bind_commands
from tui.dashboard.widgets.bars import FooterBar, TopBar, ViewBar
from tui.dashboard.widgets.detail import DetailPane, DetailTabs
from tui.dashboard.widgets.detail_pages import DetailTab
from tui.dashboard.widgets.job_table import JobTable
from tui.dashboard.widgets.messages import RefreshDue
from tui.dashboard.widgets.notifications import Notifier, Severity
from tui.dashboard.widgets.semantic_styles import TONE_CLASSES
from tui.dashboard.widgets.table_header import TableHeader
from tui.domain.models import Ref
from tui.engine.api import Command as EngineCommand
from tui.engine.api import CommandResult, EngineHandle, Update
from tui.presentation.queries import View
from tui.storage.config.settings import AlertSettings
from tui.storage.watchlist.cache import HEAD_JOBS
from tui.storage.watchlist.operations import Operation

if TYPE_CHECKING:
    from tui.dashboard.widgets.filter_input import FilterInput
    from tui.presentation.filters.completion import Candidate
    from tui.presentation.filters.grammar import Problem

MIN_TICK = 1.0
"""Minimum seconds between two checks of what time alone has changed on the screen."""
ENGINE_TIMEOUT = 5.0
"""Seconds without a heartbeat after which the engine counts as not responding."""
UNDO_LIMIT = 50
"""Changes that can be undone, the last one first."""
WIDTH_BREAKPOINTS = [(0, "-narrow"), (120, "-medium"), (160, "-wide")]
HEIGHT_BREAKPOINTS = [(0, "-short"), (30, "-tall")]
"""Cells from which on the screen has a CSS class."""
FIRST_ROWS_INTERVAL = 30.0
"""Minimum seconds between two writes of the first rows."""
SEARCH_SLICE = 1000
"""Jobs whose search text is prepared at once while the filter is open: about 5 ms, between two keys."""
_TIME_FORMATS = {"relative": "relative", "local": "local time", "utc": "UTC"}


class OpaqueContainer(Container):
    """Container that its children cover, so that it need not be drawn."""

    BLANK = True


class Dashboard(Screen[None]):
    """The one screen that stays open; its children cover it."""

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
        store_first_rows: Callable[[UiPreferences, Sequence[Ref]], None],
        role: str,
        alerts: AlertSettings,
        notify_desktop: Callable[[str], None],
        open_external: Callable[[str], bool],
        readonly: bool,
    ) -> None:
        """`store_preferences` is called whenever the operator changes a preference, `store_first_rows` now and then.

        `open_external` opens a link or a folder; it returns False without a desktop.
        """
        super().__init__()
        self._local_zone = local_zone
        self._preferences = preferences
        self._store_preferences = store_preferences
        self._store_first_rows = store_first_rows
        self._first_rows: Sequence[Ref] = ()
        self._first_rows_stored_at = 0.0
        """Monotonic seconds."""
        self._tick_timer: asyncio.TimerHandle | None = None
        self._was_resumed = False
        self.board = board
        self.engine = engine
        self.commands: dict[str, Command] = {command.id: command for command in commands}
        bind_commands(self, commands)
        self.open_external = open_external
        self.readonly = readonly
        self.table = JobTable(board)
        self.detail = DetailPane(board, engine, self.zone)
        self.held_updates: list[Update] | None = None
        """Updates held back; None: the view is not frozen."""
        self.undo_stack = deque[Operation](maxlen=UNDO_LIMIT)
        """Operations that take back the changes of the watchlist, the last one last."""
        self._top_bar = TopBar(board, self.zone, role)
        self._view_bar = ViewBar(board, lambda: len(self.table.rows))
        self._footer = FooterBar(self.possible_commands)
        self._no_matches = Static(id="no-matches", markup=False)
        self._banner = Static(id="banner", markup=False)
        self._inputs: dict[str, Input] = {}
        self._onboarding: OnboardingInfo | None = onboarding
        """Facts for the first-run screen; None once it is mounted."""
        self._body = OpaqueContainer(id="body")
        self._notifier = Notifier(
            alerts,
            toast=self._show_notification,
            bell=lambda: self.typed_app.bell(),
            desktop=notify_desktop,
            call_later=self.set_timer,
        )
        board.set_zones(None if preferences.time == "relative" else self.zone(), self.zone())
        self.set_class(not preferences.preview, "-table-only")
        self.set_class(preferences.detail_swapped, "-detail-swapped")

    @property
    def is_readonly(self) -> bool:
        """Whether nothing may be written: by `--readonly`, or as viewer of a team."""
        return self.readonly or self.board.is_viewer

    def can_run(self, command: Command) -> bool:
        """Return whether the operator may run the command at all."""
        is_disabled = (command.writes and self.is_readonly) or (not command.for_viewers and self.board.is_viewer)
        return not is_disabled

    def refuse(self, command: Command) -> None:
        """Show that the operator may not run the command."""
        why = " for the role viewer" if self.board.is_viewer else ""
        self.toast(f"Read-only: {command.title} is disabled{why}", ok=False)

    def possible_commands(self) -> tuple[Command, ...]:
        """Return the commands that the operator may run."""
        return tuple(command for command in self.commands.values() if self.can_run(command))

    @property
    def typed_app(self) -> App[None]:
        """The app, with its type."""
        return cast("App[None]", self.app)  # pyright: ignore[reportUnknownMemberType]  Textual leaves its type open

    def zone(self) -> tzinfo:
        """Return the time zone of the instants shown."""
        return UTC if self._preferences.time == "utc" else self._local_zone

    def cycle_time_format(self) -> None:
        """Select the next time format, and show which it is."""
        formats = list(_TIME_FORMATS)
        selected = formats[(formats.index(self._preferences.time) + 1) % len(formats)]
        self._preferences = replace(self._preferences, time=selected)
        self.board.set_zones(None if selected == "relative" else self.zone(), self.zone())
        self.query_one(TableHeader).refresh()
        self.table.on_columns_change()
        self.update_rows()
        self.toast(f"Times: {_TIME_FORMATS[selected]}")

    def save_preferences(self) -> None:
        """Store how the screen looks for the next start."""
        board = self.board
        self._preferences = replace(
            self._preferences,
            view=board.view,
            sort=board.preferred_sort[0],
            descending=board.preferred_sort[1],
            columns=board.preferred_columns,
            preview=not self.has_class("-table-only"),
            detail_swapped=self.has_class("-detail-swapped"),
            theme=self.typed_app.theme,
        )
        self._store_preferences(self._preferences)

    def compose(self) -> ComposeResult:
        """Yield the widgets from top to bottom."""
        self._apply_breakpoints(self.typed_app.size)
        yield self._top_bar
        yield self._view_bar
        yield self._banner
        with self._body:
            with OpaqueContainer(id="jobs"):
                yield TableHeader(self.board)
                yield self.table
                yield self._no_matches
            yield self.detail
        yield self._footer

    def _apply_breakpoints(self, size: Size) -> None:
        """Set the size's classes before anything is styled; Textual sets them later, and styles everything twice."""
        for length, points in ((size.width, WIDTH_BREAKPOINTS), (size.height, HEIGHT_BREAKPOINTS)):
            self.add_class(max(point for point in points if point[0] <= length)[1], update=False)

    def on_screen_resume(self, event: ScreenResume) -> None:
        """Skip the styling of the first resume: everything has just been styled."""
        event.refresh_styles = event.refresh_styles and self._was_resumed
        self._was_resumed = True

    def on_mount(self) -> None:
        """Show the initial jobs and start the tick."""
        self.update_rows()

    # Updates from the engine.

    def apply_update(self, update: Update) -> None:
        """Apply an update, or hold it back while the view is frozen. Notices are never held back."""
        self._notifier.deliver(update.notices)
        if self.held_updates is not None:
            self.held_updates.append(update)
            return
        self._apply([update])
        self.tick()

    def release_updates(self) -> None:
        """Unfreeze the view, and apply the updates that were held back."""
        held, self.held_updates = self.held_updates or [], None
        self._apply(held)
        self.update_rows()

    def _apply(self, updates: Iterable[Update]) -> None:
        columns, was_viewer = self.board.columns, self.board.is_viewer
        for update in updates:
            self.board.apply_update(update)
        if self.board.columns != columns:
            self.query_one(TableHeader).refresh()
            self.table.on_columns_change()
        if self.board.is_viewer is not was_viewer:
            self._footer.tick()

    def show_all_jobs(self, update: Update) -> None:
        """Apply the update with all jobs, after a first frame with those at the top."""
        self.board.is_partial = False
        self.board.apply_update(update)
        self.update_rows()

    def update_rows(self) -> None:
        """Show the jobs that match view and filter."""
        rows = self.board.visible_rows()
        self.set_class(not self.board.states, "-no-jobs")
        if not self.board.states and self._onboarding is not None:
            from tui.dashboard.widgets.welcome import Welcome  # mounted for an empty watchlist only

            self._body.mount(Welcome(self._onboarding), before=0)
            self._onboarding = None
        has_no_matches = bool(self.board.states) and not rows
        if has_no_matches is self.table.display:  # a class of the screen would have everything styled again
            self._no_matches.display, self.table.display = has_no_matches, not has_no_matches
        if has_no_matches:
            self._no_matches.update(self._no_matches_text(), layout=False)  # it has a place of its own
        self.table.show_rows(rows)
        self._remember_first_rows(rows)
        self.tick()

    def _remember_first_rows(self, rows: Sequence[Row]) -> None:
        """Store the first rows for the first frame of the next start, now and then."""
        is_own = not self.board.is_partial and not self.board.shows_team
        is_long = len(self.board.states) > HEAD_JOBS and is_own and not self.board.filter_text
        if not is_long or monotonic() - self._first_rows_stored_at < FIRST_ROWS_INTERVAL:
            return
        first = [row.ref for row in rows[:HEAD_JOBS]]
        if first != self._first_rows:
            self._first_rows, self._first_rows_stored_at = first, monotonic()
            self._store_first_rows(self._preferences, first)

    def _no_matches_text(self) -> str:
        if self.board.filter_text:
            hints = "".join(f"\n{hint}" for hint in self.board.unused_values())
            return f"No jobs match “{self.board.filter_text}”. Esc: clear the filter{hints}"
        if self.board.view == View.ALL:
            return "All jobs are archived. 6: archive"
        name = self.board.view.capitalize() if isinstance(self.board.view, View) else self.board.view
        return f"No jobs in view {name}. 1: all jobs"

    def tick(self) -> None:
        """Repaint what differs from the screen, and schedule the next tick for when something will."""
        if self.held_updates is None and self.board.visible_rows() is not self.table.rows:
            self.update_rows()  # which calls this method
            return
        unchanged_for = min(ENGINE_TIMEOUT, self._top_bar.unchanged_for())
        if self.held_updates is None:
            unchanged_for = min(unchanged_for, self.table.tick() - self.board.now(), self.detail.tick())
        self._top_bar.tick()
        self._view_bar.tick()
        self._update_banner()
        if self._tick_timer is not None:
            self._tick_timer.cancel()
        loop = asyncio.get_running_loop()  # a timer of Textual's is a task and three messages, each second
        self._tick_timer = loop.call_later(max(MIN_TICK, unchanged_for), self.post_message, RefreshDue())

    def _update_banner(self) -> None:
        problems = list(self.board.problems)
        silent_for = self.engine_silence()
        if silent_for:
            problems.append(
                f"Engine not responding for {silent_for:.0f} s: the data shown is outdated. "
                "Restart babeltop if this persists"
            )
        if self.board.is_paused:
            is_paused_here = self.board.role == PAUSED
            resume = "Polling paused. Z: resume" if is_paused_here else "Polling paused by the leader. Z there: resume"
            problems.append(resume if self.board.is_viewer else f"{resume} · r: refresh")
        if self.held_updates is not None:
            problems.append("View frozen; polling continues. z: unfreeze")
        text = "\n".join(problems)
        if self._banner.content != text:
            self._banner.update(text)
            self._banner.display = bool(text)

    def engine_silence(self) -> float:
        """Return the seconds for which the engine has not responded; 0: it does."""
        silent_for = self.engine.silent_for()
        return silent_for if silent_for > ENGINE_TIMEOUT else 0.0

    def _show_notification(self, text: str, severity: Severity) -> None:
        self.notify(text, severity=severity, markup=False)

    # Commands.

    def action_run_command(self, command_id: str, at_once: bool = False) -> None:  # noqa: ARG002  see check_action
        """Run a command. Raises KeyError for an unknown id."""
        from tui.dashboard.actions import HANDLERS  # imported after the first frame: 2 ms

        command = self.commands[command_id]
        if not self.can_run(command):
            self.refuse(command)
        else:
            HANDLERS[command.id](self)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Return whether the action may run: commands `at_once` only with the focus on the table, which takes no keys.

        At once is before the key passes from widget to widget, which takes a third of the time to its paint.
        """
        return action != "run_command" or parameters[1:] != (True,) or self.focused is self.table

    def send_command(
        self,
        command: EngineCommand,
        on_result: Callable[[CommandResult], None] | None = None,
        *,
        even_if_failed: bool = False,
    ) -> None:
        """Send a command to the engine and show its result; call `on_result` if it succeeds, or `even_if_failed`."""
        future = self.engine.send(command)
        self.run_worker(self._await_result(future, on_result, even_if_failed=even_if_failed), group="commands")

    async def _await_result(
        self,
        future: "Future[CommandResult]",
        on_result: Callable[[CommandResult], None] | None,
        *,
        even_if_failed: bool,
    ) -> None:
        result = await asyncio.wrap_future(future)
        message = result.message
        if result.undo is not None:
            self.undo_stack.append(result.undo)
            message += f" · {key_label(self.commands['undo'].keys[0])}: undo"
        self.toast(message, ok=result.ok)
        if (result.ok or even_if_failed) and on_result is not None:
            on_result(result)

    def toast(self, message: str, *, ok: bool = True) -> None:
        """Show a toast; none for an empty message."""
        if message:
            self.notify(message, severity="information" if ok else "error", markup=False)

    def copy_text(self, text: str, name: str, remark: str = "") -> None:
        """Send the text to the terminal's clipboard. OSC 52 is never acknowledged, so the toast claims no more."""
        self.typed_app.copy_to_clipboard(text)
        self.toast(f"{name} sent to the terminal's clipboard (OSC 52){remark}")

    @property
    def selected_refs(self) -> tuple[Ref, ...]:
        """The marked jobs, else the one under the cursor."""
        if self.board.marks:
            return tuple(ref for ref in self.board.states if ref in self.board.marks)
        return (self.table.cursor,) if self.table.cursor is not None else ()

    def undo_last(self) -> bool:
        """Undo the last change of the watchlist; return False if there is none. A failed one can be tried again."""
        if not self.undo_stack:
            return False
        operation = self.undo_stack.pop()
        future = self.engine.send(operation)

        async def await_result() -> None:
            result = await asyncio.wrap_future(future)
            if not result.ok:
                self.undo_stack.append(operation)
            self.toast(f"Undo: {result.message}" if result.ok else result.message, ok=result.ok)

        self.run_worker(await_result(), group="commands")
        return True

    def sort_by(self, sort: str) -> None:
        """Sort by a column; reverse the order if the table is sorted by it."""
        self.board.set_sort(sort, descending=sort == self.board.sort and not self.board.descending)
        self._show_arrangement()

    def show_view(self, view: str) -> None:
        """Show a view, with the sort and the columns that it has."""
        self.board.show_view(view)
        self._show_arrangement()

    def set_columns(self, columns: tuple[str, ...]) -> None:
        """Show these columns in the views that have none of their own."""
        self.board.preferred_columns = columns
        self._show_arrangement()

    def _show_arrangement(self) -> None:
        """Show the table with the board's view, sort and columns, and store them."""
        self.query_one(TableHeader).refresh()
        self.update_rows()
        self.save_preferences()

    # Messages from the widgets.

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

    @on(ViewBar.ViewClicked)
    def _view_clicked(self, event: ViewBar.ViewClicked) -> None:
        self.show_view(event.view)

    @on(FooterBar.CommandClicked)
    def _command_clicked(self, event: FooterBar.CommandClicked) -> None:
        self.action_run_command(event.command_id)

    @on(TopBar.AccountClicked)
    def _account_clicked(self, event: TopBar.AccountClicked) -> None:
        from tui.dashboard.actions.view import show_accounts

        show_accounts(self, event.account)

    @on(DetailTabs.TabClicked)
    def _tab_clicked(self, event: DetailTabs.TabClicked) -> None:
        self.detail.select_tab(event.tab)

    def _filter_changed(self, text: str) -> None:
        problems = self.board.set_filter(text)
        self.update_rows()
        if self.is_input_open("filter"):
            self._show_filter_hint(problems)

    @on(Input.Changed, "#search")
    def _search_changed(self, event: Input.Changed) -> None:
        self.detail.search(event.value)

    @on(Input.Submitted)
    def _input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "filter":
            if any(not problem.is_incomplete for problem in self.board.set_filter(event.value)):
                return  # the error stays below the text
            self._preferences = replace(self._preferences, filters=cast("FilterInput", event.input).remember())
            self._store_preferences(self._preferences)
        self.close_input(event.input.id or "")

    # Inputs for filter and search.

    def mount_inputs(self) -> None:
        """Mount the inputs after the first frame, so that neither it nor the first `/` waits for them.

        Nothing is mounted if the program ends at that moment: the screen is detached then.
        """
        for name in ("filter", "search"):
            if self.is_attached and self.find_input(name) is None:
                self._mount_input(name)

    def _mount_input(self, name: str) -> Input:
        if name == "filter":
            from tui.dashboard.widgets.filter_input import FilterInput  # mounted after the first frame

            widget: Input = FilterInput(self._filter_candidates, self._preferences.filters, self._filter_changed)
        else:
            widget = Input(id=name, placeholder="search the response", select_on_focus=False)
            widget.cursor_blink = False
        self._inputs[name] = widget
        self.mount(widget, before=self._footer)
        return widget

    def _filter_candidates(self, text: str) -> "list[Candidate]":
        from tui.presentation.filters.completion import complete

        return [each for each in complete(text, self.board.vocabulary) if each.text != text]

    def _show_filter_hint(self, problems: "Sequence[Problem]") -> None:
        from tui.dashboard.widgets.filter_input import filter_hint

        widget = cast("FilterInput", self._inputs["filter"])
        candidates = self._filter_candidates(widget.value)
        widget.suggest(candidates)
        self._footer.hint = filter_hint(problems, self.board.unused_values(), candidates)
        self._footer.tick()

    def _prepare_search(self) -> None:
        """Prepare the search in slices, between which keys are handled, as long as the filter is open."""
        if self.is_input_open("filter") and not self.board.prepare_search(SEARCH_SLICE):
            self.call_later(self._prepare_search)

    def find_input(self, name: str) -> Input | None:
        """Return the input of that name; None if it is not mounted yet."""
        return self._inputs.get(name)

    def open_input(self, name: str) -> None:
        """Show the input and focus it. Mounts it if a key comes before the first frame."""
        widget = self.find_input(name) or self._mount_input(name)
        widget.display = True
        self.set_focus(widget)
        if name == "filter":
            self._show_filter_hint(())
            self.call_later(self._prepare_search)

    def close_input(self, name: str) -> None:
        """Hide the input; its filter or search stays."""
        self.set_focus(self.table if name == "filter" else self.query_one("#detail-scroll"))
        self.query_one(f"#{name}", Input).display = False
        self._footer.hint = []
        self._footer.tick()

    def is_input_open(self, name: str) -> bool:
        """Return whether the input is shown."""
        widget = self.find_input(name)
        return widget is not None and widget.display

    def set_filter(self, text: str) -> None:
        """Filter the table, as if the text had been typed and accepted."""
        self.mount_inputs()
        widget = self.find_input("filter")
        if widget is not None:
            widget.value = text

    def clear_input(self, name: str) -> None:
        """Empty the input, and thereby its filter or search."""
        widget = self.find_input(name)
        if widget is not None:
            widget.value = ""

    @property
    def is_searching_response(self) -> bool:
        """`/` searches: the detail has the focus and shows the response."""
        return self.focused is not self.table and self.detail.tab is DetailTab.RESPONSE
