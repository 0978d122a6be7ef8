"""Tests of a large watchlist: it is read in a process of its own, and polling goes on meanwhile."""

import asyncio

from tests.support import fixtures
from tests.support.fixtures import RecordingListener, running_engine
from tests.support.servers import serve_app
from tests.support.waiting import until
from tui.domain.models import Ref
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.simulator.app import Simulator
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
    assert read_in_process(file) == content
