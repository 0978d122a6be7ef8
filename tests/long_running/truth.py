"""Truth of the dashboard: two consoles in a virtual week of faults, suspends, takeovers, kills and hangs.

Each row of both consoles is compared with the services at every event on either side and at every change of its label.
"""

import asyncio
import heapq
import itertools
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support import fixtures
from tests.support.documented_services import random_life
from tests.support.provider_files import write_example
from tests.support.provider_services import JobFact, Outage, RecordingServices
from tests.support.truth_checker import PAINT_DELAY, ConsoleChecker, Findings
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE, WEEK, VirtualTransport, run_virtual
from tests.support.virtual_time import wall_time as turning
from tui.domain.models import Job, Ref
from tui.engine.api import Pause, Refresh, Resume
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.simulator.scenario import BEHAVIOURS, Scenario
from tui.storage.watchlist.operations import Add, Set

JOBS, SPAN = 500, WEEK
ACCOUNTS = ("heygen-v2", "heygen", "konpro", "camb", "flixu", "operations")
ENDS = (*["fine"] * 4, *sorted(BEHAVIOURS), "short")
TROUBLE_KINDS = ("down", "down", "cut", "late", "limited")
NIGHT_SHARE = 1 / 24
"""Share of the suspends that last ten hours: with sixteen a day the consoles sleep a third of the time."""
AUDIT_INTERVAL = 10 * MINUTE
"""Seconds between two checks of all rows."""


class TruthProof(NamedTuple):
    """Counts of the proof."""

    jobs: int
    days: float
    record: Findings
    events: dict[str, int]
    requests: int

    def __str__(self) -> str:
        record = self.record
        events = ", ".join(f"{count} {what}" for what, count in sorted(self.events.items()))
        seen = ", ".join(f"{count} {what}" for what, count in sorted(record.counts.items()))
        return (
            f"truth: {self.days:.1f} virtual days of {self.jobs} jobs, {self.requests} requests; {events}\n"
            f"{record.checked_rows} rows judged: {seen}\n"
            f"longest delay of a due poll: {record.longest_overdue[0]:.1f} s ({record.longest_overdue[1]}); "
            f"an estimated expiry was too late by {record.latest_expiry_error:.1f} s at most\n"
            f"errors: {sum(record.error_counts.values())} {dict(record.error_counts)}"
        )


async def _nothing() -> None:
    pass


class TruthConsole:
    """One process on the state folder."""

    def __init__(self, world: "TruthWorld", name: str) -> None:
        self.world = world
        keys = {account: f"{name}.{account}" for account in ACCOUNTS}
        bases = dict.fromkeys(ACCOUNTS, "http://sim.test")
        write_example(world.folder, "operations")
        self.workspace = fixtures.make_workspace(world.folder, bases, accounts=ACCOUNTS, keys=keys, rate=world.rate)
        self.checker = ConsoleChecker(name, world.services, world.record, world.wall)
        self.engine = Engine(
            self.workspace,
            self.checker.outbox.publish,
            EngineContext.create(
                wall=world.wall,
                random=Random(f"{world.seed}/{name}"),
                transport=lambda: VirtualTransport(world.services),
            ),
        )
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> "TruthConsole":
        """Open the engine and run it."""
        await self.engine.open(tolerate_errors=True)
        self.task = asyncio.create_task(self.engine.run())
        return self

    async def end(self) -> None:
        """Quit as an operator does."""
        self.checker.stop()
        await self._cancelled()
        self.workspace.close()

    async def kill(self, *, hold: bool = False) -> Callable[[], Awaitable[None]]:
        """Stop like `kill -9`: nothing in memory is written. `hold`: it hangs and keeps the lease."""
        self.checker.stop()
        self.world.services.mark_lost(self.checker.name, self.world.wall() - 5)
        entries, leading = self.engine._job_store.journal_writer, self.engine._leader_election
        if entries._flush_timer is not None:
            entries._flush_timer.cancel()
        entries.flush = _nothing
        entries.add = lambda entry: None
        release, leading.release = leading.release, leading.release
        if hold:
            leading.release = _nothing
        await self._cancelled()
        self.workspace.close()
        return release

    async def _cancelled(self) -> None:
        assert not self.task.done(), self.task.exception()
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


class TruthWorld:
    """Services, clock and consoles."""

    def __init__(self, folder: Path, jobs: int, span: float, seed: int, event_density: float, rate: float) -> None:
        self.folder, self.span, self.seed, self.rate = folder, span, seed, rate
        self.days = span / DAY * event_density
        """Number of days whose events are scheduled."""
        self.random = Random(seed)
        self.suspended_seconds = 0.0
        self.record = Findings()
        self.events = dict.fromkeys(
            ("suspends", "ends", "kills", "hangs", "troubles", "user polls", "edits", "pauses"), 0
        )
        self._numbers = itertools.count()
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self.jobs = [self._make_job(number) for number in range(jobs)]
        self.facts = {job.ref: fact for job, fact, _ in self.jobs}
        self.services = RecordingServices(
            self.facts,
            list(self._troubles()),
            clock=self.wall,
            scenarios=[story for *_, story in self.jobs],
            seed=seed,
            latency=0.3,
        )
        self.services.on_poll = self._on_request
        self.consoles: dict[str, TruthConsole] = {}
        self.links: set[str] = set()
        self.hung_at: float | None = None

    def wall(self) -> float:
        """Return the current instant; a suspend moves it, but no timer."""
        return turning() + self.suspended_seconds

    def _make_job(self, number: int) -> tuple[Job, JobFact, Scenario]:
        random = self.random
        account = ACCOUNTS[number % len(ACCOUNTS)]
        end = random.choice(ENDS)
        ref = Ref(account, f"j{number}-{end}-x")
        arrives = EPOCH + random.uniform(0, max(self.span - DAY, self.span / 2))
        began = arrives - random.choice((0.0, random.uniform(0, HOUR)))
        life = random_life(random, 6 * HOUR)
        runs, ends = began + 0.2 * life, began + life
        signed = end == "short" or random.random() < 0.3
        story = Scenario(
            ref.id,
            queued=0.2 * life,
            running=None if end == "stuck" else 0.8 * life,
            started_at=began,
            has_signed_links=signed,
            link_lifetime=None if end != "short" else random.choice((MINUTE, HOUR, 26 * HOUR)),
        )
        kind = "dub" if account == "camb" and random.random() < 0.5 else ""
        job = Job(account=account, id=ref.id, kind=kind, keep_link=random.random() < 0.3)
        fact = JobFact(ref, end, runs, float("inf") if end == "stuck" else ends)
        self.schedule_at(arrives, lambda: self._add_job(job))
        for instant in (fact.runs, fact.ends):
            if instant < EPOCH + self.span:
                for later in (0.0, PAINT_DELAY + 0.1, 10.0, 60.0):
                    self.schedule_at(instant + later, lambda: self._check_job(ref))
        return job, fact, story

    def _troubles(self):
        random, count = self.random, round(10 * self.days)
        for _ in range(count):
            begins = EPOCH + random.uniform(0, self.span)
            every = random.random() < 0.2  # no network
            span = MINUTE * 120 ** random.random()
            for account in ACCOUNTS if every else (random.choice(ACCOUNTS),):
                yield Outage(account, begins, begins + span, "cut" if every else random.choice(TROUBLE_KINDS))
            self.events["troubles"] += 1
        for account in ACCOUNTS[2:4]:
            begins = EPOCH + random.uniform(0.2, 0.8) * self.span
            yield Outage(account, begins, begins + HOUR, "refused")
            self.schedule_at(begins + 1.5 * HOUR, lambda account=account: self._retry_account(account))
            self.events["troubles"] += 1

    def schedule_at(self, instant: float, do: Callable[[], object]) -> None:
        """Schedule a call for the instant, or for the end of a suspend."""
        heapq.heappush(self._agenda, (instant, next(self._numbers), do))

    def _on_request(self, console: str, account: str, refs: list[Ref]) -> None:
        if console in self.consoles:
            self.consoles[console].checker.check_request(account, refs)
        for ref in refs:
            for later in (0.5, PAINT_DELAY + 5.0):
                self.schedule_at(self.wall() + later, lambda ref=ref: self._check_job(ref))

    def _check_job(self, ref: Ref) -> None:
        for console in self.consoles.values():
            console.checker.check_row(ref)
            for link in console.engine.states[ref].links if ref in console.engine.states else ():
                expires_at = self.services.link_expires_at(link.url)
                if link.url not in self.links and expires_at is not None:
                    self.links.add(link.url)
                    for later in (0.0, PAINT_DELAY + 0.1, 10.0):
                        self.schedule_at(expires_at + later, lambda: self._check_job(ref))

    @property
    def any_console(self) -> TruthConsole | None:
        """A random running console."""
        return self.random.choice(list(self.consoles.values())) if self.consoles else None

    async def _add_job(self, job: Job) -> None:
        if self.any_console is None:
            self.schedule_at(self.wall() + 10, lambda: self._add_job(job))
            return
        result = await self.any_console.engine.perform(Add((job,)))
        assert result.ok, result.message

    async def _retry_account(self, account: str) -> None:
        for console in self.consoles.values():
            console.checker.user_requested |= dict.fromkeys(self.facts, asyncio.get_running_loop().time())
            await console.engine.perform(Resume(account))

    async def _request_poll(self) -> None:
        """Request a poll of one job at a random console."""
        console = self.any_console
        if console is not None and console.engine.states:
            ref = self.random.choice(list(console.engine.states))
            for each in self.consoles.values():
                each.checker.user_requested[ref] = asyncio.get_running_loop().time()
            await console.engine.perform(Refresh((ref,)))
            self.events["user polls"] += 1

    async def _toggle_archived(self) -> None:
        """Archive or unarchive a random job."""
        console = self.any_console
        if console is not None and console.engine.states:
            ref = self.random.choice(list(console.engine.states))
            archived = not console.engine.states[ref].job.archived
            await console.engine.perform(Set((ref,), {"archived": archived}))
            self.events["edits"] += 1

    async def _pause_leader(self) -> None:
        """Pause polling on the leader for a while."""
        name = self._leader_name()
        if name is not None:
            await self.consoles[name].engine.perform(Pause(paused=True))
            self.events["pauses"] += 1
            self.schedule_at(self.wall() + self.random.uniform(MINUTE, 20 * MINUTE), self._unpause)

    async def _unpause(self) -> None:
        for console in self.consoles.values():
            if console.checker.role == "paused":
                await console.engine.perform(Pause(paused=False))

    def _leader_name(self) -> str | None:
        return next((name for name, each in self.consoles.items() if each.checker.role == "polling"), None)

    def _suspend(self, seconds: float) -> None:
        self.suspended_seconds += seconds
        self.record.woken_at = self.wall()
        self.events["suspends"] += 1
        self.schedule_at(self.wall() + 7, self._audit)

    async def _start_console(self, name: str) -> None:
        if name not in self.consoles:
            self.consoles[name] = await TruthConsole(self, name).start()

    async def _end_leader(self, how: str) -> None:
        """End the leader by `how` and start it again later."""
        name = self._leader_name()
        if name is None:
            return
        console = self.consoles.pop(name)
        self.events[how] += 1
        back = self.wall() + self.random.uniform(10, HOUR)
        if how == "ends":
            await console.end()
        else:
            release = await console.kill(hold=how == "hangs")
            if how == "hangs":
                self.hung_at = turning()  # a follower's wait for the heartbeat does not count a suspend
                self.schedule_at(back - 5, lambda: self._end_hang(release))
        self.schedule_at(back, lambda: self._start_console(name))

    async def _end_hang(self, release: Callable[[], Awaitable[None]]) -> None:
        self._check_heartbeat()
        self.hung_at, self.record.hung_at = None, self.wall()
        await release()

    def _check_heartbeat(self) -> None:
        if self.hung_at is not None:
            for console in self.consoles.values():
                console.checker.check_silence(turning() - self.hung_at)

    def _audit(self) -> None:
        self._check_heartbeat()
        for console in self.consoles.values():
            console.checker.audit()

    def _schedule_events(self) -> None:
        """Schedule the events beside the jobs' scenarios."""
        random, days = self.random, self.days
        for name, later in (("one", 0.0), ("two", 2.0)):
            self.schedule_at(EPOCH + later, lambda name=name: self._start_console(name))
        for _ in range(round(16 * days)):
            night = random.random() < NIGHT_SHARE
            gap = min(self.span / 12, 10 * HOUR if night else random.choice((3.0, 20.0, 45.0, 5 * MINUTE, HOUR / 2)))
            self.schedule_at(EPOCH + random.uniform(0, self.span), lambda gap=gap: self._suspend(gap))
        for how, often in (("ends", 3), ("kills", 3), ("hangs", 2)):
            for _ in range(max(1, round(often * days))):
                self.schedule_at(EPOCH + random.uniform(60, self.span), lambda how=how: self._end_leader(how))
        for _ in range(round(20 * days)):
            self.schedule_at(EPOCH + random.uniform(0, self.span), self._request_poll)
        for _ in range(round(10 * days)):
            self.schedule_at(EPOCH + random.uniform(0, self.span), self._toggle_archived)
        for _ in range(round(4 * days)):
            self.schedule_at(EPOCH + random.uniform(0, self.span), self._pause_leader)
        for number in range(int(self.span // AUDIT_INTERVAL)):
            self.schedule_at(EPOCH + number * AUDIT_INTERVAL, self._audit)

    async def run(self) -> TruthProof:
        """Run all events and return the counts."""
        self._schedule_events()
        while self._agenda and self._agenda[0][0] < EPOCH + self.span:
            at, _, do = heapq.heappop(self._agenda)
            if at > self.wall():
                await asyncio.sleep(at - self.wall())
            done = do()
            if asyncio.iscoroutine(done):
                await done
        for console in self.consoles.values():
            await console.end()
        requests = sum(self.services.response_counts.values())
        return TruthProof(len(self.jobs), self.span / DAY, self.record, self.events, requests)


async def run_proof(
    folder: Path, jobs: int, span: float, seed: int = 0, event_density: float = 1.0, rate: float = 120.0
) -> TruthProof:
    """Run `jobs` jobs for `span` seconds at `rate` requests a minute, with `event_density` days' events a day."""
    return await TruthWorld(folder, jobs, span, seed, event_density, rate).run()


def main() -> None:
    """Run the proof and print its counts and every error."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        proof = run_virtual(run_proof(Path(folder), JOBS, SPAN))
    print(proof)
    print(f"in {time.perf_counter() - began:.0f} s of real time")
    for error in proof.record.errors:
        print(" ", error)
    assert not sum(proof.record.error_counts.values()), f"{sum(proof.record.error_counts.values())} errors"


if __name__ == "__main__":
    main()
