"""Process of one dashboard: `babeltop` with Textual's driver for the web, whose packets go to one browser."""

import asyncio
import logging
import os
from asyncio import StreamReader
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import suppress

from aiohttp import web

from tui.cli.web import messages
from tui.presentation.sanitize import clean

STOP_TIMEOUT = 5.0
"""Seconds for a dashboard to end after its browser closed."""
MAX_ERROR_BYTES = 16 * 1024
"""Of the process's error messages that are kept for the log."""
_START = b"__GANGLION__\n"
"""Line after which Textual's driver writes packets."""
_MAX_LINES_BEFORE_START = 10

log = logging.getLogger(__name__)


class DashboardProcess:
    """Process of one dashboard, which ends with its WebSocket and closes it."""

    def __init__(self, process: Process, socket: web.WebSocketResponse) -> None:
        self._process, self._socket = process, socket
        self._errors = bytearray()
        self._reading_errors = asyncio.create_task(self._read_errors())
        self._forwarding = asyncio.create_task(self._forward())

    @classmethod
    async def start(
        cls, command: Sequence[str], socket: web.WebSocketResponse, *, columns: int, lines: int
    ) -> "DashboardProcess":
        """Start a process with a terminal of this size. Raises OSError."""
        environ = os.environ | {
            "TEXTUAL_DRIVER": "textual.drivers.web_driver:WebDriver",
            "TEXTUAL_FPS": "60",
            "TEXTUAL_COLOR_SYSTEM": "truecolor",
            "TERM_PROGRAM": "textual",
            "COLUMNS": str(columns),
            "ROWS": str(lines),
        }
        process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environ)
        return cls(process, socket)

    async def write(self, packet: bytes) -> None:
        """Send a packet to the process, as fast as it reads."""
        assert self._process.stdin is not None
        with suppress(ConnectionError, RuntimeError):  # the process has ended, and its socket ends too
            self._process.stdin.write(packet)
            await self._process.stdin.drain()

    async def stop(self) -> None:
        """Let the process end, and kill it if it does not end in time."""
        assert self._process.stdin is not None
        try:
            self._forwarding.cancel()
            await asyncio.wait({self._forwarding})
            with suppress(ConnectionError, RuntimeError):
                self._process.stdin.write(messages.meta_packet(type="quit"))
            ending = asyncio.create_task(self._wait())
            _, late = await asyncio.wait({ending}, timeout=STOP_TIMEOUT)  # wait_for would swallow a cancellation
            if late:
                log.warning("killed a dashboard that did not end")
                self._process.kill()
            await ending
        finally:
            if self._process.returncode is None:
                self._process.kill()
        if self._errors:
            text = clean(self._errors.decode("utf-8", "replace"), MAX_ERROR_BYTES, keep_lines=True)
            log.error("a dashboard ended with exit code %s: %s", self._process.returncode, text)

    async def _wait(self) -> None:
        stdout = self._process.stdout
        while stdout is not None and await stdout.read(65536):
            pass  # a full pipe would keep the process from ending
        await self._reading_errors
        await self._process.wait()

    async def _read_errors(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(4096):
            self._errors += data[: MAX_ERROR_BYTES - len(self._errors)]

    async def _forward(self) -> None:
        """Send what the process writes to the browser, until one of them ends."""
        assert self._process.stdout is not None
        with suppress(asyncio.IncompleteReadError, ValueError, ConnectionError):
            await self._forward_packets(self._process.stdout)
        await self._socket.close()

    async def _forward_packets(self, stdout: StreamReader) -> None:
        for _ in range(_MAX_LINES_BEFORE_START):
            if await stdout.readline() == _START:
                break
        else:
            return
        while True:
            header = await stdout.readexactly(5)
            payload = await stdout.readexactly(int.from_bytes(header[1:], "big"))
            if header[:1] == messages.DATA:
                await self._socket.send_bytes(payload)
            elif header[:1] == messages.META:
                if messages.is_exit(payload):
                    return
                if (text := messages.text_of_meta(payload)) is not None:
                    await self._socket.send_str(text)
