"""Program in a real pseudo-terminal whose screen is read back. Run as a script, it is a smoke test.

python tests/support/terminal.py COMMAND [ARG …]      (run by .ci/run on the README's command and the wheel's demo)
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pyte

TIMEOUT = 60.0
"""Seconds after which a wait fails; it ends as soon as its condition holds."""
CHECK_INTERVAL = 0.01
"""Seconds between two checks of the child."""
SLEEPING_CHECKS, SLEEPING_PERIODS = 5, 10
"""A child is idle after so many checks in a row that found it asleep, so many times."""


class Screen(pyte.Screen):
    """Screen of a terminal, of whose text only what has changed is read again."""

    def __init__(self, columns: int, lines: int) -> None:
        super().__init__(columns, lines)
        self._texts: dict[int, str] = {}

    @property
    def text(self) -> str:
        """Lines of the screen. pyte's own `display` raises if half of a wide character is overwritten."""
        for y in self.dirty:  # to read all lines takes as long as to draw them
            row = self.buffer[y]
            self._texts[y] = "".join(row[x].data for x in range(self.columns)).rstrip()
        self.dirty.clear()
        return "\n".join(self._texts[y] for y in range(self.lines))


class Terminal:
    """Child on a pseudo-terminal. As a context manager it kills the child at the end."""

    def __init__(self, command: Sequence[str], *, columns: int = 120, lines: int = 40, term: str = "xterm-256color"):
        self.screen = Screen(columns, lines)
        self._stream = pyte.ByteStream(self.screen)
        self.raw = bytearray()
        self.pid, self.fd = self._start(command, term)
        self.resize(columns, lines)

    def _start(self, command: Sequence[str], term: str) -> tuple[int, int]:
        """Start the child. Returns its process id and the terminal's descriptor."""
        pid, fd = pty.fork()
        if pid == 0:
            os.environ.update(TERM=term, COLORTERM="truecolor")
            for name in ("COLUMNS", "LINES"):  # they precede the terminal's size
                os.environ.pop(name, None)  # set by pytest-xdist
                os.unsetenv(name)  # set by readline, unseen by os.environ
            os.execvp(command[0], command)
        return pid, fd

    def resize(self, columns: int, lines: int) -> None:
        """Resize the terminal; the kernel signals the child."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.screen.resize(lines, columns)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *error: object) -> None:
        if self.exit_status() is None:
            os.kill(self.pid, signal.SIGKILL)
            self._wait(0)
        self.hang_up()

    draws_screen = True
    """Whether output is drawn on the screen, which is slow."""
    _is_hung_up = False

    def hang_up(self) -> None:
        """Close the terminal, as a closed window or a lost connection does."""
        if not self._is_hung_up:
            self._is_hung_up = True
            os.close(self.fd)

    def read_for(self, seconds: float) -> None:
        """Read output for so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if self._read(left) is None:
                return

    def wait_for(self, condition: Callable[[str], object], seconds: float = TIMEOUT) -> bool:
        """Read until the screen's text satisfies the condition. Returns False after the timeout or the child's end."""
        end = time.monotonic() + seconds
        while not condition(self.text):
            if time.monotonic() > end or self._read(0.1) is None:
                return bool(condition(self.text))
        return True

    def read_until_quiet(self) -> None:
        """Read until the child has been quiet for a while."""
        end = time.monotonic() + TIMEOUT
        while self._read(0.1) and time.monotonic() < end:
            pass

    def _read(self, timeout: float) -> bool | None:
        """Return whether there was output within the timeout; None if the child has closed its side."""
        if not select.select([self.fd], [], [], timeout)[0]:
            return False
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return None
        self.raw += data
        if self.draws_screen:
            self._stream.feed(data)
        return True

    def type(self, keys: str) -> None:
        """Send keys."""
        self.send(keys.encode())

    def send(self, data: bytes) -> None:
        """Send bytes, reading output meanwhile: the kernel's buffer is small."""
        os.set_blocking(self.fd, False)
        while data:
            try:
                data = data[os.write(self.fd, data) :]
            except BlockingIOError:
                self._read(CHECK_INTERVAL)
            except OSError:  # the child has ended
                return

    def send_signal(self, number: int = signal.SIGTERM, seconds: float = TIMEOUT) -> int | None:
        """Send a signal and wait. Returns the exit code, negative after a signal; None if the child did not end."""
        os.kill(self.pid, number)
        return self.wait_for_exit(seconds)

    def wait_for_exit(self, seconds: float = TIMEOUT, *, reading: bool = True) -> int | None:
        """Wait for the child's end, by default reading its output."""
        end = time.monotonic() + seconds
        while self.exit_status() is None and time.monotonic() < end:
            self._read_or_sleep(reading)
        return self._status

    def _read_or_sleep(self, reading: bool) -> None:
        """Read or sleep for a moment."""
        if not reading or self._is_hung_up or self._read(CHECK_INTERVAL) is None:
            time.sleep(CHECK_INTERVAL)

    _status: int | None = None

    def exit_status(self) -> int | None:
        """Return the exit code if the child has ended, after reading all its output."""
        if self._status is None:
            self._status = self._wait(os.WNOHANG)
            if self._status is not None and not self._is_hung_up:
                self.read_until_quiet()
        return self._status

    def _wait(self, options: int) -> int | None:
        """Return the child's exit code; None with WNOHANG if it has not ended."""
        pid, status = os.waitpid(self.pid, options)
        return os.waitstatus_to_exitcode(status) if pid else None

    def comes_to_rest(self, *, reading: bool = True) -> bool:
        """Return whether the child becomes idle, despite occasional wake-ups. One that spins never does."""
        end, row, rests = time.monotonic() + TIMEOUT, 0, 0
        while rests < SLEEPING_PERIODS and time.monotonic() < end:
            row = row + 1 if self._is_asleep() else 0
            if row == SLEEPING_CHECKS:
                row, rests = 0, rests + 1
            self._read_or_sleep(reading)
        return rests == SLEEPING_PERIODS

    def _is_asleep(self) -> bool:
        """Return whether all threads of the child sleep."""
        try:
            states = [stat_fields(each)[0] for each in Path(f"/proc/{self.pid}/task").glob("*/stat")]
        except OSError:  # a thread has ended meanwhile
            return False
        return set(states) == {"S"}

    def thread_count(self) -> int:
        """Return the number of the child's threads."""
        return int(self._stat()[17])

    def is_stopped(self) -> bool:
        """Return whether a signal has stopped the child."""
        return self._stat()[0] == "T"

    def _stat(self) -> list[str]:
        return stat_fields(Path(f"/proc/{self.pid}/stat"))

    def modes(self) -> set[str]:
        """Return the DEC private modes that the child has switched on, and `kitty` for its keyboard protocol."""
        on = set[str]()
        for mark, numbers, order in re.findall(rb"\x1b\[([?<>=])([0-9;]*)([hlu])", bytes(self.raw)):
            if mark == b"?" and order in b"hl":
                change = on.add if order == b"h" else on.discard
                for number in numbers.decode().split(";"):
                    change(number)
            elif order == b"u":
                (on.add if mark == b">" else on.discard)("kitty")
        return on - {"7", "25"}

    @property
    def text(self) -> str:
        """Lines of the screen."""
        return self.screen.text


def stat_fields(stat: Path) -> list[str]:
    """Return the fields of proc(5)'s `stat` from the third on."""
    return stat.read_text().rpartition(")")[2].split()


def smoke_test(command: Sequence[str]) -> str | None:
    """Return what is wrong with the demo on a screen, None if nothing is."""
    with Terminal(command) as terminal:
        if not terminal.wait_for(lambda text: all(name in text for name in ("heygen", "konpro", "camb", "flixu")), 600):
            return f"no row of each service within ten minutes: {terminal.text}"
        if not terminal.wait_for(lambda text: "✓ done" in text and "▸ running" in text):
            return "nothing runs, or nothing is done"
        ended = "\n".join(line for line in terminal.text.splitlines() if "done" in line)
        if not any(mark in ended for mark in ("d", "h", "m")):
            return "no link counts down"
        before = terminal.text
        if not terminal.wait_for(lambda text: text != before):
            return "the screen does not change"
        terminal.type("\x11")
        status = terminal.wait_for_exit()
        if status != 0:
            return f"exit code {status} after ^q"
    return None


if __name__ == "__main__":
    wrong = smoke_test(sys.argv[1:])
    if wrong:
        sys.exit(f"the demo: {wrong}")
    print("the demo shows rows of every service, they change, and ^q ends it")
