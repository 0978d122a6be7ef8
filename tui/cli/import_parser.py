"""Parser for the input of `add -`: ids or links by line, CSV with a header row, or a stream of JSON values.

Reads the output of `export` and `list --json`, and ignores what is no field of a watchlist.
"""

import codecs
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from tui.presentation.sanitize import clean
from tui.storage.config.secrets import Secret, SecretError, SecretSource

MAX_TEXT_LENGTH = 10_000
"""Characters of a label, a tag or a note."""
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""Marks at the start of a text that name its encoding. Excel writes "Unicode text" as UTF-16 with one."""
_JSON_SEPARATORS = r"[\s\x1e,]*"
"""Text between two values of a stream: white space, commas, and the record separator of RFC 7464."""
_JSON_START = r"^[\[{\"]"
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", ""})


class ImportRecord(NamedTuple):
    """Job with the fields that the input has."""

    id: str
    """Id or link; only an id if `fields` has an account."""
    fields: Mapping[str, Any]
    """Values by the names of `Job`'s fields, and `secrets`."""


class InvalidRecord(NamedTuple):
    """Part of the input that is no job."""

    location: str
    reason: str


def decode(raw: bytes) -> str:
    """Return bytes as text: UTF-8, or the encoding that a byte order mark names. Raises ValueError for any other."""
    mark, encoding = next((each for each in _BYTE_ORDER_MARKS if raw.startswith(each[0])), (b"", "utf-8"))
    if b"\0\0" in {raw[0:3:2], raw[1:4:2]} and not mark:
        raise ValueError(_describe_encoding("UTF-16", "every second byte is 0"))
    try:
        return raw.removeprefix(mark).decode(encoding)
    except UnicodeDecodeError as error:
        if mark:
            raise ValueError(f"is damaged {encoding.upper()}: {error.reason}") from None
        line = raw.count(b"\n", 0, error.start) + 1
        raise ValueError(_describe_encoding("WINDOWS-1252", f"line {line}, byte 0x{raw[error.start]:02X}")) from None


def _describe_encoding(likely: str, found: str) -> str:
    return f"is not UTF-8 but probably {likely} ({found}): convert it with `iconv -f {likely} -t UTF-8`"


def parse_records(text: str) -> Iterator[ImportRecord | InvalidRecord]:
    """Yield the jobs of a text in its order, with an InvalidRecord for each part that is none."""
    from tui.cli import csv_format  # `csv` and `io` take 4 ms, and ids in arguments need neither

    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith(("{", "[")):  # `lstrip` also removes a record separator
        for location, value in _parse_json(text):
            yield _parse_record(location, value)
    elif delimiter := csv_format.detect_delimiter(text):
        yield from _parse_csv(text, delimiter)
    else:
        yield from (ImportRecord(line, {}) for line in text.split("\n") if line.strip())


def _parse_csv(text: str, delimiter: str) -> Iterator[ImportRecord | InvalidRecord]:
    import csv

    from tui.cli import csv_format

    line = 1
    try:
        for line, row in csv_format.read_rows(text, delimiter):
            yield _parse_record(f"line {line}", row)
    except csv.Error as error:
        yield InvalidRecord(f"after line {line}", f"invalid CSV: {error}")


def _parse_json(text: str) -> Iterator[tuple[str, object]]:
    """Yield each value of a stream, or element of its arrays, with its location; an InvalidRecord for what is no JSON.

    The values may be on lines of their own, on several lines, or concatenated. After an invalid one, reading continues
    at the next line that begins with a value.
    """
    import json

    decoder, line, counted = json.JSONDecoder(), 1, 0
    separators, start = re.compile(_JSON_SEPARATORS), re.compile(_JSON_START, re.MULTILINE)
    at = _match_end(separators, text, 0)
    while at < len(text):
        line, counted = line + text.count("\n", counted, at), at
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as error:
            yield f"line {line}", InvalidRecord("", f"invalid JSON: {clean(str(error), 200)}")
            following = start.search(text, at + 1)
            end = following.start() if following and text[at] != "[" else len(text)
        else:
            if isinstance(value, list):
                within = "" if line == 1 else f"line {line}, "
                yield from ((f"{within}element {n}", each) for n, each in enumerate(cast("list[object]", value), 1))
            else:
                yield f"line {line}", value
        at = _match_end(separators, text, end)


def _match_end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _parse_record(location: str, value: object) -> ImportRecord | InvalidRecord:
    """Return the job of a JSON value or a CSV row."""
    if isinstance(value, InvalidRecord):
        return InvalidRecord(location, value.reason)
    if isinstance(value, str):
        return ImportRecord(value, {})
    if not isinstance(value, dict):
        return InvalidRecord(location, "expected an id, or an object with an id")
    table = cast("dict[str, object]", value)
    job_id = table.get("id")
    if not isinstance(job_id, str) or not job_id.strip():
        return InvalidRecord(location, "has no id")
    fields: dict[str, Any] = {}
    for key, read in _FIELD_PARSERS.items():
        try:
            if key in table and (key == "added" or table[key] is not None):
                fields[key] = read(table[key])
        except (ValueError, TypeError) as error:
            return InvalidRecord(location, f"{key}: {error}")
    if not fields.get("account"):
        fields.pop("account", None)
    return ImportRecord(job_id.strip(), fields)


def _parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, not {clean(repr(value), 80)}")
    return clean(value, MAX_TEXT_LENGTH)


def _parse_note(value: object) -> str:
    return clean(value, MAX_TEXT_LENGTH, keep_lines=True) if isinstance(value, str) else _parse_text(value)


def _parse_tags(value: object) -> tuple[str, ...]:
    """Return the tags of a list or a cell."""
    if isinstance(value, str):
        import csv

        from tui.cli import csv_format

        try:
            value = list(csv_format.split_cell(value))
        except csv.Error as error:
            raise ValueError(str(error)) from None
    if not isinstance(value, list):
        raise TypeError("expected a list of texts")
    return tuple(dict.fromkeys(filter(None, map(_parse_text, cast("list[object]", value)))))


def _parse_bool(value: object) -> bool:
    word = value.strip().lower() if isinstance(value, str) else str(value).lower()
    if word not in _TRUE | _FALSE:
        raise ValueError(f"expected true or false, not {clean(repr(value), 80)}")
    return word in _TRUE


def _parse_instant(value: object) -> float | None:
    """Return an instant of ISO 8601, in UTC without an offset. None: an empty value."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise TypeError("expected a time such as 2026-11-21T20:14:00Z")
    try:
        at = datetime.fromisoformat(value.strip())
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        datetime.fromtimestamp(seconds, UTC)  # its year in UTC may be 0 or 10000, which no date-time can have
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time such as 2026-11-21T20:14:00Z, not {clean(repr(value), 80)}") from None
    return seconds


def _parse_secrets(value: object) -> dict[str, Secret | SecretSource]:
    """Return the secrets of a job, as in [job.secrets] of the watchlist."""
    from tui.storage.config.job_secrets import parse_secret

    if not isinstance(value, dict):
        raise TypeError("expected an object with a secret for each name")  # not the value, which may be one
    try:
        return {name: parse_secret(name, each) for name, each in cast("dict[str, object]", value).items()}
    except SecretError as error:
        raise ValueError(str(error).removeprefix("secrets.")) from None


_FIELD_PARSERS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(("account", "kind", "label"), _parse_text),
    "note": _parse_note,
    "tags": _parse_tags,
    "added": _parse_instant,
    **dict.fromkeys(("keep_link", "download", "muted", "archived"), _parse_bool),
    "secrets": _parse_secrets,
}
"""Parsers of `Job`'s fields except its id, and of its secrets."""
