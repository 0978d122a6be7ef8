"""How one thing is told to one hook: a program that is run, or an address that is written to. Nothing is kept here.

A program gets no shell, no terminal and no argument but its configured ones; what happened is on its stdin. It runs
in a process session of its own, within its time, and the whole group is killed when that is over.
"""

import asyncio
import hashlib
import hmac
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from threading import Event
from typing import NamedTuple

import httpx

from tui import __version__
from tui.engine.http.client import loopback_without_proxy
from tui.engine.http.header_limit import HeaderSizeLimit
from tui.presentation.sanitize import clean, mask_url
from tui.storage.config.fields import WebhookUrl
from tui.storage.config.secrets import Secret

MAX_OUTPUT = 1024 * 1024
"""Bytes that a program may write; more is a flood, and it is killed."""
TAIL_BYTES = 4096
"""The last bytes of them that are kept for the log."""
LOG_LINES = 5
"""The last lines of those that the log gets."""
EXIT_CHECK_INTERVAL = 0.05
"""Seconds between two looks at whether a program that writes nothing has ended."""
SIGNATURE_HEADER = "X-Babeltop-Signature"
"""`t=INSTANT,v1=HEX`: HMAC-SHA256, keyed with the secret, of the instant in seconds, a full stop, and the body."""
DELIVERY_HEADER = "X-Babeltop-Delivery"
"""The name of what is told; it stays the same when it is sent again."""
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


class DeliveryResult(NamedTuple):
    """What came of it."""

    problem: str = ""
    """Why it was not taken, for an operator; "" if it was."""
    retry: bool = False
    """It may be tried again."""
    retry_after: float = 0.0
    """Seconds for which the other side wants to be left alone."""
    output: tuple[str, ...] = ()
    """The last lines of what a program wrote, cleaned, without the queries of addresses: they are signed."""


def run_program(
    command: Sequence[str],
    payload: bytes,
    timeout: float,
    stop: Event,
    clock: Callable[[], float] = time.monotonic,
) -> DeliveryResult:
    """Runs a program with `payload` on its stdin, for `patience` seconds at most; `over` ends it before. Blocks."""
    with TemporaryFile() as stdin:  # no pipe: nobody has to wait until a program has read
        stdin.write(payload)
        stdin.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, and no shell reads it
                command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return DeliveryResult(f"cannot be run: {clean(reason, 200)}")
    with process:
        output = _OutputReader(process, clock)
        try:
            problem = output.read_until_exit(clock() + timeout, timeout, stop)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):  # it ended by itself just now
                    os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        output.drain()
    if not problem and code != 0:
        problem = f"ended with {code}" if code > 0 else f"was ended by signal {-code}"
    return DeliveryResult(problem, output=_last_lines(output.tail))


class _OutputReader:
    """What a program writes. An agent that it leaves behind may hold its output open: its own end counts."""

    def __init__(self, process: "subprocess.Popen[bytes]", clock: Callable[[], float]) -> None:
        assert process.stdout is not None, "a pipe was asked for"
        self.tail = b""
        self._process = process
        self._clock = clock
        self._pipe = process.stdout.fileno()
        self._open = True
        self._bytes = 0
        os.set_blocking(self._pipe, False)

    def read_until_exit(self, deadline: float, timeout: float, stop: Event) -> str:
        """Listens until the program ends, or why it must be ended."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while self._process.poll() is None:
            remaining = deadline - self._clock()
            if stop.is_set():
                return "was ended with babeltop"
            if remaining <= 0:
                return f"did not end within {timeout:g} s, and was killed"
            if self._bytes > MAX_OUTPUT:
                return f"wrote more than {MAX_OUTPUT // 1024} KiB, and was killed"
            if not self._open:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(min(remaining, EXIT_CHECK_INTERVAL))
            elif poll.poll(min(remaining, EXIT_CHECK_INTERVAL) * 1000):
                self._read()
        return ""

    def drain(self) -> None:
        """What stands in the pipe once the program has ended."""
        for _ in range(MAX_OUTPUT // 65536):
            if not self._open or not self._read():
                return

    def _read(self) -> int:
        try:
            chunk = os.read(self._pipe, 65536)
        except BlockingIOError:
            return 0
        self._open = bool(chunk)
        self._bytes += len(chunk)
        self.tail = (self.tail + chunk)[-TAIL_BYTES:]
        return len(chunk)


def _last_lines(tail: bytes) -> tuple[str, ...]:
    """The last lines, as they may be logged."""
    lines = (clean(line, 300) for line in tail.decode("utf-8", "replace").splitlines())
    masked = (re.sub(r"https?://\S+", lambda url: mask_url(url[0]), line) for line in lines if line)
    return tuple(masked)[-LOG_LINES:]


class WebhookSender:
    """One address. Redirects are not followed: what is sent holds links that are as good as keys."""

    def __init__(self, url: WebhookUrl, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._http: httpx.AsyncClient | None = None

    async def post(self, payload: bytes, delivery_id: str, secret: Secret | None, at: float) -> DeliveryResult:
        """Sends `payload` once, at the instant `at`, and says what came of it. The address is in no message."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"babeltop/{__version__}",
            DELIVERY_HEADER: delivery_id,
        }
        if secret is not None:
            headers[SIGNATURE_HEADER] = signature(secret, payload, at)
        try:
            self._http = self._http or await asyncio.to_thread(self._build_client)
            async with (
                asyncio.timeout(self._timeout),
                self._http.stream("POST", self._url, content=payload, headers=headers) as response,
            ):
                return _result_from_response(response)
        except TimeoutError:
            return DeliveryResult(f"did not answer within {self._timeout:g} s", retry=True)
        except httpx.TransportError as error:
            return DeliveryResult(f"cannot be reached: {type(error).__name__}: {clean(str(error), 200)}", retry=True)
        except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
            return DeliveryResult(f"cannot be sent to: {type(error).__name__}: {clean(str(error), 200)}")

    def _build_client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
        return httpx.AsyncClient(
            limits=limits,
            follow_redirects=False,
            timeout=self._timeout,
            mounts=loopback_without_proxy(),
            event_hooks={"request": [HeaderSizeLimit().install]},
        )

    async def close(self) -> None:
        """Ends its connection."""
        if self._http is not None:
            await self._http.aclose()


def _result_from_response(response: httpx.Response) -> DeliveryResult:
    """Any 2xx will do, and nobody reads its body."""
    status = response.status_code
    if response.is_success:
        return DeliveryResult()
    if status != TOO_MANY_REQUESTS and status < SERVER_ERROR:
        return DeliveryResult(f"answered {status}")
    wait = response.headers.get("retry-after", "")
    return DeliveryResult(
        f"answered {status}", retry=True, retry_after=float(wait) if re.fullmatch("[0-9]{1,6}", wait) else 0.0
    )


def signature(secret: Secret, payload: bytes, at: float) -> str:
    """What SIGNATURE says of a body that is sent at an instant; who checks it refuses old instants."""
    seconds = str(int(at))
    signed = seconds.encode() + b"." + payload
    return f"t={seconds},v1={hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest()}"
