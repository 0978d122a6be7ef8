"""Tests of the environment's proxy: requests to this machine bypass it, with their key, link and body."""

import asyncio
import ssl
from collections.abc import Iterator

import httpx
import pytest

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.servers import serve_app, serve_raw
from tui.domain.models import FaultKind, Phase, Ref
from tui.engine.downloads import http
from tui.engine.engine import Engine
from tui.engine.notifications.delivery import WebhookSender
from tui.simulator.app import Simulator
from tui.simulator.scenario import Scenario
from tui.storage.config.fields import WebhookUrl

A = Ref("heygen", "a-fine")


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Requests that the proxy received."""
    seen: list[str] = []

    async def keep(writer: asyncio.StreamWriter) -> None:
        seen.append("request")
        writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")

    with serve_raw(keep) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield seen


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_poll_of_this_machine_bypasses_the_proxy(tmp_path, proxied, host):
    with serve_app(Simulator(scenarios=[Scenario("a-fine", started_at=0.0)])) as base:
        library = fixtures.make_workspace(tmp_path, base.replace("127.0.0.1", host), {"heygen": ("a-fine",)})
        engine = Engine(library, RecordingListener().publish)
        await engine.open()
        await engine.poll_once([A])
        assert engine.states[A].phase is Phase.DONE
        library.close()
    assert proxied == []


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", ["127.0.0.2", "127.1", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "api.localhost"])
async def test_no_spelling_of_this_machine_uses_the_proxy(tmp_path, proxied, host, scheme):
    library = fixtures.make_workspace(tmp_path, f"{scheme}://{host}:9", {"heygen": ("a-fine",)})
    engine = Engine(library, RecordingListener().publish)
    await engine.open()
    await engine.poll_once([A])
    assert engine.states[A].fault.kind is FaultKind.OFFLINE
    library.close()
    sender = WebhookSender(WebhookUrl(f"{scheme}://{host}:9/hook"), 5.0)
    assert (await sender.post(b"{}", "1", None, 0.0)).problem.startswith("cannot be reached")
    await sender.close()
    async with http.build_client(ssl.create_default_context, None) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"{scheme}://{host}:9/file")
    assert proxied == []


async def test_a_poll_of_another_host_uses_the_proxy(tmp_path, proxied):
    library = fixtures.make_workspace(tmp_path, "http://api.test", {"heygen": ("a-fine",)})
    engine = Engine(library, RecordingListener().publish)
    await engine.open()
    await engine.poll_once([A])
    assert engine.states[A].fault.kind is FaultKind.SERVER
    library.close()
    assert proxied


async def test_a_download_from_this_machine_bypasses_the_proxy(proxied):
    with serve_app(Simulator()) as base:
        async with http.build_client(ssl.create_default_context, None) as client:
            response = await client.get(f"{base}/nothing", auth=httpx.USE_CLIENT_DEFAULT)
    assert response.status_code != 502
    assert proxied == []
