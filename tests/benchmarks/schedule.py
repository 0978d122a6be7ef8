"""Mean time from a job's end to the board, at equal requests, beside the doubling back-off that a vendor recommends.

A fleet of three kinds in one account, a third each: half of them end within 60 s, 5 min and 30 min, spread
log-normally. Ours is `cadence.plan` itself, jitter and stalls included, with what it learned from jobs that ended
before; of those it knows only what cold polling saw, simulated with the same `plan`. All kinds have the cadence of
videos: asked every 15 to 30 s while nothing is known, which blurs the short ones most, and a prior of ten minutes.

Requests are made equal by our λ, the one price for the account, until the fleet's requests are the peer's (1, 2, 4, 8,
15, 15, … s, as recommended). With nothing learned there is no λ: there the peer's intervals are all stretched by
one factor until its requests are ours. Jobs are not drawn: requests and delay are summed up over their whole
distribution (but the last thousandth), so that chance is in the history and the jitter alone.
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

MEDIANS = (60.0, 300.0, 1800.0)
SIGMAS = (0.3, 0.5, 1.0)
HISTORY_SIZES = (0, 3, 10, 30)
WRONG_FACTORS = (1 / 3, 3.0)
"""How much longer the jobs of a wrong history took."""
TABLE_HISTORIES, RATIO_HISTORIES = 10, 40
"""Histories that are averaged over: in the table, and for a ratio that is to hold (to some 1 %)."""
SEED = 1001
"""Of the histories. `durations.CAUTION` was chosen on others (those of 7), so that the ratios are no fit to chance."""
OMITTED_TAIL = 0.001
"""Share of the longest jobs that is left out, of both."""
REQUEST_TOLERANCE = 0.002
"""Requests are equal within this share; what is left is taken as requests × delay."""

POLICY = PollingPolicy.for_cadence("video", max_interval=60, stall_after=3600, has_result_request=False)
RUNNING = JobState(
    job=Job(account="a", id="1"),
    phase=Phase.RUNNING,
    first_polled_at=0,
    checked_at=0,
    report=Report(phase=None, raw_status="running"),
)

Ages = list[float]
"""At which ages a job is asked, the first at 0."""


class Score(NamedTuple):
    """Of one job in the mean."""

    requests: float
    delay: float
    """Seconds from its end to the first ask after it."""


Scores = tuple[Score, ...]
"""The fleet's, which is the mean of the kinds, and each kind's."""


class ScheduleCase(NamedTuple):
    """What is compared."""

    sigma: float
    history_factor: float
    """How much longer past jobs took than those of now."""
    history_size: int
    """Past jobs of each kind."""


class Comparison(NamedTuple):
    """Both at equal requests."""

    ours: Scores
    peer: Scores
    bound: float
    """How many times the lower bound our requests × delay are."""

    @property
    def ratio(self) -> float:
        """The peer's delay over ours."""
        return self.peer[0].delay / self.ours[0].delay * self.peer[0].requests / self.ours[0].requests


def our_poll_ages(fit: LogNormalFit | None, price: float, until: float, random: Random) -> Ages:
    """When our cadence asks a job that runs for `until` seconds."""
    learned = LearnedTiming(fit, price) if fit is not None else None
    ages = [0.0]
    while ages[-1] < until:
        scheduled = next_poll(RUNNING, POLICY, ages[-1], random, learned)
        assert scheduled is not None
        ages.append(scheduled.at)
    return ages


def backoff_poll_ages(stretch: float, until: float) -> Ages:
    """When the recommended back-off asks it."""
    ages, interval = [0.0], 1.0
    while ages[-1] < until:
        ages.append(ages[-1] + stretch * interval)
        interval = min(15.0, 2 * interval)
    return ages


def longest_duration(median: float, sigma: float) -> float:
    """The longest life that is looked at."""
    return math.exp(NormalDist(math.log(median), sigma).inv_cdf(1 - OMITTED_TAIL))


def score_ages(ages: Ages, median: float, sigma: float) -> Score:
    """What asking at these ages comes to, in the mean of all jobs that end by the last of them.

    An end in (a, b] costs as many requests as there are ages up to b, and b less the end.
    """
    ended = [0.0, *(NormalDist(math.log(median), sigma).cdf(math.log(age)) for age in ages[1:])]
    shares = [after - before for before, after in pairwise(ended)]
    covered = ended[-1]
    requests = sum(share * count for count, share in enumerate(shares, 2))
    mean_seen = sum(share * age for share, age in zip(shares, ages[1:], strict=True))
    # The mean of a log-normal below b: m e^(σ²/2) Φ((ln b − ln m − σ²) / σ).
    mean_duration = (
        median * math.exp(sigma**2 / 2) * NormalDist(math.log(median) + sigma**2, sigma).cdf(math.log(ages[-1]))
    )
    return Score(requests / covered, (mean_seen - mean_duration) / covered)


def observed_history(median: float, sigma: float, count: int, random: Random) -> list[ObservedDuration]:
    """What cold polling saw of past jobs."""
    observed: list[ObservedDuration] = []
    for _ in range(count):
        duration = median * math.exp(sigma * random.gauss(0, 1))
        low, high = our_poll_ages(None, 0, duration, random)[-2:]
        observed.append(ObservedDuration(low, high))
    return observed


def fit_histories(case: ScheduleCase, histories: int) -> list[tuple[LogNormalFit | None, ...]]:
    """What is learned of the three kinds, in each of the histories."""
    random = Random(SEED)
    return [
        tuple(
            fit_durations(
                observed_history(median * case.history_factor, case.sigma, case.history_size, random), "video"
            )
            for median in MEDIANS
        )
        for _ in range(histories)
    ]


def fleet(kinds: Sequence[Score]) -> Scores:
    """The mean of the kinds, before them."""
    return (Score(fmean(each.requests for each in kinds), fmean(each.delay for each in kinds)), *kinds)


def our_scores(case: ScheduleCase, learned: Sequence[tuple[LogNormalFit | None, ...]], price: float) -> Scores:
    """Our scores at this price, averaged over the histories."""
    random = Random(11)
    kinds: list[Score] = []
    for kind, median in enumerate(MEDIANS):
        until = longest_duration(median, case.sigma)
        scores = [score_ages(our_poll_ages(fits[kind], price, until, random), median, case.sigma) for fits in learned]
        kinds.append(Score(fmean(each.requests for each in scores), fmean(each.delay for each in scores)))
    return fleet(kinds)


def peer_scores(case: ScheduleCase, stretch: float = 1.0) -> Scores:
    """The back-off's scores, its intervals stretched."""
    return fleet(
        [
            score_ages(backoff_poll_ages(stretch, longest_duration(each, case.sigma)), each, case.sigma)
            for each in MEDIANS
        ]
    )


def match_requests(score: Callable[[float], Scores], requests: float, exponent: float) -> Scores:
    """The scores at the parameter, 1 at first, where the fleet's requests (about as its −power) are as wanted."""
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
    """Both at equal requests."""
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
    """∫ √(f S) dt of a log-normal with the median 1 s; it grows as the root of the median.

    With t = e^(σz) it is √σ ∫ e^(σz/2) √(φ(z) Q(z)) dz, summed up here.
    """
    normal, step = NormalDist(), 0.01
    points = [step * number for number in range(-1000, 1000)]
    heights = (math.exp(sigma * z / 2) * math.sqrt(normal.pdf(z) * normal.cdf(-z)) for z in points)
    return math.sqrt(sigma) * sum(heights) * step


def worst_row(cases: Sequence[ScheduleCase], hold: float) -> dict[str, float | str]:
    """The worst of the cases, as a row of DESIGN's table."""
    worst = min((compare(case, RATIO_HISTORIES) for case in cases), key=lambda outcome: outcome.ratio)
    our, their = worst.ours[0], worst.peer[0]
    equal = their.delay * their.requests / our.requests
    return {"ours": our.delay, "peer": equal, "ratio": worst.ratio, "hold": hold, "better": "higher", "unit": "s"}


def measure() -> dict[str, dict[str, float | str]]:
    """DESIGN's row `schedule`."""
    return {
        "schedule, sigma 1": worst_row([ScheduleCase(1.0, 1.0, 10)], 1.4),
        "schedule, sigma 0.5": worst_row([ScheduleCase(0.5, 1.0, 10)], 1.7),
        "schedule, history 3x wrong": worst_row([ScheduleCase(1.0, wrong, 10) for wrong in WRONG_FACTORS], 1.25),
    }


TABLE_HEADER = "sigma history  ends  requests   ratio  × bound   fleet           60 s            5 min           30 min"


def print_table() -> None:
    """Prints every case."""
    print("Seconds from a job's end to the board, ours / the doubling back-off's, at equal requests a job.")
    print("history: past jobs took as long, a third, three times. × bound: our requests × delay over the lower bound.")
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
