"""Misbehaving services by name, each with the fault that a poll there must produce.

`python -m tests.support.misbehaving_servers FOLDER` serves them all, each on a port of its own, until its stdin ends,
and prints their URLs as one line of JSON. FOLDER gets the root certificate to trust: SSL_CERT_FILE is its `roots.pem`.
"""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from tests.support import servers
from tests.support.fork_server import start_program
from tests.support.servers import Behaviour, serve_app, serve_raw
from tui.domain.models import FaultKind
from tui.simulator.app import Simulator
from tui.simulator.rate_limits import LIMITS
from tui.simulator.scenario import Scenario

GOOD = b'{"status":"PENDING","message":"fine"}'
"""Report of CAMB.AI."""
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def send_and_close(*parts: bytes) -> Behaviour:
    """Send these bytes and close."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(b"".join(parts))  # writelines of Python 3.12 never ends with an empty part
        await writer.drain()

    return say


CLOSE = b"connection: close"
"""Header of a response after which the connection is not used again."""


def respond_with_body(body: bytes, *headers: bytes, status: bytes = b"200 OK", version: bytes = b"1.1") -> Behaviour:
    """Send a complete response with this body."""
    head = [b"HTTP/%s %s" % (version, status), b"content-length: %d" % len(body), *headers, b"", b""]
    return send_and_close(b"\r\n".join(head), body)


def repeat_forever(first: bytes, repeated: bytes, pause: float = 0.0) -> Behaviour:
    """Send `first` once and `repeated` without end."""

    async def say(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(repeated)
            await writer.drain()
            await asyncio.sleep(pause)

    return say


RAW_BEHAVIOURS: Mapping[str, tuple[Behaviour, FaultKind | None]] = {
    "silence": (servers.silence, FaultKind.TIMEOUT),
    "reset-before": (servers.reset_before_response, FaultKind.OFFLINE),
    "reset-within": (servers.reset_within_body, FaultKind.OFFLINE),
    "closed-at-once": (send_and_close(), FaultKind.OFFLINE),
    "one-byte-a-second": (servers.slow_body(1.0), FaultKind.TIMEOUT),
    "one-header-byte-a-second": (repeat_forever(b"HTTP/1.1 200 OK\r\nx: ", b"a", 1.0), FaultKind.TIMEOUT),
    "endless-headers": (servers.endless_headers, FaultKind.OFFLINE),
    "endless-header": (repeat_forever(b"HTTP/1.1 200 OK\r\nx: ", b"a" * 8192), FaultKind.OFFLINE),
    "endless-body": (servers.endless_body, FaultKind.TOO_LARGE),
    "endless-unframed-body": (repeat_forever(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 8192), FaultKind.TOO_LARGE),
    "endless-chunk-size": (repeat_forever(CHUNKED, b"0" * 8192), FaultKind.OFFLINE),
    "endless-trailers": (repeat_forever(CHUNKED + b"0\r\n", b"x: y\r\n" * 1000), FaultKind.OFFLINE),
    "endless-100": (repeat_forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01), FaultKind.TIMEOUT),
    "endless-103": (repeat_forever(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"), FaultKind.OFFLINE),
    "100-then-200": (send_and_close(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", GOOD), None),
    "101-upgrade": (send_and_close(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\n\r\n", GOOD), FaultKind.OFFLINE),
    "gzip-bomb": (servers.gzip_bomb, FaultKind.TOO_LARGE),
    "longer-than-announced": (respond_with_body(GOOD, b"x: y"), None),
    "shorter-than-announced": (servers.short_body, FaultKind.OFFLINE),
    "two-lengths": (
        send_and_close(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 9\r\n\r\n", GOOD),
        FaultKind.OFFLINE,
    ),
    "invalid-length": (
        send_and_close(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", GOOD),
        FaultKind.OFFLINE,
    ),
    "huge-length": (
        send_and_close(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % 10**18, GOOD),
        FaultKind.OFFLINE,
    ),
    "invalid-chunk": (send_and_close(CHUNKED, b"zz\r\n" + GOOD), FaultKind.OFFLINE),
    "truncated-chunk": (send_and_close(CHUNKED, b"1000\r\n" + GOOD), FaultKind.OFFLINE),
    "http-1": (send_and_close(b"HTTP/1.0 200 OK\r\n\r\n", GOOD), None),
    "http-0": (send_and_close(GOOD), FaultKind.OFFLINE),
    "http-3": (send_and_close(b"HTTP/3.0 200 OK\r\n\r\n", GOOD), None),
    "no-status": (send_and_close(b"HTTP/1.1 OK\r\n\r\n", GOOD), FaultKind.OFFLINE),
    "status-999": (respond_with_body(GOOD, status=b"999 So"), FaultKind.SERVER),
    "ssh": (send_and_close(b"SSH-2.0-OpenSSH_9.6\r\n"), FaultKind.OFFLINE),
    "null-in-a-header": (send_and_close(b"HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n", GOOD), FaultKind.OFFLINE),
    "nothing": (respond_with_body(b""), FaultKind.MALFORMED),
    "204": (respond_with_body(b"", status=b"204 No Content"), FaultKind.MALFORMED),
    "latin-1": (respond_with_body('{"status":"PENDING","message":"é"}'.encode("latin-1")), None),
    "utf-16": (
        respond_with_body(GOOD.decode().encode("utf-16"), b"content-type: application/json"),
        FaultKind.MALFORMED,
    ),
    "lone-surrogate": (respond_with_body(rb'{"status":"PENDING","message":"My \ud83d..."}'), None),
    "raw-control-characters": (respond_with_body(b'{"status":"PENDING","message":"a\nb\x01"}'), None),
    "invalid-charset": (respond_with_body(GOOD, b"content-type: application/json; charset=klingon"), None),
    "byte-order-mark": (respond_with_body(b"\xef\xbb\xbf" + GOOD), None),
    "deep-json": (respond_with_body(b"[" * 500_000), FaultKind.MALFORMED),
    "deep-objects": (respond_with_body(b'{"status":' * 80_000), FaultKind.MALFORMED),
    "nan": (respond_with_body(b'{"status":"PENDING","progress":NaN}'), None),
    "duplicate-key": (respond_with_body(b'{"status":"ERROR","status":"PENDING"}'), None),
    "truncated-json": (respond_with_body(GOOD[:-5]), FaultKind.MALFORMED),
    "status-of-a-megabyte": (respond_with_body(b'{"status":"%s"}' % (b"A" * 1_000_000)), None),
    "number-of-a-megabyte": (respond_with_body(b'{"status":%s}' % (b"9" * 1_000_000)), FaultKind.MALFORMED),
    "unreadable-retry-after": (respond_with_body(GOOD, b"retry-after: soon"), None),
    "retry-after-twice": (
        respond_with_body(b"", b"retry-after: 1", b"retry-after: 1", status=b"409 So"),
        FaultKind.REJECTED,
    ),
    "epoch-in-retry-after": (respond_with_body(b"", b"retry-after: 4000000000", status=b"409 So"), FaultKind.REJECTED),
    "exhausted-policy": (respond_with_body(GOOD, b'ratelimit: "day";r=0;t=1'), None),
    "age-of-a-year": (respond_with_body(GOOD, b"date: Thu, 15 Oct 2026 00:00:00 GMT", b"age: 31536000"), None),
    "age-beyond-time": (respond_with_body(GOOD, b"date: Fri, 31 Dec 9999 23:59:59 GMT", b"age: 999999999"), None),
    "redirect-loop": (respond_with_body(b"", b"location: /", status=b"302 Found"), FaultKind.REDIRECTED),
    "redirect-without-location": (respond_with_body(b"", status=b"301 Moved"), FaultKind.REDIRECTED),
    "redirect-to-a-file": (
        respond_with_body(b"", b"location: file:///etc/passwd", status=b"307 So"),
        FaultKind.REDIRECTED,
    ),
    "not-modified": (respond_with_body(b"", status=b"304 Not Modified"), FaultKind.REDIRECTED),
    "brotli": (respond_with_body(b"x", b"content-encoding: br"), FaultKind.MALFORMED),
    "broken-gzip": (respond_with_body(b"x", b"content-encoding: gzip"), FaultKind.MALFORMED),
}
"""Behaviour and expected fault by name; None: a report."""
MAX_JOBS = 20
"""Jobs at each service, at most."""
CERTIFICATES = ("expired", "not-yet", "self-signed", "other-host", "good")
"""Of a service behind TLS; only the last one is to be believed."""
URLS: Mapping[str, tuple[str, FaultKind | None]] = {
    "no-such-name": ("http://nowhere.invalid", FaultKind.OFFLINE),
    "a-name-that-hangs": ("http://hung.test", FaultKind.TIMEOUT),
    "a-name-too-long": (f"http://{'a' * 70}.test", FaultKind.OFFLINE),
    "an-empty-label": ("http://a..test", FaultKind.OFFLINE),
    "connection-refused": ("http://127.0.0.1:9", FaultKind.OFFLINE),
    "port-0": ("http://127.0.0.1:0", FaultKind.OFFLINE),
}
"""URLs without a server, and their faults. `hung.test` hangs in the patched resolver."""
HTTP_BEHIND_TLS = "plain-behind-tls"
IPV6_ONLY = "only-ipv6"
OPERATIONS = "operations"
"""The simulator, whose operations have no status before their end, and whose bulk path has a query."""
FLOATS = "floats"
"""The simulator, whose jobs are done at once and have a float as the id of their result."""
WELL_BEHAVED = "steady"
"""The simulator, whose jobs must be polled as if it were alone."""


def expected_faults() -> dict[str, FaultKind | None]:
    """Return the fault that a job at each of them must have; None: a report."""
    return {
        **{name: kind for name, (_, kind) in (RAW_BEHAVIOURS | URLS).items()},
        **{name: FaultKind.TLS for name in CERTIFICATES if name != "good"},
        "good": None,
        HTTP_BEHIND_TLS: FaultKind.TLS,
        IPV6_ONLY: None,
        OPERATIONS: None,
        FLOATS: None,
        WELL_BEHAVED: None,
    }


@contextmanager
def serve_all(folder: Path) -> Iterator[dict[str, str]]:
    """Serve all of them in another process and yield their URLs by name."""
    pipe = subprocess.PIPE
    with start_program("-m", __name__, str(folder), stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline()) | {name: url for name, (url, _) in URLS.items()}
        finally:
            process.communicate()


def write_certificates(folder: Path) -> dict[str, Path]:
    """Write a chain for each of CERTIFICATES, and the root certificates of all but the self-signed one."""
    authority, now = trustme.CA(), datetime.now(UTC)
    authority.cert_pem.write_to_path(folder / "roots.pem")
    leaves = {
        "expired": authority.issue_cert("127.0.0.1", not_before=now - timedelta(9), not_after=now - timedelta(1)),
        "not-yet": authority.issue_cert("127.0.0.1", not_before=now + timedelta(1), not_after=now + timedelta(9)),
        "self-signed": trustme.CA().issue_cert("127.0.0.1"),
        "other-host": authority.issue_cert("other.test"),
        "good": authority.issue_cert("127.0.0.1"),
    }
    for name, leaf in leaves.items():
        leaf.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
    return {name: folder / f"{name}.pem" for name in leaves}


def serve_until_stdin_ends(folder: Path) -> None:
    """Serve until stdin ends."""
    with ExitStack() as stack:
        simulator = Simulator(limits=dict.fromkeys(LIMITS, 10**9))
        urls = {name: stack.enter_context(serve_raw(behaviour)) for name, (behaviour, _) in RAW_BEHAVIOURS.items()}
        for name, chain in write_certificates(folder).items():
            urls[name] = stack.enter_context(serve_app(simulator, certificate=chain))
        urls[WELL_BEHAVED] = urls[OPERATIONS] = stack.enter_context(serve_app(simulator))
        ended = [Scenario(f"{number}-stuck", behaviour="floats", started_at=0) for number in range(MAX_JOBS)]
        urls[FLOATS] = stack.enter_context(serve_app(Simulator(scenarios=ended)))
        urls[HTTP_BEHIND_TLS] = urls[WELL_BEHAVED].replace("http:", "https:")
        if socket.has_ipv6:
            urls[IPV6_ONLY] = stack.enter_context(serve_raw(respond_with_body(GOOD), "::1")).replace(
                "[::1]", "six.test"
            )
        print(json.dumps(urls), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    serve_until_stdin_ends(Path(sys.argv[1]))
