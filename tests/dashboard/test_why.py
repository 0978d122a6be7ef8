"""Why: what a job and its account are doing, why not yet, and what the operator can do."""

from itertools import product

from msgspec.structs import replace

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import text_of
from tests.support.cases import cases
from tests.support.fake_engine import FakeEngine, account_states, update_of
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.why import WhyScreen
from tui.dashboard.screen import Dashboard
from tui.domain.models import Fault, FaultKind, Link, LinkKind, Phase, PollReason
from tui.engine.api import Health, Update
from tui.presentation.descriptions import describe_remedy

DAY = 86400.0


async def show_why(app, engine, pilot, **more):
    """Open the dialog on a job of konpro, whose account has this state."""
    await pilot.pause()
    state = account_states(engine.workspace)["konpro"]
    engine.push(Update(states={}, accounts={"konpro": replace(state, **more)}))
    await pilot.pause()
    app.screen.table.move_to_job(next(ref for ref in app.screen.table.refs if ref.account == "konpro"))
    await pilot.press("w")
    await pilot.pause()
    assert isinstance(app.screen, WhyScreen)
    return text_of(pilot)


CAUSES = (
    ({"health": Health.OK}, "nothing holds its polls back", ""),
    (
        {"health": Health.LIMITED, "message": "Retry-After of the service", "waits_until": NOW + 38},
        "Retry-After of the service; goes on in 38s",
        "set a lower rate_per_minute",
    ),
    ({"health": Health.REFUSED, "message": "KonPro rejected it"}, "stopped: KonPro rejected it", "r: retry"),
    ({"health": Health.NO_KEY, "message": "KONPRO_API_KEY not set"}, "no API key: KONPRO_API_KEY", "r: retry"),
    (
        {"health": Health.OFFLINE, "message": "no route", "consecutive_failures": 2},
        "not responding: no route; retried",
        "babeltop doctor",
    ),
    ({"health": Health.OK, "is_spaced": True}, "sent one by one", "set a higher rate_per_minute"),
)


async def test_w_explains_what_holds_the_account_back_and_what_to_do(app: Babeltop, engine: FakeEngine):
    with cases() as case:
        async with app.run_test(size=(80, 24)) as pilot:
            for size, (more, reason, remedy) in product([(80, 24), (120, 40)], CAUSES):
                with case(more, size):
                    await pilot.resize_terminal(*size)
                    shown = await show_why(app, engine, pilot, **more)
                    assert "Why: konpro" in shown
                    assert reason in shown
                    assert remedy in shown
                await pilot.press("escape")


async def test_w_shows_budget_jobs_and_the_next_poll(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        more = {"health": Health.OK, "rate_per_minute": 36.0, "quota": (42, 100), "request_count": 7, "fault_count": 2}
        shown = await show_why(app, engine, pilot, **more)
        assert "36 requests a minute, 42 of 100 left" in shown
        assert "7 since the start, 2 with a fault" in shown
        assert " running" in shown
        assert " due now" in shown
        assert "next poll   in " in shown
        assert "do          a: add it with another account; d: remove" in shown  # the demo has a missing job
        await pilot.press("r")
        await pilot.pause()
        assert engine.resumed == ["konpro"]
        await pilot.press("w")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)


async def test_w_names_what_holds_the_whole_board_back(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        engine.silent_seconds = 7.0
        engine.push(Update(states={}, role="following PID 42, paused"))
        shown = await show_why(app, engine, pilot)
        assert "the engine has not responded for 7 s" in shown
        assert "polling is paused" in shown
        assert "Z at the leader's console: resume" in shown
        assert "another console polls (following PID 42, paused)" in shown


def test_every_fault_has_a_remedy():
    assert all(describe_remedy(kind) for kind in FaultKind)


async def show_job(app, engine, pilot, **more):
    """Show the first job with this state in the detail; return the detail's lines."""
    await pilot.pause()
    state = next(state for state in app.screen.board.states.values() if state.job.account == "heygen")
    engine.push(update_of(replace(state, report=None, fault=None, links=(), **more)))
    await pilot.pause()
    app.screen.table.move_to_job(state.job.ref)
    for _ in range(20):  # the detail follows the cursor when that has been painted
        await pilot.pause()
    return [line.plain for line in app.screen.detail._text_page._lines]


async def test_the_first_lines_of_a_job_answer_what_why_and_what_to_do(app: Babeltop, engine: FakeEngine):
    fault = Fault(FaultKind.SERVER, "HeyGen returned 502 (server error). Polling continues.", 502)
    waiting = {"next_poll_at": NOW + 12, "next_poll_reason": PollReason.BACKOFF, "phase_since": NOW - 60}
    async with app.run_test(size=(120, 40)) as pilot:
        lines = await show_job(app, engine, pilot, phase=Phase.RUNNING, **waiting)
        assert lines[1].startswith("running for 1m00s")
        assert "next in 12s" in lines[2]
        assert lines[3] == "heygen: 36 requests a minute; w: why"
        state = next(state for state in app.screen.board.states.values() if state.job.account == "heygen")
        engine.push(update_of(replace(state, fault=fault)))
        await pilot.pause()
        lines = [line.plain for line in app.screen.detail._text_page._lines]
        assert "backing off after server" in lines[2]
        assert lines[3] == f"server: {fault.message}"
        assert lines[4] == f"do          {describe_remedy(FaultKind.SERVER)}"


async def test_a_job_without_a_next_poll_shows_the_reason(app: Babeltop, engine: FakeEngine):
    ended = {"next_poll_at": None, "next_poll_reason": None, "phase_since": NOW - 60, "phase": Phase.FAILED}
    async with app.run_test(size=(120, 40)) as pilot:
        assert "no more: ended; r: refresh" in (await show_job(app, engine, pilot, **ended))[2]


async def test_an_expiring_link_names_its_remedy(app: Babeltop, engine: FakeEngine):
    link = Link(LinkKind.VIDEO, "https://cdn.test/v", NOW - DAY, NOW + 7200, expiry_is_exact=True)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        state = next(state for state in app.screen.board.states.values() if state.job.account == "heygen")
        done = replace(state, phase=Phase.DONE, phase_since=NOW - 60, links=(link,), fault=None)
        engine.push(update_of(done))
        app.screen.table.move_to_job(state.job.ref)
        for _ in range(20):
            await pilot.pause()
        assert "expires in 2h00m" in text_of(pilot)
        assert "; L: renew" in text_of(pilot)
