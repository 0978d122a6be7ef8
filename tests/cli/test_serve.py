"""serve: the dashboard in a browser, and its access control."""

import asyncio
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import aiohttp
import httpx
import pytest

from tests.cli.conftest import Program
from tests.support.browser import CHROMIUM, open_browser
from tests.support.dashboard_page import open_dashboard, try_keys
from tests.support.waiting import DEADLINE, until
from tests.support.web import free_port
from tui.commands import COMMANDS

TOKEN = "a-token-of-more-than-sixteen"


class RunningServer(NamedTuple):
    """A `serve` of the real program."""

    url: str
    """Without a slash at its end."""
    pid: int
    first_line: str
    token: str


@contextmanager
def start_server(program: Program, *args: str, host: str = "127.0.0.1") -> Iterator[RunningServer]:
    port = free_port()
    process = program.start(*args, "serve", "--host", host, "--port", str(port))
    assert process.stderr is not None
    line = process.stderr.readline()
    assert "serving on" in line, process.communicate()
    printed = re.search(r"token=([\w-]+)", line)
    try:
        yield RunningServer(f"http://127.0.0.1:{port}", process.pid, line, printed[1] if printed else TOKEN)
    finally:
        process.terminate()
        completed = program.end(process)
        assert TOKEN not in line + completed.out + completed.err
        assert completed.out + completed.err == ""


def files(program: Program) -> dict[str, bytes]:
    """Return the operator's files: everything but the state, where the program keeps what it has polled."""
    everything = [path for path in program.folder.rglob("*") if program.state not in (path, *path.parents)]
    return {str(path): path.read_bytes() for path in everything if path.is_file()}


def save_picture(picture: bytes, folder: Path) -> None:
    """Save the picture to BABELTOP_PICTURE, else to the test's folder."""
    assert picture.startswith(b"\x89PNG")
    Path(os.environ.get("BABELTOP_PICTURE", folder / "browser.png")).write_bytes(picture)


@pytest.mark.waits
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium: apt-get install chromium")
async def test_a_job_is_added_and_ends_in_a_browser(configured: Program, tmp_path: Path) -> None:
    with start_server(configured) as server:
        async with open_browser(tmp_path / "profile") as tab:
            await tab.open(f"{server.url}/?token={server.token}")
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
            elsewhere = [each for each in tab.requests if not each.startswith((server.url, "data:", "about:", "blob:"))]
            assert tab.blocked == ["csp"] * len(elsewhere), elsewhere
    save_picture(picture, tmp_path)


def dashboards(parent: int) -> list[int]:
    """PIDs of a process's children."""
    completed = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False).stdout
    return [int(each) for each in completed.split()]


def exists(pid: int) -> bool:
    """Whether a process exists."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False


@pytest.mark.waits
async def test_a_dashboard_ends_with_its_browser_even_if_it_hangs(configured: Program) -> None:
    with start_server(configured) as server:
        headers = {"Authorization": f"Bearer {server.token}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            for hangs in (False, True):
                socket = await session.ws_connect(f"{server.url}/ws", origin=server.url)
                assert (await asyncio.wait_for(socket.receive(), DEADLINE)).type is aiohttp.WSMsgType.BINARY
                (pid,) = dashboards(server.pid)
                if hangs:
                    os.kill(pid, signal.SIGSTOP)
                await socket.close()
                await until(lambda pid=pid: not exists(pid))
                assert dashboards(server.pid) == []


async def test_without_a_token_one_is_printed_once_in_a_link_that_opens_the_dashboard(configured: Program) -> None:
    with start_server(configured) as server:
        link = re.fullmatch(
            r"babeltop: serving on (http://127.0.0.1:[0-9]+/\?token=[\w-]{43}); .*\n", server.first_line
        )
        assert link is not None
        async with httpx.AsyncClient() as stranger, httpx.AsyncClient() as browser:
            for path in ("/", "/ws", "/static/js/textual.js"):
                assert (await stranger.get(f"{server.url}{path}")).status_code == 401
            page = await browser.get(link[1], follow_redirects=True)
            assert (page.status_code, str(page.url)) == (200, f"{server.url}/")
            assert "textual-terminal" in page.text
    token = link[1].partition("=")[2]
    for path in configured.folder.rglob("*"):
        assert not path.is_file() or token.encode() not in path.read_bytes()
    assert "serving on 127.0.0.1" in (configured.state / "serve.log").read_text()
    assert not (configured.state / "babeltop.log").exists()


async def test_a_given_token_is_required_on_every_address_and_never_printed(configured: Program) -> None:
    configured.env["BABELTOP_SERVE_TOKEN"] = TOKEN
    with start_server(configured, host="0.0.0.0") as server:
        assert "token" not in server.first_line
        async with httpx.AsyncClient(base_url=server.url) as client:
            assert (await client.get("/")).status_code == 401
            assert (await client.post("/", data={"token": TOKEN})).status_code == 303
            assert (await client.get("/")).status_code == 200


@pytest.mark.longest
async def test_no_writing_command_of_a_readonly_server_changes_anything(configured: Program) -> None:
    """`long_running.serve` tries every key and every entry of the palette."""
    configured.with_jobs("flixu:doc_a-fine", more="download = true\n")
    with (configured.config / "config.toml").open("a") as config:
        config.write(f'[[hook]]\non = ["done"]\nrun = ["touch", "{configured.folder}/hooked"]\n')
    before = files(configured)
    with start_server(configured, "--readonly") as server:
        async with open_dashboard(server.url, server.token) as page:
            await page.wait_for("done")
            await try_keys(page, [each for each in COMMANDS if each.writes])
        assert page.texts == [], "no link was opened"
    assert files(configured) == before


def test_a_token_that_others_can_guess_or_read_is_refused(configured: Program) -> None:
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
