"""JSON Pointers (RFC 6901) with additions: `*`, `header:Name`, and within an item `root:/…` and `key:`.

The caller interprets the values.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Self, TypeAlias

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None
"""Value of a decoded JSON body."""

WILDCARD = "*"
"""Token that matches every member of a list or an object, in order."""
NO_HEADERS: Mapping[str, str] = MappingProxyType({})

KEY, ROOT, INDEX = "key:", "root:", "{n}"
"""Name of an item in its object; prefix of a pointer from the whole body; index of the item in such a pointer."""

_ESCAPE = re.compile(r"~(?![01])")
_HEADER = re.compile(r"header:([!#$%&'*+.^_`|~0-9A-Za-z-]+)")
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class Item(NamedTuple):
    """Member of a list or an object in a body: pointers start at it."""

    value: Json
    root: Json
    """The whole body."""
    key: str
    """Name in the object; "": a list has none."""
    position: int
    """Index among all items."""


class Pointer(str):
    """Pointer, compiled when its file is loaded; as a string it keeps its spelling.

    `/data/status`: a member; `/detail/0/msg`: an index; `/texts/*`: every member; the empty string: the body;
    `header:X-Request-Id`: a header of the response. Within an item `root:/languages/{n}` starts at the body, `{n}` is
    the item's index, and `key:` is its name in an object.
    """

    header: str | None
    """Lower-case name of the header; None for a pointer into the body."""
    tokens: tuple[str, ...]
    item_source: str | None
    """KEY or ROOT, for a pointer that means something within an item only."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the compiled pointer. Raises ValueError with the reason."""
        if not isinstance(value, str):
            raise ValueError("expected a JSON Pointer in quotes")  # noqa: TRY004 - msgspec turns only a ValueError into its own
        pointer = cls(value)
        header = _HEADER.fullmatch(value)
        path = "" if value == KEY else value.removeprefix(ROOT)
        if header is None and path and not path.startswith("/"):
            raise ValueError(f"expected a JSON Pointer ('/…' or '') or 'header:Name', got {value!r}")
        if header is None and _ESCAPE.search(path):
            raise ValueError(f"'~' must be written as '~0' in a JSON Pointer, got {value!r}")
        pointer.header = header[1].lower() if header else None
        pointer.tokens = () if header else tuple(map(_unescape, path.split("/")[1:]))
        pointer.item_source = KEY if value == KEY else ROOT if value.startswith(ROOT) else None
        return pointer

    def evaluate(self, body: Json | Item, headers: Mapping[str, str] = NO_HEADERS) -> Sequence[Json]:
        """Return every value that the pointer finds, null included; empty if a token has no match."""
        if self.header is not None:
            return (headers[self.header],) if self.header in headers else ()
        if isinstance(body, Item):
            return self._evaluate_item(body)
        return () if self.item_source == KEY else self._find(body, self.tokens)

    def _evaluate_item(self, item: Item) -> Sequence[Json]:
        if self.item_source == KEY:
            return (item.key,) if item.key else ()
        if self.item_source is None:
            return self._find(item.value, self.tokens)
        return self._find(item.root, [str(item.position) if token == INDEX else token for token in self.tokens])

    def below(self, prefix: "Pointer") -> "Pointer | None":
        """Return the pointer from the value at `prefix` on, as the new root; None: it leads elsewhere."""
        length = len(prefix.tokens)
        if self.header is not None or self.item_source == KEY or self.tokens[:length] != prefix.tokens:
            return None
        return Pointer.parse((self.item_source or "") + join(self.tokens[length:]))

    @staticmethod
    def _find(body: Json, tokens: Sequence[str]) -> Sequence[Json]:
        found: Sequence[Json] = (body,)
        for token in tokens:
            if len(found) == 1:
                found = _children(found[0], token)
            else:
                found = [member for value in found for member in _children(value, token)]
        return found


def items_at(pointer: Pointer, body: Json) -> list[Item] | None:
    """Return the members of every list and object that the pointer finds, as items; None: it finds none of them."""
    found = [value for value in pointer.evaluate(body) if isinstance(value, list | dict)]
    if not found:
        return None
    members = [
        (key, member)
        for value in found
        for key, member in (value.items() if isinstance(value, dict) else (("", member) for member in value))
    ]
    return [Item(member, body, key, index) for index, (key, member) in enumerate(members)]


def join(tokens: Iterable[str]) -> str:
    """Return the JSON Pointer of these tokens."""
    return "".join(f"/{token.replace('~', '~0').replace('/', '~1')}" for token in tokens)


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
