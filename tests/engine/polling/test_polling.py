"""Polling in virtual time: waits, refused keys and ends of jobs take effect to the second."""

import asyncio
from email.utils import formatdate
from itertools import pairwise
from random import Random

import pytest

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.virtual_time import DAY, HOUR, MINUTE, VirtualTransport, run_virtual, wall_time
from tui.domain.evaluation import EvaluationContext, flags
from tui.domain.job_state import Flag
from tui.domain.models import Phase, Ref
from tui.engine.api import Health, NoticeKind, Resume
from tui.engine.context import EngineContext
from tui.engine.engine import Engine

A, B, C = Ref("heygen-v2", "a"), Ref("heygen-v2", "b"), Ref("konpro", "c")


class PollingSetup:
    """Engine in virtual time with a service."""

    def __init__(self, tmp, app, jobs, **settings):
        self.listener = RecordingListener()
        self.ahead = settings.pop("ahead", lambda: 0.0)
        tick = settings.pop("tick", 60.0)
        self.workspace = fixtures.make_workspace(tmp, "http://sim.test", jobs, **settings)
        wires = {"sim.test": app}
        self.engine = Engine(
            self.workspace,
            self.listener.publish,
            EngineContext.create(
                wall=lambda: wall_time() + self.ahead(), random=Random(1), transport=lambda: VirtualTransport(wires)
            ),
            tick_interval=tick,
        )

    def __getitem__(self, ref):
        return self.engine.states[ref]


def stage(tmp, app, jobs, scenario, **settings):
    """Run `scenario(stage)` with a running engine, whose tick interval is a minute, or `tick`."""

    async def play():
        found = PollingSetup(tmp, app, jobs, **settings)
        async with fixtures.running_engine(found.engine):
            await scenario(found)
        found.workspace.close()

    run_virtual(play())


def test_retry_after_holds_for_the_whole_account_and_for_no_other(tmp_path):
    def reply(request):
        if request.id == "a" and request.at % DAY % 1e9 > 100 and len(app.request_times("a")) == 3:
            return 429, {}, {"retry-after": "38"}
        return running()

    app = ScriptedService(reply)

    async def scenario(stage):
        await asyncio.sleep(5 * MINUTE)
        refused = app.request_times("a")[2]
        mine = [at for at in app.request_times("a") + app.request_times("b") if at > refused]
        assert min(mine) >= refused + 38
        assert [at for at in app.request_times("c") if refused < at < refused + 38]

    stage(tmp_path, app, {"heygen-v2": ("a", "b"), "konpro": ("c",)}, scenario)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    "header",
    [
        lambda at: {"retry-after": "90"},
        lambda at: {"retry-after": formatdate(at + 90.5, usegmt=True)},
        lambda at: {"x-ratelimit-reset": "90"} | {"retry-after": "90"},
        lambda at: {"date": formatdate(at + 3600, usegmt=True), "retry-after": formatdate(at + 3690, usegmt=True)},
    ],
    ids=["seconds", "date", "both", "by a clock an hour off"],
)
def test_no_request_is_sent_within_a_retry_after_window(tmp_path, status, header):
    windows = []

    def reply(request):
        if len(app.requests) % 5 == 0:
            windows.append(request.at)
            return status, {}, header(request.at)
        return running()

    app = ScriptedService(reply)

    async def scenario(stage):
        await asyncio.sleep(20 * MINUTE)

    stage(tmp_path, app, {"heygen-v2": tuple(f"j{n}" for n in range(20))}, scenario)
    assert len(windows) > 5
    for began in windows:
        assert [at for at in app.request_times() if began < at < began + 89.4] == []


@pytest.mark.parametrize("status", [200, 202, 204, 409, 425, 500, 502, 504])
def test_a_retry_after_of_any_other_status_holds_for_its_job_alone(tmp_path, status):
    def reply(request):
        if request.id == "a" and len(app.request_times("a")) == 3:
            return status, running()[1] if status == 200 else b"", {"retry-after": "90"}
        return running()

    app = ScriptedService(reply)

    async def scenario(stage):
        await asyncio.sleep(10 * MINUTE)

    stage(tmp_path, app, {"konpro": ("a", "b")}, scenario)
    third = app.request_times("a")[2]
    assert app.request_times("a")[3] >= third + 90
    assert [at for at in app.request_times("b") if third < at < third + 90]


@pytest.mark.parametrize(("reset", "wait"), [("42", 42), (lambda at: f"{at + 90:.0f}", 90)], ids=["42", "epoch"])
@pytest.mark.parametrize("status", [429, 200])
def test_no_request_is_sent_before_the_rate_limit_window_resets(tmp_path, status, reset, wait):
    windows = []

    def reply(request):
        if len(app.requests) % 5 == 0:
            windows.append(request.at)
            until = reset if isinstance(reset, str) else reset(request.at)
            headers = {"x-ratelimit-limit": "60", "x-ratelimit-remaining": "0", "x-ratelimit-reset": until}
            return status, {"data": {"status": "running"}}, headers
        return running()

    app = ScriptedService(reply)

    async def scenario(stage):
        await asyncio.sleep(20 * MINUTE)

    stage(tmp_path, app, {"heygen-v2": tuple(f"j{n}" for n in range(20))}, scenario)
    assert len(windows) > 5
    for began in windows:
        assert [at for at in app.request_times() if began < at < began + wait - 0.5] == []


def test_a_retry_after_is_limited_to_a_day(tmp_path):
    app = ScriptedService(
        lambda request: (429, {}, {"retry-after": "9999999999"}) if len(app.requests) == 1 else running()
    )

    async def scenario(stage):
        await asyncio.sleep(DAY + HOUR)

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, tick=10 * MINUTE)
    assert DAY <= app.request_times()[1] - app.request_times()[0] < DAY + MINUTE


def test_a_user_requested_poll_waits_for_the_retry_after_window(tmp_path):
    app = ScriptedService(lambda request: (429, {}, {"retry-after": "300"}))

    async def scenario(stage):
        await asyncio.sleep(60)
        assert (await stage.engine.perform(fixtures.refresh(A))).ok
        await asyncio.sleep(200)

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario)
    assert len(app.requests) == 1


def test_a_429_without_retry_after_backs_off(tmp_path):
    app = ScriptedService(lambda request: (429, {}, {}))

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        while stage.listener.accounts["heygen-v2"].health is not Health.LIMITED:  # noqa: ASYNC110  virtual time
            await asyncio.sleep(1)

    stage(tmp_path, app, {"heygen-v2": ("a", "b", "c", "d")}, scenario)
    assert 20 < len(app.requests) < 120


def test_a_service_that_is_down_gets_one_probe_at_a_time(tmp_path):
    app = ScriptedService(lambda request: (500, {}, {}), delay=3)

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        assert stage.listener.accounts["heygen-v2"].waits_until is not None

    stage(tmp_path, app, {"heygen-v2": tuple(f"j{n}" for n in range(50))}, scenario, concurrency=8)
    opened = app.request_times()[12:]
    assert len(app.requests) < 12 + 20
    assert all(later - earlier >= 29 for earlier, later in pairwise(opened))


@pytest.mark.parametrize("answer", [running, lambda: done("https://cdn.test/1"), lambda: (404, {}, {})])
def test_the_first_response_after_an_outage_resumes_all_polls(tmp_path, answer):
    app = ScriptedService(lambda request: (500, {}, {}))

    async def scenario(stage):
        await asyncio.sleep(HOUR)  # the breaker is open for ten minutes at a time by now
        app.respond = lambda request: answer()
        before = len(app.requests)
        while len(app.requests) == before:  # noqa: ASYNC110  virtual time
            await asyncio.sleep(1)
        await asyncio.sleep(MINUTE)
        assert {request.id for request in app.requests[before:]} == {f"j{n}" for n in range(6)}

    stage(tmp_path, app, {"heygen-v2": tuple(f"j{n}" for n in range(6))}, scenario)


def test_a_refused_key_stops_the_account_and_no_other(tmp_path):
    app = ScriptedService(lambda request: (401, {}, {}) if request.key == "bad" else running())

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        assert len([request for request in app.requests if request.key == "bad"]) == 1
        assert len(app.request_times("c")) > 60
        assert stage.listener.accounts["heygen-v2"].health is Health.REFUSED
        assert "Set a new key" in stage.listener.accounts["heygen-v2"].message
        assert [notice.kind for notice in stage.listener.notices] == [NoticeKind.ACCOUNT]

    jobs = {"heygen-v2": tuple(f"j{n}" for n in range(30)), "konpro": ("c",)}
    stage(tmp_path, app, jobs, scenario, keys={"heygen-v2": "bad"}, concurrency=1)


@pytest.mark.parametrize("command", [fixtures.refresh(A), Resume("heygen-v2")])
def test_a_user_requested_poll_tries_a_refused_key_again(tmp_path, command):
    app = ScriptedService(lambda request: (401, {}, {}))

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        before = len(app.requests)
        app.respond = lambda request: running()
        assert (await stage.engine.perform(command)).ok
        await asyncio.sleep(30)
        assert len(app.requests) > before
        assert stage[A].fault is None
        assert stage.listener.accounts["heygen-v2"].health is Health.OK

    stage(tmp_path, app, {"heygen-v2": ("a", "b")}, scenario)


def test_a_changed_key_file_resumes_the_account_within_two_seconds_of_its_first_interval(tmp_path):
    key = tmp_path / "key"
    key.write_text("old-key-000000")
    config = (
        f'[accounts.heygen-v2]\nbase_url = "http://sim.test"\ninsecure_http = true\napi_key = {{ file = "{key}" }}\n'
    )
    app = ScriptedService(lambda request: running() if request.key == "new-key-000000" else (401, {}, {}))

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        before = len(app.requests)
        key.write_text("new-key-000000")
        await asyncio.sleep(20)
        assert {request.key for request in app.requests[before:]} == {"new-key-000000"}
        assert {stage[ref].phase for ref in (A, B)} == {Phase.RUNNING}

    stage(tmp_path, app, {"heygen-v2": ("a", "b")}, scenario, accounts=(), config=config)


def test_a_late_refusal_of_the_old_key_does_not_stop_the_new_one(tmp_path):
    key = tmp_path / "key"
    key.write_text("old-key-000000")
    config = (
        f'[accounts.heygen-v2]\nbase_url = "http://sim.test"\ninsecure_http = true\napi_key = {{ file = "{key}" }}\n'
    )
    app = ScriptedService(lambda request: running() if request.key == "new-key-000000" else (401, {}, {}), delay=8)

    async def scenario(stage):
        await stage.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(2)
        key.write_text("new-key-000000")
        await asyncio.sleep(40)
        assert app.requests[0].key == "old-key-000000"
        assert stage[A].phase is Phase.RUNNING
        assert stage.listener.accounts["heygen-v2"].health is Health.OK

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, accounts=(), config=config, tick=10)


def test_a_forbidden_job_is_polled_hourly_and_the_others_continue(tmp_path):
    app = ScriptedService(lambda request: (403, {}, {}) if request.id.startswith("x") else running())

    async def scenario(stage):
        await asyncio.sleep(3 * HOUR)
        assert 3 <= len(app.request_times("x1")) <= 5
        assert len(app.request_times("a")) > 200
        assert stage.listener.accounts["heygen-v2"].health is Health.OK

    stage(tmp_path, app, {"heygen-v2": ("a", "x1", "x2", "x3", "x4")}, scenario, tick=10 * MINUTE)


def test_three_forbidden_jobs_and_no_report_stop_the_account(tmp_path):
    app = ScriptedService(lambda request: (403, {}, {}))

    async def scenario(stage):
        await asyncio.sleep(3 * HOUR)
        assert stage.listener.accounts["heygen-v2"].health is Health.REFUSED

    stage(tmp_path, app, {"heygen-v2": ("x1", "x2", "x3", "x4", "x5")}, scenario, concurrency=1, tick=MINUTE)
    assert len(app.requests) == 3


def test_an_id_is_missing_after_three_404s_over_a_minute(tmp_path):
    app = ScriptedService(lambda request: (404, {}, {}))

    async def scenario(stage):
        while stage[A].phase is not Phase.MISSING:  # noqa: ASYNC110  virtual time
            await asyncio.sleep(1)
        assert len(app.requests) >= 3
        assert app.request_times()[-1] - app.request_times()[0] >= MINUTE
        began = len(app.requests)
        await asyncio.sleep(3 * DAY)
        assert 22 <= len(app.requests) - began <= 27
        assert stage[A].next_poll_at is None

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, tick=HOUR)


def test_a_missing_id_that_appears_is_polled_as_usual(tmp_path):
    app = ScriptedService(lambda request: (404, {}, {}))

    async def scenario(stage):
        await asyncio.sleep(10 * MINUTE)
        assert stage[A].phase is Phase.MISSING
        app.respond = lambda request: running()
        await asyncio.sleep(1.2 * HOUR)
        assert stage[A].phase is Phase.RUNNING
        assert stage[A].fault is None

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario)


def test_a_job_that_needs_payment_is_blocked_and_not_polled_again(tmp_path):
    app = ScriptedService(lambda request: (402, {}, {}))

    async def scenario(stage):
        await asyncio.sleep(DAY)
        assert stage[A].phase is Phase.BLOCKED
        assert len(app.requests) == 1

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, tick=10 * MINUTE)


def test_done_without_its_link_is_polled_five_times_from_30_seconds_doubling(tmp_path):
    app = ScriptedService(lambda request: done(None))

    async def scenario(stage):
        await asyncio.sleep(DAY)
        assert stage[A].phase is Phase.DONE

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, tick=10 * MINUTE)
    waits = [later - earlier for earlier, later in pairwise(app.request_times())]
    wanted = (30, 60, 120, 240, 480)
    assert all(abs(wait - want) <= want * 0.1 + 0.1 for wait, want in zip(waits, wanted, strict=True))


def test_the_text_of_camb_is_fetched_once_by_a_second_request(tmp_path):
    ref = Ref("camb", "t-fine")
    app = ScriptedService(lambda request: camb[request.id])
    camb = {"t-fine": (200, {"status": "SUCCESS", "run_id": 7}, {}), "7": (200, {"texts": ["Hola", "adiós"]}, {})}

    async def scenario(stage):
        camb["t-fine"], ended = (200, {"status": "PENDING"}, {}), camb["t-fine"]
        await asyncio.sleep(MINUTE)
        camb["t-fine"] = ended
        await asyncio.sleep(DAY)
        assert stage[ref].result == "Hola\nadiós"
        assert (await stage.engine.job_history(ref)).body is not None
        assert [change.after for change in (await stage.engine.job_history(ref)).phase_changes] == [
            Phase.RUNNING,
            Phase.DONE,
        ]
        assert len(app.request_times("7")) == 1

    stage(tmp_path, app, {"camb": ("t-fine",)}, scenario, tick=10 * MINUTE)


@pytest.mark.parametrize("status", [404, 402, 403, 500])
def test_a_failed_result_request_is_a_fault_and_the_job_stays_done(tmp_path, status):
    ref = Ref("camb", "t")

    def reply(request):
        if request.id == "t":
            return 200, {"status": "SUCCESS", "run_id": 7}, {}
        return status, {}, {}

    app = ScriptedService(reply)

    async def scenario(stage):
        await asyncio.sleep(4 * DAY)
        assert stage[ref].phase is Phase.DONE
        assert stage[ref].fault.http_status == status
        assert stage[ref].next_poll_at is None

    stage(tmp_path, app, {"camb": ("t",)}, scenario, tick=HOUR)
    assert 20 < len(app.request_times("7")) < 50


def test_a_report_is_stale_only_without_a_newer_one(tmp_path):
    app = ScriptedService(lambda request: running())

    async def scenario(stage):
        await asyncio.sleep(10 * MINUTE)

        def look():
            return flags(stage[A], EvaluationContext(now=wall_time()))

        assert Flag.STALE not in look()
        app.respond = lambda request: (500, {}, {})
        await asyncio.sleep(10 * MINUTE)
        assert Flag.STALE in look()
        app.respond = lambda request: running()
        await asyncio.sleep(15 * MINUTE)
        assert Flag.STALE not in look()

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario)


# Requests of the operator.


def test_a_refresh_during_a_poll_is_done_after_it(tmp_path):
    app = ScriptedService(lambda request: running(), delay=5)

    async def scenario(stage):
        for _ in range(2):
            await stage.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(1)
        assert len(app.requests) == 1
        for _ in range(3):
            await stage.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(11)
        assert len(app.requests) == 2

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, concurrency=4)
    assert app.max_in_flight == 1


def test_a_refresh_precedes_every_due_poll(tmp_path):
    app = ScriptedService(lambda request: running())

    async def scenario(stage):
        await asyncio.sleep(2 * MINUTE)
        assert len(app.requests) < 30
        wanted = next(ref for ref in reversed(stage.engine.states) if not app.request_times(ref.id))
        await stage.engine.perform(fixtures.refresh(wanted))
        await asyncio.sleep(10)
        assert app.request_times(wanted.id)

    stage(tmp_path, app, {"heygen-v2": tuple(f"j{n}" for n in range(200))}, scenario, rate=10)


def test_an_ended_job_can_be_polled_on_request(tmp_path):
    app = ScriptedService(lambda request: done("https://cdn.test/1"))

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        assert len(app.requests) == 1
        app.respond = lambda request: done("https://cdn.test/2")
        await stage.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(HOUR)
        assert len(app.requests) == 2
        assert stage[A].links[0].url == "https://cdn.test/2"

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario)


def test_a_refresh_names_the_jobs_that_it_skips(tmp_path):
    async def scenario(stage):
        strange = Ref("unknown", "x")
        assert (await stage.engine.perform(fixtures.refresh())).message == "No job to refresh"
        assert "not on the watchlist" in (await stage.engine.perform(fixtures.refresh(strange))).message
        mixed = await stage.engine.perform(fixtures.refresh(A, strange))
        assert (mixed.ok, mixed.message) == (True, "Refreshing 1 job; unknown:x is not on the watchlist")
        assert "no account 'unknown'" in (await stage.engine.perform(Resume("unknown"))).message

    stage(tmp_path, ScriptedService(lambda request: running()), {"heygen-v2": ("a",)}, scenario)


# Clocks.


class Wall:
    """Wall clock that a test sets."""

    ahead = 0.0

    def __call__(self):
        return self.ahead


@pytest.mark.parametrize("jump", [-HOUR, -20.0, -0.3, 0.3, 20.0])
def test_a_clock_that_is_set_moves_no_poll(tmp_path, jump):
    app = ScriptedService(lambda request: running())
    clock = Wall()

    async def scenario(stage):
        await asyncio.sleep(10 * MINUTE)
        clock.ahead = jump
        await asyncio.sleep(10 * MINUTE)
        assert abs(stage[A].checked_at - (app.request_times()[-1] + jump)) < 1

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, ahead=clock)
    waits = [later - earlier for earlier, later in pairwise(app.request_times())]
    assert max(waits) < 35
    assert min(waits) > 10


@pytest.mark.parametrize("jump", [-HOUR, 20.0])
def test_a_clock_that_is_set_shortens_no_retry_after_window(tmp_path, jump):
    app = ScriptedService(lambda request: (429, {}, {"retry-after": "120"}) if len(app.requests) == 1 else running())
    clock = Wall()

    async def scenario(stage):
        await stage.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(60)
        clock.ahead = jump
        await asyncio.sleep(5 * MINUTE)

    stage(tmp_path, app, {"heygen-v2": ("a", "b")}, scenario, ahead=clock)
    assert 120 <= app.request_times()[1] - app.request_times()[0] < 140


@pytest.mark.parametrize("ahead", [-HOUR, 0.0, HOUR])
@pytest.mark.parametrize("dated", [True, False])
def test_a_link_expires_by_the_clock_of_the_service(tmp_path, ahead, dated):
    def reply(request):
        status, body, _ = done(f"https://cdn.test/1?Expires={request.at + 1800:.0f}&Signature=x&Key-Pair-Id=K")
        return status, body, {"date": formatdate(request.at, usegmt=True)} if dated else {}

    app = ScriptedService(reply)

    async def scenario(stage):
        await asyncio.sleep(MINUTE)
        (link,) = stage[A].links
        has_ended = not dated and ahead == HOUR  # by this computer's clock alone: an estimate
        assert link.expiry_is_exact is not has_ended
        if has_ended:
            return
        left = link.expires_at - (app.request_times()[0] + ahead)
        assert abs(left - (1800 if dated else 1800 - ahead)) < 2
        assert abs((stage.listener.accounts["heygen-v2"].skew or 0.0) + (ahead if dated else 0.0)) < 2

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, ahead=lambda: ahead)


def test_an_estimated_expiry_counts_from_the_first_sight_by_the_local_clock(tmp_path):
    app = ScriptedService(
        lambda request: (*done("https://cdn.test/1")[:2], {"date": formatdate(request.at, usegmt=True)})
    )

    async def scenario(stage):
        await asyncio.sleep(MINUTE)
        (link,) = stage[A].links
        assert not link.expiry_is_exact
        assert abs(link.expires_at - (app.request_times()[0] + HOUR + 7 * DAY)) < 2

    stage(tmp_path, app, {"heygen-v2": ("a",)}, scenario, ahead=lambda: HOUR)


def test_overdue_polls_are_spread_after_a_suspend(tmp_path):
    app = ScriptedService(lambda request: running())
    clock = Wall()

    async def scenario(stage):
        await asyncio.sleep(2 * MINUTE)
        before = len(app.requests)
        clock.ahead = 8 * HOUR
        woken = wall_time()
        await asyncio.sleep(40)
        after = app.requests[before:]
        assert {request.id for request in after} == {request.id for request in app.requests}
        assert max(len([1 for request in after if int(request.at - woken) == second]) for second in range(40)) < 30

    stage(tmp_path, app, {"heygen-v2": tuple(f"j{n}" for n in range(100))}, scenario, ahead=clock)
