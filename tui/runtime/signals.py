"""Graceful shutdown on signals, even while the terminal or pipe accepts no output."""

import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from types import FrameType

EXIT_TIMEOUT = 3.0
"""Seconds that a clean exit may take before the watchdog ends the process."""
EXIT_INTERRUPTED = 130
"""Default exit code after a signal."""
SHUTDOWN_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""Signals that end any subcommand."""
SCREEN_SHUTDOWN_SIGNALS = (*SHUTDOWN_SIGNALS, signal.SIGINT, signal.SIGQUIT)
"""Signals that end the dashboard: no key sends the last two there, and either would leave the terminal unusable."""
_RESET_TERMINAL = b"\x1b[?1049l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m"
"""Leaves the alternate screen, mouse and paste modes, and shows the cursor."""


@contextmanager
def graceful_shutdown(
    request_exit: Callable[[], object],
    clean_up: Callable[[], None],
    exit_code: int = EXIT_INTERRUPTED,
    *,
    signals: Iterable[signal.Signals] = SHUTDOWN_SIGNALS,
    terminal: int | None = None,
) -> Generator[None]:
    """Call `request_exit` on each of `signals`; EXIT_TIMEOUT later a watchdog calls `clean_up` and ends the process.

    The handlers are Python's: those of the event loop never run while a write blocks it. They raise nothing, since an
    exception out of nowhere interrupts, for example, a transaction. An ignored signal stays ignored. The loss of
    `terminal`, a file descriptor, counts as SIGHUP.
    """
    has_left = threading.Event()

    def watch() -> None:
        if not has_left.wait(EXIT_TIMEOUT):
            clean_up()
            os._exit(exit_code)

    def end() -> None:
        request_exit()
        threading.Thread(target=watch, name="watchdog", daemon=True).start()

    def handle(_number: int, _frame: FrameType | None) -> None:
        end()

    handled = [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in handled}
    if terminal is not None:
        threading.Thread(target=_watch_hangup, args=(terminal, has_left, end), name="terminal", daemon=True).start()
    try:
        yield
    finally:
        has_left.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch_hangup(terminal: int, has_left: threading.Event, request_exit: Callable[[], None]) -> None:
    """Sleep until the terminal is gone. A reader of a lost terminal gets empty reads forever."""
    hangup = select.poll()
    hangup.register(terminal, 0)
    lost = any(event & (select.POLLHUP | select.POLLERR) for _, event in hangup.poll())
    if lost and not has_left.is_set():
        request_exit()


def terminal_restorer() -> Callable[[], None]:
    """Return a function that restores the terminal's present mode without waiting for the terminal."""
    mode = None
    with suppress(termios.error, ValueError, OSError, AttributeError):
        mode = termios.tcgetattr(sys.__stdin__.fileno())  # pyright: ignore[reportOptionalMemberAccess]  suppressed

    def restore() -> None:
        with suppress(termios.error, ValueError, OSError):
            if mode is not None and sys.__stdin__ and sys.__stdout__:
                termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, mode)
                os.set_blocking(sys.__stdout__.fileno(), False)
                os.write(sys.__stdout__.fileno(), _RESET_TERMINAL)

    return restore
