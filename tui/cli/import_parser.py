"""Parser for the input of `add -`: ids or links by line, CSV with a header row, JSON as an array or a value per line.

Reads the output of `export` and `list --json`, and ignores what is no field of a watchlist.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from tui.presentation.sanitize import clean

MAX_TEXT_LENGTH = 10_000
"""Characters of a label, a tag or a note."""
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", ""})


class ImportRecord(NamedTuple):
    """Job with the fields that the input has."""

    id: str
    """Id or link; only an id if `fields` has an account."""
    fields: Mapping[str, Any]
    """Values by the names of `Job`'s fields."""


class InvalidRecord(NamedTuple):
    """Part of the input that is no job."""

    location: str
    reason: str


def parse_records(text: str) -> Iterator[ImportRecord | InvalidRecord]:
    """Yield the jobs of a text in its order, with an InvalidRecord for each part that is none."""
    from tui.cli import csv_format  # `csv` and `io` take 4 ms, and ids in arguments need neither

    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith(("{", "[")):
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
    """Yield each JSON value, or element of an array, with its location; an InvalidRecord for what is no JSON."""
    document = _decode_json(text)
    if isinstance(document, list):
        yield from ((f"element {at}", each) for at, each in enumerate(cast("list[object]", document), 1))
    elif not isinstance(document, InvalidRecord):
        yield "line 1", document
    elif text.lstrip().startswith("["):
        yield "the array", document
    else:
        lines = enumerate(text.split("\n"), 1)
        yield from ((f"line {number}", _decode_json(line)) for number, line in lines if line.strip())


def _decode_json(text: str) -> object:
    import msgspec

    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return InvalidRecord("", f"invalid JSON: {clean(str(error), 200)}")


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
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"expected a time such as 2026-11-21T20:14:00Z, not {clean(repr(value), 80)}") from None


_FIELD_PARSERS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(("account", "kind", "label"), _parse_text),
    "note": _parse_note,
    "tags": _parse_tags,
    "added": _parse_instant,
    **dict.fromkeys(("keep_link", "download", "muted", "archived"), _parse_bool),
}
"""Parsers of `Job`'s fields except its id."""
