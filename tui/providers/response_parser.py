"""Parser of responses into reports, results or faults, after the provider's file. Pure; no input makes it raise.

A response is a report only if it has a status; without one it is malformed, whatever else it holds.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from tui.domain.models import Fault, FaultKind, LinkKind, Phase, Report, ReportedLink, Result
from tui.presentation.sanitize import clean, mask_urls
from tui.providers import faults
from tui.providers.json_body import NotJsonError, as_text, decode, find_texts
from tui.providers.json_pointer import Json, Pointer
from tui.providers.model import Endpoint, LinkRule, Provider, StatusRequest, status_key
from tui.providers.response import HttpResponse, retry_after
from tui.providers.status_rules import NEVER_REPLACED, OverrideRule

MAX_STATUS = 120
MAX_RESULT_ID = 200
MAX_LANGUAGE = 100
MAX_TITLE = 300
MAX_MESSAGE = 2000
"""Characters of each text in a report."""
MAX_RESULT = 1 << 20
"""Characters of a result's text: the bound of a body, so that no translation is cut."""
MAX_URL = 8192
"""Bytes of a link. Browsers and storage services reject longer ones."""
MAX_LINKS = 100
"""Links of one response."""

_HTTP_ERROR = re.compile("[45][0-9]{2}")
_PERCENT = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,9})?)\s*%?\s*")
_BOOLEANS = frozenset({"true", "false"})
"""Booleans as text: statuses only of a provider whose file lists them."""
_UNSAFE_SEGMENTS = frozenset({".", ".."})
"""Result ids that would lead to another path."""


def parse_status(provider: Provider, kind: str, response: HttpResponse) -> Report | Fault:
    """Return the report on one job of a kind, or the fault. Raises UnknownKind, and nothing else."""
    endpoint = provider.endpoint(kind)
    status = endpoint.status
    rule, body = _matching_rule(endpoint, response)
    if rule is not None and rule.fault is not None:
        return faults.fault_from_rule(provider, response, FaultKind(rule.fault), body)
    if rule is None:
        body = _decode_body(provider, response, "a status")
        if isinstance(body, Fault):
            return body
    raw_status = _find_status(status.value, endpoint.statuses, status.null_strings, body, response.headers)
    if raw_status is None and rule is not None:
        raw_status = clean(rule.describe(response.status, body, response.headers), MAX_STATUS)
    if raw_status is None:
        return faults.malformed_fault(provider, response, "a status", body)

    def text(pointers: Sequence[Pointer], max_length: int) -> str | None:
        for found in find_texts(pointers, body, response.headers, status.null_strings):
            return mask_urls(clean(found, max_length))[:max_length] or None
        return None

    phase = rule.phase if rule is not None else endpoint.statuses.get(status_key(raw_status))
    result_id = text(status.result_id, MAX_RESULT_ID)
    links, has_required_link = _collect_links(endpoint.links, body, response.headers)
    return Report(
        phase=phase,
        raw_status=raw_status,
        title=text(status.title, MAX_TITLE),
        language=text(status.language, MAX_LANGUAGE),
        progress=_parse_progress(status, body),
        progress_is_stage=status.progress_unit == "stage",
        message=text(status.message, MAX_MESSAGE),
        result_id=None if result_id in _UNSAFE_SEGMENTS else result_id,
        links=links,
        is_complete=phase is not Phase.DONE
        or (has_required_link and (endpoint.result is None or result_id is not None)),
        retry_after=retry_after(response),
    )


def parse_bulk(provider: Provider, response: HttpResponse) -> dict[str, Report] | Fault:
    """Return the reports of a bulk poll by id, or the fault. An id without a status is absent.

    Reports have no links: a job that ended is polled singly. Empty for a provider without bulk polls. Raises nothing.
    """
    bulk = provider.bulk
    if bulk is None:
        return {}
    body = _decode_body(provider, response, "a list of jobs")
    if isinstance(body, Fault):
        return body
    items = _bulk_items(next(iter(bulk.items.evaluate(body)), None))
    if items is None:
        return faults.malformed_fault(provider, response, "a list of jobs", body)
    reports: dict[str, Report] = {}
    wait, endpoint = retry_after(response), provider.endpoint()
    for item in items:
        job_id = next(map(as_text, bulk.id.evaluate(item)), None)
        raw_status = _find_status(bulk.value, bulk.statuses, endpoint.status.null_strings, item, {})
        if job_id and raw_status is not None:
            phase = bulk.statuses.get(status_key(raw_status))
            is_complete = phase is not Phase.DONE or not _requires_link(endpoint)
            reports[job_id] = Report(phase=phase, raw_status=raw_status, is_complete=is_complete, retry_after=wait)
    return reports


def parse_result(provider: Provider, kind: str, response: HttpResponse) -> Result | Fault:
    """Return the result in a response, or the fault; empty for a kind without results. Raises UnknownKind."""
    request = provider.endpoint(kind).result
    if request is None:
        return Result()
    body = _decode_body(provider, response, "a result")
    if isinstance(body, Fault):
        return body
    found = (list(find_texts((pointer,), body, response.headers)) for pointer in request.text)
    lines = next((each for each in found if each), None)
    links, _ = _collect_links(request.links, body, response.headers)
    if not lines and not links:
        return faults.malformed_fault(provider, response, "a result", body)
    return Result(clean("\n".join(lines), MAX_RESULT, keep_lines=True) if lines else None, links)


def _decode_body(provider: Provider, response: HttpResponse, missing_part: str) -> Json | Fault:
    """Return the body of a 2xx response, or the fault."""
    if fault := faults.fault_from_status(provider, response):
        return fault
    try:
        return decode(response.body, response.headers.get("content-type", ""))
    except NotJsonError as error:
        return faults.malformed_fault(provider, response, missing_part, error)


def _find_status(
    pointers: Sequence[Pointer],
    statuses: Mapping[str, Phase],
    null_strings: Sequence[str],
    body: Json,
    headers: Mapping[str, str],
) -> str | None:
    """Return the raw status; None if there is none.

    A number from 400 to 599 that is not a status of the provider is an HTTP status, repeated in the body.
    """
    for text in find_texts(pointers, body, headers, null_strings, with_booleans=not _BOOLEANS.isdisjoint(statuses)):
        raw_status = clean(text, MAX_STATUS)
        if raw_status and (status_key(raw_status) in statuses or not _HTTP_ERROR.fullmatch(raw_status)):
            return raw_status
    return None


def _matching_rule(endpoint: Endpoint, response: HttpResponse) -> tuple[OverrideRule | None, Json]:
    """Return the first rule that holds for a response, if one does, and the body: null if it is not JSON."""
    if not endpoint.overrides or response.status in NEVER_REPLACED:
        return None, None
    body: Json = None
    is_readable = True
    try:
        body = decode(response.body, response.headers.get("content-type", ""))
    except NotJsonError:
        is_readable = False  # only HTTP status and headers count
    for rule in endpoint.overrides:
        if (is_readable or rule.http_status is not None) and rule.matches(response.status, body, response.headers):
            return rule, body
    return None, None


def _parse_progress(status: StatusRequest, body: Json) -> float | None:
    """Return the first number in range as a fraction, 0 to 1. A percentage may be text with or without `%`."""
    is_percent = status.progress_unit == "percent"
    whole = 100 if is_percent else 1
    for pointer in status.progress:
        for value in pointer.evaluate(body):
            number = value
            if is_percent and isinstance(value, str) and (match := _PERCENT.fullmatch(value)):
                number = float(match[1])
            if isinstance(number, int | float) and not isinstance(number, bool) and 0 <= number <= whole:
                return number / whole
    return None


def _collect_links(
    rules: Sequence[LinkRule], body: Json, headers: Mapping[str, str]
) -> tuple[tuple[ReportedLink, ...], bool]:
    """Return the links of a response, each once, and whether a required link is among them or none is required."""
    found: dict[tuple[LinkKind, str], ReportedLink] = {}
    has_required_link = not any(rule.required for rule in rules)
    for rule in rules:
        lifetime = (
            None if rule.lifetime is None else float(rule.lifetime)
        )  # a plain float, which every encoder supports
        for url in _first_urls(rule.url, body, headers):
            found.setdefault((rule.kind, url), ReportedLink(rule.kind, url, lifetime, rule.needs_key))
            has_required_link = has_required_link or rule.required
    return tuple(found.values())[:MAX_LINKS], has_required_link


def _first_urls(pointers: Sequence[Pointer], body: Json, headers: Mapping[str, str]) -> list[str]:
    """Return the links of the first pointer that finds any."""
    for pointer in pointers:
        urls = [url for url in find_texts((pointer,), body, headers) if _is_absolute_url(url)]
        if urls:
            return urls
    return []


def _is_absolute_url(url: str) -> bool:
    """Return whether it is an absolute http(s) URL that can be shown and opened unchanged.

    Relative URLs are rejected: no service documents them, and the account's base URL is unknown here. So are
    credentials in a URL: they disguise its host.
    """
    if not url.isprintable() or " " in url or len(url.encode()) > MAX_URL:
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:  # an unmatched bracket, a port that is not a number
        return False


def _bulk_items(found: Json) -> Sequence[Json] | None:
    """Return the entries of a bulk response: a list, or the members of an object."""
    if isinstance(found, dict):
        return tuple(found.values())
    return found if isinstance(found, list) else None


def _requires_link(endpoint: Endpoint) -> bool:
    return any(rule.required for rule in endpoint.links)
