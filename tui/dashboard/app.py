"""Textual app: connects an engine to the dashboard's screen."""

import asyncio
import gc
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

os.environ.setdefault("TEXTUAL_FPS", "250")  # before textual is imported: a key waits 2 ms for its paint, not 8

from textual.actions import ActionParseResult
from textual.dom import DOMNode
from textual.driver import Driver
from textual.message import Message
from textual.screen import Screen

from tui.commands import Command, apply_keymap
from tui.dashboard.board_model import BoardModel
from tui.dashboard.screen import Dashboard
from tui.dashboard.startup import (
    FIRST_ROWS,
    PREFERENCES,
    FirstRows,
    OnboardingInfo,
    UiPreferences,
    load_initial_state,
    query_of,
)
from tui.dashboard.terminal.crash_report import LoggedCrash
from tui.dashboard.terminal.input_reader import event_driven_input
from tui.dashboard.terminal.key_order import OrderedKeys
from tui.dashboard.terminal.suspend import safe_suspend
from tui.dashboard.terminal.width_anchors import width_anchors
from tui.dashboard.themes import THEMES
from tui.domain.evaluation import EvaluationContext
from tui.domain.models import Ref
from tui.engine.api import EngineHandle, SaveUiState, Update
from tui.engine.thread import EngineThread
from tui.runtime.signals import EXIT_INTERRUPTED, SCREEN_SHUTDOWN_SIGNALS, graceful_shutdown, terminal_restorer
from tui.storage import paths
from tui.storage.config.settings import Settings
from tui.storage.journal.database import OutdatedProgramError
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    from textual.command import Provider

    from tui.engine.http.client import TransportFactory


SLICE_INTERVAL = 0.01
"""Seconds between two slices of an update: an edit of 100,000 jobs is shown as fast as the engine applies it."""
SWITCH_INTERVAL = 0.0002
"""Seconds after which a thread gives up the GIL if another waits for it. A key crosses threads twice: with the default
of 5 ms, it waited 10 to 20 ms for an engine that applied an edit of 100,000 jobs."""


def _open_external(target: str, environ: Mapping[str, str]) -> bool:
    from tui.dashboard.terminal.open_external import open_external

    return open_external(target, environ)


class UpdatesAvailable(Message):
    """The engine has an update to take."""


def _palette_commands() -> "type[Provider]":
    from tui.dashboard.dialogs.palette import CommandProvider  # imported when the palette is first opened

    return CommandProvider


class Babeltop(OrderedKeys, LoggedCrash):
    """The dashboard over an engine."""

    TITLE = "babeltop"
    CSS_PATH = [paths.styles_dir() / f"{name}.tcss" for name in ("base", "dashboard")]  # noqa: RUF012  Textual's own type
    COMMANDS = {_palette_commands}  # noqa: RUF012  Textual's own type
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
        saves_preferences: bool = False,
        readonly: bool = False,
        role: str = "polling",
        child_environment: Callable[[], Mapping[str, str]] = lambda: os.environ,
        now: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
    ) -> None:
        """`initial_update` is shown until the engine's first: the last known board, or the jobs at its top.

        `child_environment` returns the environment of the programs that open links, without secrets.

        With `load_all_jobs` it is the top; that function returns all jobs, and is called after the first frame.
        """
        super().__init__()
        self._engine = engine
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self.end_reason = ""
        """Why the engine ended for good; "" while it runs."""
        self._commands: tuple[Command, ...] = apply_keymap(settings.keys)
        self._saves_preferences = saves_preferences
        self._onboarding = onboarding
        preferences = preferences or UiPreferences.load({}, settings)
        context = EvaluationContext(
            now=now(),
            stall_after=settings.polling.stall_after,
            warn_before=settings.links.warn_before,
            archive_after=settings.board.archive_after,
        )
        board = BoardModel(context, now, ascii_only=settings.ui.glyphs == "ascii", saved_views=settings.views)
        board.preferred_sort = preferences.sort, preferences.descending
        board.preferred_columns = preferences.columns
        board.show_view(preferences.view)
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
            store_preferences=self._store_preferences,
            store_first_rows=self._store_first_rows,
            role=role,
            alerts=settings.alerts,
            notify_desktop=self._notify_desktop,
            open_external=lambda target: _open_external(target, child_environment()),
            readonly=readonly,
        )
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = preferences.theme if preferences.theme in self.available_themes else THEMES[0].name
        self.stylesheet.set_variables(self.get_css_variables())

    def get_default_screen(self) -> Screen[None]:
        """Return the dashboard, the screen below all dialogs."""
        return self._dashboard

    def get_driver_class(self) -> type[Driver]:
        """Return the terminal's driver with width anchors, safe suspend and event-driven input."""
        return width_anchors(safe_suspend(event_driven_input(super().get_driver_class())))

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Return the colours of the phases for Textual's own themes, which lack them."""
        return THEMES[0].variables

    def refresh_css(self, animate: bool = True) -> None:
        """Refresh the styles, except for the initial theme: parsing all styles again would delay the first frame."""
        if self._event_loop is not None:
            super().refresh_css(animate)

    def on_mount(self) -> None:
        """Paint the initial jobs first; the engine, and everything that only a key needs, start after that."""
        self._event_loop = asyncio.get_running_loop()
        self.call_after_refresh(self._after_first_frame)

    def _after_first_frame(self) -> None:
        """Load all jobs, start the engine, and exempt from garbage collection what the first frame created."""
        if self._load_all_jobs is not None:
            self._dashboard.show_all_jobs(self._load_all_jobs())
            self._load_all_jobs = None
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        self._load_overlay_styles()
        self._dashboard.mount_inputs()
        self._engine.start(lambda: self.post_message(UpdatesAvailable()))

    def _load_overlay_styles(self) -> None:
        """Load the styles of toasts and dialogs. A dialog's CSS_PATH would have all styles parsed at its key."""
        path = paths.styles_dir() / "overlays.tcss"
        self.stylesheet.add_source(path.read_text("utf-8"), (str(path), ""))
        if self.screen_stack and self.screen is not self._dashboard:  # a key came before the first frame
            self.stylesheet.update(self.screen)

    async def run_action(
        self,
        action: "str | ActionParseResult",
        default_namespace: DOMNode | None = None,
        namespaces: Mapping[str, DOMNode] | None = None,
    ) -> bool:
        """Run an action; to page a list that has no lines yet, on a tiny terminal, does nothing."""
        try:
            return await super().run_action(action, default_namespace, namespaces)
        except KeyError:
            if action not in {"page_down", "page_up"}:
                raise
            return True

    def request_exit(self) -> None:
        """Exit from a signal handler, whatever the event loop is doing."""
        if self._event_loop is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._event_loop.call_soon_threadsafe(self.exit, None, EXIT_INTERRUPTED)

    def on_updates_available(self) -> None:
        """Apply the engine's update; one with many states in slices, between which keys are handled."""
        update = self._engine.take_update()
        self._dashboard.apply_update(update)
        if update.has_more:
            asyncio.get_running_loop().call_later(SLICE_INTERVAL, self.post_message, UpdatesAvailable())
        if update.end_reason:
            self.end_reason = update.end_reason
            self.exit()

    def _notify_desktop(self, text: str) -> None:
        from tui.dashboard.terminal.desktop_notification import send_desktop_notification

        send_desktop_notification(self, text)

    def _store_preferences(self, preferences: UiPreferences) -> None:
        if self._saves_preferences:
            self._engine.send(SaveUiState({PREFERENCES: preferences}))

    def _store_first_rows(self, preferences: UiPreferences, refs: Sequence[Ref]) -> None:
        if self._saves_preferences:
            rows = FirstRows(path=self._onboarding.watchlist, query=query_of(preferences), refs=list(refs))
            self._engine.send(SaveUiState({FIRST_ROWS: rows}))

    def action_command_palette(self) -> None:
        """Open the palette."""
        from tui.dashboard.dialogs.palette import Palette

        if not Palette.is_open(self):
            self.push_screen(Palette(id="--command-palette"))


def run(
    workspace: Workspace, *, transport: "TransportFactory | None" = None, demo: bool = False, view: str = ""
) -> int:
    """Run the dashboard until the operator quits, in a view or in the last one. Returns the exit code.

    Raises OutdatedProgramError if the program is too old for what processes share.

    `demo`: save nothing, and delete the workspace's folder also if an exit takes too long and is forced.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    engine = EngineThread(workspace, transport=transport)
    initial = load_initial_state(workspace, view)
    app = Babeltop(
        engine,
        workspace.settings,
        OnboardingInfo(str(workspace.paths.watchlist_file), workspace.key_variables()),
        initial_update=initial.update,
        load_all_jobs=initial.load_all_jobs,
        preferences=initial.preferences,
        saves_preferences=not demo,
        readonly=workspace.readonly,
        child_environment=workspace.keys.child_environment,
        now=workspace.wall,
        role="demo" if demo else "read-only" if workspace.readonly else "polling",
    )
    del initial  # the app holds what it still needs of it
    restore_terminal = terminal_restorer()

    def clean_up() -> None:
        engine.close()
        restore_terminal()
        if demo:
            shutil.rmtree(workspace.paths.config_dir, ignore_errors=True)

    terminal = sys.stdin.fileno()
    with graceful_shutdown(app.request_exit, clean_up, signals=SCREEN_SHUTDOWN_SIGNALS, terminal=terminal):
        try:
            app.run()
        finally:
            engine.close()
    if app.end_reason:
        raise OutdatedProgramError(app.end_reason)
    return app.return_code or 0
