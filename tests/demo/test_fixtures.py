"""First five minutes of the demo with a real engine, in virtual time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from itertools import pairwise
from random import Random
from types import SimpleNamespace

import httpx
import pytest

from tests.support.virtual_time import MINUTE, run_virtual, wall_time
from tests.support.waiting import until
from tui.dashboard.widgets import badges
from tui.demo import demo_workspace
from tui.demo.fixtures import JOBS
from tui.demo.job_spec import SERVICES
from tui.domain import evaluation, job_state
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import Flag, JobState
from tui.domain.models import ACTIVE, ENDED, FaultKind, PartCounts, Phase, Ref
from tui.engine.api import (
    AccountState,
    DownloadProgress,
    EngineEvent,
    Health,
    Notice,
    ProblemsChanged,
    Refresh,
    WatchlistOrder,
)
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.presentation import queries


class Recorder:
    """Record the events of an engine, with the seconds since the start time."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now, self._started_at = now, now()
        self.states: dict[Ref, JobState] = {}
        self.ends: list[tuple[float, JobState]] = []
        self.health: set[tuple[str, Health]] = set()
        self.accounts: dict[str, AccountState] = {}
        self.polled: dict[str, float] = {}
        """Seconds until the first poll of each account."""
        self.waits: list[float] = []

    @property
    def seconds(self) -> float:
        return self._now() - self._started_at

    def publish(self, event: EngineEvent) -> None:
        match event:
            case JobState():
                before = self.states.get(event.job.ref)
                if before is not None and before.phase in ACTIVE and event.phase in ENDED:
                    self.ends.append((self.seconds, event))
                self.states[event.job.ref] = event
            case AccountState():
                if event.request_count:
                    self.polled.setdefault(event.name, self.seconds)
                self.health.add((event.name, event.health))
                self.accounts[event.name] = event
                if event.health is Health.LIMITED and event.waits_until is not None:
                    self.waits.append(event.waits_until - self._now())
            case WatchlistOrder(refs):
                assert len(JOBS) <= len(refs) <= len(JOBS) + 1, "one job is discovered"
            case ProblemsChanged(problems):
                assert problems == ()
            case DownloadProgress():
                raise AssertionError("no download is requested")
            case Notice(text=text):
                assert text
            case _:
                pass

    def called(self, name: str) -> JobState:
        return next(state for state in self.states.values() if queries.display_name(state) == name)


async def watched(
    end: Callable[[Engine, Recorder], Awaitable[None]], *, now: Callable[[], float], seed: int
) -> Recorder:
    """Run the demo until `end` returns, and return the recorder."""
    with demo_workspace(now=now, seed=seed) as (library, transport):
        recorder = Recorder(now)
        session = Engine(
            library, recorder.publish, EngineContext.create(wall=now, random=Random(seed), transport=transport)
        )
        await session.open()
        running = asyncio.create_task(session.run())
        await end(session, recorder)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        return recorder


POLLED = SERVICES.keys() - {"legal"}
"""Accounts with a key."""
SEEDS = [pytest.param(seed, marks=pytest.mark.xdist_group(f"seed {seed}")) for seed in (7, 8)]


@pytest.fixture(scope="module", params=SEEDS)
def five_minutes(request: pytest.FixtureRequest) -> SimpleNamespace:
    async def five_minutes_on(session: Engine, recorder: Recorder) -> None:
        """Refresh the job whose link expired, 5 s before the end."""
        await asyncio.sleep(5 * MINUTE - 5)
        await session.perform(Refresh((recorder.called("Teaser 🎬 15 s").job.ref,)))
        await asyncio.sleep(5)

    async def story() -> SimpleNamespace:
        recorder = await watched(five_minutes_on, now=wall_time, seed=request.param)
        return SimpleNamespace(seen=recorder, now=wall_time())

    return run_virtual(story())


def test_a_job_ends_within_ten_seconds_and_then_regularly(five_minutes: SimpleNamespace) -> None:
    moments = [at for at, _ in five_minutes.seen.ends]
    assert 3 < moments[0] < 10
    assert moments[1] < 10
    assert len(moments) >= 15
    assert max(later - sooner for sooner, later in pairwise(moments)) < 45


def test_every_account_is_polled_within_ten_seconds(five_minutes: SimpleNamespace) -> None:
    polled = five_minutes.seen.polled
    assert polled.keys() == POLLED
    assert max(polled.values()) < 10


def test_jobs_of_all_services_end_and_some_fail(five_minutes: SimpleNamespace) -> None:
    ended = [state for _, state in five_minutes.seen.ends]
    assert {state.job.account for state in ended} == {"heygen", "konpro", "camb", "flixu", "deepl", "papers"}
    assert {state.phase for state in ended} == {Phase.DONE, Phase.FAILED}


def test_a_job_with_several_languages_ends_with_a_file_for_each(five_minutes: SimpleNamespace) -> None:
    tour, briefing = five_minutes.seen.called("Factory tour, 7 languages"), five_minutes.seen.called("Safety briefing")
    assert (tour.report.part_counts, briefing.report.part_counts) == (PartCounts(7, 0, 7), PartCounts(2, 1, 3))
    assert {link.one_time for link in tour.links} == {True}
    assert len(tour.links) == 7


def test_a_document_with_a_secret_of_its_own_ends_with_a_file_that_is_sent_once(five_minutes: SimpleNamespace) -> None:
    document = five_minutes.seen.called("Preisliste 2027.docx")
    assert document.phase is Phase.DONE
    assert [(link.one_time, link.form) for link in document.links] == [(True, "document_key=%7Bsecret.document_key%7D")]


def test_a_job_that_only_the_list_has_comes_to_the_board(five_minutes: SimpleNamespace) -> None:
    found = five_minutes.seen.called("Bienvenue à Lyon")
    assert (found.job.tags, found.phase) == (("discovered",), Phase.DONE)


def test_a_result_text_is_stored(five_minutes: SimpleNamespace) -> None:
    assert (five_minutes.seen.called("商店页面文案").result or "").startswith("春天")


def test_accounts_are_rate_limited_offline_and_without_a_key(five_minutes: SimpleNamespace) -> None:
    seen = five_minutes.seen
    assert {("camb", Health.LIMITED), ("konpro", Health.OFFLINE), ("legal", Health.NO_KEY)} <= seen.health
    assert max(seen.waits) > 20
    assert {health for account, health in seen.health if account == "heygen"} == {Health.UNTRIED, Health.OK}


def test_one_account_is_healthy_and_one_has_a_retired_api(five_minutes: SimpleNamespace) -> None:
    seen, now = five_minutes.seen, five_minutes.now
    assert badges.sunset_text(seen.accounts["heygen"], now) == ""
    assert badges.sunset_text(seen.accounts["agency"], now) == "API retired"
    film = seen.called("Brand film")
    assert film.fault is not None
    assert film.fault.kind is FaultKind.RETIRED


def test_an_unknown_status_and_a_stalled_job_keep_their_flags(five_minutes: SimpleNamespace) -> None:
    present = EvaluationContext(now=five_minutes.now)
    assert Flag.UNKNOWN in evaluation.flags(five_minutes.seen.called("Patent claims.pdf"), present)
    assert Flag.STALLED in evaluation.flags(five_minutes.seen.called("Archive tape 4"), present)


def test_the_short_link_expires_and_is_replaced(five_minutes: SimpleNamespace) -> None:
    link = job_state.primary_link(five_minutes.seen.called("Teaser 🎬 15 s"))
    assert link is not None
    assert five_minutes.now - 10 < link.first_seen
    assert (link.expires_at or 0) > five_minutes.now


@pytest.mark.waits
async def test_in_real_time_every_account_is_polled_and_a_job_succeeds() -> None:
    async def shown(_: Engine, seen: Recorder) -> None:
        await until(lambda: Phase.DONE in {state.phase for _, state in seen.ends})
        await until(lambda: seen.polled.keys() == POLLED)

    await watched(shown, now=time.time, seed=7)


def test_a_valid_link_of_the_history_is_issued_again_and_can_be_downloaded() -> None:
    async def story() -> None:
        with demo_workspace(now=wall_time) as (library, transport):
            state = next(each for each in library.job_states().values() if queries.display_name(each) == "Q3 all-hands")
            link = job_state.primary_link(state)
            assert link is not None
            session = Engine(
                library, Recorder(wall_time).publish, EngineContext.create(wall=wall_time, transport=transport)
            )
            await session.open()
            await session.poll_once([state.job.ref])
            assert job_state.primary_link(session.states[state.job.ref]) == link
            async with httpx.AsyncClient(transport=transport()) as client:
                reply = await client.get(link.url)
            assert (reply.status_code, reply.headers["content-type"]) == (200, "video/mp4")

    run_virtual(story())
