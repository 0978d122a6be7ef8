"""What `add -` reads: ids or links, one a line; CSV whose first line has titles; JSON, an array or a value a line.

Whatever `export` and `list --json` write is read again. What is no part of a watchlist is passed over.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, cast

from tui.presentation.formatting import clean

TEXT_MOST = 10_000
"""Characters of a label, a tag or a note."""
_YES, _NO = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0", ""})


class Record(NamedTuple):
    """One job, as far as it was said."""

    id: str
    """An id or a link; with `account` among the values an id and nothing else."""
    said: Mapping[str, Any]
    """Values of `Job`'s fields by their names, and none that was not said."""


class Wrong(NamedTuple):
    """Something that was meant as a job and is none."""

    where: str
    reason: str


def records(text: str) -> Iterator[Record | Wrong]:
    """The jobs in a text, in its order. What cannot be read is among them, and ends nothing."""
    from tui.cli import csv_format  # `csv` and `io` take 4 ms, and ids given as arguments need neither

    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith(("{", "[")):
        for where, value in _values(text):
            yield _record(where, value)
    elif between := csv_format.delimiter(text):
        yield from _rows(text, between)
    else:
        yield from (Record(line, {}) for line in text.split("\n") if line.strip())


def _rows(text: str, between: str) -> Iterator[Record | Wrong]:
    import csv

    from tui.cli import csv_format

    line = 1
    try:
        for line, row in csv_format.read(text, between):
            yield _record(f"line {line}", row)
    except csv.Error as error:
        yield Wrong(f"after line {line}", f"is no CSV: {error}")


def _values(text: str) -> Iterator[tuple[str, object]]:
    """Every JSON value, with where it stands; of an array, its elements. What is no JSON is a Wrong."""
    whole = _decoded(text)
    if isinstance(whole, list):
        yield from ((f"element {at}", each) for at, each in enumerate(cast("list[object]", whole), 1))
    elif not isinstance(whole, Wrong):
        yield "line 1", whole
    elif text.lstrip().startswith("["):
        yield "the array", whole
    else:
        lines = enumerate(text.split("\n"), 1)
        yield from ((f"line {number}", _decoded(line)) for number, line in lines if line.strip())


def _decoded(text: str) -> object:
    import msgspec

    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        return Wrong("", f"is no JSON: {clean(str(error), 200)}")


def _record(where: str, value: object) -> Record | Wrong:
    """What a JSON value or a CSV row says."""
    if isinstance(value, Wrong):
        return Wrong(where, value.reason)
    if isinstance(value, str):
        return Record(value, {})
    if not isinstance(value, dict):
        return Wrong(where, "is neither an id nor an object with an id")
    table = cast("dict[str, object]", value)
    job_id = table.get("id")
    if not isinstance(job_id, str) or not job_id.strip():
        return Wrong(where, "has no id")
    said: dict[str, Any] = {}
    for key, read in _FIELDS.items():
        try:
            if key in table and (key == "added" or table[key] is not None):
                said[key] = read(table[key])
        except (ValueError, TypeError) as error:
            return Wrong(where, f"{key}: {error}")
    if not said.get("account"):
        said.pop("account", None)
    return Record(job_id.strip(), said)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a text, not {clean(repr(value), 80)}")
    return clean(value, TEXT_MOST)


def _note(value: object) -> str:
    return clean(value, TEXT_MOST, keep_lines=True) if isinstance(value, str) else _text(value)


def _tags(value: object) -> tuple[str, ...]:
    """A list, or a cell with words."""
    if isinstance(value, str):
        import csv

        from tui.cli import csv_format

        try:
            value = list(csv_format.parted(value))
        except csv.Error as error:
            raise ValueError(str(error)) from None
    if not isinstance(value, list):
        raise TypeError("expected a list of texts")
    return tuple(dict.fromkeys(filter(None, map(_text, cast("list[object]", value)))))


def _truth(value: object) -> bool:
    word = value.strip().lower() if isinstance(value, str) else str(value).lower()
    if word not in _YES | _NO:
        raise ValueError(f"expected true or false, not {clean(repr(value), 80)}")
    return word in _YES


def _instant(value: object) -> float | None:
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


_FIELDS: Mapping[str, Callable[[object], Any]] = {
    **dict.fromkeys(("account", "kind", "label"), _text),
    "note": _note,
    "tags": _tags,
    "added": _instant,
    **dict.fromkeys(("keep_link", "download", "muted", "archived"), _truth),
}
"""What is read of `Job`'s fields beside its id."""
