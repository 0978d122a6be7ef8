"""Dashboards over WebSockets: their size, messages, number and end."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import httpx
import pytest

from tests.support.waiting import DEADLINE
from tests.support.web import ECHO_COMMAND, TOKEN, serve_dashboards
from tui.cli.web.messages import MAX_COLUMNS, MAX_LINES, MAX_MESSAGE_BYTES
from tui.cli.web.server import MAX_DASHBOARDS

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}


@asynccontextmanager
async def open_socket(url: str, query: str = "") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with aiohttp.ClientSession(headers=HEADERS) as session, session.ws_connect(f"{url}/ws{query}") as socket:
        yield socket


async def receive(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    message = await asyncio.wait_for(socket.receive(), DEADLINE)
    assert message.type in {aiohttp.WSMsgType.BINARY, aiohttp.WSMsgType.TEXT}, message
    return message.data


async def test_a_terminal_is_bounded_at_its_start_and_over_the_socket():
    async with serve_dashboards() as url:
        for query, size in (("", "80x24"), ("?width=100&height=30", "100x30"), ("?width=-1&height=x", "80x24")):
            async with open_socket(url, query) as socket:
                assert await receive(socket) == size.encode()
        async with open_socket(url, f"?width=6000&height={'9' * 5000}") as socket:
            assert await receive(socket) == f"{MAX_COLUMNS}x24".encode()
            await socket.send_json(["resize", {"width": 6000, "height": 6000}])
            resized = await receive(socket)
            assert json.loads(resized[1:]) == {"type": "resize", "width": MAX_COLUMNS, "height": MAX_LINES}


async def test_messages_of_another_form_are_ignored_and_large_ones_end_the_dashboard():
    async with serve_dashboards() as url, open_socket(url) as socket:
        assert await receive(socket) == b"80x24"
        for wrong in ("", "[", '["stdin"]', '["quit"]', '{"type":"quit"}', "[" * 100_000, '["stdin","\\ud800"]'):
            await socket.send_str(wrong)
        await socket.send_bytes(b"\xff" * 1000)
        await socket.send_json(["ping", "12"])
        assert await receive(socket) == '["pong","12"]'
        await socket.send_json(["stdin", "j"])
        assert await receive(socket) == b"Dj"
        await socket.send_str("x" * (MAX_MESSAGE_BYTES + 1))
        assert (await asyncio.wait_for(socket.receive(), DEADLINE)).type is aiohttp.WSMsgType.CLOSE


async def test_a_dashboard_too_many_is_refused():
    async with serve_dashboards() as url, aiohttp.ClientSession(headers=HEADERS) as session:
        sockets = [await session.ws_connect(f"{url}/ws") for _ in range(MAX_DASHBOARDS)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await session.ws_connect(f"{url}/ws")
        assert error.value.status == 503
        await asyncio.gather(*(each.close() for each in sockets))
        async with asyncio.timeout(DEADLINE):
            while (await session.get(f"{url}/ws", headers=UPGRADE)).status == 503:  # noqa: ASYNC110  other processes
                await asyncio.sleep(0.01)


async def test_the_messages_of_a_dashboard_that_does_not_start_are_logged(caplog: pytest.LogCaptureFixture):
    failing = (sys.executable, "-I", "-S", "-c", "import sys; sys.exit('config.toml: no \\x1b[31mtable')")
    async with serve_dashboards(command=failing) as url, open_socket(url) as socket:
        assert (await asyncio.wait_for(socket.receive(), DEADLINE)).type is aiohttp.WSMsgType.CLOSE
    assert "ended with exit code 1: config.toml: no table" in caplog.text


async def test_dashboards_end_with_their_server():
    async with serve_dashboards(command=ECHO_COMMAND) as url, aiohttp.ClientSession(headers=HEADERS) as session:
        socket = await session.ws_connect(f"{url}/ws")
        assert await receive(socket) == b"80x24"
    assert (await asyncio.wait_for(socket.receive(), DEADLINE)).type in {
        aiohttp.WSMsgType.CLOSE,
        aiohttp.WSMsgType.CLOSED,
    }


async def test_the_server_ends_while_a_browser_keeps_its_connection(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("tui.cli.web.server.STOP_TIMEOUT", 2 * DEADLINE)
    async with httpx.AsyncClient(headers=HEADERS, verify=False) as browser, asyncio.timeout(DEADLINE):
        async with serve_dashboards() as url:
            assert (await browser.get(url)).status_code == 200
        with pytest.raises(httpx.ConnectError):
            await browser.get(url)
