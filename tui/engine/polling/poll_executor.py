"""Executor of polls: sends one poll or bulk poll and applies the response. When to poll is decided by its callers."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tui.domain.job_state import Event, PollFailed, ResultReceived, StatusReceived
from tui.domain.models import ENDED, Fault, FaultKind, Phase, PollReason, Ref, Report, Result
from tui.engine.accounts.account import AccountRuntime, PollResponse
from tui.engine.accounts.api_migration import MigrationStep
from tui.engine.context import EngineContext
from tui.engine.http.client import Client
from tui.engine.polling.job_store import JobStore

OnResponse = Callable[[AccountRuntime, Ref, PollResponse[Any]], Awaitable[None]]
"""Called after each response, which may have changed the account or moved it to the successor of its API."""

log = logging.getLogger(__name__)


class PollExecutor:
    """Executor of one engine. Its methods do not raise: an internal error becomes a fault of the polled job."""

    def __init__(self, context: EngineContext, job_store: JobStore, on_response: OnResponse) -> None:
        self._now = context.now
        self._job_store = job_store
        self._on_response = on_response

    def can_batch(self, runtime: AccountRuntime, ref: Ref, due_at: float) -> bool:
        """Return whether the job can join a bulk poll now."""
        state = self._job_store.states.get(ref)
        if state is None or runtime.migration.has_pending(ref.id):
            return False
        return runtime.bulk.can_batch(state, due_at, self._now())

    async def run_batch(self, runtime: AccountRuntime, client: Client, refs: Sequence[Ref]) -> None:
        """Poll one job, or several with one bulk request."""
        if len(refs) == 1:
            await self.poll(runtime, client, refs[0], one_shot=False)
        else:
            await self._catch_errors(refs, self._poll_bulk(runtime, client, refs))

    async def poll(self, runtime: AccountRuntime, client: Client, ref: Ref, *, one_shot: bool) -> None:
        """Poll one job, or fetch the result of one that is done. `one_shot`: the poll is not repeated."""
        await self._catch_errors([ref], self._poll_one(runtime, client, ref, one_shot))

    async def renew(self, runtime: AccountRuntime, client: Client, ref: Ref, *, one_shot: bool) -> None:
        """Poll one job for new links. A job that is done stays done, whatever the response says."""
        await self._catch_errors([ref], self._poll_one(runtime, client, ref, one_shot, is_renewal=True))

    async def _catch_errors(self, refs: Sequence[Ref], poll: Awaitable[None]) -> None:
        try:
            await poll
        except Exception as error:
            log.exception("poll of %s", ", ".join(map(str, refs)))
            fault = Fault(FaultKind.MALFORMED, f"internal error ({type(error).__name__}), see babeltop.log")
            for ref in self._still_listed(refs):
                self._job_store.apply(ref, PollFailed(fault, self._now()))

    def _still_listed(self, refs: Sequence[Ref]) -> list[Ref]:
        """Return the jobs that were not removed from the watchlist during their poll."""
        return [ref for ref in refs if ref in self._job_store.states]

    async def _poll_one(
        self, runtime: AccountRuntime, client: Client, ref: Ref, one_shot: bool, *, is_renewal: bool = False
    ) -> None:
        store = self._job_store
        state = store.states.get(ref)
        if state is None:
            return
        is_renewal = state.phase is Phase.DONE if is_renewal else not one_shot and store.is_link_renewal(state)
        response: PollResponse[Report] | PollResponse[Result]
        if store.scheduler.wants_result(state) or (is_renewal and store.scheduler.has_result_request(state)):
            response = await runtime.fetch_result(client, state)
        else:
            response = await runtime.poll(client, state.job)
        await self._on_response(runtime, ref, response)
        if ref not in store.states:
            return
        if response.is_outdated:
            store.poll_now(ref, PollReason.RESPONSE_OUTDATED)
        elif response.migration_step is MigrationStep.RETRY_ON_SUCCESSOR:
            store.poll_now(ref, PollReason.SUCCESSOR)
        else:
            event = event_of(response, one_shot, is_renewal=is_renewal)
            store.apply(ref, event, response.body, response.request_record)

    async def _poll_bulk(self, runtime: AccountRuntime, client: Client, refs: Sequence[Ref]) -> None:
        response = await runtime.poll_bulk(client, [ref.id for ref in refs])
        await self._on_response(runtime, refs[0], response)
        listed, outcome = self._still_listed(refs), response.outcome
        if not response.is_outdated and not isinstance(outcome, Fault):
            for ref in listed:
                self._apply_bulk_item(runtime, ref, outcome.get(ref.id), response)
        elif (
            not isinstance(outcome, Fault)
            or response.is_outdated
            or runtime.bulk.disable_on(outcome, response.received_at)
        ):
            for ref in listed:
                self._job_store.poll_now(ref, PollReason.BULK_FAILED)
        else:
            self._job_store.apply_all(listed, PollFailed(outcome, response.received_at), response.request_record)

    def _apply_bulk_item(
        self, runtime: AccountRuntime, ref: Ref, report: Report | None, response: PollResponse[Any]
    ) -> None:
        """Apply one item of a bulk response. A job that ended is polled singly, unless the item is a whole report."""
        needs_single_poll = report is None or (report.phase in ENDED and not runtime.has_whole_bulk_reports)
        if report is not None and (not needs_single_poll or report.phase is Phase.DONE):  # done is shown at once
            event = StatusReceived(report, response.received_at, response.skew)
            self._job_store.apply(ref, event, request=response.request_record)
        if needs_single_poll:
            runtime.bulk.exclude(ref.id)
            self._job_store.poll_now(ref, PollReason.BULK_INCOMPLETE)


def event_of(
    response: PollResponse[Report] | PollResponse[Result], one_shot: bool, *, is_renewal: bool = False
) -> Event:
    """Return the event of a response. `is_renewal`: a job that is done was polled for new links."""
    match response.outcome:
        case Report():
            return StatusReceived(response.outcome, response.received_at, response.skew, is_renewal)
        case Result():
            return ResultReceived(response.outcome, response.received_at, response.skew, is_renewal)
        case Fault():
            return PollFailed(response.outcome, response.received_at, one_shot, response.is_follow_up or is_renewal)
