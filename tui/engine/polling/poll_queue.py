"""The line in which one account's jobs wait to be asked. What is due goes by urgency, the rest by when it is due."""

import heapq
import math
from collections.abc import Callable
from typing import NamedTuple

from tui.domain.models import Ref

PATIENCE = 60.0
"""Seconds that a job which is due lets others go first, at most: it bounds every wait."""


class Place(NamedTuple):
    """A job's place in the line."""

    due: float
    order: int
    """Of two that are due at once, who came first."""
    ref: Ref
    interval: float
    """Seconds between two asks of it: short for a job near its end."""

    @property
    def urgent_by(self) -> float:
        """Who comes first when many are due: it has waited its interval once more by then."""
        return self.due + min(PATIENCE, self.interval)


class Line:
    """Two heaps: what is still to come, and what is due. A place that no longer holds is swept when it comes up."""

    def __init__(self, holds: Callable[[Place], bool]) -> None:
        """`holds`: the job has this place still, and no other."""
        self._holds = holds
        self._coming: list[Place] = []
        self._due: list[tuple[float, Place]] = []

    def push(self, place: Place) -> None:
        """One more place."""
        heapq.heappush(self._coming, place)

    def clear(self) -> None:
        """Nobody waits any more."""
        self._coming.clear()
        self._due.clear()

    def head(self, now: float) -> float:
        """Instant at which the first job is due; infinite without one."""
        while self._coming and (self._coming[0].due <= now or not self._holds(self._coming[0])):
            place = heapq.heappop(self._coming)
            if self._holds(place):
                heapq.heappush(self._due, (place.urgent_by, place))
        while self._due and not self._holds(self._due[0][1]):
            heapq.heappop(self._due)
        first = self._due[0][1] if self._due else self._coming[0] if self._coming else None
        return math.inf if first is None else first.due

    def pop(self, now: float, until: float) -> Place | None:
        """The most urgent job that is due now; without one the next that is due by `until`."""
        if self.head(now) > until:
            return None
        return heapq.heappop(self._due)[1] if self._due else heapq.heappop(self._coming)
