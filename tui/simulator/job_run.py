"""A story while it is told: how far it is, how often it was asked for, and what a service may say of it now."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tui.simulator.http import SimulatedRequest, SimulatedResponse
from tui.simulator.scenario import ResolvedScenario

LINK_DELAY_POLLS = 2
"""Asks after the end at which the link of a `nolink` story is not there yet [S]."""


class JobStage(Enum):
    """How far a story is."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(slots=True)
class JobRun:
    """One story at one service, from its first ask on."""

    service: str
    scenario: ResolvedScenario
    started_at: float
    poll_count: int = 0
    """Asks for this job alone; bulk asks do not move the story's faults on."""
    polls_after_end: int = 0
    """Those of them that came after the end."""

    def stage_at(self, now: float) -> JobStage:
        """Return how far the story is at the instant `now`."""
        told = now - self.started_at
        if told < self.scenario.queued:
            return JobStage.QUEUED
        return JobStage.RUNNING if told < self.scenario.queued + self.scenario.running else JobStage.ENDED

    def record_poll(self, now: float) -> JobStage:
        """Count one ask and return how far the story is."""
        stage = self.stage_at(now)
        self.poll_count += 1
        self.polls_after_end += stage is JobStage.ENDED
        return stage


LinkFactory = Callable[[JobRun, str, SimulatedRequest], str]
"""Gives the URL under which a file of a story can be fetched, on the origin of the request."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One ask for one story: all that a service needs for its answer."""

    request: SimulatedRequest
    job_run: JobRun
    stage: JobStage
    link_factory: LinkFactory

    @property
    def scenario(self) -> ResolvedScenario:
        """The story."""
        return self.job_run.scenario

    @property
    def succeeded(self) -> bool:
        """Whether the story is over and went well."""
        return self.stage is JobStage.ENDED and self.scenario.outcome == "success"

    @property
    def failed(self) -> bool:
        """Whether the story is over and went wrong in the service's own way: not for want of payment."""
        return self.stage is JobStage.ENDED and self.scenario.outcome in ("failure", "timeout")

    @property
    def failure_message(self) -> str | None:
        """Why the job failed, if it did, for a service that has no word for a time-out."""
        if not self.failed:
            return None
        return "Processing timed out" if self.scenario.outcome == "timeout" else self.scenario.failure_message

    def link(self, name: str) -> str | None:
        """Return the URL of the file called `name`; None before there is one."""
        late = self.scenario.behaviour == "nolink" and self.job_run.polls_after_end <= LINK_DELAY_POLLS
        return self.link_factory(self.job_run, name, self.request) if self.succeeded and not late else None


class Service(Protocol):
    """One API: its words, its errors, its oddities. It holds no state."""

    @property
    def name(self) -> str:
        """The service whose stories, limits and keys these are; two versions of an API share them."""
        ...

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the key that the request brought, from where this API expects it."""
        ...

    def error_response(self, status: int, request: SimulatedRequest, /) -> SimulatedResponse:
        """Return the API's own body for an HTTP status of 400 and above."""
        ...

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Answer an ask as documented."""
        ...

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return answers that no documentation has, for the stage that the story is at."""
        ...
