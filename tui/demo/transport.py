"""httpx transport to the simulator. It imports httpx: do not import it before the first frame."""

import httpx

from tui.simulator.http import ConnectionCutError


class SimulatorTransport(httpx.ASGITransport):
    """Transport to an ASGI app whose cut connections fail as they would over a network."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Return the response. Raises httpx.ReadError if the connection is cut."""
        try:
            return await super().handle_async_request(request)
        except ConnectionCutError as error:
            raise httpx.ReadError(str(error), request=request) from error
