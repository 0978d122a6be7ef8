"""Limits on connections: a deadline for each request, and a number of connections for each address and overall.

A client that sends half of a request, or nothing, holds no connection for long. Where there are too many, the oldest
one without access is closed, so that a new one with access always finds a place.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import cast

HEADER_TIMEOUT = 10.0
"""Seconds from a connection's start to the end of its first request's headers."""
REQUEST_TIMEOUT = 60.0
"""Seconds from a request to the next: its body, its response and the pause after it."""
MAX_PER_ADDRESS = 32
"""Connections. A browser opens six, and one for each dashboard, which is not counted."""
MAX_CONNECTIONS = 100
"""Connections of all addresses. Each takes a file descriptor, of which macOS gives a process 256."""

log = logging.getLogger(__name__)


class LimitedConnection(asyncio.Protocol):
    """Connection that passes everything to the protocol of the web server, and that its limits can close."""

    def __init__(self, inner: asyncio.Protocol, limits: "ConnectionLimits") -> None:
        self._inner, self._limits = inner, limits
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.address = ""
        self.has_access = False
        """Whether its last request had access."""
        self.is_dashboard = False
        """Whether it is the open WebSocket of a dashboard, which has limits of its own."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the deadline of the first request."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        self.set_deadline(HEADER_TIMEOUT)
        self._inner.connection_made(transport)
        self._limits.add(self._transport, self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the connection's place to another."""
        self.set_deadline(None)
        if self._transport is not None:
            self._limits.remove(self._transport)
        self._inner.connection_lost(exc)

    def set_deadline(self, seconds: float | None) -> None:
        """Close the connection after so many seconds, or never."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else asyncio.get_running_loop().call_later(seconds, self.abort)

    def abort(self) -> None:
        """Close the connection without waiting for its client. It leaves its place at once: many begin in one turn."""
        if self._transport is not None:
            self._limits.remove(self._transport)
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on."""
        try:
            self._inner.data_received(data)
        except ValueError:  # of a URL, from aiohttp before 3.14
            log.warning("malformed request from %s", self.address)
            self.abort()

    def eof_received(self) -> bool | None:
        """Pass the end on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass on that the client reads slowly."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on that the client reads again."""
        self._inner.resume_writing()


class ConnectionLimits:
    """Factory and table of the connections."""

    def __init__(self, create: Callable[[], asyncio.Protocol]) -> None:
        """`create` returns the protocol of the web server for a new connection."""
        self._create = create
        self._by_transport: dict[asyncio.BaseTransport, LimitedConnection] = {}
        """The one whose last request is the oldest is first."""

    def __call__(self) -> LimitedConnection:
        """Return the protocol of a new connection."""
        return LimitedConnection(self._create(), self)

    def add(self, transport: asyncio.BaseTransport, connection: LimitedConnection) -> None:
        """Add a connection, and close those that are too many."""
        self._by_transport[transport] = connection
        of_address = [each for each in self._closable() if each.address == connection.address]
        if len(of_address) > MAX_PER_ADDRESS:
            _abort_oldest(of_address)
        elif len(every := list(self._closable())) > MAX_CONNECTIONS:
            _abort_oldest(every)

    def remove(self, transport: asyncio.BaseTransport) -> None:
        """Remove a connection that has ended."""
        self._by_transport.pop(transport, None)

    def on_request(self, transport: asyncio.BaseTransport | None) -> LimitedConnection | None:
        """Return the connection of a request that has begun, with a new deadline; None if it has ended."""
        connection = self._by_transport.pop(transport, None) if transport is not None else None
        if connection is not None and transport is not None:
            self._by_transport[transport] = connection
            connection.set_deadline(REQUEST_TIMEOUT)
        return connection

    def _closable(self) -> Iterator[LimitedConnection]:
        return (each for each in self._by_transport.values() if not each.is_dashboard)


def _abort_oldest(connections: list[LimitedConnection]) -> None:
    without_access = [each for each in connections if not each.has_access]
    (without_access or connections)[0].abort()
