"""Built-in provider files, each with sample responses: every status, the list, the result and an error.

`samples/NAME.toml`: `[[status]]` has one body for many raw statuses, which replace STATUS in it; `[[response]]` one
response and what is read in it; `[[page]]` a page of the list; `[[result]]` the response to the result request.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tui.domain.models import Fault, Report, Result
from tui.providers.lists.listing import Page, parse_page
from tui.providers.lists.paging import first_page
from tui.providers.loader import builtin_files, provider_registry
from tui.providers.model import Provider
from tui.providers.reports.links import LinkSource
from tui.providers.reports.status import ANY, status_key
from tui.providers.response import HttpResponse
from tui.providers.response_parser import parse_result, parse_status

SAMPLES = Path(__file__).parent / "samples"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.toml"))
KNOWN = provider_registry()
BASE = "https://base.test"


def samples(name: str) -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads((SAMPLES / f"{name}.toml").read_text("utf-8"))


def response(sample: dict[str, Any], body: str = "") -> HttpResponse:
    return HttpResponse(
        sample.get("http", 200), sample.get("headers", {}), (body or sample.get("body", "")).encode(), 1.8e9
    )


def read(provider: Provider, sample: dict[str, Any], body: str = "") -> Report | Fault:
    kind = sample.get("kind", "")
    job_id = provider.endpoint(kind).job_id
    names = (*provider.variables, *(job_id.parts if job_id is not None else ("id",)))
    return parse_status(
        provider, kind, response(sample, body), LinkSource(BASE, {name: name.upper() for name in names})
    )


def as_json(raw_status: str) -> str:
    return raw_status if raw_status in {"true", "false", "null"} or raw_status.isdigit() else f'"{raw_status}"'


def given_statuses(table: Any) -> Iterator[str]:
    """Yield every status that a file names, also of kinds, parts and lists."""
    if isinstance(table, dict):
        for key, value in table.items():
            if key == "statuses" and isinstance(value, dict):
                yield from map(status_key, value)
            else:
                yield from given_statuses(value)


def test_every_built_in_file_has_samples():
    assert sorted(builtin_files()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_file_with_an_inferred_line_is_marked(name: str):
    lines = builtin_files()[name].read_text("utf-8").splitlines()
    is_inferred = any("[I]" in line or "[W]" in line for line in lines if not line.startswith("#"))
    assert KNOWN[name].grounds == ("partial" if is_inferred else "")


GROUND = re.compile(r"#.*(?:\[[DSWI]\]|unknown|unpublished|undocumented|guess)")
"""Comment with the source of a line, or that there is none."""
OURS = re.compile(
    r"(?:name|title|docs|cadence|grounds|kind|type|required|needs_key|suffix|method|order|default|any|one_time|links)\b"
    r"|[\]}#]|$"
)
"""Beginning of a line that states nothing of the service's responses."""


def without_ground(name: str) -> Iterator[str]:
    """Yield the lines of a file without a source of their own, of a line above in their table, or of its header."""
    table, grounded = "", set[str]()
    for number, line in enumerate(builtin_files()[name].read_text("utf-8").splitlines(), 1):
        if line.startswith("["):
            table = line.partition("]")[0].strip("[")
            if line.startswith("[["):
                grounded.discard(table)
        parents = [table[:end] for end in (*(at for at, each in enumerate(table) if each == "."), len(table))]
        if GROUND.search(line) and not line.startswith("#"):
            grounded.add(table)
        elif table and not OURS.match(line) and not line.startswith("[") and grounded.isdisjoint(parents):
            yield f"{name}.toml:{number}: {line}"


@pytest.mark.parametrize("name", NAMES)
def test_every_line_of_a_file_has_its_source(name: str):
    assert list(without_ground(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_status_of_a_file_has_its_phase(name: str):
    provider, seen = KNOWN[name], set[str]()
    for sample in samples(name).get("status", []):
        for raw_status, phase in sample["phases"].items():
            report = read(provider, sample, sample["body"].replace('"STATUS"', as_json(raw_status)))
            assert isinstance(report, Report), (raw_status, report)
            assert report.phase == (phase or None), (raw_status, report)
            seen.add(status_key(raw_status))
    seen |= {status_key(each) for sample in samples(name).get("response", []) for each in sample.get("covers", [])}
    unseen = {
        status
        for status in given_statuses(tomllib.loads(builtin_files()[name].read_text("utf-8")))
        if status not in seen and not (ANY in status and any(status.strip(ANY) in each for each in seen))
    }
    assert not unseen


@pytest.mark.parametrize("name", NAMES)
def test_the_responses_of_a_service_are_read_as_documented(name: str):
    provider, found_fault = KNOWN[name], False
    for sample in samples(name)["response"]:
        found = read(provider, sample)
        if "fault" in sample:
            found_fault = True
            assert isinstance(found, Fault), found
            assert found.kind == sample["fault"]
            assert sample["message"] in found.message
            continue
        assert isinstance(found, Report), found
        values = msgspec.to_builtins(found)
        read_values = {
            key: values[key] or type(sample["read"][key])() for key in sample["read"] if key not in {"links", "parts"}
        }
        links = [f"{link.kind} {link.url.removeprefix(BASE)}{' used' * link.is_used}" for link in found.links]
        parts = [f"{part.language or part.id} {part.phase}" for part in found.parts]
        assert read_values | {"links": links, "parts": parts} == {"links": [], "parts": []} | sample["read"]
        assert found.is_complete
    assert found_fault, "a sample of an error is missing"


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_a_service_is_read_as_documented(name: str):
    provider = KNOWN[name]
    listed = {kind for kind, endpoint in provider.endpoints.items() if endpoint.list_request is not None}
    for sample in samples(name).get("page", []):
        kind = sample.get("kind", "")
        request = provider.endpoint(kind).list_request
        assert request is not None
        variables = {name: name.upper() for name in provider.variables}
        first = first_page(request, BASE, variables)
        page = parse_page(provider, kind, response(sample), BASE, variables, first, 0)
        assert isinstance(page, Page), page
        phases = {job.id: job.report.phase if job.report else None for job in page.jobs}
        assert phases == {job_id: phase or None for job_id, phase in sample["phases"].items()}
        assert all(job.created_at for job in page.jobs) == ("created" not in sample)
        assert first.url == BASE + sample["url"]
        assert (page.next.url.removeprefix(BASE) if page.next else "") == sample.get("next", "")
        listed.discard(kind)
    assert not listed, "a sample of a list is missing"


@pytest.mark.parametrize("name", NAMES)
def test_the_result_of_a_service_is_read_as_documented(name: str):
    provider = KNOWN[name]
    for sample in samples(name).get("result", []):
        result = parse_result(provider, sample.get("kind", ""), response(sample), LinkSource(BASE, {}))
        assert isinstance(result, Result), result
        links = [f"{link.kind} {link.url}" for link in result.links]
        assert (result.text, links) == (sample.get("text"), sample.get("links", []))
