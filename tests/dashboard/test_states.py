"""Problems are shown at 80×24 and 120×40, and every dialog fits 80×24."""

import re
import subprocess
import sys
from itertools import product

import pytest
from msgspec.structs import replace
from textual.widgets import Static

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import text_of
from tests.support.cases import cases
from tests.support.fake_engine import FakeEngine, account_states
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.confirm import ConfirmScreen
from tui.dashboard.widgets.badges import account_badge
from tui.dashboard.widgets.bars import TopBar
from tui.dashboard.widgets.job_table import JobTable
from tui.dashboard.widgets.vim_option_list import VimOptionList
from tui.dashboard.widgets.welcome import OnboardingInfo
from tui.domain.models import Phase
from tui.engine.api import AccountState, Health, Update
from tui.storage.config.settings import Settings, UiSettings
from tui.storage.watchlist.cache import WatchlistCache
from tui.storage.workspace import Workspace

DIALOGS = {"help": "question_mark", "add": "a", "edit": "e", "sort": "s", "views": "v", "columns": "c"}
DIALOGS |= {"accounts": "A", "journal": "J"}
SIZES = [(80, 24), (120, 40)]


def remembered(workspace: Workspace) -> None:
    """As an engine leaves the journal that has read the watchlist."""
    reading, places = workspace.watchlist.read(), workspace.paths
    listing = WatchlistCache.from_content(places.watchlist_file, workspace.watchlist.stamp(), reading)
    workspace.journal.save_ui_state(listing.to_ui_state())


def account(**more) -> AccountState:
    return AccountState(**{"name": "konpro", "provider": "konpro", "title": "KonPro", "request_count": 5, **more})


async def test_a_dialog_fits_and_names_the_key_that_closes_it(app: Babeltop):
    with cases() as case:
        async with app.run_test(size=(80, 24)) as pilot:
            for size, (name, key) in product(SIZES, DIALOGS.items()):
                with case(name, size):
                    await pilot.resize_terminal(*size)
                    await pilot.press(key)
                    await pilot.pause()
                    await pilot.pause()
                    dialog = app.screen.query_one(".dialog")
                    assert app.screen.region.contains_region(dialog.region)
                    for static in app.screen.query(Static):
                        if static.region.width and static.id != "candidates":
                            assert static.region.x >= dialog.region.x
                            assert static.region.right <= dialog.region.right
                    assert "Esc" in text_of(pilot)
                    await pilot.press("escape")
                    await pilot.pause()
                    assert app.screen.query(JobTable)


async def test_the_confirmation_fits_80_columns(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        question = "Refresh 340 jobs? About 12m20s at the limit of konpro."
        app.push_screen(ConfirmScreen("Refresh", question, "refresh all"))
        await pilot.pause()
        assert question in text_of(pilot)
        assert "Enter: refresh all · Esc: cancel" in text_of(pilot)


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (account(health=Health.OK), ""),
        (account(health=Health.UNTRIED), ""),
        (account(health=Health.LIMITED, http_status=429, waits_until=NOW + 38), "429"),
        (account(health=Health.LIMITED, http_status=503, waits_until=NOW + 38), "503"),
        (account(health=Health.LIMITED, waits_until=NOW + 38), "waiting"),
        (account(health=Health.OFFLINE, consecutive_failures=1), ""),
        (account(health=Health.OFFLINE, consecutive_failures=2), "offline"),
        (account(health=Health.OFFLINE, consecutive_failures=5, waits_until=NOW + 30), "offline"),
        (account(health=Health.REFUSED), "key refused"),
        (account(health=Health.NO_KEY), "no key"),
        (account(health=Health.OK, is_deprecated=True), "API deprecated"),
        (account(health=Health.OK, is_deprecated=True, sunset_at=NOW + 86400 * 9), "API ends 30 Nov"),
        (account(health=Health.OK, is_deprecated=True, sunset_at=NOW - 9), "API retired"),
    ],
)
def test_a_badge_has_a_text_only_for_a_problem(state, word):
    for ascii_only in (False, True):
        shown = account_badge(state, NOW, ascii_only=ascii_only)
        assert shown.text == word
        assert shown.glyph.isascii() is ascii_only


PROBLEMS = (
    ({"health": Health.LIMITED, "http_status": 429, "waits_until": NOW + 38}, ("38s", "429, 38s")),
    ({"health": Health.OFFLINE, "consecutive_failures": 5, "waits_until": NOW + 30}, ("30s", "offline, 30s")),
    ({"health": Health.REFUSED, "message": "the key is refused"}, ("⊘ konpro", "key refused")),
    ({"health": Health.NO_KEY}, ("○ konpro", "no key")),
)


async def test_the_top_bar_shows_an_accounts_problem(app: Babeltop, engine: FakeEngine):
    state = account_states(engine.workspace)["konpro"]
    with cases() as case:
        async with app.run_test(size=(80, 24)) as pilot:
            for size, (more, message) in product(SIZES, PROBLEMS):
                with case(more["health"], size):
                    await pilot.resize_terminal(*size)
                    engine.push(Update(states={}, accounts={"konpro": replace(state, **more)}))
                    await pilot.pause()
                    top = text_of(pilot).splitlines()[0]
                    assert message[size[0] > 80] in top, top
                    assert "UTC" in top


async def test_of_many_accounts_the_top_bar_shows_those_with_a_problem_and_counts_the_others(
    app: Babeltop, engine: FakeEngine
):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        calm = {f"account-{number:02}": account(name=f"account-{number:02}") for number in range(20)}
        failed = account(name="last", health=Health.OFFLINE, consecutive_failures=5)
        count = len({**app.screen.board.accounts, **calm}) + 1
        engine.push(Update(states={}, accounts={**calm, "last": failed}))
        await pilot.pause()
        top = text_of(pilot).splitlines()[0]
        assert "◌ last" in top
        assert top.count("○") + top.count("●") + 1 + int(re.search(r"\+(\d+) ", top)[1]) == count
        await pilot.click(TopBar, offset=(top.index("last"), 0))
        await pilot.pause()
        assert app.screen.query_one(VimOptionList).highlighted == count - 1


async def test_stale_rows_are_dimmed_and_show_their_age(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        table = app.screen.query_one(JobTable)
        state = replace(
            app.screen.board.states[table.refs[0]],
            phase=Phase.RUNNING,
            checked_at=NOW - 740,
            stale_after=NOW - 5,
        )
        engine.push(Update(states={state.job.ref: state}))
        await pilot.pause()
        for size in SIZES:
            await pilot.resize_terminal(*size)
            await pilot.pause()
            row = text_of(pilot).splitlines()[table.region.y]
            assert "? running" in row
            assert ("12m old" in row) is (size[0] > 80)
            assert table._painted_rows[0].content[2], "dimmed"


async def test_ascii_glyphs_leave_no_other_characters(workspace: Workspace, engine: FakeEngine):
    states = {ref: replace(state, job=replace(state.job, label="x")) for ref, state in workspace.job_states().items()}
    app = Babeltop(
        engine,
        Settings(ui=UiSettings(glyphs="ascii")),
        OnboardingInfo("w", ()),
        initial_update=Update(states=states, order=tuple(states), accounts=account_states(workspace)),
        now=lambda: NOW,
    )
    async with app.run_test(size=(120, 20)) as pilot:
        await pilot.pause()
        await pilot.press("j", "space", "greater_than_sign")
        await pilot.pause()
        odd = {sign for line in text_of(pilot).splitlines()[:16] for sign in line if not sign.isascii()}
        assert odd <= {"·"}, odd


async def test_an_invalid_watchlist_shows_a_banner_above_the_last_good_list(workspace: Workspace, engine: FakeEngine):
    from tui.dashboard.startup import load_initial_state

    remembered(workspace)
    with workspace.paths.watchlist_file.open("a") as file:
        file.write("[[job]\n")
    begun = load_initial_state(workspace)
    app = Babeltop(engine, workspace.settings, OnboardingInfo("w", ()), initial_update=begun.update, now=lambda: NOW)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        shown = text_of(pilot)
        assert "line" in shown
        assert "running" in shown
        assert len(app.screen.query_one(JobTable).refs) > 20


async def test_preferences_are_stored_for_the_next_start_but_not_by_the_demo(workspace: Workspace, engine: FakeEngine):
    from tui.dashboard.startup import load_initial_state

    for saves in (False, True):
        begun = load_initial_state(workspace)
        app = Babeltop(
            engine,
            workspace.settings,
            OnboardingInfo("w", ()),
            initial_update=begun.update,
            preferences=begun.preferences,
            saves_preferences=saves,
        )
        async with app.run_test(size=(80, 24)) as pilot:
            await pilot.pause()
            await pilot.press("T", "t", "4", "S")
            await pilot.pause()
        looks = load_initial_state(workspace).preferences
        if not saves:
            assert (looks.theme, looks.time, looks.view) == ("babeltop-dark", "relative", "all")
        else:
            assert (looks.theme, looks.time, looks.view, looks.descending) == (
                "babeltop-light",
                "local",
                "problems",
                True,
            )


async def test_a_long_board_shows_its_first_jobs_and_then_all(workspace: Workspace, monkeypatch):
    from tui.dashboard import startup
    from tui.storage.watchlist import cache

    remembered(workspace)
    assert startup.load_initial_state(workspace).load_all_jobs is None
    monkeypatch.setattr(cache, "HEAD_JOBS", 4)
    remembered(workspace)
    begun = startup.load_initial_state(workspace)
    assert list(begun.update.states) == list(workspace.job_states())[:4]
    assert begun.load_all_jobs().states == workspace.job_states()


def test_the_screen_is_updated_250_times_a_second_from_the_first_frame_on():
    code = "import tui.dashboard.app, textual.constants; print(textual.constants.MAX_FPS)"
    # a new interpreter: here textual has been imported before
    found = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True)
    assert found.stdout == b"250\n"
