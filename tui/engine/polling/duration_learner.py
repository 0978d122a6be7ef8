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
from tui.engine.accounts.account import LiveAccount
from tui.storage.journal.journal import JournalError

REMEMBERED = 200
"""Ended jobs of an account and kind that are learned from: the last ones, for services change."""
AFRESH = 5.0
"""Seconds for which a fit and a price hold: with thousands of jobs each takes some milliseconds to make."""
TAUGHT = frozenset({Phase.DONE, Phase.FAILED, Phase.TIMED_OUT})
"""Ends that say how long a job takes. `blocked` and `missing` came from elsewhere."""
DAY_SPREAD = 3600.0
"""Seconds over which what is left of a day's limit may be spent: less of it makes every ask dearer."""

Past = Callable[[str, str, int], Sequence[ObservedDuration]]
"""How long the last so many jobs of an account and kind took, oldest first. May raise JournalError."""


def lived(state: JobState, change: PhaseChange) -> ObservedDuration | None:
    """How long the job took, where this change is its end and polling saw it at work; else None."""
    if (
        change.after not in TAUGHT
        or change.before not in ACTIVE
        or change.earliest is None
        or state.first_polled_at is None
    ):
        return None
    return ObservedDuration(
        max(0.0, change.earliest - state.first_polled_at), max(0.0, change.seen - state.first_polled_at)
    )


class _Kind:
    """The jobs of one account and kind."""

    def __init__(self, past: Sequence[ObservedDuration]) -> None:
        self.past = deque(past, maxlen=REMEMBERED)
        self.fit: LogNormalFit | None = None
        self.fitted_at = -math.inf
        self.news = True
        """Jobs have ended since the fit was made."""


class _Market:
    """The price of an account's asks, and the jobs that take them."""

    def __init__(self) -> None:
        self.demands: dict[Ref, PollDemand] = {}
        self.price = request_cost.MIN_SHADOW_PRICE
        self.priced_at = -math.inf


class Learning:
    """One session's. A kind's past is read from the journal when the first job of it is planned."""

    def __init__(self, past: Past, now: Callable[[], float]) -> None:
        self._past = past
        self._now = now
        self._kinds: dict[tuple[str, str], _Kind] = {}
        self._markets: dict[str, _Market] = {}

    def of(self, job: Job, tempo: PollingPolicy, live: LiveAccount) -> LearnedTiming | None:
        """What there is to plan the job by; None: too little is known of such jobs."""
        fit = self.fit(job, tempo.cadence)
        return None if fit is None else LearnedTiming(fit, self._price(live, tempo.max_interval))

    def fit(self, job: Job, cadence: str) -> LogNormalFit | None:
        """How long such jobs take, as far as is known."""
        kind, now = self._kind(job), self._now()
        if kind.news and not 0 <= now - kind.fitted_at < AFRESH:
            kind.fit, kind.fitted_at, kind.news = duration_model.fit_durations(kind.past, cadence), now, False
        return kind.fit

    def ended(self, state: JobState, change: PhaseChange) -> None:
        """Takes the change to heart, if it is a job's end."""
        found = lived(state, change)
        if found is not None:
            kind = self._kind(state.job)
            kind.past.append(found)
            kind.news = True

    def planned(self, ref: Ref, demand: PollDemand | None) -> None:
        """What the job takes of its account's rate from now on; None: nothing."""
        demands = self._market(ref.account).demands
        if demand is not None:
            demands[ref] = demand
        else:
            demands.pop(ref, None)

    def _kind(self, job: Job) -> _Kind:
        key = (job.account, job.kind)
        if key not in self._kinds:
            try:
                past = self._past(*key, REMEMBERED)
            except JournalError:  # whoever writes to it says so; what ends from now on is learned from
                past = ()
            self._kinds[key] = _Kind(past)
        return self._kinds[key]

    def _market(self, account: str) -> _Market:
        return self._markets.setdefault(account, _Market())

    def _price(self, live: LiveAccount, longest: float) -> float:
        market, now = self._market(live.account.name), self._now()
        if not 0 <= now - market.priced_at < AFRESH:
            market.price = request_cost.shadow_price(market.demands.values(), _allowed(live), longest)
            market.priced_at = now
        return market.price


def _allowed(live: LiveAccount) -> float:
    """Jobs that may be asked for in a second: a bulk ask is for many."""
    budget = live.pace.rate_limit
    day = (
        math.inf
        if budget.day_bucket is None
        else budget.day_bucket.rate + max(0.0, budget.day_bucket.tokens) / DAY_SPREAD
    )
    return live.most * min(budget.minute_bucket.rate, day)
