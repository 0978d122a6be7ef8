"""How the dashboard ends when it is told to from outside, even while its terminal takes nothing any more."""

import os
import signal
import sys
import termios
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import FrameType

PATIENCE = 3.0
"""Seconds that a clean exit may take before a watchdog ends the program."""
INTERRUPTED = 130
"""The exit code then, as everywhere."""
_PLAIN = b"\x1b[?1049l\x1b[?1000l\x1b[?1003l\x1b[?1006l\x1b[?2004l\x1b[?25h\x1b[0m"
"""Leaves the alternate screen, mouse and paste modes, and shows the cursor."""


@contextmanager
def ended_by_signals(leave: Callable[[], None], close: Callable[[], None]) -> Generator[None]:
    """SIGTERM and SIGHUP ask to `leave`; PATIENCE later a watchdog `close`s, restores the terminal and ends it.

    The handlers are Python's own: those of the event loop never run while the terminal's writer blocks it.
    """
    left = threading.Event()
    mode = _mode()

    def end(_number: int, _frame: FrameType | None) -> None:
        leave()
        threading.Thread(target=_watch, args=(left, close, mode), name="watchdog", daemon=True).start()

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        left.set()
        for number, handler in before.items():
            signal.signal(number, handler)


def _mode() -> list[int | list[bytes | int]] | None:
    """The terminal's mode as it was found; None: there is no terminal."""
    with suppress(termios.error, ValueError, OSError):
        return termios.tcgetattr(sys.__stdin__.fileno()) if sys.__stdin__ else None
    return None


def _watch(left: threading.Event, close: Callable[[], None], mode: list[int | list[bytes | int]] | None) -> None:
    if left.wait(PATIENCE):
        return
    close()
    with suppress(termios.error, ValueError, OSError):
        if mode is not None and sys.__stdin__ and sys.__stdout__:
            termios.tcsetattr(sys.__stdin__.fileno(), termios.TCSANOW, mode)
            os.set_blocking(sys.__stdout__.fileno(), False)
            os.write(sys.__stdout__.fileno(), _PLAIN)
    os._exit(INTERRUPTED)
