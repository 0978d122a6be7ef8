"""Simulator: one ASGI app that responds as seven services do, each at its paths.

It checks keys and rate limits, adds dates and counts requests. `router` has the scenarios, `services` the formats.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any
from uuid import UUID

from tui.simulator.fault_injection import with_retry_after
from tui.simulator.http import ConnectionCutError, Scope, SimulatedRequest, SimulatedResponse, http_date, json
from tui.simulator.link_store import CDN_ROOT, LinkStore
from tui.simulator.rate_limits import LIMITS, RateLimiter
from tui.simulator.router import READING, Route, Router
from tui.simulator.scenario import Scenario, stable_fraction
from tui.simulator.services.flixu import with_rate_limit_headers

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KEY_ERRORS = {None: 401, "wrong": 401, "forbidden": 403}
"""HTTP status for an invalid key; every other key is valid."""
MAX_BODY = 64 * 1024
"""Bytes of a request's body."""
LOG_SIZE = 10_000
"""Requests in the log."""


@dataclass(frozen=True, slots=True)
class LoggedRequest:
    """One request in the log."""

    received_at: float
    """Instant, by the simulated clock."""
    service: str
    """One of `services.NAMES`, or "operations"; "cdn" for links; "" for an unknown path."""
    method: str
    path: str
    """Percent-encoded, without the query."""
    key: str | None
    status: int
    """0: the connection was closed before the response."""


class Simulator:
    """ASGI 3 app for http and lifespan. It keeps all state in memory: for days, not for years."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        speed: float = 1.0,
        seed: int = 0,
        retired: bool = False,
        scenarios: Iterable[Scenario] = (),
        limits: Mapping[str, int] = LIMITS,
        latency: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Start the simulated clock, which runs `speed` times faster than `clock`, whose instants are seconds.

        `seed` determines what `scenarios` leave open; `retired`: HeyGen v2 is retired. `limits` replaces members of
        LIMITS. `latency` is the mean delay of a response, in seconds of real time, which `sleep` waits.
        """
        self.response_counts: Counter[tuple[str, int]] = Counter()
        """How many requests got each (service, HTTP status), as in `LoggedRequest`."""
        self.request_log: deque[LoggedRequest] = deque(maxlen=LOG_SIZE)
        """The last requests, oldest first."""
        self._clock, self._speed, self._seed = clock, speed, seed
        self._latency, self._sleep = latency, sleep
        self._started = clock()
        self._request_count = 0
        self._rate_limiter = RateLimiter(limits)
        self._link_store = LinkStore(self.now)
        self._router = Router(
            now=self.now, link_store=self._link_store, scenarios=scenarios, seed=seed, retired=retired
        )

    @property
    def poll_counts(self) -> Counter[tuple[str, str]]:
        """Polls of each (service, id), bulk polls included."""
        return self._router.poll_counts

    def now(self) -> float:
        """Return the simulated instant."""
        return self._started + (self._clock() - self._started) * self._speed

    def link_expires_at(self, url: str) -> float | None:
        """Return the simulated instant at which an issued link expires; None if it was not issued or was replaced."""
        return self._link_store.expires_at(url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. Raises ConnectionCutError to close it before its response is complete."""
        if scope["type"] == "lifespan":
            await _handle_lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"the simulator does not support {scope['type']}")
        self._request_count += 1
        serial = blake2b(f"{self._seed}/{self._request_count}".encode(), digest_size=16).digest()
        if self._latency:
            await self._sleep(self._latency * (0.5 + stable_fraction(serial)))
        request = SimulatedRequest.from_scope(scope, str(UUID(bytes=serial)))
        if request.method == "POST":
            request = replace(request, body=await _read_body(receive))
        response = self._respond(request)
        if response.delay:
            await self._sleep(response.delay)
        date = http_date(self.now() - float(response.headers.get("age", 0)))  # a cache keeps the origin's
        await _send_response(response.with_headers(date=date), request.method, send)

    def _respond(self, request: SimulatedRequest) -> SimulatedResponse:
        """Route a request, and log the response."""
        service, key = "", None
        match = self._router.match(request.segments)
        methods = match[0].methods if match is not None else READING
        if request.method not in methods:
            response = json({"error": "Method Not Allowed"}, 405).with_headers(allow=", ".join(methods))
        elif match is not None:
            route, job = match
            service, key = route.service.name, route.service.key_in(request)
            response = self._check_and_handle(route, job, key, request)
        elif request.segments[:1] == (CDN_ROOT,):
            service, response = CDN_ROOT, self._link_store.serve_file(request)
        else:
            response = json({"error": "Not Found"}, 404)
        status = 0 if response.cut_after is not None and response.cut_after < 0 else response.status
        self.request_log.append(LoggedRequest(self.now(), service, request.method, request.path, key, status))
        self.response_counts[service, status] += 1
        return response

    def _check_and_handle(
        self, route: Route, job_id: str, key: str | None, request: SimulatedRequest
    ) -> SimulatedResponse:
        """Call the handler if the API is not retired, the key valid and the rate limit not exceeded.

        Retry-After is in seconds of the client's clock, which is slower than the simulated one.
        """
        if route.is_retired:
            return route.service.error_response(410, request)
        if key is None or key in KEY_ERRORS:
            return route.service.error_response(KEY_ERRORS[key], request)
        limit_status = self._rate_limiter.count_request(route.service.name, key, self.now())
        reset_after = limit_status.reset_after / self._speed
        response = (
            route.handler(request, job_id)
            if limit_status.allowed
            else with_retry_after(route.service.error_response(429, request), reset_after)
        )
        return (
            with_rate_limit_headers(response, limit_status, reset_after) if route.has_rate_limit_headers else response
        )


async def _read_body(receive: Receive) -> str:
    """Return the body of a request, at most MAX_BODY bytes."""
    body = b""
    while len(body) < MAX_BODY:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    return body[:MAX_BODY].decode("utf-8", "replace")


async def _send_response(response: SimulatedResponse, method: str, send: Send) -> None:
    """Send a response: without its body for HEAD, and only up to its cut."""
    if response.cut_after is not None and response.cut_after < 0:
        raise ConnectionCutError("closed before the response")
    all_headers = {"content-type": response.media_type, "content-length": str(len(response.body)), **response.headers}
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in all_headers.items()]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    body = b"" if method == "HEAD" else response.body
    await send(
        {"type": "http.response.body", "body": body[: response.cut_after], "more_body": response.cut_after is not None}
    )
    if response.cut_after is not None:
        raise ConnectionCutError("closed within the body")


async def _handle_lifespan(receive: Receive, send: Send) -> None:
    """Acknowledge the lifespan messages: there is nothing to open or close."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
