"""Takes the encoding off a file as it comes, in constant memory. Some stores apply one whatever was asked for."""

import zlib
from collections.abc import Iterator

KNOWN = {"gzip": 47, "x-gzip": 47, "deflate": 15}
"""Encodings that can be taken off, with zlib's window bits."""


class Inflater:
    """One body's."""

    def __init__(self, encoding: str, most: int) -> None:
        """`most`: bytes that are given at once. Raises KeyError for an encoding that is not KNOWN."""
        self._zlib = zlib.decompressobj(wbits=KNOWN[encoding])
        self._most = most

    @property
    def done(self) -> bool:
        """The whole body was there."""
        return self._zlib.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What some more of the body says, piece by piece. Raises zlib.error where it is damaged."""
        while not self._zlib.eof:
            piece = self._zlib.decompress(data, self._most)
            data = self._zlib.unconsumed_tail
            yield piece
            if not data and len(piece) < self._most:
                return
