"""10,000 jobs in four accounts, all due at once, over real HTTP: each is polled without a fault, the loop stays quick.

The simulator runs in a process of its own, started as `python -m tests.long_running.sweep10k`.
"""

import asyncio
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tests.support import fixtures
from tests.support.fork_server import start_program
from tui.domain.models import Phase
from tui.engine.engine import Engine
from tui.simulator.app import Simulator
from tui.simulator.rate_limits import LIMITS
from tui.simulator.server import build_server, open_listener

ACCOUNTS = ("heygen", "konpro", "camb", "flixu")
JOBS = 10_000
CONCURRENCY = 4
"""Workers per account: the default."""
MAX_LAG_P99 = 0.025
"""Seconds: bound of the 99th percentile of the loop's lag."""
LAG_INTERVAL = 0.005
"""Seconds between two measurements of the lag."""
TIME_LIMIT = 300.0
"""Seconds after which the proof fails."""


class SweepProof(NamedTuple):
    """Counts of the proof."""

    jobs: int
    polled: int
    faults: int
    seconds: float
    lags: list[float]
    """Seconds by which the loop was late, sorted."""
    own_lags: list[float]
    """As `lags`, counting only this thread's CPU time: other programs are left out."""
    in_journal: int
    """Jobs whose report is in the journal."""

    @property
    def holds(self) -> bool:
        return (
            self.polled == self.in_journal == self.jobs
            and not self.faults
            and percentile(self.lags, 0.99) < MAX_LAG_P99
        )

    def __str__(self) -> str:
        return (
            f"sweep10k: {self.polled} of {self.jobs} jobs polled in {self.seconds:.1f} s, {self.faults} faults, "
            f"{self.in_journal} in the journal; the loop's lag: p50 {percentile(self.lags, 0.5) * 1e3:.1f} ms, "
            f"p99 {percentile(self.lags, 0.99) * 1e3:.1f} ms, most {self.lags[-1] * 1e3:.0f} ms "
            f"(p99 < {MAX_LAG_P99 * 1e3:.0f} ms), "
            f"by its own work p99 {percentile(self.own_lags, 0.99) * 1e3:.1f} ms: "
            f"{'holds' if self.holds else 'DOES NOT HOLD'}"
        )


def percentile(lags: list[float], share: float) -> float:
    """Return the value that this share of the sorted values does not exceed."""
    return lags[min(len(lags) - 1, int(share * len(lags)))]


@contextmanager
def run_simulator() -> Iterator[str]:
    """Run the simulator in a process of its own, without limits; yield its base URL."""
    with start_program("-m", __name__, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.terminate()


def serve() -> None:
    """Serve on a free port, which is printed, until terminated."""
    with open_listener("127.0.0.1", 0) as listener:
        print(listener.getsockname()[1], flush=True)
        build_server(Simulator(limits=dict.fromkeys(LIMITS, 10**9))).run(sockets=[listener])


async def record_lag(lags: list[float], own_lags: list[float]) -> None:
    """Record the loop's lag until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due, used = loop.time() + LAG_INTERVAL, time.thread_time()
        await asyncio.sleep(LAG_INTERVAL)
        late = max(0.0, loop.time() - due)
        lags.append(late)
        own_lags.append(min(late, time.thread_time() - used))


async def run_sweep(folder: Path, url: str, count: int) -> SweepProof:
    """Poll every job with one engine, as after a refresh of all jobs."""
    jobs = {account: tuple(f"{number}-stuck" for number in range(count // len(ACCOUNTS))) for account in ACCOUNTS}
    library = fixtures.make_workspace(folder, url, jobs, rate=100_000_000, concurrency=CONCURRENCY)
    engine = Engine(library, fixtures.RecordingListener().publish)
    await engine.open()
    assert (await engine.perform(fixtures.refresh(*engine.states))).ok
    lags, own = list[float](), list[float]()
    began = time.perf_counter()
    async with asyncio.timeout(TIME_LIMIT):
        watch, polling = asyncio.create_task(record_lag(lags, own)), asyncio.create_task(engine.run())
        while any(not state.poll_count for state in engine.states.values()):  # noqa: ASYNC110  no event for the last
            await asyncio.sleep(0.1)
        seconds = time.perf_counter() - began
        for task in (watch, polling):
            task.cancel()
        await asyncio.gather(watch, polling, return_exceptions=True)
    states = engine.states.values()
    held = library.journal.states()
    library.close()
    return SweepProof(
        jobs=len(states),
        polled=sum(state.poll_count > 0 for state in states),
        faults=sum(state.fault is not None or state.phase not in (Phase.QUEUED, Phase.RUNNING) for state in states),
        seconds=seconds,
        lags=sorted(lags),
        own_lags=sorted(own),
        in_journal=sum(state.report is not None for state in held.values()),
    )


def run_proof(count: int) -> SweepProof:
    with run_simulator() as url, TemporaryDirectory() as folder:
        return asyncio.run(run_sweep(Path(folder), url, count))


def main() -> None:
    """Run the long form and print its counts."""
    proof = run_proof(JOBS)
    print(proof)
    assert proof.holds, "not every job was polled without a fault, or the loop was late"


if __name__ == "__main__":
    serve()
