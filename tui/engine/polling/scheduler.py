"""When each job of a session is asked next, or why it cannot be. It asks nothing, and changes no state.

`domain.cadence` decides; this knows the accounts, the settings and what was learned.
"""

from collections.abc import Callable, Mapping
from random import Random

from tui.domain.job_state import JobState, PhaseChange, PollScheduled
from tui.domain.models import ACTIVE, Fault, FaultKind, Job, Ref
from tui.domain.polling import schedule
from tui.domain.polling.schedule import PollingPolicy
from tui.engine.accounts.account import AccountRuntime
from tui.engine.polling.duration_learner import DurationLearner
from tui.providers.model import UnknownKind
from tui.storage.workspace import Workspace


class Scheduler:
    """One session's."""

    def __init__(
        self, workspace: Workspace, accounts: Mapping[str, AccountRuntime], now: Callable[[], float], random: Random
    ) -> None:
        self._workspace = workspace
        self._accounts = accounts
        self._now = now
        self._random = random
        self._policies: dict[tuple[str, str], PollingPolicy | None] = {}
        self._unconfigured: dict[str, Fault] = {}
        self._duration_learner = DurationLearner(
            lambda account, kind, most: workspace.journal.durations(account, kind, most), now
        )

    def on_phase_change(self, state: JobState, change: PhaseChange) -> None:
        """The job's phase has changed: perhaps there is something to learn."""
        self._duration_learner.on_phase_change(state, change)

    def forget(self, ref: Ref) -> None:
        """The job is off the board."""
        self._duration_learner.set_demand(ref, None)

    def on_account_moved(self, account: str) -> None:
        """The account is another provider's: so are its jobs' tempos."""
        self._policies = {key: tempo for key, tempo in self._policies.items() if key[0] != account}

    def refusal(self, job: Job) -> Fault | None:
        """Why the job cannot be asked at all, as things are configured."""
        live = self._accounts.get(job.account)
        if live is None:
            if job.account not in self._unconfigured:
                why = self._workspace.why_unconfigured(job.account)
                self._unconfigured[job.account] = Fault(FaultKind.REFUSED, why)
            return self._unconfigured[job.account]
        try:
            live.endpoint(job)
        except UnknownKind as error:
            return Fault(FaultKind.REFUSED, str(error))
        return live.key_fault

    def wants_result(self, state: JobState) -> bool:
        """The next ask of the job is for its result."""
        tempo = self.policy_for(state.job)
        return tempo is not None and schedule.needs_result(state, tempo)

    def has_result_request(self, state: JobState) -> bool:
        """The job's links come with its result, which is asked for by its run."""
        tempo = self.policy_for(state.job)
        return (
            tempo is not None
            and tempo.has_result_request
            and state.report is not None
            and state.report.result_id is not None
        )

    def after_event(self, state: JobState) -> PollScheduled:
        """After what has just happened to the job."""
        tempo, now = self.policy_for(state.job), self._now()
        if tempo is None or self.refusal(state.job) is not None:
            self._duration_learner.set_demand(state.job.ref, None)
            return PollScheduled(None, "", state.stale_after)
        learned = (
            self._duration_learner.learned_timing(state.job, tempo, self._accounts[state.job.account])
            if _is_active(state)
            else None
        )
        plan = schedule.next_poll(state, tempo, now, self._random, learned)
        self._duration_learner.set_demand(state.job.ref, plan and plan.demand)
        if plan is None:  # what is put away while it runs grows old like any other
            return PollScheduled(None, "", state.stale_after if state.phase in ACTIVE else None)
        return PollScheduled(plan.at, plan.reason, schedule.stale_after(state, plan.at, now), learned and learned.fit)

    def first_poll(self, state: JobState) -> PollScheduled:
        """The first ask of this session: when it was planned, or spread over the shortest cold interval."""
        tempo, now = self.policy_for(state.job), self._now()
        asleep = state.phase not in ACTIVE or state.job.archived
        if tempo is None or asleep or self.refusal(state.job) is not None:
            return self.after_event(state)
        if state.next_poll_at is not None and now < state.next_poll_at < now + tempo.steady_interval:
            return PollScheduled(state.next_poll_at, state.next_poll_reason, state.stale_after, state.duration_fit)
        return self.within_first_interval(state, "first ask of this session")

    def within_first_interval(self, state: JobState, reason: str) -> PollScheduled:
        """Within the shortest cold interval, whatever its phase; not at all where it cannot be asked."""
        tempo = self.policy_for(state.job)
        if tempo is None or state.job.archived or self.refusal(state.job) is not None:
            return self.after_event(state)
        at = self._now() + self._random.uniform(0, tempo.initial_interval)
        return PollScheduled(at, reason, state.stale_after, state.duration_fit)

    def policy_for(self, job: Job) -> PollingPolicy | None:
        """The tempo of the job's kind; None: its account or kind is not known."""
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
        polling = self._workspace.settings.polling
        return PollingPolicy.for_cadence(
            endpoint.cadence,
            max_interval=polling.max_interval,
            stall_after=polling.stall_after,
            has_result_request=endpoint.result is not None,
            renew_before=self._workspace.settings.links.renew_before,
        )


def _is_active(state: JobState) -> bool:
    return state.phase in ACTIVE and not state.job.archived
