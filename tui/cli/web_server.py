"""Server of the dashboard to browsers, through textual-serve, behind access control.

On loopback, Host and Origin must be this server's. On any other address, every request needs a token.
"""

import asyncio
import hmac
import logging
import os
import shlex
import sys
from argparse import Namespace
from asyncio.subprocess import Process
from hashlib import sha256
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp_jinja2 import template
from textual_serve.app_service import AppService
from textual_serve.server import Server

from tui.cli.output import print_message
from tui.domain.hosts import is_loopback
from tui.runtime import logfile
from tui.storage import paths
from tui.storage.config.key_ring import SERVE_TOKEN_VARIABLE

MAX_SESSIONS = 20
"""Browsers at once: each has its own process."""
STOP_TIMEOUT = 5.0
"""Seconds for a dashboard to end after its browser closed."""
MAX_CELLS = 1000
"""Columns or lines of a browser's terminal."""
COOKIE = "babeltop"
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Headers of every response, in addition to the policy."""
_LOGIN = """<!doctype html><meta charset="utf-8"><title>babeltop</title>
<form method="post" action="/"><label>Token <input type="password" name="token" autofocus></label>
<button>Open</button></form>"""

log = logging.getLogger(__name__)


class AccessControl:
    """Access control by token or by Host and Origin. A browser's cookie holds a hash of the token."""

    def __init__(self, token: str | None) -> None:
        """Without a token, only loopback and the server's own pages have access."""
        self._token = token
        self._cookie_value = hmac.new((token or "").encode(), b"babeltop serve", sha256).hexdigest()

    @web.middleware
    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Handle every request, also those of websockets."""
        response = await self._respond(request, handler)
        if not response.prepared:
            own = f"ws://{request.host} wss://{request.host}"
            policy = f"default-src 'self'; connect-src 'self' {own}; style-src 'self' 'unsafe-inline'; "
            policy += "script-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
            response.headers.update({**HEADERS, "Content-Security-Policy": policy})
        return response

    async def _respond(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self._token is not None and not self._is_authenticated(request):
            return await self._handle_login(request)
        if self._token is None and not is_loopback(urlsplit(f"//{request.host}").hostname or ""):
            return web.Response(status=403, text="access from this machine only")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return web.Response(status=403, text="request of another page")
        try:
            return await handler(request)
        except web.HTTPException as error:
            return error

    def _is_authenticated(self, request: web.Request) -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        return self._is_equal(request.cookies.get(COOKIE, ""), self._cookie_value) or (
            scheme.lower() == "bearer" and self._is_equal(bearer.strip(), self._token or "")
        )

    async def _handle_login(self, request: web.Request) -> web.StreamResponse:
        """Return the form for the token, or a cookie if the posted token is correct."""
        if request.method == "POST" and request.path == "/":
            form = await request.post()
            if self._is_equal(str(form.get("token", "")).strip(), self._token or ""):
                welcome = web.Response(status=303, headers={"Location": "/"})
                secure = request.headers.get("X-Forwarded-Proto") == "https"
                welcome.set_cookie(COOKIE, self._cookie_value, httponly=True, samesite="Strict", secure=secure)
                return welcome
            log.warning("wrong token from %s", request.remote)
        return web.Response(status=401, text=_LOGIN, content_type="text/html")

    @staticmethod
    def _is_equal(given: str, expected: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(sha256(given.encode(errors="replace")).digest(), sha256(expected.encode()).digest())


class DashboardServer(Server):
    """textual-serve with access control: each browser gets its own dashboard."""

    def __init__(self, command: str, host: str, port: int, token: str | None) -> None:
        super().__init__(command, host=host, port=port, title="babeltop")  # pyright: ignore[reportUnknownMemberType]
        self._access_control = AccessControl(token)
        self._sockets = set[web.WebSocketResponse]()

    def initialize_logging(self) -> None:
        """Log to babeltop.log: textual-serve would print locals, which may contain keys."""
        logfile.start_logging(paths.state_dir())
        logging.getLogger("aiohttp").setLevel(logging.WARNING)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._access_control.__call__)
        return app

    async def on_startup(self, app: web.Application) -> None:  # noqa: ARG002 - signature of textual-serve
        """Print the address."""
        print_message(f"serving on {self.public_url}; ^C stops the server and its dashboards")

    @template("app_index.html")
    async def handle_index(self, request: web.Request) -> dict[str, object]:
        """Return the page, with the websocket under the name or proxy that the browser used."""
        secure = request.headers.get("X-Forwarded-Proto") == "https"
        return {
            "font_size": 16,
            "app_websocket_url": f"{'wss' if secure else 'ws'}://{request.host}/ws",
            "config": {"static": {"url": "/static/"}},
            "application": {"name": self.title},
        }

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Run one dashboard until its browser closes."""
        if len(self._sockets) >= MAX_SESSIONS:
            raise web.HTTPServiceUnavailable(text=f"limit of {MAX_SESSIONS} dashboards reached")
        socket = web.WebSocketResponse(heartbeat=15)
        self._sockets.add(socket)

        async def closed() -> None:
            await socket.close()

        try:
            await socket.prepare(request)
            service = _DashboardProcess(
                self.command,
                write_bytes=socket.send_bytes,
                write_str=socket.send_str,
                close=closed,
                download_manager=self.download_manager,
            )
            await service.start(_query_cells(request, "width", 80), _query_cells(request, "height", 24))
            try:
                await self._process_messages(socket, service)
            finally:
                await service.stop()
        finally:
            self._sockets.discard(socket)
        return socket

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002 - signature of textual-serve
        """Close the websockets of the remaining dashboards."""
        await asyncio.gather(*(socket.close() for socket in self._sockets))


class _DashboardProcess(AppService):
    """Process of one dashboard, killed if it does not end in time."""

    async def stop(self) -> None:
        """Stop the process and wait for it."""
        if (process := self._process) is None:
            return
        stopping = asyncio.create_task(self._drain_and_wait(process))
        _, late = await asyncio.wait({stopping}, timeout=STOP_TIMEOUT)  # wait_for would swallow a cancellation
        if late:
            log.warning("killed a dashboard that did not end")
            process.kill()
        await stopping

    async def _drain_and_wait(self, process: Process) -> None:
        await super().stop()
        while process.stdout is not None and await process.stdout.read(65536):
            pass  # a full pipe would keep the process from ending
        await process.wait()


def _query_cells(request: web.Request, name: str, default: int) -> int:
    value = request.query.get(name, "")
    return min(int(value), MAX_CELLS) if value.isdecimal() and int(value) else default


def dashboard_command(args: Namespace) -> str:
    """Return the shell command that textual-serve runs for each browser."""
    options = ["--watchlist", str(paths.expand(args.watchlist))] if args.watchlist else []
    options += ["--readonly"] if args.readonly else []
    return f"exec {shlex.join([sys.executable, '-m', 'tui', *options])}"


def run_server(command: str, host: str, port: int, token: str | None) -> None:
    """Serve until SIGINT or SIGTERM. Raises OSError."""
    os.environ.pop(SERVE_TOKEN_VARIABLE, None)  # not for the dashboards' processes
    DashboardServer(command, host, port, token).serve()
