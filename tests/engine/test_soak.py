"""Short form of the long run `soak`: the same code with fewer days, jobs and minutes."""

from contextlib import closing
from itertools import islice

import pytest

from tests.long_running.soak import Gauge, find_growth, open_dashboard, run_days
from tests.support.virtual_time import HOUR, run_virtual
from tests.support.waiting import DEADLINE


def test_two_consoles_use_constant_resources_over_days(tmp_path):
    found = run_virtual(run_days(tmp_path, 5, 20, rate=2.0, day=HOUR / 6))
    print(*found.gauges, sep="\n")
    assert found.faults > 5
    first, last = found.gauges[-2:]
    assert last.descriptors <= first.descriptors
    assert last.threads <= first.threads
    assert last.tasks <= first.tasks + 1
    assert last.objects < 1.1 * first.objects


@pytest.mark.waits
@pytest.mark.timeout(10 * DEADLINE)
def test_a_dashboard_that_polls_without_pause_uses_constant_resources(tmp_path):
    with closing(open_dashboard(tmp_path, 60, every=20, interval=2)) as found:
        gauges = list(islice(found, 3))
    print(*gauges, sep="\n")
    first, last = gauges[0], gauges[-1]
    few = (last.requests - first.requests) // 10  # threads of a pool start one by one; what leaks does so at each poll
    assert last.descriptors < first.descriptors + few
    assert last.threads < first.threads + few


def test_growth_is_reported():
    flat = [Gauge(at, 100.0, 20, 5, 10.0, 0, 7) for at in range(30)]
    assert find_growth(flat) == []
    assert find_growth([*flat, flat[-1]._replace(memory=120.0, tasks=12)]) == [
        "memory: 100.0 MB, then 120.0",
        "tasks: 7, then 12",
    ]
