"""The simulator over HTTP, on the loopback. uvicorn is imported when it is needed: it comes with an extra."""

import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.simulator.http import ConnectionCutError

if TYPE_CHECKING:
    import uvicorn

App = Callable[[Any, Any, Any], Awaitable[None]]
"""An ASGI 3 app that may raise CutError."""
KEEP_ALIVE = 75
"""Seconds that a quiet connection stays open: longer than any polling interval, as behind a vendor's gateway."""


def serve(
    simulator: App, host: str = "127.0.0.1", port: int = 9001, on_started: Callable[[int], None] = lambda _port: None
) -> None:
    """Serve until SIGINT or SIGTERM, which is raised again at the end (SIGINT as KeyboardInterrupt).

    Port 0 picks a free one. `started` is called with the port once connections are accepted. Nothing is printed.
    Raise ValueError for a host that is not the loopback, OSError for a port that is taken, ImportError without uvicorn.
    """
    with open_listener(host, port) as listener:
        running = build_server(simulator)
        on_started(listener.getsockname()[1])
        running.run(sockets=[listener])


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on the loopback. Raise ValueError for another host, OSError for a taken port."""
    address = ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"the simulator serves the loopback only, not {host}")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return socket.create_server((str(address), port), family=family)


def build_server(simulator: App, certificate: Path | None = None) -> "uvicorn.Server":
    """Return uvicorn, ready to run: over TLS where `certificate` is a PEM file of a key and its chain.

    uvicorn answers an app's exception with a 500 and a traceback in the log; here a CutError closes the connection.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Cuttable(H11Protocol):
        """HTTP/1.1 by h11, on whose connections an app can close the door."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self.app = _close_on_cut(transport, self.app)

    config = uvicorn.Config(
        simulator,
        loop="asyncio",
        http=Cuttable,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        date_header=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=1,
        ssl_certfile=certificate,
    )
    return uvicorn.Server(config)


def _close_on_cut(transport: Any, app: App) -> App:
    """Return the app with its CutError turned into the end of the connection, once what was sent is out.

    Only when the server has noticed does the app return, so that no log tells of it.
    """

    async def closing(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except ConnectionCutError:
            transport.close()
            while (await receive())["type"] != "http.disconnect":
                pass

    return closing
