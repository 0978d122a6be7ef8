"""Clock for schedule and link expiry: runs on the monotonic clock and follows corrections of the wall clock."""

from collections.abc import Callable

SUSPEND_GAP = 30.0
"""Seconds by which the wall clock is ahead of the monotonic clock after a suspend, at least."""
MAX_DRIFT = 0.5
"""Seconds of difference that are ignored: reading takes time, and clocks are often set by less."""


class Clock:
    """Source of instants for one engine. Both time sources are arguments, so that virtual time can replace them."""

    def __init__(self, wall: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._wall = wall
        self.monotonic = monotonic
        """Returns seconds that pass evenly, from an arbitrary start."""
        self._offset = wall() - monotonic()

    def now(self) -> float:
        """Return the current instant, in seconds since the epoch. Instants do not jump between calls of `correct`."""
        return self._offset + self.monotonic()

    def correct(self) -> float:
        """Follow the wall clock if it differs, and return the difference in seconds; 0 without one.

        A gap of SUSPEND_GAP or more is time that passed. Any other gap, also a negative one, means that the clock was
        set: the caller moves scheduled instants by the gap.
        """
        gap = self._wall() - self.now()
        if abs(gap) < MAX_DRIFT:
            return 0.0
        self._offset += gap
        return gap
