"""Decompressor for response bodies, in bounded memory and time. Some servers compress whatever was requested.

Reading the header Content-Encoding is left to `domain.content_headers`.
"""

import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from tui.presentation.sanitize import clean

MAX_CODINGS = 3
"""Codings of one body. Nested ones multiply what a few bytes decompress to."""
MAX_INFLATION = 30
"""Decompressed bytes for each byte received. Text has at most about 20, media less than 2."""
INFLATION_FLOOR = 32 * 1024 * 1024
"""Bytes below which any inflation is accepted."""
MAX_SMALL_MEMBERS, SMALL_MEMBER = 1000, 4096
"""Gzip members of fewer decompressed bytes, and how many of them a body may have: each costs time, not memory."""
_PIECE = 16 * 1024
"""Bytes given to zlib at once: it copies what it has not used."""
_GZIP_OR_ZLIB, _GZIP, _ZLIB, _RAW = 47, 31, 15, -15
"""Window bits of zlib's `decompressobj`, by the expected header."""


class UndecodableError(Exception):
    """A body has an unsupported Content-Encoding, or is damaged. The message continues "the response has "."""


class StreamDecompressor:
    """Decompressor of one body, fed in pieces."""

    def __init__(self, codings: Sequence[str], max_chunk: int) -> None:
        """Start a body with these codings, in the order of their application. `max_chunk`: bytes returned at once.

        Raises UndecodableError for a coding that is not supported, or too many of them.
        """
        unknown = [coding for coding in codings if coding not in _FIRST_WINDOW]
        if unknown or len(codings) > MAX_CODINGS:
            shown = clean(", ".join(unknown or codings), 40)
            raise UndecodableError(f"an unsupported Content-Encoding: {shown}")
        self._received = 0
        self._decoders = [_CodingDecoder(coding, max_chunk, lambda: self._received) for coding in reversed(codings)]

    @property
    def is_complete(self) -> bool:
        """Whether the compressed data ended where it may end."""
        return all(decoder.is_complete for decoder in self._decoders)

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """Yield the decompressed bytes of `data` in chunks. Raises UndecodableError for damaged data."""
        self._received += len(data)
        chunks: Iterable[bytes] = (data,)
        for decoder in self._decoders:
            chunks = decoder.decompress(chunks)
        yield from chunks


class _ZlibStream(Protocol):
    """Object of `zlib.decompressobj`, whose type is private."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _CodingDecoder:
    """Decompressor of one coding: the members of gzip, or one deflate stream."""

    def __init__(self, coding: str, max_chunk: int, received: Callable[[], int]) -> None:
        self._coding, self._max_chunk, self._received = coding, max_chunk, received
        self._zlib: _ZlibStream | None = None
        self._head = b""
        self._output_size = self._member_size = self._small_members = 0
        self.is_complete = False

    def decompress(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            for start in range(0, len(chunk), _PIECE):
                try:
                    yield from self._feed(chunk[start : start + _PIECE])
                except zlib.error:
                    raise UndecodableError(f"damaged {self._coding} data") from None

    def _feed(self, data: bytes) -> Iterator[bytes]:
        has_more = False
        while data or has_more:
            if self._zlib is None:
                data = self._begin(data)
                if self._zlib is None:
                    return
            output = self._zlib.decompress(data, self._max_chunk)
            self._count(len(output))
            yield output
            if self._zlib.eof:
                data, has_more = self._zlib.unused_data, False
                self._end_member()
            else:
                data, has_more = self._zlib.unconsumed_tail, len(output) == self._max_chunk

    def _begin(self, data: bytes) -> bytes:
        """Start a stream or a further member, and return its first bytes; padding and trailing data are skipped."""
        if self.is_complete:
            data = data.lstrip(b"\0") if self._coding != "deflate" else b""
            if data:
                self.is_complete, self._zlib = False, zlib.decompressobj(_GZIP)
            return data
        data, self._head = self._head + data, b""
        if len(data) < 2:
            self._head = data
            return b""
        has_zlib_header = data[0] & 0x0F == zlib.DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0
        raw = self._coding == "deflate" and not has_zlib_header
        self._zlib = zlib.decompressobj(_RAW if raw else _FIRST_WINDOW[self._coding])
        return data

    def _count(self, size: int) -> None:
        self._output_size += size
        self._member_size += size
        if self._output_size > max(INFLATION_FLOOR, MAX_INFLATION * self._received()):
            raise UndecodableError(f"{self._coding} data that inflates to more than {MAX_INFLATION} times its size")

    def _end_member(self) -> None:
        self.is_complete, self._zlib = True, None
        self._small_members += self._member_size < SMALL_MEMBER
        self._member_size = 0
        if self._small_members > MAX_SMALL_MEMBERS:
            raise UndecodableError(f"{self._coding} data in more than {MAX_SMALL_MEMBERS} tiny parts")


_FIRST_WINDOW = {"gzip": _GZIP_OR_ZLIB, "x-gzip": _GZIP_OR_ZLIB, "deflate": _ZLIB}
"""Window bits of a body's first stream, by supported coding. Deflate is zlib's, by RFC 9110, or raw in practice."""
