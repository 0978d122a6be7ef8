"""Views of config.toml, the default order, and the columns."""

from datetime import UTC, timedelta, timezone
from itertools import product

import pytest
from msgspec.structs import replace

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import dashboard, text_of, toasts
from tests.support.cases import cases
from tests.support.fake_engine import FakeEngine, account_states
from tui.dashboard.app import Babeltop
from tui.dashboard.board_model import BoardModel
from tui.dashboard.dialogs.columns import ColumnsScreen
from tui.dashboard.dialogs.views import ViewsScreen
from tui.dashboard.startup import UiPreferences, load_initial_state
from tui.dashboard.widgets.welcome import OnboardingInfo
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Job, Link, LinkKind, Phase
from tui.engine.api import Update
from tui.presentation.queries import View
from tui.presentation.table_layout import COLUMN_TYPES, DEFAULT_COLUMNS
from tui.storage.config import settings
from tui.storage.workspace import Workspace

SIZES = [(80, 24), (120, 40), (200, 60)]
VIEWS = """
[[view]]
name = "Failed"
filter = "phase:failed|timed_out|blocked"
sort = "-name"
columns = ["status", "name", "message"]
[[view]]
name = "HeyGen"
filter = "account:heygen"
[[view]]
name = "Young"
filter = "total<1h"
[[view]]
name = "Fourth"
filter = "nothing-like-this"
"""


@pytest.fixture
def make_app(workspace: Workspace, engine: FakeEngine):
    """Return a function that makes the dashboard with a config.toml."""

    def make(text: str = VIEWS, *, saves: bool = False, view: str = "") -> Babeltop:
        path = workspace.paths.config_dir / "views.toml"
        path.write_text(text)
        workspace.settings = settings.read(path)
        initial = load_initial_state(workspace, view)
        board = workspace.job_states()
        return Babeltop(
            engine,
            workspace.settings,
            OnboardingInfo(str(workspace.paths.watchlist_file), ()),
            initial_update=Update(states=board, order=tuple(board), accounts=account_states(workspace)),
            preferences=initial.preferences,
            saves_preferences=saves,
            now=lambda: NOW,
        )

    return make


async def test_saved_views_have_counts_and_keys(make_app):
    async with make_app().run_test(size=SIZES[0]) as pilot:
        dash = dashboard(pilot)
        counts = dash.board.view_counts()
        for size, (number, name) in product(SIZES, enumerate(("Failed", "HeyGen", "Young"), 7)):
            await pilot.press("1")
            await pilot.resize_terminal(*size)
            await pilot.pause()
            bar = text_of(pilot).splitlines()[1]
            assert f"{number} {name[:2]}" in bar
            assert f" {counts[name]}" in bar
            await pilot.press(str(number))
            await pilot.pause()
            assert dash.board.view == name
            assert len(dash.table.refs) == counts[name]
            assert f"{number} {name} {counts[name]}" in text_of(pilot).splitlines()[1]
            if name == "Failed":
                states = [dash.board.states[ref] for ref in dash.table.refs]
                assert {state.phase for state in states} <= {Phase.FAILED, Phase.TIMED_OUT, Phase.BLOCKED}
        await pilot.press("1")
        assert dash.board.view == View.ALL


async def test_no_view_is_cut_where_shorter_names_fit(make_app):
    with cases() as case:
        async with make_app().run_test(size=(100, 30)) as pilot:
            for width in range(100, 160, 3):
                with case(width):
                    await pilot.resize_terminal(width, 30)
                    await pilot.pause()
                    bar = text_of(pilot).splitlines()[1]
                    assert "…" not in bar
                    assert bar.split()[-2].startswith("F")


async def test_a_saved_view_has_its_own_sort_and_columns_until_it_is_left(make_app):
    async with make_app().run_test(size=(120, 40)) as pilot:
        dash = dashboard(pilot)
        await pilot.press("7")
        await pilot.pause()
        assert [column.id for column in dash.table.columns] == ["status", "name", "message"]
        assert "MESSAGE" in text_of(pilot)
        assert (dash.board.sort, dash.board.descending) == ("name", True)
        await pilot.press("S")
        assert (dash.board.sort, dash.board.descending) == ("name", False)
        await pilot.press("c")
        assert "has its own columns" in toasts(pilot)[-1]
        await pilot.press("8")
        await pilot.pause()
        assert (dash.board.sort, dash.board.descending) == ("attention", False)
        assert [column.id for column in dash.table.columns] == list(DEFAULT_COLUMNS)
        assert "MESSAGE" not in text_of(pilot)


async def test_a_saved_view_follows_states_and_time(make_app, engine: FakeEngine):
    clock = [NOW]
    app = make_app()
    app._dashboard.board.now = lambda: clock[0]
    async with app.run_test(size=(120, 40)) as pilot:
        dash = dashboard(pilot)
        before = dash.board.view_counts()["Failed"]
        state = next(state for state in dash.board.states.values() if state.phase is Phase.RUNNING)
        engine.push(Update(states={state.job.ref: replace(state, phase=Phase.FAILED)}))
        await pilot.pause()
        assert dash.board.view_counts()["Failed"] == before + 1
        assert dash.board.view_counts()["Young"] > 0
        clock[0] += 30 * 86400
        dash.tick()
        young = [state for state in dash.board.states.values() if state.first_polled_at and state.phase is Phase.DONE]
        assert dash.board.view_counts()["Young"] <= len(young)


async def test_v_lists_all_views_with_counts_and_filters(make_app):
    async with make_app().run_test(size=SIZES[0]) as pilot:
        dash = dashboard(pilot)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.press("1", "v")
            await pilot.pause()
            assert isinstance(pilot.app.screen, ViewsScreen)
            shown = text_of(pilot)
            assert "phase:failed|timed_out|blocked" in shown
            assert "completed jobs" in shown
            assert "archived jobs" in shown
            await pilot.press("G", "enter")
            await pilot.pause()
            assert dash.board.view == "Fourth"
            assert "No jobs in view Fourth" in text_of(pilot)
            await pilot.press("v", "escape")
            await pilot.pause()
            assert dash.board.view == "Fourth"


async def test_a_click_selects_a_saved_view(make_app):
    async with make_app().run_test(size=(120, 40)) as pilot:
        bar = text_of(pilot).splitlines()[1]
        await pilot.click("ViewBar", offset=(bar.index("HeyGen"), 0))
        await pilot.pause()
        assert dashboard(pilot).board.view == "HeyGen"


async def test_the_last_view_is_shown_again_and_one_that_is_gone_is_not(make_app, workspace: Workspace):
    async with make_app(saves=True).run_test(size=(80, 24)) as pilot:
        await pilot.press("8")
        await pilot.pause()
    assert load_initial_state(workspace).preferences.view == "HeyGen"
    assert load_initial_state(workspace, "Young").preferences.view == "Young"
    workspace.settings = settings.Settings()
    assert load_initial_state(workspace).preferences.view == View.ALL


async def test_all_shows_first_what_needs_the_operator_then_active_then_done(make_app):
    async with make_app("").run_test(size=(120, 40)) as pilot:
        dash = dashboard(pilot)
        groups = []
        for ref in dash.table.refs:
            state = dash.board.states[ref]
            is_problem = state.phase in {Phase.BLOCKED, Phase.FAILED, Phase.TIMED_OUT, Phase.MISSING}
            groups.append("problem" if is_problem else "done" if state.phase is Phase.DONE else "active")
        changes = [each for at, each in enumerate(groups) if at == 0 or each != groups[at - 1]]
        assert changes == ["problem", "done", "active", "done"]  # the first of these are expiring
        order = list(dash.board.states)
        active = [ref for ref, group in zip(dash.table.refs, groups, strict=True) if group == "active"]
        assert active == sorted(active, key=order.index)
        await pilot.press("greater_than_sign")
        await pilot.pause()
        assert dash.board.sort == "watchlist"
        assert dash.table.refs == [ref for ref in order if ref in dash.table.refs]


async def test_the_columns_dialog_shows_hides_orders_and_resets(make_app, workspace: Workspace):
    async with make_app(saves=True).run_test(size=(200, 60)) as pilot:
        dash = dashboard(pilot)
        await pilot.press("c")
        await pilot.pause()
        assert isinstance(pilot.app.screen, ColumnsScreen)
        shown = text_of(pilot)
        assert all(kind.meaning in shown for kind in COLUMN_TYPES.values())
        assert "[x] status" in shown
        assert "[ ] tags" in shown
        await pilot.press(
            "j", "space", "j", "K", "K", "G", "space", "enter"
        )  # without account, name first, changed last
        await pilot.pause()
        chosen = ("name", "status", "lang", "progress", "time", "eta", "next", "link", "changed")
        assert dash.board.columns == chosen
        assert [column.id for column in dash.table.columns] == list(chosen)
        header = text_of(pilot).splitlines()[2]
        assert header.index("NAME") < header.index("STATUS") < header.index("CHANGED")
        assert "ACCOUNT" not in header
    assert load_initial_state(workspace).preferences.columns == chosen
    async with make_app(saves=True).run_test(size=(80, 24)) as pilot:
        dash = dashboard(pilot)
        assert dash.board.columns == chosen
        await pilot.press("c", "r", "enter")
        await pilot.pause()
        assert dash.board.columns == DEFAULT_COLUMNS


async def test_one_column_stays(make_app):
    async with make_app('[ui]\ncolumns = ["name"]\n').run_test(size=(80, 24)) as pilot:
        await pilot.press("c", "space", "enter")
        await pilot.pause()
        assert dashboard(pilot).board.columns == ("name",)


async def test_a_wide_terminal_keeps_progress_and_eta(make_app):
    async with make_app().run_test(size=(160, 50)) as pilot:
        for width in (160, 180, 200, 240):
            await pilot.resize_terminal(width, 50)
            await pilot.pause()
            assert [column.id for column in dashboard(pilot).table.columns] == list(DEFAULT_COLUMNS), width
            assert dashboard(pilot).detail.region.width >= 50, width


async def test_columns_of_the_settings_win_once_they_change(workspace: Workspace):
    looks = UiPreferences.load({}, settings.Settings())
    assert looks.columns == DEFAULT_COLUMNS
    ui = settings.UiSettings(columns=(settings.ColumnId("name"), settings.ColumnId("tags")))
    changed = UiPreferences.load({}, settings.Settings(ui=ui))
    assert changed.columns == ("name", "tags")


def test_a_view_of_a_day_follows_the_time_zone():
    job = Job(account="konpro", id="a")
    link = Link(LinkKind.VIDEO, "https://cdn.test/a", NOW, NOW + 86400, expiry_is_exact=True)  # 22 Nov, 14:06 in UTC
    view = settings.SavedView(name="Sunday", filter="expiry:2026-11-22")
    board = BoardModel(EvaluationContext(now=NOW), lambda: NOW, saved_views=[view])
    state = JobState(job=job, phase=Phase.DONE, links=(link,))
    board.apply_update(Update(states={job.ref: state}, order=(job.ref,)))
    board.show_view("Sunday")
    for zone, refs in ((timezone(timedelta(hours=14)), []), (UTC, [job.ref])):
        board.set_zones(None, zone)
        assert board.visible_refs() == refs
        assert board.view_counts()["Sunday"] == len(refs)
