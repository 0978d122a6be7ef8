"""A server of large files for tests, on a thread and a free loopback port: ranges, validators, cuts, and a log.

Its bytes are made up as they are sent, so that two gigabytes take no memory.
"""

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from tests.support.servers import answering

BLOCK = 64 * 1024
"""Bytes that are made up at once."""


class Asked(NamedTuple):
    """One request: its path with the query, and its headers by lower-case name."""

    path: str
    headers: Mapping[str, str]


@dataclass
class Origin:
    """One file at every path, but for those in `replies`."""

    size: int = 1000
    etag: str = '"one"'
    seed: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    """More headers of the file. What is "" is left out."""
    ranges: bool = True
    replies: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    """Status and headers by path; without a body."""
    cuts: list[int] = field(default_factory=list)
    """Bytes of the body after which the next connections are cut off."""
    silent: bool = False
    """What is cut is not closed, but says nothing more."""
    cut_off: int = 0
    """Replies that were cut off so far."""
    asked: list[Asked] = field(default_factory=list)
    sent: Callable[[int], None] = lambda _count: None
    """Told of the bytes of each write."""

    def block(self, number: int) -> bytes:
        return number.to_bytes(8, "big") + _noise(self.seed)[8:]

    def pieces(self, start: int = 0) -> Iterator[bytes]:
        at = start
        while at < self.size:
            number, offset = divmod(at, BLOCK)
            piece = self.block(number)[offset : offset + self.size - at]
            yield piece
            at += len(piece)

    @property
    def content(self) -> bytes:
        return b"".join(self.pieces())

    @property
    def sha256(self) -> str:
        hashed = hashlib.sha256()
        for piece in self.pieces():
            hashed.update(piece)
        return hashed.hexdigest()

    async def answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        self.asked.append(asked)
        if (found := self.replies.get(asked.path)) is not None:
            status, headers = found
            writer.write(_head(status, {"content-length": "0"} | headers))
            return
        start, status = self._start(asked.headers), 200
        headers = {"etag": self.etag, "content-length": str(self.size - start), "content-type": "video/mp4"}
        if start >= self.size > 0:
            status, headers = 416, {"content-range": f"bytes */{self.size}", "content-length": "0"}
        elif start:
            status, headers = 206, headers | {"content-range": f"bytes {start}-{self.size - 1}/{self.size}"}
        writer.write(_head(status, headers | self.headers))
        await self._send(start, writer)

    def left(self, _start: int) -> int | None:
        """Bytes after which a reply that begins there is cut off; None: it is not."""
        return self.cuts.pop(0) if self.cuts else None

    def _start(self, headers: Mapping[str, str]) -> int:
        ranged = headers.get("range", "")
        if not ranged or not self.ranges or headers.get("if-range", self.etag) != self.etag:
            return 0
        return int(ranged.removeprefix("bytes=").rstrip("-"))

    async def _send(self, start: int, writer: asyncio.StreamWriter) -> None:
        left = self.left(start)
        for piece in self.pieces(start):
            if left is not None and left < len(piece):
                writer.write(piece[:left])
                self.sent(left)
                self.cut_off += 1
                await writer.drain()
                if self.silent:
                    await asyncio.Event().wait()
                writer.close()
                return
            left = left and left - len(piece)
            writer.write(piece)
            self.sent(len(piece))
            await writer.drain()


_NOISE: dict[int, bytes] = {}


def _noise(seed: int) -> bytes:
    if seed not in _NOISE:
        _NOISE[seed] = Random(seed).randbytes(BLOCK)
    return _NOISE[seed]


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} x", *(f"{name}: {value}" for name, value in headers.items() if value)]
    return "\r\n".join([*lines, "connection: close", "", ""]).encode()


@contextmanager
def at(origin: Origin, host: str = "127.0.0.1") -> Iterator[str]:
    """Serves it and yields the base URL; what still goes on at the end is cut off."""

    async def answer(said: bytes, writer: asyncio.StreamWriter) -> None:
        head = said.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        await origin.answer(Asked(head[0].split(" ")[1], headers), writer)

    with answering(answer, host) as url:
        yield url
