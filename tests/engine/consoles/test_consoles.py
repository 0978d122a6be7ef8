"""Several consoles on one state folder: one leader, its followers, one shared rate limit."""

import asyncio
import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.fork_server import start_program
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.servers import serve_app
from tests.support.virtual_time import MINUTE, VirtualTransport, run_virtual, wall_time
from tests.support.waiting import DEADLINE, wait_until
from tui.domain.evaluation import EvaluationContext, flags
from tui.domain.job_state import Flag
from tui.domain.models import Phase, Ref
from tui.engine.api import Health
from tui.engine.context import EngineContext
from tui.engine.engine import TICK_INTERVAL, Engine
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.storage.journal.journal import Journal

A, B = Ref("heygen-v2", "a"), Ref("heygen-v2", "b")


class Console:
    """Engine of one process, in virtual time; its key identifies it to the service."""

    def __init__(self, tmp, app, name, jobs=(), *, only=None, tick=TICK_INTERVAL, **settings):
        self.listener = RecordingListener()
        self.name = name
        self.workspace = fixtures.make_workspace(tmp, "http://sim.test", jobs, keys={"heygen-v2": name}, **settings)
        transport = {"sim.test": app}
        self.engine = Engine(
            self.workspace,
            self.listener.publish,
            EngineContext.create(wall=wall_time, random=Random(name), transport=lambda: VirtualTransport(transport)),
            subset=only,
            tick_interval=tick,
        )
        self._task = None

    def __getitem__(self, ref):
        return self.engine.states[ref]

    async def start(self):
        await self.engine.open()
        self._task = asyncio.create_task(self.engine.run())
        return self

    async def end(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.workspace.close()

    async def kill(self):
        """Stop it as `kill -9` does: unwritten entries are lost, and the system frees the lease."""
        self.engine._job_store.journal_writer.flush = nothing
        await self.end()


async def nothing():
    pass


def polled_by(app, name, since=0.0):
    return [request for request in app.requests if request.key == name and request.at >= since]


def test_a_follower_shows_the_leaders_states_with_its_own_notices(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        first = await Console(tmp_path, app, "first", {"heygen-v2": ("a", "b")}).start()
        await asyncio.sleep(2)
        second = await Console(tmp_path, app, "second").start()
        await asyncio.sleep(5 * MINUTE)
        assert not polled_by(app, "second")
        assert (first.listener.last_role, second.listener.last_role) == ("polling", f"following PID {os.getpid()}")
        assert second.listener.accounts["heygen-v2"].health is Health.OK
        app.respond = lambda request: done("https://cdn.test/1")
        await asyncio.sleep(MINUTE)
        assert (first[A].phase, second[A].phase, second[B].phase) == (Phase.DONE, Phase.DONE, Phase.DONE)
        assert len(first.listener.notices) == len(second.listener.notices) == 2
        changes = first.workspace.journal.phase_changes([A])[A]
        assert [change.after for change in changes] == [Phase.RUNNING, Phase.DONE]
        await second.end()
        await first.end()

    run_virtual(play())


def test_a_follower_shows_the_schedule_and_the_faults_of_the_leader(tmp_path):
    app = ScriptedService(lambda request: (500, {}, {}))

    async def play():
        first = await Console(tmp_path, app, "first", {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(2)
        second = await Console(tmp_path, app, "second").start()
        await asyncio.sleep(10 * MINUTE)
        assert second[A].fault == first[A].fault is not None
        assert second[A].next_poll_at == first[A].next_poll_at
        assert second.listener.accounts["heygen-v2"].health is Health.OFFLINE
        await second.end()
        await first.end()

    run_virtual(play())


def test_a_refresh_in_a_follower_reaches_the_leader(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        first = await Console(tmp_path, app, "first", {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(2)
        second = await Console(tmp_path, app, "second").start()
        await asyncio.sleep(MINUTE)
        app.respond = lambda request: done("https://cdn.test/1")
        assert (await second.engine.perform(fixtures.refresh(A))).ok
        await asyncio.sleep(3)
        assert len(polled_by(app, "second")) == 1
        assert (first[A].phase, second[A].phase) == (Phase.DONE, Phase.DONE)
        await second.end()
        await first.end()

    run_virtual(play())


@pytest.mark.parametrize("how", [Console.end, Console.kill])
def test_a_follower_takes_over_the_schedule_of_an_ended_leader(tmp_path, how):
    app = ScriptedService(lambda request: running())

    async def play():
        first = await Console(tmp_path, app, "first", {"heygen-v2": ("a", "b")}).start()
        await asyncio.sleep(2)
        others = [await Console(tmp_path, app, name).start() for name in ("second", "third")]
        await asyncio.sleep(MINUTE)
        planned = {ref: first[ref].next_poll_at for ref in (A, B)}
        await how(first)
        ended = wall_time()
        await asyncio.sleep(MINUTE)
        second, third = sorted(others, key=lambda console: console.listener.last_role, reverse=True)
        assert second.listener.last_role == "polling"
        assert third.listener.last_role.startswith("following")
        assert not polled_by(app, third.name)
        for ref in (A, B):
            took_over = min(request.at for request in polled_by(app, second.name, ended) if request.id == ref.id)
            assert took_over - max(ended, planned[ref]) < 3
        for console in others:
            await console.end()

    run_virtual(play())


def test_a_silent_leader_is_reported_and_its_rows_are_stale(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        first = await Console(tmp_path, app, "first", {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(2)
        second = await Console(tmp_path, app, "second").start()
        await asyncio.sleep(MINUTE)
        held, first.engine._leader_election.release = first.engine._leader_election.release, nothing
        first._task.cancel()
        await asyncio.sleep(14)
        assert second.listener.last_problems == ()
        await asyncio.sleep(8)
        assert "not responding" in second.listener.last_problems[0]
        assert f"(PID {os.getpid()})" in second.listener.last_problems[0]
        assert Flag.STALE in flags(second[A], EvaluationContext(now=wall_time()))
        await held()
        await asyncio.sleep(MINUTE)
        assert second.listener.last_role == "polling"
        assert second.listener.last_problems == ()
        assert Flag.STALE not in flags(second[A], EvaluationContext(now=wall_time()))
        await second.end()
        first.workspace.close()

    run_virtual(play())


def test_an_engine_for_a_subset_holds_no_lease(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        waiting = await Console(tmp_path, app, "waiting", {"heygen-v2": ("a", "b")}, only={A}).start()
        await asyncio.sleep(MINUTE)
        assert {request.id for request in polled_by(app, "waiting")} == {"a"}
        console = await Console(tmp_path, app, "console").start()
        await asyncio.sleep(5)
        since = wall_time()
        await asyncio.sleep(5 * MINUTE)
        assert not polled_by(app, "waiting", since)
        assert {request.id for request in polled_by(app, "console")} == {"a", "b"}
        assert waiting[A].checked_at > since
        await console.end()
        ended = wall_time()
        await asyncio.sleep(MINUTE)
        assert {request.id for request in polled_by(app, "waiting", ended)} == {"a"}
        await waiting.end()

    run_virtual(play())


def test_two_watchlists_on_one_state_folder_share_the_rate_limit(tmp_path):
    app = ScriptedService(lambda request: running())
    rate = 30

    async def play():
        (tmp_path / "one").mkdir()
        (tmp_path / "two").mkdir()
        many = {"heygen-v2": tuple(f"j{number}" for number in range(60))}
        consoles = [Console(tmp_path / name, app, name, many, rate=rate, tick=10.0) for name in ("one", "two")]
        (tmp_path / "two" / "state").symlink_to(tmp_path / "one" / "state")
        for console in consoles:
            await console.start()
        await asyncio.sleep(10 * MINUTE)
        assert {console.listener.last_role for console in consoles} == {"polling"}
        for console in consoles:
            assert len(polled_by(app, console.name)) > 100
            await console.end()

    run_virtual(play())
    times = app.request_times()
    assert max(len([at for at in times if first <= at < first + 60]) for first in times) <= rate
    assert len(times) > 0.9 * 10 * rate


def test_a_retry_after_holds_for_all_consoles_and_after_a_restart(tmp_path):
    app = ScriptedService(lambda request: running())
    refused = []

    def limited(request):
        refused.append(request.at)
        return 429, {}, {"retry-after": "300"}

    async def play():
        first = await Console(tmp_path, app, "first", {"heygen-v2": ("a", "b", "c")}).start()
        await asyncio.sleep(2)
        second = await Console(tmp_path, app, "second").start()
        await asyncio.sleep(MINUTE)
        app.respond = limited
        await first.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(2)
        app.respond = lambda request: running()
        await second.engine.perform(fixtures.refresh(B))
        await asyncio.sleep(MINUTE)
        await first.end()
        await second.end()
        third = await Console(tmp_path, app, "third").start()
        await third.engine.perform(fixtures.refresh(B))
        await asyncio.sleep(2)
        assert third.listener.accounts["heygen-v2"].health is Health.LIMITED
        await asyncio.sleep(10 * MINUTE)
        assert third[B].checked_at > refused[0] + 300
        await third.end()

    run_virtual(play())
    assert len(refused) == 1
    assert not [at for at in app.request_times() if refused[0] < at < refused[0] + 300]


# Real processes over real HTTP.

COUNT = 12
"""Jobs, which end one second apart by the clock of the service."""


@contextmanager
def console(tmp, key):
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp),
        "BABELTOP_CONFIG_DIR": str(tmp),
        "BABELTOP_STATE_DIR": str(tmp / "state"),
        "KEY_HEYGEN_V2": key,
    }
    command, pipes = "-W error -m tui watch --json", {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with start_program(*command.split(), env=environ, text=True, **pipes) as each:
        try:
            yield each
        finally:
            if each.poll() is None:
                each.terminate()
            _, err = each.communicate(timeout=DEADLINE)
            assert "Traceback" not in err


@pytest.mark.waits
@pytest.mark.timeout(10 * DEADLINE)
def test_a_killed_leader_is_replaced_and_no_change_is_lost(tmp_path):
    stories = [Scenario(f"job{number}-fine", queued=number / 2, running=number / 2) for number in range(COUNT)]
    seconds = [0.0]
    simulator = Simulator(clock=lambda: seconds[0], scenarios=stories, limits={"heygen": 10**9})
    with serve_app(simulator) as base:
        jobs = {"heygen-v2": tuple(scenario.id for scenario in stories)}
        config = '[polling]\nmax_interval = "2s"\n'
        fixtures.make_workspace(tmp_path, base, jobs, accounts=("heygen-v2",), config=config).close()

        def polls(key):
            return sum(instant.key == key for instant in list(simulator.request_log))

        with console(tmp_path, "key-first") as first:
            wait_until(lambda: polls("key-first") >= COUNT)
            with console(tmp_path, "key-second") as second:
                wait_until(lambda: has_open(second.pid, tmp_path / "state" / "journal.db"))
                seconds[0] = COUNT / 2
                wait_until(lambda: phases(tmp_path).count(Phase.DONE) >= COUNT / 2)
                before = polls("key-first")
                wait_until(lambda: polls("key-first") > before + COUNT)
                assert polls("key-second") == 0
                first.send_signal(signal.SIGKILL)
                first.wait()
                before, killed = polls("key-first"), time.monotonic()
                seconds[0] = COUNT
                wait_until(lambda: polls("key-second"))
                print(f"\ntook over {time.monotonic() - killed:.1f} s after the kill")
                wait_until(lambda: phases(tmp_path).count(Phase.DONE) == COUNT)
                assert polls("key-first") == before
    journal = Journal(tmp_path / "state" / "journal.db")
    for ref, changes in journal.phase_changes(Ref("heygen-v2", each) for each in jobs["heygen-v2"]).items():
        steps = [(change.before, change.after) for change in changes]
        assert len(steps) == len(set(steps)), ref
        assert all(step[0] == before[1] for before, step in pairwise(steps)), ref
        assert (steps[0][0], steps[-1][1]) == (Phase.NEW, Phase.DONE)
    journal.close()


def has_open(pid, file):
    def target(entry):
        with suppress(FileNotFoundError):  # closed since the folder was read
            return entry.readlink()

    return any(target(each) == file.resolve() for each in Path(f"/proc/{pid}/fd").iterdir())


def phases(tmp):
    """Return the phases in the journal."""
    journal = Journal(tmp / "state" / "journal.db")
    found = [state.phase for state in journal.states().values()]
    journal.close()
    return found
