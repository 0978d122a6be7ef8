"""Simulator with outages that records the statuses it sent, for `truth_checker`, and the true course of each job.

A key is `console.account`, so that it identifies the console.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from tui.domain.models import Phase, Ref
from tui.simulator.app import Receive, Send, Simulator
from tui.simulator.fault_injection import MISSING_STATUSES
from tui.simulator.http import Scope, SimulatedRequest, SimulatedResponse, gateway_error_page
from tui.simulator.job_run import JobRun

MAX_LATENCY = 4.0
"""Greatest delay of a response, that of a `delay` scenario included. Seconds."""
WITHOUT_QUEUE = frozenset({"camb", "operations"})
"""Accounts whose service has no status for the queue."""
WITH_TIMEOUTS = frozenset({"camb", "operations"})
"""Accounts whose service has a status for a timeout."""


class JobFact(NamedTuple):
    """True course of one job. Instants."""

    ref: Ref
    behaviour: str
    """Word between the hyphens of its id."""
    runs: float
    ends: float

    def phase(self, now: float) -> Phase:
        """Return the job's phase at the service."""
        if self.behaviour in MISSING_STATUSES:
            return Phase.MISSING
        if now < self.runs and self.ref.account not in WITHOUT_QUEUE:
            return Phase.QUEUED
        if now < self.ends:
            return Phase.RUNNING
        if self.behaviour == "timeout":
            return Phase.TIMED_OUT if self.ref.account in WITH_TIMEOUTS else Phase.FAILED
        return {"fail": Phase.FAILED, "pay": Phase.BLOCKED}.get(self.behaviour, Phase.DONE)


class SentStatus(NamedTuple):
    """Status of a job that a service sent."""

    sent_at: float
    phase: Phase
    console: str
    """Name of the console that received it."""


class Outage(NamedTuple):
    """Period in which an account's service fails, and how."""

    account: str
    starts: float
    ends: float
    kind: str
    """down, cut, late, limited or refused."""


class RecordingServices(Simulator):
    """Simulator with outages that records the statuses it sent. A key is `console.account`."""

    def __init__(self, facts: dict[Ref, JobFact], outages: list[Outage], **more: object) -> None:
        super().__init__(**more)
        self.facts = facts
        self.outages = outages
        self.sent_statuses: dict[Ref, list[SentStatus]] = defaultdict(list)
        self.possibly_lost: set[SentStatus] = set()
        self.on_poll: Callable[[str, str, list[Ref]], None] = lambda console, account, refs: None
        self.exchanges: dict[tuple[str, str], list[tuple[float, bool]]] = defaultdict(list)
        """Requests by console and account: instant, and whether the service responded."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            console, account, refs = _parse_request(SimulatedRequest.from_scope(scope, ""))
            self.on_poll(console, account, refs)
        await super().__call__(scope, receive, send)

    def _respond(self, request: SimulatedRequest) -> SimulatedResponse:
        now = self.now()
        console, account, refs = _parse_request(request)
        outage = next((each for each in self.outages if each[0] == account and each[1] <= now < each[2]), None)
        response = super()._respond(request) if outage is None else _outage_response(outage.kind)
        self.exchanges[console, account].append(
            (now, response.status < 500 and response.cut_after is None and response.delay < MAX_LATENCY)
        )
        if outage is None and response.status in {200, 202} and response.cut_after is None:
            for ref in refs:
                if ref in self.facts and self.facts[ref].behaviour not in {"odd", *MISSING_STATUSES}:
                    self.sent_statuses[ref].append(SentStatus(now, self.facts[ref].phase(now), console))
        return response

    def mark_lost(self, console: str, since: float) -> None:
        """Mark the statuses sent to this console since then as possibly not journaled."""
        self.possibly_lost |= {
            each
            for received in self.sent_statuses.values()
            for each in received
            if each.console == console and each.sent_at > since
        }

    def has_recent_outage(self, account: str, now: float) -> bool:
        """Return whether the account's service has or recently had an outage that may still delay polls."""
        return any(each.account == account and each.starts <= now < each.ends + 3600 for each in self.outages)

    def job_run(self, ref: Ref) -> JobRun | None:
        service = ref.account.partition("-")[0]
        return self._router._job_runs.get((service, ref.id))


def _parse_request(request: SimulatedRequest) -> tuple[str, str, list[Ref]]:
    """Return console, account and the polled jobs of a request."""
    console, _, account = (request.headers.get("x-api-key") or request.bearer_token() or ".").partition(".")
    if request.segments[-1] in {"statuses", "batch"}:
        ids = (request.query_values("video_translation_ids") or request.query_values("ids"))[0].split(",")
    else:
        ids = [] if "result" in "".join(request.segments[:-1]) else [request.segments[-1]]
    return console, account, [Ref(account, each) for each in ids]


def _outage_response(kind: str) -> SimulatedResponse:
    match kind:
        case "down":
            return gateway_error_page(502, "502 Bad Gateway")
        case "cut":
            return SimulatedResponse(200, b"{}", cut_after=-1)
        case "late":
            return SimulatedResponse(200, b"{}", delay=30.0)
        case "limited":
            return SimulatedResponse(429, b"{}", headers={"retry-after": "45"})
        case _:
            return SimulatedResponse(401, b'{"error": "Invalid API key"}')
