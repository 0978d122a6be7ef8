"""Runs one Session on a thread and loop of its own. All that crosses between engine and front end crosses here.

A terminal that stops reading blocks the front end's loop within seconds; the engine must not notice.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Ref
from tui.engine.api import (
    AccountState,
    Command,
    CommandResult,
    DownloadProgress,
    DownloadStage,
    JobHistory,
    Notice,
    NoticeKind,
    Update,
)
from tui.engine.http.dns_loop import DnsThreadedLoop
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    from tui.engine.engine import Engine
    from tui.engine.http.client import TransportFactory

T = TypeVar("T")

WAKE_INTERVAL = 0.1
"""Seconds between two wake-ups of the front end."""
MAX_NOTICES = 1000
"""Notices that wait for a front end; the oldest go first."""
CLOSE_TIMEOUT = 3.0
"""Seconds that the engine has to end."""
LOOP_HEARTBEAT_INTERVAL = 1.0
"""Seconds between two heartbeats."""
RESTART_DELAYS = (1.0, 30.0)
"""Seconds before a dead engine is started again: at first, doubling, and at most."""
STABLE_AFTER = 60.0
"""Seconds after which an engine that dies is one that had been well: the pauses begin anew."""
FAILURE_SHOWN_FOR = 10.0
"""Seconds that an engine must have lived for its predecessor's end to be told no more."""

NOT_RUNNING = "the engine is not running; it is being started"

log = logging.getLogger(__name__)


class Outbox:
    """What the front end has not taken yet: states conflated by ref, notices queued.

    The engine's loop puts in, the front end's thread takes out. The front end is woken when the outbox turns
    non-empty, and not again within WAKE_EVERY.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        """`wake` is called on the engine's thread."""
        self._lock = threading.Lock()
        self._wake = wake
        self._wake_scheduled = False
        self._woken_at = -WAKE_INTERVAL
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)
        self._states: dict[Ref, JobState] = {}
        self._accounts: dict[str, AccountState] = {}
        self._downloads: dict[Ref, DownloadProgress] = {}
        self._unfinished_downloads: set[Ref] = set()
        """Downloads that an engine which died leaves unfinished."""
        self._order: tuple[Ref, ...] | None = None
        self._removed: set[Ref] = set()
        self._listed_refs: frozenset[Ref] = frozenset()
        self._role: str | None = None
        self._problems: tuple[str, ...] = ()
        self._problems_changed = False
        self._failure = ""

    def state(self, state: JobState) -> None:
        """A job's state is new."""
        with self._lock:
            self._states[state.job.ref] = state
        self._schedule_wake()

    def listed(self, order: tuple[Ref, ...]) -> None:
        """The watchlist holds these jobs."""
        with self._lock:
            self._order = order
            held = frozenset(order)
            self._removed = (self._removed | self._listed_refs) - held
            self._listed_refs = held
            self._states = {ref: state for ref, state in self._states.items() if ref in held}
        self._schedule_wake()

    def account(self, state: AccountState) -> None:
        """An account's state is new."""
        with self._lock:
            self._accounts[state.name] = state
        self._schedule_wake()

    def role(self, role: str) -> None:
        """Who polls is another."""
        with self._lock:
            self._role = role
        self._schedule_wake()

    def problems(self, problems: tuple[str, ...]) -> None:
        """What stands in the way now."""
        with self._lock:
            self._problems, self._problems_changed = problems, True
        self._schedule_wake()

    def set_failure(self, failure: str) -> None:
        """The engine died, and with it whatever it said of problems and the wake-up that it may have owed."""
        with self._lock:
            self._failure, self._problems, self._problems_changed = failure, (), True
            for ref in self._unfinished_downloads:
                self._downloads[ref] = DownloadProgress(
                    ref=ref, stage=DownloadStage.FAILED, message="the engine stopped over it"
                )
            self._unfinished_downloads.clear()
            self._wake_scheduled = True
        self._wake()

    def clear_failure(self) -> None:
        """The engine has lived for a while since it died."""
        with self._lock:
            fell, self._failure = self._failure, ""
            self._problems_changed = self._problems_changed or bool(fell)
        if fell:
            self._schedule_wake()

    def download(self, progress: DownloadProgress) -> None:
        """A download has moved."""
        with self._lock:
            self._downloads[progress.ref] = progress
            going = progress.stage in {DownloadStage.WAITING, DownloadStage.DOWNLOADING}
            (self._unfinished_downloads.add if going else self._unfinished_downloads.discard)(progress.ref)
        self._schedule_wake()

    def notice(self, notice: Notice) -> None:
        """Something worth a toast."""
        with self._lock:
            self._notices.append(notice)
        self._schedule_wake()

    def _schedule_wake(self) -> None:
        if self._wake_scheduled:
            return
        self._wake_scheduled = True
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, self._woken_at + WAKE_INTERVAL - loop.time()), self._wake_now, loop)

    def _wake_now(self, loop: asyncio.AbstractEventLoop) -> None:
        self._woken_at = loop.time()
        self._wake()

    def take(self) -> Update:
        """Everything that is there; the outbox is empty afterwards."""
        with self._lock:
            update = Update(
                states=self._states,
                order=self._order,
                accounts=self._accounts,
                removed=frozenset(self._removed),
                role=self._role,
                problems=((self._failure,) if self._failure else ()) + self._problems
                if self._problems_changed
                else None,
                notices=tuple(self._notices),
                downloads=self._downloads,
            )
            self._states, self._accounts, self._order, self._removed = {}, {}, None, set()
            self._downloads = {}
            self._role = None
            self._problems_changed = False
            self._notices.clear()
            self._wake_scheduled = False
        return update


class EngineThread:
    """A Feed over a Session on its own thread. It is started anew when it dies, with a growing pause."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        transport: "TransportFactory | None" = None,
        restart_delays: tuple[float, float] = RESTART_DELAYS,
    ) -> None:
        """`library` is configuration and keys; the thread opens the journal for itself."""
        self._workspace = workspace
        self._transport = transport
        self._restart_delays = restart_delays
        self._outbox: Outbox | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: Engine | None = None
        self._main_task: asyncio.Task[None] | None = None
        self._closing = threading.Event()
        self._heartbeat_at = time.monotonic()
        self._pending_calls: dict[Future[Any], Any] = {}
        """What was asked of the engine and not answered yet, and what is to be said if it dies."""
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self, wake: Callable[[], None]) -> None:
        """Starts the engine; `wake` is called from its thread."""
        self._outbox = Outbox(wake)
        self._heartbeat_at = time.monotonic()
        self._thread.start()

    def take_update(self) -> Update:
        """What has changed since the last call."""
        return self._outbox.take() if self._outbox else Update(states={})

    def send(self, command: Command) -> Future[CommandResult]:
        """Has the engine do it. While it is down, or when it dies over it, the outcome says so."""
        return self._call(lambda session: session.perform(command), CommandResult(ok=False, message=NOT_RUNNING))

    def job_history(self, ref: Ref) -> Future[JobHistory]:
        """What the journal holds of a job; nothing while the engine is down."""

        async def look(session: "Engine") -> JobHistory:
            return session.job_history(ref)

        return self._call(look, JobHistory(ref=ref))

    def recent_changes(self, limit: int) -> Future[tuple[PhaseChange, ...]]:
        """The last phase changes of all jobs, newest first; none while the engine is down."""

        async def recent(session: "Engine") -> tuple[PhaseChange, ...]:
            return session.recent_changes(limit)

        return self._call(recent, ())

    def _call(self, call: Callable[["Engine"], Coroutine[Any, Any, T]], when_down: T) -> Future[T]:
        future: Future[T] = Future()
        session, loop = self._engine, self._loop
        self._pending_calls[future] = when_down
        future.add_done_callback(lambda done: self._pending_calls.pop(done, None))
        if session is None or loop is None:
            _resolve(future, when_down)
            return future
        try:
            loop.call_soon_threadsafe(lambda: loop.create_task(_complete_call(call, session, future)))
        except RuntimeError:  # the loop is closed by now
            _resolve(future, when_down)
        return future

    def silent_for(self) -> float:
        """Seconds since the engine's loop last turned."""
        return time.monotonic() - self._heartbeat_at

    def close(self) -> None:
        """Ends the engine, within CLOSING seconds; the journal is closed by it."""
        self._closing.set()
        loop, main = self._loop, self._main_task
        if loop is not None and main is not None:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(main.cancel)
        if self._thread.is_alive():
            self._thread.join(CLOSE_TIMEOUT)

    def _run(self) -> None:
        assert self._outbox is not None, "started"
        pause, most = self._restart_delays
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                with asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
                    runner.run(self._run_engine(self._outbox))
            except asyncio.CancelledError:
                return
            except Exception as error:
                log.exception("the engine stopped")
                self._outbox.set_failure(f"the engine stopped and is started again: {_error_text(error)}")
            finally:
                for future, down in list(self._pending_calls.items()):
                    _resolve(future, down)
            if time.monotonic() - began > STABLE_AFTER:
                pause = self._restart_delays[0]
            self._closing.wait(pause)
            pause = min(most, pause * 2)

    async def _run_engine(self, outbox: Outbox) -> None:
        self._loop, self._main_task = asyncio.get_running_loop(), asyncio.current_task()
        if self._closing.is_set():  # `close` came before there was anything to cancel
            return
        from tui.engine.engine import Engine  # httpx comes with it: 140 ms, after the first frame
        from tui.engine.notifications.hooks import hook_dispatcher

        library = self._workspace.handover()

        def say(text: str) -> None:
            outbox.notice(Notice(NoticeKind.HOOK, text, None, time.time()))

        try:
            async with hook_dispatcher(library, say) as hooks:
                session = Engine(
                    library, outbox, transport=self._transport, run_blocking=asyncio.to_thread, hooks=hooks
                )
                session.open(tolerate_errors=True)
                self._engine = session
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._heartbeat(outbox))
                    tasks.create_task(session.run())
        finally:
            self._engine = None
            library.close()

    async def _heartbeat(self, outbox: Outbox) -> None:
        began = time.monotonic()
        while True:
            self._heartbeat_at = time.monotonic()
            await asyncio.sleep(LOOP_HEARTBEAT_INTERVAL)
            if self._heartbeat_at - began > FAILURE_SHOWN_FOR:
                outbox.clear_failure()


async def _complete_call(
    call: Callable[["Engine"], Coroutine[Any, Any, T]], engine: "Engine", future: Future[T]
) -> None:
    """Hands over what comes of it, an exception too. An engine that ends meanwhile leaves that to `_run`."""
    try:
        _resolve(future, await call(engine))
    except Exception as error:
        log.exception("a command failed")
        if not future.done():
            future.set_exception(error)


def _resolve(future: Future[T], value: T) -> None:
    with suppress(InvalidStateError):
        future.set_result(value)


def _error_text(error: BaseException) -> str:
    """What one of the errors in it says."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {error}"
