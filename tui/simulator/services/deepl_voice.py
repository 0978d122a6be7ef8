"""DeepL's voice jobs: one job with several target languages, each with a status and a file that is sent once."""

from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, json, truncated
from tui.simulator.job_run import JobStage, RequestContext
from tui.simulator.scenario import ResolvedScenario, stable_fraction

NAME = "deepl-voice"
KEY_PREFIX = "DeepL-Auth-Key "
LANGUAGES = ("de", "fr", "es", "it", "pt-BR", "ja", "ko")
QUOTA_EXCEEDED = 456
"""HTTP status of a used-up quota [D]."""
ERRORS = {
    401: "Authorization failed. Please supply a valid DeepL-Auth-Key.",
    403: "Authorization failed. Please supply a valid DeepL-Auth-Key.",
    404: "Job not found",
    410: "Job expired",
    429: "Too many requests",
    QUOTA_EXCEEDED: "Quota exceeded",
}
"""Messages; the texts are made up."""


class DeepLVoice:
    """`{"targets": […], "results": […]}`, two lists in the same order [D]."""

    name: str = NAME

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the key of the Authorization header [D]."""
        header = request.headers.get("authorization", "")
        return header.removeprefix(KEY_PREFIX) or None if header.startswith(KEY_PREFIX) else None

    def error_response(self, status: int, request: SimulatedRequest) -> SimulatedResponse:
        """Return `{"message": …}` [D]."""
        body = json({"message": ERRORS.get(status, "Internal error")}, status)
        return body.with_headers(x_trace_id=request.request_id)

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the response to GET /v1/jobs/voice/translate/{id} [D]; the job has no status of its own."""
        if context.stage is JobStage.ENDED and context.scenario.outcome == "payment":
            return self.error_response(QUOTA_EXCEEDED, context.request)
        languages = languages_of(context.scenario)
        results = [_result(context, language, index, len(languages)) for index, language in enumerate(languages)]
        return self._response(context, results)

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return an unknown status, HTML, half a body and an empty one; then results without their links."""
        languages = languages_of(context.scenario)
        if context.stage is JobStage.ENDED:
            return [self._response(context, [{"status": "complete"} for _ in languages])]
        return [
            self._response(context, [{"status": "mastering"} for _ in languages]),
            gateway_error_page(200, "Just a moment..."),
            truncated(self.status_response(context)),
            SimulatedResponse(200, b""),
        ]

    def _response(self, context: RequestContext, results: list[dict[str, object]]) -> SimulatedResponse:
        targets = [{"language": language} for language in languages_of(context.scenario)]
        body = {"job_id": context.scenario.id, "targets": targets, "results": results}
        return json(body).with_headers(x_trace_id=context.request.request_id)


def languages_of(scenario: ResolvedScenario) -> tuple[str, ...]:
    """Return the target languages of a job, from two to seven."""
    if scenario.languages:
        return scenario.languages
    return LANGUAGES[: 2 + int(stable_fraction(scenario.id, "languages") * (len(LANGUAGES) - 1))]


def _result(context: RequestContext, language: str, index: int, count: int) -> dict[str, object]:
    """Return the result of one target: they end one after another, the last one at the end of the job."""
    if context.stage is not JobStage.ENDED:
        ended = int(context.elapsed_share * count)
        if context.stage is JobStage.QUEUED or index > ended:
            return {"status": "pending"}
        if index == ended:
            return {"status": "processing"}
    if context.failed or (context.scenario.behaviour == "partial" and index == count - 1):
        message = context.failure_message or context.scenario.failure_message
        return {"status": "failed", "error": {"message": message}}
    file_name = f"{language}.wav"
    if file_name in context.job_run.fetched_once:
        return {"status": "downloaded"}
    result: dict[str, object] = {"status": "complete"}
    if "signed_url" in context.request.query_values("include"):
        result["signed_download_url"] = context.link(file_name, is_part=True)
    return result
