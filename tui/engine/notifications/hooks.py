"""Dispatcher for the operator's hooks: each gets its events in order, one at a time.

Nothing waits for a hook: each has a queue of its own, so that a hanging hook delays no other. A full queue drops its
oldest events and reports that. Programs run on a few threads of their own. Which events there are is left to the alert
monitor, a single delivery to `delivery`.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from random import Random
from threading import Event

from tui.engine.notifications import delivery
from tui.engine.notifications.delivery import DeliveryResult, WebhookSender
from tui.engine.notifications.events import AlertEvent
from tui.engine.notifications.payload import delivery_id, hook_body
from tui.engine.notifications.routing import select
from tui.storage.config import secrets
from tui.storage.config.secrets import KeyFileStamp, Secret, SecretError, SecretSource
from tui.storage.config.settings import Hook
from tui.storage.workspace import Workspace

MAX_PROGRAMS = 4
"""Programs of all hooks that run at the same time."""
QUEUE_SIZE = 1000
"""Events that wait for one hook; the oldest are dropped first."""
RETRY_PAUSES = (1.0, 5.0, 25.0)
"""Seconds before the second, third and last try of a webhook, ±33 %."""
LONGEST_RETRY_AFTER = 60.0
"""Seconds of Retry-After that a webhook may demand, at most."""
PROBLEM_INTERVAL = 600.0
"""Seconds between two notices about one failing hook."""
MAX_LOGGED_EVENTS = 20
"""Undelivered events that the log names; the others are counted."""
SHUTDOWN_TIMEOUT = 2.0
"""Seconds for pending deliveries at shutdown."""

log = logging.getLogger(__name__)


def _describe(event: AlertEvent) -> str:
    """Return the event's description for the log."""
    if event.summarized:
        return f"{event.event} of {len(event.summarized)} events"
    account = event.account.name if event.account is not None else ""
    more = f" and {len(event.other_states)} more" if event.other_states else ""
    return f"{event.event} {event.state.job.ref if event.state is not None else account}{more}"


class HookDispatcher:
    """Dispatcher for all hooks of one process. `dispatch` queues events, `run` delivers them until cancelled."""

    def __init__(
        self, workspace: Workspace, on_problem: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Create the queues. `on_problem` takes a notice for the operator. `clock`: seconds, for any thread."""
        self.clock = clock
        self._workspace = workspace
        self._stop = Event()
        self._pool = ThreadPoolExecutor(MAX_PROGRAMS, "hook")
        self.queues = [
            HookQueue(hook, f"Hook {number} ({_hook_name(hook)})", on_problem, self)
            for number, hook in enumerate(workspace.settings.hooks, 1)
        ]
        """Queues of the hooks, in the order of config.toml."""

    def dispatch(self, event: AlertEvent) -> None:
        """Queue an event for the hooks that subscribe to it. Does not wait."""
        for queue in self.queues:
            if (selected := self.select(queue.hook, event)) is not None:
                queue.put(selected)

    def now(self) -> float:
        """Return the instant that signs a delivery, in seconds since the epoch."""
        return self._workspace.wall()

    def select(self, hook: Hook, event: AlertEvent) -> AlertEvent | None:
        """Return the event as the hook gets it now; None: it does not get it."""
        return select(hook, event, self._workspace.config.evaluation_context(self.now()))

    def send_to(self, number: int, event: AlertEvent) -> None:
        """Queue an event for one hook, from 1, whatever it subscribes to. Does not wait."""
        self.queues[number - 1].put(event)

    def body(self, hook: Hook, event: AlertEvent) -> bytes:
        """Return what the hook gets, for the current instant."""
        config = self._workspace.config
        return hook_body(hook, event, config.provider_of, config.evaluation_context(self.now()))

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for queue in self.queues:
                tasks.create_task(queue.run())

    async def run_program(self, hook: Hook, body: bytes) -> DeliveryResult:
        """Run the hook's program on one of the threads."""
        assert hook.run is not None, "a hook has a program or a URL"
        keys, loop = self._workspace.keys, asyncio.get_running_loop()
        environ = keys.child_environment(hook.env)
        return await loop.run_in_executor(
            self._pool,
            partial(
                delivery.run_program, hook.run, body, hook.timeout, self._stop, environ, keys.mask_text, self.clock
            ),
        )

    async def fetch_secret(self, source: SecretSource) -> Secret:
        """Fetch a secret on one of the threads. Raises SecretError."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._workspace.keys.fetch_secret, source)

    async def finish(self, seconds: float | None) -> None:
        """Wait for the pending deliveries. Raises TimeoutError after `seconds`; None: each has its own limit."""
        async with asyncio.timeout(seconds):
            for queue in self.queues:
                await queue.idle.wait()

    async def close(self) -> None:
        """Stop running programs. Undelivered events are logged."""
        self._stop.set()
        for queue in self.queues:
            await queue.close()
        self._pool.shutdown(wait=True, cancel_futures=True)  # each checks `_stop` every EXIT_CHECK_INTERVAL


class HookQueue:
    """Queue of one hook."""

    def __init__(self, hook: Hook, name: str, on_problem: Callable[[str], None], dispatcher: HookDispatcher) -> None:
        self.hook = hook
        self.idle = asyncio.Event()
        """Set while nothing waits and nothing is being delivered."""
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
        """Instant of `clock` of the last notice about the hook."""

    def put(self, event: AlertEvent) -> None:
        """Append an event; drop the oldest if the queue is full."""
        if len(self._waiting) == QUEUE_SIZE:
            self._waiting.popleft()
            self._dropped += 1
            self._report_problem(f"is too slow: {QUEUE_SIZE} deliveries wait, the oldest are dropped")
        self._waiting.append(event)
        self.idle.clear()
        self._wakeup.set()

    async def run(self) -> None:
        """Deliver one event after the other until cancelled. No error of a hook ends it."""
        while True:
            while self._waiting:
                event = self._sending = self._waiting.popleft()
                try:
                    self.log_result(_describe(event), await self._deliver(event))
                except Exception as error:
                    log.exception("%s", self._name)
                    self._report_problem(f"delivery failed: internal error ({type(error).__name__}), see babeltop.log")
                self._sending = None
            self.idle.set()
            self._wakeup.clear()
            await self._wakeup.wait()

    async def _deliver(self, event: AlertEvent) -> DeliveryResult:
        body = self._dispatcher.body(self.hook, event)
        result = await self.attempt(body, delivery_id(event))
        for pause in RETRY_PAUSES:
            if not result.retry:
                break
            await asyncio.sleep(self.retry_delay(pause, result))
            result = await self.attempt(body, delivery_id(event))
        return result

    async def attempt(self, body: bytes, delivery_id: str) -> DeliveryResult:
        """Send a delivery once."""
        if self._sender is None:
            return await self._dispatcher.run_program(self.hook, body)
        return await self._post(self._sender, body, delivery_id)

    def retry_delay(self, pause: float, result: DeliveryResult) -> float:
        """Return the seconds until a failed delivery is sent again: about `pause`, or what the webhook demands."""
        return max(pause * self._random.uniform(0.67, 1.33), min(result.retry_after, LONGEST_RETRY_AFTER))

    async def _post(self, sender: WebhookSender, body: bytes, delivery_id: str) -> DeliveryResult:
        try:
            secret = await self._signing_secret(self.hook.secret) if self.hook.secret is not None else None
        except SecretError as error:
            return DeliveryResult(f"cannot sign: {error}")
        return await sender.post(body, delivery_id, secret, self._dispatcher.now())

    async def _signing_secret(self, source: SecretSource) -> Secret:
        """Return the secret, read again if its file has changed. Raises SecretError."""
        stamp = secrets.key_file_stamp(source)
        if self._secret is None or self._secret[0] != stamp:
            self._secret = (stamp, await self._dispatcher.fetch_secret(source))
        return self._secret[1]

    def log_result(self, description: str, result: DeliveryResult) -> None:
        """Log the result of a delivery and report a problem."""
        for line in result.output:
            log.info("%s: %s", self._name, line)
        if not result.problem:
            log.info("%s: delivered %s", self._name, description)
            return
        log.warning("%s %s; not delivered: %s", self._name, result.problem, description)
        self._failures += 1
        self._report_problem(result.problem + (f": {result.output[-1]}" if result.output else ""))

    def _report_problem(self, problem: str) -> None:
        """Send a notice, unless there was one within PROBLEM_INTERVAL."""
        now = self._dispatcher.clock()
        if self._reported_at is not None and now - self._reported_at < PROBLEM_INTERVAL:
            return
        counts = {"failed": self._failures, "dropped": self._dropped}
        summary = ", ".join(f"{count} {what}" for what, count in counts.items() if count > 1)
        self._failures = self._dropped = 0
        self._reported_at = now
        self._on_problem(f"{self._name} {problem}{f' ({summary} since the last notice)' if summary else ''}")

    async def close(self) -> None:
        """Log the events that are not delivered, and close the connection."""
        if self._dropped:
            log.warning("%s is too slow: %d more deliveries dropped", self._name, self._dropped)
        undelivered = [*filter(None, [self._sending]), *self._waiting]
        if undelivered:
            named = ", ".join(map(_describe, undelivered[:MAX_LOGGED_EVENTS]))
            log.warning("%s: %d deliveries not sent, babeltop was stopped: %s", self._name, len(undelivered), named)
        if self._sender is not None:
            await self._sender.close()


def _hook_name(hook: Hook) -> str:
    """Return the hook's name for messages, without arguments and URL paths, which may contain a secret."""
    return hook.run[0] if hook.run is not None else hook.url.host if hook.url is not None else ""


@asynccontextmanager
async def hook_dispatcher(
    workspace: Workspace, on_problem: Callable[[str], None], shutdown_timeout: float = SHUTDOWN_TIMEOUT
) -> AsyncGenerator[Callable[[AlertEvent], None] | None]:
    """Yield the `dispatch` of `running_hooks`; None without hooks."""
    async with running_hooks(workspace, on_problem, shutdown_timeout) as dispatcher:
        yield dispatcher and dispatcher.dispatch


@asynccontextmanager
async def running_hooks(
    workspace: Workspace, on_problem: Callable[[str], None], shutdown_timeout: float = SHUTDOWN_TIMEOUT
) -> AsyncGenerator[HookDispatcher | None]:
    """Yield a running dispatcher; None: there are no hooks, or `--readonly` forbids them.

    `on_problem` takes a notice for the operator. At the end pending deliveries have `shutdown_timeout` seconds.
    """
    if workspace.readonly or not workspace.settings.hooks:
        yield None
        return
    dispatcher = HookDispatcher(workspace, on_problem)
    running = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    except BaseException:
        shutdown_timeout = min(shutdown_timeout, SHUTDOWN_TIMEOUT)  # interrupted or failed: hooks are not waited for
        raise
    finally:
        try:
            with suppress(TimeoutError):
                await dispatcher.finish(shutdown_timeout)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await dispatcher.close()
