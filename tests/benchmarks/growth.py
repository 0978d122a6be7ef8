"""Growth with the number of jobs: exponents of what a tick, a key, a poll, a start and the memory cost.

From 1,000 to 100,000 jobs, the exponent is how many tens a cost grows by if the jobs grow by ten. CPU time, so that
other load matters little, and the three dashboards run at once.
"""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from statistics import median

from tests.benchmarks.board import cursor_keys
from tests.benchmarks.consoles import (
    command,
    console,
    cpu_milliseconds,
    cpu_seconds,
    drain,
    endless_updates,
    mixed_states,
    print_rows,
    resident_mb,
    row,
)
from tui.dashboard.board_model import BoardModel
from tui.domain.evaluation import EvaluationContext
from tui.engine.api import Update

SIZES = (1_000, 10_000, 100_000)
STARTUP_SECONDS = 16.0
"""Seconds until the largest has started beside the others."""
TICK_SECONDS = 10.0
KEYS, POLLS = 40, 300
BOUNDS = {"tick": 0.15, "key": 0.15, "poll": 0.15, "start": 1.05, "memory": 1.05}
UNITS = {"tick": "ms a second", "key": "ms", "poll": "ms", "start": "ms", "memory": "MB"}


def dashboard_costs(count: int) -> dict[str, float]:
    """Return the costs of a dashboard with so many jobs: start, memory, cursor key, and a second of ticking times."""
    with console(command("ticking", count)) as terminal:
        drain(terminal, STARTUP_SECONDS)
        start, memory = 1000 * cpu_seconds(terminal.pid), resident_mb(terminal.pid)
        tick = cpu_milliseconds(terminal, lambda: drain(terminal, TICK_SECONDS)) / TICK_SECONDS
        random = Random(5)
        keys = [cpu_milliseconds(terminal, lambda: cursor_keys(terminal, random, 1)) for _ in range(KEYS)]
    return {"start": start, "memory": memory, "tick": tick, "key": median(keys)}


def poll_cost(count: int) -> float:
    """Return the milliseconds in which a board of so many jobs takes the result of a poll."""
    now = time.time()
    states = list(mixed_states(now, count))
    board = BoardModel(EvaluationContext(now=now), lambda: now)
    board.apply_update(Update(states={each.job.ref: each for each in states}, order=tuple(e.job.ref for e in states)))
    board.visible_rows()
    durations: list[float] = []
    for _, state in zip(range(POLLS), endless_updates(states, Random(7)), strict=False):
        began = time.thread_time()
        board.apply_update(Update(states={state.job.ref: state}))
        board.visible_rows()
        durations.append(1000 * (time.thread_time() - began))
    return median(durations)


def exponent(small: float, large: float) -> float:
    return math.log10(large / small) / math.log10(SIZES[-1] / SIZES[0])


def measure() -> dict[str, dict]:
    with ThreadPoolExecutor() as pool:
        dashboards = list(pool.map(dashboard_costs, SIZES))
    costs = {count: {**dashboard, "poll": poll_cost(count)} for count, dashboard in zip(SIZES, dashboards, strict=True)}
    rows: dict[str, dict] = {}
    for name, hold in BOUNDS.items():
        small, middle, large = (costs[count][name] for count in SIZES)
        unit = (
            f"{UNITS[name]} with {SIZES[-1]:,} and {SIZES[0]:,} jobs; {middle:.3g} with {SIZES[1]:,}; ratio is theirs"
        )
        rows[f"growth: {name}, exponent"] = row(large, small, hold, unit, ratio=exponent(small, large))
    return rows


if __name__ == "__main__":
    print_rows(measure())
