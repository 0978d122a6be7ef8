"""One engine with an account at each of the services in `tests.support.misbehaving_servers`: each has its own fault.

A well-behaved service is polled once alone and once beside them: its polls are not delayed. Lag, memory and threads are
measured.
"""

import asyncio
import os
import resource
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from unittest.mock import patch

from tests.long_running.sweep10k import percentile, record_lag
from tests.support import fixtures, misbehaving_servers
from tests.support.fixtures import RecordingListener
from tests.support.misbehaving_servers import FLOATS, OPERATIONS, WELL_BEHAVED
from tests.support.provider_files import write_example
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Ref
from tui.engine.api import EngineEvent
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.engine.http.client import REQUEST_DEADLINE, RequestLimits
from tui.engine.http.dns_loop import DnsThreadedLoop
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

JOBS = 4
"""Jobs at each misbehaving service: one per worker of an account."""
STEADY_JOBS = 20
RUN_SECONDS = 60.0
"""Seconds of each of the two runs."""
MAX_LAG_P99 = 0.1
"""Seconds: bound of the 99th percentile of the loop's lag by its own work, without other load of the machine."""
MAX_GROWTH_MIB = 100
"""MiB by which the process may grow."""
CONFIG = """[accounts.{name}]
provider = "{provider}"
base_url = "{url}"
api_key = {{ env = "KEY" }}
rate_per_minute = 100000
concurrency = 4
insecure_http = true
"""


OTHER_PROVIDERS = {OPERATIONS: "operations"}
"""Provider by account, if it is not CAMB.AI."""
ENDED = {FLOATS}
"""Accounts whose jobs are done."""

RunEnd = Callable[[Mapping[Ref, JobState]], Awaitable[None]]
"""Waits for the end of a run, given its current states."""


class LatenessListener(RecordingListener):
    """Listener that records how late each poll of the well-behaved service is."""

    def __init__(self) -> None:
        super().__init__()
        self.due_at: dict[Ref, float] = {}
        self.poll_counts: dict[Ref, int] = {}
        self.lateness: list[float] = []

    def publish(self, event: EngineEvent) -> None:
        super().publish(event)
        if isinstance(event, JobState):
            self._on_job_state(event)

    def _on_job_state(self, state: JobState) -> None:
        ref = state.job.ref
        if ref.account == WELL_BEHAVED and state.poll_count > self.poll_counts.get(ref, 0) and ref in self.due_at:
            self.lateness.append(max(0.0, time.time() - self.due_at[ref]))
        self.poll_counts[ref] = state.poll_count
        if state.next_poll_at is not None:
            self.due_at[ref] = state.next_poll_at


class RunResult(NamedTuple):
    """Result of one run."""

    states: Mapping[Ref, JobState]
    lateness: list[float]
    """Seconds by which polls of the well-behaved service were late, sorted."""
    own_lag: list[float]
    """Seconds by which the loop was late by its own work, without other load of the machine; sorted."""


class ServicesProof(NamedTuple):
    """Counts of the proof."""

    alone: RunResult
    company: RunResult
    unexpected: list[str]
    """Jobs in an unexpected state."""
    services: int
    growth: float
    """MiB."""
    threads: int

    @property
    def holds(self) -> bool:
        return (
            not self.unexpected
            and percentile(self.company.own_lag, 0.99) < MAX_LAG_P99
            and self.growth < MAX_GROWTH_MIB
        )

    def __str__(self) -> str:
        polls, late = sum(state.poll_count for state in self.company.states.values()), self.company.lateness
        return (
            f"services: {self.services} misbehaving services, {polls} polls; {len(self.unexpected)} jobs "
            f"in an unexpected state; "
            f"{len(late)} polls of the well-behaved service late by p50 {percentile(late, 0.5) * 1e3:.0f} ms, "
            f"p99 {percentile(late, 0.99) * 1e3:.0f} ms (alone {percentile(self.alone.lateness, 0.5) * 1e3:.0f} and "
            f"{percentile(self.alone.lateness, 0.99) * 1e3:.0f} ms), the loop by its own work p99 "
            f"{percentile(self.company.own_lag, 0.99) * 1e3:.0f} ms, max {self.company.own_lag[-1] * 1e3:.0f} ms; "
            f"{self.growth:.0f} MiB more memory, {self.threads} threads"
        )


@contextmanager
def patched_resolver() -> Iterator[None]:
    """Make `hung.test` hang and `six.test` resolve to IPv6 only; other names are resolved by the system."""
    real, stopped = socket.getaddrinfo, threading.Event()

    def resolve(host: bytes, *args: Any) -> object:
        if host == b"hung.test":
            stopped.wait()
        return real("::1" if host == b"six.test" else host, *args)

    with patch.object(socket, "getaddrinfo", resolve):
        try:
            yield
        finally:
            stopped.set()


async def run_engine(folder: Path, urls: Mapping[str, str], deadline: float, until: RunEnd) -> RunResult:
    """Run an engine with an account at each of the URLs until `until` returns."""
    write_example(folder, "operations")
    config = "".join(
        CONFIG.format(name=name, url=url, provider=OTHER_PROVIDERS.get(name, "camb")) for name, url in urls.items()
    )
    (folder / "config.toml").write_text(f'{config}[polling]\nmax_interval = "2s"\n')
    workspace = Workspace.open(fixtures.workspace_paths(folder), {"KEY": fixtures.KEY})
    counts = {name: STEADY_JOBS if name == WELL_BEHAVED else JOBS for name in urls}
    jobs = [Job(account=name, id=f"{number}-stuck") for name, count in counts.items() for number in range(count)]
    workspace.watchlist.edit(Add(tuple(jobs)))
    listener, own_lag = LatenessListener(), list[float]()
    async with fixtures.running_engine(
        Engine(workspace, listener.publish, EngineContext.create(limits=RequestLimits(deadline=deadline)))
    ) as engine:
        watch = asyncio.create_task(record_lag([], own_lag))
        await until(engine.states)
        watch.cancel()
        states = dict(engine.states)
    workspace.close()
    return RunResult(states, sorted(listener.lateness), sorted(own_lag))


def unexpected_jobs(states: Mapping[Ref, JobState]) -> list[str]:
    """Return the jobs whose fault is not the expected one, each with its state."""
    wanted = misbehaving_servers.expected_faults()
    problems: list[str] = []
    for ref, state in states.items():
        kind = None if state.fault is None else state.fault.kind
        has_ended = ref.account in ENDED
        phase = Phase.DONE if has_ended else Phase.RUNNING
        is_right = state.report is not None and state.phase is phase and bool(state.result) is has_ended
        reported = kind is not None or is_right
        if kind is not wanted[ref.account] or not reported:
            message = "" if state.fault is None else f" ({state.fault.message})"
            problems.append(f"{ref}: {kind}{message} after {state.poll_count} polls, not {wanted[ref.account]}")
    return problems


def run(urls: Mapping[str, str], deadline: float, until: RunEnd) -> RunResult:
    with TemporaryDirectory() as folder, asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
        return runner.run(run_engine(Path(folder), urls, deadline, until))


@contextmanager
def serve_misbehaving() -> Iterator[Mapping[str, str]]:
    """Serve all services in an environment with patched resolver and root certificates; yield URLs by name."""
    with (
        TemporaryDirectory() as folder,
        misbehaving_servers.serve_all(Path(folder)) as urls,
        patched_resolver(),
        patch.dict(os.environ, {"SSL_CERT_FILE": str(Path(folder) / "roots.pem")}),
    ):
        yield urls


def run_proof(seconds: float, deadline: float) -> ServicesProof:
    async def over(_states: Mapping[Ref, JobState]) -> None:
        await asyncio.sleep(seconds)

    with serve_misbehaving() as urls:
        alone = run({WELL_BEHAVED: urls[WELL_BEHAVED]}, deadline, over)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        company = run(urls, deadline, over)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        return ServicesProof(
            alone, company, unexpected_jobs(company.states), len(urls) - 1, grown, threading.active_count()
        )


def main() -> None:
    """Run the long form and print its counts."""
    proof = run_proof(RUN_SECONDS, REQUEST_DEADLINE)
    print(proof)
    assert proof.holds, "; ".join(proof.unexpected) or "late polls, or too much memory"
