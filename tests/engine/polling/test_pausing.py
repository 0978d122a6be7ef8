"""An operator's pause: nothing is asked by itself, what a person wants is, and afterwards all goes on."""

import asyncio
import os

from tests.engine.consoles.test_consoles import Console
from tests.engine.test_commands import A, B, played
from tests.support import fixtures
from tests.support.scripted_service import ScriptedService, running
from tests.support.virtual_time import HOUR, MINUTE, run_virtual, wall_time
from tui.engine.api import Pause


def test_only_user_requested_polls_are_sent_while_paused(tmp_path):
    app = ScriptedService(lambda asked: running())

    async def story(session, ear, library):
        await asyncio.sleep(5 * MINUTE)
        assert (await session.perform(Pause(True))).ok
        assert ear.last_role == "paused"
        await asyncio.sleep(5)  # what was under way
        before = len(app.requests)
        await asyncio.sleep(HOUR)
        assert len(app.requests) == before
        assert (await session.perform(fixtures.refresh(A))).ok
        await asyncio.sleep(HOUR)
        assert [asked.id for asked in app.requests[before:]] == ["a"]
        assert (await session.perform(Pause(False))).ok
        assert ear.last_role == "polling"
        resumed = wall_time()
        await asyncio.sleep(MINUTE)
        assert {asked.id for asked in app.requests if asked.at >= resumed} == {"a", "b"}

    played(tmp_path, app, story, jobs=("a", "b"))


def test_unpolled_reports_get_stale(tmp_path):
    app = ScriptedService(lambda asked: running())

    async def story(session, ear, library):
        await asyncio.sleep(5 * MINUTE)
        await session.perform(Pause(True))
        await asyncio.sleep(HOUR)
        assert session.states[B].stale_after < wall_time()

    played(tmp_path, app, story, jobs=("a", "b"))


def test_a_follower_shows_that_polling_is_paused(tmp_path):
    app = ScriptedService(lambda asked: running())

    async def play():
        first = Console(tmp_path, app, "first", {"heygen": ("a",)}).start()
        await asyncio.sleep(10)
        second = Console(tmp_path, app, "second").start()
        followed = f"following PID {os.getpid()}"
        for paused, said in ((True, f"{followed}, paused"), (False, followed), (True, f"{followed}, paused")):
            await first.session.perform(Pause(paused))
            await asyncio.sleep(3)
            assert second.ear.last_role == said
        await first.end()
        await asyncio.sleep(3)
        assert second.ear.last_role == "polling", "a pause ends with the console that was paused"
        await second.end()

    run_virtual(play())


def test_a_follower_cannot_pause_the_leader(tmp_path):
    app = ScriptedService(lambda asked: running())

    async def play():
        first = Console(tmp_path, app, "first", {"heygen": ("a",)}).start()
        await asyncio.sleep(10)
        second = Console(tmp_path, app, "second").start()
        await asyncio.sleep(10)
        outcome = await second.session.perform(Pause(True))
        assert not outcome.ok
        assert "following PID" in outcome.message
        before = len(app.requests)
        await asyncio.sleep(5 * MINUTE)
        assert len(app.requests) > before
        await second.end()
        await first.end()

    run_virtual(play())
