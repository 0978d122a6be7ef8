"""An API that is over: its successor is asked once, the account moves on a report, and on nothing else is it tried."""

import asyncio
from email.utils import formatdate

import pytest

from tests.engine.polling.test_polling import Stage
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
from tui.storage.watchlist.file import Remove

A, B = Ref("heygen", "a"), Ref("heygen", "b")
SUNSET = 1_793_404_800.0
"""2026-10-31, as HeyGen v2's file has it: long before virtual time begins."""
WORKS = (200, {"data": {"id": "a", "status": "running", "title": "Spring launch"}}, {})
"""A report of v3's."""


class Two:
    """v2 and v3 on one origin, each with a reply of its own."""

    def __init__(self, v2, v3, seconds=0.0):
        self._apps = {"v2": ScriptedService(v2, seconds), "v3": ScriptedService(v3, seconds)}
        self.paths: list[tuple[float, str]] = []

    async def __call__(self, scope, receive, send):
        self.paths.append((wall_time(), scope["path"]))
        await self._apps[scope["path"].split("/")[1]](scope, receive, send)

    @property
    def keys(self):
        return {asked.key for app in self._apps.values() for asked in app.requests}

    def asked(self, version: str, job: str | None = None) -> list[float]:
        """When this version of the API was asked for a job, or for any."""
        return self._apps[version].request_times(job)


def always(*reply):
    return lambda _asked: reply


def stage(tmp_path, app, story, jobs=("a",), **settings):
    staged(tmp_path, app, {"heygen": jobs}, story, accounts=("heygen",), **settings)


OVER = [
    (410, {}, {}),
    (404, {}, {}),
    (301, b"", {"location": "https://developers.heygen.com"}),
    (200, b"<html><title>v2 has ended</title>", {}),
    (200, {"message": "this API has ended"}, {}),
]


@pytest.mark.parametrize("reply", OVER, ids=["410", "404", "redirect", "html", "no word"])
def test_what_is_over_after_its_sunset_is_asked_for_at_the_successor_and_the_account_moves(tmp_path, reply):
    app = Two(always(*reply), always(*WORKS))

    async def story(stage):
        await asyncio.sleep(10 * MINUTE)
        assert len(app.asked("v2")) == 1
        assert len(app.asked("v3", "a")) > 10
        assert app.keys == {fixtures.KEY}
        assert stage[A].phase is Phase.RUNNING
        assert stage[A].fault is None
        assert stage[A].report.title == "Spring launch"
        account = stage.ear.accounts["heygen"]
        assert (account.name, account.provider, account.title) == ("heygen", "heygen-v3", "HeyGen v3")
        assert not account.is_deprecated
        told = [notice.text for notice in stage.ear.notices if notice.kind is NoticeKind.ACCOUNT]
        assert told == ["Account heygen moved to HeyGen v3: its previous API is retired"]

    stage(tmp_path, app, story)


def test_a_later_process_starts_at_the_successor(tmp_path):
    app = Two(always(410, {}, {}), always(*WORKS))

    async def story(stage):
        await asyncio.sleep(MINUTE)

    stage(tmp_path, app, story)
    before = len(app.asked("v2"))

    async def later():
        again = fixtures.make_workspace(tmp_path, "http://sim.test", accounts=("heygen",))
        session = Engine(
            again,
            RecordingListener().publish,
            EngineContext.create(wall=wall_time, transport=lambda: VirtualTransport({"sim.test": app})),
        )
        session.open()
        await session.poll_once([A])
        assert again.accounts["heygen"].provider.name == "heygen-v3"
        assert session.states[A].fault is None
        again.close()

    run_virtual(later())
    assert len(app.asked("v2")) == before == 1


def test_a_move_is_forgotten_when_the_operator_gives_the_account_another_provider(tmp_path):
    found = fixtures.make_workspace(tmp_path, "http://sim.test", accounts=("heygen",))
    found.journal.successors.record_move("heygen", "heygen-v3", EPOCH)
    found.close()
    other = fixtures.make_workspace(tmp_path, "http://sim.test", accounts=("heygen",))
    assert other.accounts["heygen"].provider.name == "heygen-v3"
    other.close()
    config = (tmp_path / "config.toml").read_text()
    (tmp_path / "config.toml").write_text(config.replace("[accounts.heygen]", '[accounts.heygen]\nprovider = "konpro"'))
    changed = fixtures.Workspace(fixtures.workspace_paths(tmp_path), {"KEY_HEYGEN": fixtures.KEY})
    assert changed.accounts["heygen"].provider.name == "konpro"
    changed.close()


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


@pytest.mark.parametrize("reply", NEVER, ids=[f"{status}-{bool(more)}" for status, _, more in NEVER])
def test_a_flood_of_what_is_no_end_sends_not_one_request_to_the_successor(tmp_path, reply):
    app = Two(always(*reply), always(*WORKS))

    async def story(stage):
        for _ in range(6):
            await asyncio.sleep(HOUR)
            assert (await stage.session.perform(fixtures.refresh(*stage.session.states))).ok
        assert len(app.asked("v2")) >= 7
        assert app.asked("v3") == []

    stage(tmp_path, app, story, jobs=tuple("abc"), tick=10 * MINUTE)


class Unreachable:
    """An ASGI app that never answers, or breaks off."""

    def __init__(self, error: Exception) -> None:
        self.error = error
        self.paths: list[str] = []

    async def __call__(self, scope, _receive, _send):
        self.paths.append(scope["path"])
        raise self.error


def test_neither_does_a_service_that_is_offline_or_late(tmp_path):
    import httpx

    for number, error in enumerate((httpx.ConnectError("no route"), httpx.ReadTimeout("late"), TimeoutError())):
        app = Unreachable(error)

        async def story(stage, app=app):
            await asyncio.sleep(HOUR)
            assert len(app.paths) > 3
            assert not [path for path in app.paths if path.startswith("/v3/")]

        (tmp_path / str(number)).mkdir()
        stage(tmp_path / str(number), app, story, jobs=("a", "b", "c"))


@pytest.mark.parametrize("reply", BEFORE, ids=["404", "redirect", "html", "no word"])
def test_before_the_sunset_only_a_410_is_the_end(tmp_path, reply):
    status, body, more = reply
    later = {"sunset": formatdate(EPOCH + 30 * DAY, usegmt=True), "deprecation": "true"} | more
    app = Two(always(status, body, later), always(*WORKS))

    async def story(stage):
        await asyncio.sleep(HOUR)
        assert app.asked("v3") == []
        account = stage.ear.accounts["heygen"]
        assert account.is_deprecated, "shown as the account's health before that day"
        assert account.sunset_at == EPOCH + 30 * DAY

    stage(tmp_path, app, story)


def test_the_headers_sunset_counts_when_its_instant_has_come(tmp_path):
    sunset = EPOCH + HOUR
    headers = {"sunset": formatdate(sunset, usegmt=True)}
    app = Two(lambda asked: (404, {}, headers) if asked.at > sunset - 60 else (*running()[:2], headers), always(*WORKS))

    async def story(stage):
        await asyncio.sleep(2 * HOUR)
        assert min(app.asked("v3")) >= sunset
        assert stage.ear.accounts["heygen"].provider == "heygen-v3"

    stage(tmp_path, app, story)


REFUSALS = [(404, {}, {}), (401, {}, {}), (403, {}, {}), (402, {}, {}), (410, {}, {}), (200, b"<html>", {})]


@pytest.mark.parametrize("there", REFUSALS, ids=["404", "401", "403", "402", "410", "html"])
@pytest.mark.parametrize(
    ("here", "kind"),
    [
        ((404, {}, {}), FaultKind.MISSING),
        ((410, {}, {}), FaultKind.RETIRED),
        ((200, b"<html>", {}), FaultKind.RETIRED),
        ((302, b"", {}), FaultKind.REDIRECTED),
    ],
    ids=["404", "410", "html", "redirect"],
)
def test_where_both_refuse_the_first_refusal_stands_and_the_job_is_not_tried_there_for_a_day(
    tmp_path, here, kind, there
):
    app = Two(always(*here), always(*there))

    async def story(stage):
        await asyncio.sleep(10 * MINUTE)
        assert stage[A].fault.kind is kind
        assert stage[A].phase is (Phase.MISSING if kind is FaultKind.MISSING else Phase.NEW)
        await stage.session.perform(Pause(True))  # from here on a person alone asks
        for _ in range(12):
            await asyncio.sleep(HOUR)
            await stage.session.perform(fixtures.refresh(A))
        assert len(app.asked("v2")) >= 12
        assert len(app.asked("v3")) == 1
        await asyncio.sleep(13 * HOUR)
        await stage.session.perform(fixtures.refresh(A))
        await asyncio.sleep(MINUTE)
        assert len(app.asked("v3")) == 2
        assert stage.ear.accounts["heygen"].provider == "heygen"

    stage(tmp_path, app, story, tick=10 * MINUTE)


def test_a_later_process_does_not_try_a_refused_job_there_either(tmp_path):
    app = Two(always(404, {}, {}), always(404, {}, {}))

    async def asked_once():
        found = fixtures.make_workspace(
            tmp_path, "http://sim.test", (Job(account="heygen", id="a"),), accounts=("heygen",)
        )
        session = Engine(
            found,
            RecordingListener().publish,
            EngineContext.create(wall=wall_time, transport=lambda: VirtualTransport({"sim.test": app})),
        )
        session.open()
        await session.poll_once([A])
        assert session.states[A].phase is Phase.MISSING
        found.close()

    for _ in range(3):
        run_virtual(asked_once())
    assert (len(app.asked("v2")), len(app.asked("v3"))) == (3, 1)


@pytest.mark.parametrize("there", [(500, {}, {}), (429, {}, {"retry-after": "40"}), (503, {}, {"retry-after": "40"})])
def test_a_successor_in_trouble_has_not_refused_and_is_asked_again(tmp_path, there):
    app = Two(always(410, {}, {}), lambda asked: there if len(app.asked("v3")) < 3 else WORKS)

    async def story(stage):
        await asyncio.sleep(20 * MINUTE)
        assert stage.ear.accounts["heygen"].provider == "heygen-v3"
        assert stage[A].phase is Phase.RUNNING
        if there[2]:
            first = app.asked("v3")[0]
            assert min(at for at, _ in app.paths if at > first) >= first + 40, "a floor is the account's"

    stage(tmp_path, app, story)


def test_the_successor_is_asked_through_the_same_bucket(tmp_path):
    app = Two(always(410, {}, {}), always(404, {}, {}))

    async def story(stage):
        await asyncio.sleep(10 * MINUTE)
        assert len(app.paths) <= 10 * 6 + 4

    stage(tmp_path, app, story, jobs=tuple(f"j{number}" for number in range(200)), rate=6)


def test_the_simulators_v2_that_has_ended_moves_every_job_of_the_account(tmp_path):
    async def play():
        simulator = Simulator(clock=wall_time, retired=True, limits={"heygen": 10_000})
        jobs = tuple(f"{number}-fine" for number in range(40))
        stage = Stage(tmp_path, simulator, {"heygen": jobs}, accounts=("heygen",))
        async with fixtures.running_engine(stage.session):
            await asyncio.sleep(30 * MINUTE)
        assert simulator.response_counts["heygen", 410] <= 10
        assert {state.phase for state in stage.session.states.values()} == {Phase.DONE}
        assert all(state.links for state in stage.session.states.values())
        assert stage.session.states[Ref("heygen", "0-fine")].fault is None
        stage.library.close()

    run_virtual(play())


def test_what_was_being_asked_at_the_old_api_when_the_account_moved_is_asked_at_the_new_one(tmp_path):
    app = Two(always(410, {}, {}), always(*WORKS), seconds=1.0)

    async def story(stage):
        await asyncio.sleep(2 * MINUTE)
        assert {state.phase for state in stage.session.states.values()} == {Phase.RUNNING}
        assert len(app.asked("v2")) <= 8

    stage(tmp_path, app, story, jobs=tuple(f"j{number}" for number in range(30)), concurrency=4)


def test_a_check_follows_an_account_that_moves_under_it(tmp_path):
    app = Two(always(410, {}, {}), always(*WORKS), seconds=1.0)

    async def play():
        jobs = tuple(f"j{number}" for number in range(30))
        found = fixtures.make_workspace(
            tmp_path, "http://sim.test", {"heygen": jobs}, accounts=("heygen",), concurrency=4
        )
        session = Engine(
            found,
            RecordingListener().publish,
            EngineContext.create(wall=wall_time, transport=lambda: VirtualTransport({"sim.test": app})),
        )
        session.open()
        await session.poll_once(session.states)
        assert {state.phase for state in session.states.values()} == {Phase.RUNNING}
        found.close()

    run_virtual(play())


def test_a_job_that_the_successor_does_not_know_is_missing_once_the_account_has_moved(tmp_path):
    app = Two(always(410, {}, {}), lambda asked: (404, {}, {}) if asked.id == "b" else WORKS)

    async def story(stage):
        await asyncio.sleep(HOUR)
        assert stage[A].phase is Phase.RUNNING
        assert stage[B].phase is Phase.MISSING

    stage(tmp_path, app, story, jobs=("b", "a"), concurrency=1)


def test_an_account_whose_provider_has_no_successor_stays_where_it_is(tmp_path):
    app = ScriptedService(lambda asked: (410, {}, {}))

    async def story(stage):
        await asyncio.sleep(HOUR)
        assert len(app.requests) == 1
        assert stage[Ref("konpro", "a")].fault.kind is FaultKind.RETIRED

    staged(tmp_path, app, {"konpro": ("a",)}, story, accounts=("konpro",))


def test_a_report_of_an_api_past_its_sunset_is_a_report(tmp_path):
    app = Two(always(*done("https://x.test/v.mp4")), always(*WORKS))

    async def story(stage):
        await asyncio.sleep(MINUTE)
        assert stage[A].phase is Phase.DONE
        assert app.asked("v3") == []

    stage(tmp_path, app, story)


def test_a_job_that_is_removed_while_its_link_is_renewed_at_an_api_that_is_over_is_not_asked_on(tmp_path):
    app = Two(always(*done("https://cdn.test/1")), always(*WORKS), seconds=5.0)

    async def story(stage):
        await asyncio.sleep(MINUTE)
        assert stage[A].phase is Phase.DONE
        before = len(app.paths)
        app._apps["v2"].respond = always(410, {}, {})
        renewing = asyncio.create_task(stage.session.perform(Renew((A,))))
        await asyncio.sleep(2)
        await stage.session.perform(Remove((A,)))
        outcome = await renewing
        assert not outcome.ok
        await asyncio.sleep(HOUR)
        assert len(app.paths) == before + 1

    stage(tmp_path, app, story)
