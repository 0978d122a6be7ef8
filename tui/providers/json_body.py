"""JSON bodies: decoding, values found by pointers, and a description of a body that is not JSON.

Damage that RFC 8259 does not permit, but that services send, must not hide a status: a body that is not strict JSON is
decoded again leniently, by the slower parser of the standard library.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tui.presentation.sanitize import clean, mask_urls
from tui.providers.json_pointer import Item, Json, Pointer

MAX_EXCERPT = 120
"""Characters of a body that is not JSON in a fault's message: enough for a gateway's title."""

_BOM = b"\xef\xbb\xbf"
_EXCERPT_SOURCE_BYTES = 8192
"""Bytes of a body that are searched for a title or an excerpt."""
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]*)", re.IGNORECASE)
_JSON = msgspec.json.Decoder()
_CHARSET = re.compile(
    r"charset=\"?(iso-8859-[0-9]{1,2}|latin-?1|windows-125[0-9]|shift_jis|euc-(?:jp|kr)|gb(?:k|2312|18030)|big5)\b"
)
"""Declared charset other than UTF-8. All contain ASCII, so that a key in the body was found and removed before; and not
every codec of Python is safe with bytes from outside."""
_ESCAPE = re.compile(
    r"(\\[\"\\/bfnrt]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})"
    r"|\\u[dD][89a-fA-F][0-9a-fA-F]{2}|\\"
)
"""Escape: group 1 is a valid one; else half of a surrogate pair, or the backslash of an invalid or a cut one."""
MAX_WHOLE_FLOAT = 2.0**53
"""Below it, a float without a fraction is a whole number, such as an id, and every one is exact."""
MAX_DIGITS = 300
"""Digits of an integer; Python's own limit raises an error."""


class NotJsonError(ValueError):
    """Body that cannot be decoded; the text describes it."""


def decode(body: bytes, content_type: str = "") -> Json:
    """Return the value of a JSON body; of a duplicate key, the last. Raises NotJsonError.

    `content_type`: the header, for the charset of a body that is not UTF-8.
    """
    try:
        return _JSON.decode(body.removeprefix(_BOM))
    except RecursionError:
        raise NotJsonError("JSON nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _decode_leniently(body, content_type)


def is_json(body: bytes | None) -> bool:
    """Return whether a body can be decoded."""
    try:
        decode(body or b"")
    except NotJsonError:
        return False
    return True


def _decode_leniently(body: bytes, content_type: str) -> Json:
    """Return the value of almost-JSON: damaged text becomes U+FFFD, a number that is none becomes null.

    A byte that is not of the charset, half of a surrogate pair, an escape that was cut or that JSON does not have, raw
    control characters in a text, NUL at the end, NaN, Infinity, and numbers out of range do not matter. Raises
    NotJsonError.
    """
    text = _text(body, content_type).rstrip("\0 \t\r\n")
    try:
        return _LENIENT_JSON.decode(_ESCAPE.sub(lambda escape: escape[1] or "\ufffd", text))
    except json.JSONDecodeError as error:
        raise NotJsonError(_describe_non_json(text, error)) from None
    except RecursionError:
        raise NotJsonError("JSON nested too deeply") from None


def _text(body: bytes, content_type: str) -> str:
    """Return the text of a body, by the declared charset or as UTF-8."""
    charset = _CHARSET.search(content_type.lower())
    encoding = charset[1] if charset else "utf-8"
    try:
        return body.decode(encoding, "replace").removeprefix("\ufeff")
    except LookupError:  # a part of ISO 8859 that does not exist
        return body.decode("utf-8", "replace")


def _int(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_DIGITS else None


def _float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


_LENIENT_JSON = json.JSONDecoder(strict=False, parse_int=_int, parse_float=_float, parse_constant=lambda _name: None)


def find_texts(
    pointers: Sequence[Pointer],
    body: Json | Item,
    headers: Mapping[str, str],
    null_strings: Sequence[str] = (),
    *,
    with_booleans: bool = False,
) -> Iterator[str]:
    """Yield every string and number that the pointers find, as text, in order, without blank and null strings.

    `with_booleans`: also `true` and `false`.
    """
    for pointer in pointers:
        for value in pointer.evaluate(body, headers):
            text = str(value).lower() if with_booleans and isinstance(value, bool) else as_text(value)
            if text is not None and text.strip() and text.strip().lower() not in null_strings:
                yield text


def find_shown_text(
    pointers: Sequence[Pointer],
    body: Json | Item,
    headers: Mapping[str, str],
    null_strings: Sequence[str],
    max_length: int,
) -> str | None:
    """Return the first text that the pointers find, sanitized and cut, with masked URLs; None: there is none."""
    for found in find_texts(pointers, body, headers, null_strings):
        return mask_urls(clean(found, max_length))[:max_length] or None
    return None


def as_text(value: Json) -> str | None:
    """Return a string unchanged, a number as text (3 and 3.0 as `3`), None for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < MAX_WHOLE_FLOAT else repr(value)
    return None


def _describe_non_json(text: str, error: json.JSONDecodeError) -> str:
    """Return a description of a body that failed to decode as JSON with `error`."""
    head = text[:_EXCERPT_SOURCE_BYTES].strip()
    if not head:
        return "an empty body"
    if head.startswith("<"):
        title = _TITLE.search(head)
        found = clean(title[1], MAX_EXCERPT) if title else ""
        return f"HTML, not JSON: “{found}”" if found else "HTML, not JSON"
    if head[0] in '{["':
        is_truncated = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        return "truncated JSON" if is_truncated else f"invalid JSON ({error.msg}, character {error.pos + 1})"
    return f"“{clean(head, MAX_EXCERPT)}”, not JSON"
