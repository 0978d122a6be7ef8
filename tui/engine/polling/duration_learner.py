"""Learner of job durations by account and kind, and of the shadow price of each account's requests.

It keeps the observations; `domain/polling/duration_model.py` and `request_cost.py` compute. It schedules nothing.
"""

import math
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import ACTIVE, Job, Phase, Ref
from tui.domain.polling import duration_model, request_cost
from tui.domain.polling.duration_model import LogNormalFit, ObservedDuration
from tui.domain.polling.request_cost import PollDemand
from tui.domain.polling.schedule import LearnedTiming, PollingPolicy
from tui.engine.accounts.account import AccountRuntime
from tui.storage.journal.database import JournalError

MAX_HISTORY = 200
"""Ended jobs of an account and kind that are used: the last ones, because services change."""
REFIT_INTERVAL = 5.0
"""Seconds for which a fit and a price are reused: with thousands of jobs each takes some milliseconds."""
LEARNED_PHASES = frozenset({Phase.DONE, Phase.FAILED, Phase.TIMED_OUT})
"""Phases that end a duration. `blocked` and `missing` have other causes."""
DAILY_BUDGET_SPREAD = 3600.0
"""Seconds over which the rest of a daily limit may be spent: the less is left, the higher the price."""

LoadHistory = Callable[[str, str, int], Awaitable[Sequence[ObservedDuration]]]
"""Returns the last durations of an account and kind, at most so many, oldest first. May raise JournalError."""


def observed_duration(state: JobState, change: PhaseChange) -> ObservedDuration | None:
    """Return the duration of the job if the change is its end and polls saw the job active before; else None."""
    if change.after not in LEARNED_PHASES or change.before not in ACTIVE:
        return None
    started_at = state.first_polled_at
    if change.earliest is None or started_at is None:
        return None
    return ObservedDuration(max(0.0, change.earliest - started_at), max(0.0, change.seen - started_at))


class _KindHistory:
    """Durations of the jobs of one account and kind."""

    def __init__(self, history: Sequence[ObservedDuration]) -> None:
        self.history = deque(history, maxlen=MAX_HISTORY)
        self.fit: LogNormalFit | None = None
        self.fitted_at = -math.inf
        self.has_new = True
        """Jobs ended since the last fit."""


class _AccountCost:
    """Demands of the jobs of one account, and the price of its requests."""

    def __init__(self) -> None:
        self.demands: dict[Ref, PollDemand] = {}
        self.price = request_cost.MIN_SHADOW_PRICE
        self.priced_at = -math.inf


class DurationLearner:
    """Learner of one engine. The history of a kind is read from the journal when its first job is listed."""

    def __init__(self, load_history: LoadHistory, now: Callable[[], float]) -> None:
        self._load_history = load_history
        self._now = now
        self._kinds: dict[tuple[str, str], _KindHistory] = {}
        self._costs: dict[str, _AccountCost] = {}

    async def load(self, jobs: Iterable[Job]) -> None:
        """Read the histories of the jobs' kinds that are not known yet."""
        for account, kind in {(job.account, job.kind) for job in jobs if not job.archived} - self._kinds.keys():
            try:
                history = await self._load_history(account, kind, MAX_HISTORY)
            except JournalError:  # shown by the journal writer; jobs that end later are learned
                history = ()
            self._kinds[account, kind] = _KindHistory(history)

    def learned_timing(self, job: Job, policy: PollingPolicy, runtime: AccountRuntime) -> LearnedTiming | None:
        """Return fit and price for the schedule of the job; None if too few jobs of its kind ended."""
        fit = self.fit(job, policy.cadence)
        return None if fit is None else LearnedTiming(fit, self._current_price(runtime, policy.max_interval))

    def fit(self, job: Job, cadence: str) -> LogNormalFit | None:
        """Return the distribution of the durations of the job's kind; None if too few jobs ended."""
        kind, now = self._history_of(job), self._now()
        if kind.has_new and not 0 <= now - kind.fitted_at < REFIT_INTERVAL:
            kind.fit, kind.fitted_at, kind.has_new = duration_model.fit_durations(kind.history, cadence), now, False
        return kind.fit

    def on_phase_change(self, state: JobState, change: PhaseChange) -> None:
        """Add the duration of a job that ended."""
        duration = observed_duration(state, change)
        if duration is not None:
            kind = self._history_of(state.job)
            kind.history.append(duration)
            kind.has_new = True

    def set_demand(self, ref: Ref, demand: PollDemand | None) -> None:
        """Set the demand of the job on its account's rate; None for no demand."""
        demands = self._cost_of(ref.account).demands
        if demand is not None:
            demands[ref] = demand
        else:
            demands.pop(ref, None)

    def _history_of(self, job: Job) -> _KindHistory:
        return self._kinds.setdefault((job.account, job.kind), _KindHistory(()))

    def _cost_of(self, account: str) -> _AccountCost:
        return self._costs.setdefault(account, _AccountCost())

    def _current_price(self, runtime: AccountRuntime, max_interval: float) -> float:
        cost, now = self._cost_of(runtime.account.name), self._now()
        if not 0 <= now - cost.priced_at < REFIT_INTERVAL:
            cost.price = request_cost.shadow_price(cost.demands.values(), _polls_per_second(runtime), max_interval)
            cost.priced_at = now
        return cost.price


def _polls_per_second(runtime: AccountRuntime) -> float:
    """Return the allowed polls per second: a bulk request counts for all of its jobs."""
    limit = runtime.limits.throttle.rate_limit
    day = limit.day_bucket
    daily_rate = math.inf if day is None else day.rate + max(0.0, day.tokens) / DAILY_BUDGET_SPREAD
    return runtime.max_batch * min(limit.minute_bucket.rate, daily_rate)
