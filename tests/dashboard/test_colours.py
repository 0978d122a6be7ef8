"""Terminals with few colours or none: the cursor is visible, and each state has a glyph and a word."""

import sys
from pathlib import Path

import pytest

from tests.support.terminal import Terminal

pytestmark = pytest.mark.timeout(600)
DEMO = [sys.executable, "-m", "tui", "--demo"]


@pytest.mark.parametrize("env", [["TERM=linux", "COLORTERM="], ["NO_COLOR=1"]], ids=["16 colours", "NO_COLOR"])
def test_the_cursor_is_visible_without_colours(env, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with Terminal(["env", *env, *DEMO], columns=80, lines=24) as terminal:
        assert terminal.wait_for(lambda text: "▸ running" in text and "^q quit" in text)

        def looks() -> list[tuple[str, bool]]:
            """Of the first two rows, the first of which the cursor is on."""
            return [(terminal.screen.buffer[y][30].bg, terminal.screen.buffer[y][30].reverse) for y in (3, 4)]

        assert terminal.wait_for(lambda _: len(set(looks())) == 2), looks()
        assert "▸ running" in terminal.text
        terminal.type("\x11")
        assert terminal.wait_for_exit() == 0
