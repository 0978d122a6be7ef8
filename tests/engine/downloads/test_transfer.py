import asyncio
import gzip
import hashlib
import os
import subprocess
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.support.file_servers import FileServer, serve_files
from tests.support.waiting import wait_until
from tui.domain.models import Fault, FaultKind, Link, LinkKind
from tui.engine.downloads import http
from tui.engine.downloads.http import FetchContext, FetchError
from tui.engine.downloads.transfer import FileRequest, FileTransfer
from tui.providers.fields import HeaderName
from tui.providers.model import KeyHeader
from tui.storage import partial_file
from tui.storage.config.secrets import Secret
from tui.storage.journal.downloads import DownloadCheckpoint

KEY = "sk-0123456789abcdef"
LARGE = 3 * 1024 * 1024 + 17


class Errand:
    """One file fetched by hand: what was kept of it goes to the next try."""

    def __init__(self, folder: Path, base: str, **way: object) -> None:
        self.folder = folder
        self.way = FetchContext(
            base_url=base, key_header=KeyHeader(header=HeaderName("x-api-key")), key=Secret(KEY), **way
        )
        self.begun: DownloadCheckpoint | None = None
        self.told: list[tuple[str, int, int | None]] = []
        self.fresh: Link | Fault = Fault(FaultKind.OFFLINE, "cannot be reached")
        self.renewed: list[str] = []

    async def __call__(self, url: str, *, key: bool = False, kind: LinkKind = LinkKind.VIDEO) -> Path:
        async def fresh(dead: str) -> Link | Fault:
            self.renewed.append(dead)
            return self.fresh

        async with http.build_client(httpx.create_ssl_context, None) as client:
            fetching = FileTransfer(
                FileRequest(link=link(url, key=key, kind=kind), folder=self.folder, titles=("Spring",), job_id="id"),
                self.way,
                client,
                checkpoint=self.begun,
                save_checkpoint=self._keep,
                report_progress=lambda *told: self.told.append(told),
                renew_link=fresh,
                now=lambda: 0.0,
                run_blocking=asyncio.to_thread,
                random=Random(0),
                retry_pause=0.01,
            )
            path, size = await fetching.run()
        assert path.stat().st_size == size
        return path

    def _keep(self, begun: DownloadCheckpoint) -> None:
        self.begun = begun

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def link(url: str, *, key: bool = False, kind: LinkKind = LinkKind.VIDEO) -> Link:
    return Link(kind, url, 0.0, None, expiry_is_exact=False, needs_key=key)


async def test_a_file_is_fetched_whole_and_named(tmp_path):
    origin = FileServer(LARGE)
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content
    assert errand.names == ["Spring.mp4"]
    assert errand.told[-1] == ("Spring.mp4", LARGE, LARGE)


async def test_a_file_that_is_cut_off_goes_on_where_it_was(tmp_path):
    origin = FileServer(LARGE, cut_after=[1, 1024 * 1024 + 1, 0, 100])
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content
    starts = [asked.headers.get("range") for asked in origin.requests]
    assert starts == [None, "bytes=1-", "bytes=1048578-", "bytes=1048578-", "bytes=1048678-"]
    assert errand.names == ["Spring.mp4"]


async def test_what_was_fetched_before_is_not_fetched_again(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000] + [0] * 10)
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        with pytest.raises(FetchError) as broken:
            await errand(f"{base}/a.mp4")
        assert broken.value.transient
        assert errand.names == ["Spring.mp4.part"]
        origin.cut_after, origin.requests = [], []
        assert (await errand(f"{base}/renewed.mp4")).read_bytes() == origin.content
    assert [asked.headers.get("range") for asked in origin.requests] == ["bytes=2000000-"]
    assert errand.names == ["Spring.mp4"]


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_file_that_is_another_one_meanwhile_starts_anew(tmp_path, ranges):
    origin = FileServer(LARGE, cut_after=[2_000_000] + [0] * 10, ranges=ranges)
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        with pytest.raises(FetchError):
            await errand(f"{base}/a.mp4")
        origin.cut_after, origin.etag, origin.seed, origin.size = [], '"two"', 1, LARGE - 5
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content
    assert errand.names == ["Spring.mp4"]


async def test_a_server_that_heeds_no_if_range_does_not_mix_two_files(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000] + [0] * 10)
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        with pytest.raises(FetchError):
            await errand(f"{base}/a.mp4")
        origin.cut_after, origin.seed = [], 1
        origin.headers = {"etag": '"two"'}  # beside the one that If-Range is compared with
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content


async def test_without_a_validator_it_starts_anew_at_once_and_later(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000, 1_000_000] + [0] * 10, headers={"etag": 'W/"weak"'})
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        with pytest.raises(FetchError):
            await errand(f"{base}/a.mp4")
        assert {asked.headers.get("range") for asked in origin.requests} == {None}
        origin.cut_after, origin.requests = [], []
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content
    assert [asked.headers.get("range") for asked in origin.requests] == [None]


async def test_last_modified_is_good_enough_to_go_on(tmp_path):
    origin = FileServer(LARGE, etag="Sat, 21 Nov 2026 00:00:00 GMT", cut_after=[2_000_000])
    origin.headers = {"etag": "", "last-modified": origin.etag}
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content
    assert [asked.headers.get("range") for asked in origin.requests] == [None, "bytes=2000000-"]


async def test_all_bytes_are_there_before_a_kill_and_nothing_is_asked(tmp_path):
    origin = FileServer(LARGE)
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        path = await errand(f"{base}/a.mp4")
        part = path.rename(f"{path}.part")
        origin.requests.clear()
        assert await errand(f"{base}/a.mp4") == path
        os.link(path, part)
        assert await errand(f"{base}/a.mp4") == path
        assert await errand(f"{base}/a.mp4") == path
    assert origin.requests == []
    assert errand.names == ["Spring.mp4"]


async def test_damaged_bytes_are_no_file(tmp_path):
    origin = FileServer(LARGE, headers={"repr-digest": f"sha-256=:{b64encode(bytes(32)).decode()}:"})
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        with pytest.raises(FetchError, match="sha256"):
            await errand(f"{base}/a.mp4")
        assert errand.names == ["Spring.mp4.part"]
        origin.headers = {"content-md5": b64encode(hashlib.md5(origin.content).digest()).decode()}
        await errand(f"{base}/a.mp4")
    assert errand.names == ["Spring.mp4"]


async def test_the_key_goes_to_the_accounts_own_origin_and_nowhere_else(tmp_path):
    other, own = FileServer(), FileServer()
    with serve_files(other, "127.0.0.2") as there, serve_files(own) as base:
        own.responses = {"/a": (302, {"location": "/b"}), "/b": (307, {"location": f"{there}/c"})}
        other.responses = {"/c": (301, {"location": f"{base}/d"})}
        await Errand(tmp_path, base)(f"{base}/a", key=True)
    assert [(asked.path, asked.headers.get("x-api-key")) for asked in own.requests] == [
        ("/a", KEY),
        ("/b", KEY),
        ("/d", KEY),
    ]
    assert [asked.path for asked in other.requests] == ["/c"]
    assert KEY not in str(other.requests)


async def test_a_link_that_needs_no_key_gets_none(tmp_path):
    origin = FileServer()
    with serve_files(origin) as base:
        await Errand(tmp_path, base)(f"{base}/a")
    assert KEY not in str(origin.requests)


async def test_another_port_is_another_origin(tmp_path):
    origin = FileServer()
    with serve_files(origin) as base:
        await Errand(tmp_path, "http://127.0.0.1:9")(f"{base}/a", key=True)
    assert KEY not in str(origin.requests)


async def test_redirects_end(tmp_path):
    origin = FileServer(responses={"/a": (302, {"location": "/a"})})
    with serve_files(origin) as base, pytest.raises(FetchError, match="more than 5 times"):
        await Errand(tmp_path, base)(f"{base}/a")
    assert len(origin.requests) == 6


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("file:///etc/passwd", "begins with file:"),
        ("javascript:alert(1)", "begins with javascript:"),
        ("ftp://cdn.test/a", "begins with ftp:"),
        ("http://cdn.test/a", "insecure_http"),
        ("http://[::1/a", "no URL"),
    ],
)
async def test_what_may_not_be_fetched_is_refused_and_said(tmp_path, url, said):
    origin = FileServer(responses={"/away": (302, {"location": url})})
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        for start in (url, f"{base}/away"):
            with pytest.raises(FetchError, match=said):
                await errand(start)
    assert errand.names == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
async def test_a_dead_link_is_renewed_once(tmp_path, status):
    origin = FileServer(responses={"/dead": (status, {}), "/dead2": (status, {})})
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        errand.fresh = link(f"{base}/alive")
        await errand(f"{base}/dead")
        assert errand.renewed == [f"{base}/dead"]
        errand.begun, errand.fresh = None, link(f"{base}/dead2")
        with pytest.raises(FetchError, match="so does a fresh one"):
            await errand(f"{base}/dead")
        errand.fresh = Fault(FaultKind.OFFLINE, "cannot be reached")
        with pytest.raises(FetchError, match="cannot be reached"):
            await errand(f"{base}/dead")
    assert errand.names == ["Spring.mp4"]


async def test_a_link_that_dies_on_the_way_is_renewed_and_gone_on_with(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000])
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        errand.fresh = link(f"{base}/alive.mp4")
        origin.on_sent = lambda _count: origin.responses.update({"/a.mp4": (403, {})})
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content
    assert [(asked.path, asked.headers.get("range")) for asked in origin.requests] == [
        ("/a.mp4", None),
        ("/a.mp4", "bytes=2000000-"),
        ("/alive.mp4", "bytes=2000000-"),
    ]


async def test_a_link_that_dies_again_and_again_is_renewed_while_bytes_come(tmp_path):
    origin = FileServer(LARGE, cut_after=[1_100_000, 1_100_000])
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        errand.fresh = link(f"{base}/second.mp4")

        def dies(_count: int) -> None:
            """Whatever is asked for next is dead by then, but for the link that nobody had yet."""
            origin.responses[origin.requests[-1].path] = (403, {})
            if origin.requests[-1].path == "/second.mp4":
                errand.fresh = link(f"{base}/third.mp4")

        origin.on_sent = dies
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content
    assert [url.rpartition("/")[2] for url in errand.renewed] == ["a.mp4", "second.mp4"]


async def test_silence_is_cut_off_and_slow_bytes_are_not(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000, 100], stalls=True)
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base, stall_timeout=0.5)
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content


async def test_a_web_page_is_no_video(tmp_path):
    with serve_files(FileServer(headers={"content-type": "text/html; charset=utf-8"})) as base:
        errand = Errand(tmp_path, base)
        with pytest.raises(FetchError, match="a web page came instead of the video"):
            await errand(f"{base}/a.mp4")
        await errand(f"{base}/a.html", kind=LinkKind.DOCUMENT)
    assert errand.names == ["Spring.html"]


async def test_no_message_shows_a_signature(tmp_path):
    origin = FileServer(responses={"/a?Signature=s3cret": (500, {}), "/b?Signature=s3cret": (418, {})})
    with serve_files(origin) as base:
        errand = Errand(tmp_path, base)
        for path in ("a", "b"):
            with pytest.raises(FetchError) as failed:
                await errand(f"{base}/{path}?Signature=s3cret")
            assert "s3cret" not in str(failed.value)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_a_disk_without_room_is_said_before_anything_is_fetched(tmp_path):
    origin = FileServer(LARGE)
    with small_disk(tmp_path / "disk", 1024 * 1024), serve_files(origin) as base:
        errand = Errand(tmp_path / "disk", base)
        with pytest.raises(FetchError, match="1\\.0 MB left, and 3\\.1 MB are yet to come"):
            await errand(f"{base}/a.mp4")
        assert (tmp_path / "disk" / "Spring.mp4.part").stat().st_size == 0


async def test_a_disk_that_fills_up_keeps_what_is_there(tmp_path):
    origin = FileServer(LARGE)
    with small_disk(tmp_path / "disk", LARGE + 4096), serve_files(origin) as base:
        errand = Errand(tmp_path / "disk", base)
        hog, part = tmp_path / "disk" / "hog", tmp_path / "disk" / "Spring.mp4.part"
        counted = iter(range(LARGE))

        def hogged(_count: int) -> None:
            """Half of it was sent: somebody else takes the rest of the disk, once some of it was written."""
            if next(counted) == 24:
                wait_until(lambda: part.exists() and part.stat().st_size)
                hog.write_bytes(bytes(2 * 1024 * 1024))

        origin.on_sent = hogged
        with pytest.raises(FetchError, match="Make room, then download it again") as full:
            await errand(f"{base}/a.mp4")
        assert full.value.transient
        had = part.stat().st_size
        assert 0 < had < LARGE
        origin.on_sent = lambda _count: None
        hog.unlink()
        assert (await errand(f"{base}/a.mp4")).read_bytes() == origin.content
        assert errand.names == ["Spring.mp4"]
    assert origin.requests[1].headers["range"] == f"bytes={had}-"


async def test_a_folder_without_permission_is_said(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    tmp_path.chmod(0o755)
    with serve_files(FileServer()) as base:
        errand = Errand(tmp_path / "closed", base)
        os.seteuid(65534)
        try:
            with pytest.raises(FetchError, match="closed cannot be written: Permission denied"):
                await errand(f"{base}/a.mp4")
        finally:
            os.seteuid(0)
    assert not (tmp_path / "closed").exists()


class Encoded(FileServer):
    """A store that sends what it holds encoded, whatever was asked for."""

    def __init__(self, content: bytes) -> None:
        super().__init__(len(content), headers={"content-encoding": "gzip"})
        self._content = content

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        yield self._content[start:]


async def test_a_file_that_comes_encoded_is_saved_as_it_is_and_starts_anew_where_it_was_cut(tmp_path):
    captions = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHola\n\n" * 100_000
    origin = Encoded(gzip.compress(captions))
    origin.cut_after = [5000]
    with serve_files(origin) as base:
        path = await Errand(tmp_path, base)(f"{base}/a.vtt", kind=LinkKind.CAPTIONS)
    assert path.read_bytes() == captions
    assert [asked.headers.get("range") for asked in origin.requests] == [None, None]


@pytest.mark.parametrize("content", [b"no gzip at all", gzip.compress(b"x" * 1000, mtime=0)[:-20]], ids=["none", "cut"])
async def test_a_damaged_encoding_is_no_file(tmp_path, content):
    with serve_files(Encoded(content)) as base:
        errand = Errand(tmp_path, base)
        with pytest.raises(FetchError):
            await errand(f"{base}/a.vtt")
    assert [name for name in errand.names if not name.endswith(".part")] == []


async def test_a_bomb_leaves_the_disk_as_much_as_it_needs(tmp_path):
    bomb = gzip.compress(bytes(100 * 1024 * 1024))
    with small_disk(tmp_path / "disk", 96 * 1024 * 1024), serve_files(Encoded(bomb)) as base:
        errand = Errand(tmp_path / "disk", base)
        with pytest.raises(FetchError, match="Make room"):
            await errand(f"{base}/a.vtt")
        assert partial_file.free_bytes(tmp_path / "disk") > 60 * 1024 * 1024
