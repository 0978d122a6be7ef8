"""KonPro's video translation API."""

from tui.simulator.http import Reply, Request, gateway, halved, json
from tui.simulator.job_run import Stage, Telling

WORDS = {Stage.QUEUED: "pending", Stage.RUNNING: "running"}
ERRORS = {
    401: ("UNAUTHORIZED", "Missing or invalid API key"),
    402: ("PAYMENT_REQUIRED", "Your credits are used up"),
    403: ("FORBIDDEN", "This key may not do that"),
    404: ("NOT_FOUND", "Video translation not found"),
    429: ("RATE_LIMIT_EXCEEDED", "Too many requests"),
}
"""The shape and INVALID_REQUEST are documented [D], these codes are not [I]."""
BROKEN = ("INTERNAL_ERROR", "Something went wrong")


class KonPro:
    """`{"error": null, "data": {…}}`, as HeyGen v2 once was."""

    name = "konpro"

    def key(self, request: Request) -> str | None:
        """Return the x-api-key header [D]."""
        return request.headers.get("x-api-key") or None

    def error(self, status: int, request: Request) -> Reply:
        """`{"error": {"code", "message", "details"}, "request_id"}` [D]."""
        code, message = ERRORS.get(status, BROKEN)
        error: dict[str, object] = {"code": code, "message": message, "details": {}}
        return json({"error": error, "request_id": f"req-{request.serial}"}, status)

    def tell(self, telling: Telling) -> Reply:
        """Answer GET /v1/video_translate/{id} [D]."""
        if telling.stage is Stage.ENDED and telling.plot.outcome == "payment":
            return self.error(402, telling.request)
        return self._said(telling, WORDS.get(telling.stage) or ("success" if telling.succeeded else "failed"))

    def odd(self, telling: Telling) -> list[Reply]:
        """HTML, half a body, nothing [W], an error inside a success with its request_id nested [D], loud words."""
        if telling.stage is Stage.ENDED:
            return [self._said(telling, "success: Video rendered successfully")]
        serial = f"req-{telling.request.serial}"
        inside = {"code": "INVALID_REQUEST", "message": "Try again later", "request_id": serial}
        return [
            self._said(telling, f" {WORDS[telling.stage].upper()} "),
            gateway(200, "Just a moment..."),
            halved(self.tell(telling)),
            json({"error": inside, "data": None}),
            Reply(200, b""),
        ]

    def _said(self, telling: Telling, word: str) -> Reply:
        data = {
            "video_translate_id": telling.plot.id,
            "title": telling.plot.title,
            "status": word,
            "url": telling.link("translated.mp4"),
            "message": telling.complaint,
        }
        return json({"error": None, "data": data})
