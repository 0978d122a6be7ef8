"""Help: sections stay whole and in order, and the legend has every glyph."""

from hypothesis import given
from hypothesis import strategies as st
from textual.content import Content
from textual.widgets import Static

from tests.dashboard.test_dashboard import text_of
from tui.commands import COMMANDS
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.help import HelpScreen, distribute
from tui.dashboard.screen import Dashboard
from tui.presentation.table_layout import COLUMN_TYPES


@given(st.lists(st.integers(1, 30), min_size=1, max_size=9), st.integers(1, 3))
def test_columns_keep_sections_whole_and_in_order(heights: list[int], count: int):
    sections = [[Content(f"{section} {line}") for line in range(height)] for section, height in enumerate(heights)]
    columns = distribute(sections, count)
    assert len(columns) <= count
    shown = [line.plain for column in columns for line in column if line.plain]
    assert shown == [line.plain for section in sections for line in section]
    starts = {column[0].plain.split()[1] for column in columns}
    assert starts == {"0"}


async def test_the_help_has_as_many_columns_as_fit(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        for size, columns in (((80, 24), 1), ((120, 40), 2), ((200, 60), 3)):
            await pilot.resize_terminal(*size)
            await pilot.press("question_mark")
            await pilot.pause()
            texts = [each for each in app.screen.query(".help-column").results(Static) if each.display]
            assert len(texts) == columns, size
            text = "\n".join(str(each.content) for each in texts)
            for command in COMMANDS:
                assert command.help.split()[0] in text
            for column, kind in COLUMN_TYPES.items():
                assert column.upper() in text
                assert kind.meaning.split()[0] in text
            for glyph in "○▸✓✗⊘$?▌◆~!↓●◐◌":
                assert glyph in text
            dialog = app.screen.query_one(".dialog")
            assert app.screen.region.contains_region(dialog.region), size
            await pilot.press("escape")


async def test_a_search_leaves_the_entries_with_every_word_and_escape_ends_it(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        for size in ((80, 24), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.press("question_mark", "slash", *"poll pause")
            await pilot.pause()
            shown = text_of(pilot)
            assert "pause or resume polling" in shown, size
            assert "previous job" not in shown, size
            width = app.screen.query_one(".dialog").region.width
            await pilot.press(*"zzz")
            await pilot.pause()
            assert "Nothing matches" in text_of(pilot), size
            assert app.screen.query_one(".dialog").region.width == width, size
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(app.screen, HelpScreen)
            assert "previous job" in text_of(pilot), size
            await pilot.press("escape")
            await pilot.pause()
            assert isinstance(app.screen, Dashboard)


async def test_a_search_finds_the_grammar_of_the_filter_and_the_signs(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        await pilot.press("question_mark", "slash", *"filter")
        await pilot.pause()
        assert "field:text" in text_of(pilot)
        await pilot.press(*["backspace"] * 6, *"muted", "enter")
        await pilot.pause()
        assert "Marks and values" in text_of(pilot)
        assert "field:text" not in text_of(pilot)
