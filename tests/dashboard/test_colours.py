"""Terminals with few colours or none: the cursor is visible, and each state has a glyph and a word."""

import re
from pathlib import Path

import pytest

from tests.support.dashboard_terminal import DashboardTerminal

pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    ("env", "has_hues"),
    [
        ({"TERM": "linux", "COLORTERM": ""}, False),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
    ],
    ids=["16 colours", "NO_COLOR=1", "NO_COLOR="],
)
def test_the_cursor_is_visible_without_colours(
    env: dict[str, str], has_hues: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with DashboardTerminal("--demo", columns=80, lines=24, environment=env) as terminal:
        assert terminal.wait_for(lambda text: "▸ running" in text and "^q quit" in text)

        def looks() -> list[tuple[str, bool]]:
            """Of the first two rows, the first of which the cursor is on."""
            return [(terminal.screen.buffer[y][30].bg, terminal.screen.buffer[y][30].reverse) for y in (3, 4)]

        assert terminal.wait_for(lambda _: len(set(looks())) == 2), looks()
        colours = {cell.fg for row in terminal.screen.buffer.values() for cell in row.values()}
        hues = {
            each for each in colours if re.fullmatch("[0-9a-f]{6}", each) and len({each[:2], each[2:4], each[4:]}) > 1
        }
        assert bool(hues) is has_hues, colours
        assert "▸ running" in terminal.text
        terminal.type("\x11")
        assert terminal.wait_for_exit() == 0
