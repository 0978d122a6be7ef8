"""Injection of faults into responses, as the scenario's behaviour says: 429s, odd bodies, closed connections."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil

from tui.simulator.http import SimulatedRequest, SimulatedResponse, gateway_error_page, http_date
from tui.simulator.job_run import JobStage, RequestContext, Service
from tui.simulator.real_world import cached, damaged, hinted, with_floats

MISSING_STATUSES = {"missing": 404, "gone": 410}
"""HTTP status of every poll, by behaviour."""
LIMIT_EVERY = 3
"""Every third poll of a `limit` scenario gets 429."""
DELAY_SECONDS = 3.0
"""Delay of each response of a `delay` scenario. Seconds of the client's clock."""
RETRY_AFTER_SECONDS = 5.0
"""Retry-After of a 429. Seconds of the client's clock."""

FaultInjector = Callable[[SimulatedResponse, Service, SimulatedRequest], SimulatedResponse]
"""Function that turns a response into a faulty one."""


def respond(service: Service, context: RequestContext) -> SimulatedResponse:
    """Return the documented response; for an `odd` scenario, an undocumented one.

    While the job is active its odd responses repeat in turn; after its end each comes once, then the documented one.
    """
    if context.scenario.behaviour != "odd":
        return service.status_response(context)
    odd, job_run = service.odd_responses(context), context.job_run
    if context.stage is not JobStage.ENDED:
        return odd[(job_run.poll_count - 1) % len(odd)]
    return odd[job_run.polls_after_end - 1] if job_run.polls_after_end <= len(odd) else service.status_response(context)


def inject_fault(
    response: SimulatedResponse, service: Service, context: RequestContext, now: float
) -> SimulatedResponse:
    """Return the response with the fault of the scenario, if any; `now` is the instant of its Date header."""
    behaviour, poll_count = context.scenario.behaviour, context.job_run.poll_count
    if behaviour in MISSING_STATUSES:
        return service.error_response(MISSING_STATUSES[behaviour], context.request)
    if behaviour == "hint":
        return hinted(response, poll_count, now)
    if behaviour == "damaged":
        return damaged(response, poll_count)
    if behaviour == "floats":
        return with_floats(response, poll_count)
    if behaviour == "cached":
        return cached(response)
    if behaviour == "delay":
        return replace(response, delay=DELAY_SECONDS)
    if behaviour == "limit" and poll_count % LIMIT_EVERY == 0:
        dated = now if poll_count % (2 * LIMIT_EVERY) == 0 else None
        return with_retry_after(service.error_response(429, context.request), RETRY_AFTER_SECONDS, dated)
    return (
        FLAKY_SEQUENCE[(poll_count - 1) % len(FLAKY_SEQUENCE)](response, service, context.request)
        if behaviour == "flaky"
        else response
    )


def with_retry_after(response: SimulatedResponse, seconds: float, now: float | None = None) -> SimulatedResponse:
    """Return the response with Retry-After: in seconds, or as an HTTP date if `now` is given (RFC 9110 §10.2.3)."""
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
"""Faults of a `flaky` scenario in turn: never enough in a row to open a client's circuit breaker."""
