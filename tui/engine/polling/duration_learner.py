"""What a session has learned: how long the jobs of each account and kind take, and what an ask is worth now.

It keeps the past, `domain.durations` and `domain.price` draw the conclusions. It plans nothing.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import ACTIVE, Job, Phase, Ref
from tui.domain.polling import duration_model, request_cost
from tui.domain.polling.duration_model import LogNormalFit, ObservedDuration
from tui.domain.polling.request_cost import PollDemand
from tui.domain.polling.schedule import LearnedTiming, PollingPolicy
from tui.engine.accounts.account import AccountRuntime
from tui.storage.journal.journal import JournalError

MAX_HISTORY = 200
"""Ended jobs of an account and kind that are learned from: the last ones, for services change."""
REFIT_INTERVAL = 5.0
"""Seconds for which a fit and a price hold: with thousands of jobs each takes some milliseconds to make."""
LEARNED_PHASES = frozenset({Phase.DONE, Phase.FAILED, Phase.TIMED_OUT})
"""Ends that say how long a job takes. `blocked` and `missing` came from elsewhere."""
DAILY_BUDGET_SPREAD = 3600.0
"""Seconds over which what is left of a day's limit may be spent: less of it makes every ask dearer."""

LoadHistory = Callable[[str, str, int], Sequence[ObservedDuration]]
"""How long the last so many jobs of an account and kind took, oldest first. May raise JournalError."""


def observed_duration(state: JobState, change: PhaseChange) -> ObservedDuration | None:
    """How long the job took, where this change is its end and polling saw it at work; else None."""
    if (
        change.after not in LEARNED_PHASES
        or change.before not in ACTIVE
        or change.earliest is None
        or state.first_polled_at is None
    ):
        return None
    return ObservedDuration(
        max(0.0, change.earliest - state.first_polled_at), max(0.0, change.seen - state.first_polled_at)
    )


class _KindHistory:
    """The jobs of one account and kind."""

    def __init__(self, history: Sequence[ObservedDuration]) -> None:
        self.history = deque(history, maxlen=MAX_HISTORY)
        self.fit: LogNormalFit | None = None
        self.fitted_at = -math.inf
        self.has_new = True
        """Jobs have ended since the fit was made."""


class _AccountCost:
    """The price of an account's asks, and the jobs that take them."""

    def __init__(self) -> None:
        self.demands: dict[Ref, PollDemand] = {}
        self.price = request_cost.MIN_SHADOW_PRICE
        self.priced_at = -math.inf


class DurationLearner:
    """One session's. A kind's past is read from the journal when the first job of it is planned."""

    def __init__(self, load_history: LoadHistory, now: Callable[[], float]) -> None:
        self._load_history = load_history
        self._now = now
        self._kinds: dict[tuple[str, str], _KindHistory] = {}
        self._costs: dict[str, _AccountCost] = {}

    def learned_timing(self, job: Job, policy: PollingPolicy, live: AccountRuntime) -> LearnedTiming | None:
        """What there is to plan the job by; None: too little is known of such jobs."""
        fit = self.fit(job, policy.cadence)
        return None if fit is None else LearnedTiming(fit, self._current_price(live, policy.max_interval))

    def fit(self, job: Job, cadence: str) -> LogNormalFit | None:
        """How long such jobs take, as far as is known."""
        kind, now = self._history_of(job), self._now()
        if kind.has_new and not 0 <= now - kind.fitted_at < REFIT_INTERVAL:
            kind.fit, kind.fitted_at, kind.has_new = duration_model.fit_durations(kind.history, cadence), now, False
        return kind.fit

    def on_phase_change(self, state: JobState, change: PhaseChange) -> None:
        """Takes the change to heart, if it is a job's end."""
        found = observed_duration(state, change)
        if found is not None:
            kind = self._history_of(state.job)
            kind.history.append(found)
            kind.has_new = True

    def set_demand(self, ref: Ref, demand: PollDemand | None) -> None:
        """What the job takes of its account's rate from now on; None: nothing."""
        demands = self._cost_of(ref.account).demands
        if demand is not None:
            demands[ref] = demand
        else:
            demands.pop(ref, None)

    def _history_of(self, job: Job) -> _KindHistory:
        key = (job.account, job.kind)
        if key not in self._kinds:
            try:
                past = self._load_history(*key, MAX_HISTORY)
            except JournalError:  # whoever writes to it says so; what ends from now on is learned from
                past = ()
            self._kinds[key] = _KindHistory(past)
        return self._kinds[key]

    def _cost_of(self, account: str) -> _AccountCost:
        return self._costs.setdefault(account, _AccountCost())

    def _current_price(self, live: AccountRuntime, longest: float) -> float:
        market, now = self._cost_of(live.account.name), self._now()
        if not 0 <= now - market.priced_at < REFIT_INTERVAL:
            market.price = request_cost.shadow_price(market.demands.values(), _polls_per_second(live), longest)
            market.priced_at = now
        return market.price


def _polls_per_second(live: AccountRuntime) -> float:
    """Jobs that may be asked for in a second: a bulk ask is for many."""
    budget = live.throttle.rate_limit
    day = (
        math.inf
        if budget.day_bucket is None
        else budget.day_bucket.rate + max(0.0, budget.day_bucket.tokens) / DAILY_BUDGET_SPREAD
    )
    return live.max_batch * min(budget.minute_bucket.rate, day)
