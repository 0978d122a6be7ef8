"""Calls that block (a key command, a file lock, an fsync), run off the engine's loop.

An engine has no thread of its own. On a real loop its RunBlocking is `asyncio.to_thread`; in virtual time, where a
thread would let the clock run away, it is `run_inline`.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class RunBlocking(Protocol):
    """Runs a blocking call, and returns or raises its outcome."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """`work` uses nothing that the loop uses at the same time."""
        ...


async def run_inline(work: Callable[[], T], /) -> T:
    """Run the call on the loop."""
    return work()
