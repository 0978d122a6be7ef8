"""Services in virtual time that respond in the form that their provider files document: single jobs, results and lists.

A response is built from the file's pointers, not by the parser. Each service is an ASGI app of its own.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.virtual_time import MINUTE
from tui.domain.models import Phase
from tui.providers.json_pointer import Pointer
from tui.providers.model import Provider
from tui.providers.reports.status import ANY
from tui.simulator.scenario import stable_fraction

PAGE = 100
"""Jobs on a page."""
ERROR_RATE = 0.01
"""Share of requests that get 502."""
STATUS_NAMES = {Phase.QUEUED: "queued", Phase.RUNNING: "processing", Phase.DONE: "completed", Phase.FAILED: "failed"}
"""Statuses of a service whose file names none for the phase."""


class TimedJob(NamedTuple):
    """True course of one job. Instants."""

    id: str
    starts: float
    runs: float
    ends: float
    """Infinite: never."""
    end: Phase

    def phase(self, at: float) -> Phase:
        """Return the job's phase at the service."""
        if at >= self.ends:
            return self.end
        return Phase.RUNNING if at >= self.runs else Phase.QUEUED


class DocumentedService:
    """ASGI app of one provider file. `counts`: requests for the list, a job, a result, and those that failed."""

    def __init__(self, provider: Provider, jobs: list[TimedJob], clock: Callable[[], float], random: Random) -> None:
        self.provider, self.endpoint = provider, provider.endpoint()
        self.jobs = sorted(jobs, key=lambda job: job.starts)
        self.by_id = {job.id: job for job in jobs}
        self.clock, self.random = clock, random
        self.counts = Counter[str]()
        self.requested_at: list[float] = []
        self._raw_statuses = {phase: raw for raw, phase in self.endpoint.statuses.items() if ANY not in raw}
        status, result, listed = self.endpoint.status, self.endpoint.result, self.endpoint.list_request
        self._status_path = _path_pattern(status.path, provider.base_url)
        self._result_path = _path_pattern(result.path, provider.base_url) if result is not None else None
        self._list_path = urlsplit(provider.base_url).path + listed.path.partition("?")[0] if listed is not None else ""

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        now = self.clock()
        self.requested_at.append(now)
        query = {name: values[-1] for name, values in parse_qs(scope["query_string"].decode()).items()}
        kind, status, body = self._respond(unquote(scope["path"]), query, now)
        self.counts[kind] += 1
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(body).encode()})

    def _respond(self, path: str, query: Mapping[str, str], now: float) -> tuple[str, int, Any]:
        """Return kind, HTTP status and body of the response to a request."""
        if self.random.random() < ERROR_RATE:
            return "error", 502, {}
        if path == self._list_path:
            return "list", 200, self._page(query, now)
        if found := self._status_path.fullmatch(path):
            job = self.by_id.get(found["id"])
            if job is None or now < job.starts:
                return "job", 404, {}
            return "job", 200, self._status(job, now)
        if self._result_path is not None and (found := self._result_path.fullmatch(path)):
            return "result", 200, self._with_text({})
        return "unknown", 404, {}

    def _raw_status(self, phase: Phase) -> str:
        return self._raw_statuses.get(phase, STATUS_NAMES[phase])

    def _status(self, job: TimedJob, now: float) -> Any:
        """Return the response to a poll of the job."""
        status, phase = self.endpoint.status, job.phase(now)
        body = _placed({}, status.value[0], self._raw_status(phase))
        if phase is Phase.FAILED and status.message:
            body = _placed(body, status.message[0], "It failed.")
        for pointer in status.result_id[:1]:
            body = _placed(body, pointer, job.id)
        if phase is Phase.DONE and self._result_path == self._status_path:
            body = self._with_text(body)
        for rule in self.endpoint.links:
            for pointer in rule.language[:1]:
                body = _placed(body, pointer, "de")
            if phase is Phase.DONE and rule.url:
                body = _placed(body, rule.url[0], f"https://cdn.test/{job.id}/{rule.kind}")
        return body

    def _with_text(self, body: Any) -> Any:
        """Return the body with the result's text."""
        return _placed(body, self.endpoint.result.text[0], "the text")

    def _page(self, query: Mapping[str, str], now: float) -> Any:
        """Return the first page of the list, the newest jobs first."""
        listed = self.endpoint.list_request
        begun = [job for job in self.jobs if job.starts <= now]
        items = [self._item(job, now) for job in begun[::-1][:PAGE]]
        return _placed({}, listed.items, items) if listed.items else items

    def _item(self, job: TimedJob, now: float) -> Any:
        listed = self.endpoint.list_request
        if listed.same_as is not None:
            item = self._status(job, now)
            for token in listed.same_as.tokens:
                item = item[token]
        else:
            item = _placed({}, listed.value[0], self._raw_status(job.phase(now)))
        item = _placed(item, listed.id, job.id)
        created = datetime.fromtimestamp(job.starts, UTC).isoformat()
        return _placed(item, listed.created[0], created) if listed.created else item


def _path_pattern(path: str, base_url: str) -> re.Pattern[str]:
    """Return the pattern of a path template below the base URL, without its query."""
    template = urlsplit(base_url).path + path.partition("?")[0]
    return re.compile(re.sub(r"\\\{(id|result_id)\\\}", "(?P<id>.+)", re.escape(template)))


def _placed(body: Any, pointer: Pointer, value: Any) -> Any:
    """Return the body with a value at the pointer; objects and lists above it are made."""
    if not pointer.tokens:
        return value
    token, rest = pointer.tokens[0], Pointer.parse("".join(f"/{each}" for each in pointer.tokens[1:]))
    if token in {"*", "0"}:
        return [_placed({}, rest, value)]
    known = body if isinstance(body, dict) else {}
    return {**known, token: _placed(known.get(token, {}), rest, value)}


def random_life(random: Random, longest: float) -> float:
    """Return how many seconds a job takes, from a minute to `longest`; log-uniform."""
    return MINUTE * (longest / MINUTE) ** random.random()


def random_jobs(prefix: str, starts: Iterable[float], random: Random, longest: float) -> list[TimedJob]:
    """Return a job for each start, of a minute to `longest` seconds; one in ten fails, one in fifty never ends."""
    jobs: list[TimedJob] = []
    for number, starts_at in enumerate(starts):
        job_id = f"{prefix}-{number}"
        life, chance = random_life(random, longest), stable_fraction(job_id)
        ends = float("inf") if chance >= 0.98 else starts_at + life
        end = Phase.FAILED if chance < 0.1 else Phase.DONE
        jobs.append(TimedJob(job_id, starts_at, starts_at + life * 0.2, ends, end))
    return jobs
