"""One account's queue and its workers: who is asked next, and when a request may leave. What came back it hands on.

Workers report; the Session decides. A worker owns a client with one connection.
"""

import asyncio
import itertools
import math
from collections.abc import Awaitable, Callable

from tui.domain.models import Ref
from tui.engine.accounts.account import LiveAccount
from tui.engine.http.client import Bounds, Client, Transport, Trust
from tui.engine.polling.poll_queue import Line, Place

AHEAD = 20.0
"""Seconds: what is due later is not looked at for an ask that is sent now. A third of the longest usual interval."""

Batch = tuple[Ref, ...]
"""What one request asks for: one job, or several that a bulk ask takes together."""
Ask = Callable[[LiveAccount, Client, Batch], Awaitable[None]]
Joins = Callable[[LiveAccount, Ref, float], bool]
"""Whether the job, due at this instant, can be asked now together with others."""


class Poller:
    """Asks one account's jobs when they are due, as fast as its pace allows, with a fixed handful of workers."""

    def __init__(
        self,
        account: LiveAccount,
        ask: Ask,
        joins: Joins,
        tls: Trust,
        transport: Transport | None,
        bounds: Bounds,
    ) -> None:
        self.account = account
        self._ask = ask
        self._joins = joins
        self._connect = lambda: account.client(tls, transport, bounds)
        self._due: dict[Ref, float] = {}
        self._places: dict[Ref, Place] = {}
        """The one place in the line that holds, of each job that is to be asked and is not being asked."""
        self._line = Line(lambda place: self._places.get(place.ref) is place)
        self._asking: set[Ref] = set()
        self._order = itertools.count()
        self._turn = asyncio.Lock()
        self._news = asyncio.Event()
        self._renewals = 0

    def put(self, ref: Ref, at: float) -> None:
        """Has the job asked at this instant (and no more at the one before). A job has one place in the queue.

        A job that is being asked just now takes its place when that ends; the earliest wish of that time holds.
        """
        if ref in self._asking:
            self._due[ref] = min(at, self._due.get(ref, at))
            return
        self._due[ref] = at
        self._push(ref)

    def drop(self, ref: Ref) -> None:
        """The job is not asked any more; what is under way ends unheeded."""
        self._due.pop(ref, None)
        self._places.pop(ref, None)

    def respread(self, spread: Callable[[], float]) -> None:
        """After a suspend, what became due in it leaves `spread()` seconds from now, instead of all at once.

        The worker that waits for what is due later began to wait before it: no timer knows of a suspend.
        """
        now = self.account.clock()
        self.look()
        for ref, at in list(self._due.items()):
            if at < now:
                self.put(ref, now + spread())

    def shift(self, seconds: float) -> None:
        """The clock was set forward by so many seconds: everything is due as far away as it was."""
        self._due = {ref: at + seconds for ref, at in self._due.items()}
        self._line.clear()
        for ref in self._due.keys() - self._asking:
            self._push(ref)

    def look(self) -> None:
        """Who waits for the next ask looks again at what it waits for."""
        self._news.set()

    def renew(self) -> None:
        """The key or the pace has changed: wakes the workers, which open new connections."""
        self._renewals += 1
        self.look()

    async def run(self) -> None:
        """Works until it is cancelled."""
        async with asyncio.TaskGroup() as workers:
            for _ in range(self.account.account.concurrency):
                workers.create_task(self._work())

    async def _work(self) -> None:
        while True:
            await self._until(lambda: self.account.refusal is None)
            renewals = self._renewals
            async with self._connect() as client:
                while renewals == self._renewals and self.account.refusal is None:
                    batch = await self._next(renewals)
                    if batch is not None:
                        await self._asked(client, batch)

    async def _asked(self, client: Client, batch: Batch) -> None:
        try:
            await self._ask(self.account, client, batch)
        finally:
            self._asking.difference_update(batch)
            for ref in batch:
                if ref in self._due:
                    self._push(ref)

    async def _next(self, renewals: int) -> Batch | None:
        """What is asked next, once its request is paid for; None: the connection is to be made anew.

        One worker waits at a time, the others queue behind it for the turn.
        """
        async with self._turn:
            while renewals == self._renewals:
                now = self.account.clock()
                at = max(self._line.head(now), self._leave(now))
                if at > now:
                    await self._wait(at - now)
                elif self.account.pay(now):
                    return self._pop(now)
            return None

    def _leave(self, now: float) -> float:
        leave = self.account.leave(now)
        return math.inf if leave is None else leave.at

    def _push(self, ref: Ref) -> None:
        due = self._due[ref]
        place = Place(due, next(self._order), ref, max(0.0, due - self.account.clock()))
        self._places[ref] = place
        self._line.push(place)
        self.look()

    def _pop(self, now: float) -> Batch:
        """The most urgent job that is due, and with it what the same request can ask for."""
        first = self._line.pop(now, now)
        assert first is not None, "its due time has come"
        batch, passed = [first], list[Place]()
        most = self.account.most if self._can_join(first) else 1
        while len(batch) < most and (place := self._line.pop(now, now + AHEAD)) is not None:
            (batch if self._can_join(place) else passed).append(place)
        for place in passed:
            self._line.push(place)
        for place in batch:
            del self._due[place.ref], self._places[place.ref]
            self._asking.add(place.ref)
        return tuple(place.ref for place in batch)

    def _can_join(self, place: Place) -> bool:
        return self._joins(self.account, place.ref, place.due)

    async def _wait(self, seconds: float) -> None:
        """Until something is new, at most so long (an infinite wait is cut into hours)."""
        self._news.clear()
        try:
            async with asyncio.timeout(min(seconds, 3600.0)):
                await self._news.wait()
        except TimeoutError:
            return

    async def _until(self, ready: Callable[[], bool]) -> None:
        """Until it is so. Who sets `_news` wakes everybody that waits at that moment: clearing it takes nobody's."""
        while not ready():
            self._news.clear()
            await self._news.wait()
