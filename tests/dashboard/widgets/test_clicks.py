"""Clicks on footer hints and account badges, wherever they are drawn."""

from itertools import product

import pytest

from tests.dashboard.test_dashboard import text_of
from tui.commands import COMMANDS, key_label
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.accounts import AccountsScreen
from tui.dashboard.dialogs.add import AddScreen
from tui.dashboard.dialogs.help import HelpScreen
from tui.dashboard.screen import Dashboard
from tui.dashboard.widgets.bars import FooterBar, TopBar
from tui.dashboard.widgets.vim_option_list import VimOptionList

SIZES = [(80, 24), (120, 40), (200, 60)]


async def click(pilot, widget, x):
    await pilot.click(widget, offset=(x, 0))
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES)
async def test_a_click_on_a_footer_hint_runs_its_command(app: Babeltop, size):
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        footer = text_of(pilot).splitlines()[-1]
        await click(pilot, FooterBar, footer.index("help"))
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        await click(pilot, FooterBar, footer.index("a add"))
        assert isinstance(app.screen, AddScreen)
        await pilot.press("escape")
        await pilot.pause()
        await click(pilot, FooterBar, footer.index("quit"))
        assert app.return_code == 0


async def test_a_click_beside_the_hints_or_badges_runs_nothing(app: Babeltop):
    async with app.run_test(size=(200, 60)) as pilot:
        await pilot.pause()
        for bar, x in ((FooterBar, 0), (FooterBar, 180), (TopBar, 2), (TopBar, 198)):
            await click(pilot, bar, x)
            assert isinstance(app.screen, Dashboard), (bar, x)
            assert app.is_running, (bar, x)


async def test_a_click_on_a_badge_opens_its_account(app: Babeltop):
    async with app.run_test(size=SIZES[0]) as pilot:
        await pilot.pause()
        accounts = list(app.screen.board.accounts)
        for size, name in product(SIZES, ("heygen", "flixu")):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            await click(pilot, TopBar, text_of(pilot).splitlines()[0].index(name))
            assert isinstance(app.screen, AccountsScreen), (size, name)
            assert app.screen.query_one(VimOptionList).highlighted == accounts.index(name), (size, name)
            await pilot.press("escape")


def test_every_command_has_a_name_of_its_own():
    titles = [command.title for command in COMMANDS]
    assert len(set(titles)) == len(titles)


async def test_the_palette_shows_the_keys_and_finds_commands_by_their_help(app: Babeltop):
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.press("colon")
        await pilot.pause(1)
        shown = text_of(pilot)
        command = min(COMMANDS, key=lambda each: each.title)
        line = next(line for line in shown.splitlines() if f" {command.title} " in line and "health" not in line)
        assert line.split(command.title)[1].split()[0] == key_label(command.keys[0])
        await pilot.press(*"watchlist")
        await pilot.pause(1)
        assert "remove" in text_of(pilot)
