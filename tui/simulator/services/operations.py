"""Long-running operations as Google's APIs return them (AIP-151), whose only status is a boolean.

As at Azure, every path needs a version in its query [D]. The single form is documented [D], the bulk poll inferred [I].
"""

from collections.abc import Iterable

from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, json, truncated
from tui.simulator.job_run import JobRun, JobStage, RequestContext
from tui.simulator.scenario import ResolvedScenario

NAME = "operations"
API_VERSION = "2024-05-01"
"""Value of the required query parameter `api-version` [D]."""
BATCH = "batch"
"""Last segment of the bulk poll's path, in place of an id."""
MAX_BATCH = 50
"""Ids in one bulk poll."""
ERRORS = {
    400: ("INVALID_ARGUMENT", "The api-version query parameter is missing or invalid"),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials"),
    402: ("FAILED_PRECONDITION", "Billing is disabled for this project"),
    403: ("PERMISSION_DENIED", "The caller does not have permission"),
    404: ("NOT_FOUND", "Operation not found"),
    410: ("NOT_FOUND", "Operation has expired"),
    429: ("RESOURCE_EXHAUSTED", "Quota exceeded"),
}
"""Status names of google.rpc.Code [D]; the texts are made up."""
SERVER_ERROR = ("INTERNAL", "Internal error")
INTERNAL, DEADLINE_EXCEEDED = 13, 4
"""Numbers of google.rpc.Code in a failed operation [D]."""


class Operations:
    """`{"name", "metadata"}`, after the end also `"done": true` and either `"response"` or `"error"`."""

    name = NAME

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the token of the Authorization header [D]."""
        return request.bearer_token()

    def error_response(self, status: int, _request: SimulatedRequest) -> SimulatedResponse:
        """Return `{"error": {"code", "message", "status"}}` [D]."""
        name, message = ERRORS.get(status, SERVER_ERROR)
        return json({"error": {"code": status, "message": message, "status": name}}, status)

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the response to GET /operations/{id} [D]: `done` is absent until the end."""
        if not has_version(context.request):
            return self.error_response(400, context.request)
        if context.stage is JobStage.ENDED and context.scenario.outcome == "payment":
            return self.error_response(402, context.request)
        body = _operation(context.scenario)
        if context.succeeded:
            url = context.link("translated.mp4")
            body |= {"done": True, "response": {} if url is None else {"uri": url}}
        elif context.failed:
            code = DEADLINE_EXCEEDED if context.scenario.outcome == "timeout" else INTERNAL
            body |= {"done": True, "error": {"code": code, "message": context.failure_message}}
        return json(body)

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return a `done` that is false or null, HTML, half a body and an empty one; then `done` without a response."""
        body = _operation(context.scenario)
        if context.stage is JobStage.ENDED:
            return [json({**body, "done": True})]
        return [
            json({**body, "done": False}),
            gateway_error_page(200, "Just a moment..."),
            json({**body, "done": None}),
            truncated(json(body)),
            SimulatedResponse(200, b""),
        ]

    def bulk_response(self, job_runs: Iterable[tuple[str, JobRun | None]], now: float) -> SimulatedResponse:
        """Return the response to GET /operations/batch for ids with their runs; unknown ids are absent [I]."""
        ended = [(job, run.stage_at(now) is JobStage.ENDED) for job, run in job_runs if run is not None]
        return json({"operations": [{"name": job, "done": is_done} for job, is_done in ended]})


def has_version(request: SimulatedRequest) -> bool:
    """Return whether the query has the one known version: appended to it with a second `?` it is another one."""
    return request.query_values("api-version") == [API_VERSION]


def _operation(scenario: ResolvedScenario) -> dict[str, object]:
    return {
        "name": scenario.id,
        "metadata": {"displayName": scenario.title, "targetLanguage": scenario.language},
    }
