"""Fleet at twelve services in virtual time: six families of the simulator, and six services with lists.

What the board shows of a job is compared with the job's true course, at every change and every half hour.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support import fixtures
from tests.support.documented_services import DocumentedService, TimedJob, random_jobs, random_life
from tests.support.provider_files import write_example, write_provider_file
from tests.support.provider_services import WITH_TIMEOUTS, WITHOUT_QUEUE
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE, WEEK, VirtualTransport, wall_time
from tests.support.virtual_week import OUTCOMES, PHASES
from tui.domain import job_state
from tui.domain.job_state import JobState
from tui.domain.models import ACTIVE, Job, Phase, Ref
from tui.engine.api import AccountState, EngineEvent
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.providers.loader import builtin_files, provider_registry
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.storage.watchlist.operations import Add

SIMULATED = ("heygen", "konpro", "camb", "flixu", "deepl-voice", "operations")
DOCUMENTED = ("elevenlabs", "assemblyai", "gladia", "speechmatics", "openai-batch", "replicate")
"""Services with a list whose items have the status."""
GROUP = 10
"""Jobs that start together."""
RATE = 6.0
"""Requests per minute of each account."""
BATCH = HOUR / 2
"""Seconds between two additions to the watchlist, and between two looks at the whole board."""
LATE = 2 * HOUR
"""Seconds after its end at which a job may not be active on the board, unless it is marked stale."""


class FleetWeek(NamedTuple):
    """Result of a week."""

    states: Mapping[Ref, JobState]
    jobs: Mapping[Ref, TimedJob]
    lies: tuple[str, ...]
    """What the board showed of a job, and what was true."""
    statement_count: int
    """Statements that were compared."""
    requests: Mapping[str, Counter[str]]
    """Number of requests by service and kind: list, job, result, error; or all, of a simulated one."""
    most_in_a_minute: int
    """Highest number of requests in a minute at a service with a list."""

    @property
    def request_count(self) -> int:
        """Number of all requests."""
        return sum(counts.total() for counts in self.requests.values())


def wrong_ends(week: FleetWeek) -> list[str]:
    """Return the jobs whose last phase on the board is not that of their end, or that lack what the service has."""
    wrong: list[str] = []
    for ref, state in week.states.items():
        job = week.jobs[ref]
        if job.end is not state.phase and job.ends != float("inf"):
            wrong.append(f"{ref}: {state.phase}, not {job.end}")
        may_lack_links = ref.account == "deepl-voice" and {"odd", "nolink"} & set(
            ref.id.split("-")
        )  # fetched elsewhere
        if state.phase is Phase.DONE and not state.links and not state.result and not may_lack_links:
            wrong.append(f"{ref}: done without a link or a text")
    return wrong


class _Truth:
    """True course of every job, and the statements of the board that differ from it."""

    def __init__(self, jobs: Mapping[Ref, TimedJob]) -> None:
        self.jobs, self.lies, self.statement_count = jobs, list[str](), 0
        self._waits_until: dict[str, float] = {}
        """Instant until which the board last showed each account waiting, such as for a service's Retry-After."""

    def compare(self, event: EngineEvent) -> None:
        """Compare a published state with the job's phase at the instant that the state is about."""
        if isinstance(event, AccountState) and event.waits_until is not None:
            self._waits_until[event.name] = event.waits_until
        if not isinstance(event, JobState):
            return
        self.statement_count += 1
        at, ref = job_state.last_update_at(event), event.job.ref
        if event.phase is not Phase.NEW and event.phase not in self._true_phases(ref, at):
            self.lies.append(f"{ref} is {event.phase} at {at - EPOCH:.0f} s, was {self.jobs[ref].phase(at)}")

    def look(self, states: Mapping[Ref, JobState], now: float) -> None:
        """Compare the whole board with what is true now: an ended job may be active for LATE seconds, or stale.

        While its account is shown waiting, no job is late.
        """
        for ref, state in states.items():
            self.statement_count += 1
            has_ended = now > max(self.jobs[ref].ends, self._waits_until.get(ref.account, 0.0)) + LATE
            if has_ended and state.phase in ACTIVE and state.fault is None and not job_state.is_stale(state, now):
                self.lies.append(f"{ref} is {state.phase} at {now - EPOCH:.0f} s, ended at {self.jobs[ref].ends}")

    def _true_phases(self, ref: Ref, at: float) -> set[Phase]:
        """Return the phase at an instant; more than one where a service does not state it."""
        phase = self.jobs[ref].phase(at)
        if phase in ACTIVE and ("-odd-" in ref.id or ref.account in WITHOUT_QUEUE):
            return {Phase.QUEUED, Phase.RUNNING}  # an undocumented status, or none for the queue
        return {phase}


def _starts(count: int, random: Random, span: float) -> list[float]:
    """Return the instants at which jobs start: GROUP at a time, as one film goes into several languages."""
    return [at for _ in range(0, count, GROUP) for at in [EPOCH + random.uniform(0, span)] * GROUP][:count]


def _simulated_jobs(account: str, starts_at: Iterable[float], random: Random, longest: float) -> list[TimedJob]:
    """Return a job for each start, of every behaviour of the simulator."""
    jobs: list[TimedJob] = []
    for number, starts in enumerate(starts_at):
        outcome, life = random.choice(OUTCOMES), random_life(random, longest)
        end = Phase.TIMED_OUT if outcome == "timeout" and account in WITH_TIMEOUTS else PHASES.get(outcome, Phase.DONE)
        if outcome == "missing":
            jobs.append(TimedJob(f"{account}-{number}-missing-x", starts, starts, starts, end))
            continue
        ends = float("inf") if outcome == "stuck" else starts + life
        jobs.append(TimedJob(f"{account}-{number}-{outcome}-x", starts, starts + life * 0.2, ends, end))
    return jobs


def _scenario(job: TimedJob) -> Scenario:
    return Scenario(job.id, queued=job.runs - job.starts, running=_running(job), started_at=job.starts)


def _running(job: TimedJob) -> float | None:
    return None if job.ends == float("inf") else job.ends - job.runs


def _without_lists(folder: Path) -> None:
    """Replace the files of the services by ones without the list of their jobs."""
    for name in (*DOCUMENTED, "heygen"):
        text = builtin_files()[name].read_text("utf-8")
        write_provider_file(folder, name, re.sub(r"(?ms)^\[list(?:\.paging)?\].*?(?=^\[(?!list)|\Z)", "", text))


async def simulate_fleet(
    folder: Path,
    count: int,
    *,
    with_lists: bool = True,
    seed: int = 0,
    span: float = WEEK,
    rest: float = DAY,
    interval: float = MINUTE,
    longest: float = 6 * HOUR,
) -> FleetWeek:
    """Run `count` jobs of at most `longest` seconds, which arrive until `rest` before the end.

    `interval`: the longest interval between two polls, in seconds.
    """
    random, services = Random(seed), (*SIMULATED, *DOCUMENTED)
    counts = {name: count // len(services) + (at < count % len(services)) for at, name in enumerate(services)}
    jobs: dict[Ref, TimedJob] = {}
    for name in SIMULATED:
        found = _simulated_jobs(name, _starts(counts[name], random, span - rest), random, longest)
        jobs |= {Ref(name, job.id): job for job in found}
    simulator = Simulator(clock=wall_time, scenarios=list(map(_scenario, jobs.values())), seed=seed)
    write_example(folder, "operations")
    if not with_lists:
        _without_lists(folder)
    apps: dict[str, DocumentedService] = {}
    for name in DOCUMENTED:
        found = random_jobs(name, _starts(counts[name], random, span - rest), random, longest)
        jobs |= {Ref(name, job.id): job for job in found}
        apps[name] = DocumentedService(provider_registry()[name], found, wall_time, Random(f"{seed}-{name}"))
    bases = dict.fromkeys(SIMULATED, "http://sim.test")
    bases |= {name: provider_registry()[name].base_url.replace("https://", "http://") for name in DOCUMENTED}
    hosts = {bases[name].split("/")[2]: app for name, app in apps.items()} | {"sim.test": simulator}
    config = f'[polling]\nmax_interval = "{interval:g}s"\n'
    workspace = fixtures.make_workspace(folder, bases, accounts=services, rate=RATE, config=config)
    truth = _Truth(jobs)
    engine = Engine(
        workspace,
        truth.compare,
        EngineContext.create(wall=wall_time, random=Random(seed), transport=lambda: VirtualTransport(hosts)),
        tick_interval=10 * MINUTE,
    )
    await engine.open()
    running = asyncio.create_task(engine.run())
    waiting = sorted(jobs, key=lambda ref: jobs[ref].starts)
    while wall_time() < EPOCH + span:
        await asyncio.sleep(BATCH)
        started = [ref for ref in waiting if jobs[ref].starts <= wall_time()]
        if started:
            result = await engine.perform(Add(tuple(Job(account=ref.account, id=ref.id) for ref in started)))
            assert result.ok, result.message
            waiting = waiting[len(started) :]
        truth.look(engine.states, wall_time())
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    workspace.close()
    requests = {name: app.counts for name, app in apps.items()} | _simulated_requests(simulator)
    return FleetWeek(
        engine.states,
        jobs,
        tuple(truth.lies),
        truth.statement_count,
        requests,
        max(_most_in_a_minute(app.requested_at) for app in apps.values()),
    )


def _simulated_requests(simulator: Simulator) -> dict[str, Counter[str]]:
    found = {name: Counter[str]() for name in SIMULATED}
    for (service, status), number in simulator.response_counts.items():
        found[service]["error" if status >= 500 or not status else "all"] += number
    return found


def _most_in_a_minute(times: list[float]) -> int:
    """Return the highest number of these instants, in their order, within a minute."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - MINUTE:
            first += 1
        most = max(most, last - first + 1)
    return most
