"""Pages of a list: the first request, and the next one after a response. Pure: requests are sent by the engine.

The key goes with every page, so a URL from a response is followed on the account's own origin only.
"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit, urlunsplit

from tui.domain.hosts import origin
from tui.providers.json_body import as_text, find_texts
from tui.providers.json_pointer import Json, Pointer
from tui.providers.lists.model import ListRequest
from tui.providers.reports.links import is_absolute_url
from tui.providers.reports.progress import parse_count
from tui.providers.requests.request import HttpRequest
from tui.providers.requests.templates import Values

MAX_CURSOR = 4096
"""Characters."""
_NEXT_LINK = re.compile(r'<([^<>]*)>[^,<]*;\s*rel="?next"?', re.IGNORECASE)
"""Target of a Link header with the relation `next` (RFC 8288)."""


class ForeignPageError(Exception):
    """The next page is at another origin than the account, to which no key is sent. The text is its host."""


def first_page(request: ListRequest, base_url: str, values: Values) -> HttpRequest:
    """Return the request for the first page. Raises ValueError for an invalid or a missing value."""
    filled, size = request.fill(base_url, values), request.paging.size
    return filled if size is None else filled._replace(url=_with_query(filled.url, size.parameter, str(size.value)))


def next_page(
    request: ListRequest,
    base_url: str,
    previous: HttpRequest,
    page_index: int,
    body: Json,
    headers: Mapping[str, str],
    ids: Sequence[str],
) -> HttpRequest | None:
    """Return the request for the page after a response to `previous`; None: it was the last page.

    `page_index`: of the previous page, from 0. `ids`: of the previous page's items. Raises ForeignPageError.
    """
    paging = request.paging
    if not ids or (paging.more is not None and _is_false(paging.more, body)):
        return None
    match paging.type:
        case "cursor":
            parameter_value = _first_text(paging.next, body)
        case "last_id":
            parameter_value = ids[-1]
        case "offset":
            step = paging.size.value if paging.size else 1
            parameter_value = str(step * (page_index + 1)) if len(ids) >= step else ""
        case "page":
            parameter_value = _next_number(request, page_index, body, len(ids))
        case "next_url":
            return _followed(_first_text(paging.next, body), base_url, previous)
        case "link_header":
            link = _NEXT_LINK.search(headers.get("link", ""))
            return _followed(link[1] if link else "", base_url, previous)
        case "none":
            return None
    if not parameter_value or len(parameter_value) > MAX_CURSOR:
        return None
    return previous._replace(url=_with_query(previous.url, paging.parameter, parameter_value))


def _next_number(request: ListRequest, page_index: int, body: Json, item_count: int) -> str:
    """Return the number of the next page; "": there is none."""
    paging, number = request.paging, request.paging.first + page_index
    pages = parse_count((paging.pages,), body, {}) if paging.pages is not None else None
    has_pages = page_index + 1 < pages if pages is not None else item_count >= (paging.size.value if paging.size else 1)
    return str(number + 1) if has_pages else ""


def _followed(url: str, base_url: str, previous: HttpRequest) -> HttpRequest | None:
    if not url:
        return None
    target = urljoin(previous.url, url)
    if not is_absolute_url(target):
        return None
    if origin(target) != origin(base_url):
        raise ForeignPageError(urlsplit(target).hostname or "")
    return previous._replace(url=target)


def _first_text(pointer: Pointer | None, body: Json) -> str:
    return next(find_texts((pointer,), body, {}), "") if pointer is not None else ""


def _is_false(pointer: Pointer, body: Json) -> bool:
    return any(value is False or (as_text(value) or "").lower() == "false" for value in pointer.evaluate(body))


def _with_query(url: str, name: str, value: str) -> str:
    """Return the URL with a query parameter, which replaces one of that name."""
    parts = urlsplit(url)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != name]
    return urlunsplit(parts._replace(query=urlencode([*query, (name, value)], safe="$:,/")))
