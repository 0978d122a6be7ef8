"""Tests of API retirement: the successor is polled once, a report moves the account, other faults do not."""

import asyncio
from email.utils import formatdate
from itertools import pairwise

import pytest

from tests.engine.polling.test_polling import PollingSetup
from tests.engine.polling.test_polling import stage as staged
from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE, VirtualTransport, run_virtual, wall_time
from tui.domain.models import FaultKind, Job, Phase, Ref
from tui.engine.api import NoticeKind, Pause, Renew
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.simulator.app import Simulator
from tui.storage.watchlist.operations import Remove

A, B = Ref("heygen-v2", "a"), Ref("heygen-v2", "b")
SUNSET = 1_793_404_800.0
"""2026-10-31, the sunset in HeyGen v2's file: long before virtual time begins."""
WORKS = (200, {"data": {"id": "a", "status": "running", "title": "Spring launch"}}, {})
"""Report of v3."""


class TwoVersions:
    """v2 and v3 on one origin, each with its own response."""

    def __init__(self, v2, v3, seconds=0.0):
        self._apps = {"v2": ScriptedService(v2, seconds), "v3": ScriptedService(v3, seconds)}
        self.paths: list[tuple[float, str]] = []

    async def __call__(self, scope, receive, send):
        self.paths.append((wall_time(), scope["path"]))
        await self._apps[scope["path"].split("/")[1]](scope, receive, send)

    @property
    def keys(self):
        return {request.key for app in self._apps.values() for request in app.requests}

    def request_times(self, version: str, job: str | None = None) -> list[float]:
        """Return when this version of the API was polled for a job, or for any."""
        return self._apps[version].request_times(job)


def always(*response):
    return lambda _request: response


def stage(tmp_path, app, story, jobs=("a",), **settings):
    staged(tmp_path, app, {"heygen-v2": jobs}, story, accounts=("heygen-v2",), **settings)


OVER = [
    (410, {}, {}),
    (404, {}, {}),
    (301, b"", {"location": "https://developers.heygen.com"}),
    (200, b"<html><title>v2 has ended</title>", {}),
    (200, {"message": "this API has ended"}, {}),
]


@pytest.mark.parametrize("response", OVER, ids=["410", "404", "redirect", "html", "no status"])
def test_a_retired_api_is_polled_at_its_successor_and_the_account_moves(tmp_path, response):
    app = TwoVersions(always(*response), always(*WORKS))

    async def story(stage):
        await asyncio.sleep(10 * MINUTE)
        assert len(app.request_times("v2")) == 1
        assert len(app.request_times("v3", "a")) > 10
        assert app.keys == {fixtures.KEY}
        assert stage[A].phase is Phase.RUNNING
        assert stage[A].fault is None
        assert stage[A].report.title == "Spring launch"
        account = stage.listener.accounts["heygen-v2"]
        assert (account.name, account.provider, account.title) == ("heygen-v2", "heygen", "HeyGen")
        assert not account.is_deprecated
        texts = [notice.text for notice in stage.listener.notices if notice.kind is NoticeKind.ACCOUNT]
        assert texts == ["Account heygen-v2 moved to HeyGen: its previous API is retired"]

    stage(tmp_path, app, story)


def test_a_later_process_polls_the_successor_first(tmp_path):
    app = TwoVersions(always(410, {}, {}), always(*WORKS))

    async def story(stage):
        await asyncio.sleep(MINUTE)

    stage(tmp_path, app, story)
    before = len(app.request_times("v2"))

    async def later():
        again = fixtures.make_workspace(tmp_path, "http://sim.test", accounts=("heygen-v2",))
        engine = Engine(
            again,
            RecordingListener().publish,
            EngineContext.create(wall=wall_time, transport=lambda: VirtualTransport({"sim.test": app})),
        )
        await engine.open()
        await engine.poll_once([A])
        assert again.accounts["heygen-v2"].provider.name == "heygen"
        assert engine.states[A].fault is None
        again.close()

    run_virtual(later())
    assert len(app.request_times("v2")) == before == 1


def test_another_provider_in_the_configuration_discards_the_move(tmp_path):
    found = fixtures.make_workspace(tmp_path, "http://sim.test", accounts=("heygen-v2",))
    found.journal.successors.record_move("heygen-v2", "heygen", EPOCH)
    found.close()
    other = fixtures.make_workspace(tmp_path, "http://sim.test", accounts=("heygen-v2",))
    assert other.accounts["heygen-v2"].provider.name == "heygen"
    other.close()
    config = (tmp_path / "config.toml").read_text()
    (tmp_path / "config.toml").write_text(
        config.replace("[accounts.heygen-v2]", '[accounts.heygen-v2]\nprovider = "konpro"')
    )
    changed = fixtures.Workspace.open(fixtures.workspace_paths(tmp_path), {"KEY_HEYGEN_V2": fixtures.KEY})
    assert changed.accounts["heygen-v2"].provider.name == "konpro"
    changed.close()


FEW_POLLS = '[polling]\nmax_interval = "5m"\n'
BEFORE = [(404, {}, {}), (301, b"", {}), (200, b"<html>", {}), (200, {"message": "Success"}, {})]
NEVER = [
    (401, {}, {}),
    (402, {}, {}),
    (403, {}, {}),
    (408, {}, {}),
    (400, {}, {}),
    (429, {}, {}),
    (429, {}, {"retry-after": "5"}),
    (500, {}, {}),
    (502, b"<html>", {}),
    (503, {}, {"retry-after": "5"}),
]


@pytest.mark.parametrize("response", NEVER, ids=[f"{status}-{bool(more)}" for status, _, more in NEVER])
def test_faults_that_do_not_retire_an_api_send_no_request_to_the_successor(tmp_path, response):
    app = TwoVersions(always(*response), always(*WORKS))

    async def story(stage):
        for _ in range(2):
            await asyncio.sleep(HOUR)
            assert (await stage.engine.perform(fixtures.refresh(*stage.engine.states))).ok
        assert len(app.request_times("v2")) >= 3
        assert app.request_times("v3") == []

    stage(tmp_path, app, story, jobs=tuple("abc"), tick=10 * MINUTE, config=FEW_POLLS)


class Unreachable:
    """ASGI app that raises instead of responding."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.paths: list[str] = []

    async def __call__(self, scope, _receive, _send):
        self.paths.append(scope["path"])
        raise self.error


def test_an_offline_or_slow_service_sends_no_request_to_the_successor(tmp_path):
    import httpx

    for number, error in enumerate((httpx.ConnectError("no route"), httpx.ReadTimeout("late"), TimeoutError())):
        app = Unreachable(error)

        async def story(stage, app=app):
            await asyncio.sleep(HOUR)
            assert len(app.paths) > 3
            assert not [path for path in app.paths if path.startswith("/v3/")]

        (tmp_path / str(number)).mkdir()
        stage(tmp_path / str(number), app, story, jobs=("a", "b", "c"))


@pytest.mark.parametrize("response", BEFORE, ids=["404", "redirect", "html", "no status"])
def test_before_the_sunset_only_a_410_retires_an_api(tmp_path, response):
    status, body, more = response
    later = {"sunset": formatdate(EPOCH + 30 * DAY, usegmt=True), "deprecation": "true"} | more
    app = TwoVersions(always(status, body, later), always(*WORKS))

    async def story(stage):
        await asyncio.sleep(HOUR)
        assert app.request_times("v3") == []
        account = stage.listener.accounts["heygen-v2"]
        assert account.is_deprecated, "shown as the account's health before that day"
        assert account.sunset_at == EPOCH + 30 * DAY

    stage(tmp_path, app, story)


def test_a_sunset_header_applies_from_its_instant_on(tmp_path):
    sunset = EPOCH + HOUR
    headers = {"sunset": formatdate(sunset, usegmt=True)}
    app = TwoVersions(
        lambda request: (404, {}, headers) if request.at > sunset - 60 else (*running()[:2], headers), always(*WORKS)
    )

    async def story(stage):
        await asyncio.sleep(2 * HOUR)
        assert min(app.request_times("v3")) >= sunset
        assert stage.listener.accounts["heygen-v2"].provider == "heygen"

    stage(tmp_path, app, story)


REFUSALS = [(404, {}, {}), (401, {}, {}), (403, {}, {}), (402, {}, {}), (410, {}, {}), (200, b"<html>", {})]


@pytest.mark.parametrize("there", REFUSALS, ids=["404", "401", "403", "402", "410", "html"])
@pytest.mark.parametrize(
    ("here", "kind"),
    [
        ((404, {}, {}), FaultKind.MISSING),
        ((410, {}, {}), FaultKind.RETIRED),
        ((200, {"message": "this API has ended"}, {}), FaultKind.RETIRED),
        ((200, b"<html>", {}), FaultKind.MALFORMED),
        ((302, b"", {}), FaultKind.REDIRECTED),
    ],
    ids=["404", "410", "no status", "html", "redirect"],
)
def test_if_both_refuse_the_first_fault_stands_and_the_successor_is_not_polled_for_a_day(tmp_path, here, kind, there):
    app = TwoVersions(always(*here), always(*there))

    async def story(stage):
        await asyncio.sleep(10 * MINUTE)
        assert stage[A].fault.kind is kind
        assert stage[A].phase is (Phase.MISSING if kind is FaultKind.MISSING else Phase.NEW)
        await stage.engine.perform(Pause(True))  # user-requested polls only from here on
        for _ in range(12):
            await asyncio.sleep(HOUR)
            await stage.engine.perform(fixtures.refresh(A))
        assert len(app.request_times("v2")) >= 12
        assert len(app.request_times("v3")) == 1
        await asyncio.sleep(13 * HOUR)
        await stage.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(MINUTE)
        assert len(app.request_times("v3")) == 2
        assert stage.listener.accounts["heygen-v2"].provider == "heygen-v2"

    stage(tmp_path, app, story, tick=HOUR)


def test_a_later_process_does_not_poll_a_refused_job_at_the_successor(tmp_path):
    app = TwoVersions(always(404, {}, {}), always(404, {}, {}))

    async def poll_once():
        found = fixtures.make_workspace(
            tmp_path, "http://sim.test", (Job(account="heygen-v2", id="a"),), accounts=("heygen-v2",)
        )
        engine = Engine(
            found,
            RecordingListener().publish,
            EngineContext.create(wall=wall_time, transport=lambda: VirtualTransport({"sim.test": app})),
        )
        await engine.open()
        await engine.poll_once([A])
        assert engine.states[A].phase is Phase.MISSING
        found.close()

    for _ in range(3):
        run_virtual(poll_once())
    assert (len(app.request_times("v2")), len(app.request_times("v3"))) == (3, 1)


@pytest.mark.parametrize("there", [(500, {}, {}), (429, {}, {"retry-after": "40"}), (503, {}, {"retry-after": "40"})])
def test_a_failing_successor_is_polled_again(tmp_path, there):
    app = TwoVersions(always(410, {}, {}), lambda request: there if len(app.request_times("v3")) < 3 else WORKS)

    async def story(stage):
        await asyncio.sleep(20 * MINUTE)
        assert stage.listener.accounts["heygen-v2"].provider == "heygen"
        assert stage[A].phase is Phase.RUNNING
        if there[2]:
            first = app.request_times("v3")[0]
            assert min(at for at, _ in app.paths if at > first) >= first + 40, "not_before holds for the account"

    stage(tmp_path, app, story)


def test_the_successor_shares_the_accounts_token_bucket(tmp_path):
    app = TwoVersions(always(410, {}, {}), always(404, {}, {}))

    async def story(stage):
        await asyncio.sleep(10 * MINUTE)
        assert len(app.paths) <= 10 * 6 + 4

    stage(tmp_path, app, story, jobs=tuple(f"j{number}" for number in range(200)), rate=6)


def test_the_simulators_retired_v2_moves_every_job_of_the_account(tmp_path):
    async def play():
        simulator = Simulator(clock=wall_time, retired=True, limits={"heygen": 10_000})
        jobs = tuple(f"{number}-fine" for number in range(40))
        stage = PollingSetup(tmp_path, simulator, {"heygen-v2": jobs}, accounts=("heygen-v2",))
        async with fixtures.running_engine(stage.engine):
            await asyncio.sleep(30 * MINUTE)
        assert simulator.response_counts["heygen", 410] <= 10
        assert {state.phase for state in stage.engine.states.values()} == {Phase.DONE}
        assert all(state.links for state in stage.engine.states.values())
        assert stage.engine.states[Ref("heygen-v2", "0-fine")].fault is None
        stage.workspace.close()

    run_virtual(play())


def test_polls_in_flight_at_the_old_api_are_repeated_at_the_new_one(tmp_path):
    app = TwoVersions(always(410, {}, {}), always(*WORKS), seconds=1.0)

    async def story(stage):
        await asyncio.sleep(2 * MINUTE)
        assert {state.phase for state in stage.engine.states.values()} == {Phase.RUNNING}
        assert len(app.request_times("v2")) <= 8

    stage(tmp_path, app, story, jobs=tuple(f"j{number}" for number in range(30)), concurrency=4)


def test_check_follows_an_account_that_moves_meanwhile(tmp_path):
    app = TwoVersions(always(410, {}, {}), always(*WORKS), seconds=1.0)

    async def play():
        jobs = tuple(f"j{number}" for number in range(30))
        found = fixtures.make_workspace(
            tmp_path, "http://sim.test", {"heygen-v2": jobs}, accounts=("heygen-v2",), concurrency=4
        )
        engine = Engine(
            found,
            RecordingListener().publish,
            EngineContext.create(wall=wall_time, transport=lambda: VirtualTransport({"sim.test": app})),
        )
        await engine.open()
        await engine.poll_once(engine.states)
        assert {state.phase for state in engine.states.values()} == {Phase.RUNNING}
        found.close()

    run_virtual(play())


def test_a_job_unknown_to_the_successor_is_missing_after_the_move(tmp_path):
    app = TwoVersions(always(410, {}, {}), lambda request: (404, {}, {}) if request.id == "b" else WORKS)

    async def story(stage):
        await asyncio.sleep(HOUR)
        assert stage[A].phase is Phase.RUNNING
        assert stage[B].phase is Phase.MISSING

    stage(tmp_path, app, story, jobs=("b", "a"), concurrency=1)


@pytest.mark.parametrize("deleted", ["a", "ab"])
def test_a_410_of_deleted_jobs_moves_no_account_and_holds_back_no_other_job(tmp_path, deleted):
    later = {"sunset": formatdate(EPOCH + 30 * DAY, usegmt=True)}

    def reply(request):
        is_gone = request.id in deleted and len(app.request_times("v2")) > 10
        return (410, {}, later) if is_gone else (*running()[:2], later)

    app = TwoVersions(reply, always(*WORKS))

    async def story(stage):
        await asyncio.sleep(20 * MINUTE)
        assert [stage[Ref("heygen-v2", job)].phase for job in deleted] == [Phase.MISSING] * len(deleted)
        assert stage[A].fault.kind is FaultKind.MISSING
        assert app.request_times("v3") == []
        assert stage.listener.accounts["heygen-v2"].provider == "heygen-v2"
        last = app.request_times("v2", "c")
        assert max(later - earlier for earlier, later in pairwise(last)) < MINUTE

    stage(tmp_path, app, story, jobs=("a", "b", "c"))


def test_an_api_that_answers_410_to_several_jobs_and_to_none_with_a_report_is_retired(tmp_path):
    app = ScriptedService(lambda request: (410, {}, {}))

    async def story(stage):
        await asyncio.sleep(HOUR)
        for job in "ab":
            state = stage[Ref("konpro", job)]
            assert (state.fault.kind, state.phase) == (FaultKind.RETIRED, Phase.NEW)
        assert len(app.requests) < 10

    staged(tmp_path, app, {"konpro": ("a", "b")}, story, accounts=("konpro",))


def test_one_job_with_410_is_missing_if_nothing_shows_that_its_api_is_retired(tmp_path):
    app = ScriptedService(lambda request: (410, {}, {}))

    async def story(stage):
        await asyncio.sleep(HOUR)
        state = stage[Ref("konpro", "a")]
        assert (state.fault.kind, state.phase) == (FaultKind.MISSING, Phase.MISSING)

    staged(tmp_path, app, {"konpro": ("a",)}, story, accounts=("konpro",))


def test_a_report_from_an_api_past_its_sunset_counts(tmp_path):
    app = TwoVersions(always(*done("https://x.test/v.mp4")), always(*WORKS))

    async def story(stage):
        await asyncio.sleep(MINUTE)
        assert stage[A].phase is Phase.DONE
        assert app.request_times("v3") == []

    stage(tmp_path, app, story)


def test_a_job_removed_during_a_renewal_at_a_retired_api_is_not_polled_again(tmp_path):
    app = TwoVersions(always(*done("https://cdn.test/1")), always(*WORKS), seconds=5.0)

    async def story(stage):
        await asyncio.sleep(MINUTE)
        assert stage[A].phase is Phase.DONE
        before = len(app.paths)
        app._apps["v2"].respond = always(410, {}, {})
        renewing = asyncio.create_task(stage.engine.perform(Renew((A,))))
        await asyncio.sleep(2)
        await stage.engine.perform(Remove((A,)))
        outcome = await renewing
        assert not outcome.ok
        await asyncio.sleep(HOUR)
        assert len(app.paths) == before + 1

    stage(tmp_path, app, story)
