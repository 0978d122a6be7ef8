"""Help: sections stay whole and in order, and the legend has every glyph."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content
from textual.widgets import Static

from tui.commands import COMMANDS
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.help import distribute


@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.integers(1, 3))
def test_columns_keep_sections_whole_and_in_order(heights: list[int], count: int):
    sections = [[Content(f"{section} {line}") for line in range(height)] for section, height in enumerate(heights)]
    columns = distribute(sections, count)
    assert len(columns) <= count
    shown = [line.plain for column in columns for line in column if line.plain]
    assert shown == [line.plain for section in sections for line in section]
    starts = {column[0].plain.split()[1] for column in columns}
    assert starts == {"0"}


@pytest.mark.parametrize(("size", "columns"), [((80, 24), 1), ((120, 40), 2), ((200, 60), 3)])
async def test_the_help_has_as_many_columns_as_fit(app: Babeltop, size: tuple[int, int], columns: int):
    async with app.run_test(size=size) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        texts = [each for each in app.screen.query(".help-column").results(Static) if each.display]
        assert len(texts) == columns
        text = "\n".join(str(each.content) for each in texts)
        for command in COMMANDS:
            assert command.help.split()[0] in text
        for glyph in "○▸✓✗⊘$?▌◆~!↓●◐◌":
            assert glyph in text
        dialog = app.screen.query_one(".dialog")
        assert app.screen.region.contains_region(dialog.region)
