"""Requests for 1,000 active jobs of a provider with a bulk request, in virtual time, against one request per job."""

import asyncio
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.support import fixtures
from tests.support.virtual_time import HOUR, VirtualTransport, run_virtual, wall_time
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.simulator.app import Simulator

IS_TIMED = False
JOBS = 1000
DURATION = HOUR
"""Seconds of virtual time."""


async def count_requests(folder: Path) -> tuple[int, int]:
    """Return the requests sent, and the jobs in all their responses."""
    simulator = Simulator(clock=wall_time, limits={"heygen": 10**9})
    jobs = {"heygen": tuple(f"j{number}-stuck" for number in range(JOBS))}
    workspace = fixtures.make_workspace(folder, "http://sim.test", jobs, accounts=("heygen",))
    engine = Engine(
        workspace,
        fixtures.RecordingListener().publish,
        EngineContext.create(wall=wall_time, random=Random(0), transport=lambda: VirtualTransport(simulator)),
        tick_interval=60.0,
    )
    async with fixtures.running_engine(engine):
        await asyncio.sleep(DURATION)
    assert all(state.fault is None and state.report is not None for state in engine.states.values())
    workspace.close()
    return sum(simulator.response_counts.values()), sum(simulator.poll_counts.values())


def measure() -> dict[str, dict[str, object]]:
    with TemporaryDirectory() as folder:
        requests, polls = run_virtual(count_requests(Path(folder)))
    return {
        f"bulk: requests in an hour for {JOBS} active jobs": {
            "ours": requests,
            "peer": polls,
            "ratio": polls / requests,
            "hold": 50,
            "better": "higher",
            "unit": "requests; peer: one per job",
        }
    }
