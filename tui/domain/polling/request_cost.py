"""Shadow price of a request: λ, the seconds of delay that saving one request is worth to an account.

An interval of √(2λ / h) minimizes the sum of delay and λ × requests (see `schedule`), so one λ for all jobs of an
account distributes its requests best: jobs that are likelier to end are polled more often.
"""

import math
from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate

from msgspec import Struct

PLANNED_SHARE = 0.9
"""Share of the account's rate for scheduled polls; the rest is for links, results and user-requested polls."""
MIN_LEARNED_SHARE = 0.1
"""Share of that rate for jobs with learned intervals, whatever the others take."""
MIN_SHADOW_PRICE = 0.2
"""Seconds: λ with requests to spare. A request that saves less delay is useless, even if allowed: a job of ten minutes,
plus or minus half, is polled every 12 s when it is likeliest to end."""
MIN_INTERVAL = 2.0
"""Seconds: the shortest interval, however likely an end is."""
BISECTION_STEPS = 40
"""Bisections over logarithms: enough for a relative error of 10⁻⁹."""


class PollDemand(Struct, frozen=True, gc=False):
    """Demand of one job on its account's rate."""

    hazard: float = 0.0
    """Ends per second, if learned: the shadow price decides its rate."""
    rate: float = 0.0
    """Requests per second, if not learned: fixed."""


def shadow_price(demands: Iterable[PollDemand], allowed_rate: float, max_interval: float) -> float:
    """Return the λ at which the jobs' rates add up to PLANNED_SHARE of `allowed_rate` (requests per second).

    At least MIN_SHADOW_PRICE. A learned job's rate is clamp(√(h / 2λ), 1 / max_interval, 1 / MIN_INTERVAL). If not even
    the longest intervals fit, λ is the one that makes all of them longest, and the token bucket limits the rest.
    O(n log n) in the jobs.
    """
    demands = tuple(demands)
    roots = sorted(math.sqrt(each.hazard) for each in demands if each.hazard)
    if not roots:
        return MIN_SHADOW_PRICE
    planned = PLANNED_SHARE * allowed_rate
    target = max(MIN_LEARNED_SHARE * planned, planned - sum(each.rate for each in demands))
    return max(MIN_SHADOW_PRICE, 0.5 / _rate_scale(roots, target, max_interval) ** 2)


def _rate_scale(roots: Sequence[float], target: float, max_interval: float) -> float:
    """Return the s = 1/√(2λ) at which Σ clamp(s √h, …) is `target`, by bisection: the sum grows with s."""
    sums = [0.0, *accumulate(roots)]
    least, most = 1 / max_interval, 1 / min(MIN_INTERVAL, max_interval)
    if most * len(roots) <= target:
        return math.inf

    def total_rate(scale: float) -> float:
        seldom, often = bisect(roots, least / scale), bisect(roots, most / scale)
        return least * seldom + scale * (sums[often] - sums[seldom]) + most * (len(roots) - often)

    low, high = math.log(least / roots[-1]), math.log(most / roots[0])
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if total_rate(math.exp(middle)) < target else (low, middle)
    return math.exp(low)
