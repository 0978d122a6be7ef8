"""Proposal of a provider file from a sample response: valid, and read rightly."""

import json
from typing import Any

import pytest

from tui.domain.models import Phase, Report
from tui.providers.loader import parse
from tui.providers.proposal import propose
from tui.providers.response import HttpResponse
from tui.providers.response_parser import parse_status

DUB = {
    "data": {
        "projectId": "p-77",
        "projectName": "Spring tour",
        "status": "PROCESSING",
        "progress": 45,
        "targetLanguage": "de",
        "errorMessage": None,
        "callbackUrl": "https://acme.test/hook",
        "outputVideoUrl": "https://cdn.test/v",
        "srt": "https://cdn.test/v.srt?sig=1",
    }
}
MANY = {
    "id": "j1",
    "outputs": [
        {"locale": "de", "state": "done", "audio": "https://cdn.test/de.mp3", "reason": None},
        {"locale": "fr", "state": "failed", "error": "No voice."},
    ],
}


def report(body: Any, url: str = "") -> tuple[str, Report]:
    text = propose("acme-dub", body, url)
    provider = parse(text, "acme-dub.toml")
    found = parse_status(provider, "", HttpResponse(200, {}, json.dumps(body).encode(), 1.8e9))
    assert isinstance(found, Report), found
    return text, found


def test_status_texts_progress_and_links_are_recognised_by_their_names():
    text, found = report(DUB, "https://api.acme.test/v2/projects/p-77?expand=all")
    assert (found.phase, found.raw_status, found.language, found.progress) == (Phase.RUNNING, "PROCESSING", "de", 0.45)
    assert [(link.kind, link.url) for link in found.links] == [
        ("video", "https://cdn.test/v"),
        ("captions", "https://cdn.test/v.srt?sig=1"),
    ]
    assert 'base_url = "https://api.acme.test"' in text
    assert 'path = "/v2/projects/{id}?expand=all"' in text
    assert all(len(line) <= 120 for line in text.splitlines())


def test_a_list_of_languages_with_a_status_each_becomes_the_parts():
    text, found = report(MANY)
    assert [(part.language, part.phase) for part in found.parts] == [("de", Phase.DONE), ("fr", Phase.FAILED)]
    assert [(link.kind, link.language) for link in found.links] == [("audio", "de")]
    assert 'path = "/jobs/{id}"' in text


@pytest.mark.parametrize(
    ("body", "phase"),
    [
        ({"completed": False}, Phase.RUNNING),
        ({"done": True}, Phase.DONE),
        ({"state": "merging_failed"}, Phase.FAILED),
        ({"job": {"status": "IN_QUEUE"}, "status": 3}, Phase.RUNNING),
        ({"status": "SUCCEEDED"}, Phase.DONE),
        ({"status": "scheduled"}, Phase.QUEUED),
        ({"status": "NOT_READY"}, Phase.QUEUED),
        ({"status": "incomplete"}, Phase.RUNNING),
        ({"status": "unsuccessful"}, Phase.FAILED),
        ({"status": 3.0}, Phase.RUNNING),
        ({"status": "done\u007f\u009b31m"}, Phase.DONE),
    ],
)
def test_the_phase_of_the_samples_status_is_guessed(body: Any, phase: Phase):
    assert report(body)[1].phase is phase


def test_a_part_without_a_status_proposes_none():
    parts = [{"locale": "de", "state": None}, {"locale": "fr", "state": True}, {"locale": "it", "state": 2.0}]
    text, found = report({"outputs": parts})
    assert 'statuses = { "2" = "running", "true" = "done" }' in text
    assert [part.phase for part in found.parts] == [Phase.RUNNING, Phase.DONE, Phase.RUNNING]


def test_the_text_has_no_control_characters():
    text, found = report({"status": "done", "a\u007f\u009b\u202e\U000e0041": {"video": "https://cdn.test/v"}})
    assert text.replace("\n", "").isprintable()
    assert [link.url for link in found.links] == ["https://cdn.test/v"]


def test_a_url_without_a_path_gives_a_path():
    assert 'path = "/{id}"' in report({"status": "done"}, "https://api.acme.test")[0]


def test_a_status_is_recognised_by_the_end_of_its_name():
    body = {"status_url": "https://acme.test/1", "http_status": 200, "processing_status": "in_progress"}
    text, found = report(body)
    assert 'value = ["/processing_status"]' in text
    assert (found.phase, found.raw_status) == (Phase.RUNNING, "in_progress")
