"""HeyGen's two video translation APIs: v2, which is on its way out, and v3. They share keys, jobs and limits."""

from collections.abc import Iterable

from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, json, truncated
from tui.simulator.job_run import JobRun, JobStage, RequestContext
from tui.simulator.scenario import stable_fraction

NAME = "heygen"
MAX_BULK_IDS = 100
"""Ids in one bulk ask [S]."""
SUNSET = "Sat, 31 Oct 2026 00:00:00 GMT"
"""The day on which v2 was announced to end [D]."""
WARNING = {
    "message": "This endpoint is deprecated. Please migrate to v3.",
    "v3_endpoint": "/v3/video-translations/{video_translation_id}",
    "docs_url": "https://developers.heygen.com/docs/video-translation",
    "sunset_date": "2026-10-31",
}
"""The block that v2's replies have carried since September 2026 [W]."""
STATUSES = {JobStage.QUEUED: "pending", JobStage.RUNNING: "running"}
"""What a single ask calls the stages, in v2 [D] and v3 [S]."""
LONG_STATUSES = {JobStage.QUEUED: "pending: Waiting in queue", JobStage.RUNNING: "running: Video is rendering"}
"""As v2's own OpenAPI enum spells them [D]."""
BULK_STATUSES = {JobStage.QUEUED: "queued", JobStage.RUNNING: "processing"}
"""What v3's bulk ask calls them [S]."""
ERRORS = {
    400: ("invalid_parameter", "Invalid parameter"),
    401: ("unauthorized", "Unauthorized"),
    402: ("insufficient_credit", "Insufficient credit for this operation"),
    403: ("forbidden", "Your plan does not include this feature"),
    404: ("not_found", "Video translation not found"),
    410: ("gone", "This API version has been retired, please use v3"),
    429: ("rate_limit_exceeded", "Too many requests"),
}
"""Codes of v3 [S]; v2's are not documented and borrow them [I]."""
SERVER_ERROR = ("internal_error", "Internal error")


class HeyGenV2:
    """`{"error": null, "data": {…}}`, with a warning that its days are numbered."""

    name = NAME

    def __init__(self, *, retired: bool = False) -> None:
        """`retired`: every path answers 410, whatever the key."""
        self.retired = retired

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the x-api-key header [D]."""
        return request.headers.get("x-api-key") or None

    def error_response(self, status: int, request: SimulatedRequest) -> SimulatedResponse:
        """Documented with `error` as a string, in practice an object; 401 has a shape of its own [W]."""
        if status == 401:
            return _with_deprecation(json({"code": 400112, "message": "Unauthorized"}, status), request)
        code, message = ERRORS.get(status, SERVER_ERROR)
        return _with_deprecation(json({"data": None, "error": {"code": code, "message": message}}, status), request)

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Answer GET /v2/video_translate/{id} [D]."""
        if context.stage is JobStage.ENDED and context.scenario.outcome == "payment":
            return self.error_response(402, context.request)
        word = STATUSES.get(context.stage) or ("success" if context.succeeded else "failed")
        return self._status_response(context, word)

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """HTML, nothing and half a body [W], a failure inside a success [W], the enum's long words [D]."""
        if context.stage is JobStage.ENDED:
            return [self._status_response(context, "success: Video rendered successfully")]
        inside = {"error": {"code": 40119, "detail": "Try again later", "message": "Something is wrong"}}
        return [
            self._status_response(context, LONG_STATUSES[context.stage]),
            gateway_error_page(200, "Just a moment..."),
            truncated(self.status_response(context)),
            _with_deprecation(json({"code": 100, "data": inside, "message": "Success"}), context.request),
            SimulatedResponse(200, b""),
        ]

    def _status_response(self, context: RequestContext, status: str) -> SimulatedResponse:
        plot = context.scenario
        data = {
            "video_translate_id": plot.id,
            "title": plot.title,
            "output_language": plot.language,
            "status": status,
            "url": context.link("original.mp4"),
            "message": context.failure_message,
            "callback_id": None,
            "caption_url": context.link("captions.ass") if plot.has_captions else None,
        }
        return _with_deprecation(json({"error": None, "data": data, "warning": WARNING}), context.request)


class HeyGenV3:
    """`{"data": {…}}` or `{"error": {…}}`, and many statuses at once."""

    name = NAME

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the x-api-key header, or the key of an Authorization header: both work in v3 [S]."""
        return request.headers.get("x-api-key") or request.bearer_token()

    def error_response(self, status: int, request: SimulatedRequest) -> SimulatedResponse:
        """`{"error": {"code", "message", "param"?, "doc_url"?}}` [S]."""
        code, message = ERRORS.get(status, SERVER_ERROR)
        return _with_request_id(json({"error": {"code": code, "message": message}}, status), request)

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Answer GET /v3/video-translations/{id} [S]."""
        if context.stage is JobStage.ENDED and context.scenario.outcome == "payment":
            return self.error_response(402, context.request)
        word = STATUSES.get(context.stage) or ("completed" if context.succeeded else "failed")
        return self._status_response(context, word, context.link("original.mp4"))

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """A word that is not known, HTML and half a body [W]; then `completed` without its link [S]."""
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
        self, request: SimulatedRequest, plays: Iterable[tuple[str, JobRun | None]], now: float
    ) -> SimulatedResponse:
        """Answer GET /v3/video-translations/statuses for pairs of an id and its story, None where there is none [S]."""
        return _with_request_id(
            json({"data": [_bulk_item(job, play, now) for job, play in plays], "has_more": False, "next_token": None}),
            request,
        )

    def _status_response(self, context: RequestContext, status: str, video: str | None) -> SimulatedResponse:
        plot = context.scenario
        captions = plot.has_captions and video is not None
        data = {
            "id": plot.id,
            "status": status,
            "title": plot.title,
            "input_language": "English",
            "output_language": plot.language,
            "video_url": video,
            "audio_url": None,
            "srt_caption_url": context.link("captions.srt") if captions else None,
            "vtt_caption_url": context.link("captions.vtt") if captions else None,
            "duration": round(30 + 570 * stable_fraction(plot.id, "duration"), 1),
            "created_at": int(context.job_run.started_at),
            "callback_id": None,
            "failure_message": context.failure_message,
            "translate_audio_only": False,
        }
        return _with_request_id(json({"data": data}), context.request)


def _bulk_item(job_id: str, job_run: JobRun | None, now: float) -> dict[str, object]:
    """Return one line of a bulk answer. It never has a link: what ended is asked for singly."""
    word, error = "not_found", None
    if job_run is not None:
        stage, outcome = job_run.stage_at(now), job_run.scenario.outcome
        word = BULK_STATUSES.get(stage) or ("completed" if outcome == "success" else "failed")
        if word == "failed":
            error = ERRORS[402][1] if outcome == "payment" else job_run.scenario.failure_message
    return {"video_id": job_id, "status": word, "error": error, "batch_id": None, "item_index": None}


def _with_request_id(response: SimulatedResponse, request: SimulatedRequest) -> SimulatedResponse:
    return response.with_headers(x_request_id=request.request_id)


def _with_deprecation(response: SimulatedResponse, request: SimulatedRequest) -> SimulatedResponse:
    return _with_request_id(response, request).with_headers(deprecation="true", sunset=SUNSET)
