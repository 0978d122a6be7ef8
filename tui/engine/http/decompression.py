"""Decompressor for response bodies in constant memory. Some servers compress whatever was requested."""

import zlib
from collections.abc import Iterator

WINDOW_BITS = {"gzip": 47, "x-gzip": 47, "deflate": 15}
"""zlib's window bits, by supported Content-Encoding."""


class StreamDecompressor:
    """Decompressor of one body, fed in pieces."""

    def __init__(self, encoding: str, max_chunk: int) -> None:
        """Start a body. `max_chunk`: bytes returned at once. Raises KeyError for an encoding not in WINDOW_BITS."""
        self._zlib = zlib.decompressobj(wbits=WINDOW_BITS[encoding])
        self._max_chunk = max_chunk

    @property
    def is_complete(self) -> bool:
        """Whether the end of the compressed data was reached."""
        return self._zlib.eof

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes of `data` in chunks. Raises zlib.error for damaged data."""
        while not self._zlib.eof:
            chunk = self._zlib.decompress(data, self._max_chunk)
            data = self._zlib.unconsumed_tail
            yield chunk
            if not data and len(chunk) < self._max_chunk:
                return
