"""CAMB.AI's tasks: one status format for all, and a result by run id."""

from collections.abc import Callable

from tui.simulator.files import CAPTION_SECONDS
from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, json, truncated
from tui.simulator.job_run import JobStage, RequestContext
from tui.simulator.scenario import JobLength, ResolvedScenario, stable_fraction

KINDS: dict[str, tuple[str, JobLength]] = {
    "translate": ("translation-result", "text"),
    "dub": ("dub-result", "video"),
    "tts": ("tts-result", "text"),
    "translated-tts": ("tts-result", "text"),
    "transcribe": ("transcription-result", "document"),
    "sub": ("sub-result", "document"),
    "story": ("story-result", "document"),
    "audio-separation": ("audio-separation-result", "document"),
}
"""By the first segment of the status path: first segment of the result path [S], and class of duration."""
ERRORS = {
    401: "Invalid API key",
    402: "Payment required",
    403: "Forbidden",
    404: "Task not found",
    410: "Task has expired",
    429: "Too many requests",
}
"""401 is documented [D]; the others follow it [I]."""

ResultBuilder = Callable[[RequestContext], SimulatedResponse]


class Camb:
    """`{"status", "run_id", "exception_reason", "message"}`, flat."""

    name = "camb"

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the x-api-key header [D]."""
        return request.headers.get("x-api-key") or None

    def error_response(self, status: int, _request: SimulatedRequest) -> SimulatedResponse:
        """Return `{"error", "status"}`, the status an int [D]; FastAPI's format for 422, plain text for 500 [S]."""
        if status == 422:
            problem = {"loc": ["path", "run_id"], "msg": "value is not a valid integer", "type": "type_error.integer"}
            return json({"detail": [problem]}, status)
        if status >= 500:
            return SimulatedResponse(status, b"Internal Server Error", "text/plain; charset=utf-8")
        return json({"error": ERRORS[status], "status": status}, status)

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the response to GET /translate/{id} and the like [S]. Queued and running are one status."""
        scenario = context.scenario
        if context.stage is not JobStage.ENDED:
            return json(_status_body("PENDING"))
        if context.succeeded:
            return json(_status_body("SUCCESS", run_id=run_id(scenario)))
        status = {"payment": "PAYMENT_REQUIRED", "timeout": "TIMEOUT"}.get(scenario.outcome, "ERROR")
        return json(
            _status_body(
                status,
                exception_reason=scenario.exception_reason if status == "ERROR" else None,
                message=context.failure_message,
            )
        )

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return a run without a status, a bare status, "NONE", a message object, and a string as run id [S]."""
        if context.stage is JobStage.ENDED:
            return [json("SUCCESS"), json({**_status_body("SUCCESS"), "run_id": str(run_id(context.scenario))})]
        return [
            json({"run_id": 123}),
            json(_status_body("PENDING", exception_reason="NONE", message={"message": "Still at it", "step": 2})),
            gateway_error_page(200, "Just a moment..."),
            json("PENDING"),
            truncated(self.status_response(context)),
        ]

    def result_response(self, path: str, context: RequestContext) -> SimulatedResponse:
        """Return the response to GET /{path}/{run_id} [S]."""
        return RESULT_BUILDERS[path](context)


def run_id(scenario: ResolvedScenario) -> int:
    """Return the id of the run, which identifies the result."""
    return 1 + int(stable_fraction(scenario.id, "run") * 2**40)


def _status_body(
    status: str, *, run_id: int | None = None, exception_reason: str | None = None, message: object = None
) -> dict[str, object]:
    return {"status": status, "run_id": run_id, "exception_reason": exception_reason, "message": message}


def _transcript(scenario: ResolvedScenario) -> list[dict[str, object]]:
    return [
        {
            "start": number * CAPTION_SECONDS * 1.0,
            "end": (number + 1) * CAPTION_SECONDS * 1.0,
            "text": line,
            "speaker": "SPEAKER_00",
        }
        for number, line in enumerate(scenario.text.splitlines())
    ]


def _translation_result(context: RequestContext) -> SimulatedResponse:
    return json({"texts": context.scenario.text.splitlines()})


def _transcription_result(context: RequestContext) -> SimulatedResponse:
    return json({"transcript": _transcript(context.scenario)})


def _dub_result(context: RequestContext) -> SimulatedResponse:
    """Return the flat format; for an `odd` scenario the one by language with the other names [S]."""
    video, audio = context.link("dubbed.mp4"), context.link("dubbed.flac")
    transcript = _transcript(context.scenario)
    if context.scenario.behaviour == "odd":
        other = {"output_video_url": video, "output_audio_url": audio, "transcript": transcript}
        return json({context.scenario.language: other})
    return json({"audio_url": audio, "video_url": video, "transcript": transcript})


def _tts_result(context: RequestContext) -> SimulatedResponse:
    """Return a link with `output_type=file_url`, else the FLAC data [S]."""
    url = context.link("speech.flac")
    if context.request.query_values("output_type") == ["file_url"]:
        return json({"output_url": url})
    return SimulatedResponse(200, b"fLaC" + context.scenario.text.encode(), "audio/flac")


def _story_result(context: RequestContext) -> SimulatedResponse:
    return json({"audio_url": context.link("story.flac"), "transcript": _transcript(context.scenario)})


def _audio_separation_result(context: RequestContext) -> SimulatedResponse:
    parts = {f"{part}_audio_url": context.link(f"{part}.flac") for part in ("foreground", "background")}
    return json(parts)


RESULT_BUILDERS: dict[str, ResultBuilder] = {
    "translation-result": _translation_result,
    "dub-result": _dub_result,
    "tts-result": _tts_result,
    "transcription-result": _transcription_result,
    "sub-result": _transcription_result,
    "story-result": _story_result,
    "audio-separation-result": _audio_separation_result,
}
