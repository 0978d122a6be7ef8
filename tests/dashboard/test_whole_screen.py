"""Every cell of a real terminal's screen matches the board after random events."""

import asyncio
from random import Random

import pytest
from msgspec.structs import replace

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import dashboard
from tests.long_running.board import FILTERS, use_board
from tests.support.fake_engine import FakeEngine
from tests.support.reference_model import expected_rows, view_counts
from tests.support.screen_mirror import Mirror, drawn_on, expected_lines, shown_lines
from tui.dashboard.app import Babeltop
from tui.dashboard.board_model import BoardModel
from tui.dashboard.widgets.job_table import JobTable
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase
from tui.engine.api import AccountState, Health, Update
from tui.presentation.filters.model import Filter
from tui.presentation.queries import SORTS, View
from tui.storage.config.settings import SavedView

WIDTHS = [(120, 40), (80, 24), (200, 60), (100, 30), (61, 17)]


def something(random: Random, state, now):
    phase = random.choice(list(Phase))
    label = random.choice(["plain", "ग्राहक सहायता", "👩\u200d👩\u200d👧 family", "製品のご紹介 " * 4, "دبي", "x" * 90])
    return replace(
        state,
        phase=phase,
        phase_since=now - random.choice([1, 70, 4000, 200_000]),
        next_poll_at=random.choice([None, now + 9, now + 700]),
        stale_after=random.choice([None, now - 5]),
        job=replace(state.job, label=label, muted=random.random() < 0.2),
    )


@pytest.mark.parametrize("seed", [1, 2])
async def test_every_cell_on_the_terminal_matches_the_board(app: Babeltop, engine: FakeEngine, seed):
    random = Random(seed)
    mirror = Mirror(app)
    app._display = drawn_on(mirror, app)  # what would go to the terminal
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        table = dashboard(pilot).query_one(JobTable)
        keys = [
            "j",
            "k",
            "G",
            "g",
            "space",
            "V",
            "U",
            "t",
            "S",
            "greater_than_sign",
            "less_than_sign",
            *"1231",
            "ctrl+d",
        ]
        for step in range(40):
            action = random.randrange(4)
            if action == 0:
                states = engine.workspace.job_states()
                some = random.sample(list(states), 5)
                engine.push(Update(states={ref: something(random, states[ref], NOW) for ref in some}))
            elif action == 1:
                await pilot.press(random.choice(keys))
            elif action == 2:
                dashboard(pilot).board.set_filter(random.choice(["", "heygen", "phase:done", "-phase:running"]))
                dashboard(pilot).update_rows()
            elif step % 5 == 0:
                size = random.choice(WIDTHS)
                mirror.sizes(size)
                await pilot.resize_terminal(*size)
            await pilot.pause()
            await pilot.pause()
            if table.region.width and table.display:
                assert shown_lines(mirror, table) == expected_lines(table), (step, action)


async def test_many_updates_of_the_sorted_column_keep_cursor_and_detail_on_their_job(app: Babeltop, engine: FakeEngine):
    random = Random(5)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        dash = dashboard(pilot)
        table = dash.query_one(JobTable)
        dash.sort_by("next")
        await pilot.press(*"jjjjjjj")
        await pilot.pause()
        cursor, line = table.cursor, table._cursor_row - table.scroll_offset.y
        for _ in range(60):
            states = dict(dash.board.states)
            some = random.sample(list(states), 12)
            engine.push(Update(states={ref: something(random, states[ref], NOW) for ref in some}))
            await asyncio.sleep(0)
            await pilot.pause()
            assert table.cursor == cursor
            assert table.refs[table._cursor_row] == cursor
            assert dash.detail._ref == cursor
            most = max(0, len(table.refs) - table.size.height)
            assert table._cursor_row - table.scroll_offset.y == line or table.scroll_offset.y in {0, most}
            line = table._cursor_row - table.scroll_offset.y


@pytest.mark.parametrize("sort", list(SORTS))
@pytest.mark.parametrize("view", [View.ALL, View.PROBLEMS])
def test_the_row_index_equals_one_rebuilt_from_all_states(workspace, sort, view):
    from tui.dashboard.row_index import RowIndex
    from tui.domain.evaluation import EvaluationContext
    from tui.presentation.filters.grammar import parse

    random = Random(7)
    states, kept = workspace.job_states(), RowIndex()
    filters = [parse(text).filter for text in FILTERS] + [None]
    wanted = filters[0]
    now = NOW
    kept.rebuild(states, EvaluationContext(now=now))
    kept.set_query(EvaluationContext(now=now), view, wanted, sort, descending=True)
    for _ in range(40):
        now += random.choice([0.5, 30, 4000, 90_000])
        some = {ref: something(random, states[ref], now) for ref in random.sample(list(states), 4)}
        states |= some
        kept.update(some.values(), EvaluationContext(now=now))
        kept.advance_time(EvaluationContext(now=now))
        if random.random() < 0.5:
            wanted = random.choice(filters)
            kept.set_query(EvaluationContext(now=now), view, wanted, sort, descending=True)
        query = {"view": view, "wanted": wanted or Filter(), "sort": sort}
        again = expected_rows(states.values(), EvaluationContext(now=now), **query, descending=True)
        assert [row.ref for row in kept.rows] == again
        assert kept.counts == view_counts(states.values(), EvaluationContext(now=now))


async def test_a_long_board_shows_the_rows_of_a_plain_evaluation_after_keys_filters_and_updates():
    checks = await use_board(300, steps=20, seed=3)
    assert set(checks) == {"filter", "key", "update", "time"}


def test_a_view_of_a_service_shows_its_jobs_once_the_account_is_known():
    saved = SavedView(name="Dubbing", filter="provider:dubber")
    state = JobState(job=Job(account="legal", id="a"))
    board = BoardModel(EvaluationContext(now=NOW), lambda: NOW, saved_views=(saved,))
    board.apply_update(Update(states={state.job.ref: state}, order=(state.job.ref,)))
    assert board.view_counts()["Dubbing"] == 0
    account = AccountState(name="legal", title="Dubber", provider="dubber", health=Health.OK)
    board.apply_update(Update(states={}, accounts={"legal": account}))
    assert board.view_counts()["Dubbing"] == 1
