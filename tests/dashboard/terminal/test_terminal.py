"""Program in a real pseudo-terminal: signals, lost connections, stalled readers, sizes, tmux."""

import os
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from tests.support import fixtures
from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.fork_server import run_program
from tests.support.servers import serve_app
from tests.support.terminal import Terminal, smoke_test
from tests.support.waiting import wait_until
from tui.domain.models import Ref
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.storage.journal.journal import Journal

pytestmark = pytest.mark.timeout(900)  # whole programs, each of whose waits may take long on a slow machine
BABELTOP = [sys.executable, "-m", "tui"]
DEMO = [*BABELTOP, "--demo"]
QUIT = "\x11"
"""^q."""


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BABELTOP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BABELTOP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def rows(text: str) -> bool:
    return "▸ running" in text


def upper_lines(text: str) -> list[str]:
    """Return views, banner, table header and rows: what is below may have a notice over it, the first line a clock."""
    return text.splitlines()[1:20]


def prompted(text: str) -> bool:
    """A service has answered."""
    return "●" in text.partition("\n")[0]


def test_the_demo_changes_quits_and_leaves_no_files(folders: Path):
    assert smoke_test(DEMO) is None
    assert list(folders.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_a_signal_ends_the_program_and_restores_the_terminal(folders: Path, number: signal.Signals):
    with DashboardTerminal("--demo") as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.wait_for(rows)
        assert "1049" in terminal.modes()
        assert terminal.send_signal(number) == 130
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()
    assert list(folders.iterdir()) == []


INTERRUPTED_CLOSE = """
import os, signal, sys
from tui.cli.main import run
from tui.engine.thread import EngineThread

close = EngineThread.close

def interrupted_close(self):
    close(self)
    os.kill(os.getpid(), signal.SIGINT)

EngineThread.close = interrupted_close
sys.exit(run(["--demo"]))
"""
"""Runs the demo, which gets a ^c while it quits: the terminal is no longer the dashboard's, and sends a signal."""


def test_an_interrupt_while_the_program_quits_changes_nothing(folders: Path):
    with DashboardTerminal(program=("-c", INTERRUPTED_CLOSE)) as terminal:
        assert terminal.wait_for(rows)
        terminal.type(QUIT)
        assert terminal.wait_for_exit() == 0
        assert terminal.modes() == set()
        assert "Traceback" not in terminal.raw.decode()
    assert list(folders.iterdir()) == []


def test_a_suspended_program_returns_the_terminal_redraws_all_of_it_and_ends_by_a_signal_when_resumed(folders: Path):
    with DashboardTerminal("--demo") as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.wait_for(rows)
        terminal.type("z")  # frozen, every line is as it was
        assert terminal.wait_for(lambda text: "View frozen" in text)
        terminal.read_until_quiet()
        frozen = upper_lines(terminal.text)
        os.kill(terminal.pid, signal.SIGTSTP)
        assert terminal.wait_for(lambda _: terminal.is_stopped())
        terminal.read_until_quiet()
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()
        terminal.screen.reset()
        os.kill(terminal.pid, signal.SIGCONT)
        assert terminal.wait_for(lambda text: upper_lines(text) == frozen), terminal.text
        assert terminal.wait_for(lambda text: " babeltop " in text and "^q quit" in text)
        assert "1049" in terminal.modes()
        terminal.type("z")
        shown = terminal.text
        assert terminal.wait_for(lambda text: text != shown)
        os.kill(terminal.pid, signal.SIGTSTP)
        assert terminal.wait_for(lambda _: terminal.is_stopped())
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.send_signal(signal.SIGCONT) == 130, "a signal while it was suspended ends it when resumed"
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()


def test_sigstop_does_not_damage_the_terminal(folders: Path):
    with DashboardTerminal("--demo") as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.wait_for(prompted)  # the engine is there, with all its threads
        threads = terminal.thread_count()
        for _ in range(8):
            os.kill(terminal.pid, signal.SIGSTOP)
            assert terminal.wait_for(lambda _: terminal.is_stopped())
            terminal.screen.reset()
            os.kill(terminal.pid, signal.SIGCONT)
            assert terminal.wait_for(rows)
        # a pool may get a few threads meanwhile; an input thread that is left would be one at each continuation
        assert terminal.wait_for(lambda _: terminal.thread_count() < threads + 8)

        def quits(_: str) -> bool:
            terminal.type(QUIT)
            return terminal.wait_for_exit(1) is not None

        terminal.wait_for(quits)  # what is typed while the terminal is being taken again is thrown away
        assert terminal.wait_for_exit() == 0
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()


def test_sigcont_during_the_exit_does_not_take_the_terminal_again(folders: Path):
    """As when a terminal is closed: the kernel sends SIGCONT with SIGHUP. A reader that is left would spin for ever."""
    with DashboardTerminal("--demo") as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.wait_for(rows)
        terminal.type(QUIT)

        def ends(_: str) -> bool:
            if terminal.exit_status() is None:
                os.kill(terminal.pid, signal.SIGCONT)
                terminal.read_for(0.02)
            return terminal.exit_status() is not None

        terminal.wait_for(ends)
        assert terminal.wait_for_exit() == 0
        assert termios.tcgetattr(terminal.fd) == before
        assert terminal.modes() == set()


@pytest.mark.parametrize(
    "start",
    [lambda: DashboardTerminal("--demo"), lambda: Terminal(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *DEMO])],
    ids=["", "HUP"],
)
def test_a_lost_terminal_ends_the_program_even_with_sighup_ignored(folders: Path, start: Callable[[], Terminal]):
    with start() as terminal:
        assert terminal.wait_for(rows)
        terminal.hang_up()
        assert terminal.wait_for_exit() == 130
    assert list(folders.iterdir()) == []


def test_a_signal_ends_the_program_while_the_terminal_accepts_no_output(folders: Path):
    with DashboardTerminal("--demo") as terminal:
        assert terminal.wait_for(rows)
        clog(terminal)
        os.kill(terminal.pid, signal.SIGTERM)
        assert terminal.wait_for_exit(reading=False) == 130
    assert list(folders.iterdir()) == []  # the exit was forced: the demo saves nothing all the same


def clog(terminal: Terminal) -> None:
    """Makes it repaint more than a pseudo-terminal's buffer holds, and reads nothing."""
    for _ in range(50):
        os.write(terminal.fd, b"T")


@contextmanager
def console(folder: Path, base: str, ids: Sequence[str], called: Path) -> Iterator[Terminal]:
    """The dashboard over jobs that are polled every two seconds over HTTP; one that ends calls a hook."""
    (folder / "config").mkdir(parents=True)
    config = f'[polling]\nmax_interval = "2s"\n[[hook]]\non = ["done"]\nrun = ["sh", "-c", "cat >> {called}"]\n'
    fixtures.make_workspace(
        folder / "config", base, {"konpro": tuple(ids)}, accounts=("konpro",), config=config
    ).close()
    environment = {f"BABELTOP_{name.upper()}_DIR": str(folder / name) for name in ("config", "state")}
    with DashboardTerminal(environment={**environment, "KEY_KONPRO": fixtures.KEY}) as terminal:
        assert terminal.wait_for(prompted)
        yield terminal


ENDING = [Scenario(f"e{number}-fine-x", queued=0.0, running=1.3**number) for number in range(1, 26)]
"""However long the consoles take to start, the next one ends soon."""


@pytest.mark.waits
def test_polls_journal_and_hooks_continue_while_the_terminal_is_not_read(folders: Path):
    simulator = Simulator(limits={"konpro": 10**6, "konpro.day": 10**6}, scenarios=ENDING)
    called = folders / "called"
    deaf, twin = ([f"{name}{number}-stuck-x" for number in range(8)] for name in "dt")

    def polls(ids: Sequence[str]) -> int:
        """How often these have been polled so far."""
        return sum(poll.path.rpartition("/")[2] in ids for poll in list(simulator.request_log))

    with ExitStack() as stack:
        base = stack.enter_context(serve_app(simulator))
        ending = [story.id for story in ENDING]
        unread = stack.enter_context(console(folders / "unread", base, [*deaf, *ending], called))
        read = stack.enter_context(console(folders / "read", base, twin, folders / "none"))

        def rounds(count: int) -> None:
            """Wait until the console that is read has polled all of its jobs so often."""
            before = polls(twin)
            assert read.wait_for(lambda _: polls(twin) >= before + count * len(twin))

        clog(unread)
        rounds(2)  # its loop stands still by now
        hooks, before = calls(called), (polls(deaf), polls(twin))
        journal = stack.enter_context(closing(Journal(folders / "unread" / "state" / "journal.db")))
        known = checked(journal)
        rounds(2)
        assert polls(deaf) - before[0] > (polls(twin) - before[1]) / 2
        assert read.wait_for(lambda _: calls(called) > hooks)
        assert read.wait_for(lambda _: sum(at > known.get(ref, 0.0) for ref, at in checked(journal).items()) > 4)
        assert unread.comes_to_rest(reading=False)
        shown = len(unread.raw)
        assert unread.wait_for(
            lambda text: len(unread.raw) > shown and rows(text)
        )  # nothing read its on sees what is so now
        unread.draws_screen = False
        unread.type(QUIT)
        assert unread.wait_for_exit() == 0


def checked(journal: Journal) -> dict[Ref, float]:
    """When each job was last polled."""
    return {ref: state.checked_at or 0.0 for ref, state in journal.states().items()}


def calls(called: Path) -> int:
    """How often the hook was called."""
    return called.read_text().count('"after":"done"') if called.exists() else 0


def test_without_a_usable_terminal_the_error_names_the_alternatives(folders: Path):
    message = run_program("-m", "tui", "--demo", stdin=subprocess.DEVNULL, text=True)
    assert message.returncode == 2
    assert "`babeltop list`, `wait` or `watch`" in message.stderr
    with DashboardTerminal("--demo", environment={"TERM": "dumb"}) as terminal:
        assert terminal.wait_for_exit() == 2
        assert "TERM=dumb" in terminal.text
        assert "watch`" in terminal.text
        assert b"\x1b" not in terminal.raw


@pytest.mark.waits
def test_the_program_runs_and_idles_at_any_size_down_to_one_cell(folders: Path):
    with DashboardTerminal("--demo", columns=1, lines=1) as terminal:
        assert terminal.wait_for(lambda _: "1049" in terminal.modes())
        assert terminal.comes_to_rest()
        for columns, lines in ((80, 24), (1, 50), (200, 1), (3, 3), (1, 1)):
            written = len(terminal.raw)
            terminal.resize(columns, lines)
            assert terminal.wait_for(lambda _, written=written: len(terminal.raw) > written)
            assert terminal.comes_to_rest()
        terminal.resize(120, 40)
        assert terminal.wait_for(rows)
        assert terminal.comes_to_rest()
        terminal.type(QUIT)
        assert terminal.wait_for_exit() == 0


def test_without_configuration_the_dashboard_shows_how_to_start(folders: Path):
    with DashboardTerminal(columns=80, lines=24) as terminal:
        assert terminal.wait_for(lambda text: "The watchlist is empty." in text)
        terminal.type("q")
        terminal.type("q")
        assert terminal.wait_for_exit() == 0


class Tmux:
    """A terminal whose screen is kept by tmux: it has an alternate screen, and shows what is below it."""

    def __init__(self, folder: Path) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._run("new-session", "-d", "-x", "120", "-y", "40", "env PS1='$ ' sh")

    def _run(self, *what: str) -> str:
        return subprocess.run([*self._tmux, *what], capture_output=True, text=True, check=True).stdout

    def type(self, line: str) -> None:
        self._run("send-keys", line, "Enter")

    def screen(self) -> str:
        return self._run("capture-pane", "-p").rstrip()

    def cursor(self) -> str:
        message = "#{cursor_flag} #{alternate_on} #{mouse_any_flag} #{keypad_flag} #{cursor_x},#{cursor_y} #{wrap_flag}"
        return self._run("display-message", "-p", message).strip()

    def until(self, text: str) -> str:
        wait_until(lambda: text in self.screen(), check_interval=0.1)  # each check starts a process
        return self.screen()

    def close(self) -> None:
        self._run("kill-server")


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
@pytest.mark.parametrize("way", ["quit", "TERM", "HUP", "INT", "TSTP"])
def test_tmux_shows_the_previous_screen_after_every_kind_of_end(folders: Path, way: str):
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
