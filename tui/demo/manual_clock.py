"""The simulator's time: set by hand while the past is played, and afterwards the time that really passes."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager


class ManualClock:
    """A clock that can be set, and the waiting that goes with it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._fixed_at: float | None = None

    def now(self) -> float:
        """Return the instant: the one that the clock was set to, else the real one."""
        return self._now() if self._fixed_at is None else self._fixed_at

    async def sleep(self, seconds: float) -> None:
        """Let the time pass; a clock that was set stands still, and nobody waits for it."""
        if self._fixed_at is None:
            await asyncio.sleep(seconds)

    @contextmanager
    def fixed_at(self, instant: float) -> Generator[None]:
        """Set the clock for as long as the block lasts."""
        self._fixed_at = instant
        try:
            yield
        finally:
            self._fixed_at = None
