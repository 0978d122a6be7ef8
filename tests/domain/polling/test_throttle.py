from bisect import bisect_left
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.strategies import NOW, few_examples
from tui.domain.models import Fault, FaultKind
from tui.domain.polling import throttle
from tui.domain.polling.rate_limit import SLOWDOWN_FACTOR, WaitReason
from tui.domain.polling.throttle import clock_shifted, initial, key_changed, next_slot, record_outcome, reset, take_slot


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
"""Polls: seconds that pass before, seconds until the response, and what it is."""


def run(script, per_minute, seed, per_day=None):
    """Poll whenever allowed. Returns the instants of the polls, and each floor: the polls before it, and its end."""
    now, random = NOW, Random(seed)
    state = initial(per_minute, now, per_day)
    polls, floors = [], []
    for passed, took, outcome in script:
        now += passed
        while (leave := next_slot(state, now)) is not None and leave.at > now:
            now = leave.at
        if leave is None:
            state = reset(state)
            continue
        state = take_slot(state, now)
        polls.append(now)
        now += took
        answer = outcome
        if isinstance(outcome, tuple):
            answer = fault(FaultKind.LIMITED, 429, now + outcome[1])
        state = record_outcome(state, answer, now, random, str(len(polls)))
        if isinstance(outcome, tuple):
            floors.append((len(polls), now + outcome[1]))
    return polls, floors


@given(scripts, st.floats(1, 6000), st.integers())
@few_examples
def test_no_request_is_sent_before_not_before(script, per_minute, seed):
    polls, floors = run(script, per_minute, seed)
    for count, until in floors:
        assert not [poll for poll in polls[count:] if poll < until]


@given(scripts, st.floats(1, 6000), st.integers())
@few_examples
def test_no_minute_has_more_requests_than_configured(script, per_minute, seed):
    quick = [(passed / 100, took / 100, None if isinstance(out, Fault) else out) for passed, took, out in script]
    for polls in (run(script, per_minute, seed)[0], run(quick, per_minute, seed)[0]):
        for first in polls:
            assert len([poll for poll in polls if first <= poll < first + 60]) <= max(1, int(per_minute))


@given(st.floats(10, 2000), st.integers(1, 5))
@settings(max_examples=10)
def test_no_day_has_more_requests_than_the_daily_limit(per_day, rate):
    polls, _ = run([(0.0, 0.0, None)] * 1500, rate * 60, 1, per_day)
    for at, first in enumerate(polls):
        assert bisect_left(polls, first + 86400) - at <= per_day + 1


def opened():
    state = initial(6000, NOW)
    for _ in range(5):
        state = record_outcome(take_slot(state, NOW), OFFLINE, NOW, Random(1))
    return state


def test_five_consecutive_failures_open_the_breaker_for_half_a_minute():
    state = initial(6000, NOW)
    for _ in range(4):
        state = record_outcome(take_slot(state, NOW), OFFLINE, NOW, Random(1))
    assert next_slot(state, NOW).at == NOW
    assert next_slot(opened(), NOW) == (NOW + 30, WaitReason.UNAVAILABLE)


def test_an_open_breaker_sends_one_probe_and_each_failed_probe_doubles_its_time():
    state, now = opened(), NOW
    for wait in (30, 60, 120, 240, 480, 600, 600):
        assert next_slot(state, now).at == now + wait
        now += wait
        assert next_slot(state, now).at == now
        state = take_slot(state, now)
        assert next_slot(state, now).at >= now + 30, "one probe only"
        state = record_outcome(state, OFFLINE, now, Random(1))


def test_a_request_in_flight_when_the_breaker_opens_does_not_double_its_time():
    state = opened()
    for _ in range(10):
        state = record_outcome(state, OFFLINE, NOW + 1, Random(1))
    assert next_slot(state, NOW + 1).at == NOW + 30


@pytest.mark.parametrize("answer", [None, fault(FaultKind.MISSING, 404), fault(FaultKind.REJECTED, 400)])
def test_any_response_closes_the_breaker(answer):
    state = record_outcome(take_slot(opened(), NOW + 30), answer, NOW + 31, Random(1))
    assert next_slot(state, NOW + 31).at == NOW + 31
    for _ in range(4):
        state = record_outcome(take_slot(state, NOW + 31), OFFLINE, NOW + 31, Random(1))
    assert next_slot(state, NOW + 31).at == NOW + 31, "the count of failures starts at zero"


def test_a_lost_probe_does_not_keep_the_breaker_open_forever():
    assert next_slot(take_slot(opened(), NOW + 30), NOW + 31).at <= NOW + 31 + 600


def test_a_401_stops_the_account_until_a_user_request_or_another_key():
    stopped = record_outcome(initial(60, NOW), fault(FaultKind.REFUSED, 401), NOW, Random(1))
    assert next_slot(stopped, NOW + 1e6) is None
    assert next_slot(stopped, NOW, user_requested=True).at == NOW
    assert next_slot(reset(stopped), NOW).at == NOW
    assert next_slot(key_changed(stopped), NOW).at == NOW


def forbidden(state, *jobs):
    for job in jobs:
        state = record_outcome(state, fault(FaultKind.REFUSED, 403), NOW, Random(1), job)
    return state


def test_three_forbidden_jobs_stop_an_account_without_any_report():
    fresh = initial(60, NOW)
    assert next_slot(forbidden(fresh, "a", "b"), NOW) is not None
    assert next_slot(forbidden(fresh, "a", "a", "a", "a"), NOW) is not None, "one job, however often"
    assert next_slot(forbidden(fresh, "a", "b", "c"), NOW) is None
    proven = record_outcome(fresh, None, NOW, Random(1))
    assert next_slot(forbidden(proven, "a", "b", "c", "d"), NOW) is not None
    assert next_slot(forbidden(reset(proven), "a", "b", "c"), NOW) is not None
    assert next_slot(forbidden(key_changed(proven), "a", "b", "c"), NOW) is None, "of another key nothing is known"


def test_a_user_request_ignores_breaker_and_stop_but_not_the_rate_limit():
    assert next_slot(opened(), NOW, user_requested=True).at == NOW
    limited = record_outcome(initial(60, NOW), fault(FaultKind.LIMITED, 429, NOW + 38), NOW, Random(1))
    assert next_slot(limited, NOW, user_requested=True).at == NOW + 38
    empty = initial(60, NOW)
    while next_slot(empty, NOW).at == NOW:
        empty = take_slot(empty, NOW)
    assert next_slot(empty, NOW, user_requested=True).at > NOW
    assert next_slot(reset(limited), NOW).at == NOW + 38


def test_a_429_lowers_the_rate_and_minutes_without_one_raise_it():
    state = record_outcome(initial(60, NOW), fault(FaultKind.LIMITED, 429, NOW + 60), NOW, Random(1))
    assert state.per_minute == pytest.approx(60 * SLOWDOWN_FACTOR)
    for minutes, rate in [(1, 42), (2, 43), (11, 52), (30, 60)]:
        assert record_outcome(state, None, NOW + 60 * minutes, Random(1)).per_minute == pytest.approx(rate)


def test_a_429_never_slows_below_one_a_minute():
    state = initial(60, NOW)
    for _ in range(50):
        state = record_outcome(state, fault(FaultKind.LIMITED, 429, NOW + 1), NOW, Random(1))
    assert state.per_minute == pytest.approx(1)


@pytest.mark.parametrize("retry_at", [None, NOW, NOW - 100])
def test_a_429_without_a_future_time_backs_off_with_full_jitter(retry_at):
    state, waits = initial(60, NOW), []
    for seed in range(40):
        state = record_outcome(state, fault(FaultKind.LIMITED, 429, retry_at), NOW, Random(seed))
        waits.append(state.not_before - NOW)
    assert 2 <= waits[0] <= 4
    assert 90 < max(waits) <= 120


def test_a_wait_is_never_shortened_by_a_later_response():
    state = record_outcome(initial(60, NOW), fault(FaultKind.LIMITED, 429, NOW + 300), NOW, Random(1))
    state = record_outcome(state, fault(FaultKind.LIMITED, 429, NOW + 5), NOW + 1, Random(1))
    assert next_slot(record_outcome(state, None, NOW + 2, Random(1)), NOW + 2).at == NOW + 300


@pytest.mark.parametrize("by", [-3600.0, 20.0])
def test_a_clock_change_keeps_the_length_of_every_wait(by):
    state = record_outcome(opened(), fault(FaultKind.LIMITED, 429, NOW + 300), NOW, Random(1))
    assert next_slot(clock_shifted(state, by), NOW + by).at == pytest.approx(NOW + by + 300)
    assert next_slot(clock_shifted(opened(), by), NOW + by).at == pytest.approx(NOW + by + 30)


def test_only_faults_of_an_unavailable_service_count_for_the_breaker():
    assert {FaultKind.OFFLINE, FaultKind.TIMEOUT, FaultKind.TLS, FaultKind.SERVER} == throttle.UNAVAILABLE_FAULTS
