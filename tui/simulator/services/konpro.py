"""KonPro's video translation API."""

from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, json, truncated
from tui.simulator.job_run import JobStage, RequestContext

STATUSES = {JobStage.QUEUED: "pending", JobStage.RUNNING: "running"}
ERRORS = {
    401: ("UNAUTHORIZED", "Missing or invalid API key"),
    402: ("PAYMENT_REQUIRED", "Your credits are used up"),
    403: ("FORBIDDEN", "This key may not do that"),
    404: ("NOT_FOUND", "Video translation not found"),
    410: ("GONE", "Video translation has expired"),
    429: ("RATE_LIMIT_EXCEEDED", "Too many requests"),
}
"""The format and INVALID_REQUEST are documented [D], these codes are not [I]."""
SERVER_ERROR = ("INTERNAL_ERROR", "Something went wrong")


class KonPro:
    """`{"error": null, "data": {…}}`, in HeyGen v2's format."""

    name = "konpro"

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the x-api-key header [D]."""
        return request.headers.get("x-api-key") or None

    def error_response(self, status: int, request: SimulatedRequest) -> SimulatedResponse:
        """Return `{"error": {"code", "message", "details"}, "request_id"}` [D]."""
        code, message = ERRORS.get(status, SERVER_ERROR)
        error: dict[str, object] = {"code": code, "message": message, "details": {}}
        return json({"error": error, "request_id": f"req-{request.request_id}"}, status)

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the response to GET /v1/video_translate/{id} [D]."""
        if context.stage is JobStage.ENDED and context.scenario.outcome == "payment":
            return self.error_response(402, context.request)
        return self._status_response(
            context, STATUSES.get(context.stage) or ("success" if context.succeeded else "failed")
        )

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return HTML, half a body, an empty body [W], an error with request_id in a 200 [D], upper-case statuses."""
        if context.stage is JobStage.ENDED:
            return [self._status_response(context, "success: Video rendered successfully")]
        serial = f"req-{context.request.request_id}"
        inside = {"code": "INVALID_REQUEST", "message": "Try again later", "request_id": serial}
        return [
            self._status_response(context, f" {STATUSES[context.stage].upper()} "),
            gateway_error_page(200, "Just a moment..."),
            truncated(self.status_response(context)),
            json({"error": inside, "data": None}),
            SimulatedResponse(200, b""),
        ]

    def _status_response(self, context: RequestContext, status: str) -> SimulatedResponse:
        data = {
            "video_translate_id": context.scenario.id,
            "title": context.scenario.title,
            "status": status,
            "url": context.link("translated.mp4"),
            "message": context.failure_message,
        }
        return json({"error": None, "data": data})
