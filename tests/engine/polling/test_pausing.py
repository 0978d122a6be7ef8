"""Pausing, in virtual time: scheduled polls stop, user-requested polls continue, and resuming restores the schedule."""

import asyncio
import os

from tests.engine.consoles.test_consoles import Console
from tests.engine.test_commands import A, B, played
from tests.support import fixtures
from tests.support.scripted_service import ScriptedService, running
from tests.support.virtual_time import HOUR, MINUTE, run_virtual, wall_time
from tui.engine.api import Pause


def test_only_user_requested_polls_are_sent_while_paused(tmp_path):
    app = ScriptedService(lambda request: running())

    async def scenario(engine, listener, workspace):
        await asyncio.sleep(5 * MINUTE)
        assert (await engine.perform(Pause(True))).ok
        assert listener.last_role == "paused"
        await asyncio.sleep(5)  # what was under way
        before = len(app.requests)
        await asyncio.sleep(HOUR)
        assert len(app.requests) == before
        assert (await engine.perform(fixtures.refresh(A))).ok
        await asyncio.sleep(HOUR)
        assert [request.id for request in app.requests[before:]] == ["a"]
        assert (await engine.perform(Pause(False))).ok
        assert listener.last_role == "polling"
        resumed = wall_time()
        await asyncio.sleep(MINUTE)
        assert {request.id for request in app.requests if request.at >= resumed} == {"a", "b"}

    played(tmp_path, app, scenario, jobs=("a", "b"), tick=MINUTE)


def test_unpolled_reports_get_stale(tmp_path):
    app = ScriptedService(lambda request: running())

    async def scenario(engine, listener, workspace):
        await asyncio.sleep(5 * MINUTE)
        await engine.perform(Pause(True))
        await asyncio.sleep(HOUR)
        assert engine.states[B].stale_after < wall_time()

    played(tmp_path, app, scenario, jobs=("a", "b"), tick=MINUTE)


def test_a_follower_shows_that_polling_is_paused(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        first = await Console(tmp_path, app, "first", {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(10)
        second = await Console(tmp_path, app, "second").start()
        followed = f"following PID {os.getpid()}"
        for paused, text in ((True, f"{followed}, paused"), (False, followed), (True, f"{followed}, paused")):
            await first.engine.perform(Pause(paused))
            await asyncio.sleep(3)
            assert second.listener.last_role == text
        await first.end()
        await asyncio.sleep(3)
        assert second.listener.last_role == "polling", "a pause ends with the console that was paused"
        await second.end()

    run_virtual(play())


def test_a_follower_cannot_pause_the_leader(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        first = await Console(tmp_path, app, "first", {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(10)
        second = await Console(tmp_path, app, "second").start()
        await asyncio.sleep(10)
        outcome = await second.engine.perform(Pause(True))
        assert not outcome.ok
        assert "following PID" in outcome.message
        before = len(app.requests)
        await asyncio.sleep(5 * MINUTE)
        assert len(app.requests) > before
        await second.end()
        await first.end()

    run_virtual(play())
