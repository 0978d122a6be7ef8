"""Bulk requests: what they save, and that they delay or lose nothing."""

import asyncio
import json
from collections import Counter
from functools import cached_property
from itertools import pairwise
from math import inf
from urllib.parse import parse_qs

import pytest

from tests.engine.polling.test_polling import PollingSetup
from tests.engine.polling.test_polling import stage as staged
from tests.support import fixtures
from tests.support.provider_files import provider_file, write_example, write_provider_file
from tests.support.virtual_time import EPOCH, HOUR, MINUTE, wall_time
from tui.domain.models import FaultKind, Phase, Ref
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.simulator.services.heygen import MAX_BULK_IDS
from tui.storage.watchlist.operations import Remove

MANY = "/v3/video-translations/statuses"


class Service:
    """Simulated HeyGen v3 that answers bulk, single, or both requests with a given HTTP status for a while."""

    def __init__(
        self, *stories: Scenario, many: int = 200, single: int = 200, until: float = inf, wait: str = ""
    ) -> None:
        self._stories = stories
        self._wait = wait
        self.many, self.single, self.until = many, single, EPOCH + until
        self.paths: list[tuple[float, str]] = []

    @cached_property
    def simulator(self) -> Simulator:
        """Create it on the loop, whose time is its clock."""
        return Simulator(clock=wall_time, scenarios=self._stories, limits={"heygen": 1_000_000})

    async def __call__(self, scope, receive, send) -> None:
        path = scope["path"]
        self.paths.append((wall_time(), path))
        status = self.many if path == MANY else self.single
        if status == 200 or wall_time() > self.until:
            await self.simulator(scope, receive, send)
            return
        headers = [(b"retry-after", self._wait.encode())] if self._wait else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    @property
    def bulk(self) -> list[float]:
        return [at for at, path in self.paths if path == MANY]

    @property
    def singly(self) -> Counter[str]:
        return Counter(path.rpartition("/")[2] for _, path in self.paths if path != MANY)


def endless(count: int) -> tuple[str, ...]:
    return tuple(f"j{number}-stuck" for number in range(count))


def v3(tmp_path, app, ids, scenario, **settings):
    """Run the scenario with one account of HeyGen v3."""
    staged(tmp_path, app, {"heygen": tuple(ids)}, scenario, accounts=("heygen",), **settings)


def state(stage: PollingSetup, job: str):
    return stage[Ref("heygen", job)]


BATCHES = provider_file(
    "batches",
    """
[status]
path = "/jobs/{id}?api-version=2024-05-01"
value = ["/status"]
[bulk]
path = "/jobs?api-version=2024-05-01"
id_parameter = "ids"
max_ids = 50
items = ""
id = "/id"
value = ["/status"]
""",
)


def test_the_ids_of_a_bulk_request_are_added_to_the_query_of_its_path(tmp_path):
    queries = []

    async def app(scope, _receive, send) -> None:
        query = parse_qs(scope["query_string"].decode(), strict_parsing=True)
        queries.append(query)
        ids = query.get("ids", [""])[0].split(",")
        body = json.dumps([{"id": job, "status": "processing"} for job in ids]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def scenario(stage):
        await asyncio.sleep(5 * MINUTE)
        assert {stage[Ref("batches", job)].phase for job in "abc"} == {Phase.RUNNING}
        assert {tuple(sorted(query["ids"][0].split(","))) for query in queries if "ids" in query} >= {("a", "b", "c")}
        assert all(query["api-version"] == ["2024-05-01"] for query in queries)

    write_provider_file(tmp_path, "batches", BATCHES)
    staged(tmp_path, app, {"batches": ("a", "b", "c")}, scenario, accounts=("batches",))


def test_jobs_that_end_in_a_bulk_response_of_whole_reports_are_not_polled_again(tmp_path):
    paths = []

    async def app(scope, _receive, send) -> None:
        ids = parse_qs(scope["query_string"].decode()).get("ids", [scope["path"].rpartition("/")[2]])[0].split(",")
        paths.append(scope["path"])
        has_ended = wall_time() > EPOCH + MINUTE
        one = {"status": "done", "url": "https://cdn.test/v.mp4"} if has_ended else {"status": "processing"}
        items = [{"id": job, **one} for job in ids]
        body = json.dumps(items if scope["path"] == "/jobs" else items[0]).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    async def scenario(stage):
        await asyncio.sleep(5 * MINUTE)
        states = [stage[Ref("batches", job)] for job in "abc"]
        assert [(each.phase, each.links[0].url) for each in states] == [(Phase.DONE, "https://cdn.test/v.mp4")] * 3
        assert paths[-1] == "/jobs"

    link = '[[links]]\nkind = "video"\nurl = ["/url"]\nrequired = true\n'
    write_provider_file(
        tmp_path, "batches", BATCHES.replace('id = "/id"\nvalue = ["/status"]', 'id = "/id"\nsame_as = ""') + link
    )
    staged(tmp_path, app, {"batches": ("a", "b", "c")}, scenario, accounts=("batches",))


def test_operations_without_a_status_text_are_polled_in_bulk_and_end_with_a_single_poll(tmp_path):
    scenarios = [Scenario(job, queued=0, running=100) for job in ("a-fine", "b-fail", "c-timeout", "d-floats")]
    app = Service(*scenarios, Scenario("e-stuck"))
    jobs = (*(each.id for each in scenarios), "e-stuck")

    async def scenario(stage):
        await asyncio.sleep(10 * MINUTE)
        found = [stage[Ref("operations", job)] for job in jobs]
        assert [each.phase for each in found] == [
            Phase.DONE, Phase.FAILED, Phase.TIMED_OUT, Phase.DONE, Phase.RUNNING,
        ]  # fmt: skip
        assert [bool(each.links) for each in found] == [True, False, False, True, False]
        shown = {(each.job.id, each.phase) for each in stage.listener.states}
        assert not shown & {("b-fail", Phase.DONE), ("a-fine", Phase.FAILED)}
        assert app.simulator.response_counts.keys() == {("operations", 200)}
        active = [path for at, path in app.paths if at < EPOCH + 90]
        assert len(active) > 5
        assert set(active) == {"/operations/batch"}

    write_example(tmp_path, "operations")
    staged(tmp_path, app, {"operations": jobs}, scenario, accounts=("operations",))


def test_a_thousand_active_jobs_cost_a_hundredth_of_the_requests(tmp_path):
    app = Service()

    async def scenario(stage):
        await asyncio.sleep(1.5 * MINUTE)
        request = sum(app.simulator.poll_counts.values())
        assert request > 3_000
        assert len(app.paths) * 50 < request
        assert all(state.phase in (Phase.QUEUED, Phase.RUNNING) for state in stage.engine.states.values())

    v3(tmp_path, app, endless(1000), scenario)


def test_a_bulk_request_takes_one_token_and_names_no_more_ids_than_the_service_allows(tmp_path):
    app = Service()

    async def scenario(stage):
        await asyncio.sleep(MINUTE)
        assert set(app.simulator.response_counts) == {("heygen", 200)}, (
            f"more than {MAX_BULK_IDS} at once would be a 400"
        )
        assert len(app.simulator.poll_counts) == 250
        assert len(app.paths) < 30

    v3(tmp_path, app, endless(250), scenario, rate=30)


def test_a_single_job_is_polled_singly_and_has_its_title(tmp_path):
    app = Service(Scenario("a-stuck", title="Spring launch"))

    async def scenario(stage):
        await asyncio.sleep(5 * MINUTE)
        assert app.bulk == []
        assert state(stage, "a-stuck").report.title == "Spring launch"

    v3(tmp_path, app, ["a-stuck"], scenario)


def test_ended_jobs_of_a_bulk_response_are_polled_singly_for_link_or_reason(tmp_path):
    ends = {"fine": Phase.DONE, "fail": Phase.FAILED, "pay": Phase.BLOCKED}
    jobs = {f"{number}-{end}-x": phase for end, phase in ends.items() for number in range(5)}
    app = Service(*(Scenario(job, queued=30, running=60) for job in jobs))

    async def scenario(stage):
        await asyncio.sleep(4 * MINUTE)
        assert {job: state(stage, job).phase for job in jobs} == jobs
        assert [state(stage, job).report.links for job in jobs if "fine" in job].count(()) == 0
        assert all(state(stage, job).report.message for job in jobs if "fail" in job)
        assert app.bulk
        assert set(app.singly) >= set(jobs)
        assert max(app.singly.values()) <= 2, "the end, and perhaps a first poll before the others were due"

    v3(tmp_path, app, jobs, scenario)


def test_a_done_job_is_shown_even_if_the_bucket_has_no_token_for_its_link(tmp_path):
    app = Service(*(Scenario(f"{number}-fine", queued=1, running=20) for number in range(60)))

    async def scenario(stage):
        await asyncio.sleep(50)
        assert {each.phase for each in stage.engine.states.values()} == {Phase.DONE}
        assert len(app.singly) < 30
        await asyncio.sleep(10 * MINUTE)
        assert all(each.links for each in stage.engine.states.values())

    v3(tmp_path, app, [f"{number}-fine" for number in range(60)], scenario, rate=12)


def test_an_id_absent_from_bulk_responses_is_polled_singly_until_it_is_missing(tmp_path):
    app = Service()

    async def scenario(stage):
        await asyncio.sleep(10 * MINUTE)
        assert state(stage, "a-missing").phase is Phase.MISSING
        assert app.singly["a-missing"] >= 3
        assert state(stage, "j0-stuck").phase in (Phase.QUEUED, Phase.RUNNING)
        assert app.simulator.poll_counts["heygen", "a-missing"] <= 5, "bulk requests do not name it again and again"

    v3(tmp_path, app, ["a-missing", *endless(20)], scenario)


@pytest.mark.parametrize("status", [500, 503])
def test_a_bulk_fault_backs_off_as_one_request(tmp_path, status):
    app = Service(many=status, single=status)

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        assert len(app.paths) < 40
        assert {each.fault.kind for each in stage.engine.states.values()} == {FaultKind.SERVER}
        assert all(later - earlier > 20 for earlier, later in pairwise([at for at, _ in app.paths][8:]))

    v3(tmp_path, app, endless(100), scenario, concurrency=4)


def test_jobs_of_a_failed_bulk_request_are_polled_together_again(tmp_path):
    app = Service(many=500, single=500, until=MINUTE)

    async def scenario(stage):
        await asyncio.sleep(10 * MINUTE)
        assert {each.fault for each in stage.engine.states.values()} == {None}
        later = [path for at, path in app.paths if at > app.until]
        assert later.count(MANY) > 0.8 * len(later)

    v3(tmp_path, app, endless(100), scenario)


@pytest.mark.parametrize("status", [400, 402, 403, 404, 410, 302])
def test_jobs_are_polled_singly_after_a_rejected_bulk_request(tmp_path, status):
    app = Service(many=status)

    async def scenario(stage):
        await asyncio.sleep(50 * MINUTE)
        assert len(app.bulk) <= 2, "one for each worker that was at it"
        assert {each.phase for each in stage.engine.states.values()} == {Phase.RUNNING}
        assert {each.fault for each in stage.engine.states.values()} == {None}
        await asyncio.sleep(HOUR)
        assert 2 <= len(app.bulk) <= 6, "tried again, hourly"

    v3(tmp_path, app, endless(2), scenario, rate=0.5, tick=MINUTE, config='[polling]\nmax_interval = "10m"\n')


def test_a_refused_key_is_sent_once(tmp_path):
    app = Service(many=401, single=401)

    async def scenario(stage):
        await asyncio.sleep(HOUR)
        assert len(app.paths) <= 2
        assert stage.listener.accounts["heygen"].health == "refused"

    v3(tmp_path, app, endless(50), scenario)


def test_a_retry_after_holds_for_bulk_requests(tmp_path):
    app = Service(many=429, single=429, until=20.0, wait="90")

    async def scenario(stage):
        await asyncio.sleep(20 * MINUTE)
        refused = [at for at, _ in app.paths if at < app.until]
        assert len(refused) <= 2, "one for each worker that was at it"
        assert min(at for at, _ in app.paths if at > app.until) >= refused[0] + 90
        assert {each.fault for each in stage.engine.states.values()} == {None}

    v3(tmp_path, app, endless(100), scenario)


def test_a_job_removed_during_its_bulk_poll_disturbs_no_other(tmp_path):
    app = Service()

    async def scenario(stage):
        await asyncio.sleep(MINUTE)
        gone = Ref("heygen", "j3-stuck")
        assert (await stage.engine.perform(Remove((gone,)))).ok
        await asyncio.sleep(5 * MINUTE)
        assert gone not in stage.engine.states
        assert {each.fault for each in stage.engine.states.values()} == {None}

    v3(tmp_path, app, endless(10), scenario)


def test_a_refresh_of_everything_takes_few_bulk_requests(tmp_path):
    app = Service()

    async def scenario(stage):
        await asyncio.sleep(MINUTE)
        before = len(app.paths)
        assert (await stage.engine.perform(fixtures.refresh(*stage.engine.states))).ok
        await asyncio.sleep(2)
        assert 5 <= len(app.paths) - before <= 12

    v3(tmp_path, app, endless(500), scenario)
