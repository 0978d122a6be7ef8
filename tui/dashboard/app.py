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

from tui.commands import Command, remapped
from tui.dashboard.actions.downloads import Saving
from tui.dashboard.actions.jobs import JobDeeds
from tui.dashboard.actions.navigation import Moving
from tui.dashboard.actions.view import Looking
from tui.dashboard.board_model import Board
from tui.dashboard.screen import Dashboard
from tui.dashboard.startup import LOOKS, Looks, beginning
from tui.dashboard.terminal.input_reader import listening
from tui.dashboard.terminal.suspend import yielding
from tui.dashboard.terminal.width_anchors import anchoring
from tui.dashboard.themes import THEMES
from tui.dashboard.widgets.notifications import desktop_sequence
from tui.dashboard.widgets.welcome import Greeting
from tui.engine.api import Feed, Remember, Update
from tui.engine.thread import EngineThread
from tui.presentation.queries import EvaluationContext
from tui.runtime.signals import INTERRUPTED, TOLD_ON_A_SCREEN, ended_by_signals, restorer
from tui.storage import paths
from tui.storage.config.settings import Settings
from tui.storage.workspace import Library

if TYPE_CHECKING:
    from tui.engine.http.client import Transport

log = logging.getLogger(__name__)


class Fed(Message):
    """The engine has something to take."""


class Babeltop(App[None]):
    """The dashboard over a Feed."""

    TITLE = "babeltop"
    CSS_PATH = [paths.styles_dir() / f"{name}.tcss" for name in ("base", "dashboard")]  # noqa: RUF012  Textual's own type
    ENABLE_COMMAND_PALETTE = True

    def __init__(
        self,
        feed: Feed,
        settings: Settings,
        greeting: Greeting,
        *,
        first: Update | None = None,
        whole: Callable[[], Update] | None = None,
        looks: Looks | None = None,
        keeps: Library | None = None,
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
        self._feed = feed
        self._event_loop: asyncio.AbstractEventLoop | None = None
        self._commands: tuple[Command, ...] = remapped(settings.keys)
        self._keeps = keeps
        looks = looks or Looks.of({}, settings)
        outlook = EvaluationContext(
            now=now(),
            stall_after=settings.polling.stall_after,
            warn_before=settings.links.warn_before,
            archive_after=settings.board.archive_after,
        )
        board = Board(outlook, now, ascii_only=settings.ui.glyphs == "ascii")
        board.choose(view=looks.view, sort=looks.sort, descending=looks.descending)
        self._whole = whole
        if first is not None:
            board.take(first)
        board.partial = whole is not None
        self._dashboard = Dashboard(
            board,
            feed,
            commands=self._commands,
            greeting=greeting,
            zone=zone or datetime.now(UTC).astimezone().tzinfo or UTC,
            looks=looks,
            keep=lambda looks: self._remember(LOOKS, looks),
            role=role,
            alerts=settings.alerts,
            desktop=self._call_desktop,
            readonly=readonly,
            doers=_doers,
        )
        for theme in THEMES:
            self.register_theme(theme)
        self.theme = looks.theme if looks.theme in self.available_themes else THEMES[0].name
        self.stylesheet.set_variables(self.get_css_variables())

    def get_default_screen(self) -> Screen[None]:
        """The dashboard is the screen below all others."""
        return self._dashboard

    def get_driver_class(self) -> type[Driver]:
        """The terminal's driver, which also keeps columns straight, yields to what stops the program, and rests."""
        return anchoring(yielding(listening(super().get_driver_class())))

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
        self.call_after_refresh(self._begin)

    def _begin(self) -> None:
        """The first frame stands: what was made for it is no garbage, and is never looked through again."""
        if self._whole is not None:
            self._dashboard.complete(self._whole())
            self._whole = None
        if not gc.isenabled():
            gc.freeze()
            gc.enable()
        self._style_overlays()
        self._dashboard.make_lines()
        self._feed.start(self._wake)

    def _style_overlays(self) -> None:
        """Reads the styles of toasts and dialogs. As a dialog's CSS_PATH they would have all parsed anew at its key."""
        path = paths.styles_dir() / "overlays.tcss"
        self.stylesheet.add_source(path.read_text("utf-8"), (str(path), ""))
        if self.screen_stack and self.screen is not self._dashboard:  # a key came before the first frame
            self.stylesheet.update(self.screen)

    def _wake(self) -> None:
        self.post_message(Fed())

    def _call_desktop(self, text: str) -> None:
        """Has the terminal show a desktop notification, if it can. Nobody ever says whether it did."""
        if self._driver is not None and not self.is_headless:
            self._driver.write(desktop_sequence(text, os.environ))

    def leave(self) -> None:
        """Ends the app from a signal's handler, whatever its loop is doing."""
        if self._event_loop is not None:
            self._event_loop.call_soon_threadsafe(self.exit, None, INTERRUPTED)

    def on_fed(self) -> None:
        """Hands what has changed to the dashboard."""
        self._dashboard.take(self._feed.take())

    def _remember(self, name: str, value: object) -> None:
        if self._keeps is not None:
            self._feed.send(Remember({name: value}))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every command of the table."""
        if isinstance(screen, Dashboard):
            for command in self._commands:
                yield SystemCommand(command.title, command.help, lambda wanted=command.id: screen.action_do(wanted))


def _doers(dashboard: Dashboard) -> tuple[object, ...]:
    """What does the commands of the dashboard."""
    deeds = JobDeeds(dashboard)
    return Moving(dashboard), Looking(dashboard), Saving(dashboard, deeds), deeds


def run(library: Library, *, transport: "Transport | None" = None, demo: bool = False) -> int:
    """Shows the dashboard until the operator quits; returns the exit code."""
    feed = EngineThread(library, transport=transport)
    begun = beginning(library)
    greeting = Greeting(str(library.places.watchlist), library.key_variables())
    app = Babeltop(
        feed,
        library.settings,
        greeting,
        first=begun.first,
        whole=begun.whole,
        looks=begun.looks,
        keeps=None if demo else library,
        readonly=library.readonly,
        role="demo" if demo else "read-only" if library.readonly else "polling",
    )
    del begun  # the app holds of it what it needs yet
    restore = restorer()

    def give_up() -> None:
        feed.close()
        restore()

    try:
        with ended_by_signals(app.leave, give_up, signals=TOLD_ON_A_SCREEN, terminal=sys.stdin.fileno()):
            app.run()
    finally:
        feed.close()
    return app.return_code or 0
