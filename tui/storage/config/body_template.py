"""Body of a webhook as its receiver expects it: a table of the operator's, whose texts have named fields to fill in.

It becomes JSON, so that no value can end a text or add a field.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Self, cast

from tui.domain.operator_input import nearest

FIELDS: Mapping[str, str] = {
    "text": "the event in one line",
    "event": "as in `on`",
    "at": "instant of the event",
    "delivery": "id of the delivery",
    "name": "name of the job",
    "account": "account of the job, or that the event is about",
    "id": "id of the job",
    "phase": "phase of the job",
    "message": "the service's message",
    "link": "link of the job, which may be signed",
}
"""Fields of a body, and what each is filled with; an empty text if the event has none."""
_PART = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")


class BodyTemplate(dict[str, object]):
    """JSON object with `{fields}` in its texts; `{{` and `}}` stand for braces."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the checked table. Raises ValueError, which repeats no more of it than the name of a wrong field."""
        if not isinstance(value, dict):
            raise ValueError("expected a table such as { text = '{text}' }, which is sent as JSON")  # noqa: TRY004 - msgspec turns only a ValueError into its own
        for text in _texts(cast("object", value)):
            for part in _PART.findall(text):
                _check(part)
        return cls(cast("dict[str, object]", value))

    def fill(self, values: Mapping[str, str]) -> object:
        """Return the object with the values of the fields, each of which is given."""
        return _filled(dict(self), values)


def _check(part: str) -> None:
    if part in {"{{", "}}"} or part[1:-1] in FIELDS:
        return
    if len(part) == 1:
        raise ValueError(f"a single {part!r}: write {part * 2!r} for a brace")
    name = part[1:-1]
    near = nearest(name, list(FIELDS))
    hint = f"did you mean {{{near}}}?" if near else f"expected {', '.join(f'{{{each}}}' for each in FIELDS)}"
    raise ValueError(f"no field {part[:40]}; {hint}")


def _texts(value: object) -> Iterator[str]:
    """Yield the texts of a table. Raises ValueError for a value that JSON does not have."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in cast("dict[str, object]", value).values():
            yield from _texts(member)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)
    elif isinstance(value, date | time):
        raise ValueError("a date must be text in quotes")  # noqa: TRY004 - msgspec turns only a ValueError into its own


def _filled(value: object, values: Mapping[str, str]) -> object:
    if isinstance(value, str):
        return _PART.sub(lambda part: part[0][0] if part[0] in {"{{", "}}"} else values[part[0][1:-1]], value)
    if isinstance(value, dict):
        return {name: _filled(member, values) for name, member in cast("dict[str, object]", value).items()}
    if isinstance(value, list):
        return [_filled(item, values) for item in cast("list[object]", value)]
    return value
