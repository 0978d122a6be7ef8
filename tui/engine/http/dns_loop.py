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

Place = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""A socket address, of IPv4, of IPv6, or of a Python built without the latter."""
Address = tuple[socket.AddressFamily, socket.SocketKind, int, str, Place]
"""Family, type, protocol, canonical name and socket address, as `socket.getaddrinfo` has them."""


class EngineLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop but for its look-ups. `asyncio.Runner(loop_factory=EngineLoop)` runs on it."""

    def __init__(self) -> None:
        super().__init__()
        self._looking: dict[object, asyncio.Future[list[Address]]] = {}
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
    ) -> list[Address]:
        """The addresses of a host. Raises OSError; UnicodeError where it is no name."""
        look = partial(socket.getaddrinfo, host, port, family, type, proto, flags)
        found = self._looking.get(look.args)
        if found is None:
            found = self._looking[look.args] = self.create_future()
            found.add_done_callback(lambda _: self._looking.pop(look.args, None))
            Thread(target=self._look, args=(look, found), name=f"looks up {host!r}", daemon=True).start()
        return await asyncio.shield(found)

    def _look(self, look: Callable[[], list[Address]], found: asyncio.Future[list[Address]]) -> None:
        try:
            settle = partial(found.set_result, look())
        except Exception as error:  # noqa: BLE001  whoever asked gets it
            settle = partial(found.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self.call_soon_threadsafe(settle)
