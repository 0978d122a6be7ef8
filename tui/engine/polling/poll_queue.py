"""The line in which one account's jobs wait to be asked. What is due goes by urgency, the rest by when it is due."""

import heapq
import math
from collections.abc import Callable
from typing import NamedTuple

from tui.domain.models import Ref

MAX_YIELD = 60.0
"""Seconds that a job which is due lets others go first, at most: it bounds every wait."""


class QueueEntry(NamedTuple):
    """A job's place in the line."""

    due_at: float
    sequence: int
    """Of two that are due at once, who came first."""
    ref: Ref
    interval: float
    """Seconds between two asks of it: short for a job near its end."""

    @property
    def priority_at(self) -> float:
        """Who comes first when many are due: it has waited its interval once more by then."""
        return self.due_at + min(MAX_YIELD, self.interval)


class PollQueue:
    """Two heaps: what is still to come, and what is due. A place that no longer holds is swept when it comes up."""

    def __init__(self, is_current: Callable[[QueueEntry], bool]) -> None:
        """`holds`: the job has this place still, and no other."""
        self._is_current = is_current
        self._upcoming: list[QueueEntry] = []
        self._due: list[tuple[float, QueueEntry]] = []

    def push(self, entry: QueueEntry) -> None:
        """One more place."""
        heapq.heappush(self._upcoming, entry)

    def clear(self) -> None:
        """Nobody waits any more."""
        self._upcoming.clear()
        self._due.clear()

    def next_due_at(self, now: float) -> float:
        """Instant at which the first job is due; infinite without one."""
        while self._upcoming and (self._upcoming[0].due_at <= now or not self._is_current(self._upcoming[0])):
            place = heapq.heappop(self._upcoming)
            if self._is_current(place):
                heapq.heappush(self._due, (place.priority_at, place))
        while self._due and not self._is_current(self._due[0][1]):
            heapq.heappop(self._due)
        first = self._due[0][1] if self._due else self._upcoming[0] if self._upcoming else None
        return math.inf if first is None else first.due_at

    def pop(self, now: float, until: float) -> QueueEntry | None:
        """The most urgent job that is due now; without one the next that is due by `until`."""
        if self.next_due_at(now) > until:
            return None
        return heapq.heappop(self._due)[1] if self._due else heapq.heappop(self._upcoming)
