from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.strategies import NOW, few
from tui.domain.models import Fault, FaultKind
from tui.domain.polling import throttle
from tui.domain.polling.rate_limit import SLOWED
from tui.domain.polling.throttle import answered, ready, rekeyed, rested, resumed, shifted, taken


def fault(kind, status=None, retry_at=None):
    return Fault(kind, "why", status, retry_at)


OFFLINE = fault(FaultKind.OFFLINE)
outcomes = st.one_of(
    st.none(),
    st.sampled_from(FaultKind).map(fault),
    st.floats(0.1, 300).map(lambda wait: ("limited", wait)),
    st.just(fault(FaultKind.REFUSED, 403)),
)
scripts = st.lists(st.tuples(st.floats(0, 90), st.floats(0, 20), outcomes), max_size=80)
"""Wishes to ask: seconds that pass before, seconds that the answer takes, and what it is."""


def run(script, per_minute, seed, per_day=None):
    """Asks whenever it may. Returns the instants of the asks; of each floor how many were before it, and its end."""
    now, random = NOW, Random(seed)
    state = rested(per_minute, now, per_day)
    asks, floors = [], []
    for passed, took, outcome in script:
        now += passed
        while (leave := ready(state, now)) is not None and leave.at > now:
            now = leave.at
        if leave is None:
            state = resumed(state)
            continue
        state = taken(state, now)
        asks.append(now)
        now += took
        answer = outcome
        if isinstance(outcome, tuple):
            answer = fault(FaultKind.LIMITED, 429, now + outcome[1])
        state = answered(state, answer, now, random, str(len(asks)))
        if isinstance(outcome, tuple):
            floors.append((len(asks), now + outcome[1]))
    return asks, floors


@given(scripts, st.floats(1, 6000), st.integers())
@few
def test_no_ask_leaves_before_a_floor(script, per_minute, seed):
    asks, floors = run(script, per_minute, seed)
    for count, until in floors:
        assert not [ask for ask in asks[count:] if ask < until]


@given(scripts, st.floats(1, 6000), st.integers())
@few
def test_no_minute_holds_more_asks_than_the_operator_said(script, per_minute, seed):
    quick = [(passed / 100, took / 100, None if isinstance(out, Fault) else out) for passed, took, out in script]
    for asks in (run(script, per_minute, seed)[0], run(quick, per_minute, seed)[0]):
        for first in asks:
            assert len([ask for ask in asks if first <= ask < first + 60]) <= max(1, int(per_minute))


@given(st.floats(10, 2000), st.integers(1, 5))
@settings(max_examples=10)
def test_no_day_holds_more_asks_than_the_service_allows(per_day, rate):
    asks, _ = run([(0.0, 0.0, None)] * 1500, rate * 60, 1, per_day)
    for at, first in enumerate(asks):
        assert len([ask for ask in asks[at:] if ask < first + 86400]) <= per_day + 1


def opened():
    state = rested(6000, NOW)
    for _ in range(5):
        state = answered(taken(state, NOW), OFFLINE, NOW, Random(1))
    return state


def test_five_failures_in_a_row_open_the_breaker_for_half_a_minute():
    state = rested(6000, NOW)
    for _ in range(4):
        state = answered(taken(state, NOW), OFFLINE, NOW, Random(1))
    assert ready(state, NOW).at == NOW
    assert ready(opened(), NOW) == (NOW + 30, "the service is not answering")


def test_an_open_breaker_lets_one_probe_out_and_each_that_fails_doubles_its_time():
    state, now = opened(), NOW
    for wait in (30, 60, 120, 240, 480, 600, 600):
        assert ready(state, now).at == now + wait
        now += wait
        assert ready(state, now).at == now
        state = taken(state, now)
        assert ready(state, now).at >= now + 30, "one probe only"
        state = answered(state, OFFLINE, now, Random(1))


def test_what_was_under_way_when_the_breaker_opened_does_not_double_its_time():
    state = opened()
    for _ in range(10):
        state = answered(state, OFFLINE, NOW + 1, Random(1))
    assert ready(state, NOW + 1).at == NOW + 30


@pytest.mark.parametrize("answer", [None, fault(FaultKind.MISSING, 404), fault(FaultKind.REJECTED, 400)])
def test_any_answer_shuts_the_breaker(answer):
    state = answered(taken(opened(), NOW + 30), answer, NOW + 31, Random(1))
    assert ready(state, NOW + 31).at == NOW + 31
    for _ in range(4):
        state = answered(taken(state, NOW + 31), OFFLINE, NOW + 31, Random(1))
    assert ready(state, NOW + 31).at == NOW + 31, "failures are counted anew"


def test_a_probe_that_never_comes_back_does_not_shut_the_account_for_good():
    assert ready(taken(opened(), NOW + 30), NOW + 31).at <= NOW + 31 + 600


def test_a_401_stops_the_account_until_a_person_or_another_key():
    stopped = answered(rested(60, NOW), fault(FaultKind.REFUSED, 401), NOW, Random(1))
    assert ready(stopped, NOW + 1e6) is None
    assert ready(stopped, NOW, person=True).at == NOW
    assert ready(resumed(stopped), NOW).at == NOW
    assert ready(rekeyed(stopped), NOW).at == NOW


def forbidden(state, *jobs):
    for job in jobs:
        state = answered(state, fault(FaultKind.REFUSED, 403), NOW, Random(1), job)
    return state


def test_three_forbidden_jobs_stop_an_account_whose_key_has_brought_nothing():
    fresh = rested(60, NOW)
    assert ready(forbidden(fresh, "a", "b"), NOW) is not None
    assert ready(forbidden(fresh, "a", "a", "a", "a"), NOW) is not None, "one job, however often"
    assert ready(forbidden(fresh, "a", "b", "c"), NOW) is None
    proven = answered(fresh, None, NOW, Random(1))
    assert ready(forbidden(proven, "a", "b", "c", "d"), NOW) is not None
    assert ready(forbidden(resumed(proven), "a", "b", "c"), NOW) is not None
    assert ready(forbidden(rekeyed(proven), "a", "b", "c"), NOW) is None, "of another key nothing is known"


def test_a_person_passes_breaker_and_stop_but_neither_floor_nor_bucket():
    assert ready(opened(), NOW, person=True).at == NOW
    limited = answered(rested(60, NOW), fault(FaultKind.LIMITED, 429, NOW + 38), NOW, Random(1))
    assert ready(limited, NOW, person=True).at == NOW + 38
    empty = rested(60, NOW)
    while ready(empty, NOW).at == NOW:
        empty = taken(empty, NOW)
    assert ready(empty, NOW, person=True).at > NOW
    assert ready(resumed(limited), NOW).at == NOW + 38


def test_a_429_slows_the_rate_and_clean_minutes_give_it_back():
    state = answered(rested(60, NOW), fault(FaultKind.LIMITED, 429, NOW + 60), NOW, Random(1))
    assert state.per_minute == pytest.approx(60 * SLOWED)
    for minutes, rate in [(1, 42), (2, 43), (11, 52), (30, 60)]:
        assert answered(state, None, NOW + 60 * minutes, Random(1)).per_minute == pytest.approx(rate)


def test_a_429_never_slows_below_one_a_minute():
    state = rested(60, NOW)
    for _ in range(50):
        state = answered(state, fault(FaultKind.LIMITED, 429, NOW + 1), NOW, Random(1))
    assert state.per_minute == pytest.approx(1)


@pytest.mark.parametrize("retry_at", [None, NOW, NOW - 100])
def test_a_429_that_names_no_time_to_come_backs_off_by_full_jitter(retry_at):
    state, waits = rested(60, NOW), []
    for seed in range(40):
        state = answered(state, fault(FaultKind.LIMITED, 429, retry_at), NOW, Random(seed))
        waits.append(state.floor - NOW)
    assert 2 <= waits[0] <= 4
    assert 90 < max(waits) <= 120


def test_a_floor_is_never_shortened_by_a_later_answer():
    state = answered(rested(60, NOW), fault(FaultKind.LIMITED, 429, NOW + 300), NOW, Random(1))
    state = answered(state, fault(FaultKind.LIMITED, 429, NOW + 5), NOW + 1, Random(1))
    assert ready(answered(state, None, NOW + 2, Random(1)), NOW + 2).at == NOW + 300


@pytest.mark.parametrize("by", [-3600.0, 20.0])
def test_a_clock_that_is_set_changes_no_wait(by):
    state = answered(opened(), fault(FaultKind.LIMITED, 429, NOW + 300), NOW, Random(1))
    assert ready(shifted(state, by), NOW + by).at == pytest.approx(NOW + by + 300)
    assert ready(shifted(opened(), by), NOW + by).at == pytest.approx(NOW + by + 30)


def test_the_failures_are_those_that_say_that_nobody_is_there():
    assert {FaultKind.OFFLINE, FaultKind.TIMEOUT, FaultKind.TLS, FaultKind.SERVER} == throttle.FAILURES
