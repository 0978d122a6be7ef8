"""One-shot polls of `babeltop check`: each job once, now, within the rate limits of its account."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Protocol

from tui.domain.job_state import JobState, PollSkipped
from tui.domain.models import Ref
from tui.engine.accounts.account import AccountRuntime
from tui.engine.context import EngineContext
from tui.engine.http.client import Client
from tui.engine.polling.job_store import JobStore

SLOT_TIMEOUT = 60.0
"""Seconds that a user-requested poll waits for the rate limit, counted from when it is the first in line."""


class PollJob(Protocol):
    """Polls a job and applies the response. Does not raise."""

    async def __call__(self, runtime: AccountRuntime, client: Client, ref: Ref, *, one_shot: bool) -> None:
        """`one_shot`: the poll is not repeated, so one 404 makes the job missing."""
        ...


class UserPoll:
    """One run of one-shot polls."""

    def __init__(
        self,
        context: EngineContext,
        accounts: Mapping[str, AccountRuntime],
        job_store: JobStore,
        poll_job: PollJob,
    ) -> None:
        self._http = context.http
        self._accounts = accounts
        self._job_store = job_store
        self._poll_job = poll_job

    async def run(self, refs: Iterable[Ref]) -> None:
        """Poll every job once, and fetch the result of each that is done. Lifts a stop and the circuit breaker."""
        waiting: dict[str, list[Ref]] = {}
        for ref in refs:
            refusal = self._job_store.scheduler.refusal(self._job_store.states[ref].job)
            if refusal is not None:
                self._job_store.apply(ref, PollSkipped(refusal))
            else:
                waiting.setdefault(ref.account, []).append(ref)
        async with asyncio.TaskGroup() as tasks:
            for name, account_refs in waiting.items():
                runtime = self._accounts[name]
                runtime.limits.reset()
                for _ in range(min(len(account_refs), runtime.account.concurrency)):
                    tasks.create_task(self._work(runtime, account_refs))

    async def _work(self, runtime: AccountRuntime, waiting: list[Ref]) -> None:
        async with runtime.new_client(self._http) as client:
            while waiting:
                ref = waiting.pop(0)
                needs_poll = True
                while needs_poll and await self._acquire_slot(runtime, ref):
                    poll_count = await self._poll(runtime, client, ref)
                    needs_poll = self._needs_another_poll(runtime, ref, poll_count)

    async def _poll(self, runtime: AccountRuntime, client: Client, ref: Ref) -> int:
        """Poll the job, and return how many polls it had before."""
        state = self._job_store.states.get(ref)
        await self._poll_job(runtime, client, ref, one_shot=True)
        return state.poll_count if state is not None else 0

    def _needs_another_poll(self, runtime: AccountRuntime, ref: Ref, poll_count: int) -> bool:
        """Return whether the poll must be repeated, or the result of a job that is done must be fetched."""
        state = self._job_store.states.get(ref)
        if state is None or needs_retry(runtime, state, poll_count):
            return state is not None
        return state.fault is None and self._job_store.scheduler.wants_result(state)

    async def _acquire_slot(self, runtime: AccountRuntime, ref: Ref) -> bool:
        """Wait for a slot of the account and take it; without one, apply the fault and return False."""
        fault = await runtime.limits.acquire_slot(SLOT_TIMEOUT)
        if fault is not None and ref in self._job_store.states:
            self._job_store.apply(ref, PollSkipped(fault))
        return fault is None


def needs_retry(runtime: AccountRuntime, state: JobState, poll_count: int) -> bool:
    """Return whether the poll after `poll_count` polls must be repeated.

    Its API is retired and the successor comes next, or it did not count: a suspend or a key change outdated it.
    """
    return runtime.migration.has_pending(state.job.id) or state.poll_count == poll_count
