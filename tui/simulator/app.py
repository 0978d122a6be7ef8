"""The simulator: one ASGI app that answers as HeyGen, KonPro, CAMB.AI and Flixu do, each at its own paths.

It checks keys, keeps the limits, dates and counts. The desk knows the stories, the services' modules the words.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any
from uuid import UUID

from tui.simulator.fault_injection import waiting
from tui.simulator.http import CutError, Reply, Request, Scope, http_date, json
from tui.simulator.link_store import ROOT, Shelf
from tui.simulator.rate_limits import LIMITS, Meter
from tui.simulator.router import Desk, Route
from tui.simulator.scenario import Story, fraction
from tui.simulator.services.flixu import metered

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

REFUSED = {None: 401, "wrong": 401, "forbidden": 403}
"""What the keys get that are not good; every other key is."""
LOGGED = 10_000
"""Requests that the log remembers."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One request, as the log remembers it."""

    at: float
    """Instant, by the simulated clock."""
    service: str
    """"heygen", "konpro", "camb", "flixu"; "cdn" for the links; "" where no path leads."""
    method: str
    path: str
    """Percent-encoded, without the query."""
    key: str | None
    status: int
    """0: the connection was closed before the reply."""


class Simulator:
    """An ASGI 3 app, http and lifespan. What was asked of it is kept in memory: it is made for days, not for years."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        speed: float = 1.0,
        seed: int = 0,
        retired: bool = False,
        stories: Iterable[Story] = (),
        limits: Mapping[str, int] = LIMITS,
        latency: float = 0.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Start the simulated clock, which runs `speed` times faster than `clock`, whose instants are seconds.

        `seed` makes up what `stories` leave open; `retired`: HeyGen v2 is over. `limits` replaces members of LIMITS.
        `latency` is the mean delay of a reply in seconds of real time, which `sleep` waits out.
        """
        self.replies: Counter[tuple[str, int]] = Counter()
        """How many requests got each (service, HTTP status), as `Ask` tells them."""
        self.log: deque[Ask] = deque(maxlen=LOGGED)
        """The last requests, oldest first."""
        self._clock, self._speed, self._seed = clock, speed, seed
        self._latency, self._sleep = latency, sleep
        self._started = clock()
        self._requests = 0
        self._meter = Meter(limits)
        self._shelf = Shelf(self.now)
        self._desk = Desk(now=self.now, shelf=self._shelf, stories=stories, seed=seed, retired=retired)

    @property
    def asks(self) -> Counter[tuple[str, str]]:
        """How often each (service, id) was asked for its status, bulk asks included."""
        return self._desk.asks

    def now(self) -> float:
        """Return the simulated instant."""
        return self._started + (self._clock() - self._started) * self._speed

    def dies(self, url: str) -> float | None:
        """Return the simulated instant at which a link it gave dies or died; None: it gave none such, or a newer."""
        return self._shelf.dies(url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection. Raise CutError where it is to be closed before its reply is complete."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"the simulator does not speak {scope['type']}")
        self._requests += 1
        serial = blake2b(f"{self._seed}/{self._requests}".encode(), digest_size=16).digest()
        if self._latency:
            await self._sleep(self._latency * (0.5 + fraction(serial)))
        request = Request.read(scope, str(UUID(bytes=serial)))
        reply = self._answer(request)
        if reply.delay:
            await self._sleep(reply.delay)
        await _deliver(reply.saying(date=http_date(self.now())), request.method, send)

    def _answer(self, request: Request) -> Reply:
        """Find who answers, have them answer, and write it down."""
        service, key = "", None
        found = self._desk.find(request.segments)
        if request.method not in ("GET", "HEAD"):
            reply = json({"error": "Method Not Allowed"}, 405).saying(allow="GET, HEAD")
        elif found is not None:
            route, job = found
            service, key = route.service.name, route.service.key(request)
            reply = self._admitted(route, job, key, request)
        elif request.segments[:1] == (ROOT,):
            service, reply = ROOT, self._shelf.fetch(request)
        else:
            reply = json({"error": "Not Found"}, 404)
        status = 0 if reply.cut is not None and reply.cut < 0 else reply.status
        self.log.append(Ask(self.now(), service, request.method, request.path, key, status))
        self.replies[service, status] += 1
        return reply

    def _admitted(self, route: Route, job: str, key: str | None, request: Request) -> Reply:
        """Let a request through to its handler if the API is alive, the key good and within its limits.

        The waits that a refusal tells are in the client's seconds, which the simulated clock outruns.
        """
        if route.gone:
            return route.service.error(410, request)
        if key is None or key in REFUSED:
            return route.service.error(REFUSED[key], request)
        standing = self._meter.take(route.service.name, key, self.now())
        reset = standing.reset / self._speed
        reply = route.handler(request, job) if standing.allowed else waiting(route.service.error(429, request), reset)
        return metered(reply, standing, reset) if route.metered else reply


async def _deliver(reply: Reply, method: str, send: Send) -> None:
    """Send a reply: to a HEAD without its body, and no further than where it is cut."""
    if reply.cut is not None and reply.cut < 0:
        raise CutError("closed before the reply")
    said = {"content-type": reply.media, "content-length": str(len(reply.body)), **reply.headers}
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in said.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    body = b"" if method == "HEAD" else reply.body
    await send({"type": "http.response.body", "body": body[: reply.cut], "more_body": reply.cut is not None})
    if reply.cut is not None:
        raise CutError("closed within the body")


async def _live(receive: Receive, send: Send) -> None:
    """Go along with the server's life: there is nothing to open and nothing to close."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
