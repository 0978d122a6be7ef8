"""Renewer of links on demand: returns a link as it is while it lives long enough, else polls its job, once.

The operator requested the link, or a download needs it: rate limits are waited for, an open circuit breaker is not.
Scheduled renewals are in `domain/links/renewal.py`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import NamedTuple

from tui.domain import job_state, parts
from tui.domain.job_state import LinkFoundDead
from tui.domain.links import expiry, renewal
from tui.domain.models import ENDED, Fault, FaultKind, Link, Ref
from tui.engine.accounts.account import AccountRuntime
from tui.engine.context import EngineContext
from tui.engine.polling.job_store import JobStore
from tui.engine.polling.user_poll import SLOT_TIMEOUT, PollJob, needs_retry
from tui.presentation import formatting


class RenewalResult(NamedTuple):
    """Result of the renewal of one job."""

    ref: Ref
    link: Link | None
    """Primary link of the job; None if it has none, or an expired one."""
    is_new: bool
    """The link differs from the one before."""
    fault: Fault | None
    """Reason of a failed poll, or of a missing link."""


class LinkRenewer:
    """Renewer of the links of one engine."""

    def __init__(
        self,
        context: EngineContext,
        accounts: Mapping[str, AccountRuntime],
        job_store: JobStore,
        poll_job: PollJob,
        renew_elsewhere: Callable[[Ref], Awaitable[Fault | None]] | None = None,
    ) -> None:
        """`poll_job` polls a job for new links.

        `renew_elsewhere` lets another computer do that; None if this one polls.
        """
        self._renew_elsewhere = renew_elsewhere
        self._now = context.now
        self._http = context.http
        self._accounts = accounts
        self._job_store = job_store
        self._poll_job = poll_job
        self._renewals: dict[Ref, asyncio.Task[Fault | None]] = {}
        self._connection_slots = {
            name: asyncio.Semaphore(runtime.account.concurrency) for name, runtime in accounts.items()
        }

    async def get_live(
        self,
        ref: Ref,
        kind: str | None = None,
        dead_url: str | None = None,
        *,
        nth: int = 0,
        language: str | None = None,
        has_expired: bool = True,
    ) -> Link | Fault:
        """Return an unexpired link, or why there is none. One with MIN_LIFETIME seconds left causes no request.

        `kind`: a LinkKind; None for the primary link. `nth`: index among several links of a kind and `language`.
        `dead_url`: a URL that was rejected, whatever its expiry; it is marked as expired if `has_expired`. A link that
        could not be renewed is returned until it expires. Simultaneous calls for one job share one poll.
        """
        link = self._find_link(ref, kind, nth, language)
        if link is not None and link.url != dead_url and renewal.has_enough_life(link.expires_at, self._now()):
            return link
        if dead_url is not None and has_expired:
            self._mark_dead(ref, dead_url)
        fault = await self.renew(ref)
        link, now = self._find_link(ref, kind, nth, language), self._now()
        if link is not None and link.url != dead_url and not expiry.is_expired(link, now):
            return link
        return fault or Fault(FaultKind.MISSING, self._missing_reason(ref, link, dead_url, now))

    def _mark_dead(self, ref: Ref, url: str) -> None:
        state, now = self._job_store.states.get(ref), self._now()
        if state is not None and any(link.url == url and not expiry.is_expired(link, now) for link in state.links):
            self._job_store.apply(ref, LinkFoundDead(url, now))

    async def renew_all(self, refs: Iterable[Ref], language: str | None = None) -> list[RenewalResult]:
        """Renew the links of the jobs for the operator. Resumes stopped accounts.

        `language`: of the part whose link is returned; None: the primary link. One connection of each account stays
        free for requests of single jobs.
        """
        refs = tuple(refs)
        limits: dict[str, asyncio.Semaphore] = {}
        for name in {ref.account for ref in refs} & self._accounts.keys():
            runtime = self._accounts[name]
            runtime.limits.reset()
            limits[name] = asyncio.Semaphore(max(1, runtime.account.concurrency - 1))

        async def renew_one(ref: Ref) -> RenewalResult:
            async with limits.get(ref.account) or nullcontext():
                return await self._renew_for_user(ref, language)

        return await asyncio.gather(*map(renew_one, refs))

    async def _renew_for_user(self, ref: Ref, language: str | None) -> RenewalResult:
        before = self._find_link(ref, None, 0, language)
        fault = await self.renew(ref)
        link, now = self._find_link(ref, None, 0, language), self._now()
        if link is None or expiry.is_expired(link, now):
            fault = fault or Fault(FaultKind.MISSING, self._missing_reason(ref, link, None, now))
            return RenewalResult(ref, None, is_new=False, fault=fault)
        return RenewalResult(ref, link, link.url != (before and before.url), fault)

    async def renew(self, ref: Ref) -> Fault | None:
        """Poll the job for new links now, however long the known ones live. Returns the fault of a failed poll."""
        task = self._renewals.get(ref)
        if task is None:
            task = self._renewals[ref] = asyncio.create_task(self._renew(ref))
            task.add_done_callback(lambda _: self._renewals.pop(ref, None))
        return await asyncio.shield(task)

    async def _renew(self, ref: Ref) -> Fault | None:
        state = self._job_store.states.get(ref)
        if state is None:
            return Fault(FaultKind.MISSING, f"{ref} is not on the watchlist")
        if self._renew_elsewhere is not None:
            return await self._renew_elsewhere(ref)
        refusal = self._job_store.scheduler.refusal(state.job)
        if refusal is not None:
            return refusal
        runtime = self._accounts[ref.account]
        async with self._connection_slots[ref.account], runtime.new_client(self._http) as client:
            while state is not None:
                fault = await runtime.limits.acquire_slot(SLOT_TIMEOUT)
                if fault is not None:
                    return fault
                poll_count = self._job_store.states.get(ref, state).poll_count
                await self._poll_job(runtime, client, ref, one_shot=True)
                state = self._job_store.states.get(ref)
                if state is not None and not needs_retry(runtime, state, poll_count):
                    return state.fault
        return None

    def _find_link(self, ref: Ref, kind: str | None, nth: int, language: str | None = None) -> Link | None:
        state = self._job_store.states.get(ref)
        if state is None:
            return None
        if kind is None:
            return job_state.primary_of(parts.links_of(state.links, language) if language else state.links)
        links = [link for link in state.links if link.kind == kind and link.language == language]
        return links[nth] if nth < len(links) else None

    def _missing_reason(self, ref: Ref, link: Link | None, dead_url: str | None, now: float) -> str:
        """Return why a successful poll brought no unexpired link."""
        state = self._job_store.states.get(ref)
        if state is None:
            return f"{ref} is not on the watchlist"
        if link is None:
            return f"this job has no such link{'' if state.phase in ENDED else ' yet'}"
        if link.url == dead_url:
            return "the service returned the same link again, which its server rejects"
        assert link.expires_at is not None, "a link without an expiry does not expire"
        estimate = "" if link.expiry_is_exact else " by the documented lifetime"
        expired = f"expired {formatting.span(now - link.expires_at)} ago{estimate}"
        return f"the service returned the same link again, which {expired}; see Overview"
