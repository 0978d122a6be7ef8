"""Why nothing is sent and when it goes on, from the engine in virtual time to row, detail and toast."""

import asyncio
from collections import Counter
from datetime import UTC

from textual.geometry import Size

from tests.engine.polling.test_polling import PollingSetup, stage
from tests.support.scripted_service import ScriptedService, running
from tests.support.virtual_time import DAY, HOUR, MINUTE, wall_time
from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.badges import account_badge
from tui.dashboard.widgets.detail_pages import DetailPages, DetailTab
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.engine.api import Health, Refresh, Update
from tui.presentation import columns, formatting, table_layout

JOBS = tuple(f"j{number}" for number in range(40))
DAILY = "the account's daily limit, spread over the day"


class Shown:
    """What the dashboard shows of a running engine now."""

    def __init__(self, setup: PollingSetup) -> None:
        self.states = dict(setup.engine.states)
        self.accounts = setup.listener.accounts
        self.board = BoardModel(EvaluationContext(now=wall_time()), wall_time)
        self.board.apply_update(Update(states=self.states, accounts=self.accounts, order=tuple(self.states)))
        self.due = [state for state in self.states.values() if (state.next_poll_at or 0.0) <= wall_time()]

    def next_cell(self, state: JobState) -> str:
        shown = table_layout.visible_columns(200)
        cells = columns.row_cells(state, shown, self.board.render_options)
        return next(cell.text for column, cell in zip(shown, cells, strict=True) if column.id == "next")

    def overview(self, state: JobState) -> str:
        pages = DetailPages(self.board, lambda: UTC)
        return "\n".join(line.plain for line in pages.page(DetailTab.OVERVIEW, state, None, Size(100, 20)))


def test_a_used_up_daily_limit_is_shown_with_the_time_when_polling_continues(tmp_path):
    app, key = ScriptedService(lambda _request: running()), tmp_path / "key"
    key.write_text("k-0123456789")
    key.chmod(0o600)

    async def scenario(setup):
        await asyncio.sleep(HOUR)
        shown, now = Shown(setup), wall_time()
        account = shown.accounts["konpro"]
        assert (account.health, account.message) == (Health.LIMITED, DAILY)
        assert account_badge(account, now, ascii_only=False).tone == "warning"
        assert now < account.waits_until <= now + DAY / 60
        wait = formatting.duration(account.waits_until - now)
        assert len(shown.due) > 30
        assert {shown.next_cell(state) for state in shown.due} == {wait}
        assert f"next in {wait} ({DAILY})" in shown.overview(shown.due[0])
        toast = (await setup.engine.perform(Refresh((shown.due[0].job.ref,)))).message
        assert toast == f"Refreshing 1 job: none sent yet, konpro waits {wait} ({DAILY})"
        both = (shown.due[0].job.ref, Ref("heygen", "a"))
        toast = (await setup.engine.perform(Refresh(both))).message
        assert toast == f"Refreshing 2 jobs: none of konpro sent yet, konpro waits {wait} ({DAILY})"

    account = f'[accounts.konpro]\nbase_url = "http://sim.test"\napi_key = {{ file = "{key}" }}\nplan = "free"\n'
    config = f"{account}insecure_http = true\n"
    stage(tmp_path, app, {"konpro": JOBS, "heygen": ("a",)}, scenario, accounts=("heygen",), config=config)
    assert 40 <= sum(request.key == key.read_text() for request in app.requests) <= 45


def test_a_due_poll_behind_the_rate_limit_is_due_and_not_now(tmp_path):
    app = ScriptedService(lambda _request: running())

    async def scenario(setup):
        await asyncio.sleep(10 * MINUTE)
        shown = Shown(setup)
        cells = Counter(map(shown.next_cell, shown.states.values()))
        assert cells["now"] == 0
        assert cells["due"] > 10
        assert shown.accounts["heygen"].health is Health.OK
        assert "next as the rate limit allows (" in shown.overview(shown.due[0])

    stage(tmp_path, app, {"heygen": JOBS}, scenario, rate=6)
