"""Log-normal model of job durations, fitted to ended jobs: hazard, typical range, remaining time.

Polling sees an end only between two polls, so the fit is to intervals. Ages are seconds since the first report of a
job. When to poll is `schedule`.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

MIN_SAMPLES = 3
"""Ended jobs: with fewer, there is no fit."""
EM_STEPS = 12
"""Steps of the fit. With frequent polls two or three are enough; each costs a microsecond or two per ended job."""
PRIOR_MEDIANS = {"text": 20.0, "document": 60.0, "video": 600.0}
"""Seconds: median duration by the provider file's `cadence`, before any is known."""
PRIOR_MEDIAN_SIGMA = 1.5
"""Standard deviation of the prior median's logarithm: a factor of 4.5 either way."""
PRIOR_SIGMA, PRIOR_WEIGHT = 0.7, 3.0
"""Spread of the logarithms before any is known, and its weight in ended jobs."""
SIGMA_BOUNDS = (0.05, 3.0)
"""The narrowest and the widest accepted spread: two thirds within 5 %, or within a factor of 20."""
MIN_DURATION = 0.1
"""Seconds: the shortest accepted duration, whatever two polls suggest."""
TAIL_EXPONENT = 1.25
"""Past twice the median the hazard is at least this over the age: there the history is wrong, and an interval that
grows with the age, as from a hazard of c/age, loses little whatever the truth is (Pareto tail, exponent c). Chosen with
`tests/benchmarks/schedule.py` over three seeds: with 0.5 no fleet has less delay, and with 1 those with a wrong history
have more."""
SPREAD_FACTOR = 1.2
"""Hazards are of a spread this much wider than the fit's: future jobs may differ from past ones. If they do not, it
costs up to a tenth of delay (narrow spreads most); if they take a third, it saves a fifth. Chosen with
`tests/benchmarks/schedule.py` over four seeds: 1.25 has 1 % more delay for narrow spreads and half a per cent less for
Weibull durations, 1.15 has 1 % more after a wrong history."""
UPPER_TAIL, UPPER_TAIL_Z = 0.005, 2.5758
"""Share of jobs past the upper bound, where the fit gives no remaining time; sigmas of its logarithm past the
median."""
TYPICAL_QUANTILES = (0.2, 0.5, 0.8)
"""Quantiles of the typical range and its median: three fifths of the jobs are within."""
TYPICAL_Z = 0.8416
"""Sigmas between the median and the outer quantiles."""
MIN_AGE = 1e-9
"""Seconds: a lower age gives no hazard, and a division by zero."""
MIN_HAZARD = 1e-12
"""Ends per second: the lowest hazard, which prevents a division by zero."""

_SQRT2 = math.sqrt(2)
_DENSITY = 1 / math.sqrt(2 * math.pi)


class ObservedDuration(NamedTuple):
    """Duration of an ended job as polling saw it: longer than `low`, at most `high`. Seconds."""

    low: float
    high: float


class LogNormalFit(Struct, frozen=True, gc=False):
    """Log-normal distribution of the duration of the next job of one account and kind."""

    mu: float
    """Mean of the durations' natural logarithms; e^mu seconds is the median."""
    sigma: float
    """Standard deviation of the logarithms, the uncertainty of mu included."""
    sample_count: int
    """Ended jobs of the fit."""


class DurationRange(NamedTuple):
    """Range of most durations, and their median. Seconds."""

    low: float
    median: float
    high: float


def fit_durations(observed: Sequence[ObservedDuration], cadence: str) -> LogNormalFit | None:
    """Return the fit to ended jobs of one kind, shrunk to its cadence's prior; None: too few have ended.

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
    """Return mean and variance of a normal distribution truncated to `low` … `high`.

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
    """Return the density of the standard normal distribution, φ(z) = e^(−z²/2) / √(2π)."""
    return _DENSITY * math.exp(-z * z / 2)


def survival(fit: LogNormalFit, age: float) -> float:
    """Return the share of jobs that run for longer than `age`, Q((ln age − mu) / sigma)."""
    return math.erfc((_log(age) - fit.mu) / fit.sigma / _SQRT2) / 2


def hazard(fit: LogNormalFit, age: float) -> float:
    """Return the ends per second among the jobs of this age: density over survival, φ(z) / (sigma age Q(z)).

    With SPREAD_FACTOR, and with TAIL_EXPONENT past twice the median. Past z = 8, where Q underflows, φ/Q is
    z + 1/z − 2/z³ (Abramowitz and Stegun 26.2.12, inverted), exact to 10⁻³.
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
    """Return the ages at which most jobs end."""
    reach = TYPICAL_Z * fit.sigma
    return DurationRange(math.exp(fit.mu - reach), math.exp(fit.mu), math.exp(fit.mu + reach))


def remaining(fit: LogNormalFit, age: float) -> DurationRange | None:
    """Return the remaining time of most jobs of this age; None: past the upper bound there is no estimate.

    The share p of them ends where the survival has fallen to 1 − p of its present value.
    """
    from statistics import NormalDist  # 2 ms, and only a learned fit needs it

    alive = survival(fit, age)
    if alive < UPPER_TAIL:
        return None
    quantile = NormalDist().inv_cdf
    ends = (math.exp(fit.mu - fit.sigma * quantile(alive * (1 - share))) for share in TYPICAL_QUANTILES)
    return DurationRange(*(max(0.0, end - max(0.0, age)) for end in ends))


def progress(fit: LogNormalFit, age: float) -> float | None:
    """Return the elapsed share of the estimated duration at this age, 0 to 1; None: no estimate.

    It never falls, since the hazard h of a normal distribution rises:
    d ln total / d ln age = h(z) / h(z of the total) < 1.
    """
    rest, age = remaining(fit, age), max(0.0, age)
    return None if rest is None else age / (age + rest.median) if rest.median else 1.0


def upper_bound(fit: LogNormalFit) -> float:
    """Return the age that one job in two hundred passes (UPPER_TAIL)."""
    return math.exp(fit.mu + UPPER_TAIL_Z * fit.sigma)


def stall_threshold(fit: LogNormalFit | None, stall_after: float) -> float:
    """Return the age past which a job is stalled: `stall_after`, or the upper bound if that is later.

    If most jobs take an hour, a job of an hour is not stalled. A short fit from few jobs never shortens `stall_after`.
    """
    return stall_after if fit is None else max(stall_after, upper_bound(fit))
