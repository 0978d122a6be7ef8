"""Requests of a provider file: POST, constant headers, ids of several parts, and account variables."""

import pytest

from tests.support.provider_files import provider_file
from tui.providers.loader import ProviderError, parse
from tui.providers.model import Provider
from tui.providers.requests.request import FORM_TYPE, JSON_TYPE, HttpRequest


def provider(tables: str, top: str = "") -> Provider:
    return parse(provider_file("acme", f"{top}\n{tables}"), "acme.toml")


def problems(tables: str, top: str = "") -> str:
    with pytest.raises(ProviderError) as caught:
        provider(tables, top)
    return " | ".join(caught.value.problems)


def status_request(found: Provider, job_id: str, kind: str = "", **variables: str) -> HttpRequest:
    return found.endpoint(kind).status.fill("https://a.test/v1/", found.values(kind, job_id, variables))


STATUS = '[status]\npath = "/jobs/{id}"\nvalue = ["/status"]\n'


def test_a_status_is_requested_by_post_with_a_form_or_json():
    form = provider(STATUS + 'method = "POST"\nform = { key = "x {id}&" }\n')
    assert status_request(form, "a/b") == HttpRequest(
        "https://a.test/v1/jobs/a%2Fb", "POST", b"key=x+a%2Fb%26", FORM_TYPE
    )
    both = provider(STATUS + 'method = "POST"\nform = { key = "{id} {project}" }\n', 'variables = ["project"]')
    assert status_request(both, "{project}", project="p").body == b"key=%7Bproject%7D+p"
    json = provider(
        '[status]\npath = "/query"\nmethod = "POST"\nvalue = ["/status"]\n'
        'json = { JobId = "{id:int}", about = { "as" = ["job {id}", true] } }\n'
        'content_type = "application/x-amz-json-1.1"\n'
    )
    assert status_request(json, "42") == HttpRequest(
        "https://a.test/v1/query",
        "POST",
        b'{"JobId":42,"about":{"as":["job 42",true]}}',
        "application/x-amz-json-1.1",
    )
    with pytest.raises(ValueError, match="'x' is not a number"):
        status_request(json, "x")


def test_a_bulk_request_by_post_has_its_ids_as_a_list():
    bulk = provider(
        STATUS + '[bulk]\npath = "/jobs"\nmethod = "POST"\njson = { ids = "{ids:int}" }\nmax_ids = 9\n'
        'items = ""\nid = "key:"\nvalue = ["/status"]\n'
    ).bulk
    assert bulk is not None
    assert bulk.for_ids("https://a.test", ["1", "2"]) == HttpRequest(
        "https://a.test/jobs", "POST", b'{"ids":[1,2]}', JSON_TYPE
    )


def test_parts_of_an_id_come_from_the_id_or_from_the_accounts_variables():
    found = provider(
        '[status]\npath = "/p/{project}/jobs/{id}"\nvalue = ["/status"]\n'
        '[kinds.file]\nstatus.path = "/p/{project}/files/{locale}/{id}"\n'
        'job_id = { parts = ["project", "locale", "id"] }\n'
        '[kinds.project]\nstatus.path = "/p/{id}"\njob_id = { parts = ["id"] }\n',
        'variables = ["project"]\njob_id = { parts = ["project", "id"] }',
    )
    assert status_request(found, "p 1/j").url == "https://a.test/v1/p/p%201/jobs/j"
    assert status_request(found, "j", project="mine").url == "https://a.test/v1/p/mine/jobs/j"
    assert status_request(found, "p/j", project="mine").url == "https://a.test/v1/p/p/jobs/j"
    assert status_request(found, "de/f", "file", project="mine").url == "https://a.test/v1/p/mine/files/de/f"
    assert status_request(found, "p", "project").url == "https://a.test/v1/p/p"
    assert (found.required_variables, found.has_slashes) == ((), True)
    for job_id, reason in [
        ("j", "project is missing"),
        ("a/b/c", "3 parts: expected project/id"),
        ("/j", "empty part"),
    ]:
        with pytest.raises(ValueError, match=reason):
            status_request(found, job_id)


def test_an_id_with_slashes_is_encoded_segment_by_segment():
    found = provider('[status]\npath = "/v3/{id:path}"\nvalue = ["/status"]\n')
    assert (
        status_request(found, "projects/p 1/operations/é").url
        == "https://a.test/v1/v3/projects/p%201/operations/%C3%A9"
    )
    assert found.has_slashes
    for job_id in ("a//b", "/a", "a/../b", "a/."):
        with pytest.raises(ValueError, match="invalid id"):
            status_request(found, job_id)


def test_a_constant_header_without_its_variable_is_left_out():
    found = provider(STATUS + '[headers]\nX-Version = "2023-06-01"\nX-Region = "{region}"\n', 'variables = ["region"]')
    assert found.constant_headers({}) == ((b"X-Version", b"2023-06-01"),)
    assert found.constant_headers({"region": "eu"}) == ((b"X-Version", b"2023-06-01"), (b"X-Region", b"eu"))
    assert found.required_variables == ()


@pytest.mark.parametrize(
    ("tables", "top", "problem"),
    [
        (STATUS + 'form = { a = "b" }\n', "", 'status.form: needs method = "POST"'),
        (STATUS + 'method = "PUT"\n', "", "status.method: 'PUT' is unknown"),
        (STATUS + 'method = "POST"\nform = { a = "b" }\njson = { a = 1 }\n', "", "status.json: a request has either"),
        (STATUS + 'method = "POST"\nform = { a = "{idd}" }\n', "", "status.form.a: unknown placeholder {idd}"),
        (STATUS + 'method = "POST"\njson = { a = ["{idd}"] }\n', "", "did you mean 'id'?"),
        (
            STATUS + 'method = "POST"\njson = { a = "job {id:int}" }\n',
            "",
            "{id:int} stands for a whole text, in 'job {id:int}'",
        ),
        (STATUS + 'method = "POST"\njson = { a = "{id:path}" }\n', "", "status.json: unknown placeholder {id:path}"),
        (STATUS + 'method = "POST"\njson = { a = "{id:float}" }\n', "", "status.json: unknown placeholder {id:float}"),
        (STATUS.replace("{id}", "{id}/{projects}"), 'variables = ["project"]', "did you mean 'project'?"),
        (STATUS.replace("{id}", "{id}/{secret.k}"), 'secrets = ["k"]', "unknown placeholder {secret.k}"),
        (STATUS + 'method = "POST"\nform = { a = "{secret.kk}" }\n', 'secrets = ["k"]', "did you mean 'secret.k'?"),
        (STATUS, 'variables = ["Project"]', "variables[0]: expected lower-case letters"),
        (STATUS, 'variables = ["result_id"]', "variables[0]: 'result_id' has another meaning"),
        (STATUS, 'job_id = { parts = ["project"] }', "job_id.parts: 'id' is missing"),
        (STATUS, 'job_id = { parts = ["id", "id"] }', "job_id.parts: a name occurs twice"),
        (STATUS, 'job_id = { parts = ["id"], separator = "--" }', "job_id.separator: expected one character"),
        (STATUS.replace("{id}", "{id:path}"), 'job_id = { parts = ["p", "id"] }', "unknown placeholder {id:path}"),
        (STATUS + '[headers]\nX-API-Key = "a"\n', "", "headers.X-API-Key: is set by babeltop"),
        (STATUS + '[headers]\nContent-Type = "a"\n', "", "headers.Content-Type: is set by babeltop"),
        (STATUS + '[headers]\n"X Y" = "a"\n', "", "headers.X Y: invalid header name"),
        (STATUS + '[headers]\nX = "a\\nb"\n', "", "headers.X: invalid header value"),
        (STATUS + '[headers]\nX = "{region}"\n', "", "headers.X: unknown placeholder {region}"),
        (
            STATUS + '[bulk]\npath = "/jobs/{grids}"\nmax_ids = 9\nitems = ""\nid = "/id"\nvalue = ["/status"]\n',
            'variables = ["grids"]',
            "bulk.id_parameter: missing, unless {ids} stands in the body",
        ),
        (STATUS + '[statuses]\n"a*b" = "done"\n', "", "statuses.a*b: '*' stands at the start or at the end"),
    ],
)
def test_a_problem_of_a_request_has_its_key_and_reason(tables: str, top: str, problem: str):
    assert problem in problems(tables, top)
