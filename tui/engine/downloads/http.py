"""The request for a file: which URLs may be fetched, redirects followed by hand, and the key kept at home.

The key goes only to the account's own origin. Messages name hosts, never a URL: its query may be a signature.
"""

import asyncio
from urllib.parse import urljoin, urlsplit

import httpx
from msgspec import Struct

from tui import __version__
from tui.domain.models import Fault, FaultKind
from tui.engine.http.client import TlsContextFactory, TransportFactory, fault_from_error, loopback_without_proxy
from tui.engine.http.header_limit import HeaderSizeLimit
from tui.presentation import sanitize
from tui.providers.model import KeyHeader
from tui.storage.config.fields import is_plaintext_remote
from tui.storage.config.secrets import Secret

MAX_REDIRECTS = 5
"""Redirects in a row that are followed."""
HEADERS_TIMEOUT = 60.0
"""Seconds within which the headers of a reply are there."""
STALL_TIMEOUT = 60.0
"""Seconds of silence after which a connection is given up. Slow bytes are fine."""

_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
DOWNLOAD_HEADERS = (
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", f"babeltop/{__version__}".encode()),
)
"""Headers of every request for a file."""


class FetchError(Exception):
    """A file that cannot be fetched; the text is for an operator, with the way out."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
        """Time alone may help."""


class ConnectionLostError(Exception):
    """The connection broke off, or the server is not able to serve now."""

    def __init__(self, fault: Fault, retry_after: float | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.retry_after = retry_after
        """Seconds that the server wants us to wait."""


class FetchContext(Struct, frozen=True, kw_only=True):
    """What an account's files are fetched with."""

    base_url: str
    """The account's: links that take its key get it at this origin only."""
    key_header: KeyHeader
    key: Secret | None
    insecure_http: bool = False
    """Plain http to other hosts is allowed."""
    stall_timeout: float = STALL_TIMEOUT
    """Seconds of silence after which a connection is given up."""


class RangeRequest(Struct, frozen=True):
    """One GET for a file, or for what is missing of it."""

    url: str
    needs_key: bool
    """Fetching it takes the account's key."""
    start: int = 0
    """Bytes that are there."""
    validator: str = ""
    """What If-Range takes, where some are."""


class _Redirect(Exception):  # noqa: N818 - no error: where a redirect leads to
    pass


def build_client(tls: TlsContextFactory, transport: TransportFactory | None) -> httpx.AsyncClient:
    """What `opened` sends with: one connection at a time. Raises FetchError where the environment allows none."""
    try:
        return httpx.AsyncClient(
            verify=True if transport else tls(),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            follow_redirects=False,
            event_hooks={"request": [HeaderSizeLimit().install], "response": [_raise_redirect]},
            transport=transport() if transport else None,
            mounts=loopback_without_proxy(),
        )
    except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
        reason = sanitize.clean(str(error), 200)
        raise FetchError(f"no connection can be made; see HTTPS_PROXY, SSL_CERT_FILE: {reason}") from None


async def _raise_redirect(response: httpx.Response) -> None:
    """Takes a redirect out of httpx's hands, which would read its URL before it was looked at."""
    location = response.headers.get("location")
    if response.status_code in _REDIRECT_STATUSES and location is not None:
        raise _Redirect(location)


async def open_response(http: httpx.AsyncClient, context: FetchContext, request: RangeRequest) -> httpx.Response:
    """The reply at the end of all redirects, its body unread. Raises FetchError and CutError."""
    try:
        return await _follow_redirects(http, context, request)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError) as error:
        raise FetchError(f"the link is no URL: {sanitize.clean(str(error), 200)}") from None
    except (TimeoutError, httpx.TransportError) as error:
        raise connection_error(error, request.url, context.stall_timeout) from None


async def _follow_redirects(http: httpx.AsyncClient, context: FetchContext, request: RangeRequest) -> httpx.Response:
    url = request.url
    timeout = {"connect": 10.0, "read": context.stall_timeout, "write": 10.0, "pool": None}
    for _ in range(MAX_REDIRECTS + 1):
        _check_allowed(url, context)
        http_request = httpx.Request(
            "GET", url, headers=_build_headers(url, context, request), extensions={"timeout": timeout}
        )
        try:
            async with asyncio.timeout(HEADERS_TIMEOUT):
                return await http.send(http_request, stream=True, auth=None)
        except _Redirect as redirect:
            url = urljoin(url, str(redirect))
    raise FetchError(f"{host(request.url)} redirects more than {MAX_REDIRECTS} times")


def connection_error(error: Exception, url: str, stall_timeout: float) -> ConnectionLostError:
    """What broke a connection off."""
    if isinstance(error, httpx.ConnectTimeout):
        return ConnectionLostError(Fault(FaultKind.TIMEOUT, f"no connection to {host(url)}"))
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return ConnectionLostError(Fault(FaultKind.TIMEOUT, f"nothing came from {host(url)} for {stall_timeout:g} s"))
    return ConnectionLostError(fault_from_error(error))


def _check_allowed(url: str, context: FetchContext) -> None:
    """Raises FetchError for what may not be fetched, ValueError for what is no URL."""
    scheme = url.partition(":")[0].lower()
    if scheme not in {"http", "https"}:
        shown_scheme = sanitize.clean(scheme, 20)
        raise FetchError(f"the link is refused: it begins with {shown_scheme}:, and only http and https are fetched")
    if not host(url):
        raise ValueError("it names no host")
    if is_plaintext_remote(url) and not context.insecure_http:
        raise FetchError(
            f"the link is refused: plain http to {host(url)} can be read on the way. "
            "Set insecure_http = true for this account to allow it"
        )


def _build_headers(url: str, context: FetchContext, request: RangeRequest) -> list[tuple[bytes, bytes]]:
    headers = list(DOWNLOAD_HEADERS)
    if request.needs_key and context.key is not None and _origin(url) == _origin(context.base_url):
        headers.append(
            (context.key_header.header.encode(), (context.key_header.prefix + context.key.reveal()).encode("latin-1"))
        )
    if request.start:
        headers += [
            (b"range", f"bytes={request.start}-".encode()),
            (b"if-range", request.validator.encode("latin-1")),
        ]
    return headers


def host(url: str) -> str:
    """The host of a URL, for an operator; "" where there is none."""
    try:
        return sanitize.clean(urlsplit(url).hostname or "", 100)
    except ValueError:
        return ""


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
