"""Watchlist edits of the engine in real time: a file that is locked, or slow to edit, does not stop polling."""

import asyncio
from random import Random

import pytest
from filelock import FileLock

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.scripted_service import ScriptedService, running
from tests.support.virtual_time import VirtualTransport
from tests.support.waiting import until
from tui.domain.models import Job, Ref
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.storage.watchlist.operations import Add

REFS = tuple(Ref("heygen-v2", str(number)) for number in range(20))
NEW = (Job(account="heygen-v2", id="new"),)


def make_engine(tmp_path, app) -> Engine:
    workspace = fixtures.make_workspace(
        tmp_path, "http://sim.test", tuple(Job(account=ref.account, id=ref.id) for ref in REFS)
    )
    context = EngineContext.create(
        random=Random(1), transport=lambda: VirtualTransport({"sim.test": app}), run_blocking=asyncio.to_thread
    )
    return Engine(workspace.handover(), RecordingListener().publish, context)


@pytest.mark.waits
async def test_polls_continue_while_another_program_holds_the_watchlist_lock(tmp_path):
    app = ScriptedService(lambda _request: running())
    async with fixtures.running_engine(make_engine(tmp_path, app)) as engine:
        await until(lambda: len(app.requests) >= len(REFS))
        with FileLock(tmp_path / ".watchlist.toml.lock"):
            edit = asyncio.create_task(engine.perform(Add(NEW)))
            await asyncio.sleep(0)  # the edit waits for the lock
            await engine.perform(fixtures.refresh(*REFS))
            before = len(app.requests)
            result = await edit  # gives up the lock after its timeout
        polls = len(app.requests) - before
        assert (result.ok, NEW[0].ref in engine.states) == (False, False)
        assert polls >= len(REFS), "the loop was blocked"
        assert (await engine.perform(Add(NEW))).ok
        assert NEW[0].ref in engine.states


async def test_edits_are_applied_in_the_order_of_their_commands(tmp_path):
    app = ScriptedService(lambda _request: running())
    async with fixtures.running_engine(make_engine(tmp_path, app)) as engine:
        jobs = [Job(account="heygen-v2", id=f"n{number}") for number in range(10)]
        results = await asyncio.gather(*(engine.perform(Add((job,))) for job in jobs))
        assert all(result.ok for result in results)
        assert list(engine.states) == [*REFS, *(job.ref for job in jobs)]
