"""How the terminal is given back while the program is stopped by a signal, and taken again when it goes on."""

from collections.abc import Callable
from contextlib import suppress

from textual.driver import Driver


def safe_suspend(driver: type[Driver]) -> type[Driver]:
    """The driver, which does so in its loop's turn. Any but a terminal's own stays as it is.

    Textual does it within the signals' handlers. They come in the middle of anything, a write's lock included, for
    which the handler would then wait for ever. And what goes on after SIGSTOP, of which nobody is told, would take a
    terminal that it has already: what is put back at its end would be its own modes.
    """
    from textual.drivers.linux_driver import LinuxDriver

    if not issubclass(driver, LinuxDriver):
        return driver

    class SafeSuspend(driver):
        def _sigtstp_application(self, *_: object) -> None:
            self._soon(self._stop)

        def _sigcont_application(self, *_: object) -> None:
            self._soon(self._go_on)

        def _soon(self, do: Callable[[], None]) -> None:
            with suppress(RuntimeError):  # the loop has ended, and the program is about to
                self._loop.call_soon_threadsafe(do)

        def _stop(self) -> None:
            super()._sigtstp_application()  # pyright: ignore[reportUnknownMemberType]  theirs

        def _go_on(self) -> None:
            if self._app._exit:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  nobody would stop its reader
                return
            if self._auto_restart and not self._must_signal_resume:
                self.suspend_application_mode()
            super()._sigcont_application()  # pyright: ignore[reportUnknownMemberType]  theirs

    return SafeSuspend
