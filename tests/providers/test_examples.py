"""Example provider files: they load, and parse the documented responses of their services."""

from pathlib import Path

import msgspec
import pytest

from tui.domain.models import Fault, FaultKind, Phase, Report
from tui.providers import loader, response_parser
from tui.providers.response import HttpResponse
from tui.providers.unmapped_fields import find_unmapped

EXAMPLES = Path(loader.__file__).parent / "examples"


def read(name: str, body: object, status: int = 200, headers: dict[str, str] | None = None) -> Report | Fault:
    response = HttpResponse(status, headers or {}, msgspec.json.encode(body), 1.8e9)
    return response_parser.parse_status(loader.load(EXAMPLES / f"{name}.toml"), "", response)


DUB = {
    "dubbing_id": "21m00Tcm4TlvDq8ikWAM",
    "name": "My Dubbing Project",
    "status": "dubbed",
    "target_languages": ["es", "fr"],
    "editable": False,
    "created_at": "2025-07-15T00:00:00Z",
    "media_metadata": {"content_type": "video/mp4", "duration": 127.5},
    "error": None,
}
BATCH = {
    "id": "727bf148-f327-47a0-9481-abae6362f11e",
    "createdDateTimeUtc": "2020-03-26T00:00:00Z",
    "lastActionDateTimeUtc": "2020-03-26T01:00:00Z",
    "status": "Succeeded",
    "summary": {"total": 10, "failed": 1, "success": 9, "inProgress": 0, "notYetStarted": 0, "cancelled": 0},
}


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        *(("dubbing", Phase.RUNNING), ("dubbed", Phase.DONE), ("failed", Phase.FAILED), ("queued", Phase.QUEUED)),
        *(("preparing", Phase.RUNNING), ("processing", Phase.RUNNING), ("ready", Phase.DONE)),
    ],
)
def test_every_status_of_elevenlabs_has_its_phase(status: str, phase: Phase) -> None:
    report = read("elevenlabs", {**DUB, "status": status})
    assert isinstance(report, Report)
    assert (report.phase, report.raw_status, report.title, report.language) == (
        phase,
        status,
        "My Dubbing Project",
        "es",
    )


def test_failure_messages_of_elevenlabs_are_parsed() -> None:
    report = read("elevenlabs", {**DUB, "status": "failed", "error": "The source has no speech."})
    assert isinstance(report, Report)
    assert report.message == "The source has no speech."
    detail = {"detail": {"status": "dubbing_not_found", "message": "Dubbing not found."}}
    fault = read("elevenlabs", detail, 404)
    assert isinstance(fault, Fault)
    assert (fault.kind, "Dubbing not found." in fault.message) == (FaultKind.MISSING, True)
    fault = read("elevenlabs", {"detail": [{"loc": ["path"], "msg": "field required", "type": "x"}]}, 422)
    assert isinstance(fault, Fault)
    assert "field required" in fault.message


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        *(("NotStarted", Phase.QUEUED), ("Running", Phase.RUNNING), ("Succeeded", Phase.DONE)),
        *(("Failed", Phase.FAILED), ("Cancelled", Phase.FAILED), ("Cancelling", Phase.RUNNING)),
        ("ValidationFailed", Phase.FAILED),
    ],
)
def test_every_status_of_azure_has_its_phase(status: str, phase: Phase) -> None:
    report = read("azure-documents", {**BATCH, "status": status}, headers={"retry-after": "17"})
    assert isinstance(report, Report)
    assert (report.phase, report.retry_after) == (phase, 17.0)


def test_failure_messages_of_azure_are_parsed() -> None:
    error = {
        "code": "InvalidRequest",
        "message": "outer",
        "innerError": {"code": "X", "message": "The target is full."},
    }
    report = read("azure-documents", {**BATCH, "status": "ValidationFailed", "error": error})
    assert isinstance(report, Report)
    assert report.message == "The target is full."
    unauthorized = {"error": {"code": "Unauthorized", "message": "User is not authorized", "target": "Document"}}
    fault = read("azure-documents", unauthorized, 401)
    assert isinstance(fault, Fault)
    assert (fault.kind, "User is not authorized" in fault.message) == (FaultKind.REFUSED, True)


def test_the_status_url_of_azure_is_the_documented_one() -> None:
    azure = loader.load(EXAMPLES / "azure-documents.toml")
    url = azure.endpoint().status.path.url("https://mine.cognitiveservices.azure.com", id="7/7")
    assert url == "https://mine.cognitiveservices.azure.com/translator/document/batches/7%2F7?api-version=2024-05-01"


def test_unmapped_fields_of_a_response_are_listed() -> None:
    provider = loader.load(EXAMPLES / "elevenlabs.toml")
    assert find_unmapped(provider, provider.endpoint(), DUB) == [
        *("/dubbing_id", "/target_languages/1", "/editable", "/created_at"),
        *("/media_metadata/content_type", "/media_metadata/duration"),
    ]
    assert len(find_unmapped(provider, provider.endpoint(), list(range(1000)))) == 30
    assert find_unmapped(provider, provider.endpoint(), {"a/b": {"~": 1}}) == ["/a~1b/~0"]
