"""How long jobs take: a log-normal fitted to what polling saw of ended ones, and what it says of one that runs.

Polling sees an end only as lying between two asks, so the fit is of intervals. Everything is pure arithmetic on
seconds of age, counted from the first report of a job; when to ask because of it is `cadence`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

MIN_SAMPLES = 3
"""Ended jobs below which nothing is said to be learned."""
EM_STEPS = 12
"""Steps of the fit. Where asks were frequent two or three would do; each costs a microsecond or two an ended job."""
PRIOR_MEDIANS = {"text": 20.0, "document": 60.0, "video": 600.0}
"""Seconds: half of such jobs end sooner, by the provider file's `cadence`, before any is known."""
PRIOR_MEDIAN_SIGMA = 1.5
"""How far off the prior's median may be, as a standard deviation of logarithms: a factor of 4.5 either way."""
PRIOR_SIGMA, PRIOR_WEIGHT = 0.7, 3.0
"""Spread of the logarithms before any is known, and how many ended jobs that belief is worth."""
SIGMA_BOUNDS = (0.05, 3.0)
"""The narrowest and the widest spread believed: two thirds within 5 %, or within a factor of 20."""
MIN_DURATION = 0.1
"""Seconds: no job is held to be shorter, however it looks between two asks."""
TAIL_EXPONENT = 0.5
"""Past twice the median the hazard is at least this over the age: there the history has been wrong, and an interval
that grows with the age, as from a hazard of c/age, loses little whatever the truth is (Pareto tail, exponent c)."""
SPREAD_FACTOR = 1.25
"""Hazards are those of a spread this much wider than the fit's: tomorrow's jobs may not be like yesterday's. Where
they are it costs up to a tenth of delay (narrow spreads most), where they take a third it spares a fifth. Chosen on
`tests/benchmarks/schedule.py`, with other histories than it draws now."""
UPPER_TAIL, UPPER_TAIL_Z = 0.005, 2.5758
"""Share of jobs that live longer than what is far beyond usual: past it the fit says nothing of what is left. And by
how many sigmas of the logarithm that is beyond the median."""
TYPICAL_QUANTILES = (0.2, 0.5, 0.8)
"""Quantiles that make a range and its middle: "most" are the three fifths between the outer two."""
TYPICAL_Z = 0.8416
"""By how many sigmas the outer two are off the median."""
MIN_AGE = 1e-9
"""Seconds: below this age there is no telling, and nothing to divide by."""
MIN_HAZARD = 1e-12
"""Ends a second: the least hazard that is given, so that nobody divides by 0."""

_SQRT2 = math.sqrt(2)
_DENSITY = 1 / math.sqrt(2 * math.pi)


class ObservedDuration(NamedTuple):
    """What polling saw of an ended job: it had not ended at age `low`, it had at `high`. Seconds."""

    low: float
    high: float


class LogNormalFit(Struct, frozen=True, gc=False):
    """The log-normal of one account and kind: what is to be expected of the next job of it."""

    mu: float
    """Mean of the durations' natural logarithms; e^mu seconds is the median."""
    sigma: float
    """Standard deviation of the logarithms, what is uncertain about mu included."""
    sample_count: int
    """Ended jobs that it was learned from."""


class DurationRange(NamedTuple):
    """Seconds within which most jobs lie, and the middle of them."""

    low: float
    median: float
    high: float


def fit_durations(observed: Sequence[ObservedDuration], cadence: str) -> LogNormalFit | None:
    """The fit to ended jobs of one kind, shrunk to its cadence's prior; None: too few have ended.

    Expectation maximisation for a normal seen in intervals (Dempster, Laird, Rubin 1977, 4.2): each logarithm is
    replaced by its mean and variance within its interval, then mu and sigma are the most likely ones under
    mu ~ N(prior, PRIOR_REACH²) and sigma² ~ scaled inverse χ²(PRIOR_WEIGHT, PRIOR_SIGMA²). The next job's logarithm
    varies by sigma² about mu, and mu by sigma²/n: the fit's sigma² is their sum.
    """
    n = len(observed)
    if n < MIN_SAMPLES:
        return None
    spans = [(_log(low), max(_log(high), math.log(MIN_DURATION))) for low, high in observed]
    prior = math.log(PRIOR_MEDIANS[cadence])
    mu, variance = prior, PRIOR_MEDIAN_SIGMA**2
    for _ in range(EM_STEPS):
        inside = [_truncated_moments(low, high, mu, math.sqrt(variance)) for low, high in spans]
        precision = n / variance + 1 / PRIOR_MEDIAN_SIGMA**2
        mu = (sum(mean for mean, _ in inside) / variance + prior / PRIOR_MEDIAN_SIGMA**2) / precision
        spread = sum(rest + (mean - mu) ** 2 for mean, rest in inside)
        variance = (PRIOR_WEIGHT * PRIOR_SIGMA**2 + spread) / (PRIOR_WEIGHT + n)
    narrowest, widest = SIGMA_BOUNDS
    return LogNormalFit(mu, min(widest, max(narrowest, math.sqrt(variance * (1 + 1 / n)))), n)


def _log(seconds: float) -> float:
    return math.log(seconds) if seconds > 0 else -math.inf


def _truncated_moments(low: float, high: float, mu: float, sigma: float) -> tuple[float, float]:
    """Mean and variance of a normal that is known to lie between `low` and `high`.

    With α, β the standardised bounds and Z = Φ(β) − Φ(α): the mean is mu + sigma δ, δ = (φ(α) − φ(β)) / Z, and the
    variance sigma² (1 + (αφ(α) − βφ(β)) / Z − δ²).
    """
    alpha, beta = (low - mu) / sigma, (high - mu) / sigma
    if alpha + beta > 0:  # mirrored: differences are exact only in the lower tail
        mean, variance = _truncated_moments(-high, -low, -mu, sigma)
        return -mean, variance
    share = (math.erfc(-beta / _SQRT2) - math.erfc(-alpha / _SQRT2)) / 2
    if share < 1e-9:  # a point, or so far out that it lies at its nearer bound
        return high, 0.0
    at_low, at_high = _density(alpha), _density(beta)
    shift = (at_low - at_high) / share
    bend = ((alpha * at_low if at_low else 0.0) - beta * at_high) / share
    return min(high, max(low, mu + sigma * shift)), sigma**2 * min(1.0, max(0.0, 1 + bend - shift**2))


def _density(z: float) -> float:
    """The standard normal's density, φ(z) = e^(−z²/2) / √(2π)."""
    return _DENSITY * math.exp(-z * z / 2)


def survival(fit: LogNormalFit, age: float) -> float:
    """Share of jobs that run for longer than `age`, Q((ln age − mu) / sigma)."""
    return math.erfc((_log(age) - fit.mu) / fit.sigma / _SQRT2) / 2


def hazard(fit: LogNormalFit, age: float) -> float:
    """Ends a second among the jobs that have reached this age: density over survival, φ(z) / (sigma age Q(z)).

    With CAUTION, and with FLOOR past twice the median. Past z = 8, where Q fades, φ/Q is z + 1/z − 2/z³ (Abramowitz and
    Stegun 26.2.12, inverted), good to 10⁻³.
    """
    if age < MIN_AGE:
        return MIN_HAZARD
    sigma = SPREAD_FACTOR * fit.sigma
    z = (math.log(age) - fit.mu) / sigma
    ratio = 2 * _density(z) / math.erfc(z / _SQRT2) if z < 8 else z + 1 / z - 2 / z**3
    found = ratio / (sigma * age)
    if age > 2 * math.exp(fit.mu):
        found = max(found, TAIL_EXPONENT / age)
    return max(MIN_HAZARD, found)


def typical_range(fit: LogNormalFit) -> DurationRange:
    """When most jobs end, as ages."""
    reach = TYPICAL_Z * fit.sigma
    return DurationRange(math.exp(fit.mu - reach), math.exp(fit.mu), math.exp(fit.mu + reach))


def remaining(fit: LogNormalFit, age: float) -> DurationRange | None:
    """What most jobs that have reached this age have left; None: it is far beyond usual, and nobody knows.

    Of those, the share p ends where the survival has fallen to 1 − p of what it is now.
    """
    from statistics import NormalDist  # 2 ms, and only a board that has learned needs it

    alive = survival(fit, age)
    if alive < UPPER_TAIL:
        return None
    quantile = NormalDist().inv_cdf
    ends = (math.exp(fit.mu - fit.sigma * quantile(alive * (1 - share))) for share in TYPICAL_QUANTILES)
    return DurationRange(*(max(0.0, end - max(0.0, age)) for end in ends))


def progress(fit: LogNormalFit, age: float) -> float | None:
    """The elapsed share of what a job of this age will likely take in all, 0 to 1; None: nobody knows. It never falls.

    That the normal's hazard h rises makes it so: d ln total / d ln age = h(z) / h(z of the total) < 1.
    """
    rest, age = remaining(fit, age), max(0.0, age)
    return None if rest is None else age / (age + rest.median) if rest.median else 1.0


def upper_bound(fit: LogNormalFit) -> float:
    """The age that only one job in two hundred passes (FAR)."""
    return math.exp(fit.mu + UPPER_TAIL_Z * fit.sigma)


def stall_threshold(fit: LogNormalFit | None, stall_after: float) -> float:
    """The age past which a job is stalled: `stall_after`, or what is far beyond usual if that is later.

    Where jobs of an hour are usual, one of an hour is not stalled. But what is short by a few ended jobs' word alone
    alarms nobody before the operator's own time is up.
    """
    return stall_after if fit is None else max(stall_after, upper_bound(fit))
