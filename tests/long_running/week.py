"""Virtual week in which 500 jobs of one minute to six hours arrive at four services, with faults."""

import tempfile
import time
from pathlib import Path

from tests.support.virtual_time import run_virtual
from tests.support.virtual_week import poll_counts, simulate_week

JOBS = 500


def main() -> None:
    """Run the week, compare the states with the simulator, and print the requests and the real time."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        week = run_virtual(simulate_week(Path(folder), JOBS))
        took = time.perf_counter() - began
    differing = [ref for ref, state in week.states.items() if state.phase is not week.expected[ref]]
    by_end = poll_counts(week)
    print(f"a week of {JOBS} jobs: {sum(by_end.values())} requests in {took:.1f} s of real time")
    print("requests by scenario:", ", ".join(f"{end} {count}" for end, count in by_end.most_common()))
    print(
        "responses:",
        ", ".join(
            f"{service} {status}: {count}"
            for (service, status), count in sorted(week.simulator.response_counts.items())
        ),
    )
    assert not differing, f"states differ from the services: {differing[:5]}"
