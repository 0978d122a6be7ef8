"""One clock for schedule and expiry: it runs on the monotonic clock and follows the wall clock's corrections."""

from collections.abc import Callable

SUSPENDED = 30.0
"""Seconds by which wall and monotonic clock must part for it to count as a suspend (or a clock set by hand)."""


class Clock:
    """Instants for a Session. Both sources are handed in, so that a virtual loop can be the only time there is."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()

    def now(self) -> float:
        """The instant, in seconds since the epoch. It does not jump between two calls of `correct`."""
        return self._offset + self._monotonic()

    def correct(self) -> float:
        """Follows the wall clock, and returns the gap in seconds if it is a suspend's; else 0."""
        gap = self._wall() - self.now()
        self._offset += gap
        return gap if abs(gap) >= SUSPENDED else 0.0
