"""File server for tests, on a thread and a free loopback port: ranges, validators, lost connections, request log.

Its bytes are generated while they are sent, so that two gigabytes take no memory.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from tests.support.servers import serve_responder

BLOCK_SIZE = 64 * 1024
"""Bytes generated at once."""
DRIP_PAUSE = 0.005
"""Seconds between the bytes of a dripping response."""


Response = tuple[int, dict[str, str]] | tuple[int, dict[str, str], bytes]
"""Status, headers, and a body if there is one."""


class FileServerRequest(NamedTuple):
    """Request with its path and query, and its headers by lower-case name."""

    path: str
    headers: Mapping[str, str]


@dataclass
class FileServer:
    """Server of one file at every path, except those in `responses`."""

    size: int = 1000
    etag: str = '"one"'
    seed: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """Further headers of the file. Empty values are left out."""
    ranges: bool = True
    range_status: int = 0
    """Status of every response to a Range, without Content-Range; a 4xx or 5xx has no body. 0: the right one."""
    responses: dict[str, Response] = field(default_factory=dict)
    """Other responses, by path."""
    cut_after: list[int] = field(default_factory=list)
    """Body bytes after which each of the next connections is cut."""
    stalls: bool = False
    """Whether a cut connection stays open without data instead of being closed."""
    drips: bool = False
    """Whether a cut connection goes on with a byte every DRIP_PAUSE."""
    cut_count: int = 0
    """Responses cut so far."""
    requests: list[FileServerRequest] = field(default_factory=list)
    on_sent: Callable[[int], None] = lambda _count: None
    """Called with the bytes of each write."""

    def block(self, number: int) -> bytes:
        return number.to_bytes(8, "big") + _noise(self.seed)[8:]

    def chunks(self, start: int = 0) -> Iterator[bytes]:
        position = start
        while position < self.size:
            number, offset = divmod(position, BLOCK_SIZE)
            chunk = self.block(number)[offset : offset + self.size - position]
            yield chunk
            position += len(chunk)

    @property
    def content(self) -> bytes:
        return b"".join(self.chunks())

    @property
    def sha256(self) -> str:
        hashed = hashlib.sha256()
        for chunk in self.chunks():
            hashed.update(chunk)
        return hashed.hexdigest()

    async def respond(self, request: FileServerRequest, writer: asyncio.StreamWriter) -> None:
        self.requests.append(request)
        if (found := self.responses.get(request.path)) is not None:
            status, headers, body = (*found, b"")[:3]
            writer.write(_head(status, {"content-length": str(len(body))} | headers) + body)
            return
        start, status = self._range_start(request.headers), 200
        headers = {"etag": self.etag, "content-length": str(self.size - start), "content-type": "video/mp4"}
        if start >= self.size > 0:
            status, headers = 416, {"content-range": f"bytes */{self.size}", "content-length": "0"}
        elif start:
            status, headers = 206, headers | {"content-range": f"bytes {start}-{self.size - 1}/{self.size}"}
        if start and self.range_status:
            status, headers = self.range_status, headers | {"content-range": ""}
        if status >= 400:
            headers["content-length"] = "0"
        writer.write(_head(status, headers | self.headers))
        if status < 400:
            await self._send(start, writer)

    def bytes_until_cut(self, _start: int) -> int | None:
        """Return the bytes after which a response from `_start` on is cut; None: it is not."""
        return self.cut_after.pop(0) if self.cut_after else None

    def _range_start(self, headers: Mapping[str, str]) -> int:
        ranged = headers.get("range", "")
        if not ranged or not self.ranges or headers.get("if-range", self.etag) != self.etag:
            return 0
        return int(ranged.removeprefix("bytes=").rstrip("-"))

    async def _send(self, start: int, writer: asyncio.StreamWriter) -> None:
        remaining = self.bytes_until_cut(start)
        for chunk in self.chunks(start):
            if remaining is not None and remaining < len(chunk):
                writer.write(chunk[:remaining])
                self.on_sent(remaining)
                self.cut_count += 1
                await writer.drain()
                if self.stalls:
                    await asyncio.Event().wait()
                for byte in chunk[remaining:] if self.drips else b"":
                    writer.write(bytes((byte,)))
                    await writer.drain()
                    await asyncio.sleep(DRIP_PAUSE)
                writer.close()
                return
            remaining = remaining and remaining - len(chunk)
            writer.write(chunk)
            self.on_sent(len(chunk))
            await writer.drain()


_NOISE: dict[int, bytes] = {}


def _noise(seed: int) -> bytes:
    if seed not in _NOISE:
        _NOISE[seed] = Random(seed).randbytes(BLOCK_SIZE)
    return _NOISE[seed]


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in headers.items() if value)]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode()


@contextmanager
def serve_files(server: FileServer, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve the file and yield the base URL; open connections are aborted at the end."""

    async def respond(received: bytes, writer: asyncio.StreamWriter) -> None:
        head = received.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        await server.respond(FileServerRequest(head[0].split(" ")[1], headers), writer)

    with serve_responder(respond, host) as url:
        yield url
