"""Commands of the operator and edits of other programs while an engine runs, in virtual time."""

import asyncio
import os
import sqlite3
from random import Random

import pytest

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.virtual_time import DAY, HOUR, MINUTE, VirtualTransport, run_virtual, wall_time
from tui.domain.models import FaultKind, Job, Phase, Ref
from tui.engine.api import NoticeKind
from tui.engine.context import EngineContext
from tui.engine.engine import TICK_INTERVAL, Engine
from tui.storage.watchlist.content import WatchlistError
from tui.storage.watchlist.operations import Add, Remove, Set
from tui.storage.workspace import Workspace

A, B = Ref("heygen-v2", "a"), Ref("heygen-v2", "b")


def opened(workspace, app, listener, seed=1, **settings):
    wires = {"sim.test": app}
    return Engine(
        workspace,
        listener.publish,
        EngineContext.create(wall=wall_time, random=Random(seed), transport=lambda: VirtualTransport(wires)),
        **settings,
    )


def played(tmp_path, app, scenario, jobs=("a",), tick=TICK_INTERVAL, **settings):
    async def play():
        workspace = fixtures.make_workspace(tmp_path, "http://sim.test", {"heygen-v2": jobs}, **settings)
        listener = RecordingListener()
        async with fixtures.running_engine(opened(workspace, app, listener, tick_interval=tick)) as engine:
            await scenario(engine, listener, workspace)
        workspace.close()

    run_virtual(play())


@pytest.fixture
def app():
    return ScriptedService(lambda request: running())


def test_an_edit_by_another_program_shows_within_two_seconds(tmp_path, app):
    file = tmp_path / "watchlist.toml"

    async def scenario(engine, listener, workspace):
        file.write_text(file.read_text() + '\n[[job]]\naccount = "heygen-v2"\nid = "b"\n')
        await asyncio.sleep(2)
        assert listener.orders[-1] == (A, B)
        await asyncio.sleep(20)
        assert engine.states[B].phase is Phase.RUNNING
        file.write_text('[[job]]\naccount = "heygen-v2"\nid = "b"\nlabel = "Spring"\n')
        await asyncio.sleep(2)
        assert listener.orders[-1] == (B,)
        assert engine.states[B].job.label == "Spring"
        file.write_text("")
        await asyncio.sleep(2)
        assert listener.orders[-1] == ()

    played(tmp_path, app, scenario)


def test_a_broken_watchlist_keeps_the_last_good_list_and_its_polls(tmp_path, app):
    file = tmp_path / "watchlist.toml"

    async def scenario(engine, listener, workspace):
        good = file.read_text()
        file.write_text(good + "\n[[job]\n")
        await asyncio.sleep(2)
        assert [str(file) in trouble and "line" in trouble for trouble in listener.last_problems] == [True]
        before = len(app.requests)
        await asyncio.sleep(MINUTE)
        assert len(app.requests) > before
        assert list(engine.states) == [A]
        outcome = await engine.perform(Add((Job(account="heygen-v2", id="b"),)))
        assert not outcome.ok
        assert file.read_text() == good + "\n[[job]\n"
        file.write_text(good)
        await asyncio.sleep(2)
        assert listener.last_problems == ()

    played(tmp_path, app, scenario)


def test_a_watchlist_broken_at_the_start_is_retried_if_errors_are_tolerated(tmp_path, app):
    async def play():
        workspace = fixtures.make_workspace(tmp_path, "http://sim.test")
        file = tmp_path / "watchlist.toml"
        file.write_text("[[job")
        with pytest.raises(WatchlistError):
            await opened(workspace, app, RecordingListener()).open()
        listener = RecordingListener()
        engine = opened(workspace, app, listener)
        await engine.open(tolerate_errors=True)
        assert len(listener.last_problems) == 1
        task = asyncio.create_task(engine.run())
        file.write_text('[[job]]\naccount = "heygen-v2"\nid = "a"\n')
        await asyncio.sleep(20)
        assert (listener.last_problems, engine.states[A].phase) == ((), Phase.RUNNING)
        task.cancel()
        await asyncio.wait([task])
        workspace.close()

    run_virtual(play())


def test_commands_change_file_and_states_and_report_it(tmp_path, app):
    file = tmp_path / "watchlist.toml"

    async def scenario(engine, listener, workspace):
        before = file.read_text()
        added = await engine.perform(
            Add((Job(account="heygen-v2", id="b", label="Two"), Job(account="heygen-v2", id="a")))
        )
        assert added.message == "heygen-v2:b added, heygen-v2:a already on the watchlist"
        assert (await engine.perform(Set((B,), {"note": "soon"}))).message == "heygen-v2:b changed"
        assert engine.states[B].job.note == "soon"
        removed = await engine.perform(Remove((B,)))
        assert (removed.message, listener.orders[-1], file.read_text()) == ("heygen-v2:b removed", (A,), before)
        assert (await engine.perform(removed.undo)).message == "heygen-v2:b restored"
        assert engine.states[B].job.note == "soon"
        muted = await engine.perform(Set((A, B), {"muted": True, "note": "later"}))
        assert (await engine.perform(muted.undo)).message == "2 jobs changed"
        assert [(state.job.muted, state.job.note) for state in engine.states.values()] == [(False, ""), (False, "soon")]
        assert (await engine.perform(added.undo)).message == "heygen-v2:b removed"
        assert file.read_text() == before

    played(tmp_path, app, scenario)


def test_readonly_forbids_writing_the_watchlist_and_polling_continues(tmp_path, app):
    async def play():
        fixtures.make_workspace(tmp_path, "http://sim.test", {"heygen-v2": ("a",)})
        workspace = Workspace.open(fixtures.workspace_paths(tmp_path), {"KEY_HEYGEN_V2": "k" * 12}, readonly=True)
        listener = RecordingListener()
        async with fixtures.running_engine(opened(workspace, app, listener)) as engine:
            outcome = await engine.perform(Remove((A,)))
            assert (outcome.ok, "--readonly" in outcome.message) == (False, True)
            await asyncio.sleep(20)
            assert engine.states[A].phase is Phase.RUNNING
        workspace.close()

    run_virtual(play())


def test_a_response_for_a_removed_job_is_dropped(tmp_path):
    app = ScriptedService(lambda request: running(), delay=5)

    async def scenario(engine, listener, workspace):
        await engine.perform(fixtures.refresh(A))
        await asyncio.sleep(1)
        removed = await engine.perform(Remove((A,)))
        await asyncio.sleep(MINUTE)
        assert (list(engine.states), len(app.requests)) == ([], 1)
        await engine.perform(removed.undo)
        await asyncio.sleep(MINUTE)
        assert engine.states[A].phase is Phase.RUNNING

    played(tmp_path, app, scenario)


def test_a_job_removed_and_restored_during_its_poll_is_polled_by_one_worker(tmp_path):
    app = ScriptedService(lambda request: running(), delay=5)

    async def scenario(engine, listener, workspace):
        await engine.perform(fixtures.refresh(A))
        await asyncio.sleep(1)
        removed = await engine.perform(Remove((A,)))
        await engine.perform(removed.undo)
        await engine.perform(fixtures.refresh(A))
        await asyncio.sleep(20)
        assert engine.states[A].phase is Phase.RUNNING

    played(tmp_path, app, scenario, concurrency=4)
    assert app.max_in_flight == 1


def test_an_edited_label_changes_no_schedule(tmp_path, app):
    async def scenario(engine, listener, workspace):
        for minute in range(20):
            await engine.perform(Set((A,), {"label": f"L{minute}"}))
            await asyncio.sleep(3)

    async def still(engine, listener, workspace):
        await asyncio.sleep(MINUTE)

    played(tmp_path, app, scenario)
    edited, app.requests = len(app.requests), []
    (tmp_path / "watchlist.toml").unlink()
    for file in (tmp_path / "state").iterdir():
        file.unlink()
    played(tmp_path, app, still)
    assert edited == len(app.requests)


def test_a_changed_kind_polls_the_job_again(tmp_path):
    app = ScriptedService(lambda request: (404, {}, {}))
    ref = Ref("camb", "a")

    async def play():
        workspace = fixtures.make_workspace(tmp_path, "http://sim.test", {"camb": ("a",)})
        async with fixtures.running_engine(opened(workspace, app, RecordingListener())) as engine:
            await asyncio.sleep(5 * MINUTE)
            assert engine.states[ref].phase is Phase.MISSING
            app.respond = lambda request: (200, {"status": "PENDING"}, {})
            await engine.perform(Set((ref,), {"kind": "dub"}))
            await asyncio.sleep(20)
            assert engine.states[ref].phase is Phase.RUNNING
            await engine.perform(Set((ref,), {"kind": "nonsense"}))
            assert engine.states[ref].fault.kind is FaultKind.REFUSED
            assert engine.states[ref].next_poll_at is None
            await engine.perform(Set((ref,), {"kind": ""}))
            assert engine.states[ref].fault is None
        workspace.close()

    run_virtual(play())


def test_an_archived_job_is_not_polled_until_it_is_unarchived(tmp_path, app):
    async def scenario(engine, listener, workspace):
        await asyncio.sleep(MINUTE)
        await engine.perform(Set((A,), {"archived": True}))
        before = len(app.requests)
        await asyncio.sleep(10 * MINUTE)
        assert len(app.requests) == before
        await engine.perform(Set((A,), {"archived": False}))
        await asyncio.sleep(MINUTE)
        assert len(app.requests) > before

    played(tmp_path, app, scenario, tick=10.0)


def test_a_job_without_an_account_shows_the_remedy_and_is_not_polled(tmp_path, app):
    async def play():
        workspace = fixtures.make_workspace(
            tmp_path, "http://sim.test", {"heygn": ("a",), "camb": ("b",)}, accounts=("heygen-v2",)
        )
        async with fixtures.running_engine(opened(workspace, app, RecordingListener())) as engine:
            await asyncio.sleep(MINUTE)
            near, other = (engine.states[ref].fault for ref in (Ref("heygn", "a"), Ref("camb", "b")))
            assert "did you mean 'heygen-v2'" in near.message
            assert "[accounts.camb]" in other.message
            assert "restart" not in other.message, "a variable makes no account where others are configured"
        workspace.close()

    run_virtual(play())
    assert app.requests == []


# Several engines on one folder, and a journal that cannot be written.


def test_two_engines_share_states_and_record_a_change_once(tmp_path):
    ended = []
    app = ScriptedService(lambda request: done("https://cdn.test/1") if ended else running())

    async def play():
        ours = fixtures.make_workspace(tmp_path, "http://sim.test", {"heygen-v2": ("a",)})
        theirs = fixtures.make_workspace(tmp_path, "http://sim.test")
        ears = RecordingListener(), RecordingListener()
        first, second = opened(ours, app, ears[0], 1), opened(theirs, app, ears[1], 2)
        async with fixtures.running_engine(first), fixtures.running_engine(second):
            await asyncio.sleep(MINUTE)
            ended.append(True)
            await first.perform(fixtures.refresh(A))
            await asyncio.sleep(3)
            request = len(app.requests)
            assert second.states[A].phase is Phase.DONE
            await asyncio.sleep(2 * MINUTE)
            assert len(app.requests) == request
            assert [change.after for change in (await first.job_history(A)).phase_changes] == [
                Phase.RUNNING,
                Phase.DONE,
            ]
        for listener in ears:
            assert [notice.kind for notice in listener.notices] == [NoticeKind.DONE]
        ours.close()
        theirs.close()

    run_virtual(play())


def test_unwritable_entries_are_reported_and_written_later(tmp_path, app):
    async def scenario(engine, listener, workspace):
        held = sqlite3.connect(tmp_path / "state" / "journal.db", isolation_level=None)
        held.execute("BEGIN IMMEDIATE")
        await asyncio.sleep(8)
        assert len(listener.last_problems) == 1
        assert "journal" in listener.last_problems[0]
        assert engine.states[A].phase is Phase.RUNNING
        held.execute("ROLLBACK")
        held.close()
        await asyncio.sleep(6)
        assert listener.last_problems == ()
        assert [change.after for change in (await engine.job_history(A)).phase_changes] == [Phase.RUNNING]

    played(tmp_path, app, scenario)


def test_a_new_engine_starts_from_the_journalled_states(tmp_path):
    app = ScriptedService(lambda request: done("https://cdn.test/1"))

    async def first(engine, listener, workspace):
        await asyncio.sleep(MINUTE)

    async def second(engine, listener, workspace):
        assert engine.states[A].phase is Phase.DONE
        assert engine.states[A].links[0].first_seen < wall_time() + MINUTE
        await asyncio.sleep(MINUTE)

    played(tmp_path, app, first)
    played(tmp_path, app, second)
    assert len(app.requests) == 1


def test_check_polls_each_job_once_and_one_404_is_missing(tmp_path):
    app = ScriptedService(lambda request: (404, {}, {}) if request.id == "a" else running())

    async def play():
        workspace = fixtures.make_workspace(tmp_path, "http://sim.test", {"konpro": ("a", "b")})
        engine = opened(workspace, app, RecordingListener())
        await engine.open()
        await engine.poll_once(engine.states)
        assert [state.phase for state in engine.states.values()] == [Phase.MISSING, Phase.RUNNING]
        workspace.close()

    run_virtual(play())
    assert sorted(request.id for request in app.requests) == ["a", "b"]


def test_check_stops_with_a_refused_key(tmp_path):
    app = ScriptedService(lambda request: (401, {}, {}))

    async def play():
        workspace = fixtures.make_workspace(
            tmp_path, "http://sim.test", {"heygen-v2": tuple(map(str, range(50)))}, concurrency=4
        )
        engine = opened(workspace, app, RecordingListener())
        await engine.open()
        await engine.poll_once(engine.states)
        assert {state.fault.kind for state in engine.states.values()} == {FaultKind.REFUSED}
        workspace.close()

    run_virtual(play())
    assert len(app.requests) <= 4


def test_check_waits_a_minute_at_most_and_then_reports_the_limit(tmp_path):
    app = ScriptedService(lambda request: (429, {}, {"retry-after": "45" if request.id == "0" else "300"}))

    async def play():
        workspace = fixtures.make_workspace(
            tmp_path, "http://sim.test", {"heygen-v2": ("0", "1", "2", "3")}, concurrency=1
        )
        engine = opened(workspace, app, RecordingListener())
        await engine.open()
        began = wall_time()
        await engine.poll_once(engine.states)
        assert wall_time() - began < 50
        faults = [state.fault for state in engine.states.values()]
        assert [fault.kind for fault in faults] == [FaultKind.LIMITED] * 4
        assert ["no request sent" in fault.message for fault in faults] == [False, False, True, True]
        assert faults[3].retry_at >= wall_time() + 200
        workspace.close()

    run_virtual(play())
    assert [request.id for request in app.requests] == ["0", "1"]


def test_a_slow_rate_lets_every_job_be_polled_once(tmp_path):
    app = ScriptedService(lambda request: running(), delay=1)

    async def play():
        jobs = {"heygen-v2": tuple(map(str, range(12)))}
        workspace = fixtures.make_workspace(tmp_path, "http://sim.test", jobs, rate=2, concurrency=4)
        engine = opened(workspace, app, RecordingListener())
        await engine.open()
        await engine.poll_once(engine.states)
        assert [state.fault for state in engine.states.values()] == [None] * 12
        workspace.close()

    run_virtual(play())
    assert [request.id for request in app.requests] == list(map(str, range(12)))


def test_the_journal_is_private_to_the_operator(tmp_path, app):
    async def scenario(engine, listener, workspace):
        await asyncio.sleep(MINUTE)
        modes = {file.name: oct(file.stat().st_mode & 0o777) for file in (tmp_path / "state").iterdir()}
        assert set(modes.values()) == {"0o600"}, modes

    before = os.umask(0o022)
    try:
        played(tmp_path, app, scenario)
    finally:
        os.umask(before)


def test_only_a_job_off_the_watchlist_leaves_the_journal_after_ninety_days(tmp_path):
    app = ScriptedService(lambda request: done("https://cdn.test/a") if request.id == "a" else running())

    async def scenario(engine, listener, workspace):
        await asyncio.sleep(2 * HOUR)
        await engine.perform(Remove((B,)))
        await asyncio.sleep(89 * DAY)
        assert workspace.journal.states().keys() == {A, B}
        await asyncio.sleep(3 * DAY)
        assert workspace.journal.states().keys() == {A}

    played(tmp_path, app, scenario, jobs=("a", "b"), tick=HOUR)
