"""DeepL's documents: status and file by POST with a second secret for each document; the file is sent once."""

from json import loads
from typing import cast
from urllib.parse import parse_qs

from tui.simulator.files import file_response, make_file
from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, json, truncated
from tui.simulator.job_run import JobStage, RequestContext
from tui.simulator.scenario import stable_fraction
from tui.simulator.services.deepl_voice import QUOTA_EXCEEDED, DeepLVoice

NAME = "deepl-documents"
FILE_NAME = "translated.txt"
STATUSES = {JobStage.QUEUED: "queued", JobStage.RUNNING: "translating"}
"""Statuses before the end [D]."""


class DeepLDocuments(DeepLVoice):
    """`{"document_id", "status", …}`; keys and errors are as for voice jobs. Any secret but `wrong` is valid."""

    name: str = NAME

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the response to POST /v2/document/{id} [D]; 404 for a wrong secret [D]."""
        if not has_secret(context.request):
            return self.error_response(404, context.request)
        if context.stage is JobStage.ENDED and context.scenario.outcome == "payment":
            return self.error_response(QUOTA_EXCEEDED, context.request)
        ended = "error" if not context.succeeded else "downloaded" if _was_sent(context) else "done"
        return self._status(context, STATUSES.get(context.stage) or ended)

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return an unknown status, HTML, half a body and an empty one."""
        if context.stage is JobStage.ENDED:
            return [SimulatedResponse(200, b"")]
        return [
            self._status(context, "proofreading"),
            gateway_error_page(200, "Just a moment..."),
            truncated(self.status_response(context)),
            SimulatedResponse(200, b""),
        ]

    def result_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the response to POST /v2/document/{id}/result: the file, and from then on 503 [D]."""
        if not has_secret(context.request):
            return self.error_response(404, context.request)
        downloaded = _was_sent(context)
        if context.succeeded and not downloaded:
            context.job_run.fetched_once.add(FILE_NAME)
            return file_response(make_file(context.scenario, FILE_NAME), context.request)
        message = "Document already downloaded" if downloaded else "Document translation not done"
        return json({"message": message}, 503).with_headers(x_trace_id=context.request.request_id)

    def _status(self, context: RequestContext, status: str) -> SimulatedResponse:
        body: dict[str, object] = {"document_id": context.scenario.id, "status": status}
        if status == "translating":
            body["seconds_remaining"] = int(60 * stable_fraction(context.scenario.id, "seconds"))  # unreliable [S]
        elif status == "error":
            body["error_message"] = context.failure_message
        elif status == "done":
            body["billed_characters"] = 50_000
        return json(body).with_headers(x_trace_id=context.request.request_id)


def _was_sent(context: RequestContext) -> bool:
    return FILE_NAME in context.job_run.fetched_once


def has_secret(request: SimulatedRequest) -> bool:
    """Return whether the body, a form or JSON [D], has a valid document_key; the vendor's own client sends JSON [S]."""
    if request.headers.get("content-type", "").startswith("application/json"):
        try:
            body = loads(request.body)
        except ValueError:
            return False
        fields = cast("dict[str, object]", body) if isinstance(body, dict) else {}
        return fields.get("document_key", "wrong") != "wrong"
    return parse_qs(request.body).get("document_key", ["wrong"]) != ["wrong"]
