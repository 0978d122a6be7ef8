"""A virtual day of an engine with 10,000 jobs and of the board that a screen draws: by how much it makes memory grow.

python -m tests.benchmarks.day      (a child of `memory`; prints the megabytes a day, and the asks)
"""

import asyncio
import gc
import json
import os
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from statistics import mean

from tests.benchmarks.consoles import JOBS, resident_mb, states
from tests.support import fixtures
from tests.support.virtual_time import DAY, HOUR, MINUTE, VirtualTransport, run_virtual, wall_time
from tui.dashboard.board_model import BoardModel
from tui.domain.evaluation import EvaluationContext
from tui.domain.models import ENDED, Job
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.engine.outbox import Outbox
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.file import Add, Remove, Set

ACTIVE_JOBS = 60
"""Jobs that come every SHIFT, for as many that are taken off the watchlist; the others have ended long ago."""
SHIFT_SECONDS = 12 * HOUR
RATE_PER_MINUTE = 1.0
"""Asks a minute that each account may use."""
SETTLE_DAYS, MEASURED_DAYS = 6, 4
"""Virtual days until everything is about as large as it gets, and those in which the growth is measured.

What is bounded (parsed URLs, past jobs, SQLite's pages) fills in the first week.
"""
WARM_UP_EDITS = 8
"""Edits of the watchlist after which parsing it takes no more memory than it has taken before."""
SAMPLED_SHIFTS = 2
"""Shifts over which a size is averaged: parsing the watchlist makes it go up and down by two megabytes."""
ACCOUNTS = ("heygen", "konpro", "camb", "flixu")


class DayDashboard:
    """What a front end keeps: the board, as the outbox fills it."""

    def __init__(self) -> None:
        self.board = BoardModel(EvaluationContext(now=wall_time()), wall_time)
        self.outbox = Outbox(self._wake)

    def _wake(self) -> None:
        asyncio.get_running_loop().call_soon(self._take)

    def _take(self) -> None:
        self.board.apply_update(self.outbox.take())
        self.board.visible_refs()


async def measure_growth(folder: Path) -> tuple[float, int]:
    """Megabytes a day, and the asks of a day."""
    random = Random(1)
    shifts = [
        tuple(Job(account=ACCOUNTS[number % 4], id=f"day{shift}-{number}-fine-x") for number in range(ACTIVE_JOBS))
        for shift in range(int((SETTLE_DAYS + MEASURED_DAYS) * DAY / SHIFT_SECONDS))
    ]
    durations = {job.id: random.uniform(10 * MINUTE, 10 * HOUR) for shift in shifts for job in shift}
    scenarios = [Scenario(job, queued=duration * 0.1, running=duration * 0.9) for job, duration in durations.items()]
    simulator = Simulator(clock=wall_time, scenarios=scenarios, seed=1)
    ended_states = list(states("quiet", wall_time(), JOBS - ACTIVE_JOBS))
    workspace = fixtures.make_workspace(folder, "http://sim.test", rate=RATE_PER_MINUTE)
    workspace.watchlist.edit(Add(tuple(state.job for state in ended_states)))
    workspace.journal.record([JournalEntry(state) for state in ended_states])
    dashboard = DayDashboard()
    engine = Engine(
        workspace,
        dashboard.outbox.publish,
        EngineContext.create(wall=wall_time, random=random, transport=lambda: VirtualTransport(simulator)),
        tick_interval=MINUTE,
    )
    engine.open()
    running = asyncio.create_task(engine.run())
    for number in range(WARM_UP_EDITS):
        assert (await engine.perform(Set((ended_states[0].job.ref,), {"note": f"{number}"}))).ok
    sizes, settled = list[float](), int(SETTLE_DAYS * DAY / SHIFT_SECONDS)
    for number, shift in enumerate(shifts):
        if number == settled:
            simulator.response_counts = Counter()
        assert (await engine.perform(Add(shift))).ok
        await asyncio.sleep(SHIFT_SECONDS)
        assert len(dashboard.board.states) == JOBS
        assert sum(dashboard.board.states[job.ref].phase in ENDED for job in shift) > ACTIVE_JOBS / 2
        assert (await engine.perform(Remove(tuple(job.ref for job in shift)))).ok
        sizes.append(resident_after_gc(simulator))
    growth = mean(sizes[-SAMPLED_SHIFTS:]) - mean(sizes[settled - SAMPLED_SHIFTS : settled])
    requests = sum(simulator.response_counts.values())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    workspace.close()
    return growth / MEASURED_DAYS, requests // MEASURED_DAYS


def resident_after_gc(simulator: Simulator) -> float:
    """Resident megabytes without what waits for the collector, and without the service's own log of requests."""
    simulator.request_log.clear()
    gc.collect()
    return resident_mb(os.getpid())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        growth, requests = run_virtual(measure_growth(Path(folder)))
    print(json.dumps({"grown": growth, "asks": requests}))


if __name__ == "__main__":
    main()
