"""Soak run: memory, descriptors, threads, tasks and journal do not grow.

Thirty virtual days of 500 jobs with two consoles, one request in twenty failing; then real minutes at 50 requests a
second with the dashboard open in a pseudo-terminal. `python -m tests.long_running.soak --days 30 --minutes 30`; either
may be 0.
"""

import argparse
import asyncio
import gc
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support import fixtures
from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.servers import serve_app
from tests.support.virtual_time import DAY, EPOCH, HOUR, VirtualTransport, run_virtual, wall_time
from tests.support.waiting import DEADLINE
from tui.dashboard.board_model import BoardModel
from tui.domain.evaluation import EvaluationContext
from tui.domain.models import Job, Ref
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.engine.outbox import Outbox
from tui.simulator.app import Simulator
from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page
from tui.simulator.rate_limits import LIMITS
from tui.simulator.scenario import Scenario
from tui.storage.watchlist.operations import Add, Remove

DAYS, JOBS, FAULT_SHARE = 30, 500, 0.05
MINUTES, OPEN_JOBS, INTERVAL = 30.0, 1000, 20
"""Real minutes with the dashboard open, its jobs, and seconds between two polls of a job: 50 requests a second."""
ACCOUNTS = ("heygen-v2", "heygen", "konpro", "camb", "flixu")
RATE_PER_MINUTE = 4.0
"""Requests per minute of each account in virtual time: the journal's limit of 200,000 is reached after two weeks."""
CHURN = 4
"""Jobs added each day, and removed."""
TICK = 10.0
"""Virtual seconds between an engine's checks of its files: below 15, after which a leader counts as silent."""
MAX_GROWTH_RATIO = 1.06
"""Largest ratio of memory and journal at the end to those at two thirds of the run."""
SLACK_MB = 3.0
"""MB that do not count as growth: an allocator's page, a write-ahead log that is not merged yet."""


class Gauge(NamedTuple):
    """Resources of the process at one instant."""

    at: float
    """Days, or minutes."""
    memory: float
    """MB resident."""
    descriptors: int
    threads: int
    journal: float
    """MB of the database and its write-ahead log."""
    requests: int
    """So far."""
    tasks: int = 0
    objects: int = 0
    """Known to the garbage collector."""

    def __str__(self) -> str:
        inside = f", {self.tasks} tasks, {self.objects} objects" if self.tasks else ""
        return (
            f"{self.at:5.1f}: {self.memory:6.1f} MB, {self.descriptors} descriptors, {self.threads} threads, "
            f"journal {self.journal:5.1f} MB{inside}, {self.requests} requests"
        )


def take_gauge(pid: int | str, at: float, state: Path, requests: int) -> Gauge:
    """Measure a process from outside."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    journal = sum(path.stat().st_size for path in state.glob("journal.db*"))
    return Gauge(
        at=at,
        memory=int(status["VmRSS"].split()[0]) / 1024,
        descriptors=len(list(Path(f"/proc/{pid}/fd").iterdir())),
        threads=int(status["Threads"]),
        journal=journal / 2**20,
        requests=requests,
    )


def find_growth(gauges: Sequence[Gauge]) -> list[str]:
    """Return a text for each figure that has grown since two thirds of the run."""
    middle, end = gauges[len(gauges) * 2 // 3], gauges[-1]
    problems = [
        f"{name}: {before:.1f} MB, then {after:.1f}"
        for name, before, after in (("memory", middle.memory, end.memory), ("journal", middle.journal, end.journal))
        if after > before * MAX_GROWTH_RATIO + SLACK_MB
    ]
    for name in ("descriptors", "threads", "tasks"):
        before, after = getattr(middle, name), getattr(end, name)
        if after > before + 2:
            problems.append(f"{name}: {before}, then {after}")
    return problems


# In virtual time.


class FaultySimulator(Simulator):
    """Simulator in which one request in twenty fails."""

    faults = 0
    fault_share = FAULT_SHARE
    chance = Random(0)

    def _respond(self, request: SimulatedRequest) -> SimulatedResponse:
        response = super()._respond(request)
        if self.chance.random() >= self.fault_share:
            return response
        self.faults += 1
        return self.chance.choice(
            (
                gateway_error_page(502, "502 Bad Gateway"),
                gateway_error_page(200, "Just a moment..."),
                SimulatedResponse(200, b"{}", cut_after=-1),
                SimulatedResponse(200, b"{}", delay=30.0),
                SimulatedResponse(429, b"{}", headers={"retry-after": "30"}),
            )
        )


class HeadlessDashboard:
    """Console without a terminal: its board model, updated as in the program."""

    def __init__(self) -> None:
        self.board = BoardModel(EvaluationContext(now=wall_time()), wall_time)
        self.outbox = Outbox(self.take)

    def take(self) -> None:
        self.board.apply_update(self.outbox.take())
        self.board.visible_rows()


class DaysProof(NamedTuple):
    """Result of the virtual days."""

    gauges: list[Gauge]
    faults: int


async def run_days(
    folder: Path, span: int, count: int, *, rate: float = RATE_PER_MINUTE, day: float = DAY
) -> DaysProof:
    """Run `count` jobs of an hour to forty days, started in the first third of `span` days; take a gauge each day.

    `rate`: requests per minute of each account. `day`: seconds of a day.
    """
    random = Random(1)
    ends = ("fine", "fine", "fine", "fail", "timeout", "slow", "nolink", "odd", "limit", "flaky", "stuck")
    refs = [
        Ref(ACCOUNTS[number % len(ACCOUNTS)], f"j{number}-{random.choice(ends)}-x")
        for number in range(count + CHURN * span)
    ]
    stories = [
        Scenario(ref.id, queued=life * 0.1, running=None if "stuck" in ref.id else life * 0.9)
        for ref in refs
        for life in [HOUR * 960 ** random.random()]
    ]
    simulator = FaultySimulator(clock=wall_time, scenarios=stories, latency=0.3)
    consoles = [
        (
            fixtures.make_workspace(folder, dict.fromkeys(ACCOUNTS, "http://sim.test"), accounts=ACCOUNTS, rate=rate),
            HeadlessDashboard(),
        )
        for _ in range(2)
    ]
    engines = [
        Engine(
            library,
            screen.outbox.publish,
            EngineContext.create(wall=wall_time, random=random, transport=lambda: VirtualTransport(simulator)),
            tick_interval=TICK,
        )
        for library, screen in consoles
    ]
    for engine in engines:
        await engine.open()
    running = [asyncio.create_task(engine.run()) for engine in engines]
    gauges = list[Gauge]()
    for number in range(span):
        engine = engines[number % 2]
        if number <= span // 3:
            share = count // (span // 3 + 1) + 1
            new = refs[number * share : min(count, (number + 1) * share)]
        else:
            new = refs[count + number * CHURN : count + (number + 1) * CHURN]
            await engine.perform(Remove(tuple(engine.states)[:CHURN]))
        await engine.perform(Add(tuple(Job(account=ref.account, id=ref.id) for ref in new)))
        await asyncio.sleep(EPOCH + (number + 1) * day - wall_time())
        for task in running:
            assert not task.done(), task.exception()
        gc.collect()
        requests = sum(simulator.response_counts.values())
        gauge = take_gauge("self", number + 1, folder / "state", requests)
        gauges.append(gauge._replace(tasks=len(asyncio.all_tasks()), objects=len(gc.get_objects())))
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    for library, _ in consoles:
        library.close()
    return DaysProof(gauges, simulator.faults)


# In real time.


def open_dashboard(folder: Path, count: int, *, every: int, interval: int = INTERVAL) -> Generator[Gauge]:
    """Open the dashboard over `count` jobs that never end and press keys; yield a gauge after every `every` requests.

    It stays open until the iterator is closed. `interval`: seconds between two polls of a job.
    """
    simulator = Simulator(limits=dict.fromkeys(LIMITS, 10**9))
    with serve_app(simulator) as base:
        accounts = ("heygen-v2", "konpro")
        jobs = {name: tuple(f"j{number}-stuck-x" for number in range(count // 2)) for name in accounts}
        config = f'[polling]\nmax_interval = "{interval}s"\n'
        fixtures.make_workspace(folder, base, jobs, accounts=accounts, config=config, rate=10**6, concurrency=4).close()
        environ = {"BABELTOP_CONFIG_DIR": str(folder), "BABELTOP_STATE_DIR": str(folder / "state")}
        keys = {fixtures.key_variable(name): fixtures.KEY for name in accounts}
        with DashboardTerminal(environment={**environ, **keys}) as terminal:
            assert terminal.wait_for(lambda text: "▸ running" in text, DEADLINE), terminal.text
            began, keys = time.monotonic(), Random(1)
            while True:
                requests = sum(simulator.poll_counts.values()) + every
                assert terminal.wait_for(
                    lambda _text, wanted=requests: sum(simulator.poll_counts.values()) >= wanted, 600
                )
                terminal.type(keys.choice(("j", "k", "G", "g", "\t", "]", "[", "2", "1", "s", "t")))
                assert terminal.exit_status() is None, terminal.text
                terminal.raw.clear()
                passed = (time.monotonic() - began) / 60
                try:
                    yield take_gauge(terminal.pid, passed, folder / "state", sum(simulator.poll_counts.values()))
                except GeneratorExit:
                    break
            terminal.type("\x11")
            assert terminal.wait_for_exit(DEADLINE) == 0, "^q ends it"


def run_minutes(folder: Path, span: float) -> list[Gauge]:
    """Run for `span` minutes and take a gauge about every 10 s."""
    gauges = list[Gauge]()
    with closing(open_dashboard(folder, OPEN_JOBS, every=OPEN_JOBS // INTERVAL * 10)) as found:
        for gauge in found:
            gauges.append(gauge)
            if gauge.at >= span:
                break
    return gauges


def print_gauges(what: str, gauges: Sequence[Gauge]) -> None:
    """Print ten of the gauges, and the last."""
    print(what)
    for gauge in (*gauges[:: max(1, len(gauges) // 10)], gauges[-1]):
        print(f"  {gauge}")


def soak(span_days: int, span_minutes: float) -> None:
    """Run both parts and print their figures. Raises AssertionError if something grows."""
    problems = list[str]()
    if span_days:
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            proof = run_virtual(run_days(Path(folder), span_days, JOBS))
        took = time.perf_counter() - began
        print_gauges(
            f"soak: {span_days} virtual days of {JOBS} jobs, {proof.faults} faults, in {took:.0f} s", proof.gauges
        )
        problems += find_growth(proof.gauges)
    if span_minutes:
        with tempfile.TemporaryDirectory() as folder:
            gauges = run_minutes(Path(folder), span_minutes)
        rate = (gauges[-1].requests - gauges[0].requests) / (gauges[-1].at - gauges[0].at) / 60
        print_gauges(f"soak: {span_minutes:g} minutes with the dashboard open, {rate:.1f} requests a second", gauges)
        problems += find_growth(gauges)
    assert not problems, "; ".join(problems)


def main() -> None:
    """Run for as long as DESIGN states."""
    soak(DAYS, MINUTES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=int, default=DAYS)
    parser.add_argument("--minutes", type=float, default=MINUTES)
    given = parser.parse_args()
    soak(given.days, given.minutes)
