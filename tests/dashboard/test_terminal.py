"""The whole program in a real pseudo-terminal."""

import os
import signal
import sys
import termios
import threading
from pathlib import Path

import pytest

from tests.terminal import Terminal, smoke

BABELTOP = [sys.executable, "-m", "tui"]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("BABELTOP_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("BABELTOP_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def test_the_demo_moves_and_quits_and_leaves_nothing_behind(folders: Path):
    assert smoke([*BABELTOP, "--demo"]) is None
    assert list(folders.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_cleanly_and_the_terminal_is_as_before(folders: Path, number: signal.Signals):
    with Terminal([*BABELTOP, "--demo"]) as terminal:
        before = termios.tcgetattr(terminal.fd)
        assert terminal.until(lambda text: "▸ running" in text, 20)
        assert terminal.end(number) == 130
        assert termios.tcgetattr(terminal.fd) == before
        assert b"\x1b[?1049l" in terminal.raw
    assert list(folders.iterdir()) == []


def test_a_terminal_that_takes_nothing_does_not_keep_it_alive(folders: Path):
    with Terminal([*BABELTOP, "--demo"]) as terminal:
        assert terminal.until(lambda text: "▸ running" in text, 20)
        for _ in range(200):  # more repaints than a pseudo-terminal's buffer holds, and nobody reads them
            os.write(terminal.fd, b"T")
        os.kill(terminal.pid, signal.SIGTERM)
        ended = threading.Event()

        def wait() -> None:
            os.waitpid(terminal.pid, 0)
            ended.set()

        threading.Thread(target=wait, daemon=True).start()
        assert ended.wait(12)
        terminal._status = 130


def test_without_anything_configured_it_says_how_to_begin(folders: Path):
    with Terminal(BABELTOP, columns=80, lines=24) as terminal:
        assert terminal.until(lambda text: "Nothing on the watchlist yet." in text, 20)
        terminal.type("q")
        terminal.run(0.2)
        terminal.type("q")
        assert terminal.wait() == 0
