"""A service whose every reply a test writes, for virtual time; it knows when it was asked and by how many at once."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from tests.support.virtual_time import wall


class Asked(NamedTuple):
    """One request: the instant, the last part of its path, its key."""

    at: float
    id: str
    key: str


Reply = tuple[int, object, dict[str, str]]
"""Status, body (bytes, or JSON), headers."""


def running(**more: object) -> Reply:
    return 200, {"data": {"status": "running", **more}}, {}


def done(url: str | None) -> Reply:
    return 200, {"data": {"status": "success", "url": url}}, {}


class Scripted:
    """An ASGI app in HeyGen v2's shape. `reply` is asked for each reply, `seconds` after the request came."""

    def __init__(self, reply: Callable[[Asked], Reply], seconds: float = 0.0) -> None:
        self.reply = reply
        self.seconds = seconds
        self.log: list[Asked] = []
        self.under_way: dict[str, int] = {}
        self.at_once = 0
        """Most requests for one job at the same time."""

    def times(self, job: str | None = None) -> list[float]:
        return [asked.at for asked in self.log if job is None or asked.id == job]

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        key = headers.get("x-api-key") or headers.get("authorization", "")
        asked = Asked(wall(), scope["path"].rpartition("/")[2], key)
        self.log.append(asked)
        self.under_way[asked.id] = self.under_way.get(asked.id, 0) + 1
        self.at_once = max(self.at_once, self.under_way[asked.id])
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self.under_way[asked.id] -= 1
        status, body, extra = self.reply(asked)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        said = [(name.encode(), value.encode()) for name, value in extra.items()]
        await send({"type": "http.response.start", "status": status, "headers": said})
        await send({"type": "http.response.body", "body": content})
