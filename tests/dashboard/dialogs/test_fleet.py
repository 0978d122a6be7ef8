"""Fleet screen: the accounts of the demo, in two lines or one each, and the filter that a row leads to."""

import pytest
from msgspec.structs import replace

from tests.dashboard.test_dashboard import dashboard, text_of
from tests.support.fake_engine import FakeEngine, account_states
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.fleet import FleetScreen
from tui.dashboard.screen import Dashboard
from tui.engine.api import Health, Update


@pytest.mark.parametrize(
    ("size", "lines"), [((80, 24), 2), ((120, 40), 2), ((179, 45), 2), ((180, 45), 1), ((200, 60), 1)]
)
async def test_f_shows_every_account_and_kind(app: Babeltop, size, lines):
    async with app.run_test(size=size) as pilot:
        await pilot.press("F")
        await pilot.pause()
        shown = [line.rstrip() for line in text_of(pilot).splitlines()]
        first = next(number for number, line in enumerate(shown) if "heygen" in line)  # the first: a job failed today
        names = [" ".join(line.split()[1:3]) for line in shown[first : first + 12 * lines : lines] if line]
        listed = {name.split()[0] for name in names if "Enter:" not in name}
        assert app.screen._board.accounts.keys() <= listed
        assert any(name == "camb dub" for name in names)
        assert any("FAIL/USUAL" in line for line in shown)
        assert any("/36" in line and "ms" in line for line in shown)  # requests of a minute's limit, and latency
        assert any("no key" in line for line in shown)
        assert max(map(len, shown)) <= size[0]


async def test_enter_shows_the_jobs_of_the_account(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("4", "F")
        await pilot.pause()
        await pilot.press("j", "enter")
        await pilot.pause()
        screen = dashboard(pilot)
        assert isinstance(app.screen, Dashboard)
        assert screen.board.filter_text == "account=camb"
        assert {ref.account for ref in screen.table.refs} == {"camb"}
        assert len(screen.table.refs) > 3  # of all phases: the view is All
        await pilot.press("escape")
        await pilot.pause()
        assert screen.board.filter_text == ""


async def test_an_account_with_failing_requests_comes_first(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        state = account_states(engine.workspace)["flixu"]
        engine.push(Update(states={}, accounts={"flixu": replace(state, health=Health.REFUSED, message="no")}))
        await pilot.press("F")
        await pilot.pause()
        first = next(line for line in text_of(pilot).splitlines() if "ACCOUNT" not in line and "/0." in line)
        assert "flixu" in first
        await pilot.press("escape")
        await pilot.pause()
        assert not isinstance(app.screen, FleetScreen)
