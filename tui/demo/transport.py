"""An httpx transport that ends in the simulator, not in the network. Imports httpx: not before the first frame."""

import httpx

from tui.simulator.http import ConnectionCutError


class SimulatorTransport(httpx.ASGITransport):
    """The app's replies; a connection that it cuts breaks off, as one over a network would."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the reply. Raises httpx.ReadError where the connection is cut."""
        try:
            return await super().handle_async_request(request)
        except ConnectionCutError as error:
            raise httpx.ReadError(str(error), request=request) from error
