"""What goes wrong on the way to a story that asks for it: refusals now and then, odd bodies, closed connections."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil

from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, http_date
from tui.simulator.job_run import JobStage, RequestContext, Service

LIMIT_EVERY = 3
"""Every third ask for a `limit` story is refused."""
DELAY_SECONDS = 3.0
"""Seconds of the clients' clock by which each reply of a `delay` story is late."""
RETRY_AFTER_SECONDS = 5.0
"""Seconds of the clients' clock for which a `limit` story wants no ask."""

FaultInjector = Callable[[SimulatedResponse, Service, SimulatedRequest], SimulatedResponse]
"""Makes a good reply a bad one."""


def respond(service: Service, context: RequestContext) -> SimulatedResponse:
    """Answer as documented; for an `odd` story, as no documentation says.

    Odd answers are cycled through while the story goes on, and given once each when it has ended. Then all is well.
    """
    if context.scenario.behaviour != "odd":
        return service.status_response(context)
    strange, play = service.odd_responses(context), context.job_run
    if context.stage is not JobStage.ENDED:
        return strange[(play.poll_count - 1) % len(strange)]
    return (
        strange[play.polls_after_end - 1] if play.polls_after_end <= len(strange) else service.status_response(context)
    )


def inject_fault(
    response: SimulatedResponse, service: Service, context: RequestContext, now: float
) -> SimulatedResponse:
    """Return what becomes of the good reply on its way; `now` is the instant at which it is dated."""
    end, asks = context.scenario.behaviour, context.job_run.poll_count
    if end == "missing":
        return service.error_response(404, context.request)
    if end == "delay":
        return replace(response, delay=DELAY_SECONDS)
    if end == "limit" and asks % LIMIT_EVERY == 0:
        dated = now if asks % (2 * LIMIT_EVERY) == 0 else None
        return with_retry_after(service.error_response(429, context.request), RETRY_AFTER_SECONDS, dated)
    return (
        FLAKY_SEQUENCE[(asks - 1) % len(FLAKY_SEQUENCE)](response, service, context.request)
        if end == "flaky"
        else response
    )


def with_retry_after(response: SimulatedResponse, seconds: float, now: float | None = None) -> SimulatedResponse:
    """Return the reply with a Retry-After: in seconds, or as an HTTP date where `now` is given (RFC 9110 §10.2.3)."""
    whole = max(1, ceil(seconds))
    return response.with_headers(retry_after=str(whole) if now is None else http_date(ceil(now) + whole))


def _unchanged(response: SimulatedResponse, _service: Service, _request: SimulatedRequest) -> SimulatedResponse:
    return response


def _server_error(_response: SimulatedResponse, service: Service, request: SimulatedRequest) -> SimulatedResponse:
    return service.error_response(500, request)


def _bad_gateway(_response: SimulatedResponse, _service: Service, _request: SimulatedRequest) -> SimulatedResponse:
    return gateway_error_page(502, "502 Bad Gateway")


def _unavailable(_response: SimulatedResponse, _service: Service, _request: SimulatedRequest) -> SimulatedResponse:
    return with_retry_after(gateway_error_page(503, "503 Service Temporarily Unavailable"), RETRY_AFTER_SECONDS)


def _closed_before_response(
    response: SimulatedResponse, _service: Service, _request: SimulatedRequest
) -> SimulatedResponse:
    return replace(response, cut_after=-1)


def _closed_in_body(response: SimulatedResponse, _service: Service, _request: SimulatedRequest) -> SimulatedResponse:
    return replace(response, cut_after=len(response.body) // 2)


FLAKY_SEQUENCE: tuple[FaultInjector, ...] = (
    _bad_gateway,
    _unchanged,
    _closed_before_response,
    _unchanged,
    _unavailable,
    _closed_in_body,
    _unchanged,
    _server_error,
)
"""What a `flaky` story's asks meet, in turn: never so much in a row that a client gives the service up."""
