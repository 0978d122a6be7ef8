"""HTTP requests for files: allowed URLs, redirects, and the account's key.

The key goes only to the account's own origin. Messages name hosts, never a URL: its query may be a signature.
Resuming and writing are left to the transfer.
"""

import asyncio
from collections.abc import Mapping
from urllib.parse import quote_plus, urljoin, urlsplit

import httpx
from msgspec import Struct

from tui import __version__
from tui.domain.hosts import is_plaintext_remote, is_private, origin
from tui.domain.models import Fault, FaultKind
from tui.engine.http.client import (
    TlsContextFactory,
    TransportFactory,
    connection_setup_error,
    fault_from_error,
)
from tui.engine.http.dns_loop import LocalAddressError, require_remote
from tui.engine.http.environment import EnvironmentSettingError
from tui.engine.http.header_limit import HeaderSizeLimit
from tui.engine.http.loopback import LoopbackDirectClient
from tui.presentation import sanitize
from tui.providers.model import KeyHeader
from tui.providers.requests.request import FORM_TYPE
from tui.providers.requests.templates import SECRET
from tui.storage.config.secrets import Secret
from tui.storage.config.settings import DownloadSettings

MAX_REDIRECTS = 5
"""Consecutive redirects that are followed."""
HEADERS_TIMEOUT = 60.0
"""Seconds until the headers of a response must be complete."""
STALL_TIMEOUT = 60.0
"""Seconds without data after which a connection is closed. Slow data is fine."""
RATE_WINDOW = 30.0
"""Seconds over which the rate of a transfer is measured."""

_REDIRECT_STATUSES = frozenset({301, 302, 303, 307, 308})
DOWNLOAD_HEADERS = (
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", f"babeltop/{__version__}".encode()),
)
"""Headers of every file request."""


class FetchError(Exception):
    """A file cannot be downloaded. The message tells the operator why and what to do."""

    def __init__(self, message: str, *, transient: bool = False) -> None:
        super().__init__(message)
        self.transient = transient
        """A later try may succeed."""


class LinkFailedError(FetchError):
    """The link does not work, nor does a renewed one."""


class NotReadyError(FetchError):
    """The store does not have the file yet: its job has just ended."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"link does not work yet ({reason}): the job has just ended, download again in a few minutes",
            transient=True,
        )


class RequestHeldError(FetchError):
    """The limits of the account allow no request for a new link yet."""

    def __init__(self, message: str, retry_at: float | None) -> None:
        super().__init__(message, transient=True)
        self.retry_at = retry_at
        """Instant at which they do; None: unknown."""


class ConnectionLostError(Exception):
    """The connection was lost, or the server cannot serve the file now."""

    def __init__(self, fault: Fault, retry_after: float | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.retry_after = retry_after
        """Seconds to wait, as the server demands; None: no demand."""


class FetchContext(Struct, frozen=True, kw_only=True):
    """Connection settings for the files of one account."""

    base_url: str
    """The account's base URL: the key goes to this origin only."""
    key_header: KeyHeader
    key: Secret | None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Constant headers of the provider, sent with the key."""
    insecure_http: bool = False
    """Whether plain http to other hosts is allowed."""
    stall_timeout: float = STALL_TIMEOUT
    """Seconds without data after which a connection is closed."""
    rate_window: float = RATE_WINDOW
    """Seconds over which the rate of a transfer is measured."""
    max_size: int = DownloadSettings().max_size
    """Bytes of a file, as saved."""
    job_secrets: Mapping[str, Secret] = {}
    """Secrets of the job, for the form of a POST."""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Secrets that a response may repeat."""
        return (*([self.key] if self.key is not None else ()), *self.job_secrets.values())


class RangeRequest(Struct, frozen=True):
    """Request for a file, or for its rest."""

    url: str
    needs_key: bool
    """Whether the link requires the account's key."""
    start: int = 0
    """Bytes that are on disk already."""
    validator: str = ""
    """Validator for If-Range, if `start` is not 0."""
    form: str | None = None
    """Body of a POST, which is never redirected; None: a GET."""


class _Redirect(Exception):  # noqa: N818  carries the target of a redirect
    pass


def build_client(tls: TlsContextFactory, transport: TransportFactory | None) -> httpx.AsyncClient:
    """Return a client with one connection at a time. Raises FetchError for unusable proxy settings or certificates."""
    try:
        return LoopbackDirectClient(
            verify=True if transport else tls(),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
            follow_redirects=False,
            event_hooks={"request": [HeaderSizeLimit().install], "response": [_raise_redirect]},
            transport=transport() if transport else None,
        )
    except EnvironmentSettingError as problem:
        raise FetchError(str(problem)) from None
    except OSError as error:
        raise FetchError(connection_setup_error(error)) from None


async def _raise_redirect(response: httpx.Response) -> None:
    """Raise the redirect before httpx parses its URL, which is not checked yet."""
    location = response.headers.get("location")
    if response.status_code in _REDIRECT_STATUSES and location is not None:
        raise _Redirect(location)


async def open_response(http: httpx.AsyncClient, context: FetchContext, request: RangeRequest) -> httpx.Response:
    """Return the response after all redirects, its body unread. Raises FetchError or ConnectionLostError."""
    try:
        return await _follow_redirects(http, context, request)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, ValueError):
        raise FetchError("the link is not a valid URL") from None
    except (TimeoutError, httpx.TransportError) as error:
        raise connection_error(error, request.url, context.stall_timeout) from None


async def _follow_redirects(http: httpx.AsyncClient, context: FetchContext, request: RangeRequest) -> httpx.Response:
    url = request.url
    timeout = {"connect": 10.0, "read": context.stall_timeout, "write": 10.0, "pool": None}
    for redirects in range(MAX_REDIRECTS + 1):
        may_be_local = _check_allowed(url, context, is_redirect=redirects > 0)
        http_request = httpx.Request(
            "GET" if request.form is None else "POST",
            url,
            headers=_build_headers(url, context, request),
            content=None if request.form is None else _filled_form(request.form, context.job_secrets).encode(),
            extensions={"timeout": timeout},
        )
        try:
            with require_remote(None if may_be_local else http_request.url.raw_host.decode()):
                async with asyncio.timeout(HEADERS_TIMEOUT):
                    return await http.send(http_request, stream=True, auth=None)
        except httpx.ConnectError as error:
            if _is_local(error):
                raise FetchError(_local_message(url, is_redirect=redirects > 0)) from None
            raise
        except _Redirect as redirect:
            if request.form is not None:
                raise FetchError(f"{host(url)} redirected a POST, which is not followed") from None
            url = urljoin(url, str(redirect))
    raise FetchError(f"{host(request.url)} redirected more than {MAX_REDIRECTS} times")


def connection_error(error: Exception, url: str, stall_timeout: float) -> ConnectionLostError:
    """Return the error of a lost connection."""
    if isinstance(error, httpx.ConnectTimeout):
        return ConnectionLostError(Fault(FaultKind.TIMEOUT, f"connection to {host(url)} timed out"))
    if isinstance(error, TimeoutError | httpx.TimeoutException):
        return ConnectionLostError(Fault(FaultKind.TIMEOUT, f"no data from {host(url)} for {stall_timeout:g} s"))
    return ConnectionLostError(fault_from_error(error))


def _is_local(error: BaseException) -> bool:
    """Return whether a connection failed because its host resolves to this machine."""
    causes = (error.__cause__, *error.args)  # httpcore's error has it as its argument
    return isinstance(error, LocalAddressError) or any(isinstance(x, BaseException) and _is_local(x) for x in causes)


def _local_message(url: str, *, is_redirect: bool) -> str:
    return (
        f"{'redirect' if is_redirect else 'link'} rejected: {host(url)} is an address of this machine or of a "
        "private network, and not the account's base_url"
    )


def _check_allowed(url: str, context: FetchContext, *, is_redirect: bool) -> bool:
    """Return whether the URL's host may be this machine. Raises FetchError for a forbidden URL, ValueError if invalid.

    A private address may be a link only of an account with one, and a redirect's target only at the account's origin.
    """
    scheme = url.partition(":")[0].lower()
    if scheme not in {"http", "https"}:
        shown_scheme = sanitize.clean(scheme, 20)
        raise FetchError(f"link rejected: {shown_scheme}: is not supported, only http and https")
    if not host(url):
        raise ValueError("no host")
    base_host, url_host = urlsplit(context.base_url).hostname or "", urlsplit(url).hostname or ""
    may_be_local = origin(url) == origin(context.base_url) or (
        not is_redirect and (is_private(base_host) or url_host == base_host)
    )
    if is_private(url_host) and not may_be_local:
        raise FetchError(_local_message(url, is_redirect=is_redirect))
    if is_plaintext_remote(url) and not context.insecure_http:
        raise FetchError(
            f"link rejected: plain http to {host(url)} is not encrypted. "
            "Set insecure_http = true for the account to allow it"
        )
    return may_be_local


def _filled_form(form: str, job_secrets: Mapping[str, Secret]) -> str:
    """Return the form with the job's secrets in place of their placeholders, which are percent-encoded."""
    for name, secret in job_secrets.items():
        form = form.replace(quote_plus(f"{{{SECRET}{name}}}"), quote_plus(secret.reveal()))
    return form


def _build_headers(url: str, context: FetchContext, request: RangeRequest) -> list[tuple[bytes, bytes]]:
    headers = list(DOWNLOAD_HEADERS)
    if request.needs_key and context.key is not None and origin(url) == origin(context.base_url):
        headers.append(
            (context.key_header.header.encode(), (context.key_header.prefix + context.key.reveal()).encode("latin-1"))
        )
        headers += context.headers
    if request.form is not None:
        headers.append((b"content-type", FORM_TYPE.encode()))
    if request.start:
        headers += [
            (b"range", f"bytes={request.start}-".encode()),
            (b"if-range", request.validator.encode("latin-1")),
        ]
    return headers


def host(url: str) -> str:
    """Return the host of a URL for a message; "" if there is none."""
    try:
        return sanitize.clean(urlsplit(url).hostname or "", 100)
    except ValueError:
        return ""
