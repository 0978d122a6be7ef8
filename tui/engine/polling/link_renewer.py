"""Links that are good when somebody wants one: as they are while they live long enough, else asked for anew, once.

Whoever wants one is a person, or works for one: floors and the bucket are waited for, an open breaker is not. When
links are renewed by themselves is `domain.renewal`'s.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import NamedTuple

from tui.domain import job_state
from tui.domain.job_state import LinkFoundDead
from tui.domain.links import expiry, renewal
from tui.domain.models import ENDED, Fault, FaultKind, Link, Ref
from tui.domain.polling import throttle
from tui.engine.accounts.account import AccountRuntime
from tui.engine.http.client import Client
from tui.engine.polling.job_store import JobStore
from tui.engine.polling.user_poll import PollJob, acquire_slot, needs_retry
from tui.presentation import formatting


class RenewalResult(NamedTuple):
    """What came of a job that was asked for fresh links."""

    ref: Ref
    link: Link | None
    """The link that its row shows now; None: there is none, or it is dead."""
    is_new: bool
    """It is another than before."""
    fault: Fault | None
    """Why there was no answer, or no link that lives."""


class LinkRenewer:
    """The links of one session's jobs."""

    def __init__(
        self,
        accounts: Mapping[str, AccountRuntime],
        job_store: JobStore,
        poll_job: PollJob,
        open_client: Callable[[AccountRuntime], Client],
        now: Callable[[], float],
    ) -> None:
        """`ask` asks a job for its links, and settles what comes of it."""
        self._accounts = accounts
        self._job_store = job_store
        self._poll_job = poll_job
        self._open_client = open_client
        self._now = now
        self._renewals: dict[Ref, asyncio.Task[Fault | None]] = {}
        self._connection_slots = {name: asyncio.Semaphore(live.account.concurrency) for name, live in accounts.items()}

    async def get_live(
        self, ref: Ref, kind: str | None = None, dead_url: str | None = None, *, nth: int = 0
    ) -> Link | Fault:
        """A link that lives, or why there is none. One that has `renewal.GOOD` seconds left costs no ask.

        `kind`: a LinkKind; None: the one that the job's row shows. `nth`: of several of a kind, the one at this place.
        `not_url`: this URL proved to be dead, whatever is said of its life. A link that could not be renewed is given
        as long as it lives; see what is left of it. Who asks for one job at the same time shares one ask.
        """
        found = self._find_link(ref, kind, nth)
        if found is not None and found.url != dead_url and renewal.has_enough_life(found.expires_at, self._now()):
            return found
        if dead_url is not None:
            self._mark_dead(ref, dead_url)
        fault = await self.renew(ref)
        found, now = self._find_link(ref, kind, nth), self._now()
        if found is not None and found.url != dead_url and not expiry.is_expired(found, now):
            return found
        return fault or Fault(FaultKind.MISSING, self._missing_reason(ref, found, dead_url, now))

    def _mark_dead(self, ref: Ref, url: str) -> None:
        """The board does not go on to say that the link lives."""
        state, now = self._job_store.states.get(ref), self._now()
        if state is not None and any(link.url == url and not expiry.is_expired(link, now) for link in state.links):
            self._job_store.apply(ref, LinkFoundDead(url, now))

    async def renew_all(self, refs: Iterable[Ref]) -> list[RenewalResult]:
        """What comes of a person's wish for fresh links: an account that was stopped is tried again.

        Many of them let others go first who want but one.
        """
        refs = tuple(refs)
        gates: dict[str, asyncio.Semaphore] = {}
        for name in {ref.account for ref in refs} & self._accounts.keys():
            live = self._accounts[name]
            live.throttle = throttle.reset(live.throttle)
            gates[name] = asyncio.Semaphore(max(1, live.account.concurrency - 1))

        async def one(ref: Ref) -> RenewalResult:
            async with gates.get(ref.account) or nullcontext():
                return await self._renew_for_user(ref)

        return await asyncio.gather(*map(one, refs))

    async def _renew_for_user(self, ref: Ref) -> RenewalResult:
        before = self._find_link(ref, None, 0)
        fault = await self.renew(ref)
        link, now = self._find_link(ref, None, 0), self._now()
        if link is None or expiry.is_expired(link, now):
            return RenewalResult(
                ref,
                None,
                is_new=False,
                fault=fault or Fault(FaultKind.MISSING, self._missing_reason(ref, link, None, now)),
            )
        return RenewalResult(ref, link, link.url != (before and before.url), fault)

    async def renew(self, ref: Ref) -> Fault | None:
        """Asks the job for fresh links now, whatever is left of those that are there; or why it was not answered."""
        asking = self._renewals.get(ref)
        if asking is None:
            asking = self._renewals[ref] = asyncio.create_task(self._renew(ref))
            asking.add_done_callback(lambda _: self._renewals.pop(ref, None))
        return await asyncio.shield(asking)

    async def _renew(self, ref: Ref) -> Fault | None:
        state = self._job_store.states.get(ref)
        if state is None:
            return Fault(FaultKind.MISSING, f"{ref} is not on the watchlist")
        refusal = self._job_store.scheduler.refusal(state.job)
        if refusal is not None:
            return refusal
        live = self._accounts[ref.account]
        async with self._connection_slots[ref.account], self._open_client(live) as client:
            while state is not None:
                fault = await acquire_slot(live, self._now)
                if fault is not None:
                    return fault
                before = self._job_store.states.get(ref, state).poll_count
                await self._poll_job(live, client, ref, one_shot=True)
                state = self._job_store.states.get(ref)
                if state is not None and not needs_retry(live, state, before):
                    return state.fault
        return None

    def _find_link(self, ref: Ref, kind: str | None, nth: int) -> Link | None:
        state = self._job_store.states.get(ref)
        if state is None:
            return None
        if kind is None:
            return job_state.primary_link(state)
        found = [link for link in state.links if link.kind == kind]
        return found[nth] if nth < len(found) else None

    def _missing_reason(self, ref: Ref, found: Link | None, dead_url: str | None, now: float) -> str:
        """Why an ask that was answered brought no link that lives."""
        state = self._job_store.states.get(ref)
        if state is None:
            return f"{ref} is not on the watchlist"
        if found is None:
            return f"this job has no such link{'' if state.phase in ENDED else ' yet'}"
        return _same_link_reason(found, dead_url, now)


def _same_link_reason(found: Link, dead_url: str | None, now: float) -> str:
    if found.url == dead_url:
        return "the service gives the same link again, which was tried and is dead"
    assert found.expires_at is not None, "what has no expiry does not die of it"
    died = f"died {formatting.span(now - found.expires_at)} ago"
    known = died if found.expiry_is_exact else f"by the documented life {died}"
    return f"the service gives the same link again, which {known}; Overview shows it"
