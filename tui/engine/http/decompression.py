"""Takes the encoding off a file as it comes, in constant memory. Some stores apply one whatever was asked for."""

import zlib
from collections.abc import Iterator

WINDOW_BITS = {"gzip": 47, "x-gzip": 47, "deflate": 15}
"""Encodings that can be taken off, with zlib's window bits."""


class StreamDecompressor:
    """One body's."""

    def __init__(self, encoding: str, max_chunk: int) -> None:
        """`most`: bytes that are given at once. Raises KeyError for an encoding that is not KNOWN."""
        self._zlib = zlib.decompressobj(wbits=WINDOW_BITS[encoding])
        self._max_chunk = max_chunk

    @property
    def is_complete(self) -> bool:
        """The whole body was there."""
        return self._zlib.eof

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """What some more of the body says, piece by piece. Raises zlib.error where it is damaged."""
        while not self._zlib.eof:
            chunk = self._zlib.decompress(data, self._max_chunk)
            data = self._zlib.unconsumed_tail
            yield chunk
            if not data and len(chunk) < self._max_chunk:
                return
