"""The verb serve: the dashboard in a browser, through textual-serve. Nobody but who may gets as far as to it.

On this machine alone, whoever is on it may; a page from elsewhere may not (Host and Origin are looked at). On any other
address a token is asked for before anything else is.
"""

import asyncio
import hmac
import logging
import os
import shlex
import sys
from asyncio.subprocess import Process
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp_jinja2 import template
from textual_serve.app_service import AppService
from textual_serve.server import Server

from tui.cli.output import print_message
from tui.cli.parser import Namespace
from tui.runtime import logfile
from tui.storage import paths

MAX_SESSIONS = 20
"""Browsers at once: each has a process of its own."""
STOP_TIMEOUT = 5.0
"""Seconds that a dashboard may take to end once its browser is gone."""
MAX_CELLS = 1000
"""Columns or lines of a browser's terminal."""
COOKIE = "babeltop"
HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
"""Of every reply, beside the policy."""
_LOGIN = """<!doctype html><meta charset="utf-8"><title>babeltop</title>
<form method="post" action="/"><label>Token <input type="password" name="token" autofocus></label>
<button>Open</button></form>"""

log = logging.getLogger(__name__)


def is_loopback(host: str) -> bool:
    """The name or address is this machine's own, and nobody else's."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class AccessControl:
    """Lets in who may. The token itself never leaves it: a browser gets what is made of it."""

    def __init__(self, token: str | None) -> None:
        """`token` None: only this machine is served, and no other page."""
        self._token = token
        self._cookie_value = hmac.new((token or "").encode(), b"babeltop serve", sha256).hexdigest()

    @web.middleware
    async def __call__(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Every request goes through here first, a websocket's too."""
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
            return web.Response(status=403, text="this is served to its own machine only")
        origin = request.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc != request.host:
            return web.Response(status=403, text="another page's request")
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
        """The form for the token; what it sends, if it is right, opens the door for this browser."""
        if request.method == "POST" and request.path == "/":
            form = await request.post()
            if self._is_equal(str(form.get("token", "")).strip(), self._token or ""):
                welcome = web.Response(status=303, headers={"Location": "/"})
                secure = request.headers.get("X-Forwarded-Proto") == "https"
                welcome.set_cookie(COOKIE, self._cookie_value, httponly=True, samesite="Strict", secure=secure)
                return welcome
            log.warning("a wrong token from %s", request.remote)
        return web.Response(status=401, text=_LOGIN, content_type="text/html")

    @staticmethod
    def _is_equal(given: str, expected: str) -> bool:
        """Takes as long whatever is given."""
        return hmac.compare_digest(sha256(given.encode(errors="replace")).digest(), sha256(expected.encode()).digest())


class DashboardServer(Server):
    """textual-serve behind a gate: each browser gets a dashboard of its own."""

    def __init__(self, command: str, host: str, port: int, token: str | None) -> None:
        super().__init__(command, host=host, port=port, title="babeltop")  # pyright: ignore[reportUnknownMemberType]
        self._access_control = AccessControl(token)
        self._sockets = set[web.WebSocketResponse]()

    def initialize_logging(self) -> None:
        """Into our own log: textual-serve's would show locals, which may hold keys."""
        logfile.start_logging(paths.state_dir())
        logging.getLogger("aiohttp").setLevel(logging.WARNING)

    async def _make_app(self) -> web.Application:
        app = await super()._make_app()
        app.middlewares.append(self._access_control.__call__)
        return app

    async def on_startup(self, app: web.Application) -> None:  # noqa: ARG002  theirs
        """Says where it is to be seen."""
        print_message(f"open {self.public_url} in a browser; ^C ends it, and every dashboard in it")

    @template("app_index.html")
    async def handle_index(self, request: web.Request) -> dict[str, object]:
        """The page; its websocket is where the page is, whatever name or proxy led to it."""
        secure = request.headers.get("X-Forwarded-Proto") == "https"
        return {
            "font_size": 16,
            "app_websocket_url": f"{'wss' if secure else 'ws'}://{request.host}/ws",
            "config": {"static": {"url": "/static/"}},
            "application": {"name": self.title},
        }

    async def handle_websocket(self, request: web.Request) -> web.WebSocketResponse:
        """One dashboard, as long as its browser stays."""
        if len(self._sockets) >= MAX_SESSIONS:
            raise web.HTTPServiceUnavailable(text=f"there are {MAX_SESSIONS} dashboards already")
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

    async def on_shutdown(self, app: web.Application) -> None:  # noqa: ARG002  theirs
        """Ends the dashboards that are still looked at."""
        await asyncio.gather(*(socket.close() for socket in self._sockets))


class _DashboardProcess(AppService):
    """A dashboard's process, whose end is waited for; one that does not end by itself is ended."""

    async def stop(self) -> None:
        """Ends it."""
        if (process := self._process) is None:
            return
        ending = asyncio.create_task(self._drain_and_wait(process))
        _, late = await asyncio.wait({ending}, timeout=STOP_TIMEOUT)  # a cancellation would be swallowed on the way
        if late:
            log.warning("a dashboard did not end by itself, and was killed")
            process.kill()
        await ending

    async def _drain_and_wait(self, process: Process) -> None:
        await super().stop()
        while process.stdout is not None and await process.stdout.read(65536):
            pass  # nobody is there to see it, and a full pipe would keep the process from ending
        await process.wait()


def _query_cells(request: web.Request, name: str, default: int) -> int:
    told = request.query.get(name, "")
    return min(int(told), MAX_CELLS) if told.isdecimal() and int(told) else default


def dashboard_command(args: Namespace) -> str:
    """The shell command that textual-serve runs for each browser."""
    given = ["--watchlist", str(Path(args.watchlist).expanduser().absolute())] if args.watchlist else []
    given += ["--readonly"] if args.readonly else []
    return f"exec {shlex.join([sys.executable, '-m', 'tui', *given])}"


def run_server(command: str, host: str, port: int, token: str | None) -> None:
    """Serves until SIGINT or SIGTERM. Raises OSError."""
    os.environ.pop("BABELTOP_SERVE_TOKEN", None)  # the dashboards' processes need not know it
    DashboardServer(command, host, port, token).serve()
