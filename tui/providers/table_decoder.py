"""A TOML table into a frozen struct, with every problem found at once: each by its key, and with the nearest right one.

msgspec stops at the first problem and names no key of a map, so each value is converted by itself. A type with a
class method `parse(value)` that raises ValueError converts itself.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec import Struct, ValidationError
from msgspec.structs import FieldInfo

from tui.domain.operator_input import nearest

Table = Mapping[str, Any]
"""A TOML table as tomllib gives it."""

S = TypeVar("S", bound=Struct)


def decode_struct(cls: type[S], table: object, key_path: str, problems: list[str]) -> S | None:
    """A struct out of a table, or None and what is wrong with it appended to `problems`.

    `where` is the table's own key (`status`, `kinds.dub.result`), empty for the file itself.
    """
    before = len(problems)
    values = decode_fields(cls, table, key_path, problems)
    return cls(**values) if len(problems) == before else None


def decode_fields(
    cls: type[Struct], table: object, key_path: str, problems: list[str], *, partial: bool = False
) -> dict[str, Any]:
    """The good values of a struct's fields, by attribute; `partial`: a required field may be absent."""
    if not isinstance(table, dict):
        problems.append(f"{key_path}: expected a table, got {_type_name(table)}")
        return {}
    given = cast("dict[str, object]", table)
    values: dict[str, Any] = {}
    known = _fields_by_key(cls)
    problems += [f"{_join_key(key_path, key)}: unknown key{suggest(key, known)}" for key in given if key not in known]
    for key, field in known.items():
        before = len(problems)
        if key in given:
            value = _convert(field.type, given[key], _join_key(key_path, key), problems)
            if len(problems) == before:
                values[field.name] = value
        elif field.required and not partial:
            problems.append(f"{_join_key(key_path, key)}: missing")
    return values


@cache
def _fields_by_key(cls: type[Struct]) -> Mapping[str, FieldInfo]:
    """A struct's fields, by key. To look them up takes a third of reading a file, and each struct is met many times."""
    return {field.encode_name: field for field in msgspec.structs.fields(cls)}


def suggest(unknown: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` where a right spelling is near, else which there are."""
    names = sorted(known)
    near = nearest(unknown, names)
    if near:
        return f"; did you mean {near!r}?"
    return f"; there are {', '.join(names)}" if names else "; there are none"


def _join_key(key_path: str, key: str) -> str:
    return f"{key_path}.{key}" if key_path else key


def _type_name(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else repr(value)


def _is_subclass(kind: Any, parent: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, parent)


def _convert(kind: Any, value: object, key_path: str, problems: list[str]) -> Any:
    """One value as the type of its field; what is wrong with it goes to `problems`."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is UnionType:  # TOML has no null: `X | None` is an X that may be absent
        return _convert(args[0], value, key_path, problems)
    if origin is Annotated and get_origin(args[0]) is tuple:
        if value == []:
            problems.append(f"{key_path}: an empty list")  # the one bound that lists have here
        return _convert(args[0], value, key_path, problems)
    if origin is tuple and isinstance(value, list):
        items = cast("list[object]", value)
        return tuple(_convert(args[0], item, f"{key_path}[{at}]", problems) for at, item in enumerate(items))
    if origin is dict and args[1] is not Any and isinstance(value, dict):
        members = cast("dict[str, object]", value)
        return {key: _convert(args[1], member, _join_key(key_path, key), problems) for key, member in members.items()}
    if origin is Literal:
        return _choose(args, value, key_path, problems)
    if _is_subclass(kind, Struct):
        return decode_struct(kind, value, key_path, problems)
    if _is_subclass(kind, StrEnum):
        chosen = _choose([member.value for member in kind], value, key_path, problems)
        return chosen if chosen is None else kind(chosen)
    try:
        return msgspec.convert(value, kind, dec_hook=_parse)
    except ValidationError as error:
        problems.append(f"{key_path}: {error}")
        return None


def _parse(kind: Any, value: object) -> Any:
    return kind.parse(value)


def _choose(choices: Iterable[str], value: object, key_path: str, problems: list[str]) -> str | None:
    names = list(choices)
    if isinstance(value, str) and value in names:
        return value
    problems.append(f"{key_path}: {value!r} is not known{suggest(str(value), names)}")
    return None
