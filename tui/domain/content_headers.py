"""Parser of a file response's headers: byte range, size, validator and digest.

Header names are in lower case. Nothing raises, whatever the headers contain.
"""

import re
from binascii import Error, a2b_base64
from collections.abc import Iterator, Mapping

from msgspec import Struct

_CONTENT_RANGE = r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)"
_UNSATISFIED_RANGE = r"bytes \*/([0-9]{1,18})"
_NO_CODINGS = frozenset(
    {
        *("", "identity", "none", "null", "binary", "7bit", "8bit", "aws-chunked", "chunked"),
        *("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1"),
    }
)
"""Values of Content-Encoding that stores send with plain bytes: charsets, and encodings of mail and of transfer."""
_DIGEST_ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256", "sha512": "sha512", "sha256": "sha256", "md5": "md5"}
"""Digest names in headers, the strongest first, with hashlib's names."""
_FILE_DIGEST_HEADERS = ("repr-digest", "digest", "x-goog-hash")
"""Headers about the whole file, also in a partial response (RFC 9530, RFC 3230, Google Cloud Storage)."""
_BODY_DIGEST_HEADERS = ("content-digest",)
"""Headers about the response body (RFC 9530)."""


class Digest(Struct, frozen=True):
    """Digest of a file."""

    algorithm: str
    """For `hashlib.new`."""
    value: bytes


class ContentInfo(Struct, frozen=True, kw_only=True):
    """What a response with a file, or a part of it, states about the content."""

    start: int = 0
    """Bytes: offset of the body in the file."""
    length: int | None = None
    """Bytes of the body; None: not stated."""
    total: int | None = None
    """Bytes of the whole file; None: not stated."""
    validator: str = ""
    """For If-Range: a strong ETag, else Last-Modified; "": neither."""
    digest: Digest | None = None
    """Of the whole file."""
    media_type: str = ""
    disposition: str = ""
    codings: tuple[str, ...] = ()
    """Codings of the body, in the order of their application. With one, size and digest are unknown: the headers are
    about the encoded body."""


def parse_content_headers(status: int, headers: Mapping[str, str]) -> ContentInfo | None:
    """Return the content of a response with status 200 or 206; None: a 206 without a valid Content-Range."""
    length = _parse_number(headers.get("content-length", ""))
    start, total = 0, length
    if status == 206:
        ranged = re.fullmatch(_CONTENT_RANGE, headers.get("content-range", "").strip())
        if ranged is None or int(ranged[2]) < int(ranged[1]):
            return None
        start, length, total = int(ranged[1]), int(ranged[2]) - int(ranged[1]) + 1, _parse_number(ranged[3])
    codings = parse_codings(headers.get("content-encoding", ""))
    media, disposition = headers.get("content-type", ""), headers.get("content-disposition", "")
    if codings or _is_transcoded(headers):
        return ContentInfo(media_type=media, disposition=disposition, codings=codings) if start == 0 else None
    return ContentInfo(
        start=start,
        length=length,
        total=total,
        validator=_validator(headers),
        digest=next(_parse_digests(headers, is_whole_file=status != 206), None),
        media_type=media,
        disposition=disposition,
    )


def parse_codings(content_encoding: str) -> tuple[str, ...]:
    """Return the codings of a Content-Encoding header in the order of their application, those without effect left out.

    The header is a list (RFC 9110 §8.4).
    """
    codings = (each.partition(";")[0].strip().lower() for each in content_encoding.split(","))
    return tuple(coding for coding in codings if coding not in _NO_CODINGS)


def _is_transcoded(headers: Mapping[str, str]) -> bool:
    """Return whether the store decompressed the file on its way: its digest and length are the compressed form's."""
    return bool(parse_codings(headers.get("x-goog-stored-content-encoding", "")))


def unsatisfied_range_size(headers: Mapping[str, str]) -> int | None:
    """Return the size of the file in bytes, from a 416 response; None: not stated."""
    match = re.fullmatch(_UNSATISFIED_RANGE, headers.get("content-range", "").strip())
    return int(match[1]) if match else None


def _validator(headers: Mapping[str, str]) -> str:
    """Return a strong ETag, or a Last-Modified that is not the response's own date (RFC 9110 §8.8.2.2), else ""."""
    etag = headers.get("etag", "").strip()
    if len(etag) > 2 and etag[0] == etag[-1] == '"':
        return etag
    modified = headers.get("last-modified", "").strip()
    return modified if modified and modified != headers.get("date", "").strip() else ""


def _parse_number(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,18}", text.strip()) else None


def _parse_digests(headers: Mapping[str, str], *, is_whole_file: bool) -> Iterator[Digest]:
    """Yield the digests of the whole file, the strongest first."""
    digests: dict[str, str] = {}
    for header in _FILE_DIGEST_HEADERS + _BODY_DIGEST_HEADERS * is_whole_file:
        for part in headers.get(header, "").split(","):
            name, equals, value = part.strip().partition("=")
            if equals:
                digests.setdefault(name.strip().lower(), value.strip().strip(":"))
    digests.setdefault("sha256", headers.get("x-amz-checksum-sha256", ""))  # with -3 at its end: of three digests
    if is_whole_file:
        digests.setdefault("md5", headers.get("content-md5", "").strip())
    for name, hashed in _DIGEST_ALGORITHMS.items():
        value = _decode_base64(digests.get(name, ""))
        if value and len(value) == {"sha512": 64, "sha256": 32, "md5": 16}[hashed]:
            yield Digest(hashed, value)


def _decode_base64(text: str) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        return b""
