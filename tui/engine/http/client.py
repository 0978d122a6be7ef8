"""One connection to one account's service: a URL in, a whole bounded reply or a fault out. It reads no body.

A key goes in one header to the URL it is asked with: redirects are not followed. The key is taken out of a reply
before anybody else sees it.
"""

import asyncio
import functools
import ssl
import zlib
from collections.abc import Callable, Iterable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import NamedTuple

import httpx
from msgspec import Struct

from tui import __version__
from tui.domain.models import Fault, FaultKind
from tui.engine.http.header_limit import HeaderSizeLimit
from tui.presentation.sanitize import clean
from tui.providers.model import KeyHeader
from tui.providers.response import HttpResponse
from tui.storage.config.secrets import Secret

REQUEST_DEADLINE = 20.0
"""Seconds for a whole ask, from the first byte sent to the last one read."""
CONNECT_TIMEOUT, READ_TIMEOUT, WRITE_TIMEOUT = 10.0, 15.0, 10.0
"""Seconds for a connection, for each read and for each write, none longer than the deadline."""
MAX_BODY = 1024 * 1024
"""Bytes of a body, as it came and after inflating."""
BASE_HEADERS = (
    (b"accept", b"application/json"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", f"babeltop/{__version__}".encode()),
)
"""Headers of every ask, beside the key's."""
KEEPALIVE_EXPIRY = 75.0
"""Seconds for which an idle connection is kept: longer than the longest usual interval."""

TransportFactory = Callable[[], httpx.AsyncBaseTransport]
"""Makes the transport of one client; for the demo and for virtual time."""
TlsContextFactory = Callable[[], ssl.SSLContext]
"""Gives the shared TLS context, made when the first connection needs it. May raise OSError."""


class RequestLimits(Struct, frozen=True, kw_only=True):
    """What one ask may take."""

    deadline: float = REQUEST_DEADLINE
    """Seconds, of everything together."""
    max_body: int = MAX_BODY
    """Bytes of a body."""


class ApiRequest(NamedTuple):
    """One GET."""

    url: str
    key_header: KeyHeader
    """How the key is sent."""
    key: Secret
    """What is masked in the reply."""


def loopback_without_proxy() -> dict[str, httpx.AsyncBaseTransport | None]:
    """Mounts of an httpx client, by which what goes to this machine takes no proxy.

    httpx would send a request for http://127.0.0.1 to `http_proxy`, key and all, unless `no_proxy` names it.
    """
    return dict.fromkeys(("http://127.0.0.1", "http://localhost", "http://[::1]"))


class TooLargeError(Exception):
    """A body passed the bound."""


class UndecodableError(Exception):
    """A body is encoded in a way that was not asked for, or damaged."""


class Client:
    """One connection of one worker, made at its first ask. Use as an async context manager."""

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        tls: TlsContextFactory,
        transport: TransportFactory | None = None,
        limits: RequestLimits = RequestLimits(),  # noqa: B008  frozen
    ) -> None:
        """`transport` replaces the network."""
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
        """The connection. Raises ValueError and ImportError for the environment's proxies, OSError for its roots."""
        return httpx.AsyncClient(
            verify=True if self._transport else self._tls(),
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEPALIVE_EXPIRY),
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # in weeks a service may set any number
            transport=self._transport() if self._transport else None,
            mounts=loopback_without_proxy(),
        )

    async def get(self, request: ApiRequest) -> HttpResponse | Fault:
        """The reply, whatever its status; or why there is none: offline, timeout, tls, too_large, malformed."""
        try:
            self._http = self._http or self._build_client()
        except ssl.SSLError as error:
            return Fault(FaultKind.TLS, f"the trusted certificates do not read: {clean(str(error), 200)}")
        except (ValueError, ImportError, OSError, httpx.InvalidURL) as error:
            reason = clean(str(error), 200)
            return Fault(FaultKind.OFFLINE, f"no connection can be made; see HTTPS_PROXY, SSL_CERT_FILE: {reason}")
        try:
            async with asyncio.timeout(self._limits.deadline):
                return await self._exchange(self._http, request)
        except (TimeoutError, httpx.TimeoutException) as error:
            return Fault(FaultKind.TIMEOUT, self._timeout_message(error))
        except TooLargeError:
            return Fault(FaultKind.TOO_LARGE, f"the reply is larger than {self._limits.max_body // 1024} KiB")
        except UndecodableError as error:
            return Fault(FaultKind.MALFORMED, str(error))
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            return Fault(FaultKind.REJECTED, f"the address is no URL: {clean(str(error), 200)}")
        except (httpx.TransportError, OSError) as error:
            return fault_from_error(error)

    def _timeout_message(self, error: Exception) -> str:
        deadline = self._limits.deadline
        match error:
            case httpx.ConnectTimeout():
                return f"no connection within {min(CONNECT_TIMEOUT, deadline):g} s"
            case httpx.ReadTimeout():
                return f"nothing came for {min(READ_TIMEOUT, deadline):g} s"
            case _:
                return f"no whole reply within {deadline:g} s"

    async def _exchange(self, http: httpx.AsyncClient, request: ApiRequest) -> HttpResponse:
        key = request.key.reveal()
        header = (request.key_header.header.encode(), (request.key_header.prefix + key).encode("latin-1"))
        # made here and not by the client, which would merge and copy as much as it sends
        url, headers = _parse_url(request.url), [*BASE_HEADERS, header]
        extensions = {"timeout": self._timeout, "trace": self._header_limit}
        http_request = httpx.Request("GET", url, headers=headers, extensions=extensions)
        response = await http.send(http_request, stream=True, auth=None)
        try:
            raw = bytearray()
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > self._limits.max_body:
                    raise TooLargeError
        finally:
            await response.aclose()
        headers = _parse_headers(response.headers.raw, key)
        body = _inflated(bytes(raw), headers.get("content-encoding", "identity"), self._limits.max_body)
        return HttpResponse(response.status_code, headers, _mask_key(body, key), self._clock())


@functools.lru_cache(maxsize=2048)
def _parse_url(url: str) -> httpx.URL:
    """The URL taken apart, which is a twentieth of an ask's work: a job's is the same each time. 1 MB, full."""
    return httpx.URL(url)


def _mask_key(data: bytes, key: str) -> bytes:
    """What was said without the key, however it was encoded."""
    for form in {key.encode(), key.encode("latin-1")}:
        data = data.replace(form, b"***")
    return data


def _parse_headers(raw: Iterable[tuple[bytes, bytes]], key: str) -> dict[str, str]:
    """By lower-case name, without the key; a header that came twice is one list."""
    headers: dict[str, str] = {}
    for name, value in raw:
        lower_name, text = name.decode("latin-1").lower(), _mask_key(value, key).decode("utf-8", "replace")
        headers[lower_name] = f"{headers[lower_name]}, {text}" if lower_name in headers else text
    return headers


def _inflated(raw: bytes, encoding: str, most: int) -> bytes:
    """The body without its encoding, which a server may apply though identity was asked for; never above `most`."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"} or not raw:
        return raw
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise UndecodableError(f"the reply is encoded as {clean(encoding, 40)}, which was not asked for")
    inflater = zlib.decompressobj(wbits=47 if "gzip" in encoding else 15)
    try:
        body = inflater.decompress(raw, most + 1)
    except zlib.error as error:
        raise UndecodableError(f"the reply's {encoding} encoding is damaged") from error
    if len(body) > most:
        raise TooLargeError
    if not inflater.eof:
        raise UndecodableError(f"the reply's {encoding} encoding is damaged: it has no end")
    return body


def fault_from_error(error: Exception) -> Fault:
    """Offline, or TLS where any cause in the chain is about certificates."""
    if isinstance(error, httpx.LocalProtocolError):  # its text holds the header, which is the key's
        return Fault(
            FaultKind.REJECTED, "the key cannot be sent so: see prefix in the provider file, and the key itself"
        )
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Fault(FaultKind.TLS, f"the certificate does not hold: {clean(cause.verify_message, 200)}")
        if isinstance(cause, ssl.SSLError):
            return Fault(FaultKind.TLS, f"TLS failed: {clean(cause.reason or str(cause), 200)}")
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx.ConnectError():
            message = "cannot be reached"
        case httpx.ProxyError():
            message = "the proxy does not let it through; see HTTPS_PROXY"
        case httpx.RemoteProtocolError():
            message = "broke off, or did not speak HTTP"
        case _:
            message = "the connection broke off"
    detail = clean(str(error), 200)
    return Fault(FaultKind.OFFLINE, f"{message}: {detail}" if detail else message)
