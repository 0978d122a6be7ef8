"""A month of finished jobs with keep_link at services whose links really expire: no copied link is expired.

A link is returned without a poll only if it has an hour left by its expiry. Each link ever reported is fetched half a
second before its stated expiry, which shows that none expires early. Operators copy links at random and at the worst
moments, and each copied link is fetched at once. Beside them are jobs with download, whose stores answer as those do
that are not ready, whose links have expired, that refuse ranges, or that compress.
"""

import asyncio
import tempfile
import time
from bisect import bisect_right
from collections import Counter, defaultdict
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import httpx

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.provider_files import write_example
from tests.support.virtual_time import DAY, EPOCH, HOUR, MINUTE, VirtualTransport, run_virtual, wall_time
from tui.domain.job_state import JobState
from tui.domain.models import Fault, Job, Link, Ref
from tui.engine.api import EngineEvent, NoticeKind
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.simulator.app import Simulator
from tui.simulator.files import make_file
from tui.simulator.scenario import Scenario

JOBS, DAYS = 500, 30.0
RATE_PER_MINUTE = 10.0
"""Requests per minute of each account: KonPro's smallest plan."""
CHECK_BEFORE_EXPIRY = 0.5
"""Seconds before a link's expiry at which it is fetched and must work."""
COPY_BEFORE_EXPIRY = (HOUR + 1, HOUR - 1, 1.0, 0.0, -1.0)
"""Seconds before a link's expiry at which it is copied."""
LINK_VARIANTS = (
    {"link_reuse": 0.0},
    {},
    {"has_signed_links": True, "link_reuse": HOUR},
    {"has_signed_links": True},
    {"has_signed_links": True, "link_lifetime": 30 * HOUR, "link_reuse": DAY / 2},
    {"has_signed_links": True, "link_lifetime": 6 * HOUR},
)
"""Kept links: a new link at every poll, or the same until it expires. Unsigned links live 7 d, as documented."""

ACCOUNTS = ("heygen", "konpro", "operations")
"""Accounts of the jobs with keep_link: the status of the last one is a boolean."""
DOWNLOADS = (
    "fine",
    "notready",
    "accepted",
    "expired400",
    "expired403",
    "expired200",
    "loginpage",
    "norange",
    "members",
    "floats",
)
"""Scenarios of the jobs with download: what the store of their first link answers, or how their result is named."""
FILES = {"heygen": "original.mp4", "konpro": "translated.mp4", "operations": "translated.mp4", "camb": "dubbed.mp4"}
"""Name of the downloaded file by account; CAMB.AI's link is in a second response, by the id of a run."""


class LinksProof(NamedTuple):
    """Counts of the proof."""

    jobs: int
    days: float
    links: int
    """Links reported."""
    expired_early: tuple[str, ...]
    """Links that expired before their stated expiry."""
    copies: Counter[str]
    """Copied links: "alive", "expired", or a fault's kind."""
    renewals: int
    """Scheduled renewals."""
    on_demand: int
    """Polls for a copied link that had less than an hour left."""
    busiest_minute: int
    """Requests of one account in its busiest minute."""
    downloads: int
    """Jobs with download whose file was saved."""
    download_failures: int
    """Failed downloads that were shown to the operators."""
    expired_gaps: tuple[tuple[float, str], ...]
    """Longest times in seconds for which a job had only an expired link, and the job; copying it then takes a poll.

    Up to a day if a service's daily limit (the simulator's KonPro: 1,000) is used up before the day's end.
    """

    def __str__(self) -> str:
        got = ", ".join(f"{count} {what}" for what, count in self.copies.most_common())
        return (
            f"links: {self.days:g} virtual days of {self.jobs} finished jobs with keep_link held {self.links} links; "
            f"{len(self.expired_early)} expired before their stated expiry\n"
            f"{sum(self.copies.values())} copies: {got}\n"
            f"{self.renewals} scheduled renewals, {self.on_demand} polls for links copied in their last hour; "
            f"{self.busiest_minute} requests of an account in its busiest minute, of {RATE_PER_MINUTE:g} allowed\n"
            f"{self.downloads} of {len(FILES) * len(DOWNLOADS)} automatic downloads saved their file, "
            f"{self.download_failures} failures shown\n"
            f"longest with an expired link only: "
            f"{', '.join(f'{gap:.0f} s ({of})' for gap, of in self.expired_gaps)}"
        )


class LinkListener(RecordingListener):
    """Listener that records each reported link once."""

    def __init__(self) -> None:
        super().__init__()
        self.links: dict[Ref, dict[str, Link]] = {}
        self.new_links: asyncio.Queue[tuple[Ref, Link]] = asyncio.Queue()

    def publish(self, event: EngineEvent) -> None:
        super().publish(event)
        if isinstance(event, JobState):
            self._on_job_state(event)

    def _on_job_state(self, state: JobState) -> None:
        if state.job.download:  # the simulator breaks these links on purpose
            return
        seen = self.links.setdefault(state.job.ref, {})
        for link in state.links:
            if link.url not in seen:
                seen[link.url] = link
                self.new_links.put_nowait((state.job.ref, link))


class LinksRun:
    """Services, an engine, and operators that copy links."""

    def __init__(self, tmp: Path, count: int, days: float, seed: int) -> None:
        self.days, self.seed, self.random, self.listener = days, seed, Random(seed), LinkListener()
        self.request_times = defaultdict[str, list[float]](list)
        """Times of requests by key."""
        self.expired_early: list[str] = []
        self.copies = Counter[str]()
        self.on_demand = 0
        self.jobs = tuple(
            Job(
                account=ACCOUNTS[number // 6 % len(ACCOUNTS)],
                id=f"j{number}-{_scenario_keyword(number)}-x",
                keep_link=True,
            )
            for number in range(count)
        )
        stories = [
            Scenario(
                job.id,
                started_at=EPOCH - DAY,
                queued=0,
                running=1,
                file_size=16,
                **LINK_VARIANTS[number % len(LINK_VARIANTS)],
            )
            for number, job in enumerate(self.jobs)
        ]
        self.downloads = tuple(
            Job(account=account, kind="dub" if account == "camb" else "", id=f"d-{behaviour}-x", download=True)
            for account in FILES
            for behaviour in DOWNLOADS
        )
        stories += [Scenario(job.id, started_at=EPOCH - DAY, queued=0, running=1) for job in self.downloads]
        self.simulator = Simulator(clock=wall_time, scenarios=stories, seed=seed)
        write_example(tmp, "operations")
        self.workspace = fixtures.make_workspace(
            tmp,
            "http://sim.test",
            self.jobs + self.downloads,
            accounts=tuple(FILES),
            keys={account: f"key-of-{account}" for account in FILES},
            config=f'[downloads]\ndir = "{tmp}/downloads"\n',
            rate=RATE_PER_MINUTE,
        )
        apps = {"sim.test": self._record_request}
        self.transport = VirtualTransport(apps)
        self.engine = Engine(
            self.workspace,
            self.listener.publish,
            EngineContext.create(wall=wall_time, random=Random(seed), transport=lambda: VirtualTransport(apps)),
            tick_interval=HOUR,
        )

    async def _record_request(self, scope: Any, receive: Any, send: Any) -> None:
        if not scope["path"].startswith("/cdn/"):
            headers = dict(scope["headers"])
            self.request_times[(headers.get(b"x-api-key") or headers[b"authorization"]).decode()].append(wall_time())
        await self.simulator(scope, receive, send)

    async def run(self) -> LinksProof:
        """Run the month and return its counts."""
        async with httpx.AsyncClient(transport=self.transport) as http, fixtures.running_engine(self.engine):
            tasks = [asyncio.create_task(self._check_each_link(http)), asyncio.create_task(self._copy_at_random(http))]
            await asyncio.sleep(self.days * DAY)
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            await self._check_remaining_links(http)
        self.workspace.close()
        return self._proof()

    async def _check_each_link(self, http: httpx.AsyncClient) -> None:
        """Fetch each reported link just before its expiry, and copy it at the worst moments."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                ref, link = await self.listener.new_links.get()
                if link.expires_at is not None:
                    tasks.create_task(self._fetch_before_expiry(http, link))
                    for before in COPY_BEFORE_EXPIRY:
                        tasks.create_task(self._copy_at(http, ref, link.expires_at - before))

    async def _fetch_before_expiry(self, http: httpx.AsyncClient, link: Link) -> None:
        assert link.expires_at is not None
        await asyncio.sleep(max(0.0, link.expires_at - CHECK_BEFORE_EXPIRY - wall_time()))
        await self._assert_live(http, link)

    async def _check_remaining_links(self, http: httpx.AsyncClient) -> None:
        """Check the links that outlive the month."""
        for held in self.listener.links.values():
            for link in held.values():
                if link.expires_at is None or link.expires_at - CHECK_BEFORE_EXPIRY > wall_time():
                    await self._assert_live(http, link)

    async def _assert_live(self, http: httpx.AsyncClient, link: Link) -> None:
        if (await http.head(link.url)).status_code != 200:
            self.expired_early.append(link.url)

    async def _copy_at_random(self, http: httpx.AsyncClient) -> None:
        while True:
            await asyncio.sleep(self.random.expovariate(len(self.jobs) / DAY))
            await self._copy(http, self.random.choice(self.jobs).ref)

    async def _copy_at(self, http: httpx.AsyncClient, ref: Ref, at: float) -> None:
        if at > wall_time():
            await asyncio.sleep(at - wall_time())
            await self._copy(http, ref)

    async def _copy(self, http: httpx.AsyncClient, ref: Ref) -> None:
        """Copy the job's link as an operator does, and fetch it at once."""
        polls = self.engine.states[ref].poll_count
        found = await self.engine.link_renewer.get_live(ref)
        self.on_demand += self.engine.states[ref].poll_count - polls
        if isinstance(found, Fault):
            self.copies[found.kind] += 1
        else:
            self.copies["alive" if (await http.head(found.url)).status_code == 200 else "expired"] += 1

    def _proof(self) -> LinksProof:
        held = [link for links in self.listener.links.values() for link in links.values()]
        first = len(self.jobs)
        return LinksProof(
            len(self.jobs),
            self.days,
            len(held),
            tuple(self.expired_early),
            self.copies,
            sum(self.engine.states[job.ref].poll_count for job in self.jobs) - first - self.on_demand,
            self.on_demand,
            self._busiest_minute(),
            sum(self._is_saved(job.ref) for job in self.downloads),
            sum(notice.kind is NoticeKind.DOWNLOAD_FAILED for notice in self.listener.notices),
            tuple(sorted(self._expired_gaps(), reverse=True)[:5]),
        )

    def _is_saved(self, ref: Ref) -> bool:
        """Return whether the job's video is the one that the simulator made."""
        files = self.engine.states[ref].downloads
        expected = make_file(Scenario(ref.id).resolve("video", self.seed), FILES[ref.account]).content
        return bool(files) and expected in [Path(file.path).read_bytes() for file in files]

    def _busiest_minute(self) -> int:
        return max(
            place + 1 - bisect_right(times, at - MINUTE)
            for times in self.request_times.values()
            for place, at in enumerate(times)
        )

    def _expired_gaps(self) -> list[tuple[float, str]]:
        """Return for how long each expired link was the only one, with its job and day."""
        gaps: list[tuple[float, str]] = []
        for ref, links in self.listener.links.items():
            row = [link for link in links.values() if link.kind == "video"]
            for link, following in pairwise(row):
                expires_at = link.expires_at or following.first_seen
                gaps.append((following.first_seen - expires_at, f"{ref}, day {(expires_at - EPOCH) / DAY:.3f}"))
        return gaps


def _scenario_keyword(number: int) -> str:
    """Return the scenario of a job. Only jobs with signed links have faults.

    An estimated expiry counts from when the link was first seen, which is too late if an earlier response with the link
    was lost; then a 403 triggers the renewal.
    """
    return (
        ("fine", "fine", "flaky", "fine", "limit")[number // 6 % 5]
        if "has_signed_links" in LINK_VARIANTS[number % 6]
        else "fine"
    )


def run_proof(tmp: Path, count: int, days: float, seed: int = 0) -> LinksProof:
    """Run the proof in virtual time."""

    async def lived() -> LinksProof:
        return await LinksRun(tmp, count, days, seed).run()

    return run_virtual(lived())


def assert_holds(proof: LinksProof) -> None:
    """Assert the conditions of the proof."""
    assert proof.expired_early == (), proof.expired_early[:5]
    assert proof.copies["expired"] == 0
    assert proof.copies["alive"] > 0.9 * sum(proof.copies.values())
    assert proof.busiest_minute <= RATE_PER_MINUTE
    assert (proof.downloads, proof.download_failures) == (len(FILES) * len(DOWNLOADS), 0)


def main() -> None:
    """Run the proof and print its counts."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        proof = run_proof(Path(folder), JOBS, DAYS)
        print(f"{proof}\nin {time.perf_counter() - began:.0f} s of real time")
    assert_holds(proof)
