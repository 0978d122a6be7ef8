"""Flixu's document translation API, whose result is fetched from the API itself, with the key."""

from math import ceil
from urllib.parse import quote

from tui.simulator.http import Reply, Request, gateway, halved, json
from tui.simulator.job_run import Stage, Telling
from tui.simulator.rate_limits import Standing

PROGRESS = {"created": 0.0, "processing": 0.5, "completed": 1.0, "failed": 0.0, "error": 0.0}
"""Progress by word [D]: a stage, not a measurement; null for any other word."""
WORDS = {Stage.QUEUED: "created", Stage.RUNNING: "processing"}
ERRORS = {
    401: ("unauthorized", "Missing or invalid API key", "authentication_error"),
    402: ("insufficient_credits", "Your credits are used up", "billing_error"),
    403: ("forbidden", "This key may not do that", "permission_error"),
    404: ("not_found", "Job not found", "not_found_error"),
    429: ("rate_limit_exceeded", "Too many requests", "rate_limit_error"),
}
"""not_found is documented to the letter, the statuses are, the other codes are not [D][I]."""
BROKEN = ("internal_error", "Something went wrong", "api_error")


class Flixu:
    """`{"data": {…}, "meta": {"request_id"}}`."""

    name = "flixu"

    def key(self, request: Request) -> str | None:
        """Return the key of the Authorization header [D]."""
        return request.bearer()

    def error(self, status: int, request: Request) -> Reply:
        """`{"error": {"code", "message", "type", "request_id"}}` [D]."""
        code, message, kind = ERRORS.get(status, BROKEN)
        error = {"code": code, "message": message, "type": kind, "request_id": request.serial}
        return json({"error": error}, status)

    def tell(self, telling: Telling) -> Reply:
        """Answer GET /v1/translate/{id} [D]."""
        if telling.stage is Stage.ENDED and telling.plot.outcome == "payment":
            return self.error(402, telling.request)
        late = telling.plot.outcome == "timeout"
        ended = "completed" if telling.succeeded else "error" if late else "failed"
        return self._said(telling, WORDS.get(telling.stage) or ended)

    def odd(self, telling: Telling) -> list[Reply]:
        """A word that is not known, HTML, half a body, nothing, an error inside a success [W]."""
        if telling.stage is Stage.ENDED:
            return [self._said(telling, "Completed ")]
        return [
            self._said(telling, "awaiting_review"),
            gateway(200, "Just a moment..."),
            halved(self.tell(telling)),
            Reply(200, self.error(500, telling.request).body),
            Reply(200, b""),
        ]

    def _said(self, telling: Telling, word: str) -> Reply:
        there = telling.link("translated.txt") is not None
        path = f"/v1/documents/{quote(telling.plot.id, safe='')}/download"
        data = {
            "job_id": telling.plot.id,
            "status": word,
            "progress": PROGRESS.get(word.strip().lower()),
            "result_url": f"{telling.request.origin}{path}" if there else None,
            "error": telling.complaint,
        }
        return json({"data": data, "meta": {"request_id": telling.request.serial}})


def metered(reply: Reply, standing: Standing, reset: float) -> Reply:
    """Return the reply with Flixu's rate limit headers [D]; `reset` in seconds to wait, not an instant."""
    return reply.saying(
        x_ratelimit_limit=str(standing.limit),
        x_ratelimit_remaining=str(standing.remaining),
        x_ratelimit_reset=str(ceil(reset)),
    )
