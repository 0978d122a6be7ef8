"""The simulator as a witness needs it: it has troubles, and remembers what it told and whom. What is so of a job.

A key is `console.account`, so that it knows who asks.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from tui.domain.models import Phase, Ref
from tui.simulator.app import Receive, Send, Simulator
from tui.simulator.http import Scope, SimulatedRequest, SimulatedResponse, gateway_error_page
from tui.simulator.job_run import JobRun

MAX_LATENCY = 4.0
"""Seconds that a reply takes at most: the simulator's latency and a `delay` story's."""


class JobFact(NamedTuple):
    """What is so of one job, at any time. Instants."""

    ref: Ref
    behaviour: str
    """The word between the hyphens of its id."""
    runs: float
    ends: float

    def phase(self, now: float) -> Phase:
        """The phase that the service has it in, in our terms; CAMB.AI has no word for a queue."""
        if self.behaviour == "missing":
            return Phase.MISSING
        if now < self.runs and self.ref.account != "camb":
            return Phase.QUEUED
        if now < self.ends:
            return Phase.RUNNING
        if self.behaviour == "timeout":
            return Phase.TIMED_OUT if self.ref.account == "camb" else Phase.FAILED
        return {"fail": Phase.FAILED, "pay": Phase.BLOCKED}.get(self.behaviour, Phase.DONE)


class SentStatus(NamedTuple):
    """A service said of a job in which phase it is."""

    sent_at: float
    phase: Phase
    console: str
    """Whom it told."""


class Outage(NamedTuple):
    """From when until when an account's service does something wrong, and what."""

    account: str
    starts: float
    ends: float
    kind: str
    """down, cut, late, limited or refused."""


class RecordingServices(Simulator):
    """The simulator, with troubles, that remembers what it told and whom. A key is `console.account`."""

    def __init__(self, facts: dict[Ref, JobFact], outages: list[Outage], **more: object) -> None:
        super().__init__(**more)
        self.facts = facts
        self.outages = outages
        self.sent_statuses: dict[Ref, list[SentStatus]] = defaultdict(list)
        self.possibly_lost: set[SentStatus] = set()
        self.on_poll: Callable[[str, str, list[Ref]], None] = lambda console, account, refs: None
        self.exchanges: dict[tuple[str, str], list[tuple[float, bool]]] = defaultdict(list)
        """By console and account, the asks that left it: when, and whether a service answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            console, account, refs = _parse_request(SimulatedRequest.from_scope(scope, ""))
            self.on_poll(console, account, refs)
        await super().__call__(scope, receive, send)

    def _respond(self, request: SimulatedRequest) -> SimulatedResponse:
        now = self.now()
        console, account, refs = _parse_request(request)
        wrong = next((each for each in self.outages if each[0] == account and each[1] <= now < each[2]), None)
        reply = super()._respond(request) if wrong is None else _outage_response(wrong.kind)
        self.exchanges[console, account].append(
            (now, reply.status < 500 and reply.cut_after is None and reply.delay < MAX_LATENCY)
        )
        if wrong is None and reply.status == 200 and reply.cut_after is None:
            for ref in refs:
                if ref in self.facts and self.facts[ref].behaviour not in {"odd", "missing"}:
                    self.sent_statuses[ref].append(SentStatus(now, self.facts[ref].phase(now), console))
        return reply

    def mark_lost(self, console: str, since: float) -> None:
        """What was told to this console since then may never have been written down."""
        self.possibly_lost |= {
            each
            for told in self.sent_statuses.values()
            for each in told
            if each.console == console and each.sent_at > since
        }

    def has_recent_outage(self, account: str, now: float) -> bool:
        """Something is or was wrong with the account's service, and may still be waited for."""
        return any(each.account == account and each.starts <= now < each.ends + 3600 for each in self.outages)

    def job_run(self, ref: Ref) -> JobRun | None:
        service = ref.account.partition("-")[0]
        return self._router._job_runs.get((service, ref.id))


def _parse_request(request: SimulatedRequest) -> tuple[str, str, list[Ref]]:
    """Who asks, of which account, and for the status of which jobs."""
    console, _, account = (request.headers.get("x-api-key") or request.bearer_token() or ".").partition(".")
    if request.segments[-1] == "statuses":
        ids = request.query_values("video_translation_ids")[0].split(",")
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
