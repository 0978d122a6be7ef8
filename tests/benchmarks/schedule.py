"""Mean delay from a job's end to its display, at equal requests, against the back-off that a vendor recommends.

A fleet of three kinds in one account, a third each: medians of 60 s, 5 min and 30 min, log-normal. Ours is
`schedule.next_poll` itself, jitter and stalls included, with the timing learned from past jobs; of those it knows only
what polling without learned timing saw, simulated with the same function. All kinds have the cadence of videos: polled
every 15 to 30 s while no timing is known, which blurs the short ones most, and a prior of 10 min. Two more fleets break
the assumption of one log-normal: Weibull durations with a heavy tail, and kinds with two modes.

Requests are made equal through our λ, the price for the account, until the fleet's requests are the peer's (1, 2, 4, 8,
15, 15, … s, as recommended). Without learned timing there is no λ: then the peer's intervals are stretched by one
factor until its requests are ours. Jobs are not sampled: requests and delay are integrated over their distribution
(except the last thousandth), so that only the history and the jitter are random.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from random import Random
from statistics import NormalDist, fmean
from typing import NamedTuple

from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Report
from tui.domain.polling.duration_model import LogNormalFit, ObservedDuration, fit_durations
from tui.domain.polling.schedule import LearnedTiming, PollingPolicy, next_poll

IS_TIMED = False
MEDIANS = (60.0, 300.0, 1800.0)
SIGMAS = (0.3, 0.5, 1.0)
HISTORY_SIZES = (0, 3, 10, 30)
WRONG_FACTORS = (1 / 3, 3.0)
"""Factors by which the jobs of a wrong history took longer."""
TABLE_HISTORIES, RATIO_HISTORIES = 10, 120
"""Histories that are averaged: in the table, and for a ratio with a bound (40 vary by 1 %)."""
SEED = 1001
"""Seed of the histories. `duration_model`'s caution was chosen with seed 7, so the ratios are not fitted to these."""
OMITTED_TAIL = 0.001
"""Share of the longest jobs that is left out for both."""
REQUEST_TOLERANCE = 0.002
"""Requests are equal within this share; the rest is corrected by requests × delay."""

POLICY = PollingPolicy.for_cadence("video", max_interval=60, stall_after=3600, has_result_request=False)
RUNNING = JobState(
    job=Job(account="a", id="1"),
    phase=Phase.RUNNING,
    first_polled_at=0,
    checked_at=0,
    report=Report(phase=None, raw_status="running"),
)

Ages = list[float]
"""Ages at which a job is polled, the first at 0."""


class Score(NamedTuple):
    """Mean per job."""

    requests: float
    delay: float
    """Seconds from a job's end to the next poll."""


Scores = tuple[Score, ...]
"""Score of the fleet, the mean of the kinds, and of each kind."""


class LogNormals(NamedTuple):
    """Mixture of log-normal durations, in equal parts."""

    medians: tuple[float, ...]
    sigma: float

    def share_below(self, age: float) -> float:
        """Return the share of the jobs that end by this age."""
        return fmean(NormalDist(math.log(each), self.sigma).cdf(math.log(age)) for each in self.medians)

    def sum_below(self, age: float) -> float:
        """Return the mean over all jobs of the durations up to this age; longer ones count as 0."""
        shift, log_age = self.sigma**2, math.log(age)  # m e^(σ²/2) Φ((ln b − ln m − σ²) / σ)
        return fmean(
            each * math.exp(shift / 2) * NormalDist(math.log(each) + shift, self.sigma).cdf(log_age)
            for each in self.medians
        )

    def draw(self, random: Random) -> float:
        return random.choice(self.medians) * math.exp(self.sigma * random.gauss(0, 1))


class Weibull(NamedTuple):
    """Weibull durations: with a shape below 1, the longer a job runs the longer it still takes."""

    median: float
    shape: float

    @property
    def scale(self) -> float:
        return self.median / math.log(2) ** (1 / self.shape)

    def share_below(self, age: float) -> float:
        return -math.expm1(-((age / self.scale) ** self.shape))

    def sum_below(self, age: float) -> float:
        """Return age × share − ∫ share, summed over x with age × x³: most of it is near 0."""
        steps = [(step + 0.5) / 400 for step in range(400)]
        area = age * fmean(3 * x**2 * self.share_below(age * x**3) for x in steps)
        return age * self.share_below(age) - area

    def draw(self, random: Random) -> float:
        return self.scale * random.expovariate(1.0) ** (1 / self.shape)


Durations = LogNormals | Weibull
BIMODAL_FACTORS = (0.4, 2.5)
"""Factors of the two modes."""
WEIBULL_SHAPE = 0.7


class ScheduleCase(NamedTuple):
    """Conditions of a comparison."""

    sigma: float
    history_factor: float
    """Factor by which past jobs took longer than current ones."""
    history_size: int
    """Past jobs per kind."""
    family: str = "log-normal"
    """"log-normal"; "bimodal", two of them; or "weibull", which has no sigma."""

    def durations(self, median: float) -> Durations:
        """Return the durations of a kind."""
        if self.family == "weibull":
            return Weibull(median, WEIBULL_SHAPE)
        factors = BIMODAL_FACTORS if self.family == "bimodal" else (1.0,)
        return LogNormals(tuple(median * factor for factor in factors), self.sigma)


class Comparison(NamedTuple):
    """Scores of both at equal requests."""

    ours: Scores
    peer: Scores
    bound: float
    """Our requests × delay over the lower bound."""

    @property
    def ratio(self) -> float:
        """Delay of the peer over ours."""
        return self.peer[0].delay / self.ours[0].delay * self.peer[0].requests / self.ours[0].requests


def our_poll_ages(fit: LogNormalFit | None, price: float, until: float, random: Random) -> Ages:
    """Return when our schedule polls a job that runs for `until` seconds."""
    learned = LearnedTiming(fit, price) if fit is not None else None
    ages = [0.0]
    while ages[-1] < until:
        scheduled = next_poll(RUNNING, POLICY, ages[-1], random, learned)
        assert scheduled is not None
        ages.append(scheduled.at)
    return ages


def backoff_poll_ages(stretch: float, until: float) -> Ages:
    """Return when the recommended back-off polls it."""
    ages, interval = [0.0], 1.0
    while ages[-1] < until:
        ages.append(ages[-1] + stretch * interval)
        interval = min(15.0, 2 * interval)
    return ages


def longest_duration(durations: Durations) -> float:
    """Return the longest duration considered, to a thousandth."""
    low, high = 1.0, 1e7
    while high > low * 1.001:
        middle = math.sqrt(low * high)
        low, high = (middle, high) if durations.share_below(middle) < 1 - OMITTED_TAIL else (low, middle)
    return high


def score_ages(ages: Ages, durations: Durations) -> Score:
    """Return the mean score of polling at these ages, over all jobs that end by the last of them.

    An end in (a, b] costs as many requests as there are ages up to b, and a delay of b minus the end.
    """
    ended = [0.0, *(durations.share_below(age) for age in ages[1:])]
    shares = [after - before for before, after in pairwise(ended)]
    covered = ended[-1]
    requests = sum(share * count for count, share in enumerate(shares, 2))
    mean_seen = sum(share * age for share, age in zip(shares, ages[1:], strict=True))
    return Score(requests / covered, (mean_seen - durations.sum_below(ages[-1])) / covered)


def observed_history(durations: Durations, count: int, random: Random) -> list[ObservedDuration]:
    """Return what polling without learned timing saw of past jobs."""
    observed: list[ObservedDuration] = []
    for _ in range(count):
        low, high = our_poll_ages(None, 0, durations.draw(random), random)[-2:]
        observed.append(ObservedDuration(low, high))
    return observed


def fit_histories(case: ScheduleCase, histories: int) -> list[tuple[LogNormalFit | None, ...]]:
    """Return the fits of the three kinds for each history."""
    random = Random(SEED)
    return [
        tuple(
            fit_durations(
                observed_history(case.durations(median * case.history_factor), case.history_size, random), "video"
            )
            for median in MEDIANS
        )
        for _ in range(histories)
    ]


def fleet(kinds: Sequence[Score]) -> Scores:
    """Return the mean of the kinds, followed by the kinds."""
    return (Score(fmean(each.requests for each in kinds), fmean(each.delay for each in kinds)), *kinds)


def our_scores(case: ScheduleCase, learned: Sequence[tuple[LogNormalFit | None, ...]], price: float) -> Scores:
    """Return our scores at this price, averaged over the histories."""
    random = Random(11)
    kinds: list[Score] = []
    for kind, median in enumerate(MEDIANS):
        durations = case.durations(median)
        until = longest_duration(durations)
        scores = [score_ages(our_poll_ages(fits[kind], price, until, random), durations) for fits in learned]
        kinds.append(Score(fmean(each.requests for each in scores), fmean(each.delay for each in scores)))
    return fleet(kinds)


def peer_scores(case: ScheduleCase, stretch: float = 1.0) -> Scores:
    """Return the back-off's scores with stretched intervals."""
    return fleet(
        [score_ages(backoff_poll_ages(stretch, longest_duration(each)), each) for each in map(case.durations, MEDIANS)]
    )


def match_requests(score: Callable[[float], Scores], requests: float, exponent: float) -> Scores:
    """Return the scores at the parameter where the fleet has `requests`, which vary about as parameter^−exponent."""
    parameter = 1.0
    scores = score(parameter)
    for _ in range(8):
        excess = scores[0].requests / requests
        if abs(excess - 1) < REQUEST_TOLERANCE:
            break
        parameter *= excess ** (1 / exponent)
        scores = score(parameter)
    return scores


def compare(case: ScheduleCase, histories: int) -> Comparison:
    """Compare both at equal requests."""
    learned, their = fit_histories(case, histories), peer_scores(case)
    if case.history_size:
        our = match_requests(partial(our_scores, case, learned), their[0].requests, 0.5)
    else:
        our = our_scores(case, learned[:1], 0.0)
        their = match_requests(partial(peer_scores, case), our[0].requests, 1.0)
    roots = sum(math.sqrt(median) for median in MEDIANS) * hazard_root_integral(case.sigma)
    bound = 0.5 * (roots / len(MEDIANS)) ** 2
    return Comparison(our, their, our[0].requests * our[0].delay / bound)


def hazard_root_integral(sigma: float) -> float:
    """Return ∫ √(f S) dt of a log-normal with median 1 s; it grows as the root of the median.

    With t = e^(σz) it is √σ ∫ e^(σz/2) √(φ(z) Q(z)) dz, summed here.
    """
    normal, step = NormalDist(), 0.01
    points = [step * number for number in range(-1000, 1000)]
    heights = (math.exp(sigma * z / 2) * math.sqrt(normal.pdf(z) * normal.cdf(-z)) for z in points)
    return math.sqrt(sigma) * sum(heights) * step


def worst_row(cases: Sequence[ScheduleCase], hold: float) -> dict[str, float | str]:
    """Return the worst case as a row of DESIGN's table."""
    worst = min((compare(case, RATIO_HISTORIES) for case in cases), key=lambda outcome: outcome.ratio)
    our, their = worst.ours[0], worst.peer[0]
    equal = their.delay * their.requests / our.requests
    return {"ours": our.delay, "peer": equal, "ratio": worst.ratio, "hold": hold, "better": "higher", "unit": "s"}


def measure() -> dict[str, dict[str, float | str]]:
    """Return DESIGN's row `schedule`."""
    return {
        "schedule, sigma 1": worst_row([ScheduleCase(1.0, 1.0, 10)], 1.45),
        "schedule, sigma 0.5": worst_row([ScheduleCase(0.5, 1.0, 10)], 1.85),
        "schedule, history 3x wrong": worst_row([ScheduleCase(1.0, wrong, 10) for wrong in WRONG_FACTORS], 1.3),
        f"schedule, Weibull {WEIBULL_SHAPE}": worst_row([ScheduleCase(1.0, 1.0, 10, "weibull")], 1.3),
        "schedule, bimodal": worst_row([ScheduleCase(0.3, 1.0, 10, "bimodal")], 1.3),
    }


TABLE_HEADER = "sigma history  ends  requests   ratio  × bound   fleet           60 s            5 min           30 min"


def print_table() -> None:
    """Print every case."""
    print("Seconds from a job's end to its display, ours / doubling back-off, at equal requests per job.")
    print(
        "history: past jobs took equally long, a third, or thrice as long. × bound: our requests × delay / lower bound."
    )
    print(TABLE_HEADER)
    for sigma in SIGMAS:
        for factor in (1.0, *WRONG_FACTORS):
            for size in HISTORY_SIZES if factor == 1.0 else HISTORY_SIZES[1:]:
                print(_table_line(ScheduleCase(sigma, factor, size)), flush=True)


def _table_line(case: ScheduleCase) -> str:
    outcome = compare(case, TABLE_HISTORIES)
    factor = {1 / 3: "× 1/3", 1.0: "right", 3.0: "× 3"}[case.history_factor]
    delays = "  ".join(f"{o.delay:6.2f} /{t.delay:6.2f}" for o, t in zip(outcome.ours, outcome.peer, strict=True))
    figures = f"{outcome.ours[0].requests:9.1f}  {outcome.ratio:6.2f}  {outcome.bound:7.2f}"
    return f"{case.sigma:<5} {factor:<8} {case.history_size:>4} {figures}  {delays}"


if __name__ == "__main__":
    print_table()
    print(*(f"{name}: {found}" for name, found in measure().items()), sep="\n")
