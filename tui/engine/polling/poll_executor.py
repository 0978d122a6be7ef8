"""Has jobs asked, one or many in one request, and settles what comes of it. When, is the poller's and `check`'s."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tui.domain.job_state import Event, PollFailed, ResultReceived, StatusReceived
from tui.domain.models import ENDED, Fault, FaultKind, Phase, Ref, Report, Result
from tui.engine.accounts.account import Answer, LiveAccount
from tui.engine.accounts.api_migration import Turn
from tui.engine.http.client import Client
from tui.engine.polling.job_store import Ledger

log = logging.getLogger(__name__)


class Asking:
    """The asks of one session. Nothing in it raises: an error of our own is that job's fault, and never another's."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        told: Callable[[LiveAccount], None],
        turned: Callable[[LiveAccount, Ref, Turn], None],
        now: Callable[[], float],
    ) -> None:
        """`told`: an ask may have changed the account. `turned`: an ask decided something of its succession."""
        self._ledger = ledger
        self._told = told
        self._turned = turned
        self._now = now

    def joins(self, live: LiveAccount, ref: Ref, due: float) -> bool:
        """The job can be asked now, together with others."""
        state = self._ledger.states.get(ref)
        if state is None or live.succession.owes(ref.id):
            return False
        return live.bulk.joins(state, due, self._now())

    async def due(self, live: LiveAccount, client: Client, refs: Sequence[Ref]) -> None:
        """What is due: one job, or several in one ask."""
        if len(refs) == 1:
            await self.one(live, client, refs[0], person=False)
            return
        await self._guarded(refs, self._many(live, client, refs))

    async def one(self, live: LiveAccount, client: Client, ref: Ref, *, person: bool) -> None:
        """One job, or the result of one that is done. `person`: somebody asked by hand."""
        await self._guarded([ref], self._one(live, client, ref, person))

    async def anew(self, live: LiveAccount, client: Client, ref: Ref, *, person: bool) -> None:
        """One job, for fresh links. What is done stays done, whatever the service says now."""
        await self._guarded([ref], self._one(live, client, ref, person, anew=True))

    async def _guarded(self, refs: Sequence[Ref], asking: Awaitable[None]) -> None:
        try:
            await asking
        except Exception as error:
            log.exception("asking %s", ", ".join(map(str, refs)))
            fault = Fault(FaultKind.MALFORMED, f"babeltop's own error ({type(error).__name__}); the log has more")
            for ref in self._held(refs):
                self._ledger.settle(ref, PollFailed(fault, self._now()))

    def _held(self, refs: Sequence[Ref]) -> list[Ref]:
        """Those that are still on the board: a job may be removed while it is asked."""
        return [ref for ref in refs if ref in self._ledger.states]

    async def _one(self, live: LiveAccount, client: Client, ref: Ref, person: bool, *, anew: bool = False) -> None:
        state = self._ledger.states.get(ref)
        if state is None:
            return
        anew = state.phase is Phase.DONE if anew else not person and self._ledger.renews(state)
        answer: Answer[Report] | Answer[Result]
        if self._ledger.plans.wants_result(state) or (anew and self._ledger.plans.has_result(state)):
            answer = await live.result(client, state)
        else:
            answer = await live.ask(client, state.job)
        if answer.turn is not None:
            self._turned(live, ref, answer.turn)
        self._told(live)
        if ref not in self._ledger.states:
            return
        if answer.outdated:
            self._ledger.hurry(ref, "what came was of before")
        elif answer.turn is Turn.NEXT:
            self._ledger.hurry(ref, "its API is over: now the successor")
        else:
            self._ledger.settle(ref, event(answer, person, anew=anew), answer.body, answer.asked)

    async def _many(self, live: LiveAccount, client: Client, refs: Sequence[Ref]) -> None:
        answer = await live.ask_many(client, [ref.id for ref in refs])
        self._told(live)
        held = self._held(refs)
        if not answer.outdated and not isinstance(answer.outcome, Fault):
            for ref in held:
                self._one_of_many(live, ref, answer.outcome.get(ref.id), answer)
        elif answer.outdated or not isinstance(answer.outcome, Fault) or live.bulk.failed(answer.outcome, answer.at):
            for ref in held:
                self._ledger.hurry(ref, "not answered in one ask with others")
        else:
            self._ledger.settle_alike(held, PollFailed(answer.outcome, answer.at), answer.asked)

    def _one_of_many(self, live: LiveAccount, ref: Ref, report: Report | None, answer: Answer[Any]) -> None:
        """What ended is asked singly, for its link or for why. That it is done is told at once."""
        ended = report is not None and report.phase in ENDED
        if report is not None and (not ended or report.phase is Phase.DONE):
            self._ledger.settle(ref, StatusReceived(report, answer.at, answer.skew), asked=answer.asked)
        if report is None or ended:
            live.bulk.ask_singly(ref.id)
            self._ledger.hurry(ref, "not all was said in one ask with others")


def event(answer: Answer[Report] | Answer[Result], person: bool, *, anew: bool = False) -> Event:
    """What happened to the job by it. `anew`: it is done, and was asked for fresh links."""
    match answer.outcome:
        case Report():
            return StatusReceived(answer.outcome, answer.at, answer.skew, anew)
        case Result():
            return ResultReceived(answer.outcome, answer.at, answer.skew, anew)
        case Fault():
            return PollFailed(answer.outcome, answer.at, person, answer.second or anew)
