"""Flixu's document translation API, whose result is downloaded from the API with the key."""

from math import ceil
from urllib.parse import quote

from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, json, truncated
from tui.simulator.job_run import JobStage, RequestContext
from tui.simulator.rate_limits import RateLimitStatus

PROGRESS_BY_STATUS = {"created": 0.0, "processing": 0.5, "completed": 1.0, "failed": 0.0, "error": 0.0}
"""Progress by status [D]: a stage, not a measurement; null for any other status."""
STATUSES = {JobStage.QUEUED: "created", JobStage.RUNNING: "processing"}
ERRORS = {
    401: ("unauthorized", "Missing or invalid API key", "authentication_error"),
    402: ("insufficient_credits", "Your credits are used up", "billing_error"),
    403: ("forbidden", "This key may not do that", "permission_error"),
    404: ("not_found", "Job not found", "not_found_error"),
    410: ("gone", "Job has expired", "not_found_error"),
    429: ("rate_limit_exceeded", "Too many requests", "rate_limit_error"),
}
"""not_found and the HTTP statuses are documented [D], the other codes are not [I]."""
SERVER_ERROR = ("internal_error", "Something went wrong", "api_error")


class Flixu:
    """`{"data": {…}, "meta": {"request_id"}}`."""

    name = "flixu"

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the key of the Authorization header [D]."""
        return request.bearer_token()

    def error_response(self, status: int, request: SimulatedRequest) -> SimulatedResponse:
        """Return `{"error": {"code", "message", "type", "request_id"}}` [D]."""
        code, message, kind = ERRORS.get(status, SERVER_ERROR)
        error = {"code": code, "message": message, "type": kind, "request_id": request.request_id}
        return json({"error": error}, status)

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the response to GET /v1/translate/{id} [D]."""
        if context.stage is JobStage.ENDED and context.scenario.outcome == "payment":
            return self.error_response(402, context.request)
        timed_out = context.scenario.outcome == "timeout"
        final_status = "completed" if context.succeeded else "error" if timed_out else "failed"
        return self._status_response(context, STATUSES.get(context.stage) or final_status)

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return an unknown status, HTML, half a body, an empty body, and an error in a 200 [W]."""
        if context.stage is JobStage.ENDED:
            return [self._status_response(context, "Completed ")]
        return [
            self._status_response(context, "awaiting_review"),
            gateway_error_page(200, "Just a moment..."),
            truncated(self.status_response(context)),
            SimulatedResponse(200, self.error_response(500, context.request).body),
            SimulatedResponse(200, b""),
        ]

    def _status_response(self, context: RequestContext, status: str) -> SimulatedResponse:
        has_file = context.link("translated.txt") is not None
        path = f"/v1/documents/{quote(context.scenario.id, safe='')}/download"
        data = {
            "job_id": context.scenario.id,
            "status": status,
            "progress": PROGRESS_BY_STATUS.get(status.strip().lower()),
            "result_url": f"{context.request.origin}{path}" if has_file else None,
            "error": context.failure_message,
        }
        return json({"data": data, "meta": {"request_id": context.request.request_id}})


def with_rate_limit_headers(
    response: SimulatedResponse, limit_status: RateLimitStatus, reset_after: float
) -> SimulatedResponse:
    """Return the response with Flixu's rate-limit headers [D]; `reset_after` in seconds, not an instant."""
    return response.with_headers(
        x_ratelimit_limit=str(limit_status.limit),
        x_ratelimit_remaining=str(limit_status.remaining),
        x_ratelimit_reset=str(ceil(reset_after)),
    )
