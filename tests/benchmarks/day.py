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

from tests.benchmarks.consoles import JOBS, resident, states
from tests.support import fixtures
from tests.support.virtual_time import DAY, HOUR, MINUTE, VirtualTransport, run_virtual, wall_time
from tui.dashboard.board_model import BoardModel
from tui.domain.models import ENDED, Job
from tui.engine.engine import Engine
from tui.engine.thread import Outbox
from tui.presentation.queries import EvaluationContext
from tui.simulator.app import Simulator
from tui.simulator.scenario import Story
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.file import Add, Remove, Set

ACTIVE = 60
"""Jobs that come every SHIFT, for as many that are taken off the watchlist; the others have ended long ago."""
SHIFT = 12 * HOUR
RATE = 1.0
"""Asks a minute that each account may use."""
SETTLE, DAYS = 6, 4
"""Virtual days until everything is about as large as it gets, and those in which the growth is measured.

What is bounded (parsed URLs, past jobs, SQLite's pages) fills in the first week.
"""
EDITS = 8
"""Edits of the watchlist after which parsing it takes no more memory than it has taken before."""
SAMPLES = 2
"""Shifts over which a size is averaged: parsing the watchlist makes it go up and down by two megabytes."""
ACCOUNTS = ("heygen", "konpro", "camb", "flixu")


class Front:
    """What a front end keeps: the board, as the outbox fills it."""

    def __init__(self) -> None:
        self.board = BoardModel(EvaluationContext(now=wall_time()), wall_time)
        self.outbox = Outbox(self._woken)

    def _woken(self) -> None:
        asyncio.get_running_loop().call_soon(self._take)

    def _take(self) -> None:
        self.board.apply_update(self.outbox.take())
        self.board.visible_refs()


async def lived(folder: Path) -> tuple[float, int]:
    """Megabytes a day, and the asks of a day."""
    random = Random(1)
    shifts = [
        tuple(Job(account=ACCOUNTS[number % 4], id=f"day{shift}-{number}-fine-x") for number in range(ACTIVE))
        for shift in range(int((SETTLE + DAYS) * DAY / SHIFT))
    ]
    lives = {job.id: random.uniform(10 * MINUTE, 10 * HOUR) for shift in shifts for job in shift}
    stories = [Story(job, queued=life * 0.1, running=life * 0.9) for job, life in lives.items()]
    simulator = Simulator(clock=wall_time, stories=stories, seed=1)
    ended = list(states("quiet", wall_time(), JOBS - ACTIVE))
    library = fixtures.make_workspace(folder, "http://sim.test", rate=RATE)
    library.watchlist.edit(Add(tuple(state.job for state in ended)))
    library.journal.record([JournalEntry(state) for state in ended])
    front = Front()
    session = Engine(
        library,
        front.outbox,
        wall=wall_time,
        random=random,
        transport=lambda: VirtualTransport(simulator),
        tick_interval=MINUTE,
    )
    session.open()
    running = asyncio.create_task(session.run())
    for number in range(EDITS):
        assert (await session.perform(Set((ended[0].job.ref,), {"note": f"{number}"}))).ok
    sizes, settled = list[float](), int(SETTLE * DAY / SHIFT)
    for number, shift in enumerate(shifts):
        if number == settled:
            simulator.replies = Counter()
        assert (await session.perform(Add(shift))).ok
        await asyncio.sleep(SHIFT)
        assert len(front.board.states) == JOBS
        assert sum(front.board.states[job.ref].phase in ENDED for job in shift) > ACTIVE / 2
        assert (await session.perform(Remove(tuple(job.ref for job in shift)))).ok
        sizes.append(held(simulator))
    grown = mean(sizes[-SAMPLES:]) - mean(sizes[settled - SAMPLES : settled])
    asked = sum(simulator.replies.values())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    library.close()
    return grown / DAYS, asked // DAYS


def held(simulator: Simulator) -> float:
    """Resident megabytes without what waits for the collector, and without the service's own log of requests."""
    simulator.log.clear()
    gc.collect()
    return resident(os.getpid())


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        grown, asked = run_virtual(lived(Path(folder)))
    print(json.dumps({"grown": grown, "asks": asked}))


if __name__ == "__main__":
    main()
