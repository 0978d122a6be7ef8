"""One connection to one account's service: a URL in, a whole bounded reply or a fault out. It reads no body.

A key goes in one header to the account's own origin: redirects are not followed. The key is taken out of a body
before anybody else sees it.
"""

import asyncio
import ssl
import zlib
from collections.abc import Callable, Mapping

import httpx

from tui.domain.jobs import Fault, FaultKind
from tui.domain.text import clean
from tui.providers.reply import Reply

DEADLINE = 20.0
"""Seconds for a whole ask, from the first byte sent to the last one read."""
TIMEOUTS = httpx.Timeout(connect=10.0, read=15.0, write=10.0, pool=None)
MOST = 1024 * 1024
"""Bytes of a body, as it came and after inflating."""
KEEP = 75.0
"""Seconds for which an idle connection is kept: longer than the longest usual interval."""

Transport = Callable[[], httpx.AsyncBaseTransport]
"""Makes the transport of one client; for the demo and for virtual time."""


class TooLargeError(Exception):
    """A body passed MOST."""


class UndecodableError(Exception):
    """A body is encoded in a way that was not asked for, or damaged."""


class Client:
    """One connection of one worker. Use as an async context manager."""

    def __init__(
        self,
        headers: Mapping[str, str],
        key: str,
        *,
        clock: Callable[[], float],
        tls: ssl.SSLContext,
        transport: Transport | None = None,
    ) -> None:
        """`headers` hold the key; `key` itself is what is masked in bodies ("" masks nothing)."""
        self._key = key.encode()
        self._clock = clock
        self._http = httpx.AsyncClient(
            headers={"accept": "application/json", "accept-encoding": "identity", **headers},
            verify=tls,
            timeout=TIMEOUTS,
            limits=httpx.Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP),
            follow_redirects=False,
            transport=transport() if transport else None,
        )

    async def __aenter__(self) -> "Client":
        await self._http.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._http.aclose()

    async def get(self, url: str) -> Reply | Fault:
        """The reply, whatever its status; or why there is none: offline, timeout, tls, too_large, malformed."""
        try:
            async with asyncio.timeout(DEADLINE):
                return await self._get(url)
        except (TimeoutError, httpx.TimeoutException):
            return Fault(FaultKind.TIMEOUT, f"no whole reply within {DEADLINE:.0f} s")
        except TooLargeError:
            return Fault(FaultKind.TOO_LARGE, f"the reply is larger than {MOST // 1024} KiB")
        except UndecodableError as error:
            return Fault(FaultKind.MALFORMED, str(error))
        except (httpx.TransportError, httpx.InvalidURL, OSError) as error:
            return _unreached(error)

    async def _get(self, url: str) -> Reply:
        response = await self._http.send(self._http.build_request("GET", url), stream=True, auth=None)
        try:
            raw = bytearray()
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > MOST:
                    raise TooLargeError
        finally:
            await response.aclose()
        body = _inflated(bytes(raw), response.headers.get("content-encoding", "identity"))
        if self._key:
            body = body.replace(self._key, b"***")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, body, self._clock())


def _inflated(raw: bytes, encoding: str) -> bytes:
    """The body without its encoding, which a server may apply though identity was asked for; never more than MOST."""
    encoding = encoding.strip().lower()
    if encoding in {"", "identity"} or not raw:
        return raw
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise UndecodableError(f"the reply is encoded as {clean(encoding, 40)}, which was not asked for")
    inflater = zlib.decompressobj(wbits=47 if "gzip" in encoding else 15)
    try:
        body = inflater.decompress(raw, MOST + 1)
    except zlib.error as error:
        raise UndecodableError(f"the reply's {encoding} encoding is damaged") from error
    if len(body) > MOST:
        raise TooLargeError
    return body


def _unreached(error: Exception) -> Fault:
    """Offline, or TLS where any cause in the chain is about certificates."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Fault(FaultKind.TLS, f"the certificate does not hold: {clean(cause.verify_message, 200)}")
        if isinstance(cause, ssl.SSLError):
            return Fault(FaultKind.TLS, f"TLS failed: {clean(cause.reason or str(cause), 200)}")
        cause = cause.__cause__ or cause.__context__
    match error:
        case httpx.ConnectError():
            what = "cannot be reached"
        case httpx.RemoteProtocolError():
            what = "broke off, or did not speak HTTP"
        case httpx.InvalidURL():
            what = "the address is no URL"
        case _:
            what = "the connection broke off"
    detail = clean(str(error), 200)
    return Fault(FaultKind.OFFLINE, f"{what}: {detail}" if detail else what)
