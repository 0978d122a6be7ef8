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
from tui.engine.http.client import direct
from tui.engine.http.header_limit import HeadBound
from tui.presentation.formatting import clean, mask_url
from tui.storage.config.fields import WebhookUrl
from tui.storage.config.secrets import Secret

MOST = 1024 * 1024
"""Bytes that a program may write; more is a flood, and it is killed."""
TAIL = 4096
"""The last bytes of them that are kept for the log."""
LINES = 5
"""The last lines of those that the log gets."""
LOOK = 0.05
"""Seconds between two looks at whether a program that writes nothing has ended."""
SIGNATURE = "X-Babeltop-Signature"
"""`t=INSTANT,v1=HEX`: HMAC-SHA256, keyed with the secret, of the instant in seconds, a full stop, and the body."""
DELIVERY = "X-Babeltop-Delivery"
"""The name of what is told; it stays the same when it is sent again."""
ASKED_TOO_SOON = 429
SERVER = 500


class Told(NamedTuple):
    """What came of it."""

    problem: str = ""
    """Why it was not taken, for an operator; "" if it was."""
    again: bool = False
    """It may be tried again."""
    after: float = 0.0
    """Seconds for which the other side wants to be left alone."""
    said: tuple[str, ...] = ()
    """The last lines of what a program wrote, cleaned, without the queries of addresses: they are signed."""


def run(
    command: Sequence[str],
    payload: bytes,
    patience: float,
    over: Event,
    clock: Callable[[], float] = time.monotonic,
) -> Told:
    """Runs a program with `payload` on its stdin, for `patience` seconds at most; `over` ends it before. Blocks."""
    with TemporaryFile() as given:  # no pipe: nobody has to wait until a program has read
        given.write(payload)
        given.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command, and no shell reads it
                command, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
            )
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            return Told(f"cannot be run: {clean(reason, 200)}")
    with process:
        heard = _Heard(process, clock)
        try:
            problem = heard.out(clock() + patience, patience, over)
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):  # it ended by itself just now
                    os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        heard.rest()
    if not problem and code != 0:
        problem = f"ended with {code}" if code > 0 else f"was ended by signal {-code}"
    return Told(problem, said=_lines(heard.tail))


class _Heard:
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

    def out(self, deadline: float, patience: float, over: Event) -> str:
        """Listens until the program ends, or why it must be ended."""
        poll = select.poll()
        poll.register(self._pipe, select.POLLIN)
        while self._process.poll() is None:
            left = deadline - self._clock()
            if over.is_set():
                return "was ended with babeltop"
            if left <= 0:
                return f"did not end within {patience:g} s, and was killed"
            if self._bytes > MOST:
                return f"wrote more than {MOST // 1024} KiB, and was killed"
            if not self._open:
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(min(left, LOOK))
            elif poll.poll(min(left, LOOK) * 1000):
                self._read()
        return ""

    def rest(self) -> None:
        """What stands in the pipe once the program has ended."""
        for _ in range(MOST // 65536):
            if not self._open or not self._read():
                return

    def _read(self) -> int:
        try:
            chunk = os.read(self._pipe, 65536)
        except BlockingIOError:
            return 0
        self._open = bool(chunk)
        self._bytes += len(chunk)
        self.tail = (self.tail + chunk)[-TAIL:]
        return len(chunk)


def _lines(tail: bytes) -> tuple[str, ...]:
    """The last lines, as they may be logged."""
    found = (clean(line, 300) for line in tail.decode("utf-8", "replace").splitlines())
    masked = (re.sub(r"https?://\S+", lambda url: mask_url(url[0]), line) for line in found if line)
    return tuple(masked)[-LINES:]


class Poster:
    """One address. Redirects are not followed: what is sent holds links that are as good as keys."""

    def __init__(self, url: WebhookUrl, patience: float) -> None:
        self._url = url
        self._patience = patience
        self._http: httpx.AsyncClient | None = None

    async def post(self, payload: bytes, delivery: str, secret: Secret | None, at: float) -> Told:
        """Sends `payload` once, at the instant `at`, and says what came of it. The address is in no message."""
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"babeltop/{__version__}",
            DELIVERY: delivery,
        }
        if secret is not None:
            headers[SIGNATURE] = signature(secret, payload, at)
        try:
            self._http = self._http or await asyncio.to_thread(self._made)
            async with (
                asyncio.timeout(self._patience),
                self._http.stream("POST", self._url, content=payload, headers=headers) as response,
            ):
                return _answered(response)
        except TimeoutError:
            return Told(f"did not answer within {self._patience:g} s", again=True)
        except httpx.TransportError as error:
            return Told(f"cannot be reached: {type(error).__name__}: {clean(str(error), 200)}", again=True)
        except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
            return Told(f"cannot be sent to: {type(error).__name__}: {clean(str(error), 200)}")

    def _made(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=1, max_keepalive_connections=0)
        return httpx.AsyncClient(
            limits=limits,
            follow_redirects=False,
            timeout=self._patience,
            mounts=direct(),
            event_hooks={"request": [HeadBound().onto]},
        )

    async def close(self) -> None:
        """Ends its connection."""
        if self._http is not None:
            await self._http.aclose()


def _answered(response: httpx.Response) -> Told:
    """Any 2xx will do, and nobody reads its body."""
    status = response.status_code
    if response.is_success:
        return Told()
    if status != ASKED_TOO_SOON and status < SERVER:
        return Told(f"answered {status}")
    wait = response.headers.get("retry-after", "")
    return Told(f"answered {status}", again=True, after=float(wait) if re.fullmatch("[0-9]{1,6}", wait) else 0.0)


def signature(secret: Secret, payload: bytes, at: float) -> str:
    """What SIGNATURE says of a body that is sent at an instant; who checks it refuses old instants."""
    seconds = str(int(at))
    signed = seconds.encode() + b"." + payload
    return f"t={seconds},v1={hmac.new(secret.reveal().encode(), signed, hashlib.sha256).hexdigest()}"
