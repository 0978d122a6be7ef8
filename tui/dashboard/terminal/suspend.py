"""Safe suspend: return the terminal on SIGTSTP, take it again on SIGCONT, wait in the background."""

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from textual.app import ScreenStackError
from textual.driver import Driver

from tui.dashboard.terminal.foreground import wait_for_foreground

if TYPE_CHECKING:
    from textual.app import App


def safe_suspend(driver: type[Driver]) -> type[Driver]:
    """Return a subclass of a terminal driver that suspends in its event loop; other drivers as they are.

    Textual suspends inside the signal handlers. They interrupt anything, a write that holds a lock included, for which
    the handler then waits forever. And after SIGSTOP, which no handler sees, Textual takes the terminal a second time,
    and at the end restores its own modes.
    """
    from textual.drivers.linux_driver import LinuxDriver

    if not issubclass(driver, LinuxDriver):
        return driver

    class SafeSuspend(driver):
        def start_application_mode(self) -> None:
            wait_for_foreground(self.fileno)  # else Textual stops the process, and goes on without a terminal
            super().start_application_mode()

        def _sigtstp_application(self, *_: object) -> None:
            self._call_soon(self._suspend)

        def _sigcont_application(self, *_: object) -> None:
            self._call_soon(self._resume)

        def _call_soon(self, callback: Callable[[], None]) -> None:
            with suppress(RuntimeError):  # the loop is closed: the program is about to end
                self._loop.call_soon_threadsafe(callback)

        def _suspend(self) -> None:
            super()._sigtstp_application()  # pyright: ignore[reportUnknownMemberType]

        def _resume(self) -> None:
            if self._app._exit:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  its reader would not be stopped
                return
            if self._auto_restart and not self._must_signal_resume:
                self.suspend_application_mode()
            super()._sigcont_application()  # pyright: ignore[reportUnknownMemberType]
            self._app.call_later(_repaint, self._app)

    return SafeSuspend


def _repaint(app: "App[Any]") -> None:
    """Paint every cell. Textual paints what has changed, but the terminal has lost all of it."""
    with suppress(ScreenStackError):  # the program is about to end
        screen = app.screen
        screen._compositor._dirty_regions.add(screen.size.region)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        screen._compositor_refresh()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
