"""Long work of an engine: blocking calls (a key command, a file lock, an fsync) off its loop, computations in turns.

An engine has no thread of its own. On a real loop its RunBlocking is `asyncio.to_thread`; in virtual time, where a
thread would let the clock run away, it is `run_inline`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")

TURN_SECONDS = 0.005
"""Seconds of a turn. A poll takes some ten turns of the loop."""


class RunBlocking(Protocol):
    """Runs a blocking call, and returns or raises its outcome."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """`work` uses nothing that the loop uses at the same time."""
        ...


async def run_inline(work: Callable[[], T], /) -> T:
    """Run the call on the loop."""
    return work()


class LoopTurn:
    """Turn of a long computation on the loop: `if turn.is_over: await turn.next()` lets polls go on."""

    def __init__(self) -> None:
        """Begin a turn now, on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + TURN_SECONDS

    @property
    def is_over(self) -> bool:
        """Whether others wait long enough; never on a virtual clock."""
        return self._loop.time() >= self._ends_at

    async def next(self) -> None:
        """Let the loop run what is due, and begin another turn."""
        await asyncio.sleep(0)
        self._ends_at = self._loop.time() + TURN_SECONDS
