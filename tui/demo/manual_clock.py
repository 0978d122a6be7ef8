"""Clock of the simulator: fixed while the history is created, real time afterwards."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager


class ManualClock:
    """Clock that can be fixed, with a matching sleep."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._fixed_at: float | None = None

    def now(self) -> float:
        """Return the fixed instant, else the real one."""
        return self._now() if self._fixed_at is None else self._fixed_at

    async def sleep(self, seconds: float) -> None:
        """Wait; return at once while the clock is fixed."""
        if self._fixed_at is None:
            await asyncio.sleep(seconds)

    @contextmanager
    def fixed_at(self, instant: float) -> Generator[None]:
        """Fix the clock for the duration of the block."""
        self._fixed_at = instant
        try:
            yield
        finally:
            self._fixed_at = None
