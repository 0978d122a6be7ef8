"""What hooks and screens are told, in virtual time: each occasion once, whatever consoles and restarts there are."""

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
from tui.storage.watchlist.file import Add, Set

A, B = Ref("heygen", "a"), Ref("heygen", "b")
EVERYTHING = Hook(run=("true",), on=get_args(HookEvent))
URL = "https://cdn.test/1?X-Amz-Date=20270115T080000Z&X-Amz-Expires={life}&n={number}"
"""Signed at the beginning of virtual time."""


class Console:
    """One process's session; what its hooks are told. Days pass in long ticks."""

    def __init__(self, tmp, app, jobs=(), *, wanted=EVERYTHING, readonly=False, tick=20.0):
        self.ear, self.told = RecordingListener(), []
        self.library = fixtures.make_workspace(tmp, "http://sim.test", jobs, accounts=("heygen",))
        self.library.settings = replace(self.library.settings, hooks=(wanted,) if wanted else ())
        call = None if readonly or not wanted else self.told.append
        transport = {"sim.test": app}
        self.session = Engine(
            self.library,
            self.ear.publish,
            EngineContext.create(wall=wall_time, random=Random(1), transport=lambda: VirtualTransport(transport)),
            hooks=call,
            tick_interval=tick,
        )

    @property
    def events(self):
        return [occasion.event for occasion in self.told]

    def start(self):
        self.session.open()
        self._task = asyncio.create_task(self.session.run())
        return self

    async def end(self):
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self.library.close()


def link(life, number=0):
    return done(URL.format(life=int(life), number=number))


def test_every_phase_is_told_once_to_one_of_two_consoles(tmp_path):
    app = ScriptedService(lambda asked: running())

    async def play():
        first = Console(tmp_path, app, {"heygen": ("a", "b")}, tick=1.0).start()
        second = Console(tmp_path, app, tick=1.0).start()
        await asyncio.sleep(2 * MINUTE)
        app.respond = lambda asked: link(7 * DAY)
        await asyncio.sleep(2 * MINUTE)
        told = [(each.event, each.state.job.ref) for console in (first, second) for each in console.told]
        assert sorted(told) == [("done", A), ("done", B), ("running", A), ("running", B)]
        ended = [each for console in (first, second) for each in console.told if each.event == "done"]
        assert {(each.change.before, each.change.after, each.state.phase) for each in ended} == {
            (Phase.RUNNING, Phase.DONE, Phase.DONE)
        }
        await second.end()
        await first.end()

    run_virtual(play())


def test_a_restart_tells_nothing_again(tmp_path):
    app = ScriptedService(lambda asked: link(DAY + HOUR))

    async def play():
        first = Console(tmp_path, app, {"heygen": ("a",)}).start()
        await asyncio.sleep(2 * HOUR)
        assert first.events == ["done", "expiring"]
        await first.end()
        second = Console(tmp_path, app).start()
        await asyncio.sleep(HOUR)
        assert second.events == []
        assert not second.ear.notices, "what was so before it began is no news on a screen"
        await second.end()

    run_virtual(play())


def test_what_came_about_while_nobody_ran_is_told_by_the_next_process(tmp_path):
    app = ScriptedService(lambda asked: link(3 * DAY))

    async def play():
        first = Console(tmp_path, app, {"heygen": ("a",)}).start()
        await asyncio.sleep(HOUR)
        assert first.events == ["done"]
        await first.end()
        await asyncio.sleep(2.5 * DAY)
        second = Console(tmp_path, app).start()
        await asyncio.sleep(MINUTE)
        assert second.events == ["expiring"]
        await second.end()
        await asyncio.sleep(2 * DAY)
        third = Console(tmp_path, app).start()
        await asyncio.sleep(MINUTE)
        assert third.events == [], "a link that has long been dead is no news"
        await third.end()

    run_virtual(play())


def test_a_link_is_told_before_it_dies_and_when_it_has_and_a_renewed_one_anew(tmp_path):
    app = ScriptedService(lambda asked: link(2 * DAY))

    async def play():
        console = Console(tmp_path, app, {"heygen": ("a",)}).start()
        await asyncio.sleep(DAY - HOUR)
        assert console.events == ["done"]
        await asyncio.sleep(HOUR + MINUTE)
        assert console.events == ["done", "expiring"]
        assert console.told[1].text == "a: its link dies in 1d00h"
        assert [notice.kind for notice in console.ear.notices] == [NoticeKind.DONE, NoticeKind.EXPIRING]
        app.respond = lambda asked: link(4 * DAY, 1)
        await console.session.perform(fixtures.refresh(A))
        await asyncio.sleep(DAY)
        assert console.events == ["done", "expiring"]
        await asyncio.sleep(2 * DAY)
        assert console.events == ["done", "expiring", "expiring", "expired"]
        assert "X-Amz" not in "".join(each.key for each in console.told)
        await console.end()

    run_virtual(play())


def test_a_job_that_stalls_is_told_once(tmp_path):
    app = ScriptedService(lambda asked: running())

    async def play():
        console = Console(tmp_path, app, {"heygen": ("a",)}).start()
        await asyncio.sleep(HOUR - MINUTE)
        assert console.events == ["running"]
        await asyncio.sleep(3 * HOUR)
        assert console.events == ["running", "stalled"]
        assert [notice.text for notice in console.ear.notices] == ["a: has been at it for 1h00m, far longer than usual"]
        await console.end()

    run_virtual(play())


def test_a_muted_job_is_silent(tmp_path):
    app = ScriptedService(lambda asked: link(DAY + HOUR))

    async def play():
        jobs = (Job(account="heygen", id="a", muted=True), Job(account="heygen", id="b"))
        console = Console(tmp_path, app, jobs).start()
        await asyncio.sleep(2 * HOUR)
        assert {each.state.job.ref for each in console.told} == {B}
        assert {notice.ref for notice in console.ear.notices} == {B}
        await console.session.perform(Set((B,), {"muted": True}))
        await asyncio.sleep(2 * DAY)
        assert console.events == ["done", "expiring"]
        await console.end()

    run_virtual(play())


def test_an_account_that_is_refused_is_told_once_until_it_was_well_again(tmp_path):
    app = ScriptedService(lambda asked: (401, {"message": "no"}, {}))

    async def play():
        for again in range(2):
            console = Console(tmp_path, app, {"heygen": ("a",)} if not again else ()).start()
            await asyncio.sleep(HOUR)
            assert console.events == (["refused"] if not again else [])
            if not again:
                assert console.told[0].account.name == "heygen"
                assert console.told[0].text.startswith("Polling of account heygen stopped: ")
                await console.end()
        app.respond = lambda asked: running()
        await console.session.perform(fixtures.refresh(A))
        await asyncio.sleep(MINUTE)
        app.respond = lambda asked: (401, {"message": "no"}, {})
        await asyncio.sleep(10 * MINUTE)
        assert console.events == ["running", "refused"]
        await console.end()

    run_virtual(play())


def test_an_api_that_is_over_is_told_once_for_all_its_jobs(tmp_path):
    app = ScriptedService(lambda asked: (410, {}, {}))

    async def play():
        console = Console(tmp_path, app, {"heygen": ("a", "b")}).start()
        await asyncio.sleep(10 * MINUTE)
        assert console.events == ["retired"]
        await console.end()
        console = Console(tmp_path, app).start()
        await asyncio.sleep(10 * MINUTE)
        assert console.events == []
        await console.end()

    run_virtual(play())


def test_a_readonly_console_polls_and_the_other_ones_hooks_are_told(tmp_path):
    app = ScriptedService(lambda asked: running())

    async def play():
        first = Console(tmp_path, app, {"heygen": ("a",)}, readonly=True, tick=1.0).start()
        await asyncio.sleep(2)
        second = Console(tmp_path, app, tick=1.0).start()
        await asyncio.sleep(MINUTE)
        app.respond = lambda asked: link(7 * DAY)
        await asyncio.sleep(2 * MINUTE)
        assert second.session.states[A].phase is Phase.DONE
        assert "done" in second.events
        await second.end()
        await first.end()

    run_virtual(play())


def test_a_change_that_two_others_saw_is_told_as_the_one_that_was_recorded(tmp_path):
    app = ScriptedService(lambda asked: running())

    async def play():
        console = Console(tmp_path, app, {"heygen": ("a",)}, tick=1.0).start()
        await asyncio.sleep(MINUTE + 3)  # it is not about to be asked
        state, at = console.session.states[A], wall_time()
        for seen in (at, at + 0.5):  # each of two processes writes what it saw
            journal = Journal(tmp_path / "state" / "journal.db")
            ended = replace(state, phase=Phase.DONE, phase_since=seen, checked_at=seen)
            journal.record([JournalEntry(ended, PhaseChange(A, Phase.RUNNING, Phase.DONE, state.checked_at, seen, ""))])
            journal.close()
        await asyncio.sleep(3)
        assert console.session.states[A].phase_since == at + 0.5
        assert console.events == ["running", "done"]
        assert console.told[1].change.seen == at
        await console.end()

    run_virtual(play())


def test_what_no_hook_wants_is_not_told_and_takes_no_write(tmp_path):
    app = ScriptedService(lambda asked: link(DAY + HOUR))

    async def play():
        console = Console(tmp_path, app, {"heygen": ("a",)}, wanted=Hook(run=("true",), on=("expiring",))).start()
        await asyncio.sleep(2 * HOUR)
        assert console.events == ["expiring"]
        await console.end()

    run_virtual(play())


def test_while_the_journal_cannot_be_written_what_is_to_be_told_waits(tmp_path):
    app = ScriptedService(lambda asked: link(DAY + HOUR))

    async def play():
        console = Console(tmp_path, app, {"heygen": ("a",)}, tick=1.0).start()
        await asyncio.sleep(HOUR - 3)
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


def dying(console):
    """Each word that a hook was told of dying links: the jobs it tells of."""
    return [
        {state.job.ref for state in (each.state, *each.other_states)}
        for each in console.told
        if each.event == "expiring"
    ]


def shown(console):
    return [notice for notice in console.ear.notices if notice.kind is NoticeKind.EXPIRING]


@pytest.mark.parametrize("wanted", [EVERYTHING, None])
def test_hundreds_of_links_that_are_about_to_die_are_one_word_to_a_hook_and_on_the_screen(tmp_path, wanted):
    app = ScriptedService(lambda asked: link(DAY + HOUR))

    async def play():
        ids = tuple(f"j{number}" for number in range(450))
        console = Console(tmp_path, app, {"heygen": ids}, wanted=wanted).start()
        await asyncio.sleep(2 * HOUR)
        assert [len(jobs) for jobs in dying(console)] == ([450] if wanted else [])
        [notice] = shown(console)
        assert notice.text.startswith("450 links die in the next 1d00h; the first, of j")
        await asyncio.sleep(DAY)
        assert console.events.count("expired") == (1 if wanted else 0)
        await console.end()

    run_virtual(play())


def staggered(asked):
    """Job n's link dies n hours after the second day."""
    return link(2 * DAY + int(asked.id.removeprefix("j")) * HOUR, asked.id)


def test_links_that_die_through_a_week_are_one_word_a_day_in_time(tmp_path):
    app = ScriptedService(staggered)
    ids = tuple(f"j{number}" for number in range(5 * 24))

    async def play():
        first = Console(tmp_path, app, {"heygen": ids}, tick=10 * MINUTE).start()
        second = Console(tmp_path, app, tick=10 * MINUTE).start()
        for day in range(7):
            await asyncio.sleep(DAY)
            words = [len(shown(console)) for console in (first, second)]
            assert max(words) <= day + 1
            assert len(dying(first)) + len(dying(second)) <= day + 1
        told = dying(first) + dying(second)
        assert sorted(map(str, set().union(*told))) == sorted(f"heygen:{each}" for each in ids)
        assert sum(map(len, told)) == len(ids), "none is told twice"
        for each in (*first.told, *second.told):
            if each.event == "expiring":
                left = [state.links[0].expires_at - each.at for state in (each.state, *each.other_states)]
                assert min(left) > DAY - 20 * MINUTE
        await second.end()
        await first.end()

    run_virtual(play())


def test_what_comes_to_be_known_after_the_days_word_waits_for_the_next_if_it_can(tmp_path):
    lives = {"a": DAY + HOUR, "late": 2 * DAY + 3 * HOUR, "short": 12 * HOUR}
    app = ScriptedService(lambda asked: link(lives[asked.id], asked.id))

    async def play():
        console = Console(tmp_path, app, {"heygen": ("a",)}, tick=MINUTE).start()
        await asyncio.sleep(5 * HOUR)  # it is one o'clock in the afternoon
        assert dying(console) == [{A}]
        late, short = (Job(account="heygen", id=each) for each in ("late", "short"))
        await console.session.perform(Add((short, late)))
        await asyncio.sleep(HOUR)
        assert dying(console) == [{A}, {short.ref}], "half its warning is over"
        await console.end()

    run_virtual(play())


def test_a_muted_job_is_in_no_days_word(tmp_path):
    app = ScriptedService(staggered)

    async def play():
        jobs = (Job(account="heygen", id="j0"), Job(account="heygen", id="j1", muted=True))
        console = Console(tmp_path, app, jobs).start()
        await asyncio.sleep(3 * DAY)
        assert dying(console) == [{Ref("heygen", "j0")}]
        assert [notice.ref for notice in shown(console)] == [Ref("heygen", "j0")]
        await console.end()

    run_virtual(play())


def test_a_link_that_is_renewed_in_the_moment_in_which_it_was_to_be_told_is_not(tmp_path):
    app = ScriptedService(lambda asked: link(DAY + HOUR))

    async def play():
        console = Console(tmp_path, app, {"heygen": ("a",)}, tick=MINUTE).start()
        await asyncio.sleep(30)
        assert console.session.states[A].links
        app.respond = lambda asked: link(7 * DAY, 1)
        state = console.session.states[A]
        told = [
            Link(LinkKind.VIDEO, each.url, each.first_seen, wall_time() + HOUR, expiry_is_exact=True)
            for each in state.links
        ]
        console.session._alert_monitor.publish(replace(state, links=tuple(told)))  # its turn has come …
        await console.session.perform(fixtures.refresh(A))
        await asyncio.sleep(10)  # … and before the next tick it has another
        assert console.session.states[A].links[0].expires_at > wall_time() + 6 * DAY
        await asyncio.sleep(HOUR)
        assert dying(console) == shown(console) == []
        await console.end()

    run_virtual(play())
