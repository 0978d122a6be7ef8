"""Has jobs asked, one or many in one request, and settles what comes of it. When, is the poller's and `check`'s."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tui.domain.job_state import Event, PollFailed, ResultReceived, StatusReceived
from tui.domain.models import ENDED, Fault, FaultKind, Phase, Ref, Report, Result
from tui.engine.accounts.account import AccountRuntime, PollResponse
from tui.engine.accounts.api_migration import MigrationStep
from tui.engine.http.client import Client
from tui.engine.polling.job_store import JobStore

log = logging.getLogger(__name__)


class PollExecutor:
    """The asks of one session. Nothing in it raises: an error of our own is that job's fault, and never another's."""

    def __init__(
        self,
        job_store: JobStore,
        *,
        on_response: Callable[[AccountRuntime], None],
        on_migration: Callable[[AccountRuntime, Ref, MigrationStep], None],
        now: Callable[[], float],
    ) -> None:
        """`told`: an ask may have changed the account. `turned`: an ask decided something of its succession."""
        self._job_store = job_store
        self._on_response = on_response
        self._on_migration = on_migration
        self._now = now

    def can_batch(self, live: AccountRuntime, ref: Ref, due: float) -> bool:
        """The job can be asked now, together with others."""
        state = self._job_store.states.get(ref)
        if state is None or live.migration.has_pending(ref.id):
            return False
        return live.bulk.can_batch(state, due, self._now())

    async def run_batch(self, live: AccountRuntime, client: Client, refs: Sequence[Ref]) -> None:
        """What is due: one job, or several in one ask."""
        if len(refs) == 1:
            await self.poll(live, client, refs[0], one_shot=False)
            return
        await self._catch_errors(refs, self._poll_bulk(live, client, refs))

    async def poll(self, live: AccountRuntime, client: Client, ref: Ref, *, one_shot: bool) -> None:
        """One job, or the result of one that is done. `person`: somebody asked by hand."""
        await self._catch_errors([ref], self._poll_one(live, client, ref, one_shot))

    async def renew(self, live: AccountRuntime, client: Client, ref: Ref, *, one_shot: bool) -> None:
        """One job, for fresh links. What is done stays done, whatever the service says now."""
        await self._catch_errors([ref], self._poll_one(live, client, ref, one_shot, is_renewal=True))

    async def _catch_errors(self, refs: Sequence[Ref], polling: Awaitable[None]) -> None:
        try:
            await polling
        except Exception as error:
            log.exception("asking %s", ", ".join(map(str, refs)))
            fault = Fault(FaultKind.MALFORMED, f"babeltop's own error ({type(error).__name__}); the log has more")
            for ref in self._still_listed(refs):
                self._job_store.apply(ref, PollFailed(fault, self._now()))

    def _still_listed(self, refs: Sequence[Ref]) -> list[Ref]:
        """Those that are still on the board: a job may be removed while it is asked."""
        return [ref for ref in refs if ref in self._job_store.states]

    async def _poll_one(
        self, live: AccountRuntime, client: Client, ref: Ref, one_shot: bool, *, is_renewal: bool = False
    ) -> None:
        state = self._job_store.states.get(ref)
        if state is None:
            return
        is_renewal = (
            state.phase is Phase.DONE if is_renewal else not one_shot and self._job_store.is_link_renewal(state)
        )
        answer: PollResponse[Report] | PollResponse[Result]
        if self._job_store.scheduler.wants_result(state) or (
            is_renewal and self._job_store.scheduler.has_result_request(state)
        ):
            answer = await live.fetch_result(client, state)
        else:
            answer = await live.poll(client, state.job)
        if answer.migration_step is not None:
            self._on_migration(live, ref, answer.migration_step)
        self._on_response(live)
        if ref not in self._job_store.states:
            return
        if answer.is_outdated:
            self._job_store.poll_now(ref, "what came was of before")
        elif answer.migration_step is MigrationStep.RETRY_ON_SUCCESSOR:
            self._job_store.poll_now(ref, "its API is over: now the successor")
        else:
            self._job_store.apply(
                ref, event_of(answer, one_shot, is_renewal=is_renewal), answer.body, answer.request_record
            )

    async def _poll_bulk(self, live: AccountRuntime, client: Client, refs: Sequence[Ref]) -> None:
        answer = await live.poll_bulk(client, [ref.id for ref in refs])
        self._on_response(live)
        held = self._still_listed(refs)
        if not answer.is_outdated and not isinstance(answer.outcome, Fault):
            for ref in held:
                self._apply_bulk_item(live, ref, answer.outcome.get(ref.id), answer)
        elif (
            answer.is_outdated
            or not isinstance(answer.outcome, Fault)
            or live.bulk.disable_on(answer.outcome, answer.received_at)
        ):
            for ref in held:
                self._job_store.poll_now(ref, "not answered in one ask with others")
        else:
            self._job_store.apply_all(held, PollFailed(answer.outcome, answer.received_at), answer.request_record)

    def _apply_bulk_item(
        self, live: AccountRuntime, ref: Ref, report: Report | None, response: PollResponse[Any]
    ) -> None:
        """What ended is asked singly, for its link or for why. That it is done is told at once."""
        ended = report is not None and report.phase in ENDED
        if report is not None and (not ended or report.phase is Phase.DONE):
            self._job_store.apply(
                ref, StatusReceived(report, response.received_at, response.skew), request=response.request_record
            )
        if report is None or ended:
            live.bulk.exclude(ref.id)
            self._job_store.poll_now(ref, "not all was said in one ask with others")


def event_of(
    response: PollResponse[Report] | PollResponse[Result], one_shot: bool, *, is_renewal: bool = False
) -> Event:
    """What happened to the job by it. `anew`: it is done, and was asked for fresh links."""
    match response.outcome:
        case Report():
            return StatusReceived(response.outcome, response.received_at, response.skew, is_renewal)
        case Result():
            return ResultReceived(response.outcome, response.received_at, response.skew, is_renewal)
        case Fault():
            return PollFailed(response.outcome, response.received_at, one_shot, response.is_follow_up or is_renewal)
