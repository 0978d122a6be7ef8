"""A reply read into a report or a fault, by what the provider's file says. No clock, no I/O; no bytes make it raise.

A reply is a report only if it has a status word; without one it is malformed, whatever else it holds.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from tui.domain.models import Fault, LinkKind, Phase, Report, ReportedLink, Result
from tui.presentation.sanitize import clean, mask_urls
from tui.providers import faults
from tui.providers.json_body import NotJsonError, as_text, decode, find_texts
from tui.providers.json_pointer import Json, Pointer
from tui.providers.model import Endpoint, LinkRule, OverrideRule, Provider, status_key
from tui.providers.response import AccountHeaders, HttpResponse, parse_account_headers, reset_after, retry_after

__all__ = [
    "AccountHeaders",
    "HttpResponse",
    "parse_account_headers",
    "parse_bulk",
    "parse_result",
    "parse_status",
    "reset_after",
    "retry_after",
]

MAX_STATUS = 120
MAX_RESULT_ID = 200
MAX_LANGUAGE = 100
MAX_TITLE = 300
MAX_MESSAGE = 2000
"""Characters of each text in a report."""
MAX_RESULT = 1 << 20
"""Characters of a result's text: a body's own bound, so that no translation is cut."""
MAX_URL = 8192
"""Bytes of a link. What is longer is no link that a browser or a store takes."""
MAX_LINKS = 100
"""Links of one reply."""

_HTTP_ERROR = re.compile("[45][0-9]{2}")
_UNSAFE_SEGMENTS = frozenset({".", ".."})
"""What cannot be a run, since it would lead to another path."""


def parse_status(provider: Provider, kind: str, response: HttpResponse) -> Report | Fault:
    """What a reply says of one job of a kind. Raises UnknownKind, and nothing else."""
    endpoint = provider.endpoint(kind)
    if refused := faults.fault_from_status(provider, response):
        return refused
    try:
        body = decode(response.body)
    except NotJsonError as error:
        return faults.malformed_fault(provider, response, "a status word", error)
    status = endpoint.status
    word = _find_status(status.value, endpoint.statuses, status.null_strings, body, response.headers)
    if word is None:
        return faults.malformed_fault(provider, response, "a status word", body)

    def text(pointers: Sequence[Pointer], most: int) -> str | None:
        for found in find_texts(pointers, body, response.headers, status.null_strings):
            return mask_urls(clean(found, most))[:most] or None
        return None

    phase = _override_phase(endpoint.overrides, body, response.headers) or endpoint.statuses.get(status_key(word))
    run = text(status.result_id, MAX_RESULT_ID)
    links, kept = _collect_links(endpoint.links, body, response.headers)
    return Report(
        phase=phase,
        raw_status=word,
        title=text(status.title, MAX_TITLE),
        language=text(status.language, MAX_LANGUAGE),
        progress=_parse_progress(status.progress, body),
        progress_is_stage=status.progress_unit == "stage",
        message=text(status.message, MAX_MESSAGE),
        result_id=None if run in _UNSAFE_SEGMENTS else run,
        links=links,
        is_complete=phase is not Phase.DONE or (kept and (endpoint.result is None or run is not None)),
        retry_after=retry_after(response),
    )


def parse_bulk(provider: Provider, response: HttpResponse) -> dict[str, Report] | Fault:
    """What a reply to a bulk ask says, by id. An id that is absent, or has no word, is absent.

    There are no links: a job that ended is asked singly. Empty where the provider has no bulk ask. Raises nothing.
    """
    bulk = provider.bulk
    if bulk is None:
        return {}
    if refused := faults.fault_from_status(provider, response):
        return refused
    try:
        body = decode(response.body)
    except NotJsonError as error:
        return faults.malformed_fault(provider, response, "a list of jobs", error)
    items = _bulk_items(next(iter(bulk.items.evaluate(body)), None))
    if items is None:
        return faults.malformed_fault(provider, response, "a list of jobs", body)
    reports: dict[str, Report] = {}
    wait, endpoint = retry_after(response), provider.endpoint()
    for item in items:
        job_id = next(map(as_text, bulk.id.evaluate(item)), None)
        word = _find_status(bulk.value, bulk.statuses, endpoint.status.null_strings, item, {})
        if job_id and word is not None:
            phase = bulk.statuses.get(status_key(word))
            whole = phase is not Phase.DONE or not _requires_link(endpoint)
            reports[job_id] = Report(phase=phase, raw_status=word, is_complete=whole, retry_after=wait)
    return reports


def parse_result(provider: Provider, kind: str, response: HttpResponse) -> Result | Fault:
    """What a reply to the ask for a result brings; empty where the kind has no such ask. Raises UnknownKind."""
    ask = provider.endpoint(kind).result
    if ask is None:
        return Result()
    if refused := faults.fault_from_status(provider, response):
        return refused
    try:
        body = decode(response.body)
    except NotJsonError as error:
        return faults.malformed_fault(provider, response, "a result", error)
    found = (list(find_texts((pointer,), body, response.headers)) for pointer in ask.text)
    lines = next((each for each in found if each), None)
    links, _ = _collect_links(ask.links, body, response.headers)
    if not lines and not links:
        return faults.malformed_fault(provider, response, "a result", body)
    return Result(clean("\n".join(lines), MAX_RESULT, keep_lines=True) if lines else None, links)


def _find_status(
    pointers: Sequence[Pointer],
    statuses: Mapping[str, Phase],
    null_strings: Sequence[str],
    body: Json,
    headers: Mapping[str, str],
) -> str | None:
    """The status word as it came; None where there is none.

    A number from 400 to 599 that no word of the provider's is: an error's HTTP status, repeated in its body.
    """
    for text in find_texts(pointers, body, headers, null_strings):
        word = clean(text, MAX_STATUS)
        if word and (status_key(word) in statuses or not _HTTP_ERROR.fullmatch(word)):
            return word
    return None


def _override_phase(rules: Sequence[OverrideRule], body: Json, headers: Mapping[str, str]) -> Phase | None:
    """The phase that another field says, where one does."""
    for rule in rules:
        for text in find_texts((rule.pointer,), body, headers):
            if text.strip().lower() == rule.equals.lower():
                return rule.phase
    return None


def _parse_progress(pointers: Sequence[Pointer], body: Json) -> float | None:
    """The first number from 0 to 1."""
    for pointer in pointers:
        for value in pointer.evaluate(body):
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:
                return float(value)
    return None


def _collect_links(
    rules: Sequence[LinkRule], body: Json, headers: Mapping[str, str]
) -> tuple[tuple[ReportedLink, ...], bool]:
    """The links of a reply, each once, and whether it keeps its promises: one promised link, or none promised."""
    seen: dict[tuple[LinkKind, str], ReportedLink] = {}
    kept = not any(rule.required for rule in rules)
    for rule in rules:
        life = None if rule.lifetime is None else float(rule.lifetime)  # a plain float, which every encoder knows
        for url in _first_urls(rule.url, body, headers):
            seen.setdefault((rule.kind, url), ReportedLink(rule.kind, url, life, rule.needs_key))
            kept = kept or rule.required
    return tuple(seen.values())[:MAX_LINKS], kept


def _first_urls(pointers: Sequence[Pointer], body: Json, headers: Mapping[str, str]) -> list[str]:
    """The links at the first pointer that leads to any."""
    for pointer in pointers:
        urls = [url for url in find_texts((pointer,), body, headers) if _is_absolute_url(url)]
        if urls:
            return urls
    return []


def _is_absolute_url(url: str) -> bool:
    """Whether it is an absolute http(s) URL that can be shown and opened as it is.

    A relative one is none: no service documents it, and the account's base URL is not known here. Credentials in a
    URL hide where it leads.
    """
    if not url.isprintable() or " " in url or len(url.encode()) > MAX_URL:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:  # a bracket without its fellow, a port that is no number
        return False


def _bulk_items(found: Json) -> Sequence[Json] | None:
    """The entries of a bulk reply, which is a list or an object of them."""
    if isinstance(found, dict):
        return tuple(found.values())
    return found if isinstance(found, list) else None


def _requires_link(endpoint: Endpoint) -> bool:
    return any(rule.required for rule in endpoint.links)
