"""Clocks that are set while a team runs: those of its computers, and that of the database's server."""

import asyncio
import time

import msgspec
import pytest

from tests.support.server_clock import ServerClock
from tests.support.team_console import Console
from tests.support.team_database import rows
from tests.support.team_machine import Machine
from tests.support.waiting import until
from tui.domain.models import Phase, Ref
from tui.domain.polling import rate_limit
from tui.engine.api import Refresh
from tui.storage.team.connection import DatabaseClock

pytestmark = pytest.mark.waits
A = Ref("heygen", "a-stuck-x")
HOUR = 3600.0


def database_time(conninfo):
    [(now,)] = rows(conninfo, "SELECT extract(epoch FROM clock_timestamp())::float8")
    return now


async def see_polled(worker, console):
    """Have A polled at once by the console's command, and return the state that the console then has."""
    await until(lambda: worker.engine._storage.lease.held and A in worker.engine.states)
    before = console.engine.states[A].poll_count
    assert (await console.engine.perform(Refresh((A,)))).ok
    await console.sees(lambda states: states[A].poll_count > before and states[A].phase is Phase.RUNNING)
    return console.engine.states[A]


async def test_the_clock_of_a_computer_that_is_set_changes_nothing(tmp_path, service, team, monkeypatch):
    ahead, true_time = 0.0, time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + ahead)
    worker = Console(tmp_path / "worker", service, team, is_worker=True, clock=DatabaseClock(lambda: time.time()))
    alice = Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}, clock=DatabaseClock(lambda: time.time()))
    async with worker, alice:
        await see_polled(worker, alice)
        epochs = dict(worker.engine._storage.lease.epochs)
        for seconds in (30.0, -30.0, HOUR, -HOUR):
            ahead, began_at = seconds, database_time(team)
            state, shown_at = await see_polled(worker, alice), alice.workspace.wall()
            limit = await worker.engine._storage.rate_limits.get("heygen")
            [(ended_at,)] = rows(team, "SELECT max(ended_at) FROM babeltop.request")
            now = database_time(team)
            assert began_at - 2 < shown_at < now + 2
            for at in (state.checked_at, limit.updated_at, ended_at):
                assert began_at - 15 < at < now + 15
        assert worker.engine._storage.lease.epochs == epochs, "the lease was held all the time"
        assert worker.engine._storage.take_clock_step() == 0.0


@pytest.mark.parametrize("step", [HOUR, -HOUR, 10.0])
async def test_a_wait_outlives_a_step_of_the_databases_clock(tmp_path, service, team, step):
    clock = ServerClock(team)
    worker = Console(tmp_path / "worker", service, clock.conninfo, {"heygen": (A.id,)}, is_worker=True)
    async with worker:
        await see_polled(worker, worker)
        storage, limits = worker.engine._storage, worker.engine._accounts["heygen"].limits
        wall = worker.workspace.wall
        limits.block_until(wall() + 300, wall())
        await until(lambda: _stored_until(team) - wall() > 200)
        clock.step(step)
        await until(lambda: storage.lease._step_count == 1 and storage.lease.held)
        await until(lambda: 200 < limits.throttle.rate_limit.not_before - wall() < 320)
        await until(lambda: 200 < _stored_until(team) - wall() < 320)
        assert rows(team, "SELECT clock_step FROM babeltop.worker")[0][0] == pytest.approx(step, abs=1.5)
        doctor = Machine(tmp_path / "doctor", "http://127.0.0.1:9", clock.conninfo)
        run = await asyncio.to_thread(doctor.run_process, "doctor")
        assert f"the database's clock jumped by {step:+.0f} s" in run.stdout


def _stored_until(team):
    [(blob,)] = rows(team, "SELECT state FROM babeltop.rate_limit") or [(None,)]
    return msgspec.json.decode(blob, type=rate_limit.RateLimit).not_before if blob else 0
