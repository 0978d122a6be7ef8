"""Probe of an account for `doctor`: one request that shows whether service and key work. Nothing is stored."""

import functools
from random import Random
from typing import NamedTuple

from tui.domain.models import Fault, FaultKind, Job, RequestRecord
from tui.engine.accounts.account import AccountRuntime
from tui.engine.accounts.api_migration import MigrationStep
from tui.engine.context import HttpSettings
from tui.engine.http.client import RequestLimits, TransportFactory
from tui.engine.http.environment import create_tls_context
from tui.storage.workspace import Workspace

PROBE_JOB_ID = "babeltop-doctor"
"""Id that is polled if the account has no job: a 404 proves the key."""
MAX_WAIT = 10.0
"""Seconds to wait for the rate limit."""


class ProbeResult(NamedTuple):
    """Result of a probe."""

    job: Job
    fault: Fault | None
    """None: the service returned a report."""
    skew: float | None
    """Seconds by which the service's clock is ahead; None: it sent no Date."""
    request_record: RequestRecord | None
    """None: no request was sent."""
    moved_to: str = ""
    """Title of the successor that returned a report, if the account's API is retired; else ""."""


async def probe(
    workspace: Workspace,
    account: str,
    newest: Job | None,
    transport: TransportFactory | None = None,
    limits: RequestLimits = RequestLimits(),  # noqa: B008  frozen
) -> ProbeResult:
    """Poll the account's newest job, or PROBE_JOB_ID, within its rate limit. Raises nothing: a fault is a value.

    The workspace's journal must be open (`ensure_journal`).
    """
    job_id = workspace.accounts[account].provider.endpoint().job_id
    probe_id = PROBE_JOB_ID if job_id is None else job_id.separator.join([PROBE_JOB_ID] * len(job_id.parts))
    job = newest or Job(account=account, id=probe_id)
    storage = workspace.shared_storage()
    runtime = AccountRuntime(
        workspace.accounts[account], workspace.wall, Random(), workspace.config.successor_of, storage.rate_limits
    )
    runtime.set_key(workspace.keys.get(account))
    if runtime.key_fault is not None:
        return ProbeResult(job, runtime.key_fault, None, None)
    try:
        if refusal := await storage.rate_limits.refusal():
            return ProbeResult(job, Fault(FaultKind.LIMITED, refusal), None, None)
        async with runtime.new_client(HttpSettings(functools.cache(create_tls_context), transport, limits)) as client:
            if (fault := await runtime.limits.acquire_slot(MAX_WAIT)) is not None:
                return ProbeResult(job, fault, None, None)
            response = await runtime.poll(client, job)
            if (
                response.migration_step is MigrationStep.RETRY_ON_SUCCESSOR
                and await runtime.limits.acquire_slot(MAX_WAIT) is None
            ):
                response = await runtime.poll(client, job)  # at the successor of a retired API
    finally:
        await storage.close()
    fault = response.outcome if isinstance(response.outcome, Fault) else None
    moved_to = runtime.account.provider.title if response.migration_step is MigrationStep.MOVED else ""
    return ProbeResult(job, fault, runtime.health.state.skew, response.request_record, moved_to)
