"""How the program ends when it is told to from outside, even while its terminal or pipe takes nothing any more."""

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
"""Seconds that a clean exit may take before a watchdog ends the program."""
EXIT_INTERRUPTED = 130
"""The exit code then, where nothing else is said."""
SHUTDOWN_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
"""The signals that end any program of ours."""
SCREEN_SHUTDOWN_SIGNALS = (*SHUTDOWN_SIGNALS, signal.SIGINT, signal.SIGQUIT)
"""Those that end one with a screen: no key sends the last two then, and either would leave the terminal unusable."""
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
    """Each of `signals` asks to `leave`; PATIENCE later a watchdog has to `give_up`, and ends the program with `code`.

    The handlers are Python's own: those of the event loop never run while a write blocks it. They raise nothing, since
    an exception out of nowhere tears what is under way, a transaction for one. A signal that is ignored stays so; but
    that `terminal`, a file descriptor, is lost is as good as SIGHUP.
    """
    left = threading.Event()

    def watch() -> None:
        if not left.wait(EXIT_TIMEOUT):
            clean_up()
            os._exit(exit_code)

    def end() -> None:
        request_exit()
        threading.Thread(target=watch, name="watchdog", daemon=True).start()

    def handle(_number: int, _frame: FrameType | None) -> None:
        end()

    heeded = [each for each in signals if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in heeded}
    if terminal is not None:
        threading.Thread(target=_watch_hangup, args=(terminal, left, end), name="terminal", daemon=True).start()
    try:
        yield
    finally:
        left.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _watch_hangup(terminal: int, has_left: threading.Event, request_exit: Callable[[], None]) -> None:
    """Sleeps until the terminal is gone. Who reads from one that is gone gets nothing, at once, for ever."""
    hangup = select.poll()
    hangup.register(terminal, 0)
    lost = any(event & (select.POLLHUP | select.POLLERR) for _, event in hangup.poll())
    if lost and not has_left.is_set():
        request_exit()


def terminal_restorer() -> Callable[[], None]:
    """What puts the terminal back into the mode in which it is now, without waiting for it."""
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
