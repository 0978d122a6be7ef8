"""Poller of one account: a queue of jobs, and workers that poll what is due as fast as the throttle allows.

Workers pass the batches to the poll executor, which handles the responses. A worker owns a client with one connection.
"""

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable

from tui.domain.models import Ref
from tui.engine.accounts.account import AccountRuntime
from tui.engine.context import HttpSettings
from tui.engine.http.client import Client
from tui.engine.polling.poll_queue import PollQueue, QueueEntry

BULK_LOOKAHEAD = 20.0
"""Seconds by which a job that joins a bulk poll is due later, at most. A third of the longest regular interval."""

Batch = tuple[Ref, ...]
"""Jobs of one request: one job, or several of a bulk request."""
RunBatch = Callable[[AccountRuntime, Client, Batch], Awaitable[None]]
CanBatch = Callable[[AccountRuntime, Ref, float], bool]
"""Returns whether a job that is due at this instant can join a bulk request now."""


class Poller:
    """Polls the jobs of one account when they are due, with a fixed number of workers."""

    def __init__(self, account: AccountRuntime, run_batch: RunBatch, can_batch: CanBatch, http: HttpSettings) -> None:
        self.account = account
        self._run_batch = run_batch
        self._can_batch = can_batch
        self._http = http
        self._due: dict[Ref, float] = {}
        self._entries: dict[Ref, QueueEntry] = {}
        """Current queue entry of each job that is queued and not in flight."""
        self._queue = PollQueue(lambda entry: self._entries.get(entry.ref) is entry)
        self._in_flight: set[Ref] = set()
        self._sequence = itertools.count()
        self._slot_lock = asyncio.Lock()
        self._wakeup = asyncio.Event()
        self._wake_count = 0
        """Wake-ups so far: one that comes before a worker waits is not lost."""
        self._reconnects = 0

    def add(self, ref: Ref, at: float) -> None:
        """Queue a poll of the job at this instant, in place of a queued one.

        A job in flight is queued when its poll ends, at the earliest of the instants given meanwhile.
        """
        if ref in self._in_flight:
            self._due[ref] = min(at, self._due.get(ref, at))
            return
        if self._due.get(ref) == at and ref in self._entries:  # an edit of every job would double the queue
            self.wake()
            return
        self._due[ref] = at
        self._push(ref)

    def remove(self, ref: Ref) -> None:
        """Remove the job from the queue; a poll in flight is completed."""
        self._due.pop(ref, None)
        self._entries.pop(ref, None)

    def spread_overdue(self, delay: Callable[[], float]) -> None:
        """Delay each overdue poll by `delay()` seconds from now, after a suspend.

        The waiting worker is woken: its timer does not include the suspend.
        """
        now = self.account.clock()
        self.wake()
        for ref, at in list(self._due.items()):
            if at < now:
                self.add(ref, now + delay())

    def shift(self, seconds: float) -> None:
        """Move all due times with a clock that was set forward by so many seconds."""
        self._due = {ref: at + seconds for ref, at in self._due.items()}
        self._queue.clear()
        for ref in self._due.keys() - self._in_flight:
            self._push(ref)

    def has_due_poll(self) -> bool:
        """Return whether a poll is due now, and waits for a worker or the rate limit."""
        now = self.account.clock()
        return self._queue.next_due_at(now) <= now

    def wake(self) -> None:
        """Wake the workers that wait, to check the queue and the throttle again."""
        self._wake_count += 1
        self._wakeup.set()

    def reconnect(self) -> None:
        """Let the workers open new connections: the key or the throttle changed."""
        self._reconnects += 1
        self.wake()

    async def run(self) -> None:
        """Poll until cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self.account.account.concurrency):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._wait_until(lambda: self.account.key_fault is None)
            reconnects = self._reconnects
            async with self.account.new_client(self._http) as client:
                while reconnects == self._reconnects and self.account.key_fault is None:
                    batch = await self._next_batch(reconnects)
                    if batch is not None:
                        await self._poll(client, batch)

    async def _poll(self, client: Client, batch: Batch) -> None:
        try:
            await self._run_batch(self.account, client, batch)
        finally:
            self._in_flight.difference_update(batch)
            for ref in batch:
                if ref in self._due:
                    self._push(ref)

    async def _next_batch(self, reconnects: int) -> Batch | None:
        """Return the next jobs to poll, with their request slot acquired; None to open a new connection.

        One worker waits for a slot, the others wait for the lock.
        """
        async with self._slot_lock:
            while reconnects == self._reconnects:
                now, wake_count = self.account.clock(), self._wake_count
                slot_at = await self._next_slot_at(now)
                at = max(self._queue.next_due_at(now), slot_at)
                if at > now:
                    await self._wait(at - now, wake_count)
                elif await self.account.limits.acquire(now) and (batch := self._pop(now)):
                    return batch
            return None

    async def _next_slot_at(self, now: float) -> float:
        slot = await self.account.limits.next_slot(now)
        return math.inf if slot is None else slot.at

    def _push(self, ref: Ref) -> None:
        due_at = self._due[ref]
        entry = QueueEntry(due_at, next(self._sequence), ref, max(0.0, due_at - self.account.clock()))
        self._entries[ref] = entry
        self._queue.push(entry)
        self.wake()

    def _pop(self, now: float) -> Batch:
        """Take the due job with the highest priority, and the jobs that can share its request; none if none is due."""
        first = self._queue.pop(now, now)
        if first is None:  # removed while the token was taken
            return ()
        batch, skipped = [first], list[QueueEntry]()
        max_batch = self.account.max_batch if self._is_batchable(first) else 1
        while len(batch) < max_batch and (entry := self._queue.pop(now, now + BULK_LOOKAHEAD)) is not None:
            (batch if self._is_batchable(entry) else skipped).append(entry)
        for entry in skipped:
            self._queue.push(entry)
        for entry in batch:
            del self._due[entry.ref], self._entries[entry.ref]
            self._in_flight.add(entry.ref)
        return tuple(entry.ref for entry in batch)

    def _is_batchable(self, entry: QueueEntry) -> bool:
        return self._can_batch(self.account, entry.ref, entry.due_at)

    async def _wait(self, seconds: float, wake_count: int) -> None:
        """Wait for a wake-up, at most so many seconds (an infinite wait becomes waits of an hour).

        One that came after `wake_count` wake-ups ends the wait at once.
        """
        if self._wake_count != wake_count:
            return
        self._wakeup.clear()
        try:
            async with asyncio.timeout(min(seconds, 3600.0)):
                await self._wakeup.wait()
        except TimeoutError:
            return

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until the condition holds. A set event wakes all waiting workers, so clearing it loses no wake-up."""
        while not condition():
            self._wakeup.clear()
            await self._wakeup.wait()
