"""Queue of one account's jobs that wait for a poll. Due jobs are ordered by priority, the others by due time."""

import heapq
import math
from collections.abc import Callable
from typing import NamedTuple

from tui.domain.models import Ref

MAX_YIELD = 60.0
"""Seconds that a due job yields to others, at most. Bounds every wait."""


class QueueEntry(NamedTuple):
    """Entry of a job in the queue."""

    due_at: float
    sequence: int
    """Number of the entry; orders entries that are due at the same instant."""
    ref: Ref
    interval: float
    """Seconds between two polls of the job: short near its expected end."""

    @property
    def priority_at(self) -> float:
        """Instant that orders due entries: the due time plus one interval."""
        return self.due_at + min(MAX_YIELD, self.interval)


class PollQueue:
    """Two heaps, of upcoming and of due entries. Obsolete entries are dropped when they reach the top."""

    def __init__(self, is_current: Callable[[QueueEntry], bool]) -> None:
        """`is_current` returns whether the entry is the latest one of its job."""
        self._is_current = is_current
        self._upcoming: list[QueueEntry] = []
        self._due: list[tuple[float, QueueEntry]] = []

    def push(self, entry: QueueEntry) -> None:
        """Add an entry."""
        heapq.heappush(self._upcoming, entry)

    def clear(self) -> None:
        """Remove all entries."""
        self._upcoming.clear()
        self._due.clear()

    def next_due_at(self, now: float) -> float:
        """Return the instant at which the first job is due; infinity without jobs."""
        while self._upcoming and (self._upcoming[0].due_at <= now or not self._is_current(self._upcoming[0])):
            entry = heapq.heappop(self._upcoming)
            if self._is_current(entry):
                heapq.heappush(self._due, (entry.priority_at, entry))
        while self._due and not self._is_current(self._due[0][1]):
            heapq.heappop(self._due)
        first = self._due[0][1] if self._due else self._upcoming[0] if self._upcoming else None
        return math.inf if first is None else first.due_at

    def pop(self, now: float, until: float) -> QueueEntry | None:
        """Remove and return the due job with the highest priority; without due jobs, the next one due by `until`."""
        if self.next_due_at(now) > until:
            return None
        return heapq.heappop(self._due)[1] if self._due else heapq.heappop(self._upcoming)
