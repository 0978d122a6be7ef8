"""Delivery of one event to one hook: a program that is run, or a webhook.

A program gets no shell, no terminal and only its configured arguments; the event is on its stdin. It runs in a process
session of its own; the whole group is killed after its timeout. Queues and retries are left to the hooks.
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
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from threading import Event
from typing import NamedTuple

import httpx

from tui import __version__
from tui.engine.http.client import connection_setup_error, fault_from_error
from tui.engine.http.environment import EnvironmentSettingError, create_tls_context
from tui.engine.http.header_limit import HeaderSizeLimit
from tui.engine.http.loopback import LoopbackDirectClient
from tui.presentation.sanitize import clean, mask_url
from tui.providers.wait_hints import retry_after
from tui.storage.config.fields import WebhookUrl
from tui.storage.config.secrets import Secret

MAX_OUTPUT = 1024 * 1024
"""Bytes that a program may write before it is killed."""
TAIL_BYTES = 4096
"""Last bytes of the output that are kept for the log."""
LOG_LINES = 5
"""Last lines of the output that are logged."""
EXIT_CHECK_INTERVAL = 0.05
"""Seconds between two checks whether a silent program has exited."""
SIGNATURE_HEADER = "X-Babeltop-Signature"
"""`t=INSTANT,v1=HEX`: HMAC-SHA256, keyed with the secret, of the instant in seconds, a full stop, and the body."""
DELIVERY_HEADER = "X-Babeltop-Delivery"
"""Delivery id, the same for every try."""
TOO_MANY_REQUESTS = 429
SERVER_ERROR = 500


class DeliveryResult(NamedTuple):
    """Result of one delivery."""

    problem: str = ""
    """Why the delivery failed, for the operator; "" on success."""
    retry: bool = False
    """Whether another try may succeed."""
    retry_after: float = 0.0
    """Seconds to wait, as the webhook demands."""
    output: tuple[str, ...] = ()
    """Last lines of a program's output, sanitised, URLs without their queries, which may be signed."""


def run_program(
    command: Sequence[str],
    payload: bytes,
    timeout: float,
    stop: Event,
    environ: Mapping[str, str],
    mask: Callable[[str], str],
    clock: Callable[[], float] = time.monotonic,
) -> DeliveryResult:
    """Run a program with `payload` on its stdin for at most `timeout` seconds; `stop` ends it earlier. Blocks.

    `mask` removes secrets from its output.
    """
    with TemporaryFile() as stdin:  # no pipe, so a program that does not read blocks nothing
        stdin.write(payload)
        stdin.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, and no shell reads it
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environ,
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return DeliveryResult(f"cannot be started: {clean(reason, 200)}")
    with process:
        output = _OutputReader(process, clock)
        try:
            problem = output.read_until_exit(clock() + timeout, timeout, stop)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):  # it has just exited
                    os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        output.drain()
    if not problem and code != 0:
        problem = f"exited with status {code}" if code > 0 else f"killed by signal {-code}"
    return DeliveryResult(problem, output=_last_lines(output.tail, mask))


class _OutputReader:
    """Reader of a program's output. Its exit counts, even if a child process keeps the output open."""

    def __init__(self, process: "subprocess.Popen[bytes]", clock: Callable[[], float]) -> None:
        assert process.stdout is not None, "stdout is a pipe"
        self.tail = b""
        """Last bytes of the output, twice as many as are kept."""
        self._process = process
        self._clock = clock
        self._pipe = process.stdout.fileno()
        self._open = True
        self._bytes = 0
        os.set_blocking(self._pipe, False)

    def read_until_exit(self, deadline: float, timeout: float, stop: Event) -> str:
        """Read until the program exits and return "", or return why it must be killed."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while self._process.poll() is None:
            remaining = deadline - self._clock()
            if stop.is_set():
                return "stopped with babeltop"
            if remaining <= 0:
                return f"timed out after {timeout:g} s, killed"
            if self._bytes > MAX_OUTPUT:
                return f"wrote more than {MAX_OUTPUT // 1024} KiB, killed"
            if not self._open:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(min(remaining, EXIT_CHECK_INTERVAL))
            elif poll.poll(min(remaining, EXIT_CHECK_INTERVAL) * 1000):
                self._read()
        return ""

    def drain(self) -> None:
        """Read the rest of the pipe after the program's exit."""
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
        self.tail = (self.tail + chunk)[-2 * TAIL_BYTES :]
        return len(chunk)


def _last_lines(tail: bytes, mask: Callable[[str], str]) -> tuple[str, ...]:
    """Return the last lines, masked and sanitised for the log."""
    text = mask(tail.decode("utf-8", "replace"))[-TAIL_BYTES:]  # masked first: half a key would not be found
    lines = (clean(line, 300) for line in text.splitlines())
    masked = (re.sub(r"https?://\S+", lambda url: mask_url(url[0]), line) for line in lines if line)
    return tuple(masked)[-LOG_LINES:]


class WebhookSender:
    """Sender for one webhook URL. Redirects are not followed: a payload contains links, which are as good as keys."""

    def __init__(self, url: WebhookUrl, timeout: float) -> None:
        self._url = url
        self._timeout = timeout
        self._http: httpx.AsyncClient | None = None

    async def post(self, payload: bytes, delivery_id: str, secret: Secret | None, at: float) -> DeliveryResult:
        """Send `payload` once, signed for the instant `at`. No message contains the URL."""
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
                return _result_from_response(response, at)
        except TimeoutError:
            return DeliveryResult(f"timed out after {self._timeout:g} s", retry=True)
        except httpx.TransportError as error:
            return DeliveryResult(fault_from_error(error).message, retry=True)
        except EnvironmentSettingError as problem:
            return DeliveryResult(str(problem))
        except (OSError, httpx.InvalidURL) as error:
            return DeliveryResult(connection_setup_error(error))

    def _build_client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
        return LoopbackDirectClient(
            verify=create_tls_context(),
            limits=limits,
            follow_redirects=False,
            timeout=self._timeout,
            event_hooks={"request": [HeaderSizeLimit().install]},
        )

    async def close(self) -> None:
        """Close the connection."""
        if self._http is not None:
            await self._http.aclose()


def _result_from_response(response: httpx.Response, at: float) -> DeliveryResult:
    """Return the result of a response at the instant `at`. Any 2xx is a success; the body is not read."""
    status = response.status_code
    if response.is_success:
        return DeliveryResult()
    if status != TOO_MANY_REQUESTS and status < SERVER_ERROR:
        return DeliveryResult(f"returned HTTP {status}")
    return DeliveryResult(f"returned HTTP {status}", retry=True, retry_after=retry_after(response.headers, at) or 0.0)


def signature(secret: Secret, payload: bytes, at: float) -> str:
    """Return the value of SIGNATURE_HEADER for a payload sent at an instant; receivers should reject old instants."""
    seconds = str(int(at))
    signed = seconds.encode() + b"." + payload
    return f"t={seconds},v1={hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest()}"
