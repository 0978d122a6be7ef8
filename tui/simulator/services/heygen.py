"""HeyGen's two video translation APIs: v2, which is on its way out, and v3. They share keys, jobs and limits."""

from collections.abc import Iterable

from tui.simulator.http import Reply, Request, gateway, halved, json
from tui.simulator.job_run import Play, Stage, Telling
from tui.simulator.scenario import fraction

NAME = "heygen"
MOST = 100
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
WORDS = {Stage.QUEUED: "pending", Stage.RUNNING: "running"}
"""What a single ask calls the stages, in v2 [D] and v3 [S]."""
LONG_WORDS = {Stage.QUEUED: "pending: Waiting in queue", Stage.RUNNING: "running: Video is rendering"}
"""As v2's own OpenAPI enum spells them [D]."""
BULK_WORDS = {Stage.QUEUED: "queued", Stage.RUNNING: "processing"}
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
BROKEN = ("internal_error", "Internal error")


class V2:
    """`{"error": null, "data": {…}}`, with a warning that its days are numbered."""

    name = NAME

    def __init__(self, *, retired: bool = False) -> None:
        """`retired`: every path answers 410, whatever the key."""
        self.retired = retired

    def key(self, request: Request) -> str | None:
        """Return the x-api-key header [D]."""
        return request.headers.get("x-api-key") or None

    def error(self, status: int, request: Request) -> Reply:
        """Documented with `error` as a string, in practice an object; 401 has a shape of its own [W]."""
        if status == 401:
            return _aging(json({"code": 400112, "message": "Unauthorized"}, status), request)
        code, message = ERRORS.get(status, BROKEN)
        return _aging(json({"data": None, "error": {"code": code, "message": message}}, status), request)

    def tell(self, telling: Telling) -> Reply:
        """Answer GET /v2/video_translate/{id} [D]."""
        if telling.stage is Stage.ENDED and telling.plot.outcome == "payment":
            return self.error(402, telling.request)
        word = WORDS.get(telling.stage) or ("success" if telling.succeeded else "failed")
        return self._said(telling, word)

    def odd(self, telling: Telling) -> list[Reply]:
        """HTML, nothing and half a body [W], a failure inside a success [W], the enum's long words [D]."""
        if telling.stage is Stage.ENDED:
            return [self._said(telling, "success: Video rendered successfully")]
        inside = {"error": {"code": 40119, "detail": "Try again later", "message": "Something is wrong"}}
        return [
            self._said(telling, LONG_WORDS[telling.stage]),
            gateway(200, "Just a moment..."),
            halved(self.tell(telling)),
            _aging(json({"code": 100, "data": inside, "message": "Success"}), telling.request),
            Reply(200, b""),
        ]

    def _said(self, telling: Telling, word: str) -> Reply:
        plot = telling.plot
        data = {
            "video_translate_id": plot.id,
            "title": plot.title,
            "output_language": plot.language,
            "status": word,
            "url": telling.link("original.mp4"),
            "message": telling.complaint,
            "callback_id": None,
            "caption_url": telling.link("captions.ass") if plot.captions else None,
        }
        return _aging(json({"error": None, "data": data, "warning": WARNING}), telling.request)


class V3:
    """`{"data": {…}}` or `{"error": {…}}`, and many statuses at once."""

    name = NAME

    def key(self, request: Request) -> str | None:
        """Return the x-api-key header, or the key of an Authorization header: both work in v3 [S]."""
        return request.headers.get("x-api-key") or request.bearer()

    def error(self, status: int, request: Request) -> Reply:
        """`{"error": {"code", "message", "param"?, "doc_url"?}}` [S]."""
        code, message = ERRORS.get(status, BROKEN)
        return _numbered(json({"error": {"code": code, "message": message}}, status), request)

    def tell(self, telling: Telling) -> Reply:
        """Answer GET /v3/video-translations/{id} [S]."""
        if telling.stage is Stage.ENDED and telling.plot.outcome == "payment":
            return self.error(402, telling.request)
        word = WORDS.get(telling.stage) or ("completed" if telling.succeeded else "failed")
        return self._said(telling, word, telling.link("original.mp4"))

    def odd(self, telling: Telling) -> list[Reply]:
        """A word that is not known, HTML and half a body [W]; then `completed` without its link [S]."""
        if telling.stage is Stage.ENDED:
            return [self._said(telling, "completed", None)]
        busy = json({"error": {"code": "temporarily_unavailable", "message": "Try again later"}})
        return [
            self._said(telling, "lip_syncing", None),
            gateway(200, "Just a moment..."),
            halved(self.tell(telling)),
            _numbered(busy, telling.request),
            Reply(200, b""),
        ]

    def statuses(self, request: Request, plays: Iterable[tuple[str, Play | None]], now: float) -> Reply:
        """Answer GET /v3/video-translations/statuses for pairs of an id and its story, None where there is none [S]."""
        return _numbered(
            json({"data": [_item(job, play, now) for job, play in plays], "has_more": False, "next_token": None}),
            request,
        )

    def _said(self, telling: Telling, word: str, video: str | None) -> Reply:
        plot = telling.plot
        captions = plot.captions and video is not None
        data = {
            "id": plot.id,
            "status": word,
            "title": plot.title,
            "input_language": "English",
            "output_language": plot.language,
            "video_url": video,
            "audio_url": None,
            "srt_caption_url": telling.link("captions.srt") if captions else None,
            "vtt_caption_url": telling.link("captions.vtt") if captions else None,
            "duration": round(30 + 570 * fraction(plot.id, "duration"), 1),
            "created_at": int(telling.play.began),
            "callback_id": None,
            "failure_message": telling.complaint,
            "translate_audio_only": False,
        }
        return _numbered(json({"data": data}), telling.request)


def _item(job: str, play: Play | None, now: float) -> dict[str, object]:
    """Return one line of a bulk answer. It never has a link: what ended is asked for singly."""
    word, error = "not_found", None
    if play is not None:
        stage, outcome = play.stage(now), play.plot.outcome
        word = BULK_WORDS.get(stage) or ("completed" if outcome == "success" else "failed")
        if word == "failed":
            error = ERRORS[402][1] if outcome == "payment" else play.plot.message
    return {"video_id": job, "status": word, "error": error, "batch_id": None, "item_index": None}


def _numbered(reply: Reply, request: Request) -> Reply:
    return reply.saying(x_request_id=request.serial)


def _aging(reply: Reply, request: Request) -> Reply:
    return _numbered(reply, request).saying(deprecation="true", sunset=SUNSET)
