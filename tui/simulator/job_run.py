"""A story while it is told: how far it is, how often it was asked for, and what a service may say of it now."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from tui.simulator.http import Reply, Request
from tui.simulator.scenario import Plot

LINK_LATE = 2
"""Asks after the end at which the link of a `nolink` story is not there yet [S]."""


class Stage(Enum):
    """How far a story is."""

    QUEUED = "queued"
    RUNNING = "running"
    ENDED = "ended"


@dataclass(slots=True)
class Play:
    """One story at one service, from its first ask on."""

    service: str
    plot: Plot
    began: float
    asks: int = 0
    """Asks for this job alone; bulk asks do not move the story's faults on."""
    asks_ended: int = 0
    """Those of them that came after the end."""

    def stage(self, now: float) -> Stage:
        """Return how far the story is at the instant `now`."""
        told = now - self.began
        if told < self.plot.queued:
            return Stage.QUEUED
        return Stage.RUNNING if told < self.plot.queued + self.plot.running else Stage.ENDED

    def ask(self, now: float) -> Stage:
        """Count one ask and return how far the story is."""
        stage = self.stage(now)
        self.asks += 1
        self.asks_ended += stage is Stage.ENDED
        return stage


Linker = Callable[[Play, str, Request], str]
"""Gives the URL under which a file of a story can be fetched, on the origin of the request."""


@dataclass(frozen=True, slots=True)
class Telling:
    """One ask for one story: all that a service needs for its answer."""

    request: Request
    play: Play
    stage: Stage
    linker: Linker

    @property
    def plot(self) -> Plot:
        """The story."""
        return self.play.plot

    @property
    def succeeded(self) -> bool:
        """Whether the story is over and went well."""
        return self.stage is Stage.ENDED and self.plot.outcome == "success"

    @property
    def broke(self) -> bool:
        """Whether the story is over and went wrong in the service's own way: not for want of payment."""
        return self.stage is Stage.ENDED and self.plot.outcome in ("failure", "timeout")

    @property
    def complaint(self) -> str | None:
        """Why the job failed, if it did, for a service that has no word for a time-out."""
        if not self.broke:
            return None
        return "Processing timed out" if self.plot.outcome == "timeout" else self.plot.message

    def link(self, name: str) -> str | None:
        """Return the URL of the file called `name`; None before there is one."""
        late = self.plot.end == "nolink" and self.play.asks_ended <= LINK_LATE
        return self.linker(self.play, name, self.request) if self.succeeded and not late else None


class Service(Protocol):
    """One API: its words, its errors, its oddities. It holds no state."""

    @property
    def name(self) -> str:
        """The service whose stories, limits and keys these are; two versions of an API share them."""
        ...

    def key(self, request: Request) -> str | None:
        """Return the key that the request brought, from where this API expects it."""
        ...

    def error(self, status: int, request: Request, /) -> Reply:
        """Return the API's own body for an HTTP status of 400 and above."""
        ...

    def tell(self, telling: Telling) -> Reply:
        """Answer an ask as documented."""
        ...

    def odd(self, telling: Telling) -> list[Reply]:
        """Return answers that no documentation has, for the stage that the story is at."""
        ...
