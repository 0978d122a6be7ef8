"""Masking of a secret in bytes and text, however its characters are written.

A service echoes a key as its encoder writes it: in JSON (also JSON within JSON), URLs, HTML, shell quoting, another
case, or with invisible characters, which are removed before the text is shown. So secret and text are compared in a
plain form, in which every character has one spelling. All of it takes linear time.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import lru_cache
from operator import itemgetter

MASK = b"***"
"""Replaces a secret."""
MAX_DEPTH = 3
"""Encodings of different kinds within each other, as HTML in a URL. Of one kind, any number is undone at once."""

_AMPERSAND = rb"(?:&|\\+u0026|%(?:25)*26)(?:amp;)*"
_PERCENT = rb"(?:%|\\+u0025|" + _AMPERSAND + rb"(?:#0*37|#x0*25|percnt);)(?:25)*"
_INVISIBLE = (
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f\xad]"
    rb"|\xe2\x80[\x8b-\x8f\xaa-\xae]|\xe2\x81[\xa0-\xaf]|\xef\xbb\xbf"
)
"""Characters that `sanitize.clean` removes, in UTF-8."""
_SPELLING = (
    rb"(?i)(?:\x1b|\\+u001b)\[[0-?]*[@-~]?|"  # control sequence, which is not shown either
    + _PERCENT
    + rb"(?P<byte>[0-9a-f]{2})|"
    + _AMPERSAND
    + rb"(?:#0*(?P<decimal>[0-9]{1,7})|#x0*(?P<hexadecimal>[0-9a-f]{1,6})|(?P<entity>[a-z][a-z0-9]{1,31}));"
    rb"|\\+(?:u(?P<json>[0-9a-f]{4})|u\{0*(?P<braces>[0-9a-f]{1,6})\}|x(?P<x>[0-9a-f]{2})|(?P<octal>[0-3]?[0-7]{2})"
    rb"|(?P<itself>[^\\%&])|)"
    rb"|'(?:\\+'|\\*\"'\\*\")(?P<apostrophe>')"  # as a shell needs it: closed, quoted, opened again
    rb"|" + _INVISIBLE
)
"""Character in another spelling than itself."""
_INTRODUCERS = rb"[\\%&\x00-\x08\x0b\x0c\x0e-\x1f\x7f\xc2\xe2\xef]|'\""
"""Starts of other spellings. Most responses of a running job have none."""


def mask(data: bytes, secret: str) -> bytes:
    """Return the bytes with every spelling of the secret replaced by `***`."""
    forms = _forms(secret)
    for form in forms:
        data = _mask_at_depth(data, form, 0)
    if re.search(_INTRODUCERS, data):
        layers = _layers(data)
        for form in forms:
            for depth in range(1, MAX_DEPTH + 1):
                if depth < len(layers) and form in layers[depth]:
                    data = _mask_at_depth(data, form, depth)
                    layers = _layers(data)
    return data


def mask_text(text: str, secret: str) -> str:
    """Return the text with every spelling of the secret replaced by `***`."""
    data = text.encode("utf-8", "surrogatepass")
    masked = mask(data, secret)
    return text if masked is data else masked.decode("utf-8", "replace")


@lru_cache(maxsize=256)
def _forms(secret: str) -> tuple[bytes, ...]:
    """Return the secret as bytes, in lower case, and its plain forms."""
    encodings = {secret.encode(), secret.encode("latin-1", "replace")}
    return tuple(dict.fromkeys(form for each in encodings for form in (each.lower(), *_layers(each)[1:]) if form))


def _layers(data: bytes) -> list[bytes]:
    """Return the data, its plain form, and the plain forms of that until nothing changes, at most MAX_DEPTH."""
    layers = [data]
    while len(layers) <= MAX_DEPTH and (plain := _plain(layers[-1])) != layers[-1]:
        layers.append(plain)
    return layers


def _mask_at_depth(data: bytes, form: bytes, depth: int) -> bytes:
    """Return the data with what is `form` in its plain form of this depth masked."""
    layers = _layers(data)[: depth + 1] if depth else [data.lower()]
    spans: Iterable[tuple[int, int]] = _find(layers[-1], form)
    for layer in reversed(layers[:-1]):
        spans = _original_spans(layer, spans)
    return _replace(data, spans)


def _find(data: bytes, part: bytes) -> Iterator[tuple[int, int]]:
    """Yield the spans of `part`, which do not overlap."""
    start = data.find(part)
    while start >= 0:
        yield start, start + len(part)
        start = data.find(part, start + len(part))


def _replace(data: bytes, spans: Iterable[tuple[int, int]]) -> bytes:
    """Return the data with each span replaced by MASK."""
    parts: list[bytes] = []
    end = 0
    for start, next_end in spans:
        parts += data[end:start], MASK
        end = next_end
    return b"".join([*parts, data[end:]]) if parts else data


def _plain(data: bytes) -> bytes:
    """Return the plain form: each character in its own spelling, in lower case, without backslashes."""
    return re.sub(_SPELLING, _plain_character, data).lower().replace(b" ", b"+")  # as in a query


def _plain_character(spelling: "re.Match[bytes]") -> bytes:
    group = spelling.lastgroup
    if group is None:
        return b""
    value = spelling[group]
    if group in {"itself", "apostrophe"}:
        return value
    if group == "byte":
        return bytes.fromhex(value.decode())
    if group == "entity":
        return _entity(value) or spelling[0]
    return _character(int(value, {"decimal": 10, "octal": 8}.get(group, 16)))


@lru_cache(maxsize=1024)
def _character(code: int) -> bytes:
    """Return the character of a code point, or nothing for one that is not shown."""
    character = chr(min(code, 0x10FFFF)).encode("utf-8", "surrogatepass")
    return b"" if re.fullmatch(_INVISIBLE, character) else character


@lru_cache(maxsize=256)
def _entity(name: bytes) -> bytes:
    """Return the character of a named entity, in UTF-8; nothing for an unknown name."""
    from html.entities import html5  # 1 ms that `list` does not need

    text = name.decode()
    return html5.get(f"{text};", html5.get(f"{text.lower()};", "")).encode()


def _original_spans(data: bytes, found: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the spans of the data that `found`, spans of its plain form, stand for."""
    parts: list[tuple[int, int, int, int]] = []
    """Start in the plain form, length there, start and end in the data."""
    plain_end = data_end = 0
    for spelling in re.finditer(_SPELLING, data):
        for start, end, length in (
            (data_end, spelling.start(), spelling.start() - data_end),
            (*spelling.span(), len(_plain_character(spelling))),
        ):
            if length:
                parts.append((plain_end, length, start, end))
                plain_end += length
            data_end = end
    parts.append((plain_end, len(data) - data_end, data_end, len(data)))

    def part_at(position: int) -> tuple[int, int]:
        plain_start, length, start, end = parts[bisect_right(parts, position, key=itemgetter(0)) - 1]
        offset = start + position - plain_start
        return (offset, offset + 1) if length == end - start else (start, end)

    for first, end in found:
        yield part_at(first)[0], part_at(end - 1)[1]
