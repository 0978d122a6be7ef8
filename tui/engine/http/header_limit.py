"""Size limit for all headers of a response, 1xx responses included, which httpcore does not limit.

Endless 1xx responses would make httpcore parse each read of 64 KiB for 0.1 s until the deadline, and the requests of
every account would wait for the loop.
"""

import math
from collections.abc import Mapping
from typing import Any

import httpcore
import httpx

MAX_HEADER_BYTES = 128 * 1024
"""Bytes of a response until its headers are complete. h11 limits each single head to 100 KiB."""
HEADERS_TOO_LARGE = f"response headers exceed {MAX_HEADER_BYTES // 1024} KiB"
READ_SIZE = 8192
"""Bytes that are read and parsed in one turn of the loop: some milliseconds, whatever is sent."""


class HeaderSizeLimit:
    """Limit of one connection: `trace` extension of each of its requests, or `request` event hook of its client."""

    def __init__(self) -> None:
        self._remaining = math.inf
        """Bytes that may still be received."""

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Handle a trace event of httpcore."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._limit_reads(info["return_value"])
        elif event.endswith(".receive_response_headers.started"):
            self._remaining = MAX_HEADER_BYTES
        elif event.endswith(".receive_response_headers.complete"):
            self._remaining = math.inf

    async def install(self, request: httpx.Request) -> None:
        """Limit the response to this request."""
        request.extensions["trace"] = self

    def _limit_reads(self, stream: httpcore.AsyncNetworkStream) -> None:
        """Count the stream's reads. httpcore offers no other way in, except a network backend."""
        read = stream.read

        async def limited_read(max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  httpcore's
            if self._remaining == math.inf:
                return await read(max_bytes, timeout)
            if self._remaining <= 0:
                raise httpcore.RemoteProtocolError(HEADERS_TOO_LARGE)
            data = await read(READ_SIZE, timeout)
            self._remaining -= len(data)
            return data

        stream.read = limited_read
