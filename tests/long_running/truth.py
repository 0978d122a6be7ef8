"""The screen tells the truth: two consoles through a virtual week of faults, suspends, takeovers, kills and hangs.

Every row of both screens is held against the services at every event on either side and whenever its label changes.
"""

import asyncio
import heapq
import itertools
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

from tests.support import fixtures
from tests.support.provider_services import Fact, Services, Trouble
from tests.support.truth_checker import PAINT_DELAY, ConsoleChecker, Findings
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE, WEEK, VirtualTransport, run_virtual
from tests.support.virtual_time import wall_time as turning
from tui.domain.models import Job, Ref
from tui.engine.api import Pause, Refresh, Resume
from tui.engine.engine import Engine
from tui.simulator.scenario import WORDS, Story
from tui.storage.watchlist.file import Add, Set

JOBS, SPAN = 500, WEEK
ACCOUNTS = ("heygen", "heygen-v3", "konpro", "camb", "flixu")
ENDS = (*["fine"] * 4, *sorted(WORDS), "short")
WRONGS = ("down", "down", "cut", "late", "limited")
NIGHTS = 1 / 24
"""Share of the suspends that last ten hours: sixteen a day let the consoles sleep a third of it."""
AUDIT = 10 * MINUTE
"""Seconds between two looks at everything."""


class Proved(NamedTuple):
    """What came of it."""

    jobs: int
    days: float
    record: Findings
    events: dict[str, int]
    asks: int

    def __str__(self) -> str:
        record = self.record
        events = ", ".join(f"{count} {what}" for what, count in sorted(self.events.items()))
        seen = ", ".join(f"{count} {what}" for what, count in sorted(record.counts.items()))
        return (
            f"truth: {self.days:.1f} virtual days of {self.jobs} jobs, {self.asks} asks; {events}\n"
            f"{record.checked_rows} rows judged: {seen}\n"
            f"longest that a due job was not asked: {record.longest_overdue[0]:.1f} s ({record.longest_overdue[1]}); "
            f"an estimated expiry was too late by {record.latest_expiry_error:.1f} s at most\n"
            f"lies: {sum(record.error_counts.values())} {dict(record.error_counts)}"
        )


class Console:
    """One process on the state folder."""

    def __init__(self, world: "World", name: str) -> None:
        self.world = world
        keys = {account: f"{name}.{account}" for account in ACCOUNTS}
        bases = dict.fromkeys(ACCOUNTS, "http://sim.test")
        self.library = fixtures.make_workspace(world.folder, bases, accounts=ACCOUNTS, keys=keys, rate=world.rate)
        self.witness = ConsoleChecker(name, world.services, world.record, world.wall)
        self.session = Engine(
            self.library,
            self.witness.outbox,
            wall=world.wall,
            random=Random(f"{world.seed}/{name}"),
            transport=lambda: VirtualTransport(world.services),
        )
        self.session.open(tolerate_errors=True)
        self.task = asyncio.create_task(self.session.run())

    async def end(self) -> None:
        """As an operator ends it."""
        self.witness.stop()
        await self._cancelled()
        self.library.close()

    async def kill(self, *, hold: bool = False) -> Callable[[], None]:
        """As `kill -9` ends it: nothing that it had in memory is written. `hold`: it hangs, and keeps the lease."""
        self.witness.stop()
        self.world.services.lost(self.witness.name, self.world.wall() - 5)
        entries, leading = self.session._job_store.journal_writer, self.session._leader_election
        if entries._flush_timer is not None:
            entries._flush_timer.cancel()
        entries.flush = lambda: None
        entries.add = lambda entry: None
        release, leading.release = leading.release, leading.release
        if hold:
            leading.release = lambda: None
        await self._cancelled()
        self.library.close()
        return release

    async def _cancelled(self) -> None:
        assert not self.task.done(), self.task.exception()
        self.task.cancel()
        with suppress(asyncio.CancelledError):
            await self.task


class World:
    """Services, time and consoles."""

    def __init__(self, folder: Path, jobs: int, span: float, seed: int, thick: float, rate: float) -> None:
        self.folder, self.span, self.seed, self.rate = folder, span, seed, rate
        self.days = span / DAY * thick
        """Days' worth of events."""
        self.random = Random(seed)
        self.slept = 0.0
        self.record = Findings()
        self.events = dict.fromkeys(("suspends", "ends", "kills", "hangs", "troubles", "wishes", "edits", "pauses"), 0)
        self._numbers = itertools.count()
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self.jobs = [self._made(number) for number in range(jobs)]
        self.facts = {job.ref: fact for job, fact, _ in self.jobs}
        self.services = Services(
            self.facts,
            list(self._troubles()),
            clock=self.wall,
            stories=[story for *_, story in self.jobs],
            seed=seed,
            latency=0.3,
        )
        self.services.asked = self._asked
        self.consoles: dict[str, Console] = {}
        self.links: set[str] = set()
        self.hung_at: float | None = None

    def wall(self) -> float:
        """The instant; a suspend moves it, and no timer."""
        return turning() + self.slept

    def _made(self, number: int) -> tuple[Job, Fact, Story]:
        random = self.random
        account = ACCOUNTS[number % len(ACCOUNTS)]
        end = random.choice(ENDS)
        ref = Ref(account, f"j{number}-{end}-x")
        arrives = EPOCH + random.uniform(0, max(self.span - DAY, self.span / 2))
        began = arrives - random.choice((0.0, random.uniform(0, HOUR)))
        life = MINUTE * 360 ** random.random()
        runs, ends = began + 0.2 * life, began + life
        signed = end == "short" or random.random() < 0.3
        story = Story(
            ref.id,
            queued=0.2 * life,
            running=None if end == "stuck" else 0.8 * life,
            began=began,
            signed=signed,
            link_life=None if end != "short" else random.choice((MINUTE, HOUR, 26 * HOUR)),
        )
        kind = "dub" if account == "camb" and random.random() < 0.5 else ""
        job = Job(account=account, id=ref.id, kind=kind, keep_link=random.random() < 0.3)
        fact = Fact(ref, end, runs, float("inf") if end == "stuck" else ends)
        self.at(arrives, lambda: self._arrive(job))
        for instant in (fact.runs, fact.ends):
            if instant < EPOCH + self.span:
                for later in (0.0, PAINT_DELAY + 0.1, 10.0, 60.0):
                    self.at(instant + later, lambda: self._judge(ref))
        return job, fact, story

    def _troubles(self):
        random, count = self.random, round(10 * self.days)
        for _ in range(count):
            begins = EPOCH + random.uniform(0, self.span)
            every = random.random() < 0.2  # the network is gone
            span = MINUTE * 120 ** random.random()
            for account in ACCOUNTS if every else (random.choice(ACCOUNTS),):
                yield Trouble(account, begins, begins + span, "cut" if every else random.choice(WRONGS))
            self.events["troubles"] += 1
        for account in ACCOUNTS[2:4]:
            begins = EPOCH + random.uniform(0.2, 0.8) * self.span
            yield Trouble(account, begins, begins + HOUR, "refused")
            self.at(begins + 1.5 * HOUR, lambda account=account: self._resume(account))
            self.events["troubles"] += 1

    def at(self, instant: float, do: Callable[[], object]) -> None:
        """Has it done at the instant, or as soon as the machine is awake."""
        heapq.heappush(self._agenda, (instant, next(self._numbers), do))

    def _asked(self, console: str, account: str, refs: list[Ref]) -> None:
        if console in self.consoles:
            self.consoles[console].witness.check_request(account, refs)
        for ref in refs:
            for later in (0.5, PAINT_DELAY + 5.0):
                self.at(self.wall() + later, lambda ref=ref: self._judge(ref))

    def _judge(self, ref: Ref) -> None:
        for console in self.consoles.values():
            console.witness.check_row(ref)
            for link in console.session.states[ref].links if ref in console.session.states else ():
                dies = self.services.dies(link.url)
                if link.url not in self.links and dies is not None:
                    self.links.add(link.url)
                    for later in (0.0, PAINT_DELAY + 0.1, 10.0):
                        self.at(dies + later, lambda: self._judge(ref))

    @property
    def one(self) -> Console | None:
        """Any console that lives."""
        return self.random.choice(list(self.consoles.values())) if self.consoles else None

    async def _arrive(self, job: Job) -> None:
        if self.one is None:
            self.at(self.wall() + 10, lambda: self._arrive(job))
            return
        outcome = await self.one.session.perform(Add((job,)))
        assert outcome.ok, outcome.message

    async def _resume(self, account: str) -> None:
        for console in self.consoles.values():
            console.witness.user_requested |= dict.fromkeys(self.facts, asyncio.get_running_loop().time())
            await console.session.perform(Resume(account))

    async def _wish(self) -> None:
        """A person asks for one job, wherever."""
        console = self.one
        if console is not None and console.session.states:
            ref = self.random.choice(list(console.session.states))
            for each in self.consoles.values():
                each.witness.user_requested[ref] = asyncio.get_running_loop().time()
            await console.session.perform(Refresh((ref,)))
            self.events["wishes"] += 1

    async def _edit(self) -> None:
        """A job goes to the archive, or comes back."""
        console = self.one
        if console is not None and console.session.states:
            ref = self.random.choice(list(console.session.states))
            archived = not console.session.states[ref].job.archived
            await console.session.perform(Set((ref,), {"archived": archived}))
            self.events["edits"] += 1

    async def _pause(self) -> None:
        """A person has the console that polls ask nothing for a while."""
        name = self._polling()
        if name is not None:
            await self.consoles[name].session.perform(Pause(paused=True))
            self.events["pauses"] += 1
            self.at(self.wall() + self.random.uniform(MINUTE, 20 * MINUTE), self._go_on)

    async def _go_on(self) -> None:
        for console in self.consoles.values():
            if console.witness.role == "paused":
                await console.session.perform(Pause(paused=False))

    def _polling(self) -> str | None:
        return next((name for name, each in self.consoles.items() if each.witness.role == "polling"), None)

    def _suspend(self, seconds: float) -> None:
        self.slept += seconds
        self.record.woken_at = self.wall()
        self.events["suspends"] += 1
        self.at(self.wall() + 7, self._audit)

    def _start(self, name: str) -> None:
        if name not in self.consoles:
            self.consoles[name] = Console(self, name)

    async def _end(self, how: str) -> None:
        """The console that polls goes, one way or the other, and comes back later."""
        name = self._polling()
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
                self.hung_at = turning()  # who waits for its beat does not count a sleep
                self.at(back - 5, lambda: self._unhang(release))
        self.at(back, lambda: self._start(name))

    def _unhang(self, release: Callable[[], None]) -> None:
        self._silence()
        self.hung_at, self.record.hung_at = None, self.wall()
        release()

    def _silence(self) -> None:
        if self.hung_at is not None:
            for console in self.consoles.values():
                console.witness.check_silence(turning() - self.hung_at)

    def _audit(self) -> None:
        self._silence()
        for console in self.consoles.values():
            console.witness.audit()

    def _plan(self) -> None:
        """What happens beside the jobs' own stories."""
        random, days = self.random, self.days
        for name, later in (("one", 0.0), ("two", 2.0)):
            self.at(EPOCH + later, lambda name=name: self._start(name))
        for _ in range(round(16 * days)):
            night = random.random() < NIGHTS
            gap = min(self.span / 12, 10 * HOUR if night else random.choice((3.0, 20.0, 45.0, 5 * MINUTE, HOUR / 2)))
            self.at(EPOCH + random.uniform(0, self.span), lambda gap=gap: self._suspend(gap))
        for how, often in (("ends", 3), ("kills", 3), ("hangs", 2)):
            for _ in range(max(1, round(often * days))):
                self.at(EPOCH + random.uniform(60, self.span), lambda how=how: self._end(how))
        for _ in range(round(20 * days)):
            self.at(EPOCH + random.uniform(0, self.span), self._wish)
        for _ in range(round(10 * days)):
            self.at(EPOCH + random.uniform(0, self.span), self._edit)
        for _ in range(round(4 * days)):
            self.at(EPOCH + random.uniform(0, self.span), self._pause)
        for number in range(int(self.span // AUDIT)):
            self.at(EPOCH + number * AUDIT, self._audit)

    async def lived(self) -> Proved:
        """Has all of it happen."""
        self._plan()
        while self._agenda and self._agenda[0][0] < EPOCH + self.span:
            at, _, do = heapq.heappop(self._agenda)
            if at > self.wall():
                await asyncio.sleep(at - self.wall())
            done = do()
            if asyncio.iscoroutine(done):
                await done
        for console in self.consoles.values():
            await console.end()
        asks = sum(self.services.replies.values())
        return Proved(len(self.jobs), self.span / DAY, self.record, self.events, asks)


async def lived(folder: Path, jobs: int, span: float, seed: int = 0, thick: float = 1.0, rate: float = 120.0) -> Proved:
    """`jobs` jobs in `span` seconds, at `rate` asks a minute. `thick`: how much more happens than on a usual day."""
    return await World(folder, jobs, span, seed, thick, rate).lived()


def main() -> None:
    """Runs it, and prints what was held against what, and every lie."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        proved = run_virtual(lived(Path(folder), JOBS, SPAN))
    print(proved)
    print(f"in {time.perf_counter() - began:.0f} s of real time")
    for lie in proved.record.errors:
        print(" ", lie)
    assert not sum(proved.record.error_counts.values()), f"{sum(proved.record.error_counts.values())} lies"


if __name__ == "__main__":
    main()
