"""One ask of an account, to see that service and key are good. What it brings is kept nowhere."""

import functools
import time
from random import Random
from typing import NamedTuple

import httpx

from tui.domain.models import Fault, Job, RequestRecord
from tui.engine.accounts.account import AccountRuntime
from tui.engine.accounts.api_migration import MigrationStep
from tui.engine.context import HttpSettings
from tui.engine.http.client import RequestLimits, TransportFactory
from tui.storage.workspace import Workspace

PROBE_JOB_ID = "babeltop-doctor"
"""The id that is asked for where an account has no job: "not found" proves the key."""
MAX_WAIT = 10.0
"""Seconds that an ask waits for a floor or the bucket."""


class ProbeResult(NamedTuple):
    """What one ask of an account brought."""

    job: Job
    fault: Fault | None
    """None: a report came."""
    skew: float | None
    """Seconds by which the service's clock is ahead of ours; None: it said no time."""
    request_record: RequestRecord | None
    """The ask; None: none was sent."""
    moved_to: str = ""
    """The provider that answered, where the account's own API is over; else ""."""


async def probe(
    workspace: Workspace,
    account: str,
    newest: Job | None,
    transport: TransportFactory | None = None,
    limits: RequestLimits = RequestLimits(),  # noqa: B008  frozen
) -> ProbeResult:
    """Asks the account for its newest job, or for a stand-in, within its budget. A fault is a value; nothing raises.

    The library's journal is to be open (`ensure_journal`).
    """
    job = newest or Job(account=account, id=PROBE_JOB_ID)
    rate_limits = workspace.journal.rate_limits
    runtime = AccountRuntime(
        workspace.accounts[account], time.time, Random(), workspace.successor_of, lambda: rate_limits
    )
    runtime.set_key(workspace.key(account))
    if runtime.key_fault is not None:
        return ProbeResult(job, runtime.key_fault, None, None)
    http = HttpSettings(functools.cache(httpx.create_ssl_context), transport, limits)
    async with runtime.new_client(http) as client:
        if (fault := await runtime.acquire_slot(MAX_WAIT)) is not None:
            return ProbeResult(job, fault, None, None)
        response = await runtime.poll(client, job)
        if response.migration_step is MigrationStep.RETRY_ON_SUCCESSOR and await runtime.acquire_slot(MAX_WAIT) is None:
            response = await runtime.poll(client, job)  # the successor, of an API that is over
    fault = response.outcome if isinstance(response.outcome, Fault) else None
    moved_to = runtime.account.provider.title if response.migration_step is MigrationStep.MOVED else ""
    return ProbeResult(job, fault, runtime.state.skew, response.request_record, moved_to)
