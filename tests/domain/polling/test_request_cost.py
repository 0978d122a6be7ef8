import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import few_examples
from tui.domain.polling.request_cost import MIN_INTERVAL, MIN_SHADOW_PRICE, PollDemand, shadow_price

hazards = st.lists(st.floats(1e-12, 10), min_size=1, max_size=50)


def rates(hazards, found, longest=60):
    """Polls a second of each job at this price."""
    return [1 / min(longest, max(MIN_INTERVAL, math.sqrt(2 * found / hazard))) for hazard in hazards]


@few_examples
@given(hazards, st.floats(0.01, 100))
def test_the_rates_fit_the_allowed_rate_unless_even_the_longest_intervals_do_not(hazards, allowed):
    found = shadow_price([PollDemand(hazard=each) for each in hazards], allowed, 60)
    assert found >= MIN_SHADOW_PRICE
    assert sum(rates(hazards, found)) <= max(0.9 * allowed, len(hazards) / 60) * (1 + 1e-6)


@few_examples
@given(hazards, st.floats(0.01, 100))
def test_the_allowed_rate_is_used_before_the_price_rises(hazards, allowed):
    found = shadow_price([PollDemand(hazard=each) for each in hazards], allowed, 60)
    if found > MIN_SHADOW_PRICE * 1.001 and 0.9 * allowed > len(hazards) / 60 * (1 + 1e-6):
        assert sum(rates(hazards, found)) == pytest.approx(0.9 * allowed, rel=1e-6)


@few_examples
@given(hazards, st.floats(0.01, 10), st.floats(1, 10))
def test_a_higher_allowed_rate_raises_no_price(hazards, allowed, more):
    demands = [PollDemand(hazard=each) for each in hazards]
    assert shadow_price(demands, allowed * more, 60) <= shadow_price(demands, allowed, 60) * (1 + 1e-6)


def test_fixed_demands_leave_less_for_learned_ones():
    learned = [PollDemand(hazard=0.01)] * 10
    alone, crowded = shadow_price(learned, 1.0, 60), shadow_price([*learned, *[PollDemand(rate=0.1)] * 5], 1.0, 60)
    assert crowded > alone
    assert sum(rates([0.01] * 10, crowded)) == pytest.approx(0.9 - 0.5)


def test_without_learned_jobs_or_scarcity_the_price_is_minimal():
    assert shadow_price([], 1.0, 60) == MIN_SHADOW_PRICE
    assert shadow_price([PollDemand(rate=1.0)], 1.0, 60) == MIN_SHADOW_PRICE
    assert shadow_price([PollDemand(hazard=0.001)], 100.0, 60) == MIN_SHADOW_PRICE
