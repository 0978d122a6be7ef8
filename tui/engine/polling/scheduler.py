"""Scheduler of the polls of one engine: when a job is polled next, or why it can't be polled. It changes no state.

`domain/polling/schedule.py` computes the schedule; this module supplies policies, accounts and learned timing.
"""

from collections.abc import Iterable, Mapping

from tui.domain.job_state import JobState, PhaseChange, PollScheduled
from tui.domain.models import ACTIVE, Fault, FaultKind, Job, PollReason, Ref
from tui.domain.polling import schedule
from tui.domain.polling.schedule import LearnedTiming, PollingPolicy
from tui.engine.accounts.account import AccountRuntime
from tui.engine.context import EngineContext
from tui.engine.polling.duration_learner import DurationLearner
from tui.providers.model import UnknownKind
from tui.storage.protocols import JobJournal
from tui.storage.workspace import Workspace


class Scheduler:
    """Scheduler of one engine."""

    def __init__(
        self,
        context: EngineContext,
        workspace: Workspace,
        journal: JobJournal,
        accounts: Mapping[str, AccountRuntime],
    ) -> None:
        self._workspace = workspace
        self._accounts = accounts
        self._now = context.now
        self._random = context.random
        self._policies: dict[tuple[str, str], PollingPolicy | None] = {}
        self._unconfigured: dict[str, Fault] = {}
        self._duration_learner = DurationLearner(journal.durations, self._now)

    async def load_durations(self, jobs: Iterable[Job]) -> None:
        """Read what is known of the durations of the jobs' kinds."""
        await self._duration_learner.load(jobs)

    def on_phase_change(self, state: JobState, change: PhaseChange) -> None:
        """Learn the duration of a job that ended."""
        self._duration_learner.on_phase_change(state, change)

    def forget(self, ref: Ref) -> None:
        """Forget the demand of a job that left the watchlist."""
        self._duration_learner.set_demand(ref, None)

    def on_account_moved(self, account: str) -> None:
        """Build the policies of the account's new provider."""
        self._policies = {key: policy for key, policy in self._policies.items() if key[0] != account}

    def refusal(self, job: Job) -> Fault | None:
        """Return why the job can't be polled with this configuration; None if it can."""
        runtime = self._accounts.get(job.account)
        if runtime is None:
            if job.account not in self._unconfigured:
                reason = self._workspace.config.why_unconfigured(job.account)
                self._unconfigured[job.account] = Fault(FaultKind.REFUSED, reason)
            return self._unconfigured[job.account]
        try:
            runtime.endpoint(job)
        except UnknownKind as error:
            return Fault(FaultKind.REFUSED, str(error))
        return runtime.key_fault

    def wants_result(self, state: JobState) -> bool:
        """Return whether the next request of the job is for its result."""
        policy = self.policy_for(state.job)
        return policy is not None and schedule.needs_result(state, policy)

    def has_result_request(self, state: JobState) -> bool:
        """Return whether the links of the job come with its result, requested by a result id."""
        policy = self.policy_for(state.job)
        has_result_id = state.report is not None and state.report.result_id is not None
        return policy is not None and policy.has_result_request and has_result_id

    def after_event(self, state: JobState) -> PollScheduled:
        """Return the next poll after an event."""
        policy, now = self.policy_for(state.job), self._now()
        if policy is None or self.refusal(state.job) is not None:
            self._duration_learner.set_demand(state.job.ref, None)
            return PollScheduled(None, None, state.stale_after)
        timing = self._learned_timing(state, policy)
        poll = schedule.next_poll(state, policy, now, self._random, timing)
        self._duration_learner.set_demand(state.job.ref, poll and poll.demand)
        if poll is None:  # an archived job that is active gets stale like any other
            return PollScheduled(None, None, state.stale_after if state.phase in ACTIVE else None)
        return PollScheduled(poll.at, poll.reason, schedule.stale_after(state, poll.at, now), timing and timing.fit)

    def _learned_timing(self, state: JobState, policy: PollingPolicy) -> LearnedTiming | None:
        if state.phase not in ACTIVE or state.job.archived:
            return None
        return self._duration_learner.learned_timing(state.job, policy, self._accounts[state.job.account])

    def first_poll(self, state: JobState) -> PollScheduled:
        """Return the first poll since the start: as journalled, or spread over the first interval."""
        policy, now = self.policy_for(state.job), self._now()
        is_inactive = state.phase not in ACTIVE or state.job.archived
        if policy is None or is_inactive or self.refusal(state.job) is not None:
            return self.after_event(state)
        if state.next_poll_at is not None and now < state.next_poll_at < now + policy.steady_interval:
            return PollScheduled(state.next_poll_at, state.next_poll_reason, state.stale_after, state.duration_fit)
        return self.within_first_interval(state, PollReason.FIRST_SINCE_START)

    def within_first_interval(self, state: JobState, reason: PollReason) -> PollScheduled:
        """Return a poll at random within the first interval, in any phase; none if the job can't be polled."""
        policy = self.policy_for(state.job)
        if policy is None or state.job.archived or self.refusal(state.job) is not None:
            return self.after_event(state)
        at = self._now() + self._random.uniform(0, policy.initial_interval)
        return PollScheduled(at, reason, state.stale_after, state.duration_fit)

    def policy_for(self, job: Job) -> PollingPolicy | None:
        """Return the polling policy of the job's account and kind; None if one of them is unknown."""
        key = (job.account, job.kind)
        if key not in self._policies:
            self._policies[key] = self._build_policy(job)
        return self._policies[key]

    def _build_policy(self, job: Job) -> PollingPolicy | None:
        if job.account not in self._accounts:
            return None
        try:
            endpoint = self._accounts[job.account].endpoint(job)
        except UnknownKind:
            return None
        settings = self._workspace.settings
        return PollingPolicy.for_cadence(
            endpoint.cadence,
            max_interval=settings.polling.max_interval,
            stall_after=settings.polling.stall_after,
            has_result_request=endpoint.result is not None,
            renew_before=settings.links.renew_before,
        )
