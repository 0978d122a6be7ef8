"""JSON Pointers (RFC 6901) with two additions: `*` and `header:Name`. The caller interprets the values."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Self, TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""Value of a decoded JSON body."""

WILDCARD = "*"
"""Token that matches every member of a list or an object, in order."""
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_ESCAPE = re.compile(r"~(?![01])")
_HEADER = re.compile(r"header:([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class Pointer(str):
    """Pointer, compiled when its file is loaded; as a string it keeps its spelling.

    `/data/status`: a member; `/detail/0/msg`: an index; `/texts/*`: every member; the empty string: the body;
    `header:X-Request-Id`: a header of the response.
    """

    header: str | None
    """Lower-case name of the header; None for a pointer into the body."""
    tokens: tuple[str, ...]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the compiled pointer. Raises ValueError with the reason."""
        if not isinstance(value, str):
            raise ValueError("expected a JSON Pointer in quotes")  # noqa: TRY004 - msgspec turns only a ValueError into its own
        pointer = cls(value)
        header = _HEADER.fullmatch(value)
        if header is None and value and not value.startswith("/"):
            raise ValueError(f"expected a JSON Pointer ('/…' or '') or 'header:Name', got {value!r}")
        if header is None and _ESCAPE.search(value):
            raise ValueError(f"'~' must be written as '~0' in a JSON Pointer, got {value!r}")
        pointer.header = header[1].lower() if header else None
        pointer.tokens = () if header else tuple(map(_unescape, value.split("/")[1:]))
        return pointer

    def evaluate(self, body: Json, headers: Mapping[str, str] = NO_HEADERS) -> Sequence[Json]:
        """Return every value that the pointer finds, null included; empty if a token has no match."""
        if self.header is not None:
            return (headers[self.header],) if self.header in headers else ()
        found: Sequence[Json] = (body,)
        for token in self.tokens:
            if len(found) == 1:
                found = _children(found[0], token)
            else:
                found = [member for value in found for member in _children(value, token)]
        return found


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _children(value: Json, token: str) -> Sequence[Json]:
    """Return the members of a value that one token matches."""
    if isinstance(value, dict):
        if token == WILDCARD:
            return tuple(value.values())
        return (value[token],) if token in value else ()
    if isinstance(value, list):
        if token == WILDCARD:
            return value
        return value[int(token) :][:1] if _INDEX.fullmatch(token) else ()
    return ()
