"""A network between team and database that drops everything, and reports nothing."""

import asyncio

import psycopg
import pytest

from tests.support.silent_proxy import silent_proxy
from tests.support.team_console import Console
from tests.support.team_machine import Machine
from tests.support.waiting import until
from tui.domain.models import Phase, Ref
from tui.engine.api import Refresh
from tui.storage.journal.database import JournalError
from tui.storage.team.connection import TeamDatabase, time_since_boot
from tui.storage.team.lease import TRUST

pytestmark = pytest.mark.longest
STUCK = Ref("heygen", "a-stuck-x")


@pytest.fixture
async def proxy(postgres):
    async with silent_proxy(postgres.folder) as proxy:
        yield proxy


@pytest.fixture
def through(proxy, team):
    """Connection string of the team's database through the proxy."""
    return psycopg.conninfo.make_conninfo(team, host="127.0.0.1", port=proxy.port)


async def test_worker_and_console_report_a_silent_network_and_come_back(tmp_path, simulator, service, proxy, through):
    async with (
        Console(tmp_path / "worker", service, through, is_worker=True) as worker,
        Console(tmp_path / "alice", service, through, {"heygen": (STUCK.id,)}) as alice,
    ):
        await until(lambda: worker.engine._storage.lease.held)
        assert (await alice.engine.perform(Refresh((STUCK,)))).ok
        await alice.sees(lambda states: states[STUCK].phase is Phase.RUNNING)
        proxy.fall_silent()
        for console in (worker, alice):
            await until(lambda each=console: any("not reachable since" in text for text in each.listener.last_problems))
        count = len(simulator.request_log)
        worker.engine._storage.lease._monotonic = lambda: time_since_boot() + TRUST
        await until(lambda: not worker.listener.last_role.startswith("polling"))
        assert len(simulator.request_log) == count, "no token without the database"
        proxy.forward()
        for console in (worker, alice):
            await until(lambda each=console: not each.listener.last_problems)
        assert worker.listener.last_role == "polling"
        polls = alice.engine.states[STUCK].poll_count
        assert (await alice.engine.perform(Refresh((STUCK,)))).ok
        await alice.sees(lambda states: states[STUCK].poll_count > polls)


async def test_a_cancelled_statement_waits_for_no_response(proxy, through, caplog):
    database = TeamDatabase(through)
    await database.execute("SELECT 1")
    proxy.fall_silent()
    statement = asyncio.create_task(database.execute("SELECT 2"))
    await asyncio.sleep(0)
    statement.cancel()
    with pytest.raises(asyncio.CancelledError):
        await statement
    assert not caplog.records, "psycopg sent a request to cancel it"
    proxy.forward()
    await database.close()


async def test_a_connection_that_opens_to_silence_is_given_up(tmp_path, proxy, through):
    proxy.fall_silent()
    machine = Machine(tmp_path / "alice", "http://127.0.0.1:9", through)
    run = await asyncio.to_thread(machine.run_process, "team", "status")
    assert (run.returncode, "cannot be reached" in run.stdout) == (2, True)
    database = TeamDatabase(through)
    with pytest.raises(JournalError, match="not reachable since"):
        await database.execute("SELECT 1")
