"""Terminals with few colours, or none: the cursor is still to be seen, and what matters has a sign and a word."""

import sys
from pathlib import Path

import pytest

from tests.terminal import Terminal

pytestmark = pytest.mark.timeout(600)
DEMO = [sys.executable, "-m", "tui", "--demo"]


@pytest.mark.parametrize("env", [["TERM=linux", "COLORTERM="], ["NO_COLOR=1"]], ids=["16 colours", "NO_COLOR"])
def test_the_cursor_stands_out(env, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Terminal(["env", *env, *DEMO], columns=80, lines=24) as terminal:
        assert terminal.until(lambda text: "▸ running" in text and "^q quit" in text)
        terminal.settle()
        first, second = terminal.screen.buffer[3], terminal.screen.buffer[4]
        look = [(line[30].bg, line[30].reverse) for line in (first, second)]
        assert look[0] != look[1], look
        assert "▸ running" in terminal.text
        terminal.type("\x11")
        assert terminal.wait() == 0
