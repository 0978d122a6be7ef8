"""Defects found by the long run `truth`, one test each, and its short form: fewer jobs and hours."""

import asyncio
from random import Random

from tests.long_running.truth import run_proof
from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.virtual_time import EPOCH, HOUR, MINUTE, VirtualTransport, run_virtual, wall_time
from tui.domain.evaluation import EvaluationContext, flags
from tui.domain.job_state import Flag
from tui.domain.models import Phase, Ref
from tui.engine.api import Renew
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.storage.watchlist.operations import Set

A, B = Ref("heygen-v2", "a"), Ref("heygen-v2", "b")


class Laptop:
    """Engine on a machine that can be suspended: the wall clock advances, the timers do not."""

    def __init__(self, tmp, app, jobs=("a",)):
        self.slept = 0.0
        self.listener = RecordingListener()
        self.workspace = fixtures.make_workspace(tmp, "http://sim.test", {"heygen-v2": jobs}, accounts=("heygen-v2",))
        wires = {"sim.test": app}
        self.engine = Engine(
            self.workspace,
            self.listener.publish,
            EngineContext.create(wall=self.wall, random=Random(1), transport=lambda: VirtualTransport(wires)),
            tick_interval=10.0,
        )

    def wall(self):
        return wall_time() + self.slept

    def suspend(self, seconds):
        self.slept += seconds

    def __getitem__(self, ref):
        return self.engine.states[ref]

    def flags(self, ref):
        return flags(self[ref], EvaluationContext(now=self.wall()))


def test_no_screen_shows_a_false_state_through_faults_suspends_and_takeovers(tmp_path):
    proved = run_virtual(run_proof(tmp_path, 12, 2 * HOUR, 36, event_density=6.0))
    print(f"\n{proved}")
    assert not proved.record.errors
    assert proved.record.checked_rows > 3_000
    assert proved.events["ends"] + proved.events["kills"] + proved.events["hangs"] > 2


def test_a_job_archived_while_it_runs_gets_stale_like_any_other(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        laptop = Laptop(tmp_path, app)
        async with fixtures.running_engine(laptop.engine) as engine:
            await asyncio.sleep(MINUTE)
            assert laptop.flags(A) == ()
            assert (await engine.perform(Set((A,), {"archived": True}))).ok
            await asyncio.sleep(5 * MINUTE)
            assert laptop.flags(A) == (Flag.STALE,)
            assert (await engine.perform(Set((A,), {"archived": False}))).ok
            await asyncio.sleep(MINUTE)
            assert laptop.flags(A) == ()

    run_virtual(play())


def test_a_response_older_than_a_suspend_is_dropped(tmp_path):
    """Suspend during a request; the response is read after the wake-up."""
    app = ScriptedService(lambda request: running())

    async def play():
        laptop = Laptop(tmp_path, app)
        async with fixtures.running_engine(laptop.engine):
            await asyncio.sleep(MINUTE)
            app.delay = 3.0
            before = len(app.requests)
            while len(app.requests) == before:  # noqa: ASYNC110  a poll has no event
                await asyncio.sleep(0.5)
            laptop.suspend(HOUR)  # the service says `running`, and is done a moment later
            await asyncio.sleep(3.1)
            app.respond, app.delay = (lambda request: done("https://cdn.test/1")), 0.1
            assert laptop[A].checked_at < laptop.wall() - HOUR
            await asyncio.sleep(3.5)  # the next poll began with the first response
            assert laptop[A].phase is Phase.DONE

    run_virtual(play())


def test_a_renewal_during_a_suspend_is_repeated(tmp_path):
    urls = iter(("https://cdn.test/1", "https://cdn.test/2", "https://cdn.test/3"))
    app = ScriptedService(lambda request: done(next(urls)))

    async def play():
        laptop = Laptop(tmp_path, app)
        async with fixtures.running_engine(laptop.engine) as engine:
            await asyncio.sleep(MINUTE)
            app.delay = 3.0
            renewing = asyncio.create_task(engine.perform(Renew((A,))))
            await asyncio.sleep(1.0)
            laptop.suspend(HOUR)
            assert (await renewing).message == "New link: expires in ~7d00h"
            assert [link.url for link in laptop[A].links] == ["https://cdn.test/3"]

    run_virtual(play())


def test_a_response_right_after_a_suspend_is_dated_after_it(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        laptop = Laptop(tmp_path, app)
        async with fixtures.running_engine(laptop.engine):
            await asyncio.sleep(MINUTE + 1.0)
            next_tick = 10.0 - (wall_time() - EPOCH) % 10.0
            app.respond = lambda request: done("https://cdn.test/1")
            while laptop[A].next_poll_at - laptop.wall() > next_tick - 1:  # it is due before the clock is looked at
                await asyncio.sleep(0.25)
                next_tick = 10.0 - (wall_time() - EPOCH) % 10.0
            laptop.suspend(HOUR)
            woke = laptop.wall()
            await asyncio.sleep(next_tick - 0.1)
            assert laptop[A].phase is Phase.DONE
            assert laptop[A].phase_since >= woke
            assert laptop[A].links[0].first_seen >= woke

    run_virtual(play())


def test_polls_due_after_a_suspend_are_sent_in_time(tmp_path):
    app = ScriptedService(lambda request: (404, {}, {}))

    async def play():
        laptop = Laptop(tmp_path, app)
        async with fixtures.running_engine(laptop.engine):
            await asyncio.sleep(5 * MINUTE)
            assert laptop[A].phase is Phase.MISSING  # polled hourly
            planned, before = laptop[A].next_poll_at, len(app.requests)
            laptop.suspend(HOUR / 2)
            await asyncio.sleep(planned - laptop.wall() + 15.0)
            assert len(app.requests) == before + 1

    run_virtual(play())


def test_a_short_suspend_makes_no_report_younger(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        laptop = Laptop(tmp_path, app)
        async with fixtures.running_engine(laptop.engine):
            await asyncio.sleep(MINUTE)
            checked, fresh = laptop[A].checked_at, laptop[A].stale_after
            laptop.suspend(20.0)
            await asyncio.sleep(10.5)
            if laptop[A].checked_at == checked:
                assert laptop[A].stale_after == fresh
            assert laptop[A].next_poll_at > laptop.wall()

    run_virtual(play())


def test_a_user_requested_poll_ends_the_wait_that_the_account_shows(tmp_path):
    app = ScriptedService(lambda request: (500, {}, {}), delay=5.0)

    async def play():
        laptop = Laptop(tmp_path, app, ("a", "b"))
        async with fixtures.running_engine(laptop.engine) as engine:
            while laptop.listener.accounts["heygen-v2"].waits_until is None:  # noqa: ASYNC110  nor of this
                await asyncio.sleep(1.0)
            app.respond, app.delay = (lambda request: running()), 15.0
            assert (await engine.perform(fixtures.refresh(A))).ok
            await asyncio.sleep(10.1)
            assert laptop.listener.accounts["heygen-v2"].waits_until is None

    run_virtual(play())
