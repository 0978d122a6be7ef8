"""The Textual app: wires a Feed to the dashboard, and nothing else."""

import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

os.environ.setdefault("TEXTUAL_FPS", "250")  # before textual is imported: a key waits 2 ms for its paint, not 8

from rich.text import Text
from textual.app import App, SystemCommand
from textual.driver import Driver
from textual.message import Message
from textual.screen import Screen

from tui.commands import Command, apply_keymap
from tui.dashboard.actions.downloads import DownloadActions
from tui.dashboard.actions.jobs import JobActions
from tui.dashboard.actions.navigation import NavigationActions
from tui.dashboard.actions.view import ViewActions
from tui.dashboard.board_model import BoardModel
from tui.dashboard.screen import Dashboard
from tui.dashboard.startup import PREFERENCES, UiPreferences, load_initial_state
from tui.dashboard.terminal.input_reader import event_driven_input
from tui.dashboard.terminal.suspend import safe_suspend
from tui.dashboard.terminal.width_anchors import width_anchors
from tui.dashboard.themes import THEMES
from tui.dashboard.widgets.notifications import desktop_sequence
from tui.dashboard.widgets.welcome import OnboardingInfo
from tui.engine.api import EngineHandle, SaveUiState, Update
from tui.engine.thread import EngineThread
from tui.presentation.queries import EvaluationContext
from tui.runtime.signals import EXIT_INTERRUPTED, SCREEN_SHUTDOWN_SIGNALS, graceful_shutdown, terminal_restorer
from tui.storage import paths
from tui.storage.config.settings import Settings
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    from tui.engine.http.client import TransportFactory

log = logging.getLogger(__name__)


class UpdatesAvailable(Message):
    """The engine has something to take."""


class Babeltop(App[None]):
    """The dashboard over a Feed."""

    TITLE = "babeltop"
    CSS_PATH = [paths.styles_dir() / f"{name}.tcss" for name in ("base", "dashboard")]  # noqa: RUF012  Textual's own type
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        engine: EngineHandle,
        settings: Settings,
        onboarding: OnboardingInfo,
        *,
        initial_update: Update | None = None,
        load_all_jobs: Callable[[], Update] | None = None,
        preferences: UiPreferences | None = None,
        workspace: Workspace | None = None,
        readonly: bool = False,
        role: str = "polling",
        now: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
    ) -> None:
        """`first` is what is shown before the engine says anything: the last known board, or its top.

        `whole` gives all of it then, once the first frame stands.

        `keeps`: whose looks and list are remembered for the next start; None: nothing is.
        """
        super().__init__()
        self._engine = engine
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self._commands: tuple[Command, ...] = apply_keymap(settings.keys)
        self._workspace = workspace
        preferences = preferences or UiPreferences.load({}, settings)
        outlook = EvaluationContext(
            now=now(),
            stall_after=settings.polling.stall_after,
            warn_before=settings.links.warn_before,
            archive_after=settings.board.archive_after,
        )
        board = BoardModel(outlook, now, ascii_only=settings.ui.glyphs == "ascii")
        board.set_view(view=preferences.view, sort=preferences.sort, descending=preferences.descending)
        self._load_all_jobs = load_all_jobs
        if initial_update is not None:
            board.apply_update(initial_update)
        board.is_partial = load_all_jobs is not None
        self._dashboard = Dashboard(
            board,
            engine,
            commands=self._commands,
            onboarding=onboarding,
            local_zone=zone or datetime.now(UTC).astimezone().tzinfo or UTC,
            preferences=preferences,
            store_preferences=lambda looks: self._save_preferences(PREFERENCES, looks),
            role=role,
            alerts=settings.alerts,
            notify_desktop=self._send_desktop_notification,
            readonly=readonly,
            handlers=_handlers,
        )
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = preferences.theme if preferences.theme in self.available_themes else THEMES[0].name
        self.stylesheet.set_variables(self.get_css_variables())

    def get_default_screen(self) -> Screen[None]:
        """The dashboard is the screen below all others."""
        return self._dashboard

    def get_driver_class(self) -> type[Driver]:
        """The terminal's driver, which also keeps columns straight, yields to what stops the program, and rests."""
        return width_anchors(safe_suspend(event_driven_input(super().get_driver_class())))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """The colours of the states, for Textual's own themes, which know none."""
        return THEMES[0].variables

    def refresh_css(self, animate: bool = True) -> None:
        """Not for the theme that was set before the start: parsing all styles again would hold up the first frame."""
        if self._event_loop is not None:
            super().refresh_css(animate)

    def _fatal_error(self) -> None:
        """An error of our own ends the screen. The log has its traceback; locals are shown nowhere: they hold keys."""
        log.exception("the dashboard ended")  # noqa: LOG004  Textual calls this while it handles the exception
        said = "babeltop ended by an error of its own; what it knew is in the journal. The log has more: "
        self._exit_renderables.append(Text(f"{said}{paths.log_file()}"))
        self._close_messages_no_wait()

    def on_mount(self) -> None:
        """Paints what is known first; the engine, and whatever only a key needs, come after that."""
        self._event_loop = asyncio.get_running_loop()
        self.call_after_refresh(self._after_first_frame)

    def _after_first_frame(self) -> None:
        """The first frame stands: what was made for it is no garbage, and is never looked through again."""
        if self._load_all_jobs is not None:
            self._dashboard.show_all_jobs(self._load_all_jobs())
            self._load_all_jobs = None
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        self._load_overlay_styles()
        self._dashboard.mount_inputs()
        self._engine.start(self._post_updates_available)

    def _load_overlay_styles(self) -> None:
        """Reads the styles of toasts and dialogs. As a dialog's CSS_PATH they would have all parsed anew at its key."""
        path = paths.styles_dir() / "overlays.tcss"
        self.stylesheet.add_source(path.read_text("utf-8"), (str(path), ""))
        if self.screen_stack and self.screen is not self._dashboard:  # a key came before the first frame
            self.stylesheet.update(self.screen)

    def _post_updates_available(self) -> None:
        self.post_message(UpdatesAvailable())

    def _send_desktop_notification(self, text: str) -> None:
        """Has the terminal show a desktop notification, if it can. Nobody ever says whether it did."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(desktop_sequence(text, os.environ))

    def request_exit(self) -> None:
        """Ends the app from a signal's handler, whatever its loop is doing."""
        if self._event_loop is not None:
            self._event_loop.call_soon_threadsafe(self.exit, None, EXIT_INTERRUPTED)

    def on_updates_available(self) -> None:
        """Hands what has changed to the dashboard."""
        self._dashboard.apply_update(self._engine.take_update())

    def _save_preferences(self, name: str, value: object) -> None:
        if self._workspace is not None:
            self._engine.send(SaveUiState({name: value}))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every command of the table."""
        if isinstance(screen, Dashboard):
            for command in self._commands:
                yield SystemCommand(
                    command.title, command.help, lambda wanted=command.id: screen.action_run_command(wanted)
                )


def _handlers(dashboard: Dashboard) -> tuple[object, ...]:
    """What does the commands of the dashboard."""
    deeds = JobActions(dashboard)
    return NavigationActions(dashboard), ViewActions(dashboard), DownloadActions(dashboard, deeds), deeds


def run(workspace: Workspace, *, transport: "TransportFactory | None" = None, demo: bool = False) -> int:
    """Shows the dashboard until the operator quits; returns the exit code."""
    feed = EngineThread(workspace, transport=transport)
    begun = load_initial_state(workspace)
    greeting = OnboardingInfo(str(workspace.paths.watchlist_file), workspace.key_variables())
    app = Babeltop(
        feed,
        workspace.settings,
        greeting,
        initial_update=begun.update,
        load_all_jobs=begun.load_all_jobs,
        preferences=begun.preferences,
        workspace=None if demo else workspace,
        readonly=workspace.readonly,
        role="demo" if demo else "read-only" if workspace.readonly else "polling",
    )
    del begun  # the app holds of it what it needs yet
    restore = terminal_restorer()

    def give_up() -> None:
        feed.close()
        restore()

    try:
        with graceful_shutdown(app.request_exit, give_up, signals=SCREEN_SHUTDOWN_SIGNALS, terminal=sys.stdin.fileno()):
            app.run()
    finally:
        feed.close()
    return app.return_code or 0
