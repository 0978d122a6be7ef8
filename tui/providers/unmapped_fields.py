"""Fields of a response body that no pointer of a provider file reads, for the author of such a file."""

from collections.abc import Iterator

from tui.providers.json_pointer import WILDCARD, Json, Pointer
from tui.providers.model import Endpoint, Provider

MAX_FIELDS = 30
"""Fields that are listed; a response may have thousands."""


def find_unmapped(provider: Provider, endpoint: Endpoint, body: Json) -> list[str]:
    """Return JSON Pointers of the values that nothing reads, in the body's order, at most MAX_FIELDS, without nulls."""
    read = [pointer.tokens for pointer in _pointers(provider, endpoint) if pointer.header is None]
    found: list[str] = []
    for steps in _leaf_paths(body, ()):
        if not any(_matches(pattern, steps) for pattern in read):
            found.append("".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps))
            if len(found) == MAX_FIELDS:
                break
    return found


def _pointers(provider: Provider, endpoint: Endpoint) -> Iterator[Pointer]:
    status = endpoint.status
    for places in (status.value, status.message, status.result_id, status.title, status.language, status.progress):
        yield from places
    yield from (rule.pointer for rule in endpoint.overrides if rule.pointer is not None)
    for link in endpoint.links:
        yield from link.url
    yield from provider.error.message
    yield from provider.error.request_id


def _leaf_paths(value: Json, steps: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path of every scalar, without recursion: bodies may be deep."""
    waiting: list[tuple[Json, tuple[str, ...]]] = [(value, steps)]
    while waiting:
        value, steps = waiting.pop()
        if isinstance(value, dict):
            waiting += [(member, (*steps, key)) for key, member in reversed(value.items())]
        elif isinstance(value, list):
            waiting += [(member, (*steps, str(at))) for at, member in reversed(list(enumerate(value)))]
        elif value is not None:
            yield steps


def _matches(pattern: tuple[str, ...], steps: tuple[str, ...]) -> bool:
    return len(pattern) == len(steps) and all(p in {WILDCARD, s} for p, s in zip(pattern, steps, strict=True))
