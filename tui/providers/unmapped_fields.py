"""Fields of a response body that no pointer of a provider file reads, for the author of such a file."""

from collections.abc import Iterator, Sequence

from tui.providers import json_pointer
from tui.providers.json_pointer import INDEX, KEY, ROOT, WILDCARD, Json, Pointer
from tui.providers.model import Endpoint, Provider
from tui.providers.reports.links import LinkRule
from tui.providers.reports.progress import PartOfTotal, ProgressSource

MAX_FIELDS = 30
"""Fields that are listed; a response may have thousands."""


def find_unmapped(provider: Provider, endpoint: Endpoint, body: Json) -> list[str]:
    """Return JSON Pointers of the values that nothing reads, in the body's order, at most MAX_FIELDS, without nulls."""
    read = [pointer.tokens for pointer in _pointers(provider, endpoint) if pointer.header is None]
    read += _part_patterns(endpoint)
    found: list[str] = []
    for steps in _leaf_paths(body, ()):
        if not any(_matches(pattern, steps) for pattern in read):
            found.append(json_pointer.join(steps))
            if len(found) == MAX_FIELDS:
                break
    return found


def _pointers(provider: Provider, endpoint: Endpoint) -> Iterator[Pointer]:
    status = endpoint.status
    for places in (status.value, status.message, status.result_id, status.title, status.language):
        yield from places
    yield from _progress_pointers(status.progress)
    if endpoint.parts is not None and endpoint.parts.counts is not None:
        counts = endpoint.parts.counts
        yield from (counts.total, *counts.done, *counts.failed)
    yield from (rule.pointer for rule in endpoint.overrides if rule.pointer is not None)
    for link in endpoint.links:
        yield from _link_pointers(link)
    yield from provider.error.message
    yield from provider.error.request_id


def _progress_pointers(sources: Sequence[ProgressSource]) -> Iterator[Pointer]:
    for source in sources:
        yield from (*source.part, source.total) if isinstance(source, PartOfTotal) else (source,)


def _link_pointers(link: LinkRule) -> Iterator[Pointer]:
    yield from (*link.url, *link.language, *link.expires)
    if link.lifetime is not None and link.lifetime.pointer is not None:
        yield link.lifetime.pointer


def _part_patterns(endpoint: Endpoint) -> list[tuple[str, ...]]:
    """Return the tokens of the pointers that start at each part."""
    parts = endpoint.parts
    if parts is None or parts.items is None:
        return []
    pointers = [*parts.id, *parts.language, *parts.value, *parts.message, *_progress_pointers(parts.progress)]
    pointers += [pointer for link in parts.links for pointer in _link_pointers(link)]
    return [
        tuple(WILDCARD if token == INDEX else token for token in pointer.tokens)
        if pointer.item_source == ROOT
        else (*parts.items.tokens, WILDCARD, *pointer.tokens)
        for pointer in pointers
        if pointer.header is None and pointer.item_source != KEY
    ]


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
