import math
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import few_examples, fits
from tui.domain.polling.duration_model import (
    MIN_SAMPLES,
    PRIOR_MEDIANS,
    SIGMA_BOUNDS,
    SPREAD_FACTOR,
    TAIL_EXPONENT,
    LogNormalFit,
    ObservedDuration,
    fit_durations,
    hazard,
    progress,
    remaining,
    stall_threshold,
    survival,
    typical_range,
    upper_bound,
)

ages = st.floats(0, 1e6)
cadences = st.sampled_from(sorted(PRIOR_MEDIANS))
lives = st.builds(
    lambda low, more: ObservedDuration(low, low + more), st.just(0.0) | st.floats(0, 1e6), st.floats(0, 1e6)
)


def polled(median, sigma, count, interval, seed=1):
    """What polls at a fixed interval observe of such jobs."""
    random = Random(seed)
    ends = [median * math.exp(sigma * random.gauss(0, 1)) for _ in range(count)]
    return [ObservedDuration(end // interval * interval, end // interval * interval + interval) for end in ends]


@few_examples
@given(fits, ages)
def test_a_hazard_is_positive_and_finite_at_any_age(fit, age):
    assert 0 < hazard(fit, age) < math.inf


@few_examples
@given(fits, st.floats(2.0001, 1e4))
def test_the_hazard_past_twice_the_median_is_at_least_the_tails_exponent_over_the_age(fit, times):
    age = times * math.exp(fit.mu)
    assert hazard(fit, age) >= TAIL_EXPONENT / age * (1 - 1e-9)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.5])
def test_the_hazard_has_no_step_where_the_asymptotic_takes_over(sigma):
    fit = LogNormalFit(20.0, sigma, 10)
    border = math.exp(20.0 + 8 * SPREAD_FACTOR * sigma)
    assert hazard(fit, border * 0.999999) == pytest.approx(hazard(fit, border * 1.000001), rel=1e-3)


@few_examples
@given(st.lists(lives, max_size=20), cadences)
def test_any_history_gives_a_fit_within_bounds_and_fewer_than_three_jobs_give_none(seen, cadence):
    fit = fit_durations(seen, cadence)
    assert (fit is None) == (len(seen) < MIN_SAMPLES)
    if fit is not None:
        assert SIGMA_BOUNDS[0] <= fit.sigma <= SIGMA_BOUNDS[1]
        assert math.log(0.01) < fit.mu < math.log(1e8)
        assert fit.sample_count == len(seen)


@pytest.mark.parametrize("interval", [0.01, 5, 15, 60])
@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_the_gap_between_two_polls_causes_no_bias(interval, sigma):
    fit = fit_durations(polled(100, sigma, 200, interval), "video")
    assert math.exp(fit.mu) == pytest.approx(100, rel=0.2)
    assert fit.sigma == pytest.approx(sigma, rel=0.25)


def test_a_gap_of_hours_between_two_polls_hardly_changes_the_fit():
    seen = polled(300, 0.3, 10, 15)
    with_gap = fit_durations([*seen, ObservedDuration(200, 8 * 3600)], "video")
    assert with_gap.mu == pytest.approx(fit_durations(seen, "video").mu, abs=0.1)


def test_a_fit_of_few_jobs_is_near_the_prior_and_one_of_many_is_not():
    off = [abs(fit_durations(polled(20, 0.3, count, 1), "video").mu - math.log(20)) for count in (3, 100)]
    assert off[1] < off[0] < 0.5


@few_examples
@given(fits, ages)
def test_the_remaining_range_is_ordered_and_never_negative(fit, age):
    found = remaining(fit, age)
    assert (found is None) == (survival(fit, age) < 0.005)
    if found is not None:
        assert 0 <= found.low <= found.median <= found.high


@few_examples
@given(fits)
def test_a_new_job_has_the_typical_range_remaining(fit):
    assert remaining(fit, 0) == pytest.approx(typical_range(fit), rel=1e-3)


def test_a_job_past_the_upper_bound_has_no_estimate():
    fit = LogNormalFit(math.log(600), 0.5, 10)
    assert remaining(fit, upper_bound(fit) * 0.99) is not None
    assert (remaining(fit, upper_bound(fit) * 1.01), progress(fit, upper_bound(fit) * 1.01)) == (None, None)


@few_examples
@given(fits, st.lists(st.floats(0, 1), min_size=2, max_size=10).map(sorted))
def test_estimated_progress_begins_at_0_stays_below_1_and_never_falls(fit, shares):
    found = [progress(fit, share * upper_bound(fit) * 0.99) for share in shares]
    assert progress(fit, 0) == 0
    assert all(0 <= each <= 1 for each in found)
    assert all(after >= before - 1e-9 for before, after in pairwise(found))


def test_a_job_is_stalled_past_stall_after_and_past_the_upper_bound():
    slow, quick = LogNormalFit(math.log(7200), 0.3, 20), LogNormalFit(math.log(20), 0.3, 20)
    assert stall_threshold(None, 3600) == 3600
    assert stall_threshold(quick, 3600) == 3600
    assert stall_threshold(slow, 3600) == upper_bound(slow) > 7200
