import math
from random import Random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.support.strategies import NOW, event_sequences, few_examples, fits
from tui.domain.job_state import JobListed, JobState, PollFailed, ResultReceived, StatusReceived, reduce
from tui.domain.models import ACTIVE, Fault, FaultKind, Job, Phase, PollReason, Report, Result
from tui.domain.polling import duration_model, schedule
from tui.domain.polling.duration_model import LogNormalFit
from tui.domain.polling.schedule import (
    DAY,
    DEFAULT_INTERVALS,
    HOUR,
    MAX_RETRY_AFTER,
    LearnedTiming,
    PollingPolicy,
    next_poll,
)

JOB = Job(account="a", id="1")
NEW = JobState(job=JOB)
policies = st.builds(
    PollingPolicy.for_cadence,
    st.sampled_from(sorted(DEFAULT_INTERVALS)),
    max_interval=st.floats(2, 3600),
    stall_after=st.floats(2, 1e6),
    has_result_request=st.booleans(),
)
VIDEO = PollingPolicy.for_cadence("video", max_interval=60, stall_after=3600, has_result_request=False)
TEXT = PollingPolicy.for_cadence("text", max_interval=60, stall_after=3600, has_result_request=True)


def after(*events, state=NEW):
    for event in events:
        state, _ = reduce(state, event)
    return state


def status(phase, at, **more):
    return StatusReceived(Report(phase=phase, raw_status="x", **more), at)


def fault(kind, at, **more):
    return PollFailed(Fault(kind, "x", **more), at)


@few_examples
@given(event_sequences(), policies, st.floats(0, 1e7), st.integers())
def test_the_next_poll_is_between_now_and_a_little_over_a_day(events, policy, later, seed):
    state = after(*(event for _, event in events))
    now = max([NOW, *(at for at, _ in events)]) + later
    found = next_poll(state, policy, now, Random(seed))
    if found is not None:
        assert now <= found.at <= now + max(DAY, MAX_RETRY_AFTER) * 1.1 + policy.initial_interval
        assert found.reason


@few_examples
@given(event_sequences(), policies, st.integers())
def test_an_ended_job_is_polled_only_for_its_link_or_result_or_while_missing(events, policy, seed):
    state = after(*(event for _, event in events))
    now = max([NOW, *(at for at, _ in events)])
    found = next_poll(state, policy, now, Random(seed))
    if found is None or state.phase in ACTIVE:
        return
    assert not state.job.archived
    assert state.phase in {Phase.DONE, Phase.MISSING}
    if state.phase is Phase.DONE:
        assert schedule.needs_result(state, policy) or 0 < state.incomplete_polls <= 5


@few_examples
@given(event_sequences(), policies, st.integers())
def test_an_active_job_always_has_a_next_poll(events, policy, seed):
    state = after(*(event for _, event in events), JobListed(JOB))
    now = max([NOW, *(at for at, _ in events)])
    assert (next_poll(state, policy, now, Random(seed)) is not None) or state.phase not in ACTIVE


def intervals(age, policy=VIDEO):
    """The least and the most of many plans for a job that was first seen `age` seconds ago."""
    now = NOW + age
    state = after(status(Phase.RUNNING, NOW), status(Phase.RUNNING, now))
    found = [next_poll(state, policy, now, Random(seed)).at - now for seed in range(200)]
    return min(found), max(found)


@pytest.mark.parametrize(
    ("age", "about"),
    [(0, 15), (100, 15), (200, 20), (300, 30), (3599, 30), (7200, 60), (72_001, 600), (86_399, 600), (90_000, 3600)],
)
def test_a_video_is_polled_every_15_to_30_seconds_then_less_often_then_hourly(age, about):
    least, most = intervals(age)
    assert about * 0.9 <= least < about * 0.93
    assert about * 1.07 < most <= about * 1.1


def test_first_polls_are_spread_over_the_first_interval():
    found = [next_poll(NEW, VIDEO, NOW, Random(seed)).at - NOW for seed in range(300)]
    assert (min(found) < 1, 14 < max(found) <= 15) == (True, True)


def test_the_configured_longest_interval_is_respected():
    policy = PollingPolicy.for_cadence("video", max_interval=5, stall_after=3600, has_result_request=False)
    assert intervals(1000, policy)[1] <= 5.5


def test_a_retry_after_with_a_report_delays_this_job_only():
    state = after(status(Phase.RUNNING, NOW, retry_after=120.0))
    assert next_poll(state, VIDEO, NOW, Random(1)).at == NOW + 120
    state = after(status(Phase.RUNNING, NOW, retry_after=1.8e9))
    assert next_poll(state, VIDEO, NOW, Random(1)).at == NOW + DAY


@pytest.mark.parametrize("kind", [FaultKind.OFFLINE, FaultKind.TIMEOUT, FaultKind.TLS, FaultKind.SERVER])
def test_the_backoff_doubles_to_two_minutes_with_full_jitter(kind):
    for faults, ceiling in [(1, 4), (2, 8), (3, 16), (6, 120), (50, 120)]:
        state = after(*(fault(kind, NOW) for _ in range(faults)))
        found = [next_poll(state, VIDEO, NOW, Random(seed)).at - NOW for seed in range(300)]
        assert min(found) >= 2
        assert ceiling * 0.9 < max(found) <= ceiling


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (FaultKind.REFUSED, 0.9 * HOUR, 1.1 * HOUR),
        (FaultKind.RETIRED, 0.9 * DAY, 1.1 * DAY),
        (FaultKind.MISSING, 18, 22),
    ],
)
def test_some_faults_have_their_own_interval(kind, least, most):
    state = after(fault(kind, NOW))
    assert all(least <= next_poll(state, VIDEO, NOW, Random(seed)).at - NOW <= most for seed in range(100))


def test_retry_after_is_waited_out_and_then_spread():
    state = after(fault(FaultKind.LIMITED, NOW, retry_at=NOW + 38))
    found = [next_poll(state, VIDEO, NOW, Random(seed)).at - NOW for seed in range(200)]
    assert (min(found) >= 38, max(found) <= 53, max(found) - min(found) > 12) == (True, True, True)


@pytest.mark.parametrize("kind", FaultKind)
def test_no_fault_is_polled_again_before_its_retry_at_within_a_day(kind):
    for wait, least in ((90_000.0, DAY), (300.0, 300.0), (-5.0, 0.0)):
        poll = next_poll(after(fault(kind, NOW, retry_at=NOW + wait)), VIDEO, NOW, Random(1))
        assert poll is None or poll.at - NOW >= least


def test_the_result_of_a_done_job_waits_for_the_hint_of_its_report():
    done = after(status(Phase.DONE, NOW, result_id="7", retry_after=15.0))
    assert next_poll(done, TEXT, NOW, Random(1)).at == NOW + 15


def test_a_missing_job_is_polled_hourly_for_a_day():
    missing = after(PollFailed(Fault(FaultKind.MISSING, "x"), NOW, one_shot=True))
    assert next_poll(missing, VIDEO, NOW + DAY, Random(1)).at - NOW - DAY > 0.9 * HOUR
    assert next_poll(missing, VIDEO, NOW + DAY + 1, Random(1)) is None


def test_a_result_is_requested_at_once_then_with_backoff_then_hourly_for_a_day():
    done = after(status(Phase.DONE, NOW, result_id="7"))
    assert next_poll(done, TEXT, NOW, Random(1)).at == NOW
    trouble = [PollFailed(Fault(FaultKind.SERVER, "x"), NOW, is_follow_up=True)] * 9
    state = after(*trouble, state=done)
    assert next_poll(state, TEXT, NOW, Random(1)).at - NOW <= 120
    state = after(trouble[0], state=state)
    assert next_poll(state, TEXT, NOW, Random(1)).at - NOW >= 0.9 * HOUR
    assert next_poll(state, TEXT, NOW + DAY + 1, Random(1)) is None
    assert next_poll(after(ResultReceived(Result("text"), NOW), state=done), TEXT, NOW, Random(1)) is None


@few_examples
@given(event_sequences(), policies)
def test_only_reports_of_active_jobs_become_stale(events, policy):
    state = after(*(event for _, event in events))
    until = schedule.stale_after(state, NOW + 1e6, NOW)
    assert (until is None) or state.phase in ACTIVE


def test_a_report_is_stale_after_three_intervals_whatever_the_faults():
    state = after(status(Phase.RUNNING, NOW))
    assert schedule.stale_after(state, NOW + 15, NOW) == NOW + 75
    assert schedule.stale_after(after(fault(FaultKind.SERVER, NOW + 15), state=state), NOW + 99, NOW + 15) is None
    assert schedule.stale_after(state, None, NOW) is None


def learned(median, sigma=0.5, price=0.2):
    return LearnedTiming(LogNormalFit(math.log(median), sigma, 10), price)


@few_examples
@given(fits, st.floats(1e-3, 1e5), st.floats(0, 1e6), st.floats(2, 3600))
def test_a_learned_interval_is_within_bounds_for_any_fit_and_age(fit, price, age, longest):
    assert 2 <= schedule.learned_interval(LearnedTiming(fit, price), age, longest) <= longest


@few_examples
@given(fits, st.floats(0, 86_000), st.floats(1e-3, 1e3))
@example(LogNormalFit(3.5, 0.34375, 3), 4.0, 2.0)
def test_a_higher_shadow_price_makes_no_interval_shorter(fit, age, price):
    cheap, dear = (schedule.learned_interval(LearnedTiming(fit, each), age, 60) for each in (price, price * 1.2))
    assert dear >= cheap * 0.93  # each is good to 3 %


@few_examples
@given(fits, st.floats(0, 86_000), st.floats(1e-3, 1e3))
@example(LogNormalFit(3.5, 0.34375, 3), 4.0, 2.0)
def test_the_best_rate_over_a_learned_interval_adds_up_to_one_poll(fit, age, price):
    found = schedule.learned_interval(LearnedTiming(fit, price), age, 60)
    steps = [age + found * (step + 0.5) / 500 for step in range(500)]
    polls = sum(math.sqrt(duration_model.hazard(fit, at) / (2 * price)) for at in steps) * found / 500
    assert polls > 1 / 8 or found > 59  # where the hazard is steepest, Simpson's rule is that far off
    assert polls < 5 / 2 or found < 2.1


def test_with_a_constant_hazard_the_interval_is_the_formula():
    found = schedule.learned_interval(learned(600), 800, 60)
    assert found == pytest.approx(
        math.sqrt(2 * 0.2 / duration_model.hazard(learned(600).fit, 800 + found / 2)), rel=0.05
    )


def test_polls_are_more_frequent_where_an_end_is_likelier():
    young, ripe = (schedule.learned_interval(learned(600, 0.3), age, 60) for age in (60, 600))
    assert (young, ripe < 15) == (60, True)


def test_a_young_job_of_a_short_kind_is_polled_before_its_likely_end():
    assert schedule.learned_interval(learned(60, 0.2), 0, 600) < 60


def test_a_learned_poll_has_its_own_reason():
    state = after(status(Phase.RUNNING, NOW), status(Phase.RUNNING, NOW + 500))
    found = next_poll(state, VIDEO, NOW + 500, Random(1), learned(570, 0.19))
    assert found.reason is PollReason.LEARNED
    assert found.demand.hazard > 0


def test_a_learned_job_respects_retry_after_and_is_polled_hourly_after_a_day():
    state = after(status(Phase.RUNNING, NOW, retry_after=120.0))
    assert next_poll(state, VIDEO, NOW, Random(1), learned(600)).at == NOW + 120
    old = after(status(Phase.RUNNING, NOW), status(Phase.RUNNING, NOW + DAY + 1))
    assert next_poll(old, VIDEO, NOW + DAY + 1, Random(1), learned(600)).at - NOW - DAY > 0.9 * HOUR


@pytest.mark.parametrize("wrong", [1 / 30, 30])
def test_a_wildly_wrong_history_delays_no_end_by_more_than_the_longest_interval(wrong):
    for life in (60, 600, 3000):
        age = 0.0
        while age < life:
            before, age = age, age + schedule.learned_interval(learned(life * wrong), age, 60)
        assert age - life <= 60
        assert age - before >= 2
