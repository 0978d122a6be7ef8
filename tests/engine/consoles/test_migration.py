"""Engines of a team while its database is migrated. Further migrations are handed in as data."""

import asyncio

import pytest

from tests.engine.consoles.test_team import A, B, Console, is_done
from tests.storage.team.test_migrations import EXPANDING, FENCING, REMOVING, further
from tests.support.servers import serve_app
from tests.support.waiting import until
from tui.domain.models import Job
from tui.engine.api import Refresh
from tui.simulator.app import Simulator
from tui.storage.journal.database import OutdatedProgramError
from tui.storage.team.administration import migrate
from tui.storage.watchlist.operations import Add


@pytest.fixture
def service():
    with serve_app(Simulator(speed=300.0)) as url:
        yield url


async def test_a_worker_and_a_follower_go_on_while_the_owner_migrates(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True),
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
    ):
        await alice.sees(is_done(A))
        assert "migrated" in await migrate(team, further(EXPANDING))
        alice.workspace.edit_watchlist(Add((Job(account=B.account, id=B.id),)))
        await alice.sees(is_done(B))
        assert (await alice.engine.perform(Refresh((A,)))).ok
        assert not any("layout" in problem for problem in alice.listener.last_problems)


async def test_engines_that_are_too_old_to_write_follow_and_say_so(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True) as worker,
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
    ):
        await alice.sees(is_done(A))
        await migrate(team, further(FENCING))
        for console in (worker, alice):
            await until(lambda console=console: any("only follows" in each for each in console.listener.last_problems))
        await until(lambda: worker.listener.last_role == "following")
        result = await alice.engine.perform(Refresh((A,)))
        assert (result.ok, "update babeltop" in result.message) == (False, True)
        assert is_done(A)(alice.engine.states), "the board stays"


async def test_an_engine_that_is_too_old_to_read_ends(tmp_path, service, team):
    console = Console(tmp_path / "worker", service, team, {"heygen": (A.id,)}, is_worker=True)
    await console.engine.open()
    running = asyncio.create_task(console.engine.run())
    await until(lambda: is_done(A)(console.engine.states))
    await migrate(team, further(REMOVING))
    with pytest.raises((OutdatedProgramError, ExceptionGroup)) as raised:
        await running
    error = raised.value
    while isinstance(error, ExceptionGroup):
        [error] = error.exceptions
    assert isinstance(error, OutdatedProgramError)
    console.workspace.close()
