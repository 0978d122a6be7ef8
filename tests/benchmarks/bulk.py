"""Requests for a thousand active jobs of a provider that has a bulk ask, in virtual time, beside one ask a job."""

import asyncio
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from tests.support import fixtures
from tests.support.virtual_time import HOUR, Wire, live, wall
from tui.engine.engine import Session
from tui.simulator.app import Simulator

JOBS = 1000
SPAN = HOUR
"""Seconds of virtual time that they are watched for."""


async def watched(folder: Path) -> tuple[int, int]:
    """Requests sent, and how often a job was told of in their replies."""
    simulator = Simulator(clock=wall, limits={"heygen": 10**9})
    jobs = {"heygen-v3": tuple(f"j{number}-stuck" for number in range(JOBS))}
    library = fixtures.library(folder, "http://sim.test", jobs, accounts=("heygen-v3",))
    session = Session(
        library, fixtures.Ear(), wall=wall, random=Random(0), transport=lambda: Wire(simulator), tick=60.0
    )
    async with fixtures.running(session):
        await asyncio.sleep(SPAN)
    assert all(state.fault is None and state.report is not None for state in session.states.values())
    library.close()
    return sum(simulator.replies.values()), sum(simulator.asks.values())


def measure() -> dict[str, dict[str, object]]:
    with TemporaryDirectory() as folder:
        requests, asks = live(watched(Path(folder)))
    return {
        f"bulk: requests in an hour for {JOBS} active jobs": {
            "ours": requests,
            "peer": asks,
            "ratio": asks / requests,
            "hold": 50,
            "better": "higher",
            "unit": "requests; peer: one a job",
        }
    }
