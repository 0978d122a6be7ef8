"""Thread of the engine: runs one Engine on its own loop, restarts it, and passes commands and updates between threads.

A terminal that stops reading blocks the loop of the front end within seconds; the engine continues.
"""

import asyncio
import gc
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tui.domain.job_state import PhaseChange
from tui.domain.models import Ref
from tui.engine.api import Command, CommandResult, JobHistory, Notice, NoticeKind, Update
from tui.engine.outbox import Outbox
from tui.storage.journal.database import OutdatedProgramError
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    from tui.domain.fleet import FleetReport
    from tui.engine.engine import Engine
    from tui.engine.http.client import TransportFactory

T = TypeVar("T")

CLOSE_TIMEOUT = 3.0
"""Seconds that the engine has to stop."""
SLICE_STATES = 250
"""States that the front end takes and applies at once, in about two milliseconds: between slices, it handles keys."""
LOOP_HEARTBEAT_INTERVAL = 1.0
"""Seconds between two heartbeats of the engine's loop."""
RESTART_DELAYS = (1.0, 30.0)
"""Seconds before a stopped engine is restarted: the first delay, which doubles, and the longest."""
STABLE_AFTER = 60.0
"""Seconds of running after which the next restart delay is the first one again."""
FAILURE_SHOWN_FOR = 10.0
"""Seconds that the restarted engine runs before the failure of the previous one disappears."""

NOT_RUNNING = "the engine is not running; it is being restarted"

log = logging.getLogger(__name__)


class EngineThread:
    """EngineHandle over an Engine on its own thread. A stopped engine is restarted after a growing delay."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        transport: "TransportFactory | None" = None,
        restart_delays: tuple[float, float] = RESTART_DELAYS,
    ) -> None:
        """`workspace` gives configuration and keys; the thread opens its own journal."""
        self._workspace = workspace
        self._transport = transport
        self._restart_delays = restart_delays
        self._outbox = Outbox()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: Engine | None = None
        self._main_task: asyncio.Task[None] | None = None
        self._closing = threading.Event()
        self._heartbeat_at = time.monotonic()
        self._pending_calls: dict[Future[Any], Any] = {}
        """Results for the pending calls if the engine stops."""
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self, wake: Callable[[], object]) -> None:
        """Start the engine; `wake` is called on its thread."""
        self._outbox.wake = wake
        self._heartbeat_at = time.monotonic()
        self._thread.start()

    def send(self, command: Command) -> Future[CommandResult]:
        """Send a command. The result says so if the engine is not running, or stops before the command is done."""
        return self._call(lambda engine: engine.perform(command), CommandResult(ok=False, message=NOT_RUNNING))

    def job_history(self, ref: Ref) -> Future[JobHistory]:
        """Request the journal records of a job; empty if the engine is not running."""
        return self._call(lambda engine: engine.job_history(ref), JobHistory(ref=ref, is_read=False))

    def recent_changes(self, limit: int) -> Future[tuple[PhaseChange, ...]]:
        """Request the last phase changes of all jobs, newest first; empty if the engine is not running."""
        return self._call(lambda engine: engine.recent_changes(limit), ())

    def fleet(self, zone: tzinfo) -> "Future[FleetReport]":
        """Request the summary of all accounts; empty if the engine is not running."""
        from tui.domain.fleet import FleetReport  # not before the first frame

        return self._call(lambda engine: engine.fleet(zone), FleetReport())

    def take_update(self) -> Update:
        """Return the changes since the last call; of many states, the oldest ones."""
        return self._outbox.take(SLICE_STATES)

    def _call(self, call: Callable[["Engine"], Awaitable[T]], when_down: T) -> Future[T]:
        future: Future[T] = Future()
        engine, loop = self._engine, self._loop
        self._pending_calls[future] = when_down
        future.add_done_callback(lambda done: self._pending_calls.pop(done, None))
        if engine is None or loop is None:
            _resolve(future, when_down)
            return future
        try:
            loop.call_soon_threadsafe(lambda: loop.create_task(_complete_call(call, engine, future)))
        except RuntimeError:  # the loop is closed
            _resolve(future, when_down)
        return future

    def silent_for(self) -> float:
        """Return the seconds since the last heartbeat of the engine's loop."""
        return time.monotonic() - self._heartbeat_at

    def close(self) -> None:
        """Stop the engine, which closes its journal. Blocks for at most CLOSE_TIMEOUT seconds."""
        self._closing.set()
        loop, main_task = self._loop, self._main_task
        if loop is not None and main_task is not None:
            with suppress(RuntimeError):  # the loop is closed
                loop.call_soon_threadsafe(main_task.cancel)
        if self._thread.is_alive():
            self._thread.join(CLOSE_TIMEOUT)

    def _run(self) -> None:
        from tui.engine.http.dns_loop import DnsThreadedLoop  # after the first frame, as all that only an engine needs

        delay, longest = self._restart_delays
        while not self._closing.is_set():
            started_at = time.monotonic()
            try:
                with asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
                    runner.run(self._run_engine())
            except asyncio.CancelledError:
                return
            except Exception as error:
                log.exception("the engine stopped")
                first = _first_error(error)
                if isinstance(first, OutdatedProgramError):
                    self._outbox.end(str(first))
                    return
                self._outbox.set_failure(f"Engine stopped, restarting: {type(first).__name__}: {first}")
            finally:
                for future, when_down in list(self._pending_calls.items()):
                    _resolve(future, when_down)
            if time.monotonic() - started_at > STABLE_AFTER:
                delay = self._restart_delays[0]
            self._closing.wait(delay)
            delay = min(longest, delay * 2)

    async def _run_engine(self) -> None:
        self._loop, self._main_task = asyncio.get_running_loop(), asyncio.current_task()
        if self._closing.is_set():  # `close` found no task to cancel
            return
        from tui.engine.context import EngineContext  # imports httpx: 140 ms, after the first frame
        from tui.engine.engine import Engine
        from tui.engine.notifications.hooks import hook_dispatcher

        workspace = self._workspace.handover()

        def on_hook_problem(text: str) -> None:
            self._outbox.publish(Notice(NoticeKind.HOOK, text, None, workspace.wall()))

        try:
            async with hook_dispatcher(workspace, on_hook_problem) as hooks:
                context = EngineContext.create(
                    wall=workspace.wall, transport=self._transport, run_blocking=asyncio.to_thread
                )
                engine = Engine(workspace, self._outbox.publish, context, hooks=hooks)
                await engine.open(tolerate_errors=True)
                gc.freeze()  # a full collection, with 100,000 jobs, stops all threads for half a second
                self._engine = engine
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._heartbeat())
                    tasks.create_task(engine.run())
        finally:
            self._engine = None
            workspace.close()

    async def _heartbeat(self) -> None:
        started_at = time.monotonic()
        while True:
            self._heartbeat_at = time.monotonic()
            await asyncio.sleep(LOOP_HEARTBEAT_INTERVAL)
            if self._heartbeat_at - started_at > FAILURE_SHOWN_FOR:
                self._outbox.clear_failure()


async def _complete_call(call: Callable[["Engine"], Awaitable[T]], engine: "Engine", future: Future[T]) -> None:
    """Pass the result or the exception of a call to its future. If the engine stops first, `_run` resolves it."""
    try:
        _resolve(future, await call(engine))
    except Exception as error:
        log.exception("a command failed")
        if not future.done():
            future.set_exception(error)


def _resolve(future: Future[T], value: T) -> None:
    with suppress(InvalidStateError):
        future.set_result(value)


def _first_error(error: BaseException) -> BaseException:
    """Return the first error of a group."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error
