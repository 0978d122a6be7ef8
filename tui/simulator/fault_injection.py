"""What goes wrong on the way to a story that asks for it: refusals now and then, odd bodies, closed connections."""

from collections.abc import Callable
from dataclasses import replace
from math import ceil

from tui.simulator.http import Reply, Request, gateway, http_date
from tui.simulator.job_run import Service, Stage, Telling

LIMIT_EVERY = 3
"""Every third ask for a `limit` story is refused."""
DELAY = 3.0
"""Seconds of the clients' clock by which each reply of a `delay` story is late."""
LIMIT_WAIT = 5.0
"""Seconds of the clients' clock for which a `limit` story wants no ask."""

Fault = Callable[[Reply, Service, Request], Reply]
"""Makes a good reply a bad one."""


def told(service: Service, telling: Telling) -> Reply:
    """Answer as documented; for an `odd` story, as no documentation says.

    Odd answers are cycled through while the story goes on, and given once each when it has ended. Then all is well.
    """
    if telling.plot.end != "odd":
        return service.tell(telling)
    strange, play = service.odd(telling), telling.play
    if telling.stage is not Stage.ENDED:
        return strange[(play.asks - 1) % len(strange)]
    return strange[play.asks_ended - 1] if play.asks_ended <= len(strange) else service.tell(telling)


def spoiled(good: Reply, service: Service, telling: Telling, now: float) -> Reply:
    """Return what becomes of the good reply on its way; `now` is the instant at which it is dated."""
    end, asks = telling.plot.end, telling.play.asks
    if end == "missing":
        return service.error(404, telling.request)
    if end == "delay":
        return replace(good, delay=DELAY)
    if end == "limit" and asks % LIMIT_EVERY == 0:
        dated = now if asks % (2 * LIMIT_EVERY) == 0 else None
        return waiting(service.error(429, telling.request), LIMIT_WAIT, dated)
    return FLAKY[(asks - 1) % len(FLAKY)](good, service, telling.request) if end == "flaky" else good


def waiting(reply: Reply, seconds: float, now: float | None = None) -> Reply:
    """Return the reply with a Retry-After: in seconds, or as an HTTP date where `now` is given (RFC 9110 §10.2.3)."""
    whole = max(1, ceil(seconds))
    return reply.saying(retry_after=str(whole) if now is None else http_date(ceil(now) + whole))


def _well(good: Reply, _service: Service, _request: Request) -> Reply:
    return good


def _broken(_good: Reply, service: Service, request: Request) -> Reply:
    return service.error(500, request)


def _bad_gateway(_good: Reply, _service: Service, _request: Request) -> Reply:
    return gateway(502, "502 Bad Gateway")


def _unavailable(_good: Reply, _service: Service, _request: Request) -> Reply:
    return waiting(gateway(503, "503 Service Temporarily Unavailable"), LIMIT_WAIT)


def _silent(good: Reply, _service: Service, _request: Request) -> Reply:
    return replace(good, cut=-1)


def _cut(good: Reply, _service: Service, _request: Request) -> Reply:
    return replace(good, cut=len(good.body) // 2)


FLAKY: tuple[Fault, ...] = (_bad_gateway, _well, _silent, _well, _unavailable, _cut, _well, _broken)
"""What a `flaky` story's asks meet, in turn: never so much in a row that a client gives the service up."""
