"""CAMB.AI's tasks: one status shape for all, and a result that is asked for by the run."""

from collections.abc import Callable

from tui.simulator.files import SENTENCE
from tui.simulator.http import Reply, Request, gateway, halved, json
from tui.simulator.job_run import Stage, Telling
from tui.simulator.scenario import Pace, Plot, fraction

KINDS: dict[str, tuple[str, Pace]] = {
    "translate": ("translation-result", "text"),
    "dub": ("dub-result", "video"),
    "tts": ("tts-result", "text"),
    "translated-tts": ("tts-result", "text"),
    "transcribe": ("transcription-result", "document"),
    "sub": ("sub-result", "document"),
    "story": ("story-result", "document"),
    "audio-separation": ("audio-separation-result", "document"),
}
"""By the first part of a status path: the first part of the result's path [S], and how long such a task takes."""
ERRORS = {
    401: "Invalid API key",
    402: "Payment required",
    403: "Forbidden",
    404: "Task not found",
    429: "Too many requests",
}
"""401 is documented [D]; the others follow it [I]."""

Result = Callable[[Telling], Reply]


class Camb:
    """`{"status", "run_id", "exception_reason", "message"}`, flat."""

    name = "camb"

    def key(self, request: Request) -> str | None:
        """Return the x-api-key header [D]."""
        return request.headers.get("x-api-key") or None

    def error(self, status: int, _request: Request) -> Reply:
        """`{"error", "status"}`, the status an int [D]; FastAPI's own for 422, and plain text for a 500 [S]."""
        if status == 422:
            wrong = {"loc": ["path", "run_id"], "msg": "value is not a valid integer", "type": "type_error.integer"}
            return json({"detail": [wrong]}, status)
        if status >= 500:
            return Reply(status, b"Internal Server Error", "text/plain; charset=utf-8")
        return json({"error": ERRORS[status], "status": status}, status)

    def tell(self, telling: Telling) -> Reply:
        """Answer GET /translate/{id} and its sisters [S]. Queued and running are one word."""
        plot = telling.plot
        if telling.stage is not Stage.ENDED:
            return json(_status("PENDING"))
        if telling.succeeded:
            return json(_status("SUCCESS", run_id=run(plot)))
        word = {"payment": "PAYMENT_REQUIRED", "timeout": "TIMEOUT"}.get(plot.outcome, "ERROR")
        return json(_status(word, reason=plot.reason if word == "ERROR" else None, message=telling.complaint))

    def odd(self, telling: Telling) -> list[Reply]:
        """A run without a status, a bare word, "NONE", a message that is an object, a run that is a string [S]."""
        if telling.stage is Stage.ENDED:
            return [json("SUCCESS"), json({**_status("SUCCESS"), "run_id": str(run(telling.plot))})]
        return [
            json({"run_id": 123}),
            json(_status("PENDING", reason="NONE", message={"message": "Still at it", "step": 2})),
            gateway(200, "Just a moment..."),
            json("PENDING"),
            halved(self.tell(telling)),
        ]

    def result(self, path: str, telling: Telling) -> Reply:
        """Answer GET /{path}/{run} [S]."""
        return RESULTS[path](telling)


def run(plot: Plot) -> int:
    """Return the number under which the result of a story is asked for."""
    return 1 + int(fraction(plot.id, "run") * 2**40)


def _status(
    word: str, *, run_id: int | None = None, reason: str | None = None, message: object = None
) -> dict[str, object]:
    return {"status": word, "run_id": run_id, "exception_reason": reason, "message": message}


def _transcript(plot: Plot) -> list[dict[str, object]]:
    return [
        {"start": number * SENTENCE * 1.0, "end": (number + 1) * SENTENCE * 1.0, "text": line, "speaker": "SPEAKER_00"}
        for number, line in enumerate(plot.text.splitlines())
    ]


def _texts(telling: Telling) -> Reply:
    return json({"texts": telling.plot.text.splitlines()})


def _transcribed(telling: Telling) -> Reply:
    return json({"transcript": _transcript(telling.plot)})


def _dubbed(telling: Telling) -> Reply:
    """Flat; an `odd` story has the other shape, keyed by language and with the other names [S]."""
    video, audio = telling.link("dubbed.mp4"), telling.link("dubbed.flac")
    transcript = _transcript(telling.plot)
    if telling.plot.end == "odd":
        other = {"output_video_url": video, "output_audio_url": audio, "transcript": transcript}
        return json({telling.plot.language: other})
    return json({"audio_url": audio, "video_url": video, "transcript": transcript})


def _spoken(telling: Telling) -> Reply:
    """A link with `output_type=file_url`; else the FLAC itself [S]."""
    url = telling.link("speech.flac")
    if telling.request.arguments("output_type") == ["file_url"]:
        return json({"output_url": url})
    return Reply(200, b"fLaC" + telling.plot.text.encode(), "audio/flac")


def _narrated(telling: Telling) -> Reply:
    return json({"audio_url": telling.link("story.flac"), "transcript": _transcript(telling.plot)})


def _separated(telling: Telling) -> Reply:
    parts = {f"{part}_audio_url": telling.link(f"{part}.flac") for part in ("foreground", "background")}
    return json(parts)


RESULTS: dict[str, Result] = {
    "translation-result": _texts,
    "dub-result": _dubbed,
    "tts-result": _spoken,
    "transcription-result": _transcribed,
    "sub-result": _transcribed,
    "story-result": _narrated,
    "audio-separation-result": _separated,
}
