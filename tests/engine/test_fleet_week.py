"""Short form of `long_running.fleet`: jobs at twelve services, with and without their lists."""

import pytest

from tests.support.fleet_week import DOCUMENTED, RATE, simulate_fleet, wrong_ends
from tests.support.virtual_time import HOUR, MINUTE, run_virtual

JOBS = 24


@pytest.mark.parametrize("with_lists", [True, False])
def test_all_that_the_board_of_a_fleet_shows_is_true(tmp_path, with_lists):
    week = run_virtual(
        simulate_fleet(
            tmp_path,
            JOBS,
            with_lists=with_lists,
            span=7 * HOUR,
            rest=4 * HOUR,
            interval=20 * MINUTE,
            longest=1.5 * HOUR,
        )
    )
    print({name: dict(counts) for name, counts in week.requests.items()}, week.statement_count)
    assert len(week.states) == JOBS
    assert week.statement_count > 10 * JOBS
    assert week.lies == ()
    assert wrong_ends(week) == []
    assert week.most_in_a_minute <= RATE + 1
    assert any(week.requests[name]["list"] for name in DOCUMENTED) == with_lists
