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
from tui.engine.api import AccountState, Command, Detail, Kind, Notice, Outcome, Progress, Stage, Update
from tui.engine.http.dns_loop import EngineLoop
from tui.storage.workspace import Library

if TYPE_CHECKING:
    from tui.engine.engine import Session
    from tui.engine.http.client import Transport

T = TypeVar("T")

WAKE_EVERY = 0.1
"""Seconds between two wake-ups of the front end."""
NOTICES = 1000
"""Notices that wait for a front end; the oldest go first."""
CLOSING = 3.0
"""Seconds that the engine has to end."""
BEAT = 1.0
"""Seconds between two heartbeats."""
PAUSES = (1.0, 30.0)
"""Seconds before a dead engine is started again: at first, doubling, and at most."""
LIVED = 60.0
"""Seconds after which an engine that dies is one that had been well: the pauses begin anew."""
CALM = 10.0
"""Seconds that an engine must have lived for its predecessor's end to be told no more."""

DOWN = "the engine is not running; it is being started"

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
        self._rung = False
        self._woken_at = -WAKE_EVERY
        self._notices: deque[Notice] = deque(maxlen=NOTICES)
        self._states: dict[Ref, JobState] = {}
        self._accounts: dict[str, AccountState] = {}
        self._downloads: dict[Ref, Progress] = {}
        self._under_way: set[Ref] = set()
        """Downloads that an engine which died leaves unfinished."""
        self._order: tuple[Ref, ...] | None = None
        self._removed: set[Ref] = set()
        self._listed: frozenset[Ref] = frozenset()
        self._role: str | None = None
        self._problems: tuple[str, ...] = ()
        self._troubled = False
        self._failure = ""

    def state(self, state: JobState) -> None:
        """A job's state is new."""
        with self._lock:
            self._states[state.job.ref] = state
        self._ring()

    def listed(self, order: tuple[Ref, ...]) -> None:
        """The watchlist holds these jobs."""
        with self._lock:
            self._order = order
            held = frozenset(order)
            self._removed = (self._removed | self._listed) - held
            self._listed = held
            self._states = {ref: state for ref, state in self._states.items() if ref in held}
        self._ring()

    def account(self, state: AccountState) -> None:
        """An account's state is new."""
        with self._lock:
            self._accounts[state.name] = state
        self._ring()

    def role(self, role: str) -> None:
        """Who polls is another."""
        with self._lock:
            self._role = role
        self._ring()

    def problems(self, problems: tuple[str, ...]) -> None:
        """What stands in the way now."""
        with self._lock:
            self._problems, self._troubled = problems, True
        self._ring()

    def fell(self, why: str) -> None:
        """The engine died, and with it whatever it said of problems and the wake-up that it may have owed."""
        with self._lock:
            self._failure, self._problems, self._troubled = why, (), True
            for ref in self._under_way:
                self._downloads[ref] = Progress(ref=ref, stage=Stage.FAILED, message="the engine stopped over it")
            self._under_way.clear()
            self._rung = True
        self._wake()

    def stands(self) -> None:
        """The engine has lived for a while since it died."""
        with self._lock:
            fell, self._failure = self._failure, ""
            self._troubled = self._troubled or bool(fell)
        if fell:
            self._ring()

    def download(self, progress: Progress) -> None:
        """A download has moved."""
        with self._lock:
            self._downloads[progress.ref] = progress
            going = progress.stage in {Stage.WAITING, Stage.FETCHING}
            (self._under_way.add if going else self._under_way.discard)(progress.ref)
        self._ring()

    def notice(self, notice: Notice) -> None:
        """Something worth a toast."""
        with self._lock:
            self._notices.append(notice)
        self._ring()

    def _ring(self) -> None:
        if self._rung:
            return
        self._rung = True
        loop = asyncio.get_running_loop()
        loop.call_later(max(0.0, self._woken_at + WAKE_EVERY - loop.time()), self._wake_now, loop)

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
                problems=((self._failure,) if self._failure else ()) + self._problems if self._troubled else None,
                notices=tuple(self._notices),
                downloads=self._downloads,
            )
            self._states, self._accounts, self._order, self._removed = {}, {}, None, set()
            self._downloads = {}
            self._role = None
            self._troubled = False
            self._notices.clear()
            self._rung = False
        return update


class EngineThread:
    """A Feed over a Session on its own thread. It is started anew when it dies, with a growing pause."""

    def __init__(
        self, library: Library, *, transport: "Transport | None" = None, pauses: tuple[float, float] = PAUSES
    ) -> None:
        """`library` is configuration and keys; the thread opens the journal for itself."""
        self._library = library
        self._transport = transport
        self._pauses = pauses
        self._outbox: Outbox | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: Session | None = None
        self._main: asyncio.Task[None] | None = None
        self._closing = threading.Event()
        self._beat_at = time.monotonic()
        self._crossing: dict[Future[Any], Any] = {}
        """What was asked of the engine and not answered yet, and what is to be said if it dies."""
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self, wake: Callable[[], None]) -> None:
        """Starts the engine; `wake` is called from its thread."""
        self._outbox = Outbox(wake)
        self._beat_at = time.monotonic()
        self._thread.start()

    def take(self) -> Update:
        """What has changed since the last call."""
        return self._outbox.take() if self._outbox else Update(states={})

    def send(self, command: Command) -> Future[Outcome]:
        """Has the engine do it. While it is down, or when it dies over it, the outcome says so."""
        return self._cross(lambda session: session.perform(command), Outcome(ok=False, message=DOWN))

    def look(self, ref: Ref) -> Future[Detail]:
        """What the journal holds of a job; nothing while the engine is down."""

        async def look(session: "Session") -> Detail:
            return session.look(ref)

        return self._cross(look, Detail(ref=ref))

    def recent(self, limit: int) -> Future[tuple[PhaseChange, ...]]:
        """The last phase changes of all jobs, newest first; none while the engine is down."""

        async def recent(session: "Session") -> tuple[PhaseChange, ...]:
            return session.recent(limit)

        return self._cross(recent, ())

    def _cross(self, do: Callable[["Session"], Coroutine[Any, Any, T]], down: T) -> Future[T]:
        future: Future[T] = Future()
        session, loop = self._session, self._loop
        self._crossing[future] = down
        future.add_done_callback(lambda done: self._crossing.pop(done, None))
        if session is None or loop is None:
            _resolve(future, down)
            return future
        try:
            loop.call_soon_threadsafe(lambda: loop.create_task(_answer(do, session, future)))
        except RuntimeError:  # the loop is closed by now
            _resolve(future, down)
        return future

    def silent_for(self) -> float:
        """Seconds since the engine's loop last turned."""
        return time.monotonic() - self._beat_at

    def close(self) -> None:
        """Ends the engine, within CLOSING seconds; the journal is closed by it."""
        self._closing.set()
        loop, main = self._loop, self._main
        if loop is not None and main is not None:
            with suppress(RuntimeError):  # it has ended by itself
                loop.call_soon_threadsafe(main.cancel)
        if self._thread.is_alive():
            self._thread.join(CLOSING)

    def _run(self) -> None:
        assert self._outbox is not None, "started"
        pause, most = self._pauses
        while not self._closing.is_set():
            began = time.monotonic()
            try:
                with asyncio.Runner(loop_factory=EngineLoop) as runner:
                    runner.run(self._live(self._outbox))
            except asyncio.CancelledError:
                return
            except Exception as error:
                log.exception("the engine stopped")
                self._outbox.fell(f"the engine stopped and is started again: {_reason(error)}")
            finally:
                for future, down in list(self._crossing.items()):
                    _resolve(future, down)
            if time.monotonic() - began > LIVED:
                pause = self._pauses[0]
            self._closing.wait(pause)
            pause = min(most, pause * 2)

    async def _live(self, outbox: Outbox) -> None:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        if self._closing.is_set():  # `close` came before there was anything to cancel
            return
        from tui.engine.engine import Session  # httpx comes with it: 140 ms, after the first frame
        from tui.engine.notifications.hooks import calling

        library = self._library.again()

        def say(text: str) -> None:
            outbox.notice(Notice(Kind.HOOK, text, None, time.time()))

        try:
            async with calling(library, say) as hooks:
                session = Session(library, outbox, transport=self._transport, aside=asyncio.to_thread, hooks=hooks)
                session.open(patient=True)
                self._session = session
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._beats(outbox))
                    tasks.create_task(session.run())
        finally:
            self._session = None
            library.close()

    async def _beats(self, outbox: Outbox) -> None:
        began = time.monotonic()
        while True:
            self._beat_at = time.monotonic()
            await asyncio.sleep(BEAT)
            if self._beat_at - began > CALM:
                outbox.stands()


async def _answer(do: Callable[["Session"], Coroutine[Any, Any, T]], session: "Session", future: Future[T]) -> None:
    """Hands over what comes of it, an exception too. An engine that ends meanwhile leaves that to `_run`."""
    try:
        _resolve(future, await do(session))
    except Exception as error:
        log.exception("a command failed")
        if not future.done():
            future.set_exception(error)


def _resolve(future: Future[T], value: T) -> None:
    with suppress(InvalidStateError):
        future.set_result(value)


def _reason(error: BaseException) -> str:
    """What one of the errors in it says."""
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return f"{type(error).__name__}: {error}"
