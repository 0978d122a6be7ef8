"""Virtual time: an event loop whose clock jumps to the next timer when nothing is ready.

It holds the simulator, reached through httpx's ASGI transport, and any number of Sessions. Nothing on it may wait for
the real world: a thread or a socket would find the clock run away.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

import httpx

from tui.simulator.app import Simulator
from tui.simulator.http import ConnectionCutError

T = TypeVar("T")

EPOCH = 1_800_000_000.0
"""Instant at which virtual time begins: 2027-01-15."""
MINUTE, HOUR, DAY, WEEK = 60.0, 3600.0, 86400.0, 7 * 86400.0


class JumpingSelector(selectors.SelectSelector):
    """A selector that does not wait: it tells the loop how long it would have."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0
        self.jumps = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits for something that never comes"
            self.elapsed += timeout
            self.jumps += timeout > 0
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Begins at EPOCH, less what `time()` says: 0."""

    def __init__(self) -> None:
        self._jumping_selector = JumpingSelector()
        super().__init__(self._jumping_selector)

    def time(self) -> float:
        return self._jumping_selector.elapsed

    @property
    def jumps(self) -> int:
        """How often its clock has jumped."""
        return self._jumping_selector.jumps


def wall_time() -> float:
    """The instant, on the loop that runs."""
    return EPOCH + asyncio.get_running_loop().time()


def run_virtual(scenario: Coroutine[Any, Any, T]) -> T:
    """Runs it in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scenario)


class VirtualTransport(httpx.AsyncBaseTransport):
    """The simulator; a connection that it cuts breaks off, as one over a network would. Any of several by host."""

    def __init__(self, app: Simulator | Mapping[str, Any]) -> None:
        apps = app if isinstance(app, Mapping) else {"sim.test": app}
        self._transports = {host: httpx.ASGITransport(each) for host, each in apps.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._transports[request.url.host].handle_async_request(request)
        except ConnectionCutError as error:
            raise httpx.ReadError(str(error), request=request) from error
