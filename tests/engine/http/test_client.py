"""When a request of the client leaves."""

import asyncio
import ssl

from tests.support import misbehaving_servers
from tests.support.fixtures import KEY
from tests.support.scripted_service import ScriptedService, running
from tests.support.servers import serve_raw
from tests.support.virtual_time import VirtualTransport, run_virtual, wall_time
from tests.support.waiting import until
from tui.domain.models import Fault
from tui.engine.http.client import ApiRequest, Client, RequestLimits
from tui.providers.model import KeyHeader
from tui.storage.config.secrets import Secret


def request(url: str) -> ApiRequest:
    return ApiRequest(f"{url}/v1", KeyHeader(header="x-api-key"), Secret(KEY))


async def test_a_request_may_be_refused_until_its_first_byte_is_written():
    accepted, received = asyncio.Event(), list[bytes]()

    async def record(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.set()
        received.append(await reader.read())
        writer.close()

    async def refuse() -> bool:
        await accepted.wait()
        assert not received, "the connection is open, and nothing is sent"
        return False

    async with await asyncio.start_server(record, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Client(clock=lambda: 0.0, tls=ssl.create_default_context) as client:
            assert await client.send(request(f"http://127.0.0.1:{port}"), refuse) is None
            await until(lambda: received)
    assert received == [b""]


async def test_the_request_to_a_proxy_for_a_tunnel_is_none_to_the_service(monkeypatch):
    left = list[None]()

    async def may_leave() -> bool:
        left.append(None)
        return True

    with serve_raw(misbehaving_servers.respond_with_body(b"", status=b"407 Proxy Authentication Required")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        async with Client(clock=lambda: 0.0, tls=ssl.create_default_context) as client:
            assert isinstance(await client.send(request("https://api.test"), may_leave), Fault)
    assert left == []


def test_the_time_until_a_request_may_leave_is_no_part_of_its_deadline():
    async def scenario() -> None:
        service = ScriptedService(lambda _request: running(), delay=5.0)

        async def wait() -> bool:
            await asyncio.sleep(60.0)
            return True

        client = Client(
            clock=wall_time,
            tls=ssl.create_default_context,
            transport=lambda: VirtualTransport({"sim.test": service}),
            limits=RequestLimits(deadline=10.0),
        )
        async with client:
            assert not isinstance(await client.send(request("http://sim.test"), wait), Fault)
            service.delay = 15.0
            assert isinstance(await client.send(request("http://sim.test"), wait), Fault)

    run_virtual(scenario())
