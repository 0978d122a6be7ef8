"""HTTP server of the metrics, on the engine's loop: an engine that hangs answers no scrape."""

import asyncio
import hmac
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from aiohttp import web

from tui.cli.web.access import bearer_token
from tui.cli.web.connections import REQUEST_TIMEOUT, ConnectionLimits
from tui.domain.hosts import is_loopback
from tui.storage.config.secrets import Secret

STOP_TIMEOUT = 1.0
"""Seconds that scrapes have to end when the server does."""


@asynccontextmanager
async def serve_metrics(
    host: str, port: int, token: Secret | None, render: Callable[[str, float], tuple[bytes, str]]
) -> AsyncGenerator[str]:
    """Serve metrics while the block runs, and yield their URL. Raises OSError if the address can't be used.

    `render` returns the metrics and their content type, for an Accept header and the seconds of one turn of the loop.
    """

    async def respond(request: web.BaseRequest) -> web.StreamResponse:
        limits.on_request(request.transport)
        if (refusal := _refuse(request, token)) is not None:
            return refusal
        before = loop.time()
        await asyncio.sleep(0)
        body, content_type = render(request.headers.get("Accept", ""), loop.time() - before)
        return web.Response(body=body, headers={"Content-Type": content_type})

    loop = asyncio.get_running_loop()
    server = web.Server(respond, access_log=None, keepalive_timeout=REQUEST_TIMEOUT)
    limits = ConnectionLimits(server)
    listener = await loop.create_server(limits, host, port)
    try:
        address = listener.sockets[0].getsockname()
        yield f"http://{f'[{host}]' if ':' in host else host}:{address[1]}/metrics"
    finally:
        listener.close()
        server.pre_shutdown()  # closes the connections that a scraper keeps open
        await server.shutdown(STOP_TIMEOUT)


def _refuse(request: web.BaseRequest, token: Secret | None) -> web.Response | None:
    """Return the response to a request that gets no metrics; None if it gets them."""
    if token is not None and not _has_token(request, token):
        return web.Response(status=401, text="a bearer token is required", headers={"WWW-Authenticate": "Bearer"})
    if token is None and not is_loopback(_requested_host(request)):  # a name of a page that resolves to this machine
        return web.Response(status=403, text="access from this machine only")
    if request.path != "/metrics":
        return web.Response(status=404, text="use /metrics")
    if request.method not in {"GET", "HEAD"}:
        return web.Response(status=405, headers={"Allow": "GET, HEAD"})
    return None


def _has_token(request: web.BaseRequest, token: Secret) -> bool:
    given = bearer_token(request)
    return given is not None and hmac.compare_digest(given.encode(errors="replace"), token.reveal().encode())


def _requested_host(request: web.BaseRequest) -> str:
    try:
        return urlsplit(f"//{request.headers.get('Host', '')}").hostname or ""
    except ValueError:
        return ""
