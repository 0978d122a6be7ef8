"""Waits for tests. Each ends as soon as its condition holds, and fails after a deadline for slow machines."""

import asyncio
import time
from collections.abc import Callable

DEADLINE = 60.0
"""Seconds. Allows for a loaded machine that is ten times slower."""
CHECK_INTERVAL = 0.01
"""Seconds between two checks of a condition."""
PAUSE_PER_CHECK = 4
"""Shortest pause after a check, in durations of the check: the program under test needs the processor too."""


def wait_until(
    condition: Callable[[], object], within: float = DEADLINE, *, check_interval: float = CHECK_INTERVAL
) -> None:
    """Wait until the condition holds, on a thread that may block. A check that takes long is made less often."""
    begin = time.monotonic()
    deadline = begin + within
    while not condition():
        end = time.monotonic()
        assert end < deadline, f"condition not met after {within:g} s"
        time.sleep(max(check_interval, PAUSE_PER_CHECK * (end - begin)))
        begin = time.monotonic()


async def until(condition: Callable[[], object], within: float = DEADLINE) -> None:
    """Wait until the condition holds, while the loop runs."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  the condition has no event
            await asyncio.sleep(CHECK_INTERVAL)
