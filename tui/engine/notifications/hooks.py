"""The operator's hooks: each is told what it wants to hear, in order, one thing at a time.

What there is to tell is decided in `alerts`. Nobody waits for a hook: each has a lane of its own, so that one that
hangs or fails keeps none of the others; a lane that grows too long loses its oldest, and says so. Programs run on a
few threads of their own.
"""

import asyncio
import hashlib
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from random import Random
from threading import Event

import msgspec

from tui.engine.notifications import delivery
from tui.engine.notifications.alert_monitor import TOGETHER, Occasion
from tui.engine.notifications.delivery import Poster, Told
from tui.presentation import json_output
from tui.presentation.queries import EvaluationContext
from tui.storage.config import secrets
from tui.storage.config.secrets import KeyFileStamp, Secret, SecretError, SecretSource
from tui.storage.config.settings import Hook
from tui.storage.workspace import Workspace

AT_ONCE = 4
"""Programs that run at the same time, of all hooks."""
QUEUE = 1000
"""Things that wait for one hook; the oldest go first."""
PAUSES = (1.0, 5.0, 25.0)
"""Seconds before an address is tried again, the second, third and last time; a third more or less."""
AFTER_MOST = 60.0
"""Seconds at most for which an address may send us away."""
SAY_AGAIN = 600.0
"""Seconds for which no more is said of a hook that fails: it is one notice, not one a job."""
NAMED = 20
"""Things that were not told, by their names in the log; of the others only how many."""
ENDING = 2.0
"""Seconds that hooks have at the end to be told what is still to be told."""

log = logging.getLogger(__name__)


def payload(occasion: Occasion, provider: Callable[[str], str | None], outlook: EvaluationContext) -> bytes:
    """What a hook is told, as JSON: a job's shape is that of the command line. `provider`: an account's, by name."""
    account, states = occasion.account, (*filter(None, [occasion.state]), *occasion.others)
    jobs = [json_output.job(state, provider(state.job.account), outlook) for state in states]
    return msgspec.json.encode(
        {
            "event": occasion.event,
            "delivery": delivery_id(occasion),
            "at": json_output.iso_or_none(occasion.at),
            "text": occasion.text,
            "job": jobs[0] if jobs else None,
            "jobs": jobs if occasion.event in TOGETHER else None,
            "change": None if occasion.change is None else json_output.phase_change(occasion.change),
            "account": None
            if account is None
            else {
                "name": account.name,
                "provider": account.provider,
                "health": account.health,
                "message": account.message,
            },
        }
    )


def delivery_id(occasion: Occasion) -> str:
    """Its name, by which a receiver knows it again: the same in every process, and when it is sent again."""
    return hashlib.sha256(occasion.key.encode()).hexdigest()[:32]


def _subject(occasion: Occasion) -> str:
    """It, for the log."""
    account = occasion.account.name if occasion.account is not None else ""
    more = f" and {len(occasion.others)} more" if occasion.others else ""
    return f"{occasion.event} {occasion.state.job.ref if occasion.state is not None else account}{more}"


class Hooks:
    """All hooks of one process. `call` takes what is to be told; `run` tells it, until it is cancelled."""

    def __init__(
        self, library: Workspace, said: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`said` is told what an operator should know of a hook. `clock`: seconds, from any thread."""
        self.clock = clock
        self._library = library
        self._over = Event()
        self._pool = ThreadPoolExecutor(AT_ONCE, "hook")
        self._lanes = [
            Lane(hook, f"hook {number} ({_called(hook)})", said, self)
            for number, hook in enumerate(library.settings.hooks, 1)
        ]

    def call(self, occasion: Occasion) -> None:
        """Puts it where the hooks that want it will be told. It never waits."""
        for lane in self._lanes:
            if occasion.event in lane.hook.on:
                lane.put(occasion)

    def payload(self, occasion: Occasion) -> bytes:
        """What the hooks are told of it, as things are now."""
        return payload(occasion, self._library.provider_of, self._library.evaluation_context(time.time()))

    async def run(self) -> None:
        """Tells, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for lane in self._lanes:
                tasks.create_task(lane.run())

    async def run_program(self, command: tuple[str, ...], body: bytes, patience: float) -> Told:
        """Runs it on one of the threads, for `patience` seconds at most."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._pool, delivery.run, command, body, patience, self._over, self.clock)

    async def fetch(self, source: SecretSource) -> Secret:
        """The secret, fetched now on one of the threads. Raises SecretError."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._library.fetch_secret, source)

    async def finish(self, patience: float) -> None:
        """Waits for what is still to be told, for so many seconds at most."""
        async with asyncio.timeout(patience):
            for lane in self._lanes:
                await lane.idle.wait()

    async def close(self) -> None:
        """Ends what runs. What was not told is counted in the log."""
        self._over.set()
        for lane in self._lanes:
            await lane.close()
        self._pool.shutdown(wait=True, cancel_futures=True)  # each looks at `over` twenty times a second


class Lane:
    """One hook and what waits for it."""

    def __init__(self, hook: Hook, name: str, said: Callable[[str], None], ways: Hooks) -> None:
        self.hook = hook
        self.idle = asyncio.Event()
        """Nothing waits, and nothing is being told."""
        self.idle.set()
        self._name = name
        self._said = said
        self._ways = ways
        self._queue: deque[Occasion] = deque()
        self._telling: Occasion | None = None
        self._news = asyncio.Event()
        self._poster = Poster(hook.url, hook.timeout) if hook.url is not None else None
        self._secret: tuple[KeyFileStamp | None, Secret] | None = None
        self._random = Random()
        self._failures = 0
        self._dropped = 0
        self._said_at: float | None = None
        """Instant of `clock` at which a person was last told that something is wrong with it."""

    def put(self, occasion: Occasion) -> None:
        """One more, at the end; if that is one too many, the oldest is lost."""
        if len(self._queue) == QUEUE:
            self._queue.popleft()
            self._dropped += 1
            self._complain(f"is too slow: {QUEUE} wait for it, and the oldest are dropped")
        self._queue.append(occasion)
        self.idle.clear()
        self._news.set()

    async def run(self) -> None:
        """Tells one after the other. No error of a hook ends it."""
        while True:
            while self._queue:
                occasion = self._telling = self._queue.popleft()
                try:
                    self._judge(occasion, await self._tell(occasion))
                except Exception as error:
                    log.exception("%s", self._name)
                    self._complain(f"could not be told: {type(error).__name__}")
                self._telling = None
            self.idle.set()
            self._news.clear()
            await self._news.wait()

    async def _tell(self, occasion: Occasion) -> Told:
        body = self._ways.payload(occasion)
        if self._poster is None:
            assert self.hook.run is not None, "it has one of the two"
            return await self._ways.run_program(self.hook.run, body, self.hook.timeout)
        told = await self._post(self._poster, body, delivery_id(occasion))
        for pause in PAUSES:
            if not told.again:
                break
            await asyncio.sleep(max(pause * self._random.uniform(0.67, 1.33), min(told.after, AFTER_MOST)))
            told = await self._post(self._poster, body, delivery_id(occasion))
        return told

    async def _post(self, poster: Poster, body: bytes, name: str) -> Told:
        try:
            secret = await self._signer(self.hook.secret) if self.hook.secret is not None else None
        except SecretError as error:
            return Told(f"has no secret to sign with: {error}")
        return await poster.post(body, name, secret, time.time())

    async def _signer(self, source: SecretSource) -> Secret:
        """The secret; a file's is read again when it has changed. Raises SecretError."""
        stamp = secrets.key_file_stamp(source)
        if self._secret is None or self._secret[0] != stamp:
            self._secret = (stamp, await self._ways.fetch(source))
        return self._secret[1]

    def _judge(self, occasion: Occasion, told: Told) -> None:
        """Logs what came of it, and says what a person must know."""
        for line in told.said:
            log.info("%s: %s", self._name, line)
        if not told.problem:
            log.info("%s was told: %s", self._name, _subject(occasion))
            return
        log.warning("%s %s; it was to be told: %s", self._name, told.problem, _subject(occasion))
        self._failures += 1
        self._complain(told.problem + (f": {told.said[-1]}" if told.said else ""))

    def _complain(self, problem: str) -> None:
        """A notice, unless there was one lately."""
        now = self._ways.clock()
        if self._said_at is not None and now - self._said_at < SAY_AGAIN:
            return
        counts = {"failed": self._failures, "dropped": self._dropped}
        since = ", ".join(f"{count} {what}" for what, count in counts.items() if count > 1)
        self._failures = self._dropped = 0
        self._said_at = now
        self._said(f"{self._name} {problem}{f' ({since} since the last word of it)' if since else ''}")

    async def close(self) -> None:
        """What still waits is not told any more."""
        if self._dropped:
            log.warning("%s was too slow for %d things more, which were dropped", self._name, self._dropped)
        untold = [*filter(None, [self._telling]), *self._queue]
        if untold:
            named = ", ".join(map(_subject, untold[:NAMED]))
            log.warning("%s was not told %d things, since babeltop ended: %s", self._name, len(untold), named)
        if self._poster is not None:
            await self._poster.close()


def _called(hook: Hook) -> str:
    """What a person knows it by: neither arguments nor an address, which may hold a secret."""
    return hook.run[0] if hook.run is not None else hook.url.host if hook.url is not None else ""


@asynccontextmanager
async def calling(
    library: Workspace, said: Callable[[str], None], ending: float = ENDING
) -> AsyncGenerator[Callable[[Occasion], None] | None]:
    """The way to the operator's hooks, for a Session; None: there are none, or `--readonly` forbids them.

    `said` is told what an operator should know of a hook. At the end hooks have `ending` seconds for what is left.
    """
    if library.readonly or not library.settings.hooks:
        yield None
        return
    hooks = Hooks(library, said)
    running = asyncio.create_task(hooks.run())
    try:
        yield hooks.call
    except BaseException:
        ending = min(ending, ENDING)  # a person, or an error, ends it: nobody waits for hooks then
        raise
    finally:
        try:
            with suppress(TimeoutError):
                await hooks.finish(ending)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await hooks.close()
