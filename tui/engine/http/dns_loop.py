"""An event loop that looks host names up on threads of its own: a name server that hangs holds nobody else up.

asyncio does it on the few threads of its default executor, which is shared by all accounts and waited for at the end:
one service whose name does not resolve would silence the others and keep the program from ending.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from threading import Thread

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""A socket address, of IPv4, of IPv6, or of a Python built without the latter."""
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, SocketAddress]
"""Family, type, protocol, canonical name and socket address, as `socket.getaddrinfo` has them."""


class DnsThreadedLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop but for its look-ups. `asyncio.Runner(loop_factory=EngineLoop)` runs on it."""

    def __init__(self) -> None:
        super().__init__()
        self._lookups: dict[object, asyncio.Future[list[AddressInfo]]] = {}
        """The look-ups under way: one for all that ask for the same, so that a name that hangs holds one thread."""

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002  asyncio's name for it
        proto: int = 0,
        flags: int = 0,
    ) -> list[AddressInfo]:
        """The addresses of a host. Raises OSError; UnicodeError where it is no name."""
        lookup = partial(socket.getaddrinfo, host, port, family, type, proto, flags)
        future = self._lookups.get(lookup.args)
        if future is None:
            future = self._lookups[lookup.args] = self.create_future()
            future.add_done_callback(lambda _: self._lookups.pop(lookup.args, None))
            Thread(target=self._resolve, args=(lookup, future), name=f"looks up {host!r}", daemon=True).start()
        return await asyncio.shield(future)

    def _resolve(self, lookup: Callable[[], list[AddressInfo]], future: asyncio.Future[list[AddressInfo]]) -> None:
        try:
            set_outcome = partial(future.set_result, lookup())
        except Exception as error:  # noqa: BLE001  whoever asked gets it
            set_outcome = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self.call_soon_threadsafe(set_outcome)
