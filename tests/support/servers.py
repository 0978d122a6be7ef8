"""Servers for tests, each on a thread and a free loopback port: ASGI apps, and raw behaviours beyond ASGI."""

import asyncio
import gzip
import struct
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from socket import SO_LINGER, SOL_SOCKET
from threading import Thread

from tui.simulator.server import App, build_server, open_listener

Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Handles a connection after the request's head was read. The connection is closed afterwards."""
Responder = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]
"""Behaviour that receives the request's head."""

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
BODY = b'{"error":null,"data":{"status":"running"}}'
ACCEPT_TURNS = 5
"""Turns of the loop from an accepted connection to its running task, and some more."""
BOMB_SIZE = 64 * 1024 * 1024
"""Decompressed size of the gzip bomb in bytes."""


@contextmanager
def serve_app(app: App, certificate: Path | None = None) -> Iterator[str]:
    """Serve an ASGI app with uvicorn and yield its base URL; over TLS with a PEM file of a key and its chain."""
    with open_listener("127.0.0.1", 0) as listener:
        running = build_server(app, certificate)
        thread = Thread(target=running.run, kwargs={"sockets": [listener]}, name="simulator")
        thread.start()
        try:
            yield f"{'https' if certificate else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


@contextmanager
def serve_raw(behaviour: Behaviour, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve every connection with `behaviour` and yield the base URL; open connections are aborted at the end."""
    if behaviour is gzip_bomb:
        _bomb()
    with serve_responder(lambda _head, writer: behaviour(writer), host) as url:
        yield url


@contextmanager
def serve_responder(respond: Responder, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve every connection with `respond` and yield the base URL; open connections are aborted at the end."""
    ready: Future[tuple[int, Callable[[], object]]] = Future()

    tasks: set[asyncio.Task[None]] = set()
    """Running connections, cancelled at the end. Nothing else references the task of a client that has left."""
    transports: set[asyncio.BaseTransport] = set()
    """Open connections, aborted at the end: the task of one that was just accepted may never run."""

    class Connection(asyncio.StreamReaderProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transports.add(transport)
            super().connection_made(transport)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await respond(await reader.readuntil(b"\r\n\r\n"), writer)
            writer.close()
            await writer.wait_closed()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            tasks.discard(task)
            writer.transport.abort()

    async def serve() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        async with await loop.create_server(lambda: Connection(asyncio.StreamReader(), connected), host, 0) as listener:
            ready.set_result((listener.sockets[0].getsockname()[1], lambda: loop.call_soon_threadsafe(stopped.set)))
            await stopped.wait()
            for socket in listener.sockets:  # closed now, it would leave a connection that was just accepted open
                loop.remove_reader(socket.fileno())
            for _ in range(ACCEPT_TURNS):  # such a connection has no running task yet
                await asyncio.sleep(0)
            remaining = list(tasks)
            for task in remaining:  # from Python 3.12 on, the listener waits for its connections
                task.cancel()
            await asyncio.gather(*remaining, return_exceptions=True)
            for transport in transports:
                transport.abort()
            await asyncio.sleep(0)  # aborted connections are closed in the loop's next turn

    thread = Thread(target=asyncio.run, args=(serve(),), name="raw server")
    thread.start()
    port, stop = ready.result()
    try:
        yield f"http://{f'[{host}]' if ':' in host else host}:{port}"
    finally:
        stop()
        thread.join()


async def silence(_writer: asyncio.StreamWriter) -> None:
    """Never respond."""
    await asyncio.Event().wait()


async def reset_before_response(writer: asyncio.StreamWriter) -> None:
    """Reset the connection (RST) instead of responding."""
    writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def reset_within_body(writer: asyncio.StreamWriter) -> None:
    """Reset the connection (RST) in the middle of the body."""
    await _write(writer, HEAD, b"content-length: %d\r\n\r\n" % len(BODY), BODY[:10])
    await asyncio.sleep(0.05)
    await reset_before_response(writer)


def slow_body(seconds: float = 1.0) -> Behaviour:
    """Send a valid response with one byte of its body every `seconds`."""

    async def drip(writer: asyncio.StreamWriter) -> None:
        await _write(writer, HEAD, b"content-length: %d\r\n\r\n" % len(BODY))
        for byte in BODY:
            await asyncio.sleep(seconds)
            await _write(writer, bytes([byte]))

    return drip


async def endless_headers(writer: asyncio.StreamWriter) -> None:
    """Send headers without end."""
    await _write(writer, HEAD)
    while True:
        await _write(writer, b"x-more: " + b"a" * 1000 + b"\r\n")


async def endless_body(writer: asyncio.StreamWriter) -> None:
    """Send a chunked body without end."""
    await _write(writer, HEAD, b"transfer-encoding: chunked\r\n\r\n")
    while True:
        await _write(writer, b"2000\r\n", b" " * 0x2000, b"\r\n")


async def short_body(writer: asyncio.StreamWriter) -> None:
    """Announce more bytes than are sent, and close."""
    await _write(writer, HEAD, b"content-length: %d\r\n\r\n" % (len(BODY) + 10), BODY)


async def gzip_bomb(writer: asyncio.StreamWriter) -> None:
    """Send 64 KB that decompress to 64 MB, whatever was requested."""
    await _write(writer, HEAD, b"content-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(_bomb()), _bomb())


@cache
def _bomb() -> bytes:
    """Return the bomb. Cached: compressing takes longer than a test's deadline."""
    return gzip.compress(b" " * BOMB_SIZE, compresslevel=9)


async def _write(writer: asyncio.StreamWriter, *parts: bytes) -> None:
    writer.writelines(parts)
    await writer.drain()
