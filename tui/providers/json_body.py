"""JSON bodies: decoding, values found by pointers, and a description of a body that is not JSON."""

import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from tui.presentation.sanitize import clean
from tui.providers.json_pointer import Json, Pointer

MAX_EXCERPT = 120
"""Characters of a body that is not JSON in a fault's message: enough for a gateway's title."""

_BOM = b"\xef\xbb\xbf"
_EXCERPT_SOURCE_BYTES = 8192
"""Bytes of a body that are searched for a title or an excerpt."""
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]*)", re.IGNORECASE)
_JSON = msgspec.json.Decoder()


class NotJsonError(ValueError):
    """Body that cannot be decoded; the text describes it."""


def decode(body: bytes) -> Json:
    """Return the value of a JSON body; of a duplicate key, the last. Raises NotJsonError."""
    try:
        return _JSON.decode(body.removeprefix(_BOM))
    except msgspec.DecodeError as error:
        raise NotJsonError(_describe_non_json(body, str(error))) from None
    except UnicodeDecodeError:
        raise NotJsonError("text that is not UTF-8") from None
    except RecursionError:
        raise NotJsonError("JSON nested too deeply") from None


def find_texts(
    pointers: Sequence[Pointer], body: Json, headers: Mapping[str, str], null_strings: Sequence[str] = ()
) -> Iterator[str]:
    """Yield every string and number that the pointers find, as text, in order, without blank and null strings."""
    for pointer in pointers:
        for value in pointer.evaluate(body, headers):
            text = as_text(value)
            if text is not None and text.strip() and text.strip().lower() not in null_strings:
                yield text


def as_text(value: Json) -> str | None:
    """Return a string unchanged, a number as text (3 and 3.0 as `3`), None for everything else."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return str(value)
    return f"{value:g}" if isinstance(value, float) else None


def _describe_non_json(body: bytes, error: str) -> str:
    """Return a description of a body that failed to decode as JSON with `error`."""
    head = body.removeprefix(_BOM)[:_EXCERPT_SOURCE_BYTES].decode("utf-8", "replace").strip()
    if not head:
        return "an empty body"
    if head.startswith("<"):
        title = _TITLE.search(head)
        text = clean(title[1], MAX_EXCERPT) if title else ""
        return f"HTML, not JSON: “{text}”" if text else "HTML, not JSON"
    if head[0] in '{["':
        return (
            "truncated JSON" if "truncated" in error else f"invalid JSON ({error.removeprefix('JSON is malformed: ')})"
        )
    return f"“{clean(head, MAX_EXCERPT)}”, not JSON"
