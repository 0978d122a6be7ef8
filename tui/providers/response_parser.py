"""Parser of responses into reports, results or faults, after the provider's file. Pure; no input makes it raise.

A response is a report only if it has a status; without one it is malformed, whatever else it holds.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec.structs import replace

from tui.domain import parts as job_parts
from tui.domain.job_ids import UNSAFE_SEGMENTS
from tui.domain.models import Fault, FaultKind, Phase, Report, Result
from tui.presentation.sanitize import clean
from tui.providers import faults
from tui.providers.json_body import NotJsonError, as_text, decode, find_shown_text, find_texts
from tui.providers.json_pointer import Item, Json, Pointer, items_at
from tui.providers.model import Endpoint, Provider
from tui.providers.reports.links import MAX_LANGUAGE, MAX_LINKS, LinkSource, collect_links
from tui.providers.reports.parts import parse_parts
from tui.providers.reports.progress import parse_progress
from tui.providers.reports.status import MAX_STATUS, find_status, phase_of
from tui.providers.response import HttpResponse, retry_after
from tui.providers.status_rules import NEVER_REPLACED, OverrideRule

MAX_RESULT_ID = 200
MAX_TITLE = 300
MAX_MESSAGE = 2000
"""Characters of each text in a report."""
MAX_RESULT = 1 << 20
"""Characters of a result's text: the bound of a body, so that no translation is cut."""


def parse_status(
    provider: Provider, kind: str, response: HttpResponse, source: LinkSource | None = None
) -> Report | Fault:
    """Return the report on one job of a kind, or the fault. Raises UnknownKind, and nothing else.

    `source`: the account's base URL and the job's ids, for links with a path; None: the file's base URL.
    """
    endpoint = provider.endpoint(kind)
    rule, body = _matching_rule(endpoint, response)
    if rule is not None and rule.fault is not None:
        return faults.fault_from_rule(provider, response, FaultKind(rule.fault), body)
    if rule is None:
        body = decode_body(provider, response, "a status")
        if isinstance(body, Fault):
            return body
    report = read_report(endpoint, body, response, source or LinkSource(provider.base_url, {}), rule)
    return report if report is not None else faults.malformed_fault(provider, response, "a status", body)


def read_report(
    endpoint: Endpoint, body: Json, response: HttpResponse, source: LinkSource, rule: OverrideRule | None = None
) -> Report | None:
    """Return the report in a body; None: it has no status. `rule`: the rule that determines its phase."""
    status, headers = endpoint.status, response.headers
    raw_status = find_status(status.value, endpoint.statuses, status.null_strings, body, headers)
    if raw_status is None and rule is not None:
        raw_status = clean(rule.describe(response.status, body, headers), MAX_STATUS)
    found = parse_parts(endpoint.parts, status.null_strings, body, headers, source) if endpoint.parts else None
    has_own_status = raw_status is not None
    if raw_status is None and (found is None or status.value):
        return None

    def text(pointers: Sequence[Pointer], max_length: int) -> str | None:
        return find_shown_text(pointers, body, headers, status.null_strings, max_length)

    phase = rule.phase if rule is not None else None if raw_status is None else phase_of(endpoint.statuses, raw_status)
    message = text(status.message, MAX_MESSAGE)
    progress = parse_progress(status.progress, status.progress_unit, body, headers)
    if found is not None and endpoint.parts is not None:
        some_failed = endpoint.parts.some_failed
        phase = job_parts.fold_phase(phase, has_own_status, found.parts, found.counts, some_failed)
        message = message or job_parts.failure_message(found.parts, found.counts)
        if not status.progress:
            progress = job_parts.progress(found.counts)
        if raw_status is None:
            raw_status = f"{found.counts.done} of {found.counts.total} done" if found.counts else "no parts"
    result_id = text(status.result_id, MAX_RESULT_ID)
    is_done, language = phase is Phase.DONE, text(status.language, MAX_LANGUAGE)
    if result_id in UNSAFE_SEGMENTS:
        result_id = None
    if result_id is not None:
        source = source._replace(values={**source.values, "result_id": result_id})
    links, has_required_link = collect_links(endpoint.links, body, headers, source if is_done else None)
    has_required_link = has_required_link and (found is None or found.is_complete)
    return Report(
        phase=phase,
        raw_status=raw_status or "",
        title=text(status.title, MAX_TITLE),
        language=language,
        progress=progress,
        progress_is_stage=status.progress_unit == "stage",
        message=message,
        result_id=result_id,
        links=(*links, *(found.links if found is not None else ()))[:MAX_LINKS],
        is_complete=not is_done or (has_required_link and (endpoint.result is None or result_id is not None)),
        retry_after=retry_after(response),
        parts=found.parts if found is not None else (),
        part_counts=found.counts if found is not None else None,
    )


def read_item(endpoint: Endpoint, item: Json, response: HttpResponse, source: LinkSource) -> Report | None:
    """Return the report in an item of a list, which is like a status response; None: it has no status."""
    rule = next((rule for rule in endpoint.overrides if rule.matches(200, item, {})), None)
    if rule is not None and rule.fault is not None:
        return None
    return read_report(endpoint, item, HttpResponse(200, {}, b"", response.received_at), source, rule)


def parse_bulk(
    provider: Provider, response: HttpResponse, base_url: str = "", variables: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Report] | Fault:
    """Return the reports of a bulk poll by id, or the fault. An id without a status is absent.

    Without `bulk_item` they have no links: a job that ended is polled singly. Empty for a provider without bulk polls.
    `base_url` and `variables`: the account's, for links with a path. Raises nothing.
    """
    bulk = provider.bulk
    if bulk is None:
        return {}
    body = decode_body(provider, response, "a list of jobs")
    if isinstance(body, Fault):
        return body
    items = items_at(bulk.items, body)
    if items is None:
        return faults.malformed_fault(provider, response, "a list of jobs", body)
    reports: dict[str, Report] = {}
    wait, endpoint = retry_after(response), provider.endpoint()
    is_plain = not any(pointer.item_source for pointer in (bulk.id, *bulk.value))
    for each in items:
        item = each.value if is_plain else each  # half of the time for each job
        job_id = item_id(bulk.id, item)
        if not job_id:
            continue
        if provider.bulk_item is not None:
            source = LinkSource(base_url or provider.base_url, {**variables, "id": job_id})
            report = read_item(provider.bulk_item, each.value, response, source)
            if report is not None:
                reports[job_id] = replace(report, retry_after=wait)
            continue
        raw_status = find_status(bulk.value, bulk.statuses, endpoint.status.null_strings, item, {})
        rule = next((rule for rule in bulk.override if rule.matches(200, each.value, {})), None)
        if raw_status is None and rule is not None:
            raw_status = clean(rule.describe(200, each.value, {}), MAX_STATUS)
        if raw_status is not None:
            phase = rule.phase if rule is not None else phase_of(bulk.statuses, raw_status)
            is_complete = phase is not Phase.DONE or not _requires_link(endpoint)
            reports[job_id] = Report(phase=phase, raw_status=raw_status, is_complete=is_complete, retry_after=wait)
    return reports


def item_id(pointer: Pointer, item: Json | Item) -> str | None:
    """Return the job id of an item in a list."""
    return next(map(as_text, pointer.evaluate(item)), None)


def parse_result(
    provider: Provider, kind: str, response: HttpResponse, source: LinkSource | None = None
) -> Result | Fault:
    """Return the result in a response, or the fault; empty for a kind without results. Raises UnknownKind."""
    request = provider.endpoint(kind).result
    if request is None:
        return Result()
    body = decode_body(provider, response, "a result")
    if isinstance(body, Fault):
        return body
    found = (list(find_texts((pointer,), body, response.headers)) for pointer in request.text)
    lines = next((each for each in found if each), None)
    links, _ = collect_links(request.links, body, response.headers, source or LinkSource(provider.base_url, {}))
    if not lines and not links:
        return faults.malformed_fault(provider, response, "a result", body)
    return Result(clean("\n".join(lines), MAX_RESULT, keep_lines=True) if lines else None, tuple(links))


def decode_body(provider: Provider, response: HttpResponse, missing_part: str) -> Json | Fault:
    """Return the body of a 2xx response, or the fault."""
    if fault := faults.fault_from_status(provider, response):
        return fault
    try:
        return decode(response.body, response.headers.get("content-type", ""))
    except NotJsonError as error:
        return faults.malformed_fault(provider, response, missing_part, error)


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


def _requires_link(endpoint: Endpoint) -> bool:
    return any(rule.required for rule in endpoint.links)
