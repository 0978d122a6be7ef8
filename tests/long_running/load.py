"""Team under load on this machine: many jobs, some workers, and consoles without a screen that follow.

The workers start first, all at once, and then the consoles, all at once too. Printed: the first polls, polls
per second, the database's CPU, how late the consoles show a response, their first rows, loop stalls, connections. The
figures are of this machine with everything on it, service and consoles included. Nothing is extrapolated.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from tests.long_running.sweep10k import percentile, record_lag
from tests.support.team_processes import Member, TeamProcesses, recording_service, team_processes
from tests.support.waiting import wait_until
from tui.cli.commands.poll import run_until_signal
from tui.domain.job_state import JobState, StatusReceived, last_update_at, reduce
from tui.domain.models import Job, Phase, Report
from tui.engine.api import EngineEvent
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.simulator.app import Simulator
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.journal.journal import Journal, JournalEntry
from tui.storage.protocols import Candidacy
from tui.storage.team.storage import TeamStorage
from tui.storage.workspace import Workspace

JOBS, ACTIVE, WORKERS, CONSOLES, SECONDS = 100_000, 5_000, 8, 50, 180
ACCOUNTS = tuple(f"account{number}" for number in range(10))
KEYS = {account: f"flx_{account}-0123456789abcdef" for account in ACCOUNTS}
PER_MINUTE = 560
"""Requests per minute of each account: 84 polls a second in all, while the jobs would be polled more often."""
CONSOLES_PER_PROCESS = 10
BATCH = 1000
"""States that are written at once beforehand."""
AGE = 300.0
"""Seconds since the active jobs were polled first: they do not count as stalled."""
WARM_UP = 60.0
"""Seconds before the measurement: the workers have read all states and shared the accounts."""


class LoadProof(NamedTuple):
    """Figures of the load."""

    jobs: int
    active: int
    workers: int
    leaders: int
    """Workers that poll an account at the end: the hash that assigns 10 accounts leaves 2 of 8 without any."""
    consoles: int
    seconds: float
    polls: int
    database_cpu: float
    """Seconds of all processes of the server."""
    worker_cpu: float
    connections: int
    lags: list[float]
    """Seconds from each response, as the worker received it, until a console shows it; sorted."""
    first_polls: float
    """Seconds from the start of the workers until they poll."""
    first_rows: list[float]
    """Seconds until each console's board had its states; sorted."""
    stalls: list[float]
    """Seconds by which the consoles' loops were late; sorted."""

    def __str__(self) -> str:
        return (
            f"load: {self.jobs} jobs, {self.active} active, {self.workers} workers of which {self.leaders} poll, "
            f"{self.consoles} consoles, {self.seconds:.0f} s on {os.cpu_count()} cores, "
            f"load average {os.getloadavg()[0]:.1f}\n"
            f"first polls after {self.first_polls:.1f} s; {self.polls / self.seconds:.1f} polls/s; "
            f"CPU of the database {self.database_cpu / self.seconds:.2f} cores, "
            f"of the workers {self.worker_cpu / self.seconds:.2f}; {self.connections} connections\n"
            f"response to console: {len(self.lags)} states, {_quantiles(self.lags)}; "
            f"first rows {_quantiles(self.first_rows)}; loop stalls {_quantiles(self.stalls)}"
        )


def _quantiles(values: list[float]) -> str:
    if not values:
        return "none"
    return f"p50 {percentile(values, 0.5):.3f} s, p99 {percentile(values, 0.99):.3f} s"


# The processes with consoles.


class _Figures:
    """Figures of the consoles of one process."""

    def __init__(self) -> None:
        self.lags: list[float] = []
        self.first_rows: list[float] = []
        self.stalls: list[float] = []

    def write(self, file: Path) -> None:
        file.write_text(json.dumps(vars(self)))


async def follow(folders: list[Path], figures: _Figures) -> None:
    """Run a console in each folder until cancelled."""
    own: list[float] = []

    async def run(folder: Path) -> None:
        paths = WorkspacePaths(config_dir=folder, state_dir=folder / "state", watchlist_file=folder / "watchlist.toml")
        workspace = Workspace.open(paths, os.environ)
        shown: dict[str, float] = {}

        def publish(event: EngineEvent) -> None:
            if isinstance(event, JobState):
                at, before = last_update_at(event), shown.get(event.job.id)
                if before is not None and at > before:
                    figures.lags.append(workspace.wall() - at)
                shown[event.job.id] = at

        began = time.perf_counter()
        engine = Engine(workspace, publish, EngineContext.create(wall=workspace.wall))
        try:
            await engine.open(tolerate_errors=True)
            figures.first_rows.append(time.perf_counter() - began)
            await engine.run()
        finally:
            workspace.close()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(record_lag(figures.stalls, own))
        for folder in folders:
            tasks.create_task(run(folder))


def run_consoles(folder: Path, first: int, count: int) -> None:
    """Run some consoles, and write their figures at the end; SIGUSR1 forgets those of the warm-up."""
    figures = _Figures()

    def forget(_number: int, _frame: object) -> None:
        figures.lags.clear()
        figures.stalls.clear()

    signal.signal(signal.SIGUSR1, forget)
    try:
        run_until_signal(follow([folder / f"board{number}" for number in range(first, first + count)], figures))
    finally:
        figures.write(folder / f"figures{first}.json")


# The proof.


def make_jobs(count: int) -> list[Job]:
    return [Job(account=ACCOUNTS[number % len(ACCOUNTS)], id=f"doc_{number}-stuck") for number in range(count)]


async def fill(team: TeamProcesses, lists: list[list[Job]], active: int) -> None:
    """Write the states of all jobs, and publish the lists."""
    journal = Journal(None)
    storage = TeamStorage(team.conninfo, lambda: journal, KEYS.get, {}, polls=True)
    assert await storage.lease.acquire(Candidacy(frozenset(ACCOUNTS)))
    now, jobs = storage.clock.now() - AGE, [job for listed in lists for job in listed]
    entries: list[JournalEntry] = []
    for number, job in enumerate(jobs):
        # as many of each account
        phase = Phase.RUNNING if number // len(ACCOUNTS) % (len(jobs) // active) == 0 else Phase.FAILED
        report = StatusReceived(Report(phase=phase, raw_status=phase.value), now)
        state, change = reduce(JobState(job=job), report)
        entries.append(JournalEntry(state, change))
    for first in range(0, len(entries), BATCH):
        assert await storage.lease.acquire(Candidacy(frozenset(ACCOUNTS)))
        await storage.journal.record(entries[first : first + BATCH])
    await storage.lease.release()
    await storage.close()
    journal.close()
    for number, listed in enumerate(lists):
        team.rows(
            "INSERT INTO babeltop.watchlist (name, jobs) VALUES (%s, %s)", f"board{number}", msgspec.json.encode(listed)
        )


def config(url: str) -> str:
    return "".join(
        f'[accounts.{name}]\nprovider = "flixu"\nbase_url = "{url}"\napi_key = {{ env = "KEY_{name.upper()}" }}\n'
        f"rate_per_minute = {PER_MINUTE}\n"
        for name in ACCOUNTS
    )


def cpu_seconds(*pids: int) -> float:
    """Return the processor time of the processes, and of their children, also of ended ones."""
    ticks, parents = 0, set(pids)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(folder.name) in parents:
            ticks += sum(map(int, fields[11:15]))
        elif int(fields[1]) in parents:
            ticks += sum(map(int, fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def consoles_of(team: TeamProcesses, lists: list[list[Job]], url: str) -> Iterator[Member]:
    """Yield the processes of the consoles: each console has a folder of its own."""
    for number, listed in enumerate(lists):
        folder = team.folder / f"board{number}"
        folder.mkdir(mode=0o700)
        team_table = f'[team]\ndatabase = "{team.conninfo}"\nwatchlist = "board{number}"\n'
        (folder / "config.toml").write_text(config(url) + team_table)
        text = "".join(f'[[job]]\naccount = "{job.account}"\nid = "{job.id}"\n' for job in listed)
        (folder / "watchlist.toml").write_text(text)
    for first in range(0, len(lists), CONSOLES_PER_PROCESS):
        count = min(CONSOLES_PER_PROCESS, len(lists) - first)
        command = ("-m", __spec__.name if __spec__ else __name__, "consoles", str(team.folder), str(first), str(count))
        yield team.add(f"consoles{first}", "", command, {})


def run_proof(jobs: int, active: int, workers: int, consoles: int, seconds: float, warm_up: float) -> LoadProof:
    """Run the team under load for so many seconds after a warm-up."""
    simulator = Simulator(limits={"flixu": sys.maxsize})
    with (
        tempfile.TemporaryDirectory(prefix="babeltop-load-") as name,
        recording_service(simulator, list(KEYS.values())) as (service, url),
        team_processes(Path(name), is_audited=False) as team,
    ):
        share = jobs // consoles
        every = make_jobs(share * consoles)
        lists = [every[first : first + share] for first in range(0, len(every), share)]
        asyncio.run(fill(team, lists, active))
        keys = {f"KEY_{account.upper()}": key for account, key in KEYS.items()}
        polling = [team.add(f"worker{n}", config(url), ("-m", "tui", "watch"), keys) for n in range(workers)]
        following = list(consoles_of(team, lists, url))
        began = time.monotonic()
        for member in polling:
            member.start(0.0)
        wait_until(lambda: len(service.requests) > len(ACCOUNTS), 900)
        first_polls = time.monotonic() - began
        wait_until(lambda: team.rows("SELECT count(*) FROM babeltop.worker") == [(workers,)], 900)
        for member in following:
            member.start(0.0)
        time.sleep(warm_up)
        server = int((team.server.folder / "data" / "postmaster.pid").read_text().split()[0])
        for member in following:
            os.kill(member.pid, signal.SIGUSR1)
        began, polls = time.monotonic(), len(service.requests)
        before = cpu_seconds(server), cpu_seconds(*(member.pid for member in polling))
        time.sleep(seconds)
        after = cpu_seconds(server), cpu_seconds(*(member.pid for member in polling))
        took, polls = time.monotonic() - began, len(service.requests) - polls
        [(connections,)] = team.rows("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'babeltop'")
        leaders = len(set(team.holders().values()))
        for member in team.members:
            member.end(signal.SIGTERM)
        figures = [json.loads(file.read_text()) for file in team.folder.glob("figures*.json")]
        lags, first_rows, stalls = (
            sorted(value for each in figures for value in each[name]) for name in ("lags", "first_rows", "stalls")
        )
        return LoadProof(
            len(every),
            active,
            workers,
            leaders,
            consoles,
            took,
            polls,
            after[0] - before[0],
            after[1] - before[1],
            connections,
            lags,
            first_polls,
            first_rows,
            stalls,
        )


def main(
    jobs: int = JOBS, active: int = ACTIVE, workers: int = WORKERS, consoles: int = CONSOLES, seconds: int = SECONDS
) -> None:
    found = run_proof(jobs, active, workers, consoles, seconds, WARM_UP)
    print(found, flush=True)
    assert found.polls, "nothing was polled"
    assert len(found.first_rows) == consoles, "a console did not open"
    assert found.lags, "no console showed a response"


if __name__ == "__main__":
    if sys.argv[1:2] == ["consoles"]:
        run_consoles(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    else:
        main(*map(int, sys.argv[1:]))
