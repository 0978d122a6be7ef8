"""A week of random jobs in virtual time, for a test and for a long run."""

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support import fixtures
from tests.support.documented_services import random_life
from tests.support.fixtures import RecordingListener
from tests.support.virtual_time import DAY, HOUR, MINUTE, WEEK, VirtualTransport, wall_time
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Ref
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.storage.watchlist.operations import Add

RATE = 1.0
"""Requests per minute of each account: fewer than its jobs could use."""
OUTCOMES = (
    "fine",
    "fine",
    "fine",
    "fail",
    "pay",
    "timeout",
    "missing",
    "slow",
    "nolink",
    "odd",
    "limit",
    "flaky",
    "stuck",
)
ACCOUNTS = ("heygen", "konpro", "camb", "flixu")
PHASES = {"fail": Phase.FAILED, "timeout": Phase.FAILED, "pay": Phase.BLOCKED, "missing": Phase.MISSING}
"""Final phase by outcome; any other outcome is a success, except `stuck`, which never ends."""


class WeekResult(NamedTuple):
    """Result of a week."""

    states: dict[Ref, JobState]
    expected: dict[Ref, Phase]
    simulator: Simulator
    listener: RecordingListener


def expected_phase(ref: Ref) -> Phase:
    """Return the final phase of the job on the simulator."""
    end = ref.id.split("-")[1]
    if end == "stuck":
        return Phase.RUNNING
    if end == "timeout" and ref.account == "camb":
        return Phase.TIMED_OUT
    return PHASES.get(end, Phase.DONE)


async def simulate_week(
    tmp: Path, count: int, seed: int = 0, *, span: float = WEEK, interval: float = MINUTE, rate: float = RATE
) -> WeekResult:
    """Run `count` jobs, which arrive over six days and take a minute to six hours.

    `interval`: the longest interval, in seconds.
    """
    random = Random(seed)
    arrivals = sorted(
        (random.uniform(0, span - DAY), Ref(ACCOUNTS[number % 4], f"j{number}-{random.choice(OUTCOMES)}-x"))
        for number in range(count)
    )
    stories = [
        Scenario(ref.id, queued=life * 0.2, running=None if "stuck" in ref.id else life * 0.8)
        for _, ref in arrivals
        for life in [random_life(random, 6 * HOUR)]
    ]
    simulator = Simulator(clock=wall_time, scenarios=stories, seed=seed)
    config = f'[polling]\nmax_interval = "{interval:g}s"\n'
    workspace = fixtures.make_workspace(tmp, "http://sim.test", rate=rate, config=config)
    listener = RecordingListener()
    engine = Engine(
        workspace,
        listener.publish,
        EngineContext.create(wall=wall_time, random=Random(seed), transport=lambda: VirtualTransport(simulator)),
        tick_interval=HOUR,
    )
    await engine.open()
    running = asyncio.create_task(engine.run())
    for at, ref in arrivals:
        await asyncio.sleep(at - asyncio.get_running_loop().time())
        outcome = await engine.perform(Add((Job(account=ref.account, id=ref.id),)))
        assert outcome.ok, outcome.message
    await asyncio.sleep(span - asyncio.get_running_loop().time())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    workspace.close()
    return WeekResult(engine.states, {ref: expected_phase(ref) for _, ref in arrivals}, simulator, listener)


def poll_counts(result: WeekResult) -> Counter[str]:
    """Return the number of polls by outcome."""
    found = Counter[str]()
    for ref, state in result.states.items():
        found[ref.id.split("-")[1]] += state.poll_count
    return found
