"""The board of a team: its owners, the switch to it and back, and what is not edited there."""

from collections.abc import Callable
from concurrent.futures import Future

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.dashboard.test_dashboard import dashboard, text_of, toasts
from tests.support.fake_engine import FakeEngine
from tests.support.waiting import until
from tui.dashboard.app import Babeltop
from tui.dashboard.widgets.bars import FooterBar, TopBar
from tui.dashboard.widgets.detail_pages import DetailTab
from tui.domain.fleet import FleetReport
from tui.engine.api import Health, JobHistory, Update
from tui.presentation.columns import EMPTY_CELL, row_cells
from tui.presentation.table_layout import visible_columns

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


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("is_frozen", [False, True])
async def test_the_rows_have_the_columns_of_the_header_at_once(
    app: Babeltop, engine: FakeEngine, size: tuple[int, int], is_frozen: bool
):
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        before = text_of(pilot).splitlines()
        if is_frozen:
            await pilot.press("z")
        engine.push(Update(states={}, role="following poller", shows_team=True))
        await pilot.pause()
        if is_frozen:
            await pilot.press("z")
            await pilot.pause()
        table = dashboard(pilot).table
        lines = text_of(pilot).splitlines()
        [header] = [number for number, line in enumerate(lines) if "STATUS" in line and "OWNER" in line]
        assert "owner" in [column.id for column in table.columns]
        at = lines[header].index("OWNER")
        assert lines[header + 1][at] == EMPTY_CELL, "these jobs have no owner"
        engine.push(Update(states={}, role="following poller"))
        await until(lambda: "OWNER" not in text_of(pilot))
        for line in (header, header + 1):
            assert text_of(pilot).splitlines()[line][:80] == before[line][:80]


def role_tones(pilot: Pilot[None]) -> list[tuple[str, str]]:
    """Return the texts at the right of the top line with their tones, without blanks and the time."""
    return [each for each in dashboard(pilot).query_one(TopBar).texts()[1] if each[0].strip()][:-1]


async def test_following_is_no_warning_and_a_pause_or_an_outage_is(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        for role, tone in (
            ("following 2 workers", "quiet"),
            ("viewing poller", "quiet"),
            ("following 2 workers, paused", "warning"),
            ("following, database away", "warning"),
        ):
            engine.push(Update(states={}, role=role))
            await until(lambda text=role: role_tones(pilot)[0][0] == text)
            assert role_tones(pilot) == [(role, tone)]


@pytest.mark.parametrize("size", SIZES)
async def test_of_an_account_of_which_nothing_is_known_nothing_is_promised(
    app: Babeltop, engine: FakeEngine, size: tuple[int, int]
):
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        board = dashboard(pilot).board
        unknown = {name: replace(state, health=Health.UNKNOWN) for name, state in board.accounts.items()}
        engine.push(Update(states={}, accounts=unknown, role="following, database away"))
        await pilot.pause()
        top = text_of(pilot).splitlines()[0]
        assert "●" not in top
        assert "? heygen" in top
        assert "database away" in top
        options, shown = board.render_options, visible_columns(200)
        at = [column.id for column in shown].index("next")
        assert {row_cells(state, shown, options)[at].text for state in board.states.values()} == {EMPTY_CELL}
        scheduled = next(ref for ref, state in board.states.items() if state.next_poll_at is not None)
        dashboard(pilot).table.move_to_job(scheduled)
        await pilot.press("enter")
        await pilot.pause()
        assert "next poll not known" in text_of(pilot)
        await pilot.press("escape", "w")
        await pilot.pause()
        assert "the team's database is away" in " ".join(text_of(pilot).split())
        assert "due now" not in text_of(pilot)
        await pilot.press("escape", "A")
        await pilot.pause()
        assert "unknown" in text_of(pilot)
        assert "●" not in text_of(pilot)


@pytest.mark.parametrize("size", SIZES)
async def test_a_viewer_is_offered_only_what_its_role_can_do(app: Babeltop, engine: FakeEngine, size: tuple[int, int]):
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert "refresh" in footer(pilot)
        engine.push(Update(states={}, role="viewing poller"))
        await until(lambda: "refresh" not in footer(pilot))
        assert not {"add", "refresh", "copy link", "open", "download", "remove", "undo"} & footer(pilot)
        assert {"help", "filter", "commands", "quit"} <= footer(pilot)
        offered = {command.id for command in dashboard(pilot).possible_commands()}
        assert not offered & {"edit", "archive", "mute", "refresh_all", "renew", "pause"}
        assert {"copy_id", "team", "why", "accounts"} <= offered
        await pilot.press("r")
        await pilot.pause()
        assert toasts(pilot)[-1] == "Read-only: refresh is disabled for the role viewer"
        assert not engine.refreshed
        await pilot.press("colon", *"renew")
        await pilot.pause(1)
        assert "renew link" not in text_of(pilot)
        await pilot.press("escape")
        engine.push(Update(states={}, role="polling"))
        await until(lambda: "refresh" in footer(pilot))


def footer(pilot: Pilot[None]) -> set[str]:
    """Return the titles in the last line of the screen."""
    return {text.strip() for text, tone in dashboard(pilot).query_one(FooterBar).texts()[0] if tone == "quiet"} | {
        text.strip() for text, _ in dashboard(pilot).query_one(FooterBar).texts()[1]
    }


@pytest.mark.parametrize("size", SIZES)
async def test_a_toast_leaves_the_filter_and_its_hint_in_view(app: Babeltop, size: tuple[int, int]):
    async with app.run_test(size=size, notifications=True) as pilot:
        await pilot.press("slash", *"status")
        await pilot.pause()
        dashboard(pilot).toast(
            "Whole team: 2 jobs of 2 watchlists, which is a long text for a toast on a narrow screen"
        )
        await until(lambda: any(toast.region.area for toast in app.screen.query("Toast")))
        assert (
            max(toast.region.bottom for toast in app.screen.query("Toast")) <= app.screen.query_one("#filter").region.y
        )


@pytest.mark.parametrize(("key", "text"), [("F", "heygen"), ("J", "→"), ("enter", "report")])
async def test_what_could_not_be_read_during_an_outage_is_not_shown_as_none(
    app: Babeltop, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch, key: str, text: str
):
    def unread(value: object) -> Callable[..., Future[object]]:
        result: Future[object] = Future()
        result.set_result(value)
        return lambda *_: result

    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        engine.push(Update(states={}, role="following, database away"))
        await pilot.pause()
        dashboard(pilot).detail.select_tab(DetailTab.REQUESTS)
        with monkeypatch.context() as away:
            away.setattr(engine, "fleet", unread(FleetReport()))
            away.setattr(engine, "recent_changes", unread(()))
            away.setattr(engine, "job_history", lambda ref: unread(JobHistory(ref=ref, is_read=False))())
            await pilot.press(key)
            await until(lambda: "not known while the team's database is away" in text_of(pilot))
            await pilot.press("escape")
        engine.push(Update(states={}, role="following poller"))
        await pilot.pause()
        await pilot.press(key)
        await until(lambda: text in text_of(pilot))
        assert "not known" not in text_of(pilot)
