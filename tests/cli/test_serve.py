"""serve: the dashboard in a browser, and its access control."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import httpx
import pytest

from tests.cli.conftest import Program
from tests.support.browser import CHROMIUM, open_browser
from tests.support.waiting import DEADLINE, until, wait_until

TOKEN = "a-token-of-more-than-sixteen"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def serve(program: Program, *args: str, host: str = "127.0.0.1") -> Iterator[str]:
    with start_server(program, *args, host=host) as (url, _):
        yield url


@contextmanager
def start_server(program: Program, *args: str, host: str) -> Iterator[tuple[str, int]]:
    """URL and PID of a server."""
    port = free_port()
    process = program.start("serve", "--host", host, "--port", str(port), *args)
    url = f"http://127.0.0.1:{port}"
    try:
        _wait_for(port, process)
        yield url, process.pid
    finally:
        process.terminate()
        completed = program.end(process)
        assert TOKEN not in completed.out + completed.err


def _wait_for(port: int, process: subprocess.Popen[str]) -> None:
    def listens() -> bool:
        assert process.poll() is None, process.communicate()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens)


def save_picture(picture: bytes, folder: Path) -> None:
    """Save the picture to BABELTOP_PICTURE, else to the test's folder."""
    assert picture.startswith(b"\x89PNG")
    Path(os.environ.get("BABELTOP_PICTURE", folder / "browser.png")).write_bytes(picture)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
async def test_a_job_is_added_and_ends_in_a_browser(configured: Program, tmp_path: Path) -> None:
    with serve(configured) as url:
        async with open_browser(tmp_path / "profile") as tab:
            await tab.open(url)
            assert await tab.wait_for(lambda text: "babeltop" in text and "konpro" in text), tab.text
            await tab.click(600, 300)
            await tab.type("a")
            assert await tab.wait_for(lambda text: "Nothing to add yet" in text), tab.text
            await tab.type("doc_browser-fine")
            assert await tab.wait_for(lambda text: "doc_browser-fine" in text), tab.text
            await tab.press("Enter", 13)
            await tab.press("Enter", 13)
            assert await tab.wait_for(lambda text: "done" in text), tab.text
            picture = await tab.screenshot()
            await tab.type("o")
            assert await tab.wait_for(lambda text: "sent to the browser" in text), tab.text
            assert any('"open_url"' in each and "doc_browser-fine" in each for each in tab.text_messages)
            elsewhere = [each for each in tab.requests if not each.startswith((url, "data:", "about:", "blob:"))]
            assert tab.blocked == ["csp"] * len(elsewhere), elsewhere
    save_picture(picture, tmp_path)


async def test_another_page_cannot_access_the_dashboard(configured: Program) -> None:
    with serve(configured) as url:
        port = url.rpartition(":")[2]
        async with httpx.AsyncClient() as client:
            own = await client.get(url)
            assert own.status_code == 200
            assert "default-src 'self'" in own.headers["content-security-policy"]
            rebound = await client.get(url, headers={"Host": f"evil.example:{port}"})
            assert rebound.status_code == 403
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as error:
                await session.ws_connect(f"{url}/ws", origin="https://evil.example")
            assert error.value.status == 403
            socket = await session.ws_connect(f"{url}/ws", origin=url)
            assert (await asyncio.wait_for(socket.receive(), DEADLINE)).type is aiohttp.WSMsgType.BINARY
            await socket.close()


def dashboards(parent: int) -> list[int]:
    """PIDs of a process's children."""
    completed = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False).stdout
    return [int(each) for each in completed.split()]


async def test_a_dashboard_ends_with_its_browser_even_if_it_hangs(configured: Program) -> None:
    with start_server(configured, host="127.0.0.1") as (url, ours):
        async with aiohttp.ClientSession() as session:
            for hangs in (False, True):
                socket = await session.ws_connect(f"{url}/ws", origin=url)
                assert (await asyncio.wait_for(socket.receive(), DEADLINE)).type is aiohttp.WSMsgType.BINARY
                (pid,) = dashboards(ours)
                if hangs:
                    os.kill(pid, signal.SIGSTOP)
                await socket.close()
                await until(lambda: not dashboards(ours))


async def test_every_request_without_the_token_is_refused(configured: Program) -> None:
    configured.env["BABELTOP_SERVE_TOKEN"] = TOKEN
    with serve(configured, host="0.0.0.0") as url:
        async with httpx.AsyncClient(base_url=url) as client:
            for path in ("/", "/ws", "/static/js/textual.js", "/download/x", "/nothing"):
                assert (await client.get(path)).status_code == 401, path
            assert (await client.post("/", data={"token": "a-token-of-more-than-sixteeN"})).status_code == 401
            assert (await client.get("/", headers={"Authorization": "Bearer wrong"})).status_code == 401
            assert (await client.get("/", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200
            welcome = await client.post("/", data={"token": TOKEN})
            cookie = welcome.headers["set-cookie"]
            assert (welcome.status_code, welcome.headers["location"]) == (303, "/")
            assert "HttpOnly" in cookie
            assert "SameSite=Strict" in cookie
            assert TOKEN not in cookie
            assert (await client.get("/")).status_code == 200
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError) as error:
                await session.ws_connect(f"{url}/ws")
            assert error.value.status == 401


def test_another_address_without_a_token_is_refused(configured: Program) -> None:
    for completed in configured.run_in_parallel("serve --host 0.0.0.0", "serve --host ::", "serve --host 192.0.2.1"):
        assert completed.code == 2
        assert "BABELTOP_SERVE_TOKEN" in completed.err
    file = configured.folder / "token"
    file.write_text("short")
    file.chmod(0o600)
    assert "at least 16 characters" in configured("serve", "--token-file", str(file)).err
    file.write_text(TOKEN)
    file.chmod(0o644)
    completed = configured("serve", "--host", "0.0.0.0", "--token-file", str(file))
    assert (completed.code, f"chmod 600 {file}" in completed.err) == (2, True)


def test_a_port_in_use_is_reported(configured: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        completed = configured("serve", "--port", str(port))
    assert completed.code == 2
    assert f"port {port}" in completed.err
