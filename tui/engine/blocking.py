"""Work that blocks (a key's command, a file's fsync), done where the loop need not wait for it.

A Session is handed one of these, since it has no thread of its own: beside a real loop it is `asyncio.to_thread`; in
virtual time, where a thread would let the clock run away, the work is done at once.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class RunBlocking(Protocol):
    """Does the work, and returns or raises what it does."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]:
        """`work` touches nothing that the loop uses meanwhile."""
        ...


async def run_inline(work: Callable[[], T], /) -> T:
    """Does it on the loop."""
    return work()
