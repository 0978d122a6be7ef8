"""Memory growth per virtual day of an engine with 10,000 jobs and of the dashboard's board model.

python -m tests.benchmarks.day      (started by `memory`; prints megabytes and requests per day)
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
from tui.storage.watchlist.operations import Add, Remove, Set

ACTIVE_JOBS = 60
"""Jobs added every SHIFT_SECONDS, while as many are removed; the others have ended long ago."""
SHIFT_SECONDS = 12 * HOUR
RATE_PER_MINUTE = 1.0
"""Requests per minute of each account."""
SETTLE_DAYS, MEASURED_DAYS = 6, 4
"""Virtual days until all bounded caches are full, and days over which growth is measured.

Parsed URLs, past jobs and SQLite's pages fill in the first week.
"""
WARM_UP_EDITS = 8
"""Watchlist edits after which parsing needs no more memory than before."""
SAMPLED_SHIFTS = 2
"""Shifts over which a size is averaged: parsing the watchlist varies it by 2 MB."""
ACCOUNTS = ("heygen", "konpro", "camb", "flixu")


class DayDashboard:
    """Front end without a screen: the board model, filled by the outbox."""

    def __init__(self) -> None:
        self.board = BoardModel(EvaluationContext(now=wall_time()), wall_time)
        self.outbox = Outbox(self._wake)

    def _wake(self) -> None:
        asyncio.get_running_loop().call_soon(self._take)

    def _take(self) -> None:
        self.board.apply_update(self.outbox.take())
        self.board.visible_rows()


async def measure_growth(folder: Path) -> tuple[float, int]:
    """Return the growth in megabytes per day, and the requests per day."""
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
    await engine.open()
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
    """Return the resident megabytes after garbage collection, without the service's request log."""
    simulator.request_log.clear()
    gc.collect()
    return resident_mb(os.getpid())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        growth, requests = run_virtual(measure_growth(Path(folder)))
    print(json.dumps({"grown": growth, "requests": requests}))


if __name__ == "__main__":
    main()
