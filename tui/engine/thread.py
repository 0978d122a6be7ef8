"""Runs one Session on a thread and loop of its own. All that crosses between engine and front end crosses here.

A terminal that stops reading blocks the front end's loop within seconds; the engine must not notice.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from tui.domain.board import JobState
from tui.domain.jobs import Ref
from tui.engine.client import Transport
from tui.engine.feed import AccountState, Command, Detail, Notice, Outcome, Update
from tui.engine.session import Session
from tui.stores.library import Library

T = TypeVar("T")

WAKE_EVERY = 0.1
"""Seconds between two wake-ups of the front end."""
NOTICES = 1000
"""Notices that wait for a front end; the oldest go first."""
CLOSING = 3.0
"""Seconds that the engine has to end."""
BEAT = 1.0
"""Seconds between two heartbeats."""

DOWN = "the engine is not running; it is being started again"

log = logging.getLogger(__name__)


class Outbox:
    """What the front end has not taken yet: states conflated by ref, notices queued.

    The engine's loop puts in, the front end's thread takes out. The front end is woken when the outbox turns
    non-empty, and not again within WAKE_EVERY.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._wake = wake
        self._rung = False
        self._woken_at = -WAKE_EVERY
        self._notices: deque[Notice] = deque(maxlen=NOTICES)
        self._states: dict[Ref, JobState] = {}
        self._accounts: dict[str, AccountState] = {}
        self._order: tuple[Ref, ...] | None = None
        self._problems: tuple[str, ...] | None = None

    def state(self, state: JobState) -> None:
        """A job's state is new."""
        with self._lock:
            self._states[state.job.ref] = state
        self._ring()

    def listed(self, order: tuple[Ref, ...]) -> None:
        """The watchlist holds these jobs."""
        with self._lock:
            self._order = order
            held = set(order)
            self._states = {ref: state for ref, state in self._states.items() if ref in held}
        self._ring()

    def account(self, state: AccountState) -> None:
        """An account's state is new."""
        with self._lock:
            self._accounts[state.name] = state
        self._ring()

    def problems(self, problems: tuple[str, ...]) -> None:
        """What stands in the way now."""
        with self._lock:
            self._problems = problems
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
                problems=self._problems,
                notices=tuple(self._notices),
            )
            self._states, self._accounts, self._order, self._problems = {}, {}, None, None
            self._notices.clear()
            self._rung = False
        return update


class EngineThread:
    """A Feed over a Session on its own thread. It is started anew when it dies, with a growing pause."""

    def __init__(self, library: Library, *, transport: Transport | None = None) -> None:
        """`library` is configuration and keys; the thread opens the journal for itself."""
        self._library = library
        self._transport = transport
        self._outbox: Outbox | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: Session | None = None
        self._main: asyncio.Task[None] | None = None
        self._ready = threading.Event()
        self._closing = threading.Event()
        self._beat_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self, wake: Callable[[], None]) -> None:
        """Starts the engine; `wake` is called from its thread."""
        self._outbox = Outbox(wake)
        self._thread.start()

    def take(self) -> Update:
        """What has changed since the last call."""
        return self._outbox.take() if self._outbox else Update(states={})

    def send(self, command: Command) -> Future[Outcome]:
        """Has the engine do it. While it is down, the outcome says so."""
        return self._cross(lambda session: session.perform(command), Outcome(ok=False, message=DOWN))

    def look(self, ref: Ref) -> Future[Detail]:
        """What the journal holds of a job; nothing while the engine is down."""

        async def look(session: Session) -> Detail:
            return session.look(ref)

        return self._cross(look, Detail(ref=ref))

    def _cross(self, do: Callable[[Session], Coroutine[Any, Any, T]], down: T) -> Future[T]:
        session, loop = self._session, self._loop
        if session is None or loop is None or loop.is_closed():
            future: Future[T] = Future()
            future.set_result(down)
            return future
        return asyncio.run_coroutine_threadsafe(do(session), loop)

    def silent_for(self) -> float:
        """Seconds since the engine's loop last turned."""
        return time.monotonic() - self._beat_at

    def close(self) -> None:
        """Ends the engine, within CLOSING seconds; the journal is closed by it."""
        self._closing.set()
        loop, main = self._loop, self._main
        if loop is not None and main is not None and not loop.is_closed():
            loop.call_soon_threadsafe(main.cancel)
        if self._thread.is_alive():
            self._thread.join(CLOSING)

    def _run(self) -> None:
        pause = 1.0
        while not self._closing.is_set():
            try:
                asyncio.run(self._live())
            except asyncio.CancelledError:
                return
            except Exception as error:
                log.exception("the engine stopped")
                self._failed = f"the engine stopped ({type(error).__name__}: {error}); started again"
            self._closing.wait(pause)
            pause = min(30.0, pause * 2)

    async def _live(self) -> None:
        assert self._outbox is not None, "started"
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        library = self._library.again()
        try:
            session = Session(library, self._outbox, transport=self._transport)
            session.open()
            self._session = session
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beats())
                tasks.create_task(session.run())
        finally:
            self._session = None
            library.close()

    async def _beats(self) -> None:
        while True:
            self._beat_at = time.monotonic()
            await asyncio.sleep(BEAT)
