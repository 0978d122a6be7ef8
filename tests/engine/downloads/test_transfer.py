"""Tests of the file transfer over real HTTP, with real files."""

import asyncio
import gzip
import hashlib
import os
import socket
import subprocess
import zlib
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import httpx
import pytest
from msgspec.structs import replace

from tests.support.file_servers import FileServer, serve_files
from tests.support.waiting import wait_until
from tui.domain.models import Fault, FaultKind, Link, LinkKind
from tui.engine.downloads import http
from tui.engine.downloads.body import YieldedError
from tui.engine.downloads.destination import FileRequest
from tui.engine.downloads.http import FetchContext, FetchError, LinkFailedError, NotReadyError
from tui.engine.downloads.transfer import MAX_TRIES, FileTransfer
from tui.engine.http.decompression import INFLATION_FLOOR
from tui.engine.http.dns_loop import DnsThreadedLoop
from tui.providers.fields import HeaderName
from tui.providers.json_pointer import Pointer
from tui.providers.model import KeyHeader
from tui.providers.status_rules import Condition, HttpStatuses, Scalar
from tui.storage import partial_file
from tui.storage.config.secrets import Secret
from tui.storage.journal.checkpoints import DownloadCheckpoint

KEY = "sk-0123456789abcdef"
LARGE = 3 * 1024 * 1024 + 17


class TransferRun:
    """Transfer of one file, whose checkpoint goes to the next try."""

    def __init__(self, folder: Path, base: str, **settings: object) -> None:
        self.folder = folder
        self.context = FetchContext(
            base_url=base,
            key_header=KeyHeader(header=HeaderName("x-api-key")),
            key=Secret(KEY),
            **{"max_size": 10**12} | settings,
        )
        self.checkpoint: DownloadCheckpoint | None = None
        self.progress: list[tuple[str, int, int | None]] = []
        self.next_link: Link | Fault = Fault(FaultKind.OFFLINE, "cannot be reached")
        self.renewed: list[str] = []
        self.used: list[str] = []
        self.expired: list[str] = []
        """Rejected links that count as expired."""
        self.must_yield = False
        self.pending_until = 0.0
        self.one_time = False
        self.used_conditions: tuple[Condition, ...] = ()

    async def __call__(
        self, url: str, *, key: bool = False, kind: LinkKind = LinkKind.VIDEO, title: str = "Spring"
    ) -> Path:
        async def renew(dead_url: str, has_expired: bool) -> Link | Fault:
            self.renewed.append(dead_url)
            self.expired += [dead_url] * has_expired
            return self.next_link

        async with http.build_client(httpx.create_ssl_context, None) as client:
            transfer = FileTransfer(
                FileRequest(
                    link=replace(link(url, key=key, kind=kind), one_time=self.one_time),
                    folder=self.folder,
                    titles=(title,),
                    job_id="id",
                    pending_until=self.pending_until,
                    used_conditions=self.used_conditions,
                ),
                self.context,
                client,
                checkpoint=self.checkpoint,
                save_checkpoint=self._save_checkpoint,
                report_progress=lambda *progress: self.progress.append(progress),
                renew_link=renew,
                on_used=self.used.append,
                must_yield=lambda: self.must_yield,
                now=lambda: 0.0,
                run_blocking=asyncio.to_thread,
                random=Random(0),
                retry_pause=0.01,
            )
            path, size = await transfer.run()
        assert path.stat().st_size == size
        return path

    def _save_checkpoint(self, checkpoint: DownloadCheckpoint) -> None:
        self.checkpoint = checkpoint

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir())


def link(url: str, *, key: bool = False, kind: LinkKind = LinkKind.VIDEO) -> Link:
    return Link(kind, url, 0.0, None, expiry_is_exact=False, needs_key=key)


async def test_a_file_is_downloaded_and_named(tmp_path):
    origin = FileServer(LARGE)
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
    assert download.names == ["Spring.mp4"]
    assert download.progress[-1] == ("Spring.mp4", LARGE, LARGE)


async def test_a_lost_connection_is_resumed_where_it_stopped(tmp_path):
    origin = FileServer(LARGE, cut_after=[2000, 1024 * 1024 + 1, 0, 100])
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
    starts = [request.headers.get("range") for request in origin.requests]
    assert starts == [None, "bytes=2000-", "bytes=1050577-", "bytes=1050577-", "bytes=1050677-"]
    assert download.names == ["Spring.mp4"]


async def test_bytes_of_an_earlier_run_are_not_requested_again(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000] + [0] * 10)
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        with pytest.raises(FetchError) as broken:
            await download(f"{base}/a.mp4")
        assert broken.value.transient
        assert download.names == ["Spring.mp4.part"]
        origin.cut_after, origin.requests = [], []
        assert (await download(f"{base}/renewed.mp4")).read_bytes() == origin.content
    assert [request.headers.get("range") for request in origin.requests] == ["bytes=2000000-"]
    assert download.names == ["Spring.mp4"]


@pytest.mark.parametrize("ranges", [True, False])
async def test_a_changed_file_is_downloaded_from_the_start(tmp_path, ranges):
    origin = FileServer(LARGE, cut_after=[2_000_000] + [0] * 10, ranges=ranges)
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        with pytest.raises(FetchError):
            await download(f"{base}/a.mp4")
        origin.cut_after, origin.etag, origin.seed, origin.size = [], '"two"', 1, LARGE - 5
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
    assert download.names == ["Spring.mp4"]


async def test_a_server_that_ignores_if_range_does_not_mix_two_files(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000] + [0] * 10)
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        with pytest.raises(FetchError):
            await download(f"{base}/a.mp4")
        origin.cut_after, origin.seed = [], 1
        origin.headers = {"etag": '"two"'}  # the server compares If-Range with the other one
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content


async def test_without_a_validator_a_download_starts_over(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000, 1_000_000] + [0] * 10, headers={"etag": 'W/"weak"'})
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        with pytest.raises(FetchError):
            await download(f"{base}/a.mp4")
        assert {request.headers.get("range") for request in origin.requests} == {None}
        origin.cut_after, origin.requests = [], []
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
    assert [request.headers.get("range") for request in origin.requests] == [None]


async def test_last_modified_is_a_validator(tmp_path):
    origin = FileServer(LARGE, etag="Sat, 21 Nov 2026 00:00:00 GMT", cut_after=[2_000_000])
    origin.headers = {"etag": "", "last-modified": origin.etag}
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
    assert [request.headers.get("range") for request in origin.requests] == [None, "bytes=2000000-"]


async def test_a_complete_partial_file_is_renamed_without_a_request(tmp_path):
    origin = FileServer(LARGE)
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        path = await download(f"{base}/a.mp4")
        part = path.rename(f"{path}.part")
        origin.requests.clear()
        assert await download(f"{base}/a.mp4") == path
        os.link(path, part)
        assert await download(f"{base}/a.mp4") == path
        assert await download(f"{base}/a.mp4") == path
    assert origin.requests == []
    assert download.names == ["Spring.mp4"]


async def test_a_digest_mismatch_is_rejected(tmp_path):
    origin = FileServer(LARGE, headers={"repr-digest": f"sha-256=:{b64encode(bytes(32)).decode()}:"})
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        with pytest.raises(FetchError, match="sha256"):
            await download(f"{base}/a.mp4")
        assert download.names == ["Spring.mp4.part"]
        origin.headers = {"content-md5": b64encode(hashlib.md5(origin.content).digest()).decode()}
        await download(f"{base}/a.mp4")
    assert download.names == ["Spring.mp4"]


@pytest.fixture
def cdn_name(monkeypatch) -> str:
    """Name of this machine that does not look like it."""
    getaddrinfo = socket.getaddrinfo

    def resolve(host, *args, **options):
        return getaddrinfo("127.0.0.2" if host in {"cdn.test", b"cdn.test"} else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return "cdn.test"


async def test_the_key_goes_to_the_accounts_origin_only(tmp_path, cdn_name):
    other, own = FileServer(), FileServer()
    with serve_files(other, "127.0.0.2") as there, serve_files(own) as base:
        there = there.replace("127.0.0.2", cdn_name)
        own.responses = {"/a": (302, {"location": "/b"}), "/b": (307, {"location": f"{there}/c"})}
        other.responses = {"/c": (301, {"location": f"{base}/d"})}
        download = TransferRun(tmp_path, base)
        download.context = replace(download.context, insecure_http=True)
        await download(f"{base}/a", key=True)
    assert [(request.path, request.headers.get("x-api-key")) for request in own.requests] == [
        ("/a", KEY),
        ("/b", KEY),
        ("/d", KEY),
    ]
    assert [request.path for request in other.requests] == ["/c"]
    assert KEY not in str(other.requests)


async def test_a_link_without_needs_key_gets_no_key(tmp_path):
    origin = FileServer()
    with serve_files(origin) as base:
        await TransferRun(tmp_path, base)(f"{base}/a")
    assert KEY not in str(origin.requests)


async def test_another_port_is_another_origin(tmp_path):
    origin = FileServer()
    with serve_files(origin) as base:
        await TransferRun(tmp_path, "http://127.0.0.1:9")(f"{base}/a", key=True)
    assert KEY not in str(origin.requests)


async def test_redirects_are_limited(tmp_path):
    origin = FileServer(responses={"/a": (302, {"location": "/a"})})
    with serve_files(origin) as base, pytest.raises(FetchError, match="more than 5 times"):
        await TransferRun(tmp_path, base)(f"{base}/a")
    assert len(origin.requests) == 6


async def test_a_redirect_to_another_port_or_a_private_address_is_rejected(tmp_path):
    other, own = FileServer(), FileServer()
    with serve_files(other) as there, serve_files(own) as base:
        port = there.rpartition(":")[2]
        for target in (
            there,
            f"http://localhost:{port}",
            f"http://127.1:{port}",
            "http://169.254.169.254",
            "http://[::]",
        ):
            own.responses = {"/a": (302, {"location": f"{target}/b"})}
            with pytest.raises(
                FetchError, match=r"redirect rejected: .* is an address of this machine or of a private"
            ):
                await TransferRun(tmp_path, base)(f"{base}/a")
        for account in ("https://api.example.com", "https://1.1.1.1"):
            with pytest.raises(FetchError, match=r"link rejected: .* is an address of this machine or of a private"):
                await TransferRun(tmp_path, account)(f"{there}/b")
    assert other.requests == []


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.7.6", "169.254.169.254", "0.0.0.0"])
def test_a_redirect_to_a_name_of_this_machine_is_rejected_before_a_request(tmp_path, monkeypatch, address):
    other, own = FileServer(), FileServer()
    resolve = socket.getaddrinfo

    def resolve_to_address(host, *args, **options):
        return resolve(address if host == b"cdn.test" else host, *args, **options)

    async def download() -> None:
        with serve_files(other) as there, serve_files(own) as base:
            own.responses = {"/a": (302, {"location": f"http://cdn.test:{there.rpartition(':')[2]}/b"})}
            with pytest.raises(FetchError, match=r"redirect rejected: cdn\.test is an address of this machine"):
                await TransferRun(tmp_path, base, insecure_http=True)(f"{base}/a")

    monkeypatch.setattr(socket, "getaddrinfo", resolve_to_address)
    with asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
        runner.run(download())
    assert (len(own.requests), other.requests) == (1, [])


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("file:///etc/passwd", "file: is not supported"),
        ("javascript:alert(1)", "javascript: is not supported"),
        ("ftp://cdn.test/a", "ftp: is not supported"),
        ("http://cdn.test/a", "insecure_http"),
        ("http://[::1/a", "not a valid URL"),
    ],
)
async def test_a_forbidden_url_is_rejected_with_the_reason(tmp_path, url, message):
    origin = FileServer(responses={"/away": (302, {"location": url})})
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        for start in (url, f"{base}/away"):
            with pytest.raises(FetchError, match=message):
                await download(start)
    assert download.names == []


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416, 419, 451, 498])
async def test_a_link_that_its_store_rejects_with_any_4xx_is_renewed_once(tmp_path, status):
    origin = FileServer(responses={"/dead": (status, {}), "/dead2": (status, {})})
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        download.next_link = link(f"{base}/alive")
        await download(f"{base}/dead")
        assert download.expired == [f"{base}/dead"]
        download.checkpoint, download.next_link = None, link(f"{base}/dead2")
        with pytest.raises(LinkFailedError, match=f"HTTP {status}.*nor does the renewed one"):
            await download(f"{base}/dead")
        download.next_link = link(f"{base}/dead")
        with pytest.raises(LinkFailedError, match="the same link again"):
            await download(f"{base}/dead")
        download.next_link = Fault(FaultKind.OFFLINE, "cannot be reached")
        with pytest.raises(FetchError, match="cannot be reached"):
            await download(f"{base}/dead")
    assert download.names == ["Spring.mp4"]


@pytest.mark.parametrize(
    ("status", "key", "message"),
    [
        (429, False, "returned HTTP 429"),
        (407, False, "check HTTPS_PROXY"),
        (401, True, "rejected the API key"),
        (204, False, "returned HTTP 204, not a file"),
    ],
)
async def test_a_rate_limit_or_a_login_does_not_mean_that_the_link_has_expired(tmp_path, status, key, message):
    with serve_files(FileServer(responses={"/a": (status, {"retry-after": "999"})})) as base:
        download = TransferRun(tmp_path, base)
        with pytest.raises(FetchError, match=message):
            await download(f"{base}/a", key=key)
    assert download.renewed == []


@pytest.mark.parametrize(("status", "renewals"), [(202, 1), (403, 1), (404, 1)])
async def test_a_link_that_is_not_ready_just_after_its_job_has_not_expired(tmp_path, status, renewals):
    origin = FileServer(responses={"/a": (status, {}), "/b": (status, {})})
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        download.pending_until = 1.0
        for next_link in (link(f"{base}/a"), link(f"{base}/b"), Fault(FaultKind.OFFLINE, "cannot be reached")):
            download.next_link = next_link
            with pytest.raises(NotReadyError, match=f"does not work yet \\(HTTP {status}\\)") as failed:
                await download(f"{base}/a")
            assert failed.value.transient
        assert download.expired == []
        assert len(download.renewed) == 3 * renewals
        origin.responses.clear()
        assert (await download(f"{base}/a")).read_bytes() == origin.content


async def test_a_202_is_never_a_file(tmp_path):
    with serve_files(FileServer(responses={"/a": (202, {"content-type": "video/mp4"})})) as base:
        download = TransferRun(tmp_path, base)
        with pytest.raises(FetchError, match="HTTP 202"):
            await download(f"{base}/a")
    assert download.names == []


@pytest.mark.parametrize("status", [206, 400, 403, 412, 416, 501])
async def test_a_store_that_refuses_ranges_sends_the_file_from_its_start_once(tmp_path, status):
    origin = FileServer(LARGE, cut_after=[2_000_000])
    origin.range_status = status
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
    assert [request.headers.get("range") for request in origin.requests] == [None, "bytes=2000000-", None]
    assert download.renewed == []


async def test_a_link_that_expires_during_the_download_is_renewed_and_resumed(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000])
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        download.next_link = link(f"{base}/alive.mp4")
        origin.on_sent = lambda _count: origin.responses.update({"/a.mp4": (403, {})})
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
    assert [(request.path, request.headers.get("range")) for request in origin.requests] == [
        ("/a.mp4", None),
        ("/a.mp4", "bytes=2000000-"),
        ("/a.mp4", None),
        ("/alive.mp4", "bytes=2000000-"),
    ]


async def test_a_link_that_keeps_expiring_is_renewed_as_long_as_bytes_arrive(tmp_path):
    origin = FileServer(LARGE, cut_after=[1_100_000, 1_100_000])
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        download.next_link = link(f"{base}/second.mp4")

        def expire(_count: int) -> None:
            """Expire the link in use; a third link becomes available."""
            origin.responses[origin.requests[-1].path] = (403, {})
            if origin.requests[-1].path == "/second.mp4":
                download.next_link = link(f"{base}/third.mp4")

        origin.on_sent = expire
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
    assert [url.rpartition("/")[2] for url in download.renewed] == ["a.mp4", "second.mp4"]


async def test_a_silent_connection_is_closed_and_a_slow_one_is_not(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000, 100], stalls=True)
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base, stall_timeout=0.5)
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content


ERROR = b'{"error":"link expired","at":"https://cdn.test/a?Signature=s3cret","key":"%s"}' % KEY.encode()
XML = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code><Message>The token is old</Message></Error>'
)
PAGE = b"\n<!DOCTYPE html><html><head><style>a{}</style><title>Sign in</title></head><body><p>Welcome</p></body></html>"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize(
    ("kind", "path", "media_type", "body", "message"),
    [
        ("video", "a.mp4", "application/json", ERROR, r'returned JSON, not the video: {"error":"link expired"'),
        ("video", "a.mp4", "video/mp4", ERROR, r'returned JSON, not the video: {"error":"link expired"'),
        ("video", "a.mp4", "application/xml", XML, "returned XML, not the video: ExpiredToken The token is old"),
        ("audio", "a", "application/octet-stream", b"\xef\xbb\xbf" + XML, "returned XML, not the audio: ExpiredToken"),
        ("audio", "a", "text/html; charset=utf-8", b"Sorry", "returned a web page, not the audio: Sorry"),
        ("video", "a.mp4", "text/plain", b"Link expired\r\n", "returned text, not the video: Link expired"),
        ("captions", "a.srt", "text/plain", PAGE, "returned a web page, not the captions: Sign in Welcome"),
        ("captions", "a.vtt", "text/vtt", ERROR, "returned JSON, not the captions"),
        ("document", "a.docx", "text/html", PAGE, "returned a web page, not the document: Sign in Welcome"),
        ("document", "a.docx", DOCX, ERROR, "returned JSON, not the document"),
        ("document", "a", "application/json", ERROR, "returned JSON, not the document"),
        ("document", "a", "application/xml", XML, "returned XML, not the document"),
        ("document", "a.json", "application/xml", XML, "returned XML, not the document"),
        ("document", "a", "text/html", PAGE, "returned a web page, not the document"),
        ("document", "a.txt", "text/html", PAGE, "returned a web page, not the document"),
    ],
)
async def test_an_error_in_place_of_the_file_is_quoted_and_the_link_renewed_once(
    tmp_path, kind, path, media_type, body, message
):
    origin = EncodedServer(body, "identity")
    origin.headers["content-type"] = media_type
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        download.next_link = link(f"{base}/again/{path}")
        with pytest.raises(LinkFailedError) as failed:
            await download(f"{base}/{path}", kind=LinkKind(kind))
    assert message in str(failed.value)
    assert len(str(failed.value)) < 200
    assert not {"s3cret", KEY} & set(str(failed.value).split('"'))
    assert download.expired == [f"{base}/{path}"]
    assert [request.path for request in origin.requests] == [f"/{path}", f"/again/{path}"]
    assert download.names == []


@pytest.mark.parametrize(
    ("kind", "path", "media_type", "body", "title"),
    [
        ("video", "a.mp4", "text/html", b"\0\0\0\x18ftypmp42 and more", "Spring"),
        ("video", "a.m3u8", "text/plain", b"#EXTM3U\n#EXTINF:4,\n1.ts\n", "Spring"),
        ("captions", "a.srt", "text/html", b"1\n00:00:01,000 --> 00:00:02,000\nHola\n", "Spring"),
        ("captions", "a.ass", "text/plain", b"[Script Info]\nScriptType: v4.00+\n", "Spring"),
        ("captions", "a.ttml", "application/ttml+xml", b'<?xml version="1.0"?><tt xmlns="x"/>', "Spring"),
        ("captions", "a.json", "application/json", b'[{"start":0,"text":"Hola"}]', "Spring"),
        ("document", "a.docx", "text/html", b"PK\x03\x04 and more", "Spring"),
        ("document", "a.html", "text/html", PAGE, "Spring"),
        ("document", "a", "text/html", PAGE, "index.html"),
        ("document", "a.json", "application/json", b'{"error":"Fehler"}', "Spring"),
        ("document", "a", "application/json", b'{"title":"Hola"}', "Spring"),
        ("document", "a.xlf", "text/xml", b'<?xml version="1.0"?><xliff version="1.2"/>', "Spring"),
        ("document", "a.md", "text/plain", b"<b>Hola</b>", "Spring"),
    ],
)
async def test_a_file_of_the_promised_kind_is_saved_whatever_its_media_type(
    tmp_path, kind, path, media_type, body, title
):
    origin = EncodedServer(body, "identity")
    origin.headers["content-type"] = media_type
    with serve_files(origin) as base:
        saved = await TransferRun(tmp_path, base)(f"{base}/{path}", kind=LinkKind(kind), title=title)
    assert saved.read_bytes() == body


async def test_a_file_larger_than_the_setting_is_refused_and_nothing_is_kept(tmp_path):
    stated, unstated = FileServer(LARGE), FileServer(LARGE, headers={"content-length": ""})
    for origin in (stated, unstated):
        with serve_files(origin) as base:
            download = TransferRun(tmp_path, base, max_size=2_000_000)
            with pytest.raises(FetchError, match=r"larger than 2\.0 MB: raise max_size under \[downloads\]") as failed:
                await download(f"{base}/a.mp4")
            assert not failed.value.transient
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == 0


async def test_a_slow_transfer_yields_to_others_that_wait_and_is_resumed(tmp_path):
    origin = FileServer(LARGE, cut_after=[2_000_000], drips=True)
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base, rate_window=0.05)
        download.must_yield = True
        with pytest.raises(YieldedError):
            await download(f"{base}/a.mp4")
        assert download.names == ["Spring.mp4.part"]
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
    assert int(origin.requests[1].headers["range"].strip("bytes=-")) >= 2_000_000


async def test_a_slow_transfer_goes_on_while_no_other_waits(tmp_path):
    origin = FileServer(2100, cut_after=[2000], drips=True)
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base, rate_window=0.05)
        assert (await download(f"{base}/a.mp4")).read_bytes()[:2000] == origin.content[:2000]


async def test_no_message_shows_a_signature(tmp_path):
    origin = FileServer(responses={"/a?Signature=s3cret": (500, {}), "/b?Signature=s3cret": (418, {})})
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        for path in ("a", "b"):
            with pytest.raises(FetchError) as failed:
                await download(f"{base}/{path}?Signature=s3cret")
            assert "s3cret" not in str(failed.value)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_a_full_disk_is_reported_before_the_download(tmp_path):
    origin = FileServer(LARGE)
    with small_disk(tmp_path / "disk", 1024 * 1024), serve_files(origin) as base:
        download = TransferRun(tmp_path / "disk", base)
        with pytest.raises(FetchError, match="1\\.0 MB free, 3\\.1 MB needed"):
            await download(f"{base}/a.mp4")
        assert (tmp_path / "disk" / "Spring.mp4.part").stat().st_size == 0


async def test_a_disk_that_fills_up_keeps_the_partial_file(tmp_path):
    origin = FileServer(LARGE)
    with small_disk(tmp_path / "disk", LARGE + 4096), serve_files(origin) as base:
        download = TransferRun(tmp_path / "disk", base)
        hog, part = tmp_path / "disk" / "hog", tmp_path / "disk" / "Spring.mp4.part"
        counted = iter(range(LARGE))

        def fill_disk(_count: int) -> None:
            """Fill the disk after half of the file was sent and some of it was written."""
            if next(counted) == 24:
                wait_until(lambda: part.exists() and part.stat().st_size)
                hog.write_bytes(bytes(2 * 1024 * 1024))

        origin.on_sent = fill_disk
        with pytest.raises(FetchError, match="Free some space, then download again") as full:
            await download(f"{base}/a.mp4")
        assert full.value.transient
        had = part.stat().st_size
        assert 0 < had < LARGE
        origin.on_sent = lambda _count: None
        hog.unlink()
        assert (await download(f"{base}/a.mp4")).read_bytes() == origin.content
        assert download.names == ["Spring.mp4"]
    assert origin.requests[1].headers["range"] == f"bytes={had}-"


async def test_a_folder_without_permission_is_reported(tmp_path, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")  # that user cannot read it
    if os.geteuid() != 0:
        pytest.skip("only root can switch users")
    tmp_path.chmod(0o755)
    with serve_files(FileServer()) as base:
        download = TransferRun(tmp_path / "closed", base)
        os.seteuid(65534)
        try:
            with pytest.raises(FetchError, match=r"cannot write to .*closed: Permission denied"):
                await download(f"{base}/a.mp4")
        finally:
            os.seteuid(0)
    assert not (tmp_path / "closed").exists()


class EncodedServer(FileServer):
    """File server that sends its content encoded, whatever was requested."""

    def __init__(self, content: bytes, coding: str = "gzip") -> None:
        super().__init__(len(content), headers={"content-encoding": coding})
        self._content = content

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        yield self._content[start:]


CAPTIONS = b"WEBVTT\n\n00:01.000 --> 00:02.000\nHola\n\n" * 20_000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", gzip.compress(CAPTIONS)),
        ("gzip", gzip.compress(CAPTIONS[:1000]) + gzip.compress(CAPTIONS[1000:])),
        ("utf-8", CAPTIONS),
        ("aws-chunked,gzip", gzip.compress(CAPTIONS)),
        ("deflate", zlib.compress(CAPTIONS)),
        ("deflate", raw_deflate(CAPTIONS)),
        ("deflate, gzip", gzip.compress(raw_deflate(CAPTIONS))),
    ],
    ids=["gzip", "two members", "no-op", "list", "zlib", "raw deflate", "chain"],
)
async def test_a_file_is_saved_whole_in_every_encoding_that_stores_send(tmp_path, coding, content):
    with serve_files(EncodedServer(content, coding)) as base:
        path = await TransferRun(tmp_path, base)(f"{base}/a.vtt", kind=LinkKind.CAPTIONS)
    assert path.read_bytes() == CAPTIONS


async def test_a_compressed_response_is_never_resumed(tmp_path):
    origin = EncodedServer(gzip.compress(CAPTIONS))
    origin.cut_after = [500]
    with serve_files(origin) as base:
        path = await TransferRun(tmp_path, base)(f"{base}/a.vtt", kind=LinkKind.CAPTIONS)
    assert path.read_bytes() == CAPTIONS
    assert [request.headers.get("range") for request in origin.requests] == [None, None]


async def test_a_file_that_its_store_decompressed_is_not_compared_with_the_stored_digest(tmp_path):
    origin = FileServer()
    origin.headers = {
        "x-goog-stored-content-encoding": "gzip",
        "x-goog-hash": f"md5={b64encode(bytes(16)).decode()}",
        "content-length": "",
    }
    with serve_files(origin) as base:
        assert (await TransferRun(tmp_path, base)(f"{base}/a.mp4")).read_bytes() == origin.content


@pytest.mark.parametrize("content", [b"no gzip at all", gzip.compress(b"x" * 1000, mtime=0)[:-20]], ids=["none", "cut"])
async def test_a_damaged_compressed_response_is_rejected(tmp_path, content):
    with serve_files(EncodedServer(content)) as base:
        download = TransferRun(tmp_path, base)
        with pytest.raises(FetchError):
            await download(f"{base}/a.vtt")
    assert [name for name in download.names if not name.endswith(".part")] == []


async def test_a_small_file_that_inflates_to_a_huge_one_is_refused(tmp_path):
    bomb = gzip.compress(bytes(INFLATION_FLOOR + 1), 1)
    message = "gzip data that inflates to more than 30 times its size"
    with serve_files(EncodedServer(bomb)) as base, pytest.raises(FetchError, match=message):
        await TransferRun(tmp_path, base)(f"{base}/a.vtt")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= INFLATION_FLOOR


async def test_a_compressed_file_of_unknown_size_leaves_disk_space_free(tmp_path):
    stored = gzip.compress(bytes(40 * 1024 * 1024), compresslevel=0)
    with small_disk(tmp_path / "disk", 96 * 1024 * 1024), serve_files(EncodedServer(stored)) as base:
        download = TransferRun(tmp_path / "disk", base)
        with pytest.raises(FetchError, match="Free some space"):
            await download(f"{base}/a.vtt")
        assert partial_file.free_bytes(tmp_path / "disk") > 60 * 1024 * 1024


SENT = Condition(http_status=HttpStatuses((503,)), pointer=Pointer.parse("/message"), contains=Scalar("already sent"))


@pytest.mark.parametrize(
    ("message", "tries", "error"),
    [("Document Already Sent", 1, "sends this file once, and has sent it"), ("not ready", MAX_TRIES, "HTTP 503")],
)
async def test_only_a_response_that_states_it_means_that_a_file_was_sent_already(tmp_path, message, tries, error):
    origin = FileServer(
        responses={"/f": (503, {"content-type": "application/json"}, b'{"message": "%s"}' % message.encode())}
    )
    with serve_files(origin) as base:
        download = TransferRun(tmp_path, base)
        download.used_conditions, download.one_time = (SENT,), True
        with pytest.raises(FetchError, match=error):
            await download(f"{base}/f", kind=LinkKind.DOCUMENT)
    assert len(origin.requests) == tries
    assert download.used == [f"{base}/f"] * (tries == 1)
    assert download.names == []
