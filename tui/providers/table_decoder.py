"""Decoder of TOML tables into frozen structs, which finds all problems at once, each with its key and a suggestion.

msgspec stops at the first problem and omits the keys of maps, so each value is converted separately. A type with a
class method `parse(value)` that raises ValueError converts itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Struct, ValidationError
from msgspec.structs import FieldInfo

from tui.domain.operator_input import nearest

Table = Mapping[str, Any]
"""TOML table as tomllib returns it."""

S = TypeVar("S", bound=Struct)


def decode_struct(cls: type[S], table: object, key_path: str, problems: list[str]) -> S | None:
    """Return the struct of a table; None if it has problems, which are appended to `problems`.

    `key_path` is the table's key (`status`, `kinds.dub.result`), empty for the file itself.
    """
    before = len(problems)
    values = decode_fields(cls, table, key_path, problems)
    return cls(**values) if len(problems) == before else None


def decode_fields(
    cls: type[Struct], table: object, key_path: str, problems: list[str], *, partial: bool = False
) -> dict[str, Any]:
    """Return the valid values of a struct's fields by attribute; `partial`: required fields may be absent."""
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
    """Return a struct's fields by key. Cached: the lookup is a third of the time to load a file."""
    return {field.encode_name: field for field in msgspec.structs.fields(cls)}


def suggest(unknown: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` if a known spelling is close, else the known ones."""
    names = sorted(known)
    near = nearest(unknown, names)
    if near:
        return f"; did you mean {near!r}?"
    return f"; expected {', '.join(names)}" if names else ""


def _join_key(key_path: str, key: str) -> str:
    return f"{key_path}.{key}" if key_path else key


def _type_name(value: object) -> str:
    if isinstance(value, list):
        return "a list"
    return "text" if isinstance(value, str) else repr(value)


def _is_subclass(kind: Any, parent: type) -> bool:
    return isinstance(kind, type) and issubclass(kind, parent)


def _convert(kind: Any, value: object, key_path: str, problems: list[str]) -> Any:
    """Return one value as the type of its field; its problems are appended to `problems`."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:  # TOML has no null: `X | None` is an X that may be absent
        return _convert(_alternative(args, value), value, key_path, problems)
    if origin is Annotated and get_origin(args[0]) is tuple:
        if value == []:
            problems.append(f"{key_path}: an empty list")  # the only bound of lists here
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
        plain: Any = {tuple: list, dict: dict}.get(cast("type", origin), kind)  # a value of another type than these
        return msgspec.convert(value, plain, dec_hook=_parse)
    except ValidationError as error:
        problems.append(f"{key_path}: {error}")
        return None


def _alternative(kinds: Sequence[Any], value: object) -> Any:
    """Return the type of a union that a value is meant as: the struct for a table, else the first that is none."""
    structs = [kind for kind in kinds if _is_subclass(kind, Struct)]
    return structs[0] if structs and (isinstance(value, dict) or structs[0] is kinds[0]) else kinds[0]


def _parse(kind: Any, value: object) -> Any:
    return kind.parse(value)


def _choose(choices: Iterable[str], value: object, key_path: str, problems: list[str]) -> str | None:
    names = list(choices)
    if isinstance(value, str) and value in names:
        return value
    problems.append(f"{key_path}: {value!r} is unknown{suggest(str(value), names)}")
    return None
