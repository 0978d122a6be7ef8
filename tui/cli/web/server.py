"""Server of the dashboard to browsers, with the page of textual-serve. Each browser gets its own dashboard."""

import asyncio
import logging
import os
import signal
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import jinja2
import textual_serve
from aiohttp import StreamReader, WSMsgType, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from yarl import URL

from tui.cli.web import messages
from tui.cli.web.access import MAX_FORM_BYTES, AccessControl, is_https, valid_host
from tui.cli.web.connections import REQUEST_TIMEOUT, ConnectionLimits, LimitedConnection
from tui.cli.web.log import start_logging
from tui.cli.web.process import STOP_TIMEOUT, DashboardProcess
from tui.storage import paths
from tui.storage.config.key_ring import SERVE_TOKEN_VARIABLE
from tui.storage.config.secrets import Secret

MAX_DASHBOARDS = 20
"""Browsers at once: each has its own process."""
HEARTBEAT = 15.0
"""Seconds between two signs of life of a browser."""
BACKLOG = 128
"""Connections that the operating system keeps until they are accepted."""
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Server": "babeltop",
}
"""Headers of every response, in addition to the policy."""
_FILES = Path(textual_serve.__file__).parent

log = logging.getLogger(__name__)


class DashboardServer:
    """Web server with the page, its files, the WebSocket and the limits.

    It is aiohttp's low-level one: the routes are few, and its requests can be made so that none raises an exception.
    """

    def __init__(self, command: Sequence[str], access: AccessControl) -> None:
        """`command` starts a dashboard."""
        self._command = tuple(command)
        self._access = access
        self._limits: ConnectionLimits | None = None
        self._sockets = set[web.WebSocketResponse]()
        templates = jinja2.Environment(loader=jinja2.FileSystemLoader(_FILES / "templates"), autoescape=True)
        self._page = templates.get_template("app_index.html")
        static = _FILES / "static"
        self._files = {f"/static/{path.relative_to(static).as_posix()}": path for path in static.rglob("*.*")}

    async def serve(self, host: str, port: int, stop: asyncio.Event, on_start: Callable[[], None]) -> None:
        """Serve until `stop` is set; call `on_start` when the port is open. Raises OSError."""
        server = web.Server(
            self._handle,
            request_factory=_make_request,
            access_log=None,  # its lines would have the token
            auto_decompress=False,
            keepalive_timeout=REQUEST_TIMEOUT,
        )
        self._limits = ConnectionLimits(server)
        listener = await asyncio.get_running_loop().create_server(self._limits, host, port, backlog=BACKLOG)
        try:
            on_start()
            await stop.wait()
        finally:
            listener.close()
            await asyncio.gather(*(socket.close() for socket in self._sockets))
            server.pre_shutdown()  # closes the connections that a browser keeps open
            await server.shutdown(2 * STOP_TIMEOUT)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle every request, also those of WebSockets: within the limits, with access, without an exception."""
        connection = self._limits.on_request(request.transport) if self._limits is not None else None

        async def respond_with_access() -> web.StreamResponse:
            if connection is not None:
                connection.has_access = True
            return await self._respond(request, connection)

        try:
            response = await self._access.respond(request, respond_with_access)
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=error.text)
        except (ConnectionError, web.RequestPayloadError):
            response = web.Response(status=400, text="incomplete request")
        except Exception:
            log.exception("internal error in a response")
            response = web.Response(status=500, text="internal error: see serve.log")
        if not response.prepared:
            response.headers.update(_headers(request))
        return response

    async def _respond(self, request: web.BaseRequest, connection: LimitedConnection | None) -> web.StreamResponse:
        """Return the response to a request with access. Raises HTTPException."""
        if request.method not in {"GET", "HEAD"}:
            return web.Response(status=405, headers={"Allow": "GET, HEAD"})
        if request.path == "/":
            return self._index(request)
        if request.path == "/ws" and request.method == "GET":
            return await self._handle_websocket(request, connection)
        if (file := self._files.get(request.path)) is not None:
            return web.FileResponse(file)
        return web.Response(status=404, text="not found")

    def _index(self, request: web.BaseRequest) -> web.Response:
        """Return the page, with the WebSocket under the name or proxy that the browser used."""
        page = self._page.render(
            font_size=16,
            app_websocket_url=f"{'wss' if is_https(request) else 'ws'}://{request.headers['Host']}/ws",
            config={"static": {"url": "/static/"}},
            application={"name": "babeltop"},
        )
        return web.Response(text=page, content_type="text/html")

    async def _handle_websocket(
        self, request: web.BaseRequest, connection: LimitedConnection | None
    ) -> web.StreamResponse:
        """Run one dashboard until its browser closes."""
        if len(self._sockets) >= MAX_DASHBOARDS:
            return web.Response(status=503, text=f"limit of {MAX_DASHBOARDS} dashboards reached")
        socket = web.WebSocketResponse(heartbeat=HEARTBEAT, max_msg_size=messages.MAX_MESSAGE_BYTES)
        if not socket.can_prepare(request):
            return web.Response(status=400, text="not a WebSocket")
        self._sockets.add(socket)
        try:
            await socket.prepare(request)
            if connection is not None:
                connection.is_dashboard = True
                connection.set_deadline(None)
            await self._run_dashboard(request, socket)
        finally:
            self._sockets.discard(socket)
        return socket

    async def _run_dashboard(self, request: web.BaseRequest, socket: web.WebSocketResponse) -> None:
        columns = _query_cells(request, "width", 80, messages.MAX_COLUMNS)
        lines = _query_cells(request, "height", 24, messages.MAX_LINES)
        dashboard = await DashboardProcess.start(self._command, socket, columns=columns, lines=lines)
        log.info("dashboard opened from %s", request.remote)
        try:
            async for message in socket:
                if message.type is not WSMsgType.TEXT:
                    continue
                text = cast("str", message.data)
                if (packet := messages.packet_of_message(text)) is not None:
                    await dashboard.write(packet)
                elif (pong := messages.pong_of_message(text)) is not None:
                    await socket.send_str(pong)
                else:
                    log.warning("message that is none of a dashboard's page from %s", request.remote)
        except ConnectionError:
            pass  # the browser has gone
        finally:
            await dashboard.stop()
            log.info("dashboard closed from %s", request.remote)


def _make_request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: "asyncio.Task[None]",
) -> web.BaseRequest:
    """Return the request of a message. One without a usable URL, as HTTP/2 begins, gets one that leads nowhere."""
    loop = asyncio.get_running_loop()
    try:
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_FORM_BYTES)
    except (AttributeError, ValueError):
        nowhere = message._replace(url=URL("/malformed"))
        return web.BaseRequest(nowhere, payload, protocol, writer, task, loop)


def _headers(request: web.BaseRequest) -> dict[str, str]:
    """Return the headers of a response."""
    host = valid_host(request)
    own = f" ws://{host} wss://{host}" if host else ""
    policy = f"default-src 'self'; connect-src 'self'{own}; style-src 'self' 'unsafe-inline'; "
    policy += "script-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
    return {**HEADERS, "Content-Security-Policy": policy}


def _query_cells(request: web.BaseRequest, name: str, default: int, limit: int) -> int:
    value = request.query.get(name, "")
    is_number = len(value) <= 9 and value.isascii() and value.isdecimal()
    return messages.clamp(int(value), limit) if is_number and int(value) else default


def dashboard_command(args: Namespace) -> list[str]:
    """Return the command that runs for each browser."""
    options = ["--watchlist", str(paths.expand(args.watchlist))] if args.watchlist else []
    options += ["--readonly"] if args.readonly else []
    return [sys.executable, "-m", "tui", *options]


def run_server(command: Sequence[str], host: str, port: int, token: Secret, on_start: Callable[[], None]) -> None:
    """Serve until SIGINT or SIGTERM; call `on_start` when the port is open. Raises OSError."""
    os.environ.pop(SERVE_TOKEN_VARIABLE, None)  # not for the dashboards' processes
    start_logging(paths.state_dir(), token)
    log.info("serving on %s, port %d", host, port)
    asyncio.run(_run_until_signal(DashboardServer(command, AccessControl(token.reveal(), port)), host, port, on_start))


async def _run_until_signal(server: DashboardServer, host: str, port: int, on_start: Callable[[], None]) -> None:
    stop = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    await server.serve(host, port, stop, on_start)
