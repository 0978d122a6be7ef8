"""HTTP server of the simulator, on loopback only. uvicorn comes with an extra and is imported on use."""

import socket
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.simulator.http import ConnectionCutError

if TYPE_CHECKING:
    import uvicorn

App = Callable[[Any, Any, Any], Awaitable[None]]
"""ASGI 3 app that may raise ConnectionCutError."""
KEEP_ALIVE = 75
"""Seconds that an idle connection stays open: longer than most polling intervals, as at a vendor's gateway."""


def serve(
    simulator: App, host: str = "127.0.0.1", port: int = 9001, on_started: Callable[[int], None] = lambda _port: None
) -> None:
    """Serve until SIGINT or SIGTERM, which is raised again at the end (SIGINT as KeyboardInterrupt).

    Port 0 picks a free one. `on_started` is called with the port once connections are accepted. Nothing is printed.
    Raises ValueError for a host beyond loopback, OSError for a port in use, ImportError without uvicorn.
    """
    with open_listener(host, port) as listener:
        running = build_server(simulator)
        on_started(listener.getsockname()[1])
        running.run(sockets=[listener])


def open_listener(host: str, port: int) -> socket.socket:
    """Return a socket that listens on loopback. Raises ValueError for another host, OSError for a port in use."""
    address = ip_address("127.0.0.1" if host == "localhost" else host)
    if not address.is_loopback:
        raise ValueError(f"the simulator serves loopback only, not {host}")
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return socket.create_server((str(address), port), family=family)


def build_server(simulator: App, certificate: Path | None = None) -> "uvicorn.Server":
    """Return a uvicorn server: over TLS if `certificate` is a PEM file with a key and its chain.

    uvicorn turns an app's exception into a 500 and a logged traceback; here a ConnectionCutError closes the connection.
    """
    import uvicorn
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Cuttable(H11Protocol):
        """HTTP/1.1 protocol whose connections an app can close."""

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
    """Return the app with its ConnectionCutError turned into a closed connection, after the sent data is flushed.

    The app returns after the server has noticed, so that it logs nothing.
    """

    async def closing(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except ConnectionCutError:
            transport.close()
            while (await receive())["type"] != "http.disconnect":
                pass

    return closing
