import asyncio

import pytest

from tests.support.virtual_time import DAY, HOUR, MINUTE, WEEK, VirtualLoop, run_virtual
from tests.support.virtual_week import RATE, poll_counts, simulate_week
from tui.domain.models import ENDED

pytestmark = pytest.mark.xdist_group("week")  # made once, by one worker

INTERVAL = 40 * MINUTE
"""Longest interval in seconds; polls are more frequent near the expected end."""


@pytest.fixture(scope="module")
def week(tmp_path_factory):
    """Three of the days, with jobs of every outcome."""
    folder = tmp_path_factory.mktemp("week")
    found = run_virtual(simulate_week(folder, 25, seed=34, span=3 * DAY, interval=INTERVAL, rate=RATE / 3))
    print(f"\nthree days of 25 jobs: {sum(poll_counts(found).values())} polls")
    print("by end:", dict(poll_counts(found)), "by reply:", dict(found.simulator.response_counts))
    return found


def test_days_with_faults_end_with_the_phases_of_the_simulator(week):
    assert {ref: state.phase for ref, state in week.states.items()} == week.expected


def test_ended_jobs_have_their_link_or_result_and_are_not_polled(week):
    done = [state for state in week.states.values() if state.phase == "done"]
    assert len(done) > 10
    assert [state.job.ref for state in done if not state.links and not state.result] == []
    left = [state.job.ref for state in week.states.values() if state.phase in ENDED and state.next_poll_at is not None]
    assert left == []


def test_a_stuck_job_is_polled_hourly_without_end(week):
    stuck = [state for state in week.states.values() if "-stuck-" in state.job.id]
    assert stuck
    for state in stuck:
        assert 0 < state.next_poll_at - state.checked_at <= 1.11 * HOUR


def test_no_job_is_polled_more_than_its_duration_warrants(week):
    worst = max(week.states.values(), key=lambda state: state.poll_count)
    assert worst.poll_count < 24 * 60 + 3 * 24, worst.job.ref


def test_a_virtual_week_is_seven_jumps_of_the_clock():
    async def slept():
        loop = asyncio.get_running_loop()
        before = loop.jumps
        await asyncio.sleep(WEEK)
        return loop.time(), loop.jumps - before

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(slept()) == (WEEK, 7)
