"""The whole program in a real pseudo-terminal: signals, lost lines, readers that sleep, sizes, tmux."""

import os
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import house
from tests.server import serving
from tests.terminal import Terminal, smoke
from tui.simulator.app import Simulator
from tui.simulator.story import Story
from tui.stores.journal import Journal

BABELTOP = [sys.executable, "-m", "tui"]
DEMO = [*BABELTOP, "--demo"]
QUIT = "\x11"
"""^q."""
IDLE = 0.2
"""Share of a core below which nobody spins: a demo that moves takes some hundredths."""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BABELTOP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BABELTOP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def rows(text: str) -> bool:
    return "▸ running" in text


def asked(text: str) -> bool:
    """A service has answered."""
    return "●" in text.partition("\n")[0]


def idles(terminal: Terminal, seconds: float = 2.0) -> bool:
    """Whether the child does next to nothing for so long; what it writes is read."""
    before = terminal.cpu()
    terminal.run(seconds)
    return terminal.cpu() - before < IDLE * seconds


def test_the_demo_moves_and_quits_and_leaves_nothing_behind(folders: Path):
    assert smoke(DEMO) is None
    assert list(folders.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_it_cleanly_and_the_terminal_is_as_before(folders: Path, number: signal.Signals):
    with Terminal(DEMO) as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.until(rows, 20)
        assert "1049" in terminal.modes()
        assert terminal.end(number) == 130
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()
    assert list(folders.iterdir()) == []


def test_stopped_and_continued_it_gives_the_terminal_back_meanwhile_and_draws_all_anew(folders: Path):
    with Terminal(DEMO) as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.until(rows, 20)
        os.kill(terminal.pid, signal.SIGTSTP)
        assert terminal.until(lambda _: terminal.stopped(), 10)
        terminal.run(0.2)
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()
        terminal.screen.reset()
        os.kill(terminal.pid, signal.SIGCONT)
        assert terminal.until(rows, 10)
        assert "1049" in terminal.modes()
        shown = terminal.text
        assert terminal.until(lambda text: text != shown, 10)
        terminal.type(QUIT)
        assert terminal.wait(8) == 0
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()


def test_what_stops_it_without_a_word_does_not_spoil_the_terminal_either(folders: Path):
    with Terminal(DEMO) as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.until(asked, 20)  # the engine is there, with all its threads
        threads = terminal.threads()
        for _ in range(2):
            os.kill(terminal.pid, signal.SIGSTOP)
            assert terminal.until(lambda _: terminal.stopped(), 10)
            terminal.screen.reset()
            os.kill(terminal.pid, signal.SIGCONT)
            assert terminal.until(rows, 10)
        assert terminal.threads() <= threads
        for _ in range(8):  # what is typed while the terminal is being taken again is thrown away
            terminal.type(QUIT)
            if terminal.wait(1) is not None:
                break
        assert terminal.ended() == 0
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()


def test_told_to_go_on_while_it_ends_it_does_not_take_the_terminal_again(folders: Path):
    """As when a terminal is closed: the kernel sends SIGCONT with SIGHUP. A reader that is left would spin for ever."""
    with Terminal(DEMO) as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.until(rows, 20)
        terminal.type(QUIT)
        end = time.monotonic() + 8
        while terminal.ended() is None and time.monotonic() < end:
            os.kill(terminal.pid, signal.SIGCONT)
            terminal.run(0.02)
        assert terminal.ended() == 0
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()


def test_told_to_end_while_it_is_stopped_it_ends_once_it_goes_on(folders: Path):
    with Terminal(DEMO) as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.until(rows, 20)
        os.kill(terminal.pid, signal.SIGTSTP)
        assert terminal.until(lambda _: terminal.stopped(), 10)
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.end(signal.SIGCONT, 8) == 130
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()


@pytest.mark.parametrize("ignored", ["", "HUP"])
def test_a_lost_terminal_ends_it_even_where_sighup_is_ignored(folders: Path, ignored: str):
    command = ["sh", "-c", f"trap '' {ignored}; exec \"$@\"", "sh", *DEMO] if ignored else DEMO
    with Terminal(command) as terminal:
        assert terminal.until(rows, 20)
        terminal.lose()
        assert terminal.wait(8) == 130
    assert list(folders.iterdir()) == []


def test_a_terminal_that_takes_nothing_does_not_keep_it_alive(folders: Path):
    with Terminal(DEMO) as terminal:
        assert terminal.until(rows, 20)
        clog(terminal)
        os.kill(terminal.pid, signal.SIGTERM)
        ended = threading.Event()

        def wait() -> None:
            os.waitpid(terminal.pid, 0)
            ended.set()

        threading.Thread(target=wait, daemon=True).start()
        assert ended.wait(12)
        terminal._status = 130


def clog(terminal: Terminal) -> None:
    """Makes it repaint more than a pseudo-terminal's buffer holds, and reads nothing."""
    for _ in range(50):
        os.write(terminal.fd, b"T")


@contextmanager
def console(folders: Path, simulator: Simulator, called: Path) -> Iterator[Terminal]:
    """The dashboard over jobs that are asked every two seconds over HTTP; some end by and by, which calls a hook."""
    with serving(simulator) as base:
        (folders / "config").mkdir()
        jobs = {"konpro": (*(f"j{number}-stuck-x" for number in range(30)), *(story.id for story in ENDING))}
        config = f'[polling]\nmax_interval = "2s"\n[[hook]]\non = ["done"]\nrun = ["sh", "-c", "cat >> {called}"]\n'
        library = house.library(folders / "config", base, jobs, accounts=("konpro",), config=config)
        library.close()
        command = ["env", f"KEY_KONPRO={house.KEY}", *BABELTOP]
        with Terminal(command) as terminal:
            assert terminal.until(rows, 20)
            yield terminal


ENDING = [Story(f"e{number}-fine-x", queued=0.0, running=2.0 * number) for number in range(1, 21)]
"""One ends every two seconds or so."""


def test_while_nobody_reads_the_terminal_asks_journal_and_hooks_go_on_and_nothing_spins(folders: Path):
    simulator = Simulator(limits={"konpro": 10**6, "konpro.day": 10**6}, stories=ENDING)
    called = folders / "called"
    with console(folders, simulator, called) as terminal:
        terminal.run(2)
        asked = len(simulator.log)
        terminal.run(3)
        reading = len(simulator.log) - asked
        clog(terminal)
        time.sleep(3)  # its loop stands still by now
        hooks, asked, before, began = calls(called), len(simulator.log), terminal.cpu(), time.time()
        time.sleep(5)
        deaf, used, hooks = (len(simulator.log) - asked) * 3 / 5, terminal.cpu() - before, calls(called) - hooks
        print(
            f"\nasks in 3 s: {reading} while its terminal was read, {deaf:.0f} while it was not; {hooks} hooks called"
        )
        print(f"CPU in 5 s while it was not: {used:.2f} s")
        assert deaf > 0.7 * reading > 15
        assert hooks > 0
        assert used < 5 * 2 * IDLE  # asks take some, too
        journal = Journal(folders / "state" / "journal.db")
        checked = [state.checked_at or 0.0 for state in journal.states().values()]
        journal.close()
        assert sum(at > began for at in checked) > 20
        shown = len(terminal.raw)
        terminal.run(2)  # who reads on sees what is so now
        assert len(terminal.raw) > shown
        assert rows(terminal.text)
        terminal.type(QUIT)
        assert terminal.wait(20) == 0


def calls(called: Path) -> int:
    """How often the hook was called."""
    return called.read_text().count('"after":"done"') if called.exists() else 0


def test_without_a_terminal_or_on_a_dumb_one_it_says_what_there_is_instead(folders: Path):
    said = subprocess.run(DEMO, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert said.returncode == 2
    assert "`babeltop list`, `wait` and `watch`" in said.stderr
    with Terminal(DEMO, kind="dumb") as terminal:
        assert terminal.wait(20) == 2
        assert "TERM=dumb" in terminal.text
        assert "watch`" in terminal.text
        assert b"\x1b" not in terminal.raw


def test_at_any_size_down_to_one_cell_it_lives_and_idles(folders: Path):
    with Terminal(DEMO, columns=1, lines=1) as terminal:
        terminal.run(6)
        assert terminal.ended() is None
        assert idles(terminal)
        for columns, lines in ((80, 24), (1, 50), (200, 1), (3, 3), (1, 1)):
            terminal.size(columns, lines)
            terminal.run(0.5)
            assert terminal.ended() is None
        terminal.size(120, 40)
        assert terminal.until(rows, 10)
        assert idles(terminal)
        terminal.type(QUIT)
        assert terminal.wait(8) == 0


def test_without_anything_configured_it_says_how_to_begin(folders: Path):
    with Terminal(BABELTOP, columns=80, lines=24) as terminal:
        assert terminal.until(lambda text: "Nothing on the watchlist yet." in text, 20)
        terminal.type("q")
        terminal.run(0.2)
        terminal.type("q")
        assert terminal.wait() == 0


class Tmux:
    """A terminal whose screen is kept by tmux: it has an alternate screen, and shows what is below it."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._run("new-session", "-d", "-x", "120", "-y", "40", "env PS1='$ ' sh")

    def _run(self, *what: str) -> str:
        return subprocess.run([*self._tmux, *what], capture_output=True, text=True, timeout=20, check=True).stdout

    def type(self, line: str) -> None:
        self._run("send-keys", line, "Enter")

    def screen(self) -> str:
        return self._run("capture-pane", "-p").rstrip()

    def cursor(self) -> str:
        said = "#{cursor_flag} #{alternate_on} #{mouse_any_flag} #{keypad_flag} #{cursor_x},#{cursor_y} #{wrap_flag}"
        return self._run("display-message", "-p", said).strip()

    def until(self, text: str, seconds: float = 20.0) -> str:
        end = time.monotonic() + seconds
        while text not in (shown := self.screen()):
            assert time.monotonic() < end, shown
            time.sleep(0.2)
        return shown

    def close(self) -> None:
        self._run("kill-server")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
@pytest.mark.parametrize("way", ["quit", "TERM", "HUP", "INT", "TSTP"])
def test_in_tmux_the_screen_below_is_as_it_was_whichever_way_it_ends(folders: Path, way: str):
    tmux = Tmux(folders)
    try:
        tmux.type("set -m; clear; printf 'what %s\\n' stood here before")
        tmux.until("what stood")
        below, cursor = tmux.screen(), tmux.cursor()
        program = " ".join(DEMO)
        pid = folders / "pid"
        tmux.type(f"sh -c 'echo $$ > {pid}; exec {program}'")
        shown = tmux.until("▸ running")
        assert "what stood" not in shown
        if way == "quit":
            tmux._run("send-keys", "C-q")
        else:
            os.kill(int(pid.read_text()), signal.Signals[f"SIG{way}"])
        after = tmux.until("what stood")
        tmux.type("stty -a | tr ';' '\\n' | grep -w -e icanon -e echo")
        after = tmux.until("icanon")
        assert after.startswith(below)
        assert "-icanon" not in after
        assert "-echo " not in after
        assert tmux.cursor().rsplit(" ", 2)[0] == cursor.rsplit(" ", 2)[0]
        if way == "TSTP":
            tmux.type("fg")
            tmux.until("▸ running")
            tmux._run("send-keys", "C-q")
            assert tmux.until("what stood").startswith(below)
    finally:
        tmux.close()
