"""Tests of alerts in virtual time: each event is delivered once, whatever the number of consoles and restarts."""

import asyncio
import sqlite3
from random import Random
from typing import get_args

import pytest
from msgspec.structs import replace

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.virtual_time import DAY, HOUR, MINUTE, VirtualTransport, run_virtual, wall_time
from tui.domain.job_state import PhaseChange
from tui.domain.models import Job, Link, LinkKind, Phase, Ref
from tui.engine.api import NoticeKind
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.storage.config.settings import Hook, HookEvent
from tui.storage.journal.journal import Journal, JournalEntry
from tui.storage.watchlist.operations import Add, Set

A, B = Ref("heygen-v2", "a"), Ref("heygen-v2", "b")
EVERYTHING = Hook(run=("true",), on=get_args(HookEvent))
URL = "https://cdn.test/1?X-Amz-Date=20270115T080000Z&X-Amz-Expires={life}&n={number}"
"""Signed at the start of virtual time."""


class AlertConsole:
    """Engine of one process that records what its hooks receive. Days pass in long ticks."""

    def __init__(self, tmp, app, jobs=(), *, hook=EVERYTHING, readonly=False, tick=MINUTE, alerts=None):
        self.listener, self.delivered = RecordingListener(), []
        self.library = fixtures.make_workspace(tmp, "http://sim.test", jobs, accounts=("heygen-v2",))
        self.library.settings = replace(
            self.library.settings, hooks=(hook,) if hook else (), alerts=alerts or self.library.settings.alerts
        )
        dispatch = None if readonly or not hook else self.delivered.append
        transport = {"sim.test": app}
        self.engine = Engine(
            self.library,
            self.listener.publish,
            EngineContext.create(wall=wall_time, random=Random(1), transport=lambda: VirtualTransport(transport)),
            hooks=dispatch,
            tick_interval=tick,
        )

    @property
    def events(self):
        return [event.event for event in self.delivered]

    async def start(self):
        await self.engine.open()
        self._task = asyncio.create_task(self.engine.run())
        return self

    async def end(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.library.close()


def link(life, number=0):
    return done(URL.format(life=int(life), number=number))


def test_each_phase_change_is_delivered_once_by_two_consoles(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        first = await AlertConsole(tmp_path, app, {"heygen-v2": ("a", "b")}, tick=1.0).start()
        second = await AlertConsole(tmp_path, app, tick=1.0).start()
        await asyncio.sleep(2 * MINUTE)
        app.respond = lambda request: link(7 * DAY)
        await asyncio.sleep(2 * MINUTE)
        deliveries = [(each.event, each.state.job.ref) for console in (first, second) for each in console.delivered]
        assert sorted(deliveries) == [("done", A), ("done", B), ("running", A), ("running", B)]
        ended = [each for console in (first, second) for each in console.delivered if each.event == "done"]
        assert {(each.change.before, each.change.after, each.state.phase) for each in ended} == {
            (Phase.RUNNING, Phase.DONE, Phase.DONE)
        }
        await second.end()
        await first.end()

    run_virtual(play())


def test_a_restart_delivers_nothing_again(tmp_path):
    app = ScriptedService(lambda request: link(DAY + HOUR))

    async def play():
        first = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(2 * HOUR)
        assert first.events == ["done", "expiring"]
        await first.end()
        second = await AlertConsole(tmp_path, app).start()
        await asyncio.sleep(HOUR)
        assert second.events == []
        assert not second.listener.notices, "alerts from before the start are not shown"
        await second.end()

    run_virtual(play())


def test_events_from_while_no_process_ran_are_delivered_by_the_next_one(tmp_path):
    app = ScriptedService(lambda request: link(3 * DAY))

    async def play():
        first = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(HOUR)
        assert first.events == ["done"]
        await first.end()
        await asyncio.sleep(2.5 * DAY)
        second = await AlertConsole(tmp_path, app).start()
        await asyncio.sleep(2 * MINUTE)
        assert second.events == ["expiring"]
        await second.end()
        await asyncio.sleep(2 * DAY)
        third = await AlertConsole(tmp_path, app).start()
        await asyncio.sleep(2 * MINUTE)
        assert third.events == [], "an expiry long ago is not delivered"
        await third.end()

    run_virtual(play())


def test_a_link_is_reported_before_and_after_its_expiry_and_again_once_renewed(tmp_path):
    app = ScriptedService(lambda request: link(2 * DAY))

    async def play():
        console = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)}, tick=10 * MINUTE).start()
        await asyncio.sleep(DAY - HOUR)
        assert console.events == ["done"]
        await asyncio.sleep(HOUR + 20 * MINUTE)
        assert console.events == ["done", "expiring"]
        assert console.delivered[1].text == "a: link expires in 1d00h"
        assert [notice.kind for notice in console.listener.notices] == [NoticeKind.DONE, NoticeKind.EXPIRING]
        app.respond = lambda request: link(4 * DAY, 1)
        await console.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(DAY)
        assert console.events == ["done", "expiring"]
        await asyncio.sleep(2 * DAY)
        assert console.events == ["done", "expiring", "expiring", "expired"]
        assert "X-Amz" not in "".join(each.key for each in console.delivered)
        await console.end()

    run_virtual(play())


def test_a_stalled_job_is_reported_once(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        console = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(HOUR - MINUTE)
        assert console.events == ["running"]
        await asyncio.sleep(3 * HOUR)
        assert console.events == ["running", "stalled"]
        assert [notice.text for notice in console.listener.notices] == ["a: running for 1h00m, far longer than usual"]
        await console.end()

    run_virtual(play())


def test_a_muted_job_sends_no_alerts(tmp_path):
    app = ScriptedService(lambda request: link(DAY + HOUR))

    async def play():
        jobs = (Job(account="heygen-v2", id="a", muted=True), Job(account="heygen-v2", id="b"))
        console = await AlertConsole(tmp_path, app, jobs, tick=10 * MINUTE).start()
        await asyncio.sleep(2 * HOUR)
        assert {each.state.job.ref for each in console.delivered} == {B}
        assert {notice.ref for notice in console.listener.notices} == {B}
        await console.engine.perform(Set((B,), {"muted": True}))
        await asyncio.sleep(2 * DAY)
        assert console.events == ["done", "expiring"]
        await console.end()

    run_virtual(play())


def test_a_refused_account_is_reported_once_until_it_is_ok_again(tmp_path):
    app = ScriptedService(lambda request: (401, {"message": "no"}, {}))

    async def play():
        for again in range(2):
            console = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)} if not again else ()).start()
            await asyncio.sleep(HOUR)
            assert console.events == (["refused"] if not again else [])
            if not again:
                assert console.delivered[0].account.name == "heygen-v2"
                assert console.delivered[0].text.startswith("Polling of account heygen-v2 stopped: ")
                await console.end()
        app.respond = lambda request: running()
        await console.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(MINUTE)
        app.respond = lambda request: (401, {"message": "no"}, {})
        await asyncio.sleep(10 * MINUTE)
        assert console.events == ["running", "refused"]
        await console.end()

    run_virtual(play())


def test_a_retired_api_is_reported_once_for_all_its_jobs(tmp_path):
    app = ScriptedService(lambda request: (410, {}, {}))

    async def play():
        console = await AlertConsole(tmp_path, app, {"heygen-v2": ("a", "b")}).start()
        await asyncio.sleep(10 * MINUTE)
        assert console.events == ["retired"]
        await console.end()
        console = await AlertConsole(tmp_path, app).start()
        await asyncio.sleep(10 * MINUTE)
        assert console.events == []
        await console.end()

    run_virtual(play())


def test_a_readonly_leader_leaves_hooks_to_another_console(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        first = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)}, readonly=True, tick=1.0).start()
        await asyncio.sleep(2)
        second = await AlertConsole(tmp_path, app, tick=1.0).start()
        await asyncio.sleep(MINUTE)
        app.respond = lambda request: link(7 * DAY)
        await asyncio.sleep(2 * MINUTE)
        assert second.engine.states[A].phase is Phase.DONE
        assert "done" in second.events
        await second.end()
        await first.end()

    run_virtual(play())


def test_a_phase_change_seen_by_two_processes_is_delivered_as_recorded(tmp_path):
    app = ScriptedService(lambda request: running())

    async def play():
        console = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)}, tick=1.0).start()
        await asyncio.sleep(MINUTE + 3)  # not about to be polled
        state, at = console.engine.states[A], wall_time()
        for seen in (at, at + 0.5):  # two processes record it
            journal = Journal(tmp_path / "state" / "journal.db")
            ended = replace(state, phase=Phase.DONE, phase_since=seen, checked_at=seen)
            journal.record([JournalEntry(ended, PhaseChange(A, Phase.RUNNING, Phase.DONE, state.checked_at, seen, ""))])
            journal.close()
        await asyncio.sleep(3)
        assert console.engine.states[A].phase_since == at + 0.5
        assert console.events == ["running", "done"]
        assert console.delivered[1].change.seen == at
        await console.end()

    run_virtual(play())


def test_events_without_a_subscribed_hook_are_not_delivered(tmp_path):
    app = ScriptedService(lambda request: link(DAY + HOUR))

    async def play():
        console = await AlertConsole(
            tmp_path, app, {"heygen-v2": ("a",)}, hook=Hook(run=("true",), on=("expiring",))
        ).start()
        await asyncio.sleep(2 * HOUR)
        assert console.events == ["expiring"]
        await console.end()

    run_virtual(play())


def test_events_wait_while_the_journal_cannot_be_written(tmp_path):
    app = ScriptedService(lambda request: link(DAY + MINUTE))

    async def play():
        console = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)}, tick=1.0).start()
        await asyncio.sleep(MINUTE - 3)
        other = sqlite3.connect(tmp_path / "state" / "journal.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(6)
        assert console.events == ["done"]
        other.execute("COMMIT")
        other.close()
        await asyncio.sleep(3)
        assert console.events == ["done", "expiring"]
        await console.end()

    run_virtual(play())


def expiring_jobs(console):
    """Return the jobs of each `expiring` delivery."""
    return [
        {state.job.ref for state in (each.state, *each.other_states)}
        for each in console.delivered
        if each.event == "expiring"
    ]


def shown_notices(console):
    return [notice for notice in console.listener.notices if notice.kind is NoticeKind.EXPIRING]


@pytest.mark.parametrize("hook", [EVERYTHING, None])
def test_hundreds_of_expiring_links_are_one_delivery_and_one_notice(tmp_path, hook):
    app = ScriptedService(lambda request: link(DAY + HOUR))

    async def play():
        ids = tuple(f"j{number}" for number in range(200))
        console = await AlertConsole(tmp_path, app, {"heygen-v2": ids}, hook=hook, tick=10 * MINUTE).start()
        await asyncio.sleep(2 * HOUR)
        assert [len(jobs) for jobs in expiring_jobs(console)] == ([200] if hook else [])
        [notice] = shown_notices(console)
        assert notice.text.startswith("200 links expire within 1d00h (first: j")
        await asyncio.sleep(DAY)
        assert console.events.count("expired") == (1 if hook else 0)
        await console.end()

    run_virtual(play())


def staggered(request):
    """Expire job n's link n hours after the second day."""
    return link(2 * DAY + int(request.id.removeprefix("j")) * HOUR, request.id)


def test_links_that_expire_over_a_week_are_one_delivery_a_day(tmp_path):
    app = ScriptedService(staggered)
    ids = tuple(f"j{number}" for number in range(5 * 24))

    async def play():
        first = await AlertConsole(tmp_path, app, {"heygen-v2": ids}, tick=10 * MINUTE).start()
        second = await AlertConsole(tmp_path, app, tick=10 * MINUTE).start()
        for day in range(7):
            await asyncio.sleep(DAY)
            counts = [len(shown_notices(console)) for console in (first, second)]
            assert max(counts) <= day + 1
            assert len(expiring_jobs(first)) + len(expiring_jobs(second)) <= day + 1
        deliveries = expiring_jobs(first) + expiring_jobs(second)
        assert sorted(map(str, set().union(*deliveries))) == sorted(f"heygen-v2:{each}" for each in ids)
        assert sum(map(len, deliveries)) == len(ids), "none is delivered twice"
        for each in (*first.delivered, *second.delivered):
            if each.event == "expiring":
                remaining = [state.links[0].expires_at - each.at for state in (each.state, *each.other_states)]
                assert min(remaining) > DAY - 20 * MINUTE
        await second.end()
        await first.end()

    run_virtual(play())


def test_links_found_after_the_daily_report_wait_for_the_next_if_time_allows(tmp_path):
    lives = {"a": DAY + HOUR, "late": 2 * DAY + 3 * HOUR, "short": 12 * HOUR}
    app = ScriptedService(lambda request: link(lives[request.id], request.id))

    async def play():
        console = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(5 * HOUR)  # 13:00
        assert expiring_jobs(console) == [{A}]
        late, short = (Job(account="heygen-v2", id=each) for each in ("late", "short"))
        await console.engine.perform(Add((short, late)))
        await asyncio.sleep(HOUR)
        assert expiring_jobs(console) == [{A}, {short.ref}], "half of its warning time has passed"
        await console.end()

    run_virtual(play())


def test_a_muted_job_is_not_in_the_daily_report(tmp_path):
    app = ScriptedService(staggered)

    async def play():
        jobs = (Job(account="heygen-v2", id="j0"), Job(account="heygen-v2", id="j1", muted=True))
        console = await AlertConsole(tmp_path, app, jobs, tick=10 * MINUTE).start()
        await asyncio.sleep(3 * DAY)
        assert expiring_jobs(console) == [{Ref("heygen-v2", "j0")}]
        assert [notice.ref for notice in shown_notices(console)] == [Ref("heygen-v2", "j0")]
        await console.end()

    run_virtual(play())


def test_a_link_renewed_just_before_its_report_is_not_reported(tmp_path):
    app = ScriptedService(lambda request: link(DAY + HOUR))

    async def play():
        console = await AlertConsole(tmp_path, app, {"heygen-v2": ("a",)}).start()
        await asyncio.sleep(30)
        assert console.engine.states[A].links
        app.respond = lambda request: link(7 * DAY, 1)
        state = console.engine.states[A]
        expiring = [
            Link(LinkKind.VIDEO, each.url, each.first_seen, wall_time() + HOUR, expiry_is_exact=True)
            for each in state.links
        ]
        console.engine._alert_monitor.publish(replace(state, links=tuple(expiring)))  # its alert is due …
        await console.engine.perform(fixtures.refresh(A))
        await asyncio.sleep(10)  # … and it is renewed before the next tick
        assert console.engine.states[A].links[0].expires_at > wall_time() + 6 * DAY
        await asyncio.sleep(HOUR)
        assert expiring_jobs(console) == shown_notices(console) == []
        await console.end()

    run_virtual(play())
