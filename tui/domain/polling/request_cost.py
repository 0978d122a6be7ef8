"""What one ask is worth: λ, the seconds of delay that an account gives up to save a request. Pure.

An interval of √(2λ / h) makes the sum of delay and λ × requests least (see `cadence`), so one λ for all jobs of an
account shares its requests out best: where an end is likelier, asks come oftener.
"""

import math
from bisect import bisect
from collections.abc import Iterable, Sequence
from itertools import accumulate

from msgspec import Struct

PLANNED_SHARE = 0.9
"""Of the rate an account is allowed, this share is planned; the rest is for links, results and whoever asks by hand."""
MIN_LEARNED_SHARE = 0.1
"""Of that rate, this share is the learned jobs' whatever the steady ones take."""
MIN_SHADOW_PRICE = 0.2
"""Seconds: λ where requests are plenty. An ask that spares less delay than this is of no use, allowed or not: of jobs
that take ten minutes, give or take half, one is asked every 12 s when it is likeliest to end."""
MIN_INTERVAL = 2.0
"""Seconds: no interval is shorter, however likely an end is."""
BISECTION_STEPS = 40
"""Halvings of the search, which is over logarithms: enough for 10⁻⁹ of any λ there is."""


class PollDemand(Struct, frozen=True, gc=False):
    """What one job asks of its account's rate."""

    hazard: float = 0.0
    """Ends a second, where they are learned: its rate is as the price is."""
    rate: float = 0.0
    """Asks a second, where they are not: its rate is as it is."""


def shadow_price(demands: Iterable[PollDemand], allowed_rate: float, max_interval: float) -> float:
    """λ at which the jobs' rates sum up to SHARE of `allowed` (asks a second), or CHEAPEST where they are below.

    A learned job asks clamp(√(h / 2λ), 1 / longest, 1 / SHORTEST) times a second. Where not even the longest intervals
    fit, λ is the one from which all are longest, and the account's bucket does the rest. O(n log n) in the jobs.
    """
    demands = tuple(demands)
    roots = sorted(math.sqrt(each.hazard) for each in demands if each.hazard)
    if not roots:
        return MIN_SHADOW_PRICE
    planned = PLANNED_SHARE * allowed_rate
    target = max(MIN_LEARNED_SHARE * planned, planned - sum(each.rate for each in demands))
    return max(MIN_SHADOW_PRICE, 0.5 / _rate_scale(roots, target, max_interval) ** 2)


def _rate_scale(roots: Sequence[float], target: float, max_interval: float) -> float:
    """The s = 1/√(2λ) at which Σ clamp(s √h, …) is `target`: the sum grows with s, so it is halved down to it."""
    sums = [0.0, *accumulate(roots)]
    least, most = 1 / max_interval, 1 / min(MIN_INTERVAL, max_interval)
    if most * len(roots) <= target:
        return math.inf

    def asked(scale: float) -> float:
        seldom, often = bisect(roots, least / scale), bisect(roots, most / scale)
        return least * seldom + scale * (sums[often] - sums[seldom]) + most * (len(roots) - often)

    low, high = math.log(least / roots[-1]), math.log(most / roots[0])
    for _ in range(BISECTION_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if asked(math.exp(middle)) < target else (low, middle)
    return math.exp(low)
