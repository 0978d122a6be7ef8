"""Progress, links with a path, and parts of a job."""

from typing import Any

import pytest

from tests.providers.test_response_parser import response
from tests.support.provider_files import provider_file
from tui.domain.models import JobPart, LinkKind, PartCounts, Phase, Report
from tui.providers.loader import ProviderError, parse
from tui.providers.model import Provider
from tui.providers.reports.links import LinkSource, parse_instant
from tui.providers.response_parser import parse_status

BASE = "https://a.test/v1"


def provider(tables: str) -> Provider:
    return parse(provider_file("acme", tables), "acme.toml")


def read(found: Provider, body: Any, status: int = 200, **headers: str) -> Report:
    source = LinkSource(BASE, found.values("", "j 1", {}))
    report = parse_status(found, "", response(body, status, **headers), source)
    assert isinstance(report, Report), report
    return report


STATUS = '[status]\npath = "/jobs/{id}"\nvalue = ["/status"]\n'


@pytest.mark.parametrize(
    ("unit", "body", "progress"),
    [
        ("fraction", {"done": 3, "failed": "1", "total": " 8 "}, 0.5),
        ("fraction", {"done": 9, "total": 8}, None),
        ("fraction", {"done": 0, "total": 0}, None),
        ("fraction", {"done": True, "total": 8}, None),
        ("fraction", {"done": 1}, None),
        ("percent", {"percent": 1}, 0.01),
        ("fraction", {"percent": 45}, None),
        ("percent", {"done": 4, "total": 8, "percent": 1}, 0.5),
        ("percent", {"percent": 10**400}, None),
    ],
)
def test_progress_is_a_number_or_a_part_of_a_total(unit: str, body: dict[str, Any], progress: float | None):
    found = provider(
        STATUS
        + f'progress = [{{ part = ["/done", "/failed"], total = "/total" }}, "/percent"]\nprogress_unit = "{unit}"\n'
    )
    assert read(found, {"status": "processing", **body}).progress == progress


def test_a_status_with_a_star_matches_the_rest():
    found = provider(STATUS + '[statuses]\n"intake_*" = "queued"\nintake_failed = "failed"\n"*_done" = "running"\n')
    phases = {
        status: read(found, {"status": status}).phase for status in ("INTAKE_QC", "Intake_Failed", "mix_done", "x")
    }
    assert list(phases.values()) == [Phase.QUEUED, Phase.FAILED, Phase.RUNNING, None]


LINKS = provider(
    STATUS + 'result_id = ["/file"]\n'
    '[[links]]\nkind = "video"\npath = "/jobs/{id}/video/{language}"\nlanguage = ["/languages/*"]\nneeds_key = true\n'
    '[[links]]\nkind = "captions"\npath = "/jobs/{id}/srt"\nneeds_key = true\nsuffix = ".srt"\n'
    '[[links]]\nkind = "document"\npath = "/files/{result_id}/content"\nmethod = "POST"\nform = { job = "{id}" }\n'
    "one_time = true\nrequired = true\n"
    '[[links]]\nkind = "audio"\nurl = ["/audio/*"]\nlanguage = ["/languages/*"]\n'
    'lifetime = "/seconds"\nexpires = ["/until"]\n'
)


def test_links_with_a_path_are_made_when_the_job_is_done():
    body = {
        "status": "done",
        "file": "f/1",
        "languages": ["de", "pt BR"],
        "audio": ["https://cdn.test/1", "https://cdn.test/2"],
        "seconds": 3600,
        "until": "2026-11-27T20:00:00Z",
    }
    report = read(LINKS, body)
    assert report.is_complete
    assert [(link.kind, link.url, link.language) for link in report.links] == [
        (LinkKind.VIDEO, f"{BASE}/jobs/j%201/video/de", "de"),
        (LinkKind.VIDEO, f"{BASE}/jobs/j%201/video/pt%20BR", "pt BR"),
        (LinkKind.CAPTIONS, f"{BASE}/jobs/j%201/srt", None),
        (LinkKind.DOCUMENT, f"{BASE}/files/f%2F1/content", None),
        (LinkKind.AUDIO, "https://cdn.test/1", "de"),
        (LinkKind.AUDIO, "https://cdn.test/2", "pt BR"),
    ]
    video, _, captions, document, audio, _ = report.links
    assert (video.needs_key, video.form, captions.suffix) == (True, None, ".srt")
    assert (document.one_time, document.form) == (True, "job=j+1")
    assert (audio.lifetime, audio.expires_at) == (3600.0, 1795809600.0)
    running = read(LINKS, {**body, "status": "processing"})
    assert {link.kind for link in running.links} == {LinkKind.AUDIO}


def test_a_link_without_a_part_of_its_path_is_not_made():
    report = read(LINKS, {"status": "done", "languages": []})
    assert [link.kind for link in report.links] == [LinkKind.CAPTIONS]
    assert not report.is_complete
    assert not read(LINKS, {"status": "done", "languages": [".."], "file": "."}).is_complete


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1795809600", 1795809600.0),
        ("1795809600123", 1795809600.123),
        ("1795809600.5", 1795809600.5),
        ("2026-11-27T20:00:00", 1795809600.0),
        ("2026-11-27T21:00:00.1234567+01:00", 1795809600.123456),
        ("tomorrow", None),
        ("12", None),
        ("", None),
    ],
)
def test_an_instant_is_an_epoch_or_iso_8601(text: str, at: float | None):
    assert parse_instant(text) == at


VOICE = provider(
    '[status]\npath = "/jobs/{id}"\n'
    '[statuses]\ndownloaded = "done"\npending = "queued"\nfailed = "failed"\nwaits = "blocked"\nlate = "timed_out"\n'
    '[parts]\nitems = "/results"\nlanguage = ["root:/targets/{n}/language"]\nvalue = ["/status"]\nmessage = ["/why"]\n'
    '[[parts.links]]\nkind = "audio"\nurl = ["/url"]\nrequired = true\n'
)


def voice(*statuses: str) -> dict[str, Any]:
    return {
        "targets": [{"language": f"l{n}"} for n, _ in enumerate(statuses)],
        "results": [
            {"status": status, "why": "no voice" * (status == "failed"), "url": f"https://cdn.test/{n}"}
            for n, status in enumerate(statuses)
        ],
    }


@pytest.mark.parametrize(
    ("statuses", "phase", "raw_status", "progress"),
    [
        (["pending", "pending"], Phase.QUEUED, "0 of 2 done", 0.0),
        (["pending", "complete"], Phase.RUNNING, "1 of 2 done", 0.5),
        (["processing", "failed"], Phase.RUNNING, "0 of 2 done", 0.5),
        (["complete", "downloaded"], Phase.DONE, "2 of 2 done", 1.0),
        (["complete", "failed"], Phase.DONE, "1 of 2 done", 1.0),
        (["complete", "waits"], Phase.BLOCKED, "1 of 2 done", 1.0),
        (["failed", "late"], Phase.FAILED, "0 of 2 done", 1.0),
        (["late", "late"], Phase.TIMED_OUT, "0 of 2 done", 1.0),
        (["complete", "odd"], None, "1 of 2 done", 0.5),
        (["complete"], Phase.DONE, "1 of 1 done", None),
        ([], Phase.QUEUED, "no parts", None),
    ],
)
def test_the_parts_make_the_phase_of_a_job(
    statuses: list[str], phase: Phase | None, raw_status: str, progress: float | None
):
    report = read(VOICE, voice(*statuses))
    assert (report.phase, report.raw_status, report.progress) == (phase, raw_status, progress)


def test_each_part_has_its_status_message_and_links():
    report = read(VOICE, voice("complete", "failed"))
    assert report.parts == (
        JobPart(phase=Phase.DONE, raw_status="complete", language="l0"),
        JobPart(phase=Phase.FAILED, raw_status="failed", language="l1", message="no voice"),
    )
    assert report.message == "l1: no voice; 1 of 2 done"
    assert report.part_counts == PartCounts(1, 1, 2)
    assert [(link.url, link.language) for link in report.links] == [
        ("https://cdn.test/0", "l0"),
        ("https://cdn.test/1", "l1"),
    ]
    assert report.is_complete
    body = voice("complete", "complete")
    del body["results"][1]["url"]
    assert not read(VOICE, body).is_complete


def test_an_object_of_parts_has_its_languages_as_keys():
    found = provider(
        STATUS
        + '[parts]\nitems = "/by_language"\nlanguage = ["key:"]\nprogress = ["/share"]\nprogress_unit = "percent"\n'
        'some_failed = "failed"\n'
        '[[parts.links]]\nkind = "document"\npath = "/jobs/{id}/{language}"\nneeds_key = true\n'
    )
    report = read(found, {"status": "done", "by_language": {"de": {"share": 100}, "fr": {"share": 40}}})
    assert report.phase is Phase.RUNNING
    assert [(part.language, part.phase, part.progress) for part in report.parts] == [
        ("de", Phase.DONE, 1.0),
        ("fr", Phase.RUNNING, 0.4),
    ]
    assert [link.url for link in report.links] == [f"{BASE}/jobs/j%201/de"]
    assert read(found, {"status": "done"}).phase is Phase.DONE
    assert read(found, {"status": "processing", "by_language": {"de": {"share": 100}}}).phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("counts", "phase", "message"),
    [
        ({"total": 10, "success": 9, "failed": 1}, Phase.DONE, "1 failed; 9 of 10 done"),
        ({"total": 2, "success": 0, "failed": 1, "cancelled": 1}, Phase.FAILED, "2 failed; 0 of 2 done"),
        ({"total": 2, "success": 2}, Phase.DONE, None),
        ({}, Phase.DONE, None),
    ],
)
def test_counts_show_the_failures_of_a_job_that_is_done(counts: dict[str, int], phase: Phase, message: str | None):
    found = provider(
        STATUS + '[parts.counts]\ntotal = "/summary/total"\ndone = ["/summary/success"]\n'
        'failed = ["/summary/failed", "/summary/cancelled"]\n'
    )
    report = read(found, {"status": "Succeeded", "summary": counts})
    assert (report.phase, report.message) == (phase, message)


@pytest.mark.parametrize(
    ("tables", "problem"),
    [
        (STATUS + '[[links]]\nkind = "audio"\n', "links[0].url: missing, unless the link has a path"),
        (
            STATUS + '[[links]]\nkind = "audio"\nurl = ["/a"]\npath = "/b"\n',
            "links[0].url: a link has either url or path",
        ),
        (STATUS + '[[links]]\nkind = "audio"\npath = "/{language}"\n', "links[0].language: missing"),
        (
            STATUS + '[[links]]\nkind = "audio"\npath = "/{languages}"\n',
            "links[0].path: unknown placeholder {languages}",
        ),
        (
            STATUS + '[[links]]\nkind = "audio"\nurl = ["/a"]\nmethod = "POST"\n',
            "links[0].method: POST is for a link with",
        ),
        (STATUS + '[[links]]\nkind = "audio"\nurl = ["key:"]\n', "links[0].url: 'key:' has a meaning within [parts]"),
        (
            STATUS + '[[links]]\nkind = "audio"\nurl = ["/a"]\nsuffix = "srt"\n',
            "links[0].suffix: expected a suffix such as",
        ),
        (
            STATUS + '[[links]]\nkind = "audio"\nurl = ["/a"]\nlifetime = "soon"\n',
            "links[0].lifetime: expected a duration",
        ),
        (STATUS + "[parts]\nid = []\n", "parts.items: missing, unless there are counts"),
        (
            STATUS + '[parts]\nitems = "/a"\nstatuses = { x = "dones" }\n',
            "parts.statuses.x: 'dones' is unknown; did you mean 'done'?",
        ),
        (STATUS + '[parts]\nitems = "/a"\n[[parts.links]]\nkind = "audio"\n', "parts.links[0].url: missing"),
        (STATUS + 'progress = [{ part = [], total = "/a" }]\n', "status.progress[0].part: an empty list"),
        (
            STATUS + 'progress = [{ prt = ["/b"], total = "/a" }]\n',
            "status.progress[0].prt: unknown key; did you mean 'part'?",
        ),
    ],
)
def test_a_problem_of_a_report_has_its_key_and_reason(tables: str, problem: str):
    with pytest.raises(ProviderError) as caught:
        provider(tables)
    assert any(found.startswith(problem) for found in caught.value.problems), caught.value.problems
