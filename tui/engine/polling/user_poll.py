"""`check`: each of some jobs asked once, now, because a person wants it. It waits for its account's leave, a little."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from tui.domain.job_state import JobState, PollSkipped
from tui.domain.models import Fault, FaultKind, Ref
from tui.domain.polling import throttle
from tui.engine.accounts.account import AccountRuntime
from tui.engine.http.client import Client
from tui.engine.polling.job_store import JobStore

SLOT_TIMEOUT = 60.0
"""Seconds that an ask waits for a floor or the bucket, from when it is its turn."""


class PollJob(Protocol):
    """Asks a job and settles what comes of it; raises nothing."""

    async def __call__(self, live: AccountRuntime, client: Client, ref: Ref, *, one_shot: bool) -> None:
        """`person`: somebody asked by hand."""
        ...


class UserPoll:
    """One check of some jobs."""

    def __init__(
        self,
        accounts: Mapping[str, AccountRuntime],
        job_store: JobStore,
        poll_job: PollJob,
        open_client: Callable[[AccountRuntime], Client],
        now: Callable[[], float],
    ) -> None:
        self._accounts = accounts
        self._job_store = job_store
        self._poll_job = poll_job
        self._open_client = open_client
        self._now = now

    async def run(self, refs: Iterable[Ref]) -> None:
        """Asks every job once, and for the result of what is done. A stop and an open breaker are tried again."""
        waiting: dict[str, list[Ref]] = {}
        for ref in refs:
            refusal = self._job_store.scheduler.refusal(self._job_store.states[ref].job)
            if refusal is not None:
                self._job_store.apply(ref, PollSkipped(refusal))
            else:
                waiting.setdefault(ref.account, []).append(ref)
        async with asyncio.TaskGroup() as tasks:
            for name, mine in waiting.items():
                live = self._accounts[name]
                live.throttle = throttle.reset(live.throttle)
                for _ in range(min(len(mine), live.account.concurrency)):
                    tasks.create_task(self._work(live, mine))

    async def _work(self, live: AccountRuntime, waiting: list[Ref]) -> None:
        async with self._open_client(live) as client:
            while waiting:
                ref = waiting.pop(0)
                if not await self._acquire_slot(live, ref):
                    continue
                before = await self._poll(live, client, ref)
                while self._needs_another_poll(live, ref, before) and await self._acquire_slot(live, ref):
                    before = await self._poll(live, client, ref)

    async def _poll(self, live: AccountRuntime, client: Client, ref: Ref) -> int:
        """Asks for the job; how often it had been asked for before."""
        state = self._job_store.states.get(ref)
        await self._poll_job(live, client, ref, one_shot=True)
        return state.poll_count if state is not None else 0

    def _needs_another_poll(self, live: AccountRuntime, ref: Ref, poll_count: int) -> bool:
        """One more ask belongs to it: to bring an answer, or for the result of what is done."""
        state = self._job_store.states.get(ref)
        if state is None or needs_retry(live, state, poll_count):
            return state is not None
        return state.fault is None and self._job_store.scheduler.wants_result(state)

    async def _acquire_slot(self, live: AccountRuntime, ref: Ref) -> bool:
        """Waits for leave and pays for one ask; False, with the fault settled, where there is none."""
        fault = await acquire_slot(live, self._now)
        if fault is not None and ref in self._job_store.states:
            self._job_store.apply(ref, PollSkipped(fault))
        return fault is None


def needs_retry(live: AccountRuntime, state: JobState, poll_count: int) -> bool:
    """The ask after `before` others is to be followed by another: its API is over, and the successor is asked next.

    Or it did not count: the machine slept meanwhile, or the key was changed.
    """
    return live.migration.has_pending(state.job.id) or state.poll_count == poll_count


async def acquire_slot(live: AccountRuntime, clock: Callable[[], float]) -> Fault | None:
    """Waits for an account's leave to ask for a person, and pays for one ask; or why there is none.

    Those who wait do so in their order, each for PATIENCE at most from when it is its turn.
    """
    async with live.user_request_lock:
        return await _wait_for_slot(live, clock)


async def _wait_for_slot(live: AccountRuntime, clock: Callable[[], float]) -> Fault | None:
    """Waits for leave and pays, or says why there is none. A key that was refused meanwhile is not tried."""
    deadline = clock() + SLOT_TIMEOUT
    while not live.throttle.stop_reason:
        now = clock()
        leave = live.next_slot(now, user_requested=True)
        assert leave is not None, "a person is always given leave, if late"
        if leave.at > deadline:
            return Fault(FaultKind.LIMITED, f"nothing was sent: {leave.reason}", retry_at=leave.at)
        if leave.at > now:
            await asyncio.sleep(leave.at - now)
        elif live.acquire(now):
            return None
    return Fault(FaultKind.REFUSED, live.throttle.stop_reason)
