"""Tests over real sockets: the short form of `long_running.services`, truncated responses, and proxies."""

import asyncio
import itertools
import math
import ssl
import struct
from contextlib import suppress
from random import Random
from socket import SO_LINGER, SOL_SOCKET

import pytest

from tests.engine.http.test_faults import respond
from tests.long_running import services
from tests.support import fixtures, misbehaving_servers, servers
from tests.support.fixtures import KEY
from tests.support.scripted_service import ScriptedService, running
from tests.support.servers import serve_raw
from tests.support.virtual_time import MINUTE, VirtualTransport, run_virtual, wall_time
from tests.support.waiting import DEADLINE, until
from tui.domain.models import Fault, FaultKind
from tui.engine.context import EngineContext
from tui.engine.downloads import http
from tui.engine.downloads.http import ConnectionLostError, FetchContext
from tui.engine.engine import Engine
from tui.engine.http import client
from tui.engine.http.client import ApiRequest, Client, RequestLimits
from tui.engine.http.dns_loop import DnsThreadedLoop
from tui.engine.notifications.delivery import WebhookSender
from tui.providers.model import KeyHeader
from tui.providers.response import HttpResponse
from tui.storage.config.fields import WebhookUrl
from tui.storage.config.secrets import Secret

RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n" + b'{"status":"PENDING"}'
ENDLESS = misbehaving_servers.repeat_forever(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")


@pytest.mark.timeout(25 * DEADLINE)
def test_each_misbehaving_service_has_its_own_fault(monkeypatch):
    async def until_expected(states):
        with suppress(TimeoutError):
            await until(lambda: not services.unexpected_jobs(states), 10 * DEADLINE)

    for name in ("CONNECT_TIMEOUT", "READ_TIMEOUT"):  # all are polled at once, which takes a slow machine longer
        monkeypatch.setattr(client, name, 5 * DEADLINE)
    silent = {name for name, kind in misbehaving_servers.expected_faults().items() if kind is FaultKind.TIMEOUT}
    with services.serve_misbehaving() as urls:
        for names, deadline in ((silent, 1.0), (urls.keys() - silent, 5 * DEADLINE)):
            found = services.run({name: urls[name] for name in names}, deadline, until_expected)
            assert services.unexpected_jobs(found.states) == []


class Even(Random):
    """Random source that always returns the middle."""

    def random(self):
        return 0.5


def test_services_that_never_respond_do_not_change_when_a_good_one_is_polled(tmp_path):
    async def times(folder, *more):
        folder.mkdir()
        good, never = (
            ScriptedService(lambda request: running()),
            ScriptedService(lambda request: running(), delay=math.inf),
        )
        hosts = {"konpro": "good.test"} | dict.fromkeys(more, "never.test")
        jobs = {name: tuple(f"j{number}" for number in range(8)) for name in hosts}
        urls = {name: f"http://{host}" for name, host in hosts.items()}
        library = fixtures.make_workspace(folder, urls, jobs, accounts=tuple(hosts))
        wires = {"good.test": good, "never.test": never}
        engine = Engine(
            library,
            fixtures.RecordingListener().publish,
            EngineContext.create(wall=wall_time, random=Even(), transport=lambda: VirtualTransport(wires)),
            tick_interval=MINUTE,
        )
        async with fixtures.running_engine(engine):
            await asyncio.sleep(10 * MINUTE)
        library.close()
        assert bool(never.requests) == bool(more)
        return good.request_times()

    alone = run_virtual(times(tmp_path / "alone"))
    assert len(alone) > 50
    assert run_virtual(times(tmp_path / "beside", "heygen-v2", "camb", "flixu")) == alone


async def send_requests(url: str, times: int = 1, **bounds: float) -> list[HttpResponse | Fault]:
    client = Client(clock=lambda: 0.0, tls=ssl.create_default_context, limits=RequestLimits(**bounds))
    async with client:
        request = ApiRequest(f"{url}/v1", KeyHeader(header="x-api-key"), Secret(KEY))
        return [await client.send(request) for _ in range(times)]


async def test_a_response_reset_at_any_byte_is_a_fault():
    offsets = itertools.count()

    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(RESPONSE[: next(offsets)])
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    with serve_raw(cut) as url:
        found = await send_requests(url, len(RESPONSE))
    assert {each.kind for each in found} == {FaultKind.OFFLINE}


async def test_a_response_truncated_at_any_byte_is_a_fault():
    offsets = itertools.count()

    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(RESPONSE[: next(offsets)])
        await writer.drain()

    with serve_raw(cut) as url:
        *found, whole = await send_requests(url, len(RESPONSE) + 1)
    assert {each.kind for each in found} == {FaultKind.OFFLINE}
    assert whole.body == b'{"status":"PENDING"}'


async def test_informational_responses_are_limited():
    with serve_raw(ENDLESS) as url:
        (fault,) = await send_requests(url, deadline=DEADLINE)
    assert fault.kind is FaultKind.OFFLINE
    assert "response headers exceed 128 KiB" in fault.message


async def test_informational_responses_are_limited_for_downloads_and_webhooks_too():
    with serve_raw(ENDLESS) as url:
        sender = WebhookSender(WebhookUrl.parse(url), DEADLINE)
        result = await sender.post(b"{}", "1", None, 0.0)
        await sender.close()
        context = FetchContext(base_url=url, key_header=KeyHeader(header="x-api-key"), key=None, insecure_http=True)
        async with http.build_client(ssl.create_default_context, None) as client:
            with pytest.raises(ConnectionLostError, match="response headers exceed 128 KiB"):
                await http.open_response(client, context, http.RangeRequest(f"{url}/v.mp4", needs_key=False))
    assert "response headers exceed 128 KiB" in result.problem


async def test_no_cookie_of_a_service_is_kept():
    client = Client(clock=lambda: 0.0, tls=ssl.create_default_context)
    with serve_raw(respond("200 OK", b"{}", "set-cookie: session=1; path=/")) as url:
        async with client:
            response = await client.send(ApiRequest(f"{url}/v1", KeyHeader(header="x-api-key"), Secret(KEY)))
            assert "set-cookie" in response.headers
            assert not list(client._http.cookies.jar)


async def test_the_fault_of_an_invalid_header_does_not_contain_the_key():
    client = Client(clock=lambda: 0.0, tls=ssl.create_default_context)
    with serve_raw(servers.silence) as url:
        async with client:
            fault = await client.send(ApiRequest(url, KeyHeader(header="x-api-key", prefix="a\r\nb: "), Secret(KEY)))
    assert fault.kind is FaultKind.REJECTED
    assert "check the key" in fault.message
    assert KEY not in repr(fault)


@pytest.mark.parametrize(
    ("behaviour", "kind", "message"),
    [
        (
            misbehaving_servers.respond_with_body(b"", status=b"407 Proxy Authentication Required"),
            FaultKind.REJECTED,
            "",
        ),
        (servers.silence, FaultKind.TIMEOUT, "no"),
        (servers.reset_before_response, FaultKind.OFFLINE, "connection"),
        (misbehaving_servers.send_and_close(b"SSH-2.0\r\n"), FaultKind.OFFLINE, "connection closed early, or not HTTP"),
    ],
    ids=["password", "silent", "reset", "not-http"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_misbehaving_proxy_is_a_fault(monkeypatch, behaviour, kind, message, scheme):
    with serve_raw(behaviour) as proxy:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy)
        (found,) = await send_requests(
            f"{scheme}://api.test", deadline=0.5 if behaviour is servers.silence else DEADLINE
        )
    if isinstance(found, HttpResponse):
        assert (scheme, found.status) == ("http", 407)
    else:
        assert found.kind is (FaultKind.OFFLINE if kind is FaultKind.REJECTED else kind)
        assert (message or "the proxy refused the connection") in found.message


async def test_the_proxy_variables_of_the_environment_apply(monkeypatch):
    good = misbehaving_servers.respond_with_body(b'{"status":"PENDING"}')
    with serve_raw(good) as proxy, serve_raw(misbehaving_servers.respond_with_body(b"direct")) as direct:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        (through,) = await send_requests("http://api.test")
        assert through.body == b'{"status":"PENDING"}', "api.test has no address, so the proxy was used"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        (past,) = await send_requests(direct)
        assert past.body == b"direct"


def test_a_proxy_with_a_hanging_name_is_a_timeout(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://hung.test:3128")
    with services.patched_resolver(), asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
        (found,) = runner.run(send_requests("https://api.test", deadline=0.5))
    assert found.kind is FaultKind.TIMEOUT
