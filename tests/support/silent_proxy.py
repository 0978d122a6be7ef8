"""TCP proxy before a PostgreSQL server that can fall silent: it forwards nothing, and closes no connection."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


class SilentProxy:
    """Proxy of one server, on the loop of the test."""

    def __init__(self, folder: Path) -> None:
        """`folder`: that of the server's unix socket."""
        self._socket = str(folder / SOCKET)
        self.port = 0
        self._forwards = asyncio.Event()
        self._forwards.set()
        self._pipes: set[asyncio.Task[None]] = set()
        self._writers: list[asyncio.StreamWriter] = []

    def fall_silent(self) -> None:
        """Forward nothing from now on; further connections are accepted."""
        self._forwards.clear()

    def forward(self) -> None:
        """Forward what has come, and all that follows."""
        self._forwards.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Connect a client to the server."""
        self._writers.append(writer)
        from_server, to_server = await asyncio.open_unix_connection(self._socket)
        self._writers.append(to_server)
        for source, target in ((reader, to_server), (from_server, writer)):
            task = asyncio.create_task(self._pipe(source, target))
            self._pipes.add(task)
            task.add_done_callback(self._pipes.discard)

    async def _pipe(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with closing(target), suppress(OSError):
            while data := await source.read(65536):
                await self._forwards.wait()
                target.write(data)
                await target.drain()

    async def close(self) -> None:
        """End all connections."""
        pipes = list(self._pipes)
        for pipe in pipes:
            pipe.cancel()
        for writer in self._writers:
            writer.close()
        closed = (writer.wait_closed() for writer in self._writers)
        await asyncio.gather(*pipes, *closed, return_exceptions=True)


@asynccontextmanager
async def silent_proxy(folder: Path) -> AsyncIterator[SilentProxy]:
    """Run a proxy on a loopback port."""
    proxy = SilentProxy(folder)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
