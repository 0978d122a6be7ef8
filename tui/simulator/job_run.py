"""State of a simulated job: its stage, its poll counts, and the context of one request for it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from math import inf
from typing import Protocol

from tui.simulator.http import SimulatedRequest, SimulatedResponse
from tui.simulator.scenario import ResolvedScenario

LINK_DELAY_POLLS = 2
"""Polls after the end of a `nolink` scenario that get no link yet [S]."""


class JobStage(Enum):
    """Stage of a simulated job."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(slots=True)
class JobRun:
    """One scenario at one service, from its first poll on."""

    service: str
    scenario: ResolvedScenario
    started_at: float
    poll_count: int = 0
    """Single polls; bulk polls do not advance the scenario's faults."""
    polls_after_end: int = 0
    """Single polls after the end."""
    fetched_once: set[str] = field(default_factory=set[str])
    """Files that are sent once, and were sent."""

    def stage_at(self, now: float) -> JobStage:
        """Return the stage at the instant `now`."""
        elapsed = now - self.started_at
        if elapsed < self.scenario.queued:
            return JobStage.QUEUED
        return JobStage.RUNNING if elapsed < self.scenario.queued + self.scenario.running else JobStage.ENDED

    def record_poll(self, now: float) -> JobStage:
        """Count one poll and return the stage."""
        stage = self.stage_at(now)
        self.poll_count += 1
        self.polls_after_end += stage is JobStage.ENDED
        return stage


LinkFactory = Callable[[JobRun, str, SimulatedRequest, bool], str]
"""Function that returns the URL of a job's file, on the origin of the request; the last value: it is sent once."""


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One request for one job: the input of a service's response."""

    request: SimulatedRequest
    job_run: JobRun
    stage: JobStage
    link_factory: LinkFactory
    now: float
    """Instant of the request."""

    @property
    def scenario(self) -> ResolvedScenario:
        """Scenario of the job."""
        return self.job_run.scenario

    @property
    def succeeded(self) -> bool:
        """Whether the job ended in success."""
        return self.stage is JobStage.ENDED and self.scenario.outcome == "success"

    @property
    def failed(self) -> bool:
        """Whether the job ended in a failure or a timeout; a missing payment is neither."""
        return self.stage is JobStage.ENDED and self.scenario.outcome in ("failure", "timeout")

    @property
    def failure_message(self) -> str | None:
        """Reason of a failed job, for services without a status for timeouts; None for other jobs."""
        if not self.failed:
            return None
        return "Processing timed out" if self.scenario.outcome == "timeout" else self.scenario.failure_message

    @property
    def elapsed_share(self) -> float:
        """Share of the running time that has passed, 0 to 1."""
        running = self.now - self.job_run.started_at - self.scenario.queued
        return min(1.0, max(0.0, running / self.scenario.running)) if self.scenario.running < inf else 0.0

    def link(self, name: str, *, is_part: bool = False) -> str | None:
        """Return the URL of the file `name`; None before it exists.

        `is_part`: the file belongs to a part that has ended, and is sent once.
        """
        is_delayed = self.scenario.behaviour == "nolink" and self.job_run.polls_after_end <= LINK_DELAY_POLLS
        if is_delayed or not (self.succeeded or is_part):
            return None
        return self.link_factory(self.job_run, name, self.request, is_part)


class Service(Protocol):
    """One API: its statuses, errors and undocumented responses. Stateless."""

    @property
    def name(self) -> str:
        """Name of the service; versions of an API share its scenarios, limits and keys."""
        ...

    def key_in(self, request: SimulatedRequest) -> str | None:
        """Return the key in the request's header for this API."""
        ...

    def error_response(self, status: int, request: SimulatedRequest, /) -> SimulatedResponse:
        """Return the API's error for an HTTP status of 400 or more."""
        ...

    def status_response(self, context: RequestContext) -> SimulatedResponse:
        """Return the documented response to a poll."""
        ...

    def odd_responses(self, context: RequestContext) -> list[SimulatedResponse]:
        """Return undocumented responses for the stage of the job."""
        ...
