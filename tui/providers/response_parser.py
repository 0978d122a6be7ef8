"""A reply read into a report or a fault, by what the provider's file says. No clock, no I/O; no bytes make it raise.

A reply is a report only if it has a status word; without one it is malformed, whatever else it holds.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from tui.domain.models import Fault, LinkKind, Phase, Report, ReportedLink, Result
from tui.presentation.formatting import clean, mask_urls
from tui.providers import faults
from tui.providers.json_body import NotJsonError, decode, scalar, texts
from tui.providers.json_pointer import Json, Pointer
from tui.providers.model import Endpoint, InsteadRule, LinkRule, Provider, word_key
from tui.providers.response import Health, Reply, health, reset_after, retry_after

__all__ = ["Health", "Reply", "health", "read", "read_bulk", "read_result", "reset_after", "retry_after"]

WORD_MOST = 120
RUN_MOST = 200
LANGUAGE_MOST = 100
TITLE_MOST = 300
MESSAGE_MOST = 2000
"""Characters of each text in a report."""
RESULT_MOST = 1 << 20
"""Characters of a result's text: a body's own bound, so that no translation is cut."""
URL_MOST = 8192
"""Bytes of a link. What is longer is no link that a browser or a store takes."""
LINKS_MOST = 100
"""Links of one reply."""

_HTTP_ERROR = re.compile("[45][0-9]{2}")
_NO_PART = frozenset({".", ".."})
"""What cannot be a run, since it would lead to another path."""


def read(provider: Provider, kind: str, reply: Reply) -> Report | Fault:
    """What a reply says of one job of a kind. Raises UnknownKind, and nothing else."""
    endpoint = provider.endpoint(kind)
    if refused := faults.refusal(provider, reply):
        return refused
    try:
        body = decode(reply.body)
    except NotJsonError as error:
        return faults.malformed(provider, reply, "a status word", error)
    status = endpoint.status
    word = _word(status.word, endpoint.words, status.empty, body, reply.headers)
    if word is None:
        return faults.malformed(provider, reply, "a status word", body)

    def text(pointers: Sequence[Pointer], most: int) -> str | None:
        for found in texts(pointers, body, reply.headers, status.empty):
            return mask_urls(clean(found, most))[:most] or None
        return None

    phase = _instead(endpoint.instead, body, reply.headers) or endpoint.words.get(word_key(word))
    run = text(status.run, RUN_MOST)
    links, kept = _links(endpoint.links, body, reply.headers)
    return Report(
        phase=phase,
        raw_status=word,
        title=text(status.title, TITLE_MOST),
        language=text(status.language, LANGUAGE_MOST),
        progress=_progress(status.progress, body),
        progress_is_stage=status.progress_is == "stage",
        message=text(status.message, MESSAGE_MOST),
        result_id=None if run in _NO_PART else run,
        links=links,
        is_complete=phase is not Phase.DONE or (kept and (endpoint.result is None or run is not None)),
        retry_after=retry_after(reply),
    )


def read_bulk(provider: Provider, reply: Reply) -> dict[str, Report] | Fault:
    """What a reply to a bulk ask says, by id. An id that is absent, or has no word, is absent.

    There are no links: a job that ended is asked singly. Empty where the provider has no bulk ask. Raises nothing.
    """
    bulk = provider.bulk
    if bulk is None:
        return {}
    if refused := faults.refusal(provider, reply):
        return refused
    try:
        body = decode(reply.body)
    except NotJsonError as error:
        return faults.malformed(provider, reply, "a list of jobs", error)
    items = _items(next(iter(bulk.items.found_in(body)), None))
    if items is None:
        return faults.malformed(provider, reply, "a list of jobs", body)
    reports: dict[str, Report] = {}
    wait, endpoint = retry_after(reply), provider.endpoint()
    for item in items:
        job_id = next(map(scalar, bulk.id.found_in(item)), None)
        word = _word(bulk.word, bulk.words, endpoint.status.empty, item, {})
        if job_id and word is not None:
            phase = bulk.words.get(word_key(word))
            whole = phase is not Phase.DONE or not _promises(endpoint)
            reports[job_id] = Report(phase=phase, raw_status=word, is_complete=whole, retry_after=wait)
    return reports


def read_result(provider: Provider, kind: str, reply: Reply) -> Result | Fault:
    """What a reply to the ask for a result brings; empty where the kind has no such ask. Raises UnknownKind."""
    ask = provider.endpoint(kind).result
    if ask is None:
        return Result()
    if refused := faults.refusal(provider, reply):
        return refused
    try:
        body = decode(reply.body)
    except NotJsonError as error:
        return faults.malformed(provider, reply, "a result", error)
    found = (list(texts((pointer,), body, reply.headers)) for pointer in ask.text)
    lines = next((each for each in found if each), None)
    links, _ = _links(ask.links, body, reply.headers)
    if not lines and not links:
        return faults.malformed(provider, reply, "a result", body)
    return Result(clean("\n".join(lines), RESULT_MOST, keep_lines=True) if lines else None, links)


def _word(
    pointers: Sequence[Pointer],
    words: Mapping[str, Phase],
    empty: Sequence[str],
    body: Json,
    headers: Mapping[str, str],
) -> str | None:
    """The status word as it came; None where there is none.

    A number from 400 to 599 that no word of the provider's is: an error's HTTP status, repeated in its body.
    """
    for text in texts(pointers, body, headers, empty):
        word = clean(text, WORD_MOST)
        if word and (word_key(word) in words or not _HTTP_ERROR.fullmatch(word)):
            return word
    return None


def _instead(rules: Sequence[InsteadRule], body: Json, headers: Mapping[str, str]) -> Phase | None:
    """The phase that another field says, where one does."""
    for rule in rules:
        for text in texts((rule.where,), body, headers):
            if text.strip().lower() == rule.text.lower():
                return rule.phase
    return None


def _progress(pointers: Sequence[Pointer], body: Json) -> float | None:
    """The first number from 0 to 1."""
    for pointer in pointers:
        for value in pointer.found_in(body):
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
                return float(value)
    return None


def _links(rules: Sequence[LinkRule], body: Json, headers: Mapping[str, str]) -> tuple[tuple[ReportedLink, ...], bool]:
    """The links of a reply, each once, and whether it keeps its promises: one promised link, or none promised."""
    seen: dict[tuple[LinkKind, str], ReportedLink] = {}
    kept = not any(rule.promised for rule in rules)
    for rule in rules:
        life = None if rule.life is None else float(rule.life)  # a plain float, which every encoder knows
        for url in _urls(rule.at, body, headers):
            seen.setdefault((rule.kind, url), ReportedLink(rule.kind, url, life, rule.key))
            kept = kept or rule.promised
    return tuple(seen.values())[:LINKS_MOST], kept


def _urls(pointers: Sequence[Pointer], body: Json, headers: Mapping[str, str]) -> list[str]:
    """The links at the first pointer that leads to any."""
    for pointer in pointers:
        urls = [url for url in texts((pointer,), body, headers) if _is_link(url)]
        if urls:
            return urls
    return []


def _is_link(url: str) -> bool:
    """Whether it is an absolute http(s) URL that can be shown and opened as it is.

    A relative one is none: no service documents it, and the account's base URL is not known here. Credentials in a
    URL hide where it leads.
    """
    if not url.isprintable() or " " in url or len(url.encode()) > URL_MOST:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:  # a bracket without its fellow, a port that is no number
        return False


def _items(found: Json) -> Sequence[Json] | None:
    """The entries of a bulk reply, which is a list or an object of them."""
    if isinstance(found, dict):
        return tuple(found.values())
    return found if isinstance(found, list) else None


def _promises(endpoint: Endpoint) -> bool:
    return any(rule.promised for rule in endpoint.links)
