"""The simulator as a witness needs it: it has troubles, and remembers what it told and whom. What is so of a job.

A key is `console.account`, so that it knows who asks.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from tui.domain.models import Phase, Ref
from tui.simulator.app import Receive, Send, Simulator
from tui.simulator.http import Reply, Request, Scope, gateway
from tui.simulator.job_run import Play

REPLY = 4.0
"""Seconds that a reply takes at most: the simulator's latency and a `delay` story's."""


class Fact(NamedTuple):
    """What is so of one job, at any time. Instants."""

    ref: Ref
    end: str
    """The word between the hyphens of its id."""
    runs: float
    ends: float

    def phase(self, now: float) -> Phase:
        """The phase that the service has it in, in our terms; CAMB.AI has no word for a queue."""
        if self.end == "missing":
            return Phase.MISSING
        if now < self.runs and self.ref.account != "camb":
            return Phase.QUEUED
        if now < self.ends:
            return Phase.RUNNING
        if self.end == "timeout":
            return Phase.TIMED_OUT if self.ref.account == "camb" else Phase.FAILED
        return {"fail": Phase.FAILED, "pay": Phase.BLOCKED}.get(self.end, Phase.DONE)


class Told(NamedTuple):
    """A service said of a job in which phase it is."""

    at: float
    phase: Phase
    console: str
    """Whom it told."""


class Trouble(NamedTuple):
    """From when until when an account's service does something wrong, and what."""

    account: str
    begins: float
    ends: float
    what: str
    """down, cut, late, limited or refused."""


class Services(Simulator):
    """The simulator, with troubles, that remembers what it told and whom. A key is `console.account`."""

    def __init__(self, facts: dict[Ref, Fact], troubles: list[Trouble], **more: object) -> None:
        super().__init__(**more)
        self.facts = facts
        self.troubles = troubles
        self.told: dict[Ref, list[Told]] = defaultdict(list)
        self.unsure: set[Told] = set()
        self.asked: Callable[[str, str, list[Ref]], None] = lambda console, account, refs: None
        self.went: dict[tuple[str, str], list[tuple[float, bool]]] = defaultdict(list)
        """By console and account, the asks that left it: when, and whether a service answered."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            console, account, refs = _meant(Request.read(scope, ""))
            self.asked(console, account, refs)
        await super().__call__(scope, receive, send)

    def _answer(self, request: Request) -> Reply:
        now = self.now()
        console, account, refs = _meant(request)
        wrong = next((each for each in self.troubles if each[0] == account and each[1] <= now < each[2]), None)
        reply = super()._answer(request) if wrong is None else _wrong(wrong.what)
        self.went[console, account].append((now, reply.status < 500 and reply.cut is None and reply.delay < REPLY))
        if wrong is None and reply.status == 200 and reply.cut is None:
            for ref in refs:
                if ref in self.facts and self.facts[ref].end not in {"odd", "missing"}:
                    self.told[ref].append(Told(now, self.facts[ref].phase(now), console))
        return reply

    def lost(self, console: str, since: float) -> None:
        """What was told to this console since then may never have been written down."""
        self.unsure |= {
            each for told in self.told.values() for each in told if each.console == console and each.at > since
        }

    def troubles_near(self, account: str, now: float) -> bool:
        """Something is or was wrong with the account's service, and may still be waited for."""
        return any(each.account == account and each.begins <= now < each.ends + 3600 for each in self.troubles)

    def play(self, ref: Ref) -> Play | None:
        service = ref.account.partition("-")[0]
        return self._desk._plays.get((service, ref.id))


def _meant(request: Request) -> tuple[str, str, list[Ref]]:
    """Who asks, of which account, and for the status of which jobs."""
    console, _, account = (request.headers.get("x-api-key") or request.bearer() or ".").partition(".")
    if request.segments[-1] == "statuses":
        ids = request.arguments("video_translation_ids")[0].split(",")
    else:
        ids = [] if "result" in "".join(request.segments[:-1]) else [request.segments[-1]]
    return console, account, [Ref(account, each) for each in ids]


def _wrong(what: str) -> Reply:
    match what:
        case "down":
            return gateway(502, "502 Bad Gateway")
        case "cut":
            return Reply(200, b"{}", cut=-1)
        case "late":
            return Reply(200, b"{}", delay=30.0)
        case "limited":
            return Reply(429, b"{}", headers={"retry-after": "45"})
        case _:
            return Reply(401, b'{"error": "Invalid API key"}')
