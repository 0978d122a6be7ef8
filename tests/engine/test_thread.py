"""Thread and outbox of the engine, over real HTTP: updates, commands, wake-ups, restarts and closing."""

import asyncio
import sqlite3
import threading
from datetime import UTC
from itertools import pairwise

import pytest

from tests.support import fixtures
from tests.support.servers import serve_app, serve_raw, silence
from tests.support.team_database import REMOVING, further
from tests.support.virtual_time import run_virtual
from tests.support.waiting import DEADLINE, wait_until
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Ref
from tui.engine.api import DownloadProgress, DownloadStage, Notice, NoticeKind, ProblemsChanged, Resume, WatchlistOrder
from tui.engine.outbox import MAX_NOTICES, WAKE_INTERVAL, Outbox
from tui.engine.thread import EngineThread
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.storage.journal.journal import Journal
from tui.storage.team.administration import migrate
from tui.storage.watchlist.operations import Add, Remove

A = Ref("heygen", "a-fine")


class Front:
    """Front end that takes an update at each wake-up and merges it."""

    def __init__(self, feed):
        self.feed = feed
        self.states, self.order, self.problems, self.accounts = {}, (), (), {}
        self.end_reason = ""
        self._woken = threading.Event()

    def wake(self):
        self._woken.set()

    def until(self, holds):
        """Take an update at every wake-up."""
        while not holds(self):
            assert self._woken.wait(DEADLINE), "not woken"
            self._woken.clear()
            update = self.feed.take_update()
            self.states |= update.states
            self.order = self.order if update.order is None else update.order
            self.problems = self.problems if update.problems is None else update.problems
            self.accounts |= update.accounts or {}
            self.end_reason = update.end_reason


def started(tmp_path, base, jobs=("a-fine",), **settings):
    feed = EngineThread(fixtures.make_workspace(tmp_path, base, {"heygen": jobs}), **settings)
    front = Front(feed)
    feed.start(front.wake)
    return feed, front


def engine_threads():
    return [thread for thread in threading.enumerate() if thread.name == "engine"]


@pytest.fixture(scope="module")
def simulator():
    with serve_app(Simulator(scenarios=[Scenario("a-fine", started_at=0.0)])) as base:
        yield base


def test_states_and_command_results_reach_the_front_end(tmp_path, simulator):
    feed, front = started(tmp_path, simulator)
    try:
        front.until(lambda front: front.order == (A,))
        assert feed.send(fixtures.refresh(A)).result(DEADLINE).message == "Refreshing 1 job"
        front.until(lambda front: front.states[A].phase is Phase.DONE)
        assert front.accounts["heygen"].request_count == 1
        assert b'"completed"' in feed.job_history(A).result(DEADLINE).body
        fleet = feed.fleet(UTC).result(DEADLINE)
        assert (fleet.kinds["heygen", ""].done_per_hour[-1], fleet.accounts["heygen"].day_count) == (1, 1)
        assert feed.send(Add((Job(account="heygen", id="b"),))).result(DEADLINE).message == "heygen:b added"
        front.until(lambda front: front.order == (A, Ref("heygen", "b")))
        assert feed.send(Remove((A,))).result(DEADLINE).undo
        front.until(lambda front: front.order == (Ref("heygen", "b"),))
        silent = feed.silent_for()
        wait_until(lambda: feed.silent_for() < silent)  # the engine's heart has beaten
    finally:
        feed.close()


def test_a_slow_key_command_delays_neither_polls_nor_other_commands(tmp_path, simulator):
    slow = tmp_path / "slow"
    program = f"while [ -e {slow} ]; do sleep 0.05; done; echo {fixtures.KEY}"
    config = f'[accounts.flixu]\nbase_url = "{simulator}"\napi_key = {{ command = ["sh", "-c", "{program}"] }}\n'
    workspace = fixtures.make_workspace(
        tmp_path, simulator, {"heygen": ("a-fine",)}, accounts=("heygen",), config=config
    )
    workspace.keys.fetch_all()
    feed = EngineThread(workspace)
    front = Front(feed)
    feed.start(front.wake)
    try:
        front.until(lambda front: front.order == (A,))
        slow.touch()
        resumed = feed.send(Resume("flixu"))
        assert feed.send(fixtures.refresh(A)).result(DEADLINE).ok
        front.until(lambda front: front.states[A].phase is Phase.DONE)
        assert not resumed.done()
        slow.unlink()
        assert resumed.result(DEADLINE).message == "Account flixu resumed"
    finally:
        feed.close()


def test_closing_during_a_poll_leaves_the_journal_complete(tmp_path):
    request = threading.Event()

    async def never_answered(writer):
        request.set()
        await silence(writer)

    with serve_raw(never_answered) as never:
        feed, front = started(tmp_path, never)
        front.until(lambda front: front.order == (A,))
        feed.send(fixtures.refresh(A)).result(DEADLINE)
        assert request.wait(DEADLINE)
        feed.close()
        wait_until(lambda: not engine_threads())
    assert not (tmp_path / "state" / "journal.db-wal").exists(), "closed: the log is merged"
    journal = Journal(tmp_path / "state" / "journal.db")
    assert journal.requests(A, 1) == (), "its end did not wait for the end of the poll"
    journal.close()
    assert feed.send(fixtures.refresh(A)).result(DEADLINE).ok is False
    assert feed.job_history(A).result(DEADLINE).body is None


def test_closing_right_after_the_start_ends_the_thread(tmp_path, simulator):
    for number in range(5):
        folder = tmp_path / str(number)
        folder.mkdir()
        feed, _ = started(folder, simulator)
        feed.close()
        wait_until(lambda: not engine_threads())


def test_closing_without_a_start_is_allowed(tmp_path):
    feed = EngineThread(fixtures.make_workspace(tmp_path, "http://127.0.0.1:9"))
    feed.close()
    assert not engine_threads()
    assert feed.send(fixtures.refresh(A)).result(DEADLINE).ok is False


def test_a_stopped_engine_is_reported_and_restarted(tmp_path, simulator):
    state = tmp_path / "state"
    state.mkdir()
    newer = sqlite3.connect(state / "journal.db")
    newer.execute("PRAGMA user_version=99")
    newer.close()
    feed, front = started(tmp_path, simulator, restart_delays=(0.1, 0.2))
    try:
        front.until(lambda front: front.problems)
        assert "Engine stopped, restarting" in front.problems[0]
        assert "Update babeltop" in front.problems[0]
        assert "journal.db" in front.problems[0]
        assert feed.send(fixtures.refresh(A)).result(DEADLINE).ok is False
        (state / "journal.db").rename(state / "aside")
        front.until(lambda front: front.order == (A,))
        assert feed.send(fixtures.refresh(A)).result(DEADLINE).ok
        front.until(lambda front: front.states[A].phase is Phase.DONE)
        assert len(front.problems) == 1
    finally:
        feed.close()


def test_an_engine_of_an_outdated_program_is_not_restarted(tmp_path, team):
    asyncio.run(migrate(team, further(REMOVING)))
    config = f'[team]\ndatabase = "{team}"\n'
    feed = EngineThread(
        fixtures.make_workspace(tmp_path, "http://127.0.0.1:9", {}, config=config, accounts=("heygen",))
    )
    front = Front(feed)
    feed.start(front.wake)
    front.until(lambda front: front.end_reason)
    assert "update babeltop" in front.end_reason
    wait_until(lambda: not engine_threads())


def test_a_broken_watchlist_at_the_start_is_a_problem_and_stops_no_engine(tmp_path, simulator):
    workspace = fixtures.make_workspace(tmp_path, simulator)
    (tmp_path / "watchlist.toml").write_text("[[job")
    feed = EngineThread(workspace)
    front = Front(feed)
    feed.start(front.wake)
    try:
        front.until(lambda front: front.problems)
        assert "line" in front.problems[0]
        (tmp_path / "watchlist.toml").write_text('[[job]]\naccount = "heygen"\nid = "a-fine"\n')
        front.until(lambda front: front.order == (A,))
        front.until(lambda front: not front.problems)
    finally:
        feed.close()


def test_a_closed_engine_has_journalled_its_states(tmp_path, simulator):
    feed, front = started(tmp_path, simulator)
    front.until(lambda front: front.order == (A,))
    feed.send(fixtures.refresh(A)).result(DEADLINE)
    front.until(lambda front: front.states[A].phase is Phase.DONE)
    feed.close()
    journal = Journal(tmp_path / "state" / "journal.db")
    assert journal.states()[A].phase is Phase.DONE
    journal.close()


def test_pending_calls_of_a_stopping_engine_are_resolved(tmp_path, simulator):
    feed, front = started(tmp_path, simulator)
    front.until(lambda front: front.order == (A,))
    request = []
    asker = threading.Thread(target=lambda: request.extend(feed.job_history(A) for _ in range(3000)))
    asker.start()
    feed.close()
    asker.join()
    assert {future.result(DEADLINE).ref for future in request} == {A}


# The outbox alone.


def states(count):
    return [JobState(job=Job(account="heygen", id=str(number))) for number in range(count)]


async def test_states_are_conflated_by_ref_and_the_newest_is_taken():
    outbox = Outbox(lambda: None)
    for polls in range(1000):
        outbox.publish(JobState(job=Job(account="heygen", id="a"), poll_count=polls))
    assert [state.poll_count for state in outbox.take().states.values()] == [999]
    assert not outbox.take().states


async def test_many_states_are_taken_in_slices_with_the_newest_of_each_job_and_an_order_takes_all():
    outbox = Outbox(lambda: None)
    given = states(5)
    for state in given:
        outbox.publish(state)
    outbox.publish(Notice(NoticeKind.DONE, "a notice", None, 0.0))
    first = outbox.take(2)
    assert (list(first.states.values()), first.has_more, len(first.notices)) == (given[:2], True, 1)
    newer = [JobState(job=state.job, poll_count=9) for state in given[1:3]]
    for state in newer:
        outbox.publish(state)
    second, third = outbox.take(2), outbox.take(2)
    assert (list(second.states.values()), second.has_more) == ([newer[1], given[3]], True)
    assert (list(third.states.values()), third.has_more) == ([given[4], newer[0]], False)
    for state in given:
        outbox.publish(state)
    outbox.publish(WatchlistOrder(tuple(state.job.ref for state in given)))
    whole = outbox.take(2)
    assert (list(whole.states.values()), whole.has_more) == (given, False)
    assert not outbox.take(2).states


async def test_notices_are_never_conflated_and_the_oldest_are_dropped():
    outbox = Outbox(lambda: None)
    for number in range(MAX_NOTICES + 5):
        outbox.publish(Notice(NoticeKind.DONE, str(number), None, 0.0))
    taken = [notice.text for notice in outbox.take().notices]
    assert taken == [str(number) for number in range(5, MAX_NOTICES + 5)]
    assert outbox.take().notices == ()


def test_the_front_end_is_woken_once_until_it_takes_and_at_most_ten_times_a_second():
    async def play():
        now = asyncio.get_running_loop().time
        wakes = []
        outbox = Outbox(lambda: wakes.append(now()))
        for state in states(60):
            outbox.publish(state)
            await asyncio.sleep(0.01)
        assert wakes == [0.0], "no front end has taken"
        while len(wakes) < 6:
            outbox.take()
            taken = len(wakes)
            while len(wakes) == taken:
                outbox.publish(states(1)[0])
                await asyncio.sleep(0.002)
        assert [later - earlier for earlier, later in pairwise(wakes[1:])] == [pytest.approx(WAKE_INTERVAL)] * 4

    run_virtual(play())


def test_the_front_end_is_not_woken_while_it_takes_slices():
    wakes = []
    outbox = Outbox(lambda: wakes.append(1))

    async def play():
        for state in states(5):
            outbox.publish(state)
        await asyncio.sleep(WAKE_INTERVAL)
        assert outbox.take(4).has_more
        outbox.publish(states(1)[0])
        await asyncio.sleep(2 * WAKE_INTERVAL)
        assert len(wakes) == 1
        assert not outbox.take(4).has_more
        outbox.publish(states(1)[0])
        await asyncio.sleep(2 * WAKE_INTERVAL)
        assert len(wakes) == 2

    run_virtual(play())


async def test_removed_jobs_are_reported_without_their_states():
    outbox = Outbox(lambda: None)
    first, second = states(2)
    outbox.publish(WatchlistOrder((first.job.ref, second.job.ref)))
    outbox.publish(first)
    outbox.publish(second)
    outbox.publish(WatchlistOrder((second.job.ref,)))
    update = outbox.take()
    assert list(update.states) == [second.job.ref]
    assert (update.order, update.removed) == ((second.job.ref,), frozenset({first.job.ref}))
    assert outbox.take().removed == frozenset()


def test_a_wake_up_lost_with_its_loop_is_repeated():
    wakes = []
    outbox = Outbox(lambda: wakes.append(1))

    async def fails():
        outbox.publish(states(1)[0])
        await asyncio.sleep(0.02)
        outbox.take()
        outbox.publish(states(1)[0])
        raise RuntimeError("gone")

    async def lives():
        outbox.publish(states(1)[0])
        await asyncio.sleep(2 * WAKE_INTERVAL)

    with pytest.raises(RuntimeError):
        run_virtual(fails())
    assert len(wakes) == 1
    outbox.set_failure("the engine stopped")
    assert len(wakes) == 2
    update = outbox.take()
    assert (len(update.states), update.problems) == (1, ("the engine stopped",))
    run_virtual(lives())
    assert len(wakes) == 3


def test_a_failure_precedes_the_other_problems_until_the_engine_runs_again():
    async def play():
        wakes = []
        outbox = Outbox(lambda: wakes.append(1))
        outbox.set_failure("the engine stopped")
        outbox.publish(ProblemsChanged(("the watchlist",)))
        await asyncio.sleep(0.02)
        assert len(wakes) == 1, "it was woken and has not taken"
        outbox.set_failure("the engine stopped")
        assert outbox.take().problems == ("the engine stopped",)
        outbox.publish(ProblemsChanged(("the journal",)))
        assert outbox.take().problems == ("the engine stopped", "the journal")
        outbox.clear_failure()
        assert outbox.take().problems == ("the journal",)
        outbox.clear_failure()
        assert outbox.take().problems is None

    run_virtual(play())


async def test_a_download_of_a_stopped_engine_is_shown_as_failed():
    outbox = Outbox(lambda: None)
    for job, stage in (("a", DownloadStage.DOWNLOADING), ("b", DownloadStage.SAVED)):
        outbox.publish(DownloadProgress(ref=Ref("heygen", job), stage=stage))
    outbox.take()
    outbox.set_failure("the engine stopped")
    received = outbox.take().downloads
    assert {ref.id: progress.stage for ref, progress in received.items()} == {"a": DownloadStage.FAILED}
    outbox.set_failure("the engine stopped")
    assert not outbox.take().downloads
