"""Other services of this kind, described by an operator's provider file."""

import json

import pytest

from tui.domain.models import Fault, FaultKind, Phase, Report
from tui.providers.loader import parse
from tui.providers.response import HttpResponse
from tui.providers.response_parser import parse_status

ELEVENLABS = parse(
    """
    name = "elevenlabs"
    title = "ElevenLabs dubbing"
    base_url = "https://api.elevenlabs.io"
    docs = "https://elevenlabs.io/docs/api-reference/dubbing/get"
    key = { header = "xi-api-key", env = "ELEVENLABS_API_KEY" }
    cadence = "video"
    [status]
    path = "/v1/dubbing/{id}"
    value = ["/status"]
    title = ["/name"]
    language = ["/target_languages/0"]
    message = ["/error"]
    [error]
    message = ["/detail/message", "/detail"]
    [statuses]
    preparing = "running"
    dubbing = "running"
    dubbed = "done"
    ready = "done"
    failed = "failed"
    """,
    "elevenlabs.toml",
)

AZURE = parse(
    """
    name = "azure"
    title = "Azure document translation"
    base_url = "https://mine.cognitiveservices.azure.com"
    key = { header = "Ocp-Apim-Subscription-Key", env = "AZURE_TRANSLATOR_KEY" }
    cadence = "document"
    ids = ['^[0-9a-f]{8}-[0-9a-f]{4}-']
    [status]
    path = "/translator/document/batches/{id}?api-version=2024-05-01"
    value = ["/status"]
    message = ["/error/innerError/message", "/error/message"]
    [error]
    message = ["/error/message"]
    request_id = ["header:apim-request-id"]
    [statuses]
    NotStarted = "queued"
    Running = "running"
    Cancelling = "running"
    ValidationFailed = "failed"
    Failed = "failed"
    [limits]
    default = "s1"
    s1 = { per_minute = 300 }
    """,
    "azure.toml",
)


def response(body: object, status: int = 200, **headers: str) -> HttpResponse:
    return HttpResponse(
        status, {name.replace("_", "-"): value for name, value in headers.items()}, json.dumps(body).encode(), 0.0
    )


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("queued", Phase.QUEUED),
        ("preparing", Phase.RUNNING),
        ("processing", Phase.RUNNING),
        ("dubbing", Phase.RUNNING),
        ("dubbed", Phase.DONE),
        ("ready", Phase.DONE),
        ("failed", Phase.FAILED),
    ],
)
def test_elevenlabs_statuses_are_parsed_by_a_provider_file_alone(status: str, phase: Phase):
    body = {"dubbing_id": "8Vfs", "name": "Launch", "status": status, "target_languages": ["es"], "error": None}
    found = parse_status(ELEVENLABS, "", response(body))
    assert isinstance(found, Report)
    assert (found.phase, found.title, found.language, found.is_complete) == (phase, "Launch", "es", True)
    assert ELEVENLABS.endpoint().status.path.url(ELEVENLABS.base_url, id="8Vfs") == (
        "https://api.elevenlabs.io/v1/dubbing/8Vfs"
    )


def test_elevenlabs_errors_are_parsed():
    found = parse_status(
        ELEVENLABS, "", response({"detail": {"status": "invalid_api_key", "message": "Invalid API key"}}, 401)
    )
    assert isinstance(found, Fault)
    assert (found.kind, "Invalid API key" in found.message) == (FaultKind.REFUSED, True)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("NotStarted", Phase.QUEUED),
        ("Running", Phase.RUNNING),
        ("Succeeded", Phase.DONE),
        ("Failed", Phase.FAILED),
        ("Cancelled", Phase.FAILED),
        ("Cancelling", Phase.RUNNING),
        ("ValidationFailed", Phase.FAILED),
    ],
)
def test_a_report_of_azure_has_its_retry_after(status: str, phase: Phase):
    job_id = "727bf148-f327-47a0-9481-abae6362f11e"
    body = {"id": job_id, "createdDateTimeUtc": "2020-03-26T00:00:00Z", "status": status, "summary": {"total": 10}}
    found = parse_status(AZURE, "", response(body, retry_after="10"))
    assert isinstance(found, Report)
    assert (found.phase, found.raw_status, found.retry_after) == (phase, status, 10.0)
    assert AZURE.endpoint().status.path.url("https://x.example/", id=job_id) == (
        f"https://x.example/translator/document/batches/{job_id}?api-version=2024-05-01"
    )


def test_a_fault_of_azure_has_the_request_id_of_the_header():
    body = {"error": {"code": "TooManyRequests", "message": "Slow down", "innerError": {"code": "x"}}}
    found = parse_status(AZURE, "", response(body, 429, retry_after="17", apim_request_id="9b8f"))
    assert isinstance(found, Fault)
    assert (found.kind, found.retry_at, found.request_id) == (FaultKind.LIMITED, 17.0, "9b8f")
