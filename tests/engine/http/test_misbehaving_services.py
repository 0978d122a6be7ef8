"""The short form of the proof `services`, the replies that break off anywhere, and proxies: over real sockets."""

import asyncio
import itertools
import math
import ssl
import struct
from contextlib import suppress
from random import Random
from socket import SO_LINGER, SOL_SOCKET

import pytest

from tests.long_running import services
from tests.support import fixtures, misbehaving_servers, servers
from tests.support.fixtures import KEY
from tests.support.scripted_service import ScriptedService, running
from tests.support.servers import serve_raw
from tests.support.virtual_time import HOUR, VirtualTransport, run_virtual, wall_time
from tests.support.waiting import DEADLINE, until
from tui.domain.models import Fault, FaultKind
from tui.engine.context import EngineContext
from tui.engine.downloads import http
from tui.engine.downloads.http import ConnectionLostError, FetchContext
from tui.engine.engine import Engine
from tui.engine.http.client import ApiRequest, Client, RequestLimits
from tui.engine.http.dns_loop import DnsThreadedLoop
from tui.engine.notifications.delivery import WebhookSender
from tui.providers.model import KeyHeader
from tui.providers.response import HttpResponse
from tui.storage.config.fields import WebhookUrl
from tui.storage.config.secrets import Secret

WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 20\r\n\r\n" + b'{"status":"PENDING"}'
ENDLESS = misbehaving_servers.repeat_forever(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")


@pytest.mark.timeout(10 * DEADLINE)
def test_each_of_many_wrong_services_has_its_own_fault():
    async def over(states):
        with suppress(TimeoutError):
            await until(lambda: not services.unexpected_jobs(states), 5 * DEADLINE)

    with services.serve_misbehaving() as urls:
        found = services.run(urls, 6.0, over)
    assert services.unexpected_jobs(found.states) == []


class Even(Random):
    """Chance that always falls in the middle, whoever draws how often."""

    def random(self):
        return 0.5


def test_a_good_service_is_asked_at_the_same_times_beside_many_that_never_answer(tmp_path):
    async def times(folder, *more):
        folder.mkdir()
        good, never = ScriptedService(lambda asked: running()), ScriptedService(lambda asked: running(), delay=math.inf)
        hosts = {"konpro": "good.test"} | dict.fromkeys(more, "never.test")
        jobs = {name: tuple(f"j{number}" for number in range(8)) for name in hosts}
        urls = {name: f"http://{host}" for name, host in hosts.items()}
        library = fixtures.make_workspace(folder, urls, jobs, accounts=tuple(hosts))
        wires = {"good.test": good, "never.test": never}
        session = Engine(
            library,
            fixtures.RecordingListener().publish,
            EngineContext.create(wall=wall_time, random=Even(), transport=lambda: VirtualTransport(wires)),
        )
        async with fixtures.running_engine(session):
            await asyncio.sleep(HOUR)
        library.close()
        assert bool(never.requests) == bool(more)
        return good.request_times()

    alone = run_virtual(times(tmp_path / "alone"))
    assert len(alone) > 100
    assert run_virtual(times(tmp_path / "beside", "heygen", "camb", "flixu")) == alone


async def asked(url: str, times: int = 1, **bounds: float) -> list[HttpResponse | Fault]:
    client = Client(clock=lambda: 0.0, tls=ssl.create_default_context, limits=RequestLimits(**bounds))
    async with client:
        request = ApiRequest(f"{url}/v1", KeyHeader(header="x-api-key"), Secret(KEY))
        return [await client.get(request) for _ in range(times)]


async def test_a_reply_that_is_reset_at_any_byte_is_a_fault_and_never_half_a_reply():
    offsets = itertools.count()

    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE[: next(offsets)])
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    with serve_raw(cut) as url:
        found = await asked(url, len(WHOLE))
    assert {each.kind for each in found} == {FaultKind.OFFLINE}


async def test_a_reply_that_ends_at_any_byte_is_a_fault_and_never_half_a_reply():
    offsets = itertools.count()

    async def cut(writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE[: next(offsets)])
        await writer.drain()

    with serve_raw(cut) as url:
        *found, whole = await asked(url, len(WHOLE) + 1)
    assert {each.kind for each in found} == {FaultKind.OFFLINE}
    assert whole.body == b'{"status":"PENDING"}'


async def test_replies_before_the_reply_are_bounded_and_the_loop_turns_meanwhile():
    with serve_raw(ENDLESS) as url:
        (fault,) = await asked(url, deadline=DEADLINE)
    assert fault.kind is FaultKind.OFFLINE
    assert "128 KiB came without an end of the headers" in fault.message


async def test_replies_before_the_reply_of_a_link_and_of_a_hook_are_bounded_too():
    with serve_raw(ENDLESS) as url:
        poster = WebhookSender(WebhookUrl.parse(url), DEADLINE)
        told = await poster.post(b"{}", "1", None, 0.0)
        await poster.close()
        way = FetchContext(base_url=url, key_header=KeyHeader(header="x-api-key"), key=None, insecure_http=True)
        async with http.build_client(ssl.create_default_context, None) as client:
            with pytest.raises(ConnectionLostError, match="128 KiB came without an end of the headers"):
                await http.open_response(client, way, http.RangeRequest(f"{url}/v.mp4", needs_key=False))
    assert "128 KiB came without an end of the headers" in told.problem


async def test_a_header_that_cannot_be_sent_is_told_without_the_key():
    client = Client(clock=lambda: 0.0, tls=ssl.create_default_context)
    with serve_raw(servers.silence) as url:
        async with client:
            fault = await client.get(ApiRequest(url, KeyHeader(header="x-api-key", prefix="a\r\nb: "), Secret(KEY)))
    assert fault.kind is FaultKind.REJECTED
    assert "see prefix" in fault.message
    assert KEY not in repr(fault)


@pytest.mark.parametrize(
    ("behaviour", "kind", "said"),
    [
        (
            misbehaving_servers.respond_with_body(b"", status=b"407 Proxy Authentication Required"),
            FaultKind.REJECTED,
            "",
        ),
        (servers.silence, FaultKind.TIMEOUT, "no"),
        (servers.reset_before_response, FaultKind.OFFLINE, "broke off"),
        (misbehaving_servers.send_and_close(b"SSH-2.0\r\n"), FaultKind.OFFLINE, "broke off, or did not speak HTTP"),
    ],
    ids=["wants-a-password", "silent", "resets", "no-proxy"],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_proxy_that_misbehaves_is_the_asks_fault(monkeypatch, behaviour, kind, said, scheme):
    with serve_raw(behaviour) as proxy:
        monkeypatch.setenv(f"{scheme.upper()}_PROXY", proxy)
        (found,) = await asked(f"{scheme}://api.test", deadline=0.5 if behaviour is servers.silence else DEADLINE)
    if isinstance(found, HttpResponse):
        assert (scheme, found.status) == ("http", 407)
    else:
        assert found.kind is (FaultKind.OFFLINE if kind is FaultKind.REJECTED else kind)
        assert (said or "the proxy does not let it through") in found.message


async def test_what_the_environment_says_of_proxies_holds(monkeypatch):
    good = misbehaving_servers.respond_with_body(b'{"status":"PENDING"}')
    with serve_raw(good) as proxy, serve_raw(misbehaving_servers.respond_with_body(b"direct")) as direct:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        (through,) = await asked("http://api.test")
        assert through.body == b'{"status":"PENDING"}', "api.test has no address: the proxy was asked"
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        (past,) = await asked(direct)
        assert past.body == b"direct"


def test_a_proxy_whose_name_hangs_is_a_timeout(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://hung.test:3128")
    with services.patched_resolver(), asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
        (found,) = runner.run(asked("https://api.test", deadline=0.5))
    assert found.kind is FaultKind.TIMEOUT
