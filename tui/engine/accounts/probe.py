"""One ask of an account, to see that service and key are good. What it brings is kept nowhere."""

import asyncio
import functools
import time
from random import Random
from typing import NamedTuple

import httpx

from tui.domain.models import Fault, FaultKind, Job, RequestRecord
from tui.engine.accounts.account import LiveAccount
from tui.engine.accounts.api_migration import Turn
from tui.engine.http.client import Bounds, Transport
from tui.storage.workspace import Workspace

STAND_IN = "babeltop-doctor"
"""The id that is asked for where an account has no job: "not found" proves the key."""
PATIENCE = 10.0
"""Seconds that an ask waits for a floor or the bucket."""


class Probe(NamedTuple):
    """What one ask of an account brought."""

    job: Job
    fault: Fault | None
    """None: a report came."""
    skew: float | None
    """Seconds by which the service's clock is ahead of ours; None: it said no time."""
    asked: RequestRecord | None
    """The ask; None: none was sent."""
    moved: str = ""
    """The provider that answered, where the account's own API is over; else ""."""


async def probe(
    library: Workspace,
    account: str,
    newest: Job | None,
    transport: Transport | None = None,
    bounds: Bounds = Bounds(),  # noqa: B008  frozen
) -> Probe:
    """Asks the account for its newest job, or for a stand-in, within its budget. A fault is a value; nothing raises.

    The library's journal is to be open (`ensure_journal`).
    """
    job = newest or Job(account=account, id=STAND_IN)
    budgets = library.journal.rate_limits
    live = LiveAccount(library.accounts[account], time.time, Random(), library.successor_of, lambda: budgets)
    live.unlock(library.key(account))
    if live.refusal is not None:
        return Probe(job, live.refusal, None, None)
    tls = functools.cache(httpx.create_ssl_context)
    async with live.client(tls, transport, bounds) as client:
        if (fault := await _leave(live)) is not None:
            return Probe(job, fault, None, None)
        answer = await live.ask(client, job)
        if answer.turn is Turn.NEXT and await _leave(live) is None:
            answer = await live.ask(client, job)  # the successor, of an API that is over
    fault = answer.outcome if isinstance(answer.outcome, Fault) else None
    moved = live.account.provider.title if answer.turn is Turn.MOVED else ""
    return Probe(job, fault, live.state.skew, answer.asked, moved)


async def _leave(live: LiveAccount) -> Fault | None:
    """Waits for leave and pays, or says why there is none."""
    deadline = time.time() + PATIENCE
    while True:
        now = time.time()
        leave = live.leave(now, person=True)
        if leave is None or leave.at > deadline:
            reason = leave.reason if leave else live.state.message
            return Fault(FaultKind.LIMITED, f"nothing was sent: {reason}", retry_at=leave.at if leave else None)
        if leave.at > now:
            await asyncio.sleep(leave.at - now)
        elif live.pay(now):
            return None
