"""Keys that come at once, and terminals of a few columns: dialogs and palette close once, and nothing breaks."""

from textual.widgets import Input

from tui.dashboard.app import Babeltop
from tui.dashboard.screen import Dashboard


async def test_a_dialog_that_is_dismissed_twice_closes_once(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        for key in ("question_mark", "a", "e", "s", "A", "J"):
            await pilot.press(key)
            dialog = app.screen
            assert not isinstance(dialog, Dashboard), key
            dialog.dismiss()
            dialog.dismiss()
            await pilot.pause()
            assert isinstance(app.screen, Dashboard), key


async def test_enter_twice_at_once_runs_the_command_of_the_palette_once(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        board = app.screen.board
        await pilot.press("colon", *"reverse sort", "down")
        palette = app.screen
        palette.post_message(Input.Submitted(palette.query_one(Input), ""))
        palette.post_message(Input.Submitted(palette.query_one(Input), ""))
        palette.post_message(Input.Submitted(palette.query_one(Input), ""))
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        assert board.descending


async def test_palette_and_dialogs_survive_a_terminal_of_one_to_ten_columns(app: Babeltop):
    async with app.run_test(size=(40, 12)) as pilot:
        await pilot.pause()
        for key in ("colon", "A", "J"):
            await pilot.press(key)
            for width in range(1, 11):
                await pilot.resize_terminal(width, 4)
                await pilot.press("x", "pagedown", "pageup", "end")
            await pilot.resize_terminal(40, 12)
            await pilot.press("escape", "escape")
            assert isinstance(app.screen, Dashboard), key
