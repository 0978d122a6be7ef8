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

from tui.domain.evaluation import EvaluationContext
from tui.engine.notifications import delivery
from tui.engine.notifications.alert_monitor import GROUPED_EVENTS, AlertEvent
from tui.engine.notifications.delivery import DeliveryResult, WebhookSender
from tui.presentation import json_output
from tui.storage.config import secrets
from tui.storage.config.secrets import KeyFileStamp, Secret, SecretError, SecretSource
from tui.storage.config.settings import Hook
from tui.storage.workspace import Workspace

MAX_PROGRAMS = 4
"""Programs that run at the same time, of all hooks."""
QUEUE_SIZE = 1000
"""Things that wait for one hook; the oldest go first."""
RETRY_PAUSES = (1.0, 5.0, 25.0)
"""Seconds before an address is tried again, the second, third and last time; a third more or less."""
LONGEST_RETRY_AFTER = 60.0
"""Seconds at most for which an address may send us away."""
PROBLEM_INTERVAL = 600.0
"""Seconds for which no more is said of a hook that fails: it is one notice, not one a job."""
MAX_LOGGED_EVENTS = 20
"""Things that were not told, by their names in the log; of the others only how many."""
SHUTDOWN_TIMEOUT = 2.0
"""Seconds that hooks have at the end to be told what is still to be told."""

log = logging.getLogger(__name__)


def payload(event: AlertEvent, provider_of: Callable[[str], str | None], context: EvaluationContext) -> bytes:
    """What a hook is told, as JSON: a job's shape is that of the command line. `provider`: an account's, by name."""
    account, states = event.account, (*filter(None, [event.state]), *event.other_states)
    jobs = [json_output.job(state, provider_of(state.job.account), context) for state in states]
    return msgspec.json.encode(
        {
            "event": event.event,
            "delivery": delivery_id(event),
            "at": json_output.iso_or_none(event.at),
            "text": event.text,
            "job": jobs[0] if jobs else None,
            "jobs": jobs if event.event in GROUPED_EVENTS else None,
            "change": None if event.change is None else json_output.phase_change(event.change),
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


def delivery_id(event: AlertEvent) -> str:
    """Its name, by which a receiver knows it again: the same in every process, and when it is sent again."""
    return hashlib.sha256(event.key.encode()).hexdigest()[:32]


def _describe(event: AlertEvent) -> str:
    """It, for the log."""
    account = event.account.name if event.account is not None else ""
    more = f" and {len(event.other_states)} more" if event.other_states else ""
    return f"{event.event} {event.state.job.ref if event.state is not None else account}{more}"


class HookDispatcher:
    """All hooks of one process. `call` takes what is to be told; `run` tells it, until it is cancelled."""

    def __init__(
        self, workspace: Workspace, on_problem: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`said` is told what an operator should know of a hook. `clock`: seconds, from any thread."""
        self.clock = clock
        self._workspace = workspace
        self._stop = Event()
        self._pool = ThreadPoolExecutor(MAX_PROGRAMS, "hook")
        self._queues = [
            HookQueue(hook, f"hook {number} ({_hook_name(hook)})", on_problem, self)
            for number, hook in enumerate(workspace.settings.hooks, 1)
        ]

    def dispatch(self, event: AlertEvent) -> None:
        """Puts it where the hooks that want it will be told. It never waits."""
        for queue in self._queues:
            if event.event in queue.hook.on:
                queue.put(event)

    def payload(self, event: AlertEvent) -> bytes:
        """What the hooks are told of it, as things are now."""
        return payload(event, self._workspace.provider_of, self._workspace.evaluation_context(time.time()))

    async def run(self) -> None:
        """Tells, until it is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for queue in self._queues:
                tasks.create_task(queue.run())

    async def run_program(self, command: tuple[str, ...], body: bytes, seconds: float) -> DeliveryResult:
        """Runs it on one of the threads, for `patience` seconds at most."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            self._pool, delivery.run_program, command, body, seconds, self._stop, self.clock
        )

    async def fetch_secret(self, source: SecretSource) -> Secret:
        """The secret, fetched now on one of the threads. Raises SecretError."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._workspace.fetch_secret, source)

    async def finish(self, seconds: float) -> None:
        """Waits for what is still to be told, for so many seconds at most."""
        async with asyncio.timeout(seconds):
            for queue in self._queues:
                await queue.idle.wait()

    async def close(self) -> None:
        """Ends what runs. What was not told is counted in the log."""
        self._stop.set()
        for queue in self._queues:
            await queue.close()
        self._pool.shutdown(wait=True, cancel_futures=True)  # each looks at `over` twenty times a second


class HookQueue:
    """One hook and what waits for it."""

    def __init__(self, hook: Hook, name: str, on_problem: Callable[[str], None], dispatcher: HookDispatcher) -> None:
        self.hook = hook
        self.idle = asyncio.Event()
        """Nothing waits, and nothing is being told."""
        self.idle.set()
        self._name = name
        self._on_problem = on_problem
        self._dispatcher = dispatcher
        self._waiting: deque[AlertEvent] = deque()
        self._sending: AlertEvent | None = None
        self._wakeup = asyncio.Event()
        self._sender = WebhookSender(hook.url, hook.timeout) if hook.url is not None else None
        self._secret: tuple[KeyFileStamp | None, Secret] | None = None
        self._random = Random()
        self._failures = 0
        self._dropped = 0
        self._reported_at: float | None = None
        """Instant of `clock` at which a person was last told that something is wrong with it."""

    def put(self, event: AlertEvent) -> None:
        """One more, at the end; if that is one too many, the oldest is lost."""
        if len(self._waiting) == QUEUE_SIZE:
            self._waiting.popleft()
            self._dropped += 1
            self._report_problem(f"is too slow: {QUEUE_SIZE} wait for it, and the oldest are dropped")
        self._waiting.append(event)
        self.idle.clear()
        self._wakeup.set()

    async def run(self) -> None:
        """Tells one after the other. No error of a hook ends it."""
        while True:
            while self._waiting:
                event = self._sending = self._waiting.popleft()
                try:
                    self._log_result(event, await self._deliver(event))
                except Exception as error:
                    log.exception("%s", self._name)
                    self._report_problem(f"could not be told: {type(error).__name__}")
                self._sending = None
            self.idle.set()
            self._wakeup.clear()
            await self._wakeup.wait()

    async def _deliver(self, event: AlertEvent) -> DeliveryResult:
        body = self._dispatcher.payload(event)
        if self._sender is None:
            assert self.hook.run is not None, "it has one of the two"
            return await self._dispatcher.run_program(self.hook.run, body, self.hook.timeout)
        result = await self._post(self._sender, body, delivery_id(event))
        for pause in RETRY_PAUSES:
            if not result.retry:
                break
            await asyncio.sleep(
                max(pause * self._random.uniform(0.67, 1.33), min(result.retry_after, LONGEST_RETRY_AFTER))
            )
            result = await self._post(self._sender, body, delivery_id(event))
        return result

    async def _post(self, sender: WebhookSender, body: bytes, delivery_id: str) -> DeliveryResult:
        try:
            secret = await self._signing_secret(self.hook.secret) if self.hook.secret is not None else None
        except SecretError as error:
            return DeliveryResult(f"has no secret to sign with: {error}")
        return await sender.post(body, delivery_id, secret, time.time())

    async def _signing_secret(self, source: SecretSource) -> Secret:
        """The secret; a file's is read again when it has changed. Raises SecretError."""
        stamp = secrets.key_file_stamp(source)
        if self._secret is None or self._secret[0] != stamp:
            self._secret = (stamp, await self._dispatcher.fetch_secret(source))
        return self._secret[1]

    def _log_result(self, event: AlertEvent, result: DeliveryResult) -> None:
        """Logs what came of it, and says what a person must know."""
        for line in result.output:
            log.info("%s: %s", self._name, line)
        if not result.problem:
            log.info("%s was told: %s", self._name, _describe(event))
            return
        log.warning("%s %s; it was to be told: %s", self._name, result.problem, _describe(event))
        self._failures += 1
        self._report_problem(result.problem + (f": {result.output[-1]}" if result.output else ""))

    def _report_problem(self, problem: str) -> None:
        """A notice, unless there was one lately."""
        now = self._dispatcher.clock()
        if self._reported_at is not None and now - self._reported_at < PROBLEM_INTERVAL:
            return
        counts = {"failed": self._failures, "dropped": self._dropped}
        summary = ", ".join(f"{count} {what}" for what, count in counts.items() if count > 1)
        self._failures = self._dropped = 0
        self._reported_at = now
        self._on_problem(f"{self._name} {problem}{f' ({summary} since the last word of it)' if summary else ''}")

    async def close(self) -> None:
        """What still waits is not told any more."""
        if self._dropped:
            log.warning("%s was too slow for %d things more, which were dropped", self._name, self._dropped)
        undelivered = [*filter(None, [self._sending]), *self._waiting]
        if undelivered:
            named = ", ".join(map(_describe, undelivered[:MAX_LOGGED_EVENTS]))
            log.warning("%s was not told %d things, since babeltop ended: %s", self._name, len(undelivered), named)
        if self._sender is not None:
            await self._sender.close()


def _hook_name(hook: Hook) -> str:
    """What a person knows it by: neither arguments nor an address, which may hold a secret."""
    return hook.run[0] if hook.run is not None else hook.url.host if hook.url is not None else ""


@asynccontextmanager
async def hook_dispatcher(
    workspace: Workspace, on_problem: Callable[[str], None], shutdown_timeout: float = SHUTDOWN_TIMEOUT
) -> AsyncGenerator[Callable[[AlertEvent], None] | None]:
    """The way to the operator's hooks, for a Session; None: there are none, or `--readonly` forbids them.

    `said` is told what an operator should know of a hook. At the end hooks have `ending` seconds for what is left.
    """
    if workspace.readonly or not workspace.settings.hooks:
        yield None
        return
    dispatcher = HookDispatcher(workspace, on_problem)
    running = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher.dispatch
    except BaseException:
        shutdown_timeout = min(
            shutdown_timeout, SHUTDOWN_TIMEOUT
        )  # a person, or an error, ends it: nobody waits for hooks then
        raise
    finally:
        try:
            with suppress(TimeoutError):
                await dispatcher.finish(shutdown_timeout)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await dispatcher.close()
