"""Tests of a large watchlist: it is read in a process of its own, and polling goes on meanwhile."""

import asyncio

import msgspec
from msgspec.structs import replace

from tests.support import fixtures
from tests.support.fixtures import RecordingListener, running_engine
from tests.support.servers import serve_app
from tests.support.waiting import until
from tui.domain.models import Job, Ref
from tui.engine import blocking
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.simulator.app import Simulator
from tui.storage.watchlist.cache import WatchlistCache
from tui.storage.watchlist.parser_process import LARGE_FILE, read_in_process

OLD, NEW = Ref("camb", "a-slow"), Ref("camb", "b-slow")
PADDING = "# " + "x" * LARGE_FILE + "\n"


async def test_polling_and_ticks_go_on_while_a_large_watchlist_is_read(tmp_path):
    simulator, may_read, began = Simulator(), asyncio.Event(), asyncio.Event()

    async def run_blocking(work):
        if began.is_set() or not is_written:
            return await asyncio.to_thread(work)
        began.set()
        await may_read.wait()
        return await asyncio.to_thread(work)

    is_written = False
    with serve_app(simulator) as url:
        workspace = fixtures.make_workspace(tmp_path, url, {"camb": (OLD.id,)}, accounts=("camb",))
        listener = RecordingListener()
        engine = Engine(workspace, listener.publish, EngineContext.create(run_blocking=run_blocking))
        async with running_engine(engine):
            await until(lambda: simulator.request_log)
            file = workspace.paths.watchlist_file
            text = file.read_text()
            is_written = True
            file.write_text(text + PADDING + text.replace(OLD.id, NEW.id))
            await until(began.is_set)
            before = len(simulator.request_log)
            for _ in range(3):
                count = len(simulator.request_log)
                await engine.perform(fixtures.refresh(OLD))
                await until(lambda count=count: len(simulator.request_log) > count)
            assert len(simulator.request_log) >= before + 3
            assert NEW not in engine.states
            may_read.set()
            await until(lambda: NEW in engine.states)
            file.write_text(PADDING + text + "[[job]\n")
            await until(lambda: any("line" in problem and str(file) in problem for problem in listener.last_problems))
            assert {OLD, NEW} <= engine.states.keys()
        workspace.close()


def test_a_process_returns_what_the_parser_returns_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tui").mkdir()
    (tmp_path / "tui" / "__init__.py").write_text("raise SystemExit('another program')")
    workspace = fixtures.make_workspace(tmp_path, "http://127.0.0.1:9", {"camb": ("a-é", "b", "c")}, accounts=("camb",))
    file = workspace.paths.watchlist_file
    file.write_text(file.read_text() + file.read_text())
    content = workspace.watchlist.read()
    assert len(content.problems) == 3
    parsed = read_in_process(file)
    assert tuple(job for part in parsed.jobs() for job in part) == content.jobs
    assert parsed.problems == content.problems
    stored = {name: bytes(value) for name, value in parsed.cache.items()}
    cache = WatchlistCache.from_content(file, workspace.watchlist.stamp(), content)
    assert stored == {name: msgspec.json.encode(value) for name, value in cache.to_ui_state().items()}


async def test_an_edit_of_one_job_of_a_large_watchlist_changes_and_publishes_that_job_only(tmp_path):
    workspace = fixtures.make_workspace(tmp_path, "http://127.0.0.1:9", {"camb": ("a", "b")}, accounts=("camb",))
    file, listener = workspace.paths.watchlist_file, RecordingListener()
    engine = Engine(workspace, listener.publish, EngineContext.create(run_blocking=asyncio.to_thread))
    await engine.open()
    first, second = engine.states.values()
    watcher = engine._watchlist_watcher
    listener.orders.clear()
    listener.states.clear()
    file.write_text(PADDING + file.read_text() + 'label = "edited"\n')
    while engine.states[second.job.ref].job.label != "edited":
        await watcher.check()
        await asyncio.sleep(0)
    assert engine.states[first.job.ref].job is first.job
    assert {state.job.ref for state in listener.states} == {second.job.ref}
    assert listener.orders == []
    workspace.close()


async def test_a_watchlist_that_is_read_again_adds_no_second_ref_of_a_job(tmp_path):
    workspace = fixtures.make_workspace(tmp_path, "http://127.0.0.1:9", {"camb": ("a", "b")}, accounts=("camb",))
    listener = RecordingListener()
    engine = Engine(workspace, listener.publish, EngineContext.create(run_blocking=blocking.run_inline))
    await engine.open()
    first, second = engine.states
    new = Job(account="camb", id="new")
    await engine._job_store.sync_watchlist(
        [new, *(replace(state.job, note="n") for state in engine.states.values())], {}
    )
    *_, (_, *known) = listener.orders
    assert known[0] is first
    assert known[1] is second
    workspace.close()


async def test_other_tasks_go_on_while_a_watchlist_is_applied(tmp_path, monkeypatch):
    monkeypatch.setattr(blocking, "TURN_SECONDS", 0.0)
    workspace = fixtures.make_workspace(tmp_path, "http://127.0.0.1:9", {"camb": ("a",)}, accounts=("camb",))
    engine = Engine(workspace, lambda _: None, EngineContext.create(run_blocking=blocking.run_inline))
    await engine.open()
    turns, jobs = 0, [Job(account="camb", id=f"new-{number}") for number in range(50)]

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    first = asyncio.create_task(engine._job_store.sync_watchlist(jobs, {}))
    last = asyncio.create_task(engine._job_store.sync_watchlist(jobs[::-1], {}))
    await asyncio.gather(first, last)
    counting.cancel()
    assert turns > 2 * len(jobs)
    assert list(engine.states) == [job.ref for job in jobs[::-1]]
    workspace.close()
