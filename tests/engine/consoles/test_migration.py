"""Engines of a team while its database is migrated. Further migrations are handed in as data."""

import asyncio

import pytest

from tests.engine.consoles.test_team import A, B, Console
from tests.support.servers import serve_app
from tests.support.team_database import EXPANDING, FENCING, REMOVING, further
from tests.support.waiting import until
from tui.domain.models import Job, Phase
from tui.engine.api import Refresh
from tui.simulator.app import Simulator
from tui.storage.journal.database import OutdatedProgramError
from tui.storage.team.administration import migrate
from tui.storage.watchlist.operations import Add


@pytest.fixture
def service():
    with serve_app(Simulator(speed=300.0)) as url:
        yield url


async def see_polled(worker, console, ref):
    """Have the job polled at once: first polls are spread over half a minute."""
    await until(lambda: worker.engine._storage.lease.held and ref in worker.engine.states)
    assert (await console.engine.perform(Refresh((ref,)))).ok
    await console.sees(lambda states: states[ref].phase is not Phase.NEW)


async def test_a_worker_and_a_follower_go_on_while_the_owner_migrates(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True) as worker,
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
    ):
        await see_polled(worker, alice, A)
        assert "migrated" in await migrate(team, further(EXPANDING))
        alice.workspace.edit_watchlist(Add((Job(account=B.account, id=B.id),)))
        await alice.sees(lambda states: B in states)
        await see_polled(worker, alice, B)
        assert not any("layout" in problem for problem in alice.listener.last_problems)


async def test_engines_that_are_too_old_to_write_follow_and_say_so(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True) as worker,
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
    ):
        await see_polled(worker, alice, A)
        await migrate(team, further(FENCING))
        for console in (worker, alice):
            await until(lambda console=console: any("only follows" in each for each in console.listener.last_problems))
        await until(lambda: worker.listener.last_role == "following")
        result = await alice.engine.perform(Refresh((A,)))
        assert (result.ok, "update babeltop" in result.message) == (False, True)
        assert alice.engine.states[A].phase is not Phase.NEW, "the board stays"


async def test_an_engine_that_is_too_old_to_read_ends(tmp_path, service, team):
    console = Console(tmp_path / "worker", service, team, {"heygen": (A.id,)}, is_worker=True)
    await console.engine.open()
    running = asyncio.create_task(console.engine.run())
    await until(lambda: console.engine._storage.lease.held)
    await migrate(team, further(REMOVING))
    with pytest.raises((OutdatedProgramError, ExceptionGroup)) as raised:
        await running
    error = raised.value
    while isinstance(error, ExceptionGroup):
        [error] = error.exceptions
    assert isinstance(error, OutdatedProgramError)
    console.workspace.close()
