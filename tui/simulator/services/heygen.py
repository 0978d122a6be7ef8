"""HeyGen's two video translation APIs: the deprecated v2, and v3. They share keys, jobs and limits."""

from collections.abc import Iterable, Sequence

from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, json, truncated
from tui.simulator.job_run import JobRun, JobStage, RequestContext
from tui.simulator.scenario import stable_fraction

NAME = "heygen"
MAX_BULK_IDS = 100
"""Ids in one bulk poll [S]."""
MAX_PAGE = 100
"""Jobs on one page of the list [S]."""
SUNSET = "Sat, 31 Oct 2026 00:00:00 GMT"
"""Announced end of v2 [D]."""
WARNING = {
    "message": "This endpoint is deprecated. Please migrate to v3.",
    "v3_endpoint": "/v3/video-translations/{video_translation_id}",
    "docs_url": "https://developers.heygen.com/docs/video-translation",
    "sunset_date": "2026-10-31",
}
"""Block in v2's responses since September 2026 [W]."""
STATUSES = {JobStage.QUEUED: "pending", JobStage.RUNNING: "running"}
"""Statuses of a single poll, in v2 [D] and v3 [S]."""
LONG_STATUSES = {JobStage.QUEUED: "pending: Waiting in queue", JobStage.RUNNING: "running: Video is rendering"}
"""Statuses in v2's OpenAPI enum [D]."""
BULK_STATUSES = {JobStage.QUEUED: "queued", JobStage.RUNNING: "processing"}
"""Statuses of v3's bulk poll [S]."""
ERRORS = {
    400: ("invalid_parameter", "Invalid parameter"),
    401: ("unauthorized", "Unauthorized"),
    402: ("insufficient_credit", "Insufficient credit for this operation"),
    403: ("forbidden", "Your plan does not include this feature"),
    404: ("not_found", "Video translation not found"),
    410: ("gone", "This API version has been retired, please use v3"),
    429: ("rate_limit_exceeded", "Too many requests"),
}
"""Codes of v3 [S]; v2's are undocumented and assumed equal [I]."""
SERVER_ERROR = ("internal_error", "Internal error")


class HeyGenV2:
    """`{"error": null, "data": {…}}`, with a deprecation warning."""

    name = NAME

    def __init__(self, *, retired: bool = False) -> None:
        """Create the service; `retired`: every path returns 410, whatever the key."""
        self.retired = retired

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the x-api-key header [D]."""
        return request.headers.get("x-api-key") or None

    def error_response(self, status: int, request: SimulatedRequest) -> SimulatedResponse:
        """Return `error` as an object; documented is a string. 401 has its own format [W]."""
        if status == 401:
            return _with_deprecation(json({"code": 400112, "message": "Unauthorized"}, status), request)
        code, message = ERRORS.get(status, SERVER_ERROR)
        return _with_deprecation(json({"data": None, "error": {"code": code, "message": message}}, status), request)

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the response to GET /v2/video_translate/{id} [D]."""
        if context.stage is JobStage.ENDED and context.scenario.outcome == "payment":
            return self.error_response(402, context.request)
        status = STATUSES.get(context.stage) or ("success" if context.succeeded else "failed")
        return self._status_response(context, status)

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return HTML, an empty body and half a body [W], a failure in a 200 [W], the long statuses of the enum [D]."""
        if context.stage is JobStage.ENDED:
            return [self._status_response(context, "success: Video rendered successfully")]
        nested_error = {"error": {"code": 40119, "detail": "Try again later", "message": "Something is wrong"}}
        return [
            self._status_response(context, LONG_STATUSES[context.stage]),
            gateway_error_page(200, "Just a moment..."),
            truncated(self.status_response(context)),
            _with_deprecation(json({"code": 100, "data": nested_error, "message": "Success"}), context.request),
            SimulatedResponse(200, b""),
        ]

    def _status_response(self, context: RequestContext, status: str) -> SimulatedResponse:
        scenario = context.scenario
        data = {
            "video_translate_id": scenario.id,
            "title": scenario.title,
            "output_language": scenario.language,
            "status": status,
            "url": context.link("original.mp4"),
            "message": context.failure_message,
            "callback_id": None,
            "caption_url": context.link("captions.ass") if scenario.has_captions else None,
        }
        return _with_deprecation(json({"error": None, "data": data, "warning": WARNING}), context.request)


class HeyGenV3:
    """`{"data": {…}}` or `{"error": {…}}`, and bulk polls."""

    name = NAME

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the x-api-key header, or the key of an Authorization header: both work in v3 [S]."""
        return request.headers.get("x-api-key") or request.bearer_token()

    def error_response(self, status: int, request: SimulatedRequest) -> SimulatedResponse:
        """Return `{"error": {"code", "message", "param"?, "doc_url"?}}` [S]."""
        code, message = ERRORS.get(status, SERVER_ERROR)
        return _with_request_id(json({"error": {"code": code, "message": message}}, status), request)

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the response to GET /v3/video-translations/{id} [S]."""
        if context.stage is JobStage.ENDED and context.scenario.outcome == "payment":
            return self.error_response(402, context.request)
        status = STATUSES.get(context.stage) or ("completed" if context.succeeded else "failed")
        return self._status_response(context, status, context.link("original.mp4"))

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return an unknown status, HTML and half a body [W]; then `completed` without its link [S]."""
        if context.stage is JobStage.ENDED:
            return [self._status_response(context, "completed", None)]
        busy = json({"error": {"code": "temporarily_unavailable", "message": "Try again later"}})
        return [
            self._status_response(context, "lip_syncing", None),
            gateway_error_page(200, "Just a moment..."),
            truncated(self.status_response(context)),
            _with_request_id(busy, context.request),
            SimulatedResponse(200, b""),
        ]

    def bulk_response(
        self, request: SimulatedRequest, job_runs: Iterable[tuple[str, JobRun | None]], now: float
    ) -> SimulatedResponse:
        """Return the response to GET /v3/video-translations/statuses for ids with their runs, None if unknown [S]."""
        return _with_request_id(
            json(
                {
                    "data": [_bulk_item(job, job_run, now) for job, job_run in job_runs],
                    "has_more": False,
                    "next_token": None,
                }
            ),
            request,
        )

    def list_response(self, request: SimulatedRequest, contexts: Sequence[RequestContext]) -> SimulatedResponse:
        """Return the response to GET /v3/video-translations: one page of these jobs [S]. The cursor is made up."""
        limit, token = request.query_values("limit") or ["20"], request.query_values("token") or ["0"]
        if not (limit[0].isdecimal() and token[0].isdecimal() and 0 < int(limit[0]) <= MAX_PAGE):
            return self.error_response(400, request)
        start, end = int(token[0]), int(token[0]) + int(limit[0])
        items: list[dict[str, object]] = []
        for context in contexts[start:end]:
            status = STATUSES.get(context.stage) or ("completed" if context.succeeded else "failed")
            items.append(_job_data(context, status, context.link("original.mp4")))
        has_more = end < len(contexts)
        body = {"data": items, "has_more": has_more, "next_token": str(end) if has_more else None}
        return _with_request_id(json(body), request)

    def _status_response(self, context: RequestContext, status: str, video: str | None) -> SimulatedResponse:
        return _with_request_id(json({"data": _job_data(context, status, video)}), context.request)


def _job_data(context: RequestContext, status: str, video: str | None) -> dict[str, object]:
    """Return v3's object of a job, in a status response and on the list [S]."""
    scenario = context.scenario
    captions = scenario.has_captions and video is not None
    return {
        "id": scenario.id,
        "status": status,
        "title": scenario.title,
        "input_language": "English",
        "output_language": scenario.language,
        "video_url": video,
        "audio_url": None,
        "srt_caption_url": context.link("captions.srt") if captions else None,
        "vtt_caption_url": context.link("captions.vtt") if captions else None,
        "duration": round(30 + 570 * stable_fraction(scenario.id, "duration"), 1),
        "created_at": int(context.job_run.started_at),
        "callback_id": None,
        "failure_message": context.failure_message,
        "translate_audio_only": False,
    }


def _bulk_item(job_id: str, job_run: JobRun | None, now: float) -> dict[str, object]:
    """Return one entry of a bulk response. It never has a link: a job that ended is polled singly."""
    status, error = "not_found", None
    if job_run is not None:
        stage, outcome = job_run.stage_at(now), job_run.scenario.outcome
        status = BULK_STATUSES.get(stage) or ("completed" if outcome == "success" else "failed")
        if status == "failed":
            error = ERRORS[402][1] if outcome == "payment" else job_run.scenario.failure_message
    return {"video_id": job_id, "status": status, "error": error, "batch_id": None, "item_index": None}


def _with_request_id(response: SimulatedResponse, request: SimulatedRequest) -> SimulatedResponse:
    return response.with_headers(x_request_id=request.request_id)


def _with_deprecation(response: SimulatedResponse, request: SimulatedRequest) -> SimulatedResponse:
    return _with_request_id(response, request).with_headers(deprecation="true", sunset=SUNSET)
