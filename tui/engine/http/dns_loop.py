"""Event loop that resolves host names on threads of its own, so that a hanging name server delays no other name.

asyncio uses the few threads of its default executor, which all accounts share and which is awaited at the end: one
name that does not resolve would stop the other accounts and keep the program from ending.
"""

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from threading import Thread

from tui.domain.hosts import is_local_address

SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
"""Socket address of IPv4, of IPv6, or of a Python built without IPv6."""
AddressInfo = tuple[socket.AddressFamily, socket.SocketKind, int, str, SocketAddress]
"""Family, type, protocol, canonical name and socket address, as in `socket.getaddrinfo`."""


_remote_host: ContextVar[str | None] = ContextVar("_remote_host", default=None)
"""Host that the current task may connect to only at an address of another machine."""


class LocalAddressError(OSError):
    """A host that must be another machine resolves to this one."""


@contextmanager
def require_remote(host: str | None) -> Generator[None]:
    """Let no lookup of the host, within this task, find this machine. None: no restriction."""
    before = _remote_host.set(host)
    try:
        yield
    finally:
        _remote_host.reset(before)


class DnsThreadedLoop(asyncio.SelectorEventLoop):
    """Selector event loop with a thread for each DNS lookup. Use `asyncio.Runner(loop_factory=DnsThreadedLoop)`."""

    def __init__(self) -> None:
        super().__init__()
        self._lookups: dict[object, asyncio.Future[list[AddressInfo]]] = {}
        """Lookups in progress, shared by equal calls, so that a hanging name takes one thread."""

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002  asyncio's name
        proto: int = 0,
        flags: int = 0,
    ) -> list[AddressInfo]:
        """Return the addresses of a host. Raises OSError, LocalAddressError, or UnicodeError for an invalid name."""
        lookup = partial(socket.getaddrinfo, host, port, family, type, proto, flags)
        future = self._lookups.get(lookup.args)
        if future is None:
            future = self._lookups[lookup.args] = self.create_future()
            future.add_done_callback(lambda _: self._lookups.pop(lookup.args, None))
            Thread(target=self._resolve, args=(lookup, future), name=f"resolve {host!r}", daemon=True).start()
        found = await asyncio.shield(future)
        name = host.decode() if isinstance(host, bytes) else host
        if name is None or name != _remote_host.get():  # a proxy, for example, may be this machine
            return found
        remote = [each for each in found if not is_local_address(str(each[4][0]))]
        if not remote:
            raise LocalAddressError
        return remote

    def _resolve(self, lookup: Callable[[], list[AddressInfo]], future: asyncio.Future[list[AddressInfo]]) -> None:
        try:
            set_outcome = partial(future.set_result, lookup())
        except Exception as error:  # noqa: BLE001  raised in the caller
            set_outcome = partial(future.set_exception, error)
        with suppress(RuntimeError):  # the loop has ended meanwhile
            self.call_soon_threadsafe(set_outcome)
