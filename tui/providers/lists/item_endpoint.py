"""Endpoint that reads an item of a list like a status response: `same_as` in a provider file."""

from functools import cache
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import fields, replace

from tui.providers.fields import Lifetime
from tui.providers.json_pointer import ROOT, Pointer
from tui.providers.model import Endpoint


def item_endpoint(endpoint: Endpoint, prefix: Pointer) -> Endpoint:
    """Return the endpoint for the value at a pointer of its status response."""
    parts = endpoint.parts
    if parts is not None:
        items, counts = _moved(parts.items, prefix), _moved(parts.counts, prefix)
        own = replace(_moved(parts, prefix, within_part=True), items=items, counts=counts)
        parts = own if items is not None or counts is not None else None
    rules = [_moved(rule, prefix) for rule in endpoint.overrides if rule.http_status is None]
    links = [_moved(rule, prefix) for rule in endpoint.links]
    return replace(
        endpoint,
        status=_moved(endpoint.status, prefix),
        overrides=tuple(rule for rule in rules if rule.pointer is not None),
        links=tuple(rule for rule in links if rule.url or rule.path is not None),
        parts=parts,
    )


def _moved(value: Any, prefix: Pointer, *, within_part: bool = False) -> Any:
    """Return a value of a provider file with its pointers below `prefix`; None: what it needs is elsewhere.

    `within_part`: pointers start at a part of the job and stay, but for those from the body.
    """
    match value:
        case Pointer() if within_part and value.item_source != ROOT:
            return value
        case Pointer():
            return value.below(prefix)
        case Lifetime() if value.pointer is not None:
            pointer = _moved(value.pointer, prefix, within_part=within_part)
            return Lifetime.parse(str(pointer)) if pointer else None
        case tuple():
            members = cast("tuple[object, ...]", value)
            found = (_moved(each, prefix, within_part=within_part) for each in members)
            return tuple(each for each in found if each is not None)
        case Struct():
            moved = {
                name: _moved(getattr(value, name), prefix, within_part=within_part) for name in value.__struct_fields__
            }
            is_lost = any(moved[name] in (None, ()) for name in _required_fields(type(value)))
            return None if is_lost else replace(value, **moved)
        case _:
            return value


@cache
def _required_fields(cls: type[Struct]) -> tuple[str, ...]:
    """Return a struct's fields without a default. Cached: the lookup is slow."""
    return tuple(field.name for field in fields(cls) if field.required)
