"""Parser of one page of a list: the jobs on it, with their statuses as far as the page has them. Pure.

An id that is on no page is not missing: lists are paged, filtered and late.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Struct

from tui.domain.models import Fault, Phase, Report
from tui.presentation.sanitize import clean
from tui.providers import faults
from tui.providers.json_body import find_shown_text, find_texts
from tui.providers.json_pointer import Item, items_at
from tui.providers.lists.model import ListRequest
from tui.providers.lists.paging import ForeignPageError, next_page
from tui.providers.model import Endpoint, Provider
from tui.providers.reports.links import LinkSource, parse_instant
from tui.providers.reports.status import find_status, phase_of
from tui.providers.requests.request import HttpRequest
from tui.providers.response import HttpResponse
from tui.providers.response_parser import MAX_TITLE, decode_body, item_id, read_item

MAX_LISTED = 1000
"""Jobs of one page."""
MAX_LISTED_ID = 512
"""Characters."""


class ListedJob(Struct, frozen=True, kw_only=True):
    """Job on a list."""

    id: str
    kind: str
    created_at: float | None
    """Instant; None: the list does not state it."""
    report: Report | None
    """None: the list has no status of the job."""
    has_whole_report: bool
    """The report counts as a poll of the job, with its links."""

    @property
    def title(self) -> str:
        """The service's title; "": none."""
        return (self.report and self.report.title) or ""


class Page(NamedTuple):
    """Page of a list."""

    jobs: tuple[ListedJob, ...]
    next: HttpRequest | None
    """None: it was the last page."""
    foreign_host: str = ""
    """Host of the next page, if it is at another origin, to which no key is sent."""


def parse_page(
    provider: Provider,
    kind: str,
    response: HttpResponse,
    base_url: str,
    variables: Mapping[str, str],
    request: HttpRequest,
    page_index: int,
) -> Page | Fault:
    """Return the page in a response to `request`, or the fault. Raises UnknownKind."""
    endpoint = provider.endpoint(kind)
    listing = endpoint.list_request
    if listing is None:
        return Page((), None)
    body = decode_body(provider, response, "a list of jobs")
    if isinstance(body, Fault):
        return body
    items = items_at(listing.items, body)
    if items is None:
        return faults.malformed_fault(provider, response, "a list of jobs", body)
    jobs: list[ListedJob] = []
    ids: list[str] = []
    for item in items[:MAX_LISTED]:
        job_id = item_id(listing.id, item)
        if not job_id or len(job_id) > MAX_LISTED_ID or not job_id.isprintable():
            continue
        ids.append(job_id)
        values = {**variables, "id": job_id}
        jobs.append(_parse_item(endpoint, listing, item, job_id, response, LinkSource(base_url, values)))
    foreign, following = "", None
    try:
        following = next_page(listing, base_url, request, page_index, body, response.headers, ids)
    except ForeignPageError as error:
        foreign = clean(str(error), 100)
    return Page(tuple(jobs), following, foreign)


def _parse_item(
    endpoint: Endpoint, listing: ListRequest, item: Item, job_id: str, response: HttpResponse, source: LinkSource
) -> ListedJob:
    created = (parse_instant(text) for text in find_texts(listing.created, item, {}))
    whole = None
    if endpoint.list_item is not None:
        whole = read_item(endpoint.list_item, item.value, response, source)
    return ListedJob(
        id=job_id,
        kind=endpoint.kind,
        created_at=next((at for at in created if at is not None), None),
        report=whole or _brief_report(endpoint, listing, item),
        has_whole_report=whole is not None,
    )


def _brief_report(endpoint: Endpoint, listing: ListRequest, item: Item) -> Report | None:
    """Return a report of an item's status, title and language, without links; None: it has no status."""
    null_strings = endpoint.status.null_strings
    raw_status = find_status(listing.value, listing.statuses, null_strings, item, {})
    title = find_shown_text(listing.title, item, {}, null_strings, MAX_TITLE)
    if raw_status is None and title is None:
        return None
    phase = phase_of(listing.statuses, raw_status) if raw_status is not None else Phase.NEW
    return Report(
        phase=phase,
        raw_status=raw_status or "",
        title=title,
        language=find_shown_text(listing.language, item, {}, null_strings, MAX_TITLE),
        is_complete=phase is not Phase.DONE,
    )
