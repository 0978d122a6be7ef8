"""Service in virtual time whose jobs appear one by one, newest first on its list; and its provider file."""

import json
from collections import Counter
from typing import Any
from urllib.parse import parse_qs

from tests.support.provider_files import provider_file
from tests.support.virtual_time import EPOCH, wall_time

PAGE = 50
"""Jobs on a page."""
LISTING = provider_file(
    "listing",
    f"""
[status]
path = "/jobs/{{id}}"
value = ["/data/status"]
[[links]]
kind = "video"
url = ["/data/url"]
required = true
[list]
path = "/jobs?limit={PAGE}"
items = "/data"
id = "/id"
same_as = "/data"
created = ["/created_at"]
order = "newest_first"
[list.paging]
type = "cursor"
parameter = "after"
next = "/next"
[limits]
default = "any"
any = {{ per_minute = 100000 }}
""",
)


class ListedJobs:
    """ASGI app. A job runs for `runs` seconds from its beginning, and then has a link."""

    def __init__(self, begins: list[float], runs: float) -> None:
        """`begins`: seconds from EPOCH, sorted; job number N has the id `jN`."""
        self.begins, self.runs = begins, runs
        self.requests: list[tuple[float, str]] = []
        """Instant and path of each request."""

    @property
    def counts(self) -> Counter[str]:
        """Number of requests for the list and for single jobs."""
        return Counter("list" if path == "/jobs" else "job" for _, path in self.requests)

    def most_in_a_minute(self) -> int:
        """Return the highest number of requests in a minute."""
        times = [at for at, _ in self.requests]
        return max((sum(at <= other < at + 60 for other in times[index:]) for index, at in enumerate(times)), default=0)

    def _job(self, number: int, now: float) -> dict[str, Any]:
        is_done = now >= self.begins[number] + self.runs
        return {
            "id": f"j{number}",
            "status": "done" if is_done else "processing",
            "url": f"https://cdn.test/{number}.mp4" if is_done else None,
            "created_at": EPOCH + self.begins[number],
        }

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        now = wall_time() - EPOCH
        self.requests.append((now, scope["path"]))
        status, body = 200, dict[str, Any]()
        begun = sum(at <= now for at in self.begins)
        if scope["path"] == "/jobs":
            first = int(parse_qs(scope["query_string"].decode()).get("after", [begun])[0])
            numbers = range(first - 1, max(-1, first - 1 - PAGE), -1)
            body = {
                "data": [self._job(number, now) for number in numbers],
                "next": first - PAGE if first > PAGE else None,
            }
        else:
            number = int(scope["path"].rpartition("/j")[2])
            status = 200 if number < begun else 404
            body = {"data": self._job(number, now) if number < begun else None}
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})
