"""One clock for schedule and expiry: it runs on the monotonic clock and follows the wall clock's corrections."""

from collections.abc import Callable

SUSPEND_GAP = 30.0
"""Seconds that the wall clock must have run ahead of the monotonic clock for it to count as a suspend."""
MAX_DRIFT = 0.5
"""Seconds by which the two may part unheeded: a read takes time, and a clock is often set by less."""


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
        """Follows the wall clock where it has parted from us, and returns by how many seconds; else 0.

        SUSPENDED and more is time that has passed. Anything else, below 0 too, is a clock that was set: what was to be
        waited for is to be moved along.
        """
        gap = self._wall() - self.now()
        if abs(gap) < MAX_DRIFT:
            return 0.0
        self._offset += gap
        return gap
