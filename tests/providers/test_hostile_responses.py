"""No body and no headers make the parser raise, for any provider and kind."""

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tui.domain.models import Fault, Phase, Report
from tui.presentation.sanitize import clean
from tui.providers import wait_hints
from tui.providers.lists.listing import parse_page
from tui.providers.lists.paging import first_page
from tui.providers.loader import provider_registry
from tui.providers.response import AccountHeaders, HttpResponse, parse_account_headers
from tui.providers.response_parser import parse_bulk, parse_result, parse_status

KNOWN = provider_registry()
ENDPOINTS = [(provider, kind) for provider in KNOWN.values() for kind in provider.endpoints]
LISTS = [(provider, kind) for provider, kind in ENDPOINTS if provider.endpoint(kind).list_request is not None]
HEADERS = ["date", "age", "x-ratelimit-limit", "sunset", "deprecation", "location", *wait_hints.READERS]
RESULTS = [(provider, kind) for provider, kind in ENDPOINTS if provider.endpoint(kind).result is not None]
BULK = [provider for provider in KNOWN.values() if provider.bulk is not None]
DATES = ["Thu, 15 Oct 2026 00:00:00 GMT", "Thu, 31 Feb 0000 99:99:99 GMT", "Thu Oct 15 00:00:00 0001", "9999-12-31"]
KEYS = ["data", "error", "status", "message", "detail", "msg", "run_id", "url", "video_url", "result_url", "progress"]
KEYS += [
    "results",
    "targets",
    "items",
    "id",
    "next",
    "request_counts",
    "total",
    "summary",
    "job",
    "value",
    "created_at",
]
KEYS += ["exception_reason", "texts", "transcript", "text", "fr-fr", "video_id", "request_id", "output_url", "title"]
VALUES: list[Any] = [
    "success",
    "SUCCESS: so",
    "PAYMENT_REQUIRED",
    "NONE",
    "",
    "..",
    "https://a.example/x",
    "https://[",
    0.5,
]
VALUES += [2**70, -1, 1e300, True, None, 401, "401", "\u202e\x1b[31m", "9" * 5000, 10**300]

statuses = st.sampled_from([200, 201, 204, 301, 400, 401, 402, 403, 404, 410, 422, 429, 500, 503]) | st.integers()
values = st.text() | st.sampled_from([*DATES, "30", "1792022400", "9" * 400, "-1", "NaN", "true", "٣٠"])
headers = st.dictionaries(st.sampled_from(HEADERS) | st.text(), values)
instants = st.floats(0, 4e9)
trees = st.recursive(
    st.sampled_from(VALUES) | st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(), inner, max_size=4),
    max_leaves=12,
)
shapes = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS, st.sampled_from(VALUES) | trees))
bodies = st.one_of(
    st.binary(),
    st.text().map(lambda text: text.encode("utf-8", "replace")),
    (trees | shapes | shapes.map(lambda data: {"data": data}) | st.lists(shapes).map(lambda data: {"data": data})).map(
        lambda value: json.dumps(value).encode()
    ),
    st.sampled_from([each * depth for depth in (1, 500, 2000) for each in (b"[", b'{"data":')]),
)
responses = st.builds(HttpResponse, statuses, headers, bodies, instants) | st.builds(
    HttpResponse, st.just(200), headers, bodies, instants
)


def is_clean(text: str | None) -> bool:
    return text is None or (text == clean(text, len(text) + 1, keep_lines=True) and len(text) <= 1 << 20)


@given(responses)
def test_parsing_a_status_never_raises_and_returns_only_clean_text(response: HttpResponse):
    for provider, kind in ENDPOINTS:
        found = parse_status(provider, kind, response)
        if isinstance(found, Fault):
            assert is_clean(found.message)
            assert is_clean(found.request_id)
            assert found.retry_at is None or response.received_at <= found.retry_at < math.inf
            continue
        ruled = {code for rule in provider.endpoint(kind).overrides for code in rule.http_status or ()}
        assert 200 <= response.status < 300 or response.status in ruled
        assert_valid(found)


def assert_valid(found: Report) -> None:
    """Assert what holds for the report of any response."""
    assert found.raw_status
    assert all(map(is_clean, [found.raw_status, found.title, found.language, found.message, found.result_id]))
    assert found.result_id not in {"", ".", ".."}
    assert found.progress is None or 0 <= found.progress <= 1
    assert found.is_complete or found.phase is Phase.DONE
    assert all(link.url.lower().startswith(("http://", "https://")) for link in found.links)
    for part in found.parts:
        assert all(map(is_clean, [part.raw_status, part.id, part.language, part.message]))
        assert part.progress is None or 0 <= part.progress <= 1


@given(responses)
def test_parsing_a_list_never_raises_and_leads_to_no_other_origin(response: HttpResponse):
    for provider, kind in LISTS:
        listing = provider.endpoint(kind).list_request
        assert listing is not None
        variables = dict.fromkeys(provider.variables, "x")
        first = first_page(listing, "https://a.example", variables)
        page = parse_page(provider, kind, response, "https://a.example", variables, first, 0)
        if isinstance(page, Fault):
            continue
        assert page.next is None or page.next.url.startswith("https://a.example/")
        for job in page.jobs:
            assert job.id.isprintable()
            if job.has_whole_report and job.report is not None:
                assert_valid(job.report)


@given(responses)
def test_parsing_a_result_or_a_bulk_response_never_raises(response: HttpResponse):
    for provider, kind in RESULTS:
        result = parse_result(provider, kind, response)
        assert isinstance(result, Fault) or is_clean(result.text)
    for provider in BULK:
        many = parse_bulk(provider, response)
        assert isinstance(many, Fault) or all(isinstance(one, Report) for one in many.values())


@given(headers, instants)
def test_parsing_account_headers_never_raises(headers: dict[str, str], at: float):
    found = parse_account_headers(HttpResponse(200, headers, b"", at))
    assert isinstance(found, AccountHeaders)
    assert found.reset_at is None or at <= found.reset_at < math.inf
