"""Body of a file response: decoded in chunks, with its rate measured. Writing is left to the transfer."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

import httpx

from tui.engine.http.decompression import StreamDecompressor

DECODED_CHUNK = 1024 * 1024
"""Bytes that are decoded at once."""
MIN_RATE = 10_000
"""Bytes per second below which a transfer yields to others that wait."""


class YieldedError(Exception):
    """The transfer is slow and gave its place to others; it can be resumed."""


class RateMeter:
    """Meter of received bytes per second, over windows of a fixed length."""

    def __init__(self, window: float, time: Callable[[], float]) -> None:
        """Start the first window. `window`: seconds; `time` returns seconds."""
        self._window, self._time = window, time
        self._began_at, self._received = time(), 0
        self.is_slow = False
        """Whether the last complete window was below MIN_RATE."""

    def add(self, size: int) -> None:
        """Count received bytes."""
        self._received += size
        elapsed = self._time() - self._began_at
        if elapsed >= self._window:
            self.is_slow = self._received < MIN_RATE * elapsed
            self._began_at, self._received = self._time(), 0


class Body:
    """Body of one response, read once."""

    def __init__(
        self, response: httpx.Response, codings: Sequence[str], rate: RateMeter, must_yield: Callable[[], bool]
    ) -> None:
        """Prepare the body. Raises UndecodableError for an unsupported coding."""
        self._decompressor = StreamDecompressor(codings, DECODED_CHUNK) if codings else None
        self._rate, self._must_yield = rate, must_yield
        self._chunks = self._decoded(response)

    @property
    def is_complete(self) -> bool:
        """Whether the encoded data ended where it may end."""
        return self._decompressor is None or self._decompressor.is_complete

    async def read_head(self, size: int) -> bytes:
        """Return at least the first `size` decoded bytes, or all. Raises what `chunks` raises."""
        head = bytearray()
        async for chunk in self._chunks:
            head += chunk
            if len(head) >= size:
                break
        return bytes(head)

    async def aclose(self) -> None:
        """Close the body: what was not read stays unread."""
        await self._chunks.aclose()

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the decoded bytes that were not read yet.

        Raises UndecodableError, YieldedError, TimeoutError, or httpx.TransportError.
        """
        return self._chunks

    async def _decoded(self, response: httpx.Response) -> AsyncGenerator[bytes, None]:
        async for chunk in response.aiter_raw():
            self._rate.add(len(chunk))
            if self._rate.is_slow and self._must_yield():
                raise YieldedError
            if self._decompressor is None:
                yield chunk
            else:
                for data in self._decompressor.decompress(chunk):
                    yield data
