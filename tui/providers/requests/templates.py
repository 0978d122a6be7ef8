"""Templates with `{placeholders}`: paths, headers, and the texts of a request's body.

Which placeholders a request may have is checked by `placeholder_check`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self, TypeAlias, cast
from urllib.parse import quote

from tui.domain.job_ids import UNSAFE_SEGMENTS
from tui.providers.table_decoder import suggest

Values: TypeAlias = Mapping[str, str | Sequence[str]]
"""Values by placeholder: one text, or the ids of a bulk request."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
WHOLE_ID = "id:path"
"""Placeholder of an id with slashes, which stay."""
SECRET = "secret."  # noqa: S105  a prefix
"""Prefix of the placeholder of a job's secret, which stands in bodies only."""
NUMBER = ":int"
"""Suffix of a placeholder that becomes a number in JSON, where it stands alone in a text."""


class Template(str):
    """Text with placeholders. Values are inserted unchanged."""

    placeholders: tuple[str, ...]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the template. Raises ValueError if it is no text."""
        if not isinstance(value, str):
            raise ValueError("expected text in quotes")  # noqa: TRY004 - msgspec turns only a ValueError into its own
        template = cls(value)
        template.placeholders = tuple(dict.fromkeys(_PLACEHOLDER.findall(value)))
        return template

    def fill(self, values: Values) -> str:
        """Return the text with its values. Raises ValueError if one is missing."""
        return _PLACEHOLDER.sub(lambda placeholder: _text(values, placeholder[1]), self)


class HeaderTemplate(Template):
    """Value of a constant header: visible ASCII."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the template. Raises ValueError if no header can have the value."""
        template = super().parse(value)
        if not (template.isascii() and template.isprintable() and template.strip() == template and template):
            raise ValueError(f"invalid header value {str(template)!r}: use visible ASCII")
        return template


class PathTemplate(Template):
    """Path below the base URL, which may end with a query. Each value is percent-encoded as a whole."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the checked path. Raises ValueError with the reason."""
        template = super().parse(value)
        if not template.startswith("/") or "#" in template or any(map(str.isspace, template)):
            raise ValueError(f"expected a path that starts with '/', without '#' and spaces, got {value!r}")
        return template

    def url(self, base_url: str, values: Values) -> str:
        """Return the URL below an account's base URL, whose path is kept.

        Raises ValueError for a value that is missing, empty, `.` or `..`: it would lead to another path.
        """
        filled = str(self)
        for placeholder in self.placeholders:
            if placeholder == WHOLE_ID:
                value = _text(values, "id")
                segments = value.split("/")
            else:
                value = _text(values, placeholder)
                segments = (value,)
            if not UNSAFE_SEGMENTS.isdisjoint(segments):
                raise ValueError(f"invalid id {value!r}")
            filled = filled.replace(f"{{{placeholder}}}", "/".join([quote(segment, safe="") for segment in segments]))
        return base_url.rstrip("/") + filled


def fill_json(template: Any, values: Values) -> Any:
    """Return a JSON value with the values in its texts. Raises ValueError if one is missing.

    A text that is only `{name}` of several ids becomes a list, `{name:int}` a number or a list of numbers.
    """
    match template:
        case dict():
            return {key: fill_json(member, values) for key, member in cast("dict[str, Any]", template).items()}
        case list():
            return [fill_json(member, values) for member in cast("list[Any]", template)]
        case str():
            alone = _PLACEHOLDER.fullmatch(template)
            return _fill_alone(alone[1], values) if alone else Template.parse(template).fill(values)
        case _:
            return template


def _fill_alone(placeholder: str, values: Values) -> Any:
    name, _, form = placeholder.partition(":")
    if name not in values:
        raise _missing(name)
    value = values[name]
    texts = [value] if isinstance(value, str) else list(value)
    filled: list[str] | list[int] = list(map(_whole_number, texts)) if f":{form}" == NUMBER else texts
    return filled[0] if isinstance(value, str) else filled


def _whole_number(text: str) -> int:
    if not re.fullmatch("[0-9]{1,18}", text):
        raise ValueError(f"{text!r} is not a number")
    return int(text)


def json_texts(template: Any) -> Iterator[Template]:
    """Yield the texts of a JSON value."""
    match template:
        case dict():
            for member in cast("dict[str, Any]", template).values():
                yield from json_texts(member)
        case list():
            for member in cast("list[Any]", template):
                yield from json_texts(member)
        case str():
            yield Template.parse(template)
        case _:
            pass


def unknown_placeholder(template: str, used: Sequence[str], allowed: Sequence[str]) -> str | None:
    """Return the problem of a placeholder that is not allowed; None: there is none."""
    unknown = sorted(set(used) - set(allowed))
    if not unknown:
        return None
    return f"unknown placeholder {{{unknown[0]}}} in {str(template)!r}{suggest(unknown[0], allowed)}"


def _missing(name: str) -> ValueError:
    return ValueError(f"{name} is missing: write it before the id, or set it in the account's variables")


def _text(values: Values, name: str) -> str:
    value = values.get(name)
    if value is None:
        raise _missing(name)
    return value if isinstance(value, str) else ",".join(value)
