"""HTTP client with one connection: takes a URL, returns a complete, bounded response or a fault.

Parsing bodies is left to the providers. The key goes in one header to the requested URL; redirects are not followed.
Key and job secrets are masked in a response before any other module sees them.
"""

import asyncio
import functools
import os
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, NamedTuple

import httpx
from msgspec import Struct

from tui import __version__
from tui.domain import content_headers
from tui.domain.models import Fault, FaultKind
from tui.engine.http.decompression import StreamDecompressor, UndecodableError
from tui.engine.http.environment import CertificateError, EnvironmentSettingError, unread_certificates
from tui.engine.http.header_limit import HEADERS_TOO_LARGE, HeaderSizeLimit
from tui.engine.http.loopback import LoopbackDirectClient
from tui.presentation.sanitize import clean
from tui.providers.model import KeyHeader
from tui.providers.response import HttpResponse
from tui.storage.config.secrets import Secret, mask_all

REQUEST_DEADLINE = 20.0
"""Seconds for a whole request, from the first byte sent to the last byte read."""
CONNECT_TIMEOUT, READ_TIMEOUT, WRITE_TIMEOUT = 10.0, 15.0, 10.0
"""Seconds for a connection, each read and each write; none exceeds the deadline."""
MAX_BODY = 1024 * 1024
"""Bytes of a body, as received and decompressed."""
DECOMPRESSED_CHUNK = 64 * 1024
"""Bytes that are decompressed at once."""
BASE_HEADERS = (
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", f"babeltop/{__version__}".encode()),
)
"""Headers of every request, beside the key's."""
KEEPALIVE_EXPIRY = 75.0
"""Seconds for which an idle connection is kept: longer than the longest usual polling interval."""

TransportFactory = Callable[[], httpx.AsyncBaseTransport]
"""Returns the transport of one client; for the demo and virtual time."""
MayLeave = Callable[[], Awaitable[bool]]
"""Returns whether a request may leave now. It may wait first."""
TlsContextFactory = Callable[[], ssl.SSLContext]
"""Returns the shared TLS context, created for the first connection. May raise OSError."""


class RequestLimits(Struct, frozen=True, kw_only=True):
    """Limits of one request."""

    deadline: float = REQUEST_DEADLINE
    """Seconds for the whole request."""
    max_body: int = MAX_BODY
    """Bytes of a body."""


class ApiRequest(NamedTuple):
    """One request with the account's key."""

    url: str
    key_header: KeyHeader
    """Header and prefix of the key."""
    key: Secret
    """Masked in the response."""
    method: str = "GET"
    body: bytes = b""
    content_type: str = ""
    """Empty: there is no body."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Constant headers of the provider."""
    job_secrets: tuple[Secret, ...] = ()
    """Secrets in the body, masked in the response like the key."""


class TooLargeError(Exception):
    """A body exceeded its limit."""


class _NotSentError(Exception):
    """A request may not leave."""


async def always() -> bool:
    """Let a request leave."""
    return True


class _NoCookies(httpx.Cookies):
    """Cookies that take none from a response: a jar that accepts none costs a twelfth of a poll."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Do nothing."""


class _CookielessClient(LoopbackDirectClient):
    """Client that keeps no cookies: in weeks a service may set any number."""

    cookies = _NoCookies()  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]


class Client:
    """Client of one worker; connects at its first request. Use it as an async context manager."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        tls: TlsContextFactory,
        transport: TransportFactory | None = None,
        limits: RequestLimits = RequestLimits(),  # noqa: B008  frozen
    ) -> None:
        """Create no connection yet. `transport` replaces the network."""
        self._clock = clock
        self._tls = tls
        self._transport = transport
        self._limits = limits
        deadline = limits.deadline
        self._timeout = {
            "connect": min(CONNECT_TIMEOUT, deadline),
            "read": min(READ_TIMEOUT, deadline),
            "write": min(WRITE_TIMEOUT, deadline),
            "pool": None,
        }
        self._http: httpx.AsyncClient | None = None
        self._header_limit = HeaderSizeLimit()

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._http is not None:
            await self._http.aclose()

    def _build_client(self) -> httpx.AsyncClient:
        """Return the httpx client. Raises EnvironmentSettingError for an unusable proxy or certificate variable."""
        return _CookielessClient(
            verify=True if self._transport else self._tls(),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY),
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # of its client for NO_PROXY
            transport=self._transport() if self._transport else None,
        )

    async def send(self, request: ApiRequest, may_leave: MayLeave = always) -> HttpResponse | Fault | None:
        """Return the response of any status, or a fault: offline, timeout, tls, too_large, malformed, rejected.

        `may_leave` is called when the connection is open, immediately before the first byte is written: no other task
        runs in between. If it returns False, nothing is sent, and the result is None.
        """
        try:
            self._http = self._http or self._build_client()
        except CertificateError as problem:
            return Fault(FaultKind.TLS, str(problem))
        except EnvironmentSettingError as problem:
            return Fault(FaultKind.OFFLINE, str(problem))
        except OSError as error:
            return Fault(FaultKind.OFFLINE, connection_setup_error(error))
        try:
            async with asyncio.timeout(self._limits.deadline) as deadline:
                return await self._exchange(self._http, request, functools.partial(self._leave, may_leave, deadline))
        except _NotSentError:
            return None
        except (TimeoutError, httpx.TimeoutException) as error:
            return Fault(FaultKind.TIMEOUT, self._timeout_message(error))
        except TooLargeError:
            return Fault(FaultKind.TOO_LARGE, f"response larger than {self._limits.max_body // 1024} KiB")
        except UndecodableError as error:
            return Fault(FaultKind.MALFORMED, f"response has {error}")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            return Fault(FaultKind.REJECTED, "invalid URL, check the account's base_url and the job's id")
        except (httpx.TransportError, OSError) as error:
            return fault_from_error(error)

    def _timeout_message(self, error: Exception) -> str:
        deadline = self._limits.deadline
        match error:
            case httpx.ConnectTimeout():
                return f"no connection within {min(CONNECT_TIMEOUT, deadline):g} s"
            case httpx.ReadTimeout():
                return f"no data received for {min(READ_TIMEOUT, deadline):g} s"
            case _:
                return f"no complete response within {deadline:g} s"

    async def _leave(self, may_leave: MayLeave, deadline: asyncio.Timeout) -> None:
        """Begin the time of a request that may leave. Raises _NotSentError if it may not."""
        deadline.reschedule(None)
        if not await may_leave():
            raise _NotSentError
        deadline.reschedule(asyncio.get_running_loop().time() + self._limits.deadline)

    async def _exchange(
        self, http: httpx.AsyncClient, request: ApiRequest, leave: Callable[[], Awaitable[None]]
    ) -> HttpResponse:
        async def trace(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith(".send_request_headers.started") and info["request"].method != b"CONNECT":
                await leave()
            await self._header_limit(event, info)

        key = request.key.reveal()
        header = (request.key_header.header.encode(), (request.key_header.prefix + key).encode("latin-1"))
        # built here: the client would merge and copy as much as it sends
        url, headers = _parse_url(request.url), [*BASE_HEADERS, *request.headers, header]
        extensions = {"timeout": self._timeout, "trace": trace}
        if request.method == "GET":
            http_request = httpx.Request("GET", url, headers=headers, extensions=extensions)
        else:
            headers += [(b"content-type", request.content_type.encode())] if request.content_type else []
            http_request = httpx.Request(
                request.method, url, headers=headers, content=request.body, extensions=extensions
            )
        if self._transport is not None:  # it traces nothing
            await leave()
        response = await http.send(http_request, stream=True, auth=None)
        try:
            raw = bytearray()
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > self._limits.max_body:
                    raise TooLargeError
        finally:
            await response.aclose()
        secrets = (request.key, *request.job_secrets)
        headers = parse_headers(response.headers.raw, secrets)
        body = _decompress(bytes(raw), headers.get("content-encoding", "identity"), self._limits.max_body)
        return HttpResponse(response.status_code, headers, mask_all(body, secrets), self._clock())


@functools.lru_cache(maxsize=2048)
def _parse_url(url: str) -> httpx.URL:
    """Return the parsed URL. Cached: parsing is 5 % of a request's CPU, and a job's URL stays; 1 MB when full."""
    return httpx.URL(url)


def parse_headers(raw: Iterable[tuple[bytes, bytes]], secrets: Sequence[Secret]) -> dict[str, str]:
    """Return the headers by lower-case name, the secrets masked; repeated headers are joined by commas."""
    headers: dict[str, list[str]] = {}
    for name, value in raw:
        text = _decode_header(mask_all(value, secrets))
        headers.setdefault(name.decode("latin-1").lower(), []).append(text)
    return {name: ", ".join(texts) for name, texts in headers.items()}


def _decode_header(value: bytes) -> str:
    """Return the value as UTF-8 or, as RFC 9110 §5.5 has it, Latin-1."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _decompress(raw: bytes, encoding: str, max_body: int) -> bytes:
    """Return the decompressed body: a server may compress although identity was requested.

    Raises TooLargeError past `max_body` bytes, UndecodableError for an unknown encoding or a damaged body.
    """
    codings = content_headers.parse_codings(encoding)
    if not codings or not raw:
        return raw
    decompressor, body = StreamDecompressor(codings, DECOMPRESSED_CHUNK), bytearray()
    for chunk in decompressor.decompress(raw):
        body += chunk
        if len(body) > max_body:
            raise TooLargeError
    if not decompressor.is_complete:
        raise UndecodableError(f"truncated {codings[-1]} data")
    return bytes(body)


def connection_setup_error(error: Exception) -> str:
    """Return why no client can be created."""
    reason = clean(error.strerror or "", 200) if isinstance(error, OSError) else type(error).__name__
    return f"cannot create a connection: {reason}"


def fault_from_error(error: Exception) -> Fault:
    """Return a TLS fault if any cause in the chain is an SSL error, else an offline fault.

    Of the error's own text only the operating system's reason is shown: the rest may quote a request or a response.
    """
    if isinstance(error, httpx.LocalProtocolError):  # its text contains the header with the key
        return Fault(
            FaultKind.REJECTED, "the key cannot be sent in a header, check the key and prefix in the provider file"
        )
    system_error = ""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = unread_certificates(os.environ)
            reason = f"certificate verification failed: {clean(cause.verify_message, 200)}"
            return Fault(FaultKind.TLS, f"{reason}. {hint}" if hint else reason)
        if isinstance(cause, ssl.SSLError):
            return Fault(FaultKind.TLS, f"TLS failed: {clean(cause.reason or 'no reason given', 200)}")
        if isinstance(cause, OSError):
            system_error = system_error or clean(cause.strerror or "", 200)
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx.ConnectError():
            message = "cannot be reached"
        case httpx.ProxyError():
            message = "the proxy refused the connection, check HTTPS_PROXY"
        case httpx.RemoteProtocolError():
            too_large = str(error) == HEADERS_TOO_LARGE  # any other text may quote what the server sent
            message = HEADERS_TOO_LARGE if too_large else "connection closed early, or not HTTP"
        case _:
            message = "connection lost"
    return Fault(FaultKind.OFFLINE, f"{message}: {system_error}" if system_error else message)
