"""httpx client with the environment's proxies, but none for this machine: it would get the request, with its key."""

import os
from typing import Any

import httpx

from tui.domain.hosts import is_loopback
from tui.engine.http import environment


class LoopbackDirectClient(httpx.AsyncClient):
    """Client that uses no proxy for NO_PROXY's hosts, and for this machine however its address is written."""

    def __init__(self, **options: Any) -> None:
        """Take the options of httpx. Raises EnvironmentSettingError for an unusable proxy variable."""
        proxies = {} if options.get("transport") is not None else environment.proxies(os.environ)
        self._options = options
        self._no_proxy = environment.no_proxy(os.environ) if proxies else None
        self._direct: httpx.AsyncClient | None = None
        transports = {prefix: self._proxy_transport(proxy) for prefix, proxy in proxies.items()}
        super().__init__(**options, mounts=transports, trust_env=False)

    def _proxy_transport(self, proxy: httpx.Proxy) -> httpx.AsyncHTTPTransport:
        limits = self._options.get("limits", httpx.Limits())
        return httpx.AsyncHTTPTransport(verify=self._options.get("verify", True), limits=limits, proxy=proxy)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send the request, like the base class."""
        host = request.url.host
        if self._no_proxy is None or not (is_loopback(host) or self._no_proxy.covers(host)):
            return await super().send(request, **options)
        self._direct = self._direct or httpx.AsyncClient(**self._options, trust_env=False)
        return await self._direct.send(request, **options)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._direct is not None:
            await self._direct.aclose()
        await super().aclose()

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()
