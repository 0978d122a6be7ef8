"""Desktop notifications: their escape sequences, and the bell beside them in a real terminal."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.servers import serve_app
from tui.dashboard.terminal.desktop_notification import MAX_LENGTH, desktop_sequence
from tui.simulator.app import Simulator

TERMINAL = {"TERM": "xterm-256color"}


@given(st.text())
def test_no_text_ends_the_sequence_early(text: str):
    for extra in ({}, {"VTE_VERSION": "7600"}, {"TMUX": "/tmp/t"}, {"STY": "1.x"}):
        sequence = desktop_sequence(text, TERMINAL | extra)
        inner = sequence.removeprefix("\x1bPtmux;\x1b").removeprefix("\x1bP").removesuffix("\x1b\\")
        inner = inner.removeprefix("\x1b").removesuffix("\x07")
        assert inner.isprintable() or not any(char < " " or "\x7f" <= char <= "\x9f" for char in inner)
        assert len(sequence) < MAX_LENGTH + 40


@pytest.mark.parametrize(
    ("environ", "sequence"),
    [
        ({"TERM": "xterm-256color"}, "\x1b]9;babeltop: 4;1;50\x07"),
        ({"TERM": "rxvt-unicode"}, "\x1b]777;notify;babeltop;4,1,50\x07"),
        ({"TERM": "foot"}, "\x1b]777;notify;babeltop;4,1,50\x07"),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, "\x1b]777;notify;babeltop;4,1,50\x07"),
        ({"TERM": "tmux-256color", "TMUX": "x"}, "\x1bPtmux;\x1b\x1b]9;babeltop: 4;1;50\x07\x1b\\"),
        ({"TERM": "screen", "STY": "x"}, "\x1bP\x1b]9;babeltop: 4;1;50\x07\x1b\\"),
        ({"TERM": "linux"}, ""),
        ({"TERM": "dumb"}, ""),
        ({}, ""),
    ],
)
def test_each_terminal_gets_the_sequence_that_it_supports(environ: dict[str, str], sequence: str):
    assert desktop_sequence("4;1;50", environ) == sequence


# In a real terminal.

PROGRAM = pytest.mark.timeout(600)  # it is started again, and each wait for it may take long on a slow machine
BLOCK = '[[job]]\naccount = "camb"\nid = "{}-fine"\nlabel = "{}"\n{}\n'


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The operator's settings, with an account on a simulator."""
    config = tmp_path / "config"
    config.mkdir()
    for name in ("TMUX", "STY", "VTE_VERSION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("BABELTOP_CONFIG_DIR", str(config))
    monkeypatch.setenv("BABELTOP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CAMB_API_KEY", "k-31415926")
    with serve_app(Simulator(speed=500)) as service:
        file = config / "config.toml"
        file.write_text(f'[accounts.camb]\nbase_url = "{service}"\nrate_per_minute = 6000\n')
        yield file


@PROGRAM
@pytest.mark.waits
def test_an_ended_job_rings_the_bell_and_notifies_the_desktop_unless_muted(config: Path):
    watchlist = BLOCK.format("loud", "Loud one", "") + BLOCK.format("mute", "Muted one", "muted = true")
    (config.parent / "watchlist.toml").write_text(watchlist)
    with DashboardTerminal() as terminal:
        assert terminal.wait_for(lambda text: text.count("✓ done") >= 2 and b"Loud one: done" in terminal.raw)
        terminal.read_until_quiet()
        terminal.type("\x11")
        assert terminal.wait_for_exit() == 0
        assert b"\x1b]9;babeltop: Loud one: done\x07" in bytes(terminal.raw)
        assert b"babeltop: Muted one" not in bytes(terminal.raw)
        outside = re.sub(rb"\x1b\][^\x07]*\x07", b"", bytes(terminal.raw))
        assert outside.count(b"\x07") == 1, "one bell, beside what ends a sequence"


@PROGRAM
@pytest.mark.waits
def test_the_dashboard_runs_hooks_and_shows_one_that_cannot_be_run(config: Path, tmp_path: Path):
    kept = tmp_path / "kept"
    keeps = f"import sys; open({str(kept)!r}, 'a').write(sys.stdin.read())"
    hangs = "import time; time.sleep(60)"
    hooks = [("/nowhere/hook",), (sys.executable, "-c", hangs), (sys.executable, "-c", keeps)]
    (config.parent / "watchlist.toml").write_text(BLOCK.format("hooked", "Hooked", ""))
    config.write_text(config.read_text() + "".join(f"[[hook]]\nrun = {list(run)}\n" for run in hooks))
    with DashboardTerminal() as terminal:
        assert terminal.wait_for(lambda text: "Hook 1 (/nowhere/hook) cannot be started" in text), terminal.text
        assert terminal.wait_for(lambda _: kept.exists() and kept.read_text().endswith("}"))
        terminal.type("\x11")
        assert terminal.wait_for_exit() == 0, "whatever hangs"
    assert '"event":"done"' in kept.read_text()
    assert '"label":"Hooked"' in kept.read_text()
