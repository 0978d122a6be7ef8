"""Engines of a team while its database is migrated. Further migrations are handed in as data."""

import asyncio

import pytest

from tests.support.team_console import A, B, Console, poll
from tests.support.team_database import EXPANDING, FENCING, REMOVING, further
from tests.support.waiting import until
from tui.domain.models import Job, Phase
from tui.engine.api import Refresh
from tui.storage.journal.database import OutdatedProgramError
from tui.storage.team.administration import migrate
from tui.storage.watchlist.operations import Add


async def see_polled(worker, console, ref):
    """Have the job polled at once by the console's command."""
    await poll(worker, ref, by=console)
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


async def test_engines_that_are_too_old_to_write_follow_and_report_it(tmp_path, service, team):
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
    with pytest.raises(ExceptionGroup) as ended:
        await running
    assert ended.group_contains(OutdatedProgramError)
    assert ended.value.split(OutdatedProgramError)[1] is None, "as many tasks as read the database may raise it"
    console.workspace.close()
