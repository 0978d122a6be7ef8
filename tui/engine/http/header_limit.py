"""A bound on what comes before a reply's own headers, for one connection. httpcore has none for 1xx replies.

A service that sends those for ever would have it parse each read of 64 KiB for a tenth of a second, as long as the ask
may last, and every account's asks wait for the loop.
"""

import math
from collections.abc import Mapping
from typing import Any

import httpcore
import httpx

MAX_HEADER_BYTES = 128 * 1024
"""Bytes of a reply until its headers are complete. h11 bounds each single head at 100 KiB."""
READ_SIZE = 8192
"""Bytes of them that are read, and parsed in one turn of the loop: some milliseconds, whatever is sent."""


class HeaderSizeLimit:
    """One connection's: the `trace` extension of each of its requests, or the `request` event hook of its client."""

    def __init__(self) -> None:
        self._remaining = math.inf
        """Bytes that may still come."""

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        """Httpcore tells of a step."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._limit_reads(info["return_value"])
        elif event.endswith(".receive_response_headers.started"):
            self._remaining = MAX_HEADER_BYTES
        elif event.endswith(".receive_response_headers.complete"):
            self._remaining = math.inf

    async def install(self, request: httpx.Request) -> None:
        """Has the reply to this request bounded."""
        request.extensions["trace"] = self

    def _limit_reads(self, stream: httpcore.AsyncNetworkStream) -> None:
        """Has the stream's reads counted: the way in that httpcore leaves, but for a network of one's own."""
        read = stream.read

        async def limited_read(max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  httpcore's
            if self._remaining == math.inf:
                return await read(max_bytes, timeout)
            if self._remaining <= 0:
                raise httpcore.RemoteProtocolError(f"{MAX_HEADER_BYTES // 1024} KiB came without an end of the headers")
            data = await read(READ_SIZE, timeout)
            self._remaining -= len(data)
            return data

        stream.read = limited_read
