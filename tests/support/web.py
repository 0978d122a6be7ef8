"""Server of `serve` in the test's loop, with a small program in place of each dashboard, and raw requests to it."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from tests.support.waiting import DEADLINE
from tui.cli.web.access import AccessControl
from tui.cli.web.server import DashboardServer

TOKEN = "a-random-token-of-more-than-thirty-two-characters"
ECHO = """
import os, sys
out, read = sys.stdout.buffer, sys.stdin.buffer.read
def send(payload):
    out.write(b"D" + len(payload).to_bytes(4, "big") + payload)
    out.flush()
out.write(b"__GANGLION__\\n")
send(f"{os.environ['COLUMNS']}x{os.environ['ROWS']}".encode())
while header := read(5):
    payload = read(int.from_bytes(header[1:], "big"))
    if b'"quit"' in payload:
        break
    send(header[:1] + payload)
"""
"""Speaks the protocol of Textual's driver: sends its size, then each packet back."""
ECHO_COMMAND = (sys.executable, "-I", "-S", "-c", ECHO)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@asynccontextmanager
async def serve_dashboards(
    token: str = TOKEN, clock: Callable[[], float] | None = None, command: Sequence[str] = ECHO_COMMAND
) -> AsyncIterator[str]:
    """URL of a server without a slash at its end."""
    port, stop, started = free_port(), asyncio.Event(), asyncio.Event()
    access = AccessControl(token, port, **({"clock": clock} if clock else {}))
    serving = asyncio.create_task(DashboardServer(command, access).serve("127.0.0.1", port, stop, started.set))
    try:
        waiting = asyncio.create_task(started.wait())
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set()
        await serving


async def send_raw(url: str, data: bytes, patience: float = DEADLINE) -> bytes:
    """Return the response to these bytes until the server closes, or what came within `patience` seconds."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    response = b""
    try:
        writer.write(data)
        async with asyncio.timeout(patience):
            while chunk := await reader.read(65536):
                response += chunk
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return response
