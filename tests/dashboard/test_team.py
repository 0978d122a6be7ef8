"""The board of a team: its owners, the switch to it and back, and what is not edited there."""

import pytest

from tests.dashboard.test_dashboard import dashboard, text_of, toasts
from tests.support.fake_engine import FakeEngine
from tui.dashboard.app import Babeltop

SIZES = [(80, 24), (120, 40), (200, 60)]


@pytest.mark.parametrize("size", SIZES)
async def test_a_key_shows_the_whole_team_with_its_owners_and_the_own_list_again(app: Babeltop, size):
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "OWNER" not in text_of(pilot)
        await pilot.press("M")
        await pilot.pause()
        screen = text_of(pilot)
        assert "team · following poller" in screen
        assert "OWNER" in screen
        assert "alice" in screen.split()
        own = [state.job.ref for state in dashboard(pilot).board.states.values() if not state.job.is_foreign]
        await pilot.press("M")
        await pilot.pause()
        assert "OWNER" not in text_of(pilot)
        assert "team ·" not in text_of(pilot)
        assert list(dashboard(pilot).board.states) == own


async def test_the_filter_finds_the_jobs_of_an_owner(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("M")
        await pilot.pause()
        await pilot.press("slash", *"owner:bob", "enter")
        await pilot.pause()
        board = dashboard(pilot).board
        assert board.visible_refs()
        assert all(board.states[ref].job.owners == ("bob",) for ref in board.visible_refs())


async def test_the_edit_dialog_does_not_open_for_another_operators_job(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("M")
        await pilot.pause()
        foreign = next(ref for ref, state in dashboard(pilot).board.states.items() if state.job.is_foreign)
        dashboard(pilot).table.move_to_job(foreign)
        await pilot.press("e")
        await pilot.pause()
        assert app.screen is dashboard(pilot)
        assert toasts(pilot)[-1] == f"{foreign} is on the watchlist of bob, not on yours: edited only there"
