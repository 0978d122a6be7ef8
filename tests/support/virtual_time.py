"""Virtual time: an event loop whose clock jumps to the next timer when nothing is ready.

The simulator runs on it, reached through httpx's ASGI transport, and any number of engines. Nothing on it may use a
thread or a socket: the clock would advance meanwhile.
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
"""Start of virtual time: 2027-01-15."""
MINUTE, HOUR, DAY, WEEK = 60.0, 3600.0, 86400.0, 7 * 86400.0


class JumpingSelector(selectors.SelectSelector):
    """Selector that adds the time-out to the elapsed time instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.elapsed = 0.0
        self.jumps = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "every task waits, and no timer is set"
        self.elapsed += timeout
        self.jumps += timeout > 0
        return []  # nothing comes from outside


class VirtualLoop(asyncio.SelectorEventLoop):
    """Event loop in virtual time; `time()` starts at 0, the wall clock at EPOCH."""

    def __init__(self) -> None:
        self._jumping_selector = JumpingSelector()
        super().__init__(self._jumping_selector)

    def time(self) -> float:
        return self._jumping_selector.elapsed

    def stand_still(self, seconds: float) -> None:
        """Let so many seconds pass in which nothing runs, as when the process is stopped."""
        self._jumping_selector.elapsed += seconds

    @property
    def jumps(self) -> int:
        """Number of jumps of the clock."""
        return self._jumping_selector.jumps


def wall_time() -> float:
    """Return the current instant of the running loop, in seconds since the epoch."""
    return EPOCH + asyncio.get_running_loop().time()


def run_virtual(scenario: Coroutine[Any, Any, T]) -> T:
    """Run the scenario in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(scenario)


class VirtualTransport(httpx.AsyncBaseTransport):
    """Transport to ASGI apps by host. A connection that the simulator cuts raises ReadError, as over a network."""

    def __init__(self, app: Simulator | Mapping[str, Any]) -> None:
        apps = app if isinstance(app, Mapping) else {"sim.test": app}
        self._transports = {host: httpx.ASGITransport(each) for host, each in apps.items()}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self._transports[request.url.host].handle_async_request(request)
        except ConnectionCutError as error:
            raise httpx.ReadError(str(error), request=request) from error
