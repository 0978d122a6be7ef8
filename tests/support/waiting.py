"""Waits of tests: each ends as soon as its condition holds, and fails only after longer than a slow machine takes."""

import asyncio
import time
from collections.abc import Callable

DEADLINE = 60.0
"""Seconds. A test machine may be ten times slower than ours, and loaded."""
CHECK_INTERVAL = 0.01
"""Seconds between looks at a condition that nothing tells of."""


def wait_until(condition: Callable[[], object], within: float = DEADLINE) -> None:
    """Wait until it holds, on a thread that may block."""
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"does not hold after {within:g} s"
        time.sleep(CHECK_INTERVAL)


async def until(condition: Callable[[], object], within: float = DEADLINE) -> None:
    """Wait until it holds, while the loop turns."""
    async with asyncio.timeout(within):
        while not condition():  # noqa: ASYNC110  what it waits for is anything
            await asyncio.sleep(CHECK_INTERVAL)
