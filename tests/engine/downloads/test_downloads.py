"""Tests of the download queue of a running engine: simulator and file server over real HTTP, real files."""

import asyncio
import json
import subprocess
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.storage.journal.test_downloads import HOLDER
from tests.support import fixtures
from tests.support.file_servers import FileServer, serve_files
from tests.support.fixtures import RecordingListener, running_engine
from tests.support.fork_server import start_program
from tests.support.scripted_service import ScriptedService, done
from tests.support.servers import serve_app
from tests.support.virtual_time import EPOCH, HOUR, MINUTE, VirtualTransport, run_virtual, wall_time
from tests.support.waiting import DEADLINE, until
from tui.domain.models import Job, Phase, Ref
from tui.engine.api import Cancel, Download, DownloadProgress, DownloadStage, EngineEvent, NoticeKind
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.simulator.app import Simulator
from tui.simulator.rate_limits import LIMITS
from tui.storage.watchlist.operations import Set

FINE = Ref("heygen-v2", "a-fine")
LARGE = 3 * 1024 * 1024


@pytest.fixture(scope="module")
def service():
    with serve_app(Simulator(speed=5000.0, limits=dict.fromkeys(LIMITS, 10**9))) as url:
        yield url


class LinkService:
    """HeyGen v2 with jobs that are done, their links on a file server."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.requests: list[str] = []
        self.more: dict[str, object] = {}

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        job = scope["path"].rpartition("/")[2]
        self.requests.append(job)
        url = f"{self.base}/{job}/{len(self.requests)}.mp4"
        body = {"data": {"status": "success", "title": "Spring", "url": url, **self.more}}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})


def library(tmp: Path, service: str, *jobs: Job, readonly: bool = False):
    found = fixtures.make_workspace(tmp, service, jobs, config=f'[downloads]\ndir = "{tmp}/got"\n', rate=600_000)
    found.readonly = readonly
    return found


def job(name: str, account: str = "heygen-v2", **more: object) -> Job:
    return Job(account=account, id=name, **more)


@asynccontextmanager
async def running(found, listener: RecordingListener | None = None):
    engine = Engine(
        found, (listener or RecordingListener()).publish, EngineContext.create(run_blocking=asyncio.to_thread)
    )
    async with running_engine(engine):
        await engine.perform(fixtures.refresh(*engine.states))
        yield engine
    found.close()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def size(path: str) -> int:
    return Path(path).stat().st_size


async def finished(engine: Engine) -> None:
    """Poll until every job has ended."""
    async with asyncio.timeout(DEADLINE):
        while waiting := [ref for ref in engine.states if not engine.is_settled(ref)]:
            await poll_again(engine, *waiting)


async def poll_again(engine: Engine, *refs: Ref) -> None:
    """Request polls and wait until their responses are applied."""
    before = {ref: engine.states[ref].poll_count for ref in refs}
    await engine.perform(fixtures.refresh(*refs))
    await until(lambda: all(engine.states[ref].poll_count > count for ref, count in before.items()))


async def test_a_result_its_captions_and_text_become_files(tmp_path, service):
    jobs = (job("a-fine", label="Spring/launch"), job("b-fine", "camb", label="Strings"), job("doc_c-fine", "flixu"))
    listener = RecordingListener()
    async with running(library(tmp_path, service, *jobs), listener) as engine:
        await finished(engine)
        outcome = await engine.perform(Download(tuple(engine.states)))
        assert outcome.ok, outcome.message
        await until(lambda: sum(progress.stage is DownloadStage.SAVED for progress in listener.downloads) == 3)
        states = engine.states
        for state in states.values():
            assert state.downloads
            assert all(size(saved.path) == saved.size for saved in state.downloads)
        assert states[Ref("camb", "b-fine")].result is not None
        text = next(saved.path for saved in states[Ref("camb", "b-fine")].downloads)
        assert size(text) == len(f"{states[Ref('camb', 'b-fine')].result}\n".encode())
    found = names(tmp_path / "got")
    assert not [name for name in found if name.endswith(".part")]
    assert any(name.startswith("Spring-launch.") and name.endswith(".mp4") for name in found)
    assert any(name.startswith("Strings") and name.endswith(".txt") for name in found)
    assert {notice.kind for notice in listener.notices} >= {NoticeKind.DOWNLOADED}


async def test_existing_files_are_kept_and_deleted_ones_are_restored_on_request(tmp_path):
    origin = FileServer()
    with serve_files(origin) as base, serve_app(LinkService(base)) as service:
        listener = RecordingListener()
        async with running(library(tmp_path, service, job("a")), listener) as engine:
            ref = Ref("heygen-v2", "a")
            await finished(engine)

            async def download(**more: object) -> None:
                count = sum(progress.stage is DownloadStage.SAVED for progress in listener.downloads)
                await engine.perform(Download((ref,), **more))
                await until(
                    lambda: sum(progress.stage is DownloadStage.SAVED for progress in listener.downloads) > count
                )

            await download()
            await download()
            assert len(origin.requests) == 1
            (tmp_path / "got" / "Spring.mp4").unlink()
            await download()
            assert len(origin.requests) == 2
            await download(folder=str(tmp_path / "other"))
            assert names(tmp_path / "other") == ["Spring.mp4"]
    assert names(tmp_path / "got") == ["Spring.mp4"]


async def test_a_job_with_download_set_is_downloaded_once_by_one_console(tmp_path):
    origin = FileServer()
    with serve_files(origin) as base, serve_app(LinkService(base)) as service:
        first = library(tmp_path, service, job("a", download=True))
        second = fixtures.make_workspace(tmp_path, service)
        async with running(first) as one, running(second, RecordingListener()) as two:
            await until(lambda: one.states[Ref("heygen-v2", "a")].downloads)
            await until(lambda: two.states[Ref("heygen-v2", "a")].downloads)
        async with running(fixtures.make_workspace(tmp_path, service)) as later:
            assert later.states[Ref("heygen-v2", "a")].downloads
            (tmp_path / "got" / "Spring.mp4").unlink()
            for _ in range(3):
                await poll_again(later, Ref("heygen-v2", "a"))
    assert [request.path for request in origin.requests] == ["/a/1.mp4"]
    assert names(tmp_path / "got") == []


async def test_setting_download_on_a_done_job_downloads_it(tmp_path):
    with serve_files(FileServer()) as base, serve_app(LinkService(base)) as service:
        async with running(library(tmp_path, service, job("a"))) as engine:
            ref = Ref("heygen-v2", "a")
            await finished(engine)
            assert names(tmp_path / "got") == []
            await engine.perform(Set((ref,), {"download": True}))
            await until(lambda: engine.states[ref].downloads)
            [saved] = engine.states[ref].downloads
            assert size(saved.path) == saved.size > 0


async def test_a_download_is_resumed_by_the_next_engine(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000], stalls=True)
    with serve_files(origin) as base, serve_app(LinkService(base)) as service:
        listener = RecordingListener()
        async with running(library(tmp_path, service, job("a", download=True)), listener):
            await until(lambda: any(progress.received_bytes > 0 for progress in listener.downloads))
            await until(lambda: (tmp_path / "got" / "Spring.mp4.part").stat().st_size >= 1024 * 1024)
        had = (tmp_path / "got" / "Spring.mp4.part").stat().st_size
        async with running(
            fixtures.make_workspace(tmp_path, service, config=f'[downloads]\ndir = "{tmp_path}/got"\n')
        ) as engine:
            await until(lambda: engine.states[Ref("heygen-v2", "a")].downloads)
    assert (tmp_path / "got" / "Spring.mp4").read_bytes() == origin.content
    assert names(tmp_path / "got") == ["Spring.mp4"]
    assert origin.requests[-1].headers["range"] == f"bytes={had}-"


async def test_a_cancelled_download_leaves_no_file(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000], stalls=True)
    with serve_files(origin) as base, serve_app(LinkService(base)) as service:
        listener = RecordingListener()
        async with running(library(tmp_path, service, job("a")), listener) as engine:
            ref = Ref("heygen-v2", "a")
            await finished(engine)
            await engine.perform(Download((ref,)))
            await until(lambda: any(progress.received_bytes > 0 for progress in listener.downloads))
            outcome = await engine.perform(Cancel((ref,)))
            assert outcome.message == "1 download cancelled"
            assert names(tmp_path / "got") == []
            assert listener.downloads[-1].stage is DownloadStage.CANCELLED
            assert not (await engine.perform(Cancel((ref,)))).ok
            await engine.perform(Download((ref,)))
            await until(lambda: engine.states[ref].downloads)
    assert (tmp_path / "got" / "Spring.mp4").read_bytes() == origin.content


async def test_jobs_of_one_account_do_not_take_the_places_of_another(tmp_path):
    origin = FileServer(LARGE, cut_after=[100] * 3, stalls=True)
    with serve_files(origin) as base, serve_app(LinkService(base)) as service:
        jobs = (*(job(name) for name in "abcd"), job("other", "konpro"))
        async with running(library(tmp_path, service, *jobs)) as engine:
            await finished(engine)
            await engine.perform(Download(tuple(job.ref for job in jobs[:4])))
            await until(lambda: len(origin.requests) == 3)
            other = Ref("konpro", "other")
            await engine.perform(Download((other,)))
            await until(lambda: engine.states[other].downloads)
            assert len(origin.requests) == 4


async def test_at_most_three_jobs_of_an_account_are_downloaded_at_once(tmp_path):
    origin = FileServer(LARGE, cut_after=[100] * 5, stalls=True)
    with serve_files(origin) as base, serve_app(LinkService(base)) as service:
        listener = RecordingListener()
        async with running(library(tmp_path, service, *(job(name) for name in "abcde")), listener) as engine:
            await finished(engine)
            await engine.perform(Download(tuple(engine.states)))
            await until(lambda: len(origin.requests) == 3)
            for _ in range(3):
                await poll_again(engine, *engine.states)
            assert len(origin.requests) == 3
            await engine.perform(Cancel((next(iter(engine.states)),)))
            await until(lambda: len(origin.requests) == 4)


async def test_a_folder_below_an_unknown_home_is_named(tmp_path, service):
    listener, config = RecordingListener(), '[downloads]\ndir = "~nosuchuser/x"\n'
    workspace = fixtures.make_workspace(tmp_path, service, (job("a-fine", download=True),), config=config)
    async with running(workspace, listener) as engine:
        await finished(engine)
        assert "~nosuchuser/x: no such user" in (await engine.perform(Download((FINE,)))).message
        await until(lambda: any("~nosuchuser/x: no such user" in each for each in listener.last_problems))


async def test_readonly_downloads_nothing(tmp_path):
    with serve_files(FileServer()) as base, serve_app(LinkService(base)) as service:
        async with running(library(tmp_path, service, job("a", download=True), readonly=True)) as engine:
            await finished(engine)
            outcome = await engine.perform(Download((Ref("heygen-v2", "a"),)))
            assert not outcome.ok
            assert "Read-only" in outcome.message
            for _ in range(3):
                await poll_again(engine, Ref("heygen-v2", "a"))
    assert names(tmp_path / "got") == []


async def test_a_job_without_a_result_is_named(tmp_path, service):
    listener = RecordingListener()
    async with running(library(tmp_path, service, job("a-fail")), listener) as engine:
        await finished(engine)
        ref = Ref("heygen-v2", "a-fail")
        assert engine.states[ref].phase is Phase.FAILED
        outcome = await engine.perform(Download((ref,)))
        assert not outcome.ok
        assert "is failed: no result to download" in outcome.message
        outcome = await engine.perform(Download((Ref("heygen-v2", "x"),)))
        assert outcome.message == "heygen-v2:x is not on the watchlist"


@pytest.mark.parametrize("url", ["file:///etc/passwd", "javascript:alert(1)"])
async def test_a_link_with_another_scheme_is_ignored(tmp_path, url):
    with serve_files(FileServer()) as base:
        service_app = LinkService(base)
        service_app.more = {"url": url, "caption_url": f"{base}/a.ass"}
        with serve_app(service_app) as service:
            async with running(library(tmp_path, service, job("a"))) as engine:
                ref = Ref("heygen-v2", "a")
                await until(lambda: engine.states[ref].links)
                await engine.perform(Download((ref,)))
                await until(lambda: engine.states[ref].downloads)
                assert [saved.name for saved in engine.states[ref].downloads] == ["captions"]


async def test_a_dead_link_is_renewed_for_its_download(tmp_path):
    origin = FileServer(responses={"/a/1.mp4": (403, {})})
    with serve_files(origin) as base, serve_app(LinkService(base)) as service:
        async with running(library(tmp_path, service, job("a"))) as engine:
            ref = Ref("heygen-v2", "a")
            await finished(engine)
            await engine.perform(Download((ref,)))
            await until(lambda: engine.states[ref].downloads)
    assert [request.path for request in origin.requests] == ["/a/1.mp4", "/a/2.mp4"]


async def test_a_failed_download_is_reported_and_retried_on_request(tmp_path):
    origin = FileServer(responses={f"/a/{count}.mp4": (404, {}) for count in range(9)})
    with serve_files(origin) as base, serve_app(LinkService(base)) as service:
        listener = RecordingListener()
        async with running(library(tmp_path, service, job("a")), listener) as engine:
            ref = Ref("heygen-v2", "a")
            await finished(engine)
            await engine.perform(Download((ref,)))
            await until(lambda: listener.downloads and listener.downloads[-1].stage is DownloadStage.FAILED)
            assert "link does not work" in listener.downloads[-1].message
            assert listener.notices[-1].kind is NoticeKind.DOWNLOAD_FAILED
            origin.responses.clear()
            await engine.perform(Download((ref,)))
            await until(lambda: engine.states[ref].downloads)
    assert names(tmp_path / "got") == ["Spring.mp4"]


async def test_a_download_requested_the_moment_one_fails_begins(tmp_path):
    origin = FileServer(responses={f"/a/{count}.mp4": (404, {}) for count in range(9)})
    ref = Ref("heygen-v2", "a")

    class Impatient(RecordingListener):
        def publish(self, event: EngineEvent) -> None:
            super().publish(event)
            if isinstance(event, DownloadProgress) and event.stage is DownloadStage.FAILED and origin.responses:
                origin.responses.clear()
                self.again = asyncio.create_task(engine.perform(Download((ref,))))

    with serve_files(origin) as base, serve_app(LinkService(base)) as service:
        async with running(library(tmp_path, service, job("a")), Impatient()) as engine:
            await finished(engine)
            await engine.perform(Download((ref,)))
            await until(lambda: engine.states[ref].downloads)
    assert names(tmp_path / "got") == ["Spring.mp4"]


@contextmanager
def another(state: Path):
    """Another process that holds the lock of heygen-v2:a."""
    with start_program("-c", HOLDER, str(state), stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        yield
        holder.kill()


async def test_a_job_being_downloaded_by_another_process_is_refused(tmp_path):
    with another(tmp_path / "state"), serve_files(FileServer()) as base, serve_app(LinkService(base)) as service:
        listener = RecordingListener()
        async with running(library(tmp_path, service, job("a")), listener) as engine:
            await finished(engine)
            await engine.perform(Download((Ref("heygen-v2", "a"),)))
            await until(lambda: listener.downloads and listener.downloads[-1].stage is DownloadStage.FAILED)
            assert listener.downloads[-1].message == "being downloaded by another babeltop process"
            assert not (await engine.perform(Cancel((Ref("heygen-v2", "a"),)))).ok
    assert names(tmp_path / "got") == []


class ContentNetwork:
    """Content network in virtual time, down until an instant."""

    def __init__(self, up_at: float) -> None:
        self.up_at = up_at
        self.requests: list[float] = []

    async def __call__(self, _scope, _receive, send):
        self.requests.append(wall_time())
        up = wall_time() >= self.up_at
        headers = [(b"content-type", b"video/mp4"), (b"content-length", b"3" if up else b"0")]
        await send({"type": "http.response.start", "status": 200 if up else 503, "headers": headers})
        await send({"type": "http.response.body", "body": b"abc" if up else b""})


def test_a_failed_automatic_download_is_retried_and_reported_once(tmp_path):
    store = ContentNetwork(up_at=EPOCH + 5 * HOUR)
    apps = {"sim.test": ScriptedService(lambda _request: done("https://cdn.test/a.mp4")), "cdn.test": store}

    async def play():
        found = fixtures.make_workspace(
            tmp_path, "http://sim.test", (job("a", download=True),), config=f'[downloads]\ndir = "{tmp_path}/got"\n'
        )
        listener = RecordingListener()
        engine = Engine(
            found,
            listener.publish,
            EngineContext.create(wall=wall_time, random=Random(0), transport=lambda: VirtualTransport(apps)),
            tick_interval=10 * MINUTE,
        )
        async with running_engine(engine):
            await asyncio.sleep(4 * HOUR)
            assert not engine.states[Ref("heygen-v2", "a")].downloads
            assert [notice.kind for notice in listener.notices].count(NoticeKind.DOWNLOAD_FAILED) == 1
            tries = len(store.requests)
            await asyncio.sleep(3 * HOUR)
            assert engine.states[Ref("heygen-v2", "a")].downloads
        found.close()
        return tries

    tries = run_virtual(play())
    assert 20 < tries < 100, "retried, with pauses"
    assert names(tmp_path / "got") == ["a.mp4"]


class Store:
    """Store in virtual time, whose responses a function gives: status and body."""

    def __init__(self, respond: Callable[[str], tuple[int, bytes]]) -> None:
        self.respond = respond
        self.requests: list[tuple[float, str]] = []
        self.requested = asyncio.Event()

    async def __call__(self, scope, _receive, send):
        self.requests.append((wall_time(), scope["path"]))
        self.requested.set()
        status, body = self.respond(scope["path"])
        headers = [(b"content-type", b"video/mp4"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def run_engine(tmp_path, transport, jobs, scenario):
    """Run the scenario with an engine in virtual time."""

    async def play():
        config = f'[downloads]\ndir = "{tmp_path}/got"\n'
        found = fixtures.make_workspace(tmp_path, "http://sim.test", jobs, config=config)
        listener = RecordingListener()
        context = EngineContext.create(wall=wall_time, random=Random(0), transport=transport)
        engine = Engine(found, listener.publish, context, tick_interval=10 * MINUTE)
        async with running_engine(engine):
            await scenario(engine, listener)
        found.close()

    run_virtual(play())


@pytest.mark.parametrize("status", [202, 403, 404])
def test_a_link_that_is_not_ready_yet_is_fetched_within_two_minutes_and_never_counts_as_expired(tmp_path, status):
    service = ScriptedService(lambda _request: done("https://cdn.test/a.mp4"))
    store = Store(lambda _path: (200, b"abc") if wall_time() >= store.requests[0][0] + 12 else (status, b""))
    ref = Ref("heygen-v2", "a")

    async def scenario(engine, listener):
        await asyncio.wait_for(store.requested.wait(), MINUTE)
        assert [link.is_dead for link in engine.states[ref].links] == [False]
        await asyncio.sleep(110)
        assert [file.size for file in engine.states[ref].downloads] == [3]
        assert NoticeKind.DOWNLOAD_FAILED not in {notice.kind for notice in listener.notices}
        assert len(store.requests) <= 12

    apps = {"sim.test": service, "cdn.test": store}
    run_engine(tmp_path, lambda: VirtualTransport(apps), (job("a", download=True),), scenario)


def test_an_automatic_download_tries_expired_links_again_some_times_and_then_waits_for_another_link(tmp_path):
    links = ["https://cdn.test/a.mp4"]
    store = Store(lambda path: (200, b"abc") if path == "/b.mp4" else (410, b""))
    service = ScriptedService(lambda _request: done(links[0]))
    apps = {"sim.test": service, "cdn.test": store}
    ref = Ref("heygen-v2", "a")

    async def scenario(engine, listener):
        await asyncio.sleep(2 * HOUR)
        polls = len(service.requests)
        assert 4 <= polls <= 12
        assert engine.states[ref].links[0].is_dead
        await asyncio.sleep(10 * HOUR)
        assert len(service.requests) == polls
        assert len(store.requests) == 1
        assert [notice.kind for notice in listener.notices].count(NoticeKind.DOWNLOAD_FAILED) == 1
        links[0] = "https://cdn.test/b.mp4"
        await engine.perform(fixtures.refresh(ref))
        await asyncio.sleep(MINUTE)
        assert engine.states[ref].downloads

    run_engine(tmp_path, lambda: VirtualTransport(apps), (job("a", download=True),), scenario)


class Drip(httpx.AsyncByteStream):
    """Body of a byte every five seconds, without end."""

    async def __aiter__(self):
        while True:
            await asyncio.sleep(5.0)
            yield b"x"


class DrippingTransport(VirtualTransport):
    """Transport whose host drip.test sends files too slowly."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "drip.test":
            return httpx.Response(200, headers={"content-type": "video/mp4", "etag": '"a"'}, stream=Drip())
        return await super().handle_async_request(request)


def test_three_dripping_links_do_not_keep_the_other_jobs_of_their_account_from_downloading(tmp_path):
    hosts = {"a": "drip", "b": "drip", "c": "drip", "d": "cdn", "e": "cdn"}
    service = ScriptedService(lambda request: done(f"https://{hosts[request.id]}.test/{request.id}.mp4"))
    apps = {"sim.test": service, "cdn.test": Store(lambda _path: (200, b"abc"))}
    jobs = tuple(job(name) for name in hosts)

    async def scenario(engine, listener):
        await asyncio.sleep(MINUTE)
        await engine.perform(Download(tuple(each.ref for each in jobs)))
        await asyncio.sleep(10)
        assert not any(state.downloads for state in engine.states.values())
        await asyncio.sleep(2 * MINUTE)
        assert [ref.id for ref, state in engine.states.items() if state.downloads] == ["d", "e"]
        assert DownloadStage.FAILED not in {progress.stage for progress in listener.downloads}
        await engine.perform(Cancel(tuple(each.ref for each in jobs)))

    run_engine(tmp_path, lambda: DrippingTransport(apps), jobs, scenario)
