"""What the headers of a file's reply say of it: which bytes come, of how many, and how to know that they are right.

Names of headers are in lower case. Nothing here raises, whatever the headers say.
"""

import re
from binascii import Error, a2b_base64
from collections.abc import Iterator, Mapping

from msgspec import Struct

_CONTENT_RANGE = r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)"
_UNSATISFIED_RANGE = r"bytes \*/([0-9]{1,18})"
_DIGEST_ALGORITHMS = {"sha-512": "sha512", "sha-256": "sha256", "sha512": "sha512", "sha256": "sha256", "md5": "md5"}
"""Digests by their names in headers, the strongest first, with Python's."""
_FILE_DIGEST_HEADERS = ("repr-digest", "digest", "x-goog-hash")
"""Headers about the whole file, even where a part of it comes (RFC 9530, RFC 3230, Google Cloud Storage)."""
_BODY_DIGEST_HEADERS = ("content-digest",)
"""Headers about the body that comes (RFC 9530)."""


class Digest(Struct, frozen=True):
    """What a file's bytes hash to."""

    algorithm: str
    """As `hashlib.new` takes it."""
    value: bytes


class ContentInfo(Struct, frozen=True, kw_only=True):
    """One reply that brings a file, or a part of it."""

    start: int = 0
    """Bytes of the file before the first one that comes."""
    length: int | None = None
    """Bytes that come; None: it is not said."""
    total: int | None = None
    """Bytes of the whole file; None: it is not said."""
    validator: str = ""
    """What If-Range takes: a strong ETag, else Last-Modified; "" where there is neither."""
    digest: Digest | None = None
    """Of the whole file."""
    media_type: str = ""
    disposition: str = ""
    encoding: str = ""
    """How the body is encoded; "" as it is. Of an encoded one nothing else is known: its headers are about the code."""


def parse_content_headers(status: int, headers: Mapping[str, str]) -> ContentInfo | None:
    """What a reply of status 200 or 206 brings; None: a 206 that does not say which bytes it brings."""
    length = _parse_number(headers.get("content-length", ""))
    start, total = 0, length
    if status == 206:
        ranged = re.fullmatch(_CONTENT_RANGE, headers.get("content-range", "").strip())
        if ranged is None or int(ranged[2]) < int(ranged[1]):
            return None
        start, length, total = int(ranged[1]), int(ranged[2]) - int(ranged[1]) + 1, _parse_number(ranged[3])
    encoding = headers.get("content-encoding", "").strip().lower()
    media, disposition = headers.get("content-type", ""), headers.get("content-disposition", "")
    if encoding not in {"", "identity"}:
        return ContentInfo(media_type=media, disposition=disposition, encoding=encoding) if start == 0 else None
    return ContentInfo(
        start=start,
        length=length,
        total=total,
        validator=_validator(headers),
        digest=next(_parse_digests(headers, is_whole_file=status != 206), None),
        media_type=media,
        disposition=disposition,
    )


def unsatisfied_range_size(headers: Mapping[str, str]) -> int | None:
    """How long the file is, in a reply that says that the wanted range lies outside of it (416)."""
    said = re.fullmatch(_UNSATISFIED_RANGE, headers.get("content-range", "").strip())
    return int(said[1]) if said else None


def _validator(headers: Mapping[str, str]) -> str:
    """Weak ETags promise nothing of the bytes; Last-Modified does if it was a while ago (RFC 9110 §8.8.2.2)."""
    etag = headers.get("etag", "").strip()
    if len(etag) > 2 and etag[0] == etag[-1] == '"':
        return etag
    modified = headers.get("last-modified", "").strip()
    return modified if modified and modified != headers.get("date", "").strip() else ""


def _parse_number(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,18}", text.strip()) else None


def _parse_digests(headers: Mapping[str, str], *, is_whole_file: bool) -> Iterator[Digest]:
    """The digests of the whole file, the strongest first."""
    said: dict[str, str] = {}
    for header in _FILE_DIGEST_HEADERS + _BODY_DIGEST_HEADERS * is_whole_file:
        for part in headers.get(header, "").split(","):
            name, equals, value = part.strip().partition("=")
            if equals:
                said.setdefault(name.strip().lower(), value.strip().strip(":"))
    said.setdefault("sha256", headers.get("x-amz-checksum-sha256", ""))  # with -3 at its end: of three digests
    if is_whole_file:
        said.setdefault("md5", headers.get("content-md5", "").strip())
    for name, hashed in _DIGEST_ALGORITHMS.items():
        value = _decode_base64(said.get(name, ""))
        if value and len(value) == {"sha512": 64, "sha256": 32, "md5": 16}[hashed]:
            yield Digest(hashed, value)


def _decode_base64(text: str) -> bytes:
    try:
        return a2b_base64(text, strict_mode=True)
    except (Error, ValueError):
        return b""
