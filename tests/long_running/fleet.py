"""Virtual week of 2,000 jobs at twelve services, with and without their lists: all that the board shows is true."""

import tempfile
import time
from pathlib import Path

from tests.support.fleet_week import DOCUMENTED, RATE, FleetWeek, simulate_fleet, wrong_ends
from tests.support.virtual_time import MINUTE, run_virtual

JOBS = 2000
INTERVAL = 5 * MINUTE
"""Longest interval in seconds."""


def _run(*, with_lists: bool) -> FleetWeek:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        week = run_virtual(simulate_fleet(Path(folder), JOBS, with_lists=with_lists, interval=INTERVAL))
        took = time.perf_counter() - began
    lists = "with lists" if with_lists else "without lists"
    print(
        f"a week of {len(week.states)} jobs at {len(week.requests)} services, {lists}: {week.request_count} requests, "
        f"at most {week.most_in_a_minute} in a minute at one service ({RATE:g} allowed), in {took:.0f} s of real time"
    )
    print(f"  {week.statement_count} statements compared with the truth, lies {len(week.lies)}")
    for name, counts in week.requests.items():
        print(f"  {name}: {', '.join(f'{kind} {number}' for kind, number in counts.most_common())}")
    return week


def main() -> None:
    """Run both weeks, and print the requests of each service."""
    weeks = [_run(with_lists=with_lists) for with_lists in (True, False)]
    listed, single = (sum(week.requests[name].total() for name in (*DOCUMENTED, "heygen")) for week in weeks)
    print(f"services with a list: {listed} requests with it, {single} without it ({listed / single:.0%})")
    for week in weeks:
        assert len(week.states) == JOBS
        assert not week.lies, f"the board showed what is not true: {week.lies[:5]}"
        assert not (wrong := wrong_ends(week)), f"phases differ from the services: {wrong[:5]}"
        assert week.most_in_a_minute <= RATE + 1, "the rate limit was exceeded"
    assert listed < single, "lists saved no requests"
