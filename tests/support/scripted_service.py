"""Service with scripted responses, for virtual time. Records the requests, and how many are in flight."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.support.virtual_time import wall_time


class ReceivedRequest(NamedTuple):
    """One request: instant, last segment of the path, key."""

    at: float
    id: str
    key: str


ScriptedResponse = tuple[int, object, dict[str, str]]
"""Status, body (bytes, or JSON), headers."""


def running(**more: object) -> ScriptedResponse:
    return 200, {"data": {"status": "running", **more}}, {}


def done(url: str | None) -> ScriptedResponse:
    return 200, {"data": {"status": "success", "url": url}}, {}


class ScriptedService:
    """An ASGI app in HeyGen v2's shape. `reply` makes each response, `seconds` after the request came."""

    def __init__(self, respond: Callable[[ReceivedRequest], ScriptedResponse], delay: float = 0.0) -> None:
        self.respond = respond
        self.delay = delay
        self.requests: list[ReceivedRequest] = []
        self.in_flight: dict[str, int] = {}
        self.max_in_flight = 0
        """Highest number of simultaneous requests for one job."""

    def request_times(self, job: str | None = None) -> list[float]:
        return [polled.at for polled in self.requests if job is None or polled.id == job]

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        key = headers.get("x-api-key") or headers.get("authorization", "")
        polled = ReceivedRequest(wall_time(), scope["path"].rpartition("/")[2], key)
        self.requests.append(polled)
        self.in_flight[polled.id] = self.in_flight.get(polled.id, 0) + 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight[polled.id])
        try:
            await asyncio.sleep(self.delay)
        finally:
            self.in_flight[polled.id] -= 1
        status, body, extra = self.respond(polled)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        text = [(name.encode(), value.encode()) for name, value in extra.items()]
        await send({"type": "http.response.start", "status": status, "headers": text})
        await send({"type": "http.response.body", "body": content})
