"""One account's queue and its workers: who is asked next, and when a request may leave. What came back it hands on.

Workers report; the Session decides. A worker owns a client with one connection.
"""

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable

from tui.domain.models import Ref
from tui.engine.accounts.account import AccountRuntime
from tui.engine.http.client import Client, RequestLimits, TlsContextFactory, TransportFactory
from tui.engine.polling.poll_queue import PollQueue, QueueEntry

BULK_LOOKAHEAD = 20.0
"""Seconds: what is due later is not looked at for an ask that is sent now. A third of the longest usual interval."""

Batch = tuple[Ref, ...]
"""What one request asks for: one job, or several that a bulk ask takes together."""
RunBatch = Callable[[AccountRuntime, Client, Batch], Awaitable[None]]
CanBatch = Callable[[AccountRuntime, Ref, float], bool]
"""Whether the job, due at this instant, can be asked now together with others."""


class Poller:
    """Asks one account's jobs when they are due, as fast as its pace allows, with a fixed handful of workers."""

    def __init__(
        self,
        account: AccountRuntime,
        run_batch: RunBatch,
        can_batch: CanBatch,
        tls: TlsContextFactory,
        transport: TransportFactory | None,
        limits: RequestLimits,
    ) -> None:
        self.account = account
        self._run_batch = run_batch
        self._can_batch = can_batch
        self._open_client = lambda: account.new_client(tls, transport, limits)
        self._due: dict[Ref, float] = {}
        self._entries: dict[Ref, QueueEntry] = {}
        """The one place in the line that holds, of each job that is to be asked and is not being asked."""
        self._queue = PollQueue(lambda place: self._entries.get(place.ref) is place)
        self._in_flight: set[Ref] = set()
        self._sequence = itertools.count()
        self._slot_lock = asyncio.Lock()
        self._wakeup = asyncio.Event()
        self._reconnects = 0

    def add(self, ref: Ref, at: float) -> None:
        """Has the job asked at this instant (and no more at the one before). A job has one place in the queue.

        A job that is being asked just now takes its place when that ends; the earliest wish of that time holds.
        """
        if ref in self._in_flight:
            self._due[ref] = min(at, self._due.get(ref, at))
            return
        self._due[ref] = at
        self._push(ref)

    def remove(self, ref: Ref) -> None:
        """The job is not asked any more; what is under way ends unheeded."""
        self._due.pop(ref, None)
        self._entries.pop(ref, None)

    def spread_overdue(self, delay: Callable[[], float]) -> None:
        """After a suspend, what became due in it leaves `spread()` seconds from now, instead of all at once.

        The worker that waits for what is due later began to wait before it: no timer knows of a suspend.
        """
        now = self.account.clock()
        self.wake()
        for ref, at in list(self._due.items()):
            if at < now:
                self.add(ref, now + delay())

    def shift(self, seconds: float) -> None:
        """The clock was set forward by so many seconds: everything is due as far away as it was."""
        self._due = {ref: at + seconds for ref, at in self._due.items()}
        self._queue.clear()
        for ref in self._due.keys() - self._in_flight:
            self._push(ref)

    def wake(self) -> None:
        """Who waits for the next ask looks again at what it waits for."""
        self._wakeup.set()

    def reconnect(self) -> None:
        """The key or the pace has changed: wakes the workers, which open new connections."""
        self._reconnects += 1
        self.wake()

    async def run(self) -> None:
        """Works until it is cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self.account.account.concurrency):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._wait_until(lambda: self.account.key_fault is None)
            renewals = self._reconnects
            async with self._open_client() as client:
                while renewals == self._reconnects and self.account.key_fault is None:
                    batch = await self._next_batch(renewals)
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
        """What is asked next, once its request is paid for; None: the connection is to be made anew.

        One worker waits at a time, the others queue behind it for the turn.
        """
        async with self._slot_lock:
            while reconnects == self._reconnects:
                now = self.account.clock()
                at = max(self._queue.next_due_at(now), self._next_slot_at(now))
                if at > now:
                    await self._wait(at - now)
                elif self.account.acquire(now):
                    return self._pop(now)
            return None

    def _next_slot_at(self, now: float) -> float:
        leave = self.account.next_slot(now)
        return math.inf if leave is None else leave.at

    def _push(self, ref: Ref) -> None:
        due = self._due[ref]
        place = QueueEntry(due, next(self._sequence), ref, max(0.0, due - self.account.clock()))
        self._entries[ref] = place
        self._queue.push(place)
        self.wake()

    def _pop(self, now: float) -> Batch:
        """The most urgent job that is due, and with it what the same request can ask for."""
        first = self._queue.pop(now, now)
        assert first is not None, "its due time has come"
        batch, passed = [first], list[QueueEntry]()
        most = self.account.max_batch if self._is_batchable(first) else 1
        while len(batch) < most and (place := self._queue.pop(now, now + BULK_LOOKAHEAD)) is not None:
            (batch if self._is_batchable(place) else passed).append(place)
        for place in passed:
            self._queue.push(place)
        for place in batch:
            del self._due[place.ref], self._entries[place.ref]
            self._in_flight.add(place.ref)
        return tuple(place.ref for place in batch)

    def _is_batchable(self, entry: QueueEntry) -> bool:
        return self._can_batch(self.account, entry.ref, entry.due_at)

    async def _wait(self, seconds: float) -> None:
        """Until something is new, at most so long (an infinite wait is cut into hours)."""
        self._wakeup.clear()
        try:
            async with asyncio.timeout(min(seconds, 3600.0)):
                await self._wakeup.wait()
        except TimeoutError:
            return

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Until it is so. Who sets `_news` wakes everybody that waits at that moment: clearing it takes nobody's."""
        while not condition():
            self._wakeup.clear()
            await self._wakeup.wait()
