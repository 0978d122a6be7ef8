"""httpx client that uses no proxy for this machine: a proxy elsewhere would get the request, with its key."""

from typing import Any

import httpx

from tui.domain.hosts import is_loopback


class LoopbackDirectClient(httpx.AsyncClient):
    """Client of which requests to this machine bypass the environment's proxies, however its address is written.

    httpx itself compares host names with `no_proxy`.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._options = options
        self._direct: httpx.AsyncClient | None = None

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send the request, like the base class."""
        if not is_loopback(request.url.host) or self._options.get("transport") is not None:
            return await super().send(request, **options)
        self._direct = self._direct or httpx.AsyncClient(**self._options, trust_env=False)
        return await self._direct.send(request, **options)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._direct is not None:
            await self._direct.aclose()
        await super().aclose()

    async def __aexit__(self, *error: Any) -> None:
        if self._direct is not None:
            await self._direct.aclose()
        await super().__aexit__(*error)
