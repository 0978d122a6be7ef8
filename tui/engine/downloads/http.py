"""The request for a file: which URLs may be fetched, redirects followed by hand, and the key kept at home.

The key goes only to the account's own origin. Messages name hosts, never a URL: its query may be a signature.
"""

import asyncio
from urllib.parse import urljoin, urlsplit

import httpx
from msgspec import Struct

from tui import __version__
from tui.domain.models import Fault, FaultKind
from tui.engine.http.client import Transport, Trust, direct, unreached
from tui.engine.http.header_limit import HeadBound
from tui.presentation import formatting
from tui.providers.model import Key
from tui.storage.config.fields import is_plaintext_remote
from tui.storage.config.secrets import Secret

REDIRECTS = 5
"""Redirects in a row that are followed."""
ANSWER = 60.0
"""Seconds within which the headers of a reply are there."""
STALL = 60.0
"""Seconds of silence after which a connection is given up. Slow bytes are fine."""

_REDIRECTED = frozenset({301, 302, 303, 307, 308})
ALWAYS = (
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", f"babeltop/{__version__}".encode()),
)
"""Headers of every request for a file."""


class FetchError(Exception):
    """A file that cannot be fetched; the text is for an operator, with the way out."""

    def __init__(self, message: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.passing = passing
        """Time alone may help."""


class CutError(Exception):
    """The connection broke off, or the server is not able to serve now."""

    def __init__(self, fault: Fault, wait: float | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.wait = wait
        """Seconds that the server wants us to wait."""


class Way(Struct, frozen=True, kw_only=True):
    """What an account's files are fetched with."""

    base_url: str
    """The account's: links that take its key get it at this origin only."""
    header: Key
    key: Secret | None
    insecure: bool = False
    """Plain http to other hosts is allowed."""
    stall: float = STALL
    """Seconds of silence after which a connection is given up."""


class Request(Struct, frozen=True):
    """One GET for a file, or for what is missing of it."""

    url: str
    key: bool
    """Fetching it takes the account's key."""
    start: int = 0
    """Bytes that are there."""
    validator: str = ""
    """What If-Range takes, where some are."""


class _Elsewhere(Exception):  # noqa: N818 - no error: where a redirect leads to
    pass


def client(tls: Trust, transport: Transport | None) -> httpx.AsyncClient:
    """What `opened` sends with: one connection at a time. Raises FetchError where the environment allows none."""
    try:
        return httpx.AsyncClient(
            verify=True if transport else tls(),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            follow_redirects=False,
            event_hooks={"request": [HeadBound().onto], "response": [_turned]},
            transport=transport() if transport else None,
            mounts=direct(),
        )
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        reason = formatting.clean(str(error), 200)
        raise FetchError(f"no connection can be made; see HTTPS_PROXY, SSL_CERT_FILE: {reason}") from None


async def _turned(response: httpx.Response) -> None:
    """Takes a redirect out of httpx's hands, which would read its URL before it was looked at."""
    location = response.headers.get("location")
    if response.status_code in _REDIRECTED and location is not None:
        raise _Elsewhere(location)


async def opened(http: httpx.AsyncClient, way: Way, asked: Request) -> httpx.Response:
    """The reply at the end of all redirects, its body unread. Raises FetchError and CutError."""
    try:
        return await _opened(http, way, asked)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
        raise FetchError(f"the link is no URL: {formatting.clean(str(error), 200)}") from None
    except (TimeoutError, httpx.TransportError) as error:
        raise cut(error, asked.url, way.stall) from None


async def _opened(http: httpx.AsyncClient, way: Way, asked: Request) -> httpx.Response:
    url = asked.url
    timeout = {"connect": 10.0, "read": way.stall, "write": 10.0, "pool": None}
    for _ in range(REDIRECTS + 1):
        _allow(url, way)
        request = httpx.Request("GET", url, headers=_headers(url, way, asked), extensions={"timeout": timeout})
        try:
            async with asyncio.timeout(ANSWER):
                return await http.send(request, stream=True, auth=None)
        except _Elsewhere as elsewhere:
            url = urljoin(url, str(elsewhere))
    raise FetchError(f"{host(asked.url)} redirects more than {REDIRECTS} times")


def cut(error: Exception, url: str, stall: float) -> CutError:
    """What broke a connection off."""
    if isinstance(error, httpx.ConnectTimeout):
        return CutError(Fault(FaultKind.TIMEOUT, f"no connection to {host(url)}"))
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return CutError(Fault(FaultKind.TIMEOUT, f"nothing came from {host(url)} for {stall:g} s"))
    return CutError(unreached(error))


def _allow(url: str, way: Way) -> None:
    """Raises FetchError for what may not be fetched, ValueError for what is no URL."""
    scheme = url.partition(":")[0].lower()
    if scheme not in {"http", "https"}:
        said = formatting.clean(scheme, 20)
        raise FetchError(f"the link is refused: it begins with {said}:, and only http and https are fetched")
    if not host(url):
        raise ValueError("it names no host")
    if is_plaintext_remote(url) and not way.insecure:
        raise FetchError(
            f"the link is refused: plain http to {host(url)} can be read on the way. "
            "Set insecure_http = true for this account to allow it"
        )


def _headers(url: str, way: Way, asked: Request) -> list[tuple[bytes, bytes]]:
    headers = list(ALWAYS)
    if asked.key and way.key is not None and _origin(url) == _origin(way.base_url):
        headers.append((way.header.header.encode(), (way.header.prefix + way.key.reveal()).encode("latin-1")))
    if asked.start:
        headers += [
            (b"range", f"bytes={asked.start}-".encode()),
            (b"if-range", asked.validator.encode("latin-1")),
        ]
    return headers


def host(url: str) -> str:
    """The host of a URL, for an operator; "" where there is none."""
    try:
        return formatting.clean(urlsplit(url).hostname or "", 100)
    except ValueError:
        return ""


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
