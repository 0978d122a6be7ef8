"""What `add -` reads: ids or links, one a line; CSV whose first line has titles; JSON, an array or a value a line.

Whatever `export` and `list --json` write is read again. What is no part of a watchlist is passed over.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from tui.presentation.sanitize import clean

MAX_TEXT_LENGTH = 10_000
"""Characters of a label, a tag or a note."""
_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", ""})


class ImportRecord(NamedTuple):
    """One job, as far as it was said."""

    id: str
    """An id or a link; with `account` among the values an id and nothing else."""
    fields: Mapping[str, Any]
    """Values of `Job`'s fields by their names, and none that was not said."""


class InvalidRecord(NamedTuple):
    """Something that was meant as a job and is none."""

    location: str
    reason: str


def parse_records(text: str) -> Iterator[ImportRecord | InvalidRecord]:
    """The jobs in a text, in its order. What cannot be read is among them, and ends nothing."""
    from tui.cli import csv_format  # `csv` and `io` take 4 ms, and ids given as arguments need neither

    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith(("{", "[")):
        for where, value in _parse_json(text):
            yield _parse_record(where, value)
    elif between := csv_format.detect_delimiter(text):
        yield from _parse_csv(text, between)
    else:
        yield from (ImportRecord(line, {}) for line in text.split("\n") if line.strip())


def _parse_csv(text: str, between: str) -> Iterator[ImportRecord | InvalidRecord]:
    import csv

    from tui.cli import csv_format

    line = 1
    try:
        for line, row in csv_format.read_rows(text, between):
            yield _parse_record(f"line {line}", row)
    except csv.Error as error:
        yield InvalidRecord(f"after line {line}", f"is no CSV: {error}")


def _parse_json(text: str) -> Iterator[tuple[str, object]]:
    """Every JSON value, with where it stands; of an array, its elements. What is no JSON is a Wrong."""
    whole = _decode_json(text)
    if isinstance(whole, list):
        yield from ((f"element {at}", each) for at, each in enumerate(cast("list[object]", whole), 1))
    elif not isinstance(whole, InvalidRecord):
        yield "line 1", whole
    elif text.lstrip().startswith("["):
        yield "the array", whole
    else:
        lines = enumerate(text.split("\n"), 1)
        yield from ((f"line {number}", _decode_json(line)) for number, line in lines if line.strip())


def _decode_json(text: str) -> object:
    import msgspec

    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return InvalidRecord("", f"is no JSON: {clean(str(error), 200)}")


def _parse_record(location: str, value: object) -> ImportRecord | InvalidRecord:
    """What a JSON value or a CSV row says."""
    if isinstance(value, InvalidRecord):
        return InvalidRecord(location, value.reason)
    if isinstance(value, str):
        return ImportRecord(value, {})
    if not isinstance(value, dict):
        return InvalidRecord(location, "is neither an id nor an object with an id")
    table = cast("dict[str, object]", value)
    job_id = table.get("id")
    if not isinstance(job_id, str) or not job_id.strip():
        return InvalidRecord(location, "has no id")
    said: dict[str, Any] = {}
    for key, read in _FIELD_PARSERS.items():
        try:
            if key in table and (key == "added" or table[key] is not None):
                said[key] = read(table[key])
        except (ValueError, TypeError) as error:
            return InvalidRecord(location, f"{key}: {error}")
    if not said.get("account"):
        said.pop("account", None)
    return ImportRecord(job_id.strip(), said)


def _parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, not {clean(repr(value), 80)}")
    return clean(value, MAX_TEXT_LENGTH)


def _parse_note(value: object) -> str:
    return clean(value, MAX_TEXT_LENGTH, keep_lines=True) if isinstance(value, str) else _parse_text(value)


def _parse_tags(value: object) -> tuple[str, ...]:
    """A list, or a cell with words."""
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
    """Of ISO 8601; without an offset it is UTC. None: it was left open."""
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
"""What is read of `Job`'s fields beside its id."""
