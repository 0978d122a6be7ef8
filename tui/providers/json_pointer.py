"""JSON Pointers (RFC 6901) as provider files write them, with two additions: `*` and `header:Name`.

They find values; what a value means is the caller's.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Self, TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""What a decoded JSON body is made of."""

WILDCARD = "*"
"""The step that goes on with every member of a list or an object, in order."""
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

_ESCAPE = re.compile(r"~(?![01])")
_HEADER = re.compile(r"header:([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class Pointer(str):
    """A pointer, compiled when its file is loaded; as a string it reads as it was written.

    `/data/status` a member; `/detail/0/msg` an index; `/texts/*` every member; the empty string the whole body;
    `header:X-Request-Id` a header of the reply.
    """

    header: str | None
    """Lower-case name of the header, for a pointer out of the body."""
    tokens: tuple[str, ...]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Compile a pointer. Raises ValueError with the reason."""
        if not isinstance(value, str):
            raise ValueError("expected a JSON Pointer in quotes")  # noqa: TRY004 - msgspec turns only a ValueError into its own
        pointer = cls(value)
        named = _HEADER.fullmatch(value)
        if named is None and value and not value.startswith("/"):
            raise ValueError(
                f"a JSON Pointer starts with '/', is empty, or is 'header:Name'; {value!r} is none of them"
            )
        if named is None and _ESCAPE.search(value):
            raise ValueError(f"'~' stands in a JSON Pointer only as ~0 or ~1; {value!r} has it alone")
        pointer.header = named[1].lower() if named else None
        pointer.tokens = () if named else tuple(map(_unescape, value.split("/")[1:]))
        return pointer

    def evaluate(self, body: Json, headers: Mapping[str, str] = NO_HEADERS) -> Sequence[Json]:
        """Every value that the pointer leads to, null included; none where the way breaks off."""
        if self.header is not None:
            return (headers[self.header],) if self.header in headers else ()
        found: Sequence[Json] = (body,)
        for step in self.tokens:
            if len(found) == 1:
                found = _children(found[0], step)
            else:
                found = [member for value in found for member in _children(value, step)]
        return found


def _unescape(token: str) -> str:
    return token.replace("~1", "/").replace("~0", "~")


def _children(value: Json, token: str) -> Sequence[Json]:
    """The members of a value that one step leads to."""
    if isinstance(value, dict):
        if token == WILDCARD:
            return tuple(value.values())
        return (value[token],) if token in value else ()
    if isinstance(value, list):
        if token == WILDCARD:
            return value
        return value[int(token) :][:1] if _INDEX.fullmatch(token) else ()
    return ()
