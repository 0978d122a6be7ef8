"""Access control of `serve`: every request needs the token, or the cookie of a session that the token opened.

It also refuses requests of other pages and malformed Host headers. Limits on connections are left to `connections`.
"""

import hmac
import logging
import re
import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from urllib.parse import parse_qs, urlsplit

from aiohttp import web

from tui.cli.web.sessions import SESSION_LIFE, BrowserSessions
from tui.cli.web.token_throttle import TokenThrottle

UNGUESSABLE_LENGTH = 32
"""Characters of a token that is accepted at any time. A shorter one waits while its address is slowed down."""
MAX_FORM_BYTES = 8192
"""Of the login form."""
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_LOGIN = """<!doctype html><meta charset="utf-8"><title>babeltop</title>
<form method="post" action="/"><label>Token <input type="password" name="token" autofocus></label>
<button>Open</button></form><p>{message}</p>"""
_REOPEN = '<!doctype html><meta http-equiv="refresh" content="0;url=/"><title>babeltop</title>'
"""Page that opens `/` itself: a browser sends no SameSite=Strict cookie with a request that another page caused."""

log = logging.getLogger(__name__)


class AccessControl:
    """Access control by token, and by one cookie for each browser."""

    def __init__(self, token: str, port: int, clock: Callable[[], float] = time.monotonic) -> None:
        """`port` names the cookie, which a browser sends to every port of the host. `clock`: seconds, monotonic."""
        self._token = sha256(token.encode()).digest()
        self._is_unguessable = len(token) >= UNGUESSABLE_LENGTH
        self._cookie_name = f"babeltop_{port}"
        self._sessions = BrowserSessions(clock)
        self._throttle = TokenThrottle(clock)

    async def respond(
        self, request: web.BaseRequest, respond_with_access: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Return the response to a request with access; else the login page or a refusal. Raises HTTPException."""
        if (host := valid_host(request)) is None:
            raise web.HTTPBadRequest(text="invalid Host")
        _check_origin(request, host)
        if self._sessions.is_open(request.cookies.get(self._cookie_name, "")):
            return _go_home() if _is_link_with_token(request) else await respond_with_access()
        token = await self._given_token(request)
        if token is None:
            if request.path == "/" and request.headers.get("Sec-Fetch-Site") == "cross-site":
                return web.Response(text=_REOPEN, content_type="text/html")
            return _login_page(401)
        if (wait := self._check_token(token, request.remote or "")) is not None:
            return wait
        if "Authorization" in request.headers:
            return await respond_with_access()
        response = _go_home()
        response.set_cookie(
            self._cookie_name,
            self._sessions.open(),
            max_age=int(SESSION_LIFE),
            httponly=True,
            samesite="Strict",
            secure=is_https(request),
        )
        return response

    async def _given_token(self, request: web.BaseRequest) -> str | None:
        """Return the token of a header, a link or the login form, or None."""
        if (token := bearer_token(request)) is not None:
            return token
        if _is_link_with_token(request):
            return request.query["token"]
        if request.method != "POST" or request.path != "/":
            return None
        if request.content_type != "application/x-www-form-urlencoded":
            raise web.HTTPBadRequest(text="not a form")
        try:
            fields = parse_qs((await request.read()).decode("utf-8", "replace"), max_num_fields=10)
        except (ValueError, web.RequestPayloadError):
            raise web.HTTPBadRequest(text="not a form") from None
        return fields.get("token", [""])[0].strip()

    def _check_token(self, token: str, address: str) -> web.Response | None:
        """Return None for the right token, else the refusal."""
        wait = self._throttle.wait(address)
        is_right = hmac.compare_digest(sha256(token.encode(errors="replace")).digest(), self._token)
        if is_right and (self._is_unguessable or not wait):
            return None
        if wait:
            seconds = max(1, round(wait + 0.5))
            refusal = _login_page(429, f"Too many wrong tokens: try again in {seconds} s")
            refusal.headers["Retry-After"] = str(seconds)
            return refusal
        self._throttle.record_failure(address)
        log.warning("wrong token from %s", address)
        return _login_page(401, "Wrong token")


def _is_link_with_token(request: web.BaseRequest) -> bool:
    return request.method == "GET" and request.path == "/" and "token" in request.query


def valid_host(request: web.BaseRequest) -> str | None:
    """Return the Host header, or None unless there is exactly one, with a name or an address."""
    hosts = request.headers.getall("Host", [])
    return hosts[0] if len(hosts) == 1 and _HOST.fullmatch(hosts[0]) else None


def bearer_token(request: web.BaseRequest) -> str | None:
    """Return the token of the Authorization header; None without one."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else None


def is_https(request: web.BaseRequest) -> bool:
    """Return whether the browser speaks https, to a proxy in front."""
    return request.headers.get("X-Forwarded-Proto", "").lower() == "https"


def _check_origin(request: web.BaseRequest, host: str) -> None:
    """Raise HTTPForbidden for a request of another page."""
    for origin in request.headers.getall("Origin", []):
        try:
            parts = urlsplit(origin)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in {"http", "https"} or parts.netloc.lower() != host.lower():
            raise web.HTTPForbidden(text="request of another page")


def _go_home() -> web.Response:
    return web.Response(status=303, headers={"Location": "/"})


def _login_page(status: int, message: str = "") -> web.Response:
    return web.Response(status=status, text=_LOGIN.format(message=message), content_type="text/html")
