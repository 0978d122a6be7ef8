"""The short form of the proof `soak`: same code, fewer days, jobs and minutes."""

import pytest

from tests.proofs.soak import Gauge, days, grown, minutes
from tests.virtual import HOUR, live


@pytest.mark.timeout(120)
def test_over_days_two_consoles_take_no_more_memory_descriptors_threads_or_tasks(tmp_path):
    found = live(days(tmp_path, 5, 20, rate=2.0, day=HOUR / 3))
    print(*found.gauges, sep="\n")
    assert found.faults > 5
    first, last = found.gauges[-2:]
    assert (last.descriptors, last.threads) == (first.descriptors, first.threads)
    assert last.tasks <= first.tasks + 1
    assert last.memory < first.memory + 8
    assert last.objects < 1.1 * first.objects


@pytest.mark.timeout(120)
def test_a_dashboard_that_asks_without_pause_takes_no_more_by_and_by(tmp_path):
    gauges = minutes(tmp_path, 0.25, 60, every=3.0)
    print(*gauges, sep="\n")
    assert gauges[-1].asks > gauges[0].asks
    assert gauges[-1].descriptors <= gauges[1].descriptors + 2
    assert gauges[-1].threads <= gauges[1].threads + 1
    assert gauges[-1].memory < gauges[1].memory + 12


def test_growth_is_told():
    flat = [Gauge(at, 100.0, 20, 5, 10.0, 0, 7) for at in range(30)]
    assert grown(flat) == []
    assert grown([*flat, flat[-1]._replace(memory=120.0, tasks=12)]) == [
        "memory: 100.0 MB, then 120.0",
        "tasks: 7, then 12",
    ]
