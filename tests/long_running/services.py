"""An account at each of the services in `tests.support.misbehaving_servers`, in one engine.

Each has its own fault, the others their pace.

Beside them is a service that does as it should, asked once alone and once in their company: its jobs are not asked
later for it. Time, memory and threads are measured.
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

from tests.long_running.sweep10k import at, lag
from tests.support import fixtures, misbehaving_servers
from tests.support.fixtures import RecordingListener
from tests.support.misbehaving_servers import STEADY
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Ref
from tui.engine.engine import Engine
from tui.engine.http.client import DEADLINE, Bounds
from tui.engine.http.dns_loop import EngineLoop
from tui.storage.watchlist.file import Add
from tui.storage.workspace import Workspace

JOBS = 4
"""Of each wrong service: as many as an account has workers."""
STEADIES = 20
SECONDS = 60.0
"""Of each of the two runs."""
LATE = 0.1
"""Seconds: the 99th percentile of what the engine itself holds up, whatever else the machine has to do."""
MEMORY = 100
"""MiB by which the process may grow."""
CONFIG = """[accounts.{name}]
provider = "camb"
base_url = "{url}"
api_key = {{ env = "KEY" }}
rate_per_minute = 100000
concurrency = 4
insecure_http = true
"""


Over = Callable[[Mapping[Ref, JobState]], Awaitable[None]]
"""Waits for a run's end, given its jobs as they are at any time."""


class Punctual(RecordingListener):
    """Notes by how much each ask of the steady service was late."""

    def __init__(self) -> None:
        super().__init__()
        self.due: dict[Ref, float] = {}
        self.asked: dict[Ref, int] = {}
        self.late: list[float] = []

    def state(self, state: JobState) -> None:
        ref = state.job.ref
        if ref.account == STEADY and state.poll_count > self.asked.get(ref, 0) and ref in self.due:
            self.late.append(max(0.0, time.time() - self.due[ref]))
        self.asked[ref] = state.poll_count
        if state.next_poll_at is not None:
            self.due[ref] = state.next_poll_at


class Ran(NamedTuple):
    """What came of one run."""

    states: Mapping[Ref, JobState]
    late: list[float]
    """Seconds by which asks of the steady service were late, in order of size."""
    own: list[float]
    """Seconds by which the loop was late by its own work, whatever else the machine had to do; in order of size."""


class Served(NamedTuple):
    """What came of the proof."""

    alone: Ran
    company: Ran
    wrong: list[str]
    """Jobs that are not as they should be."""
    services: int
    grown: float
    """MiB."""
    threads: int

    @property
    def holds(self) -> bool:
        return not self.wrong and at(self.company.own, 0.99) < LATE and self.grown < MEMORY

    def __str__(self) -> str:
        asks, late = sum(state.poll_count for state in self.company.states.values()), self.company.late
        return (
            f"services: {self.services} wrong services, {asks} asks; {len(self.wrong)} jobs not as they should be; "
            f"the steady service's {len(late)} asks late by p50 {at(late, 0.5) * 1e3:.0f} ms, "
            f"p99 {at(late, 0.99) * 1e3:.0f} ms (alone {at(self.alone.late, 0.5) * 1e3:.0f} and "
            f"{at(self.alone.late, 0.99) * 1e3:.0f} ms), the loop by its own work p99 "
            f"{at(self.company.own, 0.99) * 1e3:.0f} ms, most {self.company.own[-1] * 1e3:.0f} ms; "
            f"{self.grown:.0f} MiB more memory, {self.threads} threads"
        )


@contextmanager
def resolver() -> Iterator[None]:
    """`hung.test` hangs, `six.test` has an address of IPv6 only; all else is the system's."""
    real, over = socket.getaddrinfo, threading.Event()

    def resolve(host: bytes, *args: Any) -> object:
        if host == b"hung.test":
            over.wait()
        return real("::1" if host == b"six.test" else host, *args)

    with patch.object(socket, "getaddrinfo", resolve):
        try:
            yield
        finally:
            over.set()


async def ran(folder: Path, urls: Mapping[str, str], deadline: float, over: Over) -> Ran:
    """A session with an account at each of them, until it is over."""
    config = "".join(CONFIG.format(name=name, url=url) for name, url in urls.items())
    (folder / "config.toml").write_text(f'{config}[polling]\nmax_interval = "2s"\n')
    library = Workspace(fixtures.workspace_paths(folder), {"KEY": fixtures.KEY})
    counts = {name: STEADIES if name == STEADY else JOBS for name in urls}
    jobs = [Job(account=name, id=f"{number}-stuck") for name, count in counts.items() for number in range(count)]
    library.watchlist.edit(Add(tuple(jobs)))
    ear, own = Punctual(), list[float]()
    async with fixtures.running_engine(Engine(library, ear, limits=Bounds(deadline=deadline))) as session:
        watch = asyncio.create_task(lag([], own))
        await over(session.states)
        watch.cancel()
        states = dict(session.states)
    library.close()
    return Ran(states, sorted(ear.late), sorted(own))


def amiss(states: Mapping[Ref, JobState]) -> list[str]:
    """The jobs that are not as they should be, each with what it is."""
    wanted = misbehaving_servers.expected()
    found: list[str] = []
    for ref, state in states.items():
        kind = None if state.fault is None else state.fault.kind
        reported = kind is not None or (state.report is not None and state.phase is Phase.RUNNING)
        if kind is not wanted[ref.account] or not reported:
            said = "" if state.fault is None else f" ({state.fault.message})"
            found.append(f"{ref}: {kind}{said} after {state.poll_count} asks, not {wanted[ref.account]}")
    return found


def run(urls: Mapping[str, str], deadline: float, over: Over) -> Ran:
    with TemporaryDirectory() as folder, asyncio.Runner(loop_factory=EngineLoop) as runner:
        return runner.run(ran(Path(folder), urls, deadline, over))


@contextmanager
def served() -> Iterator[Mapping[str, str]]:
    """All services, in an environment that finds them and trusts whom it should: URLs by name."""
    with (
        TemporaryDirectory() as folder,
        misbehaving_servers.served(Path(folder)) as urls,
        resolver(),
        patch.dict(os.environ, {"SSL_CERT_FILE": str(Path(folder) / "roots.pem")}),
    ):
        yield urls


def proof(seconds: float, deadline: float) -> Served:
    async def over(_states: Mapping[Ref, JobState]) -> None:
        await asyncio.sleep(seconds)

    with served() as urls:
        alone = run({STEADY: urls[STEADY]}, deadline, over)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        company = run(urls, deadline, over)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        return Served(alone, company, amiss(company.states), len(urls) - 1, grown, threading.active_count())


def main() -> None:
    """Runs it whole and prints what came of it."""
    found = proof(SECONDS, DEADLINE)
    print(found)
    assert found.holds, "; ".join(found.wrong) or "late, or too large"
