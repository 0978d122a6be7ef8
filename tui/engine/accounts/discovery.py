"""Discovery of an account's jobs: lists them within the rate limit, page by page. It adds none to the watchlist.

`auto_discovery` adds them, for accounts that want it.
"""

import functools
from collections.abc import Awaitable, Callable, Container
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from tui.domain.models import Fault, FaultKind
from tui.engine.accounts.account import AccountRuntime
from tui.engine.context import HttpSettings
from tui.engine.http.client import Client, RequestLimits, TransportFactory
from tui.engine.http.environment import create_tls_context
from tui.providers.lists.listing import ListedJob, Page
from tui.providers.lists.model import MAX_PAGES, ListRequest
from tui.providers.lists.paging import first_page
from tui.storage.workspace import Workspace

MAX_WAIT = 60.0
"""Seconds that a page waits for the rate limit."""
AcquireSlot = Callable[[], Awaitable[Fault | None]]
"""Waits for the slot of a request and takes it; returns why there is none."""


class Discovery(NamedTuple):
    """Jobs on an account's lists."""

    jobs: tuple[ListedJob, ...] = ()
    """Each id once, in the lists' order."""
    fault: Fault | None = None
    """Why a list is incomplete; None: it was read to its end, or to the bound of pages."""
    notices: tuple[str, ...] = ()
    """What the operator should know of the lists."""
    page_count: int = 0

    @property
    def problems(self) -> tuple[str, ...]:
        """The notices, and why a list is incomplete."""
        return self.notices if self.fault is None else (*self.notices, self.fault.message)


async def discover(
    workspace: Workspace,
    account: str,
    known: Container[str],
    since: float | None,
    transport: TransportFactory | None = None,
    limits: RequestLimits = RequestLimits(),  # noqa: B008  frozen
) -> Discovery:
    """Return the jobs of an account's lists. Raises nothing: a fault is a value.

    `known`: ids on the watchlist; a list that begins with the newest job ends at a page of known ids. `since`: instant
    of the oldest wanted job; a job without a creation time is always wanted. The workspace's journal must be open.
    """
    storage = workspace.shared_storage()
    rate_limits = storage.rate_limits
    runtime = AccountRuntime(workspace.accounts[account], workspace.wall, Random(), rate_limits=rate_limits)
    runtime.set_key(workspace.keys.get(account))
    try:
        if refusal := await rate_limits.refusal():
            return Discovery(fault=Fault(FaultKind.LIMITED, refusal))
        if runtime.key_fault is not None:
            return Discovery(fault=missing_key_fault(runtime.key_fault, is_team=workspace.is_team))
        http = HttpSettings(functools.cache(create_tls_context), transport, limits)
        async with runtime.new_client(http) as client:
            return await read_lists(runtime, client, known, since, lambda: runtime.limits.acquire_slot(MAX_WAIT))
    finally:
        await storage.close()


def missing_key_fault(fault: Fault, *, is_team: bool) -> Fault:
    """Return why an account without a key is not listed: in a team its key is at a worker."""
    remedy = ". In a team, jobs are discovered where a worker has the key"
    return replace(fault, message=f"{fault.message}{remedy}") if is_team else fault


async def read_lists(
    runtime: AccountRuntime, client: Client, known: Container[str], since: float | None, acquire_slot: AcquireSlot
) -> Discovery:
    """Return the jobs of an account's lists, as `discover` does. `acquire_slot`: takes the slot of each page."""
    lists = lists_of(runtime)
    if not lists:
        return Discovery(notices=(f"{runtime.account.provider.title} has no list of jobs that babeltop can read",))
    found: dict[str, ListedJob] = {}
    fault, notices, page_count = None, list[str](), 0
    for kind, listing in lists.items():
        each = await _read_list(runtime, client, kind, listing, known, since, acquire_slot)
        for job in each.jobs:
            found.setdefault(job.id, job)
        fault, page_count = fault or each.fault, page_count + each.page_count
        notices += each.notices
    wanted = (job for job in found.values() if since is None or job.created_at is None or job.created_at >= since)
    return Discovery(tuple(wanted), fault, tuple(notices), page_count)


def lists_of(runtime: AccountRuntime) -> dict[str, ListRequest]:
    """Return the account's list requests, by kind."""
    endpoints = runtime.account.provider.endpoints
    return {kind: each.list_request for kind, each in endpoints.items() if each.list_request is not None}


async def _read_list(
    runtime: AccountRuntime,
    client: Client,
    kind: str,
    listing: ListRequest,
    known: Container[str],
    since: float | None,
    acquire_slot: AcquireSlot,
) -> Discovery:
    """Return the jobs of one list, until its last page, its bound of pages, or a page that brings nothing new."""
    account, jobs = runtime.account, list[ListedJob]()
    try:
        request = first_page(listing, account.base_url, account.variables)
    except ValueError as error:
        return Discovery(notices=(f"cannot list {f'jobs of kind {kind}' if kind else 'jobs'}: {error}",))
    visited = set[str]()
    while len(visited) < _page_limit(listing, since):
        visited.add(request.url)
        fault = await acquire_slot()
        response = None if fault is not None else await runtime.fetch_page(client, kind, request, len(visited) - 1)
        outcome = fault if response is None else response.outcome
        if not isinstance(outcome, Page):
            return Discovery(tuple(jobs), outcome, page_count=len(visited))
        jobs += outcome.jobs
        if outcome.foreign_host:
            notice = f"the list goes on at {outcome.foreign_host}, to which no key is sent: it is incomplete"
            return Discovery(tuple(jobs), notices=(notice,), page_count=len(visited))
        is_old = listing.order == "newest_first" and all(_is_old(job, known, since) for job in outcome.jobs)
        if outcome.next is None or outcome.next.url in visited or is_old:
            break
        request = outcome.next
    return Discovery(tuple(jobs), page_count=len(visited))


def _page_limit(listing: ListRequest, since: float | None) -> int:
    """Return the bound of pages: a list that begins with the newest job ends by itself at an instant."""
    if listing.max_pages is None and listing.order == "newest_first" and since is not None:
        return MAX_PAGES
    return listing.page_limit


def _is_old(job: ListedJob, known: Container[str], since: float | None) -> bool:
    return job.id in known or (since is not None and job.created_at is not None and job.created_at < since)
