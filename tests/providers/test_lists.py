"""Lists of an account's jobs: their items, and the request for the next page."""

import json
from typing import Any

import pytest

from tests.support.provider_files import provider_file
from tui.domain.models import Fault, FaultKind, PartCounts, Phase
from tui.providers.lists.listing import Page, parse_page
from tui.providers.lists.paging import first_page
from tui.providers.loader import ProviderError, parse
from tui.providers.model import Provider
from tui.providers.response import HttpResponse

BASE = "https://a.test/v1"
STATUS = '[status]\npath = "/jobs/{id}"\nvalue = ["/data/state", "/data/status"]\ntitle = ["/data/title"]\n'
LINKS = '[[links]]\nkind = "video"\nurl = ["/data/url"]\nrequired = true\n'
LIST = '[list]\npath = "/jobs?limit=2"\nitems = "/jobs"\nid = "/id"\ncreated = ["/created"]\n'


ONE, TWO = {"jobs": [{"id": "a"}]}, {"jobs": [{"id": "a"}, {"id": "b"}]}
NEXT = "?limit=2&n=1&p=1"


def provider(list_tables: str) -> Provider:
    return parse(provider_file("acme", STATUS + LINKS + list_tables), "acme.toml")


def page(found: Provider, body: Any, index: int = 0, url: str = "", **headers: str) -> Page:
    request = found.endpoint().list_request
    assert request is not None
    previous = first_page(request, BASE, {})
    previous = previous._replace(url=url or previous.url)
    response = HttpResponse(200, headers, json.dumps(body).encode(), 1.8e9)
    parsed = parse_page(found, "", response, BASE, {}, previous, index)
    assert isinstance(parsed, Page), parsed
    return parsed


def jobs(*ids: str, **more: Any) -> dict[str, Any]:
    return {"jobs": [{"id": job_id, "state": "processing"} for job_id in ids], **more}


def test_an_item_that_is_like_a_status_response_is_a_whole_report():
    found = provider(LIST + 'same_as = "/data"\n')
    item = {"id": 7, "state": "done", "title": "Clip", "url": "https://cdn.test/v", "created": 1795809600}
    listed = page(found, {"jobs": [item, {"id": "8", "created": "soon"}, {"no": "id"}]}).jobs
    assert [(job.id, job.created_at, job.has_whole_report) for job in listed] == [
        ("7", 1795809600.0, True),
        ("8", None, False),
    ]
    report = listed[0].report
    assert report is not None
    assert (report.phase, report.title, report.links[0].url) == (Phase.DONE, "Clip", "https://cdn.test/v")
    assert listed[1].report is None


def test_all_pointers_of_a_status_response_are_read_in_an_item():
    status = STATUS + 'progress = [{ part = ["/data/made", "/lost"], total = "/data/all" }]\n'
    links = '[[links]]\nkind = "video"\nurl = ["/data/url"]\nlifetime = "/data/life"\n'
    parts = '[parts.counts]\ntotal = "/data/all"\ndone = ["/data/made"]\nfailed = ["/data/bad"]\n'
    whole = parse(provider_file("acme", status + links + parts + LIST + 'same_as = "/data"\n'), "acme.toml")
    item = {"id": "7", "state": "done", "url": "https://cdn.test/v", "life": 60, "made": 3, "bad": 1, "all": 4}
    report = page(whole, {"jobs": [item]}).jobs[0].report
    assert report is not None
    assert (report.progress, report.part_counts, report.links[0].lifetime) == (0.75, PartCounts(3, 1, 4), 60.0)


def test_the_parts_of_an_item_take_their_languages_from_the_item():
    parts = (
        '[parts]\nitems = "/data/results"\nlanguage = ["root:/data/targets/{n}", "root:/elsewhere"]\n'
        'value = ["/status"]\nid = ["key:"]\n'
    )
    whole = parse(provider_file("acme", STATUS + parts + LIST + 'same_as = "/data"\n'), "acme.toml")
    item = {"id": "7", "state": "done", "targets": ["de", "fr"], "results": [{"status": "done"}, {"status": "done"}]}
    report = page(whole, {"jobs": [item]}).jobs[0].report
    assert report is not None
    assert [part.language for part in report.parts] == ["de", "fr"]
    assert whole.endpoint().list_item is not None
    assert whole.endpoint().list_item.parts.language == ("root:/targets/{n}",)  # type: ignore[union-attr]


def test_an_item_with_a_status_is_a_report_without_links():
    found = provider(LIST + 'value = ["/state"]\ntitle = ["/name"]\nstatuses = { gone = "missing" }\n')
    listed = page(found, {"jobs": {"a": {"id": "a", "state": "gone", "name": "N"}, "b": {"id": "b", "name": "M"}}}).jobs
    assert [(job.report.phase, job.title) for job in listed if job.report] == [(Phase.MISSING, "N"), (Phase.NEW, "M")]
    assert not any(job.has_whole_report for job in listed)


def test_a_response_without_a_list_is_malformed():
    found = provider(LIST)
    request = found.endpoint().list_request
    assert request is not None
    for status, kind in ((200, FaultKind.MALFORMED), (401, FaultKind.REFUSED)):
        response = HttpResponse(status, {}, b'{"jobs": 3}', 1.8e9)
        parsed = parse_page(found, "", response, BASE, {}, first_page(request, BASE, {}), 0)
        assert isinstance(parsed, Fault)
        assert parsed.kind is kind


@pytest.mark.parametrize(
    ("paging", "body", "index", "following"),
    [
        ('type = "none"', jobs("a"), 0, None),
        ('type = "cursor"\nparameter = "token"\nnext = "/next"', jobs("a", next="t 1"), 0, "?limit=2&token=t+1"),
        ('type = "cursor"\nparameter = "token"\nnext = "/next"', jobs("a", next=""), 0, None),
        ('type = "cursor"\nparameter = "token"\nnext = "/next"', jobs(next="t"), 0, None),
        ('type = "cursor"\nparameter = "t"\nnext = "/next"\nmore = "/more"', jobs("a", next="t", more=False), 0, None),
        ('type = "last_id"\nparameter = "after"', jobs("a", "b"), 0, "?limit=2&after=b"),
        ('type = "offset"\nparameter = "limit"\nsize = { parameter = "n", value = 2 }', TWO, 1, "?n=2&limit=4"),
        ('type = "offset"\nparameter = "skip"\nsize = { parameter = "top", value = 2 }', jobs("a"), 0, None),
        ('type = "page"\nparameter = "page"\npages = "/pages"', jobs("a", pages=2), 0, "?limit=2&page=2"),
        ('type = "page"\nparameter = "page"\npages = "/pages"', jobs("a", pages=2), 1, None),
        ('type = "page"\nparameter = "p"\nfirst = 0\nsize = { parameter = "n", value = 1 }', ONE, 0, NEXT),
        ('type = "next_url"\nnext = "/next"', jobs("a", next=f"{BASE}/jobs?c=2"), 0, "?c=2"),
        ('type = "next_url"\nnext = "/next"', jobs("a", next="/v1/jobs?c=2"), 0, "?c=2"),
        ('type = "next_url"\nnext = "/next"', jobs("a", next=None), 0, None),
    ],
)  # fmt: skip
def test_the_next_page_is_requested_as_the_file_describes(paging: str, body: Any, index: int, following: str | None):
    found = page(provider(f"{LIST}[list.paging]\n{paging}\n"), body, index)
    assert (found.next.url if found.next else None) == (f"{BASE}/jobs{following}" if following else None)


def test_a_next_page_at_another_origin_is_not_requested():
    found = provider(LIST + '[list.paging]\ntype = "next_url"\nnext = "/next"\n')
    for url in ("https://evil.test/v1/jobs", "http://a.test/v1/jobs", "//evil.test/", "https://a.test:8443/"):
        assert page(found, jobs("a", next=url)).next is None
    assert page(found, jobs("a", next="https://evil.test/x")).foreign_host == "evil.test"
    by_header = provider(LIST + '[list.paging]\ntype = "link_header"\n')
    assert page(by_header, jobs("a"), link='<https://evil.test/>; rel="next"').next is None
    link = f'<{BASE}/jobs?page=1>; rel="prev", <{BASE}/jobs?page=3>; rel="next"'
    assert (page(by_header, jobs("a"), link=link).next or ("",))[0] == f"{BASE}/jobs?page=3"
    assert page(by_header, jobs("a"), link=f'<{BASE}/jobs?page=1>; rel="prev"').next is None


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        (LIST + 'same_as = ""\nvalue = ["/a"]\n', "list.value: not with same_as"),
        (LIST + 'same_as = "/a/*"\n', "list.same_as: expected a JSON Pointer without '*'"),
        (LIST + 'order = "newest"\n', "list.order: 'newest' is unknown; did you mean 'newest_first'?"),
        (LIST + '[list.paging]\ntype = "cursr"\n', "list.paging.type: 'cursr' is unknown; did you mean 'cursor'?"),
        (LIST + '[list.paging]\ntype = "cursor"\nparameter = "p"\n', "list.paging.next: missing for type 'cursor'"),
        (LIST + '[list.paging]\ntype = "page"\nparameter = "p"\n', "list.paging.pages: missing, unless there is size"),
        (LIST.replace("/jobs?", "/{id}?"), "list.path: unknown placeholder {id}"),
        (LIST.replace('id = "/id"\n', ""), "list.id: missing"),
    ],
)
def test_a_problem_of_a_list_has_its_key_and_reason(tables: str, problem: str):
    with pytest.raises(ProviderError) as caught:
        provider(tables)
    assert any(found.startswith(problem) for found in caught.value.problems), caught.value.problems
