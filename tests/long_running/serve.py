"""Ten thousand random requests and messages of browsers to a real `serve`, which then still works; and --readonly.

A third of them are messages to real dashboards. At the end a browser opens a dashboard, the server has as many file
descriptors as at its start, and serve.log has its first line and no internal error. Then every key of every command,
and every entry of the palette, which has none that writes, is tried at `--readonly serve`: no file but the state
changes.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import aiohttp

from tests.support.dashboard_page import open_dashboard, try_keys, try_palette
from tests.support.fork_server import start_program
from tests.support.servers import serve_app
from tests.support.waiting import DEADLINE, until
from tests.support.web import free_port, send_raw
from tests.support.web_fuzz import random_message, random_request
from tui.commands import COMMANDS
from tui.simulator.app import Simulator

REQUESTS, MESSAGES = 6700, 3300
CONCURRENCY = 8
PATIENCE = 0.1
"""Seconds until a request without an end is given up."""
MESSAGES_PER_DASHBOARD = 300
JOBS = "".join(f'[[job]]\naccount = "camb"\nkind = "dub"\nid = "job-{number}"\n' for number in range(20))
CONFIG = '[accounts.camb]\nbase_url = "http://127.0.0.1:9"\napi_key = { env = "FUZZ_KEY" }\n'
BAD_LINE = re.compile("Traceback|internal error|Unhandled|Error handling|never retrieved|exit code", re.IGNORECASE)


async def send_requests(url: str, token: str, random: Random, count: int) -> None:
    """Send random requests, several at a time."""
    requests = iter([random_request(random, token) for _ in range(count)])

    async def send_some() -> None:
        for request in requests:
            await send_raw(url, request, PATIENCE)

    await asyncio.gather(*(send_some() for _ in range(CONCURRENCY)))


async def send_messages(session: aiohttp.ClientSession, url: str, random: Random, count: int) -> None:
    """Send random messages to dashboards; one that a message ends is followed by another."""
    sent = 0
    while sent < count:
        async with session.ws_connect(f"{url}/ws?width=100&height=30") as socket:
            assert (await socket.receive(DEADLINE)).type is aiohttp.WSMsgType.BINARY
            reading = asyncio.create_task(_read_all(socket))
            for _ in range(min(MESSAGES_PER_DASHBOARD, count - sent)):
                sent += 1
                message = random_message(random)
                try:
                    await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))
                except (ConnectionError, aiohttp.ClientError):
                    break
                if reading.done():
                    break
            await socket.close()
            reading.cancel()
            await asyncio.wait({reading})


async def _read_all(socket: aiohttp.ClientWebSocketResponse) -> None:
    async for _ in socket:
        pass


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir())) if Path("/proc").is_dir() else 0


async def attack(url: str, token: str, pid: int, random: Random) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with session.get(url, params={"token": token}) as page:
            assert page.status == 200
        before = descriptors(pid)
        await asyncio.gather(send_requests(url, token, random, REQUESTS), send_messages(session, url, random, MESSAGES))
        async with session.get(url) as page:
            assert page.status == 200, "the cookie is still valid"
        async with session.ws_connect(f"{url}/ws") as socket:
            assert (await socket.receive(DEADLINE)).type is aiohttp.WSMsgType.BINARY, "a dashboard opens"
        await until(lambda: descriptors(pid) <= before + 2)
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as newcomer,
        newcomer.get(url, params={"token": token}) as page,
    ):
        assert page.status == 200, "the link still opens"


async def try_everything(url: str, token: str) -> tuple[int, int]:
    """Try every command that does not end the dashboard. Returns the number of keys and of entries of the palette."""
    commands = [each for each in COMMANDS if each.id not in {"quit", "close", "interrupt"}]
    async with open_dashboard(url, token) as page:
        entries = await try_palette(page, [each for each in commands if each.id != "palette" and not each.writes])
    async with open_dashboard(url, token) as page:
        keys = await try_keys(page, commands)
    assert page.texts == [], "a link was opened"
    return keys, entries


def prove_readonly() -> None:
    with TemporaryDirectory() as folder, serve_app(Simulator(speed=2000)) as service:
        config, state, port = Path(folder, "config"), Path(folder, "state"), free_port()
        config.mkdir(mode=0o700)
        account = f'[accounts.flixu]\nbase_url = "{service}"\napi_key = {{ env = "FUZZ_KEY" }}\n'
        hook = f'[[hook]]\non = ["done"]\nrun = ["touch", "{folder}/hooked"]\n'
        (config / "config.toml").write_text(account + hook)
        jobs = "".join(f'[[job]]\naccount = "flixu"\nid = "doc_{n}-fine"\ndownload = true\n' for n in range(3))
        (config / "watchlist.toml").write_text(jobs)
        env = os.environ | {"BABELTOP_CONFIG_DIR": str(config), "BABELTOP_STATE_DIR": str(state), "FUZZ_KEY": "k-27182"}
        env["HOME"] = folder
        before = _files(Path(folder), state)
        command = ("-m", "tui", "--readonly", "serve", "--port", str(port))
        with start_program(*command, env=env, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                token = re.search(r"token=(\S+);", process.stderr.readline())
                assert token is not None
                keys, entries = asyncio.run(try_everything(f"http://127.0.0.1:{port}", token[1]))
            finally:
                process.send_signal(signal.SIGTERM)
                process.communicate(timeout=DEADLINE)
        assert _files(Path(folder), state) == before
        print(f"serve --readonly: {keys} keys and {entries} entries of the palette changed nothing")


def _files(folder: Path, state: Path) -> dict[str, bytes]:
    found = [path for path in folder.rglob("*") if path.is_file() and state not in path.parents]
    return {str(path): path.read_bytes() for path in found}


def main(seed: int = 0) -> None:
    fuzz(seed)
    prove_readonly()


def fuzz(seed: int) -> None:
    with TemporaryDirectory() as folder:
        config, state, port = Path(folder, "config"), Path(folder, "state"), free_port()
        config.mkdir(mode=0o700)
        (config / "config.toml").write_text(CONFIG)
        (config / "watchlist.toml").write_text(JOBS)
        env = os.environ | {
            "BABELTOP_CONFIG_DIR": str(config),
            "BABELTOP_STATE_DIR": str(state),
            "FUZZ_KEY": "k-2718281828459",
        }
        command = ("-m", "tui", "serve", "--port", str(port))
        with start_program(*command, env=env, stderr=subprocess.PIPE, text=True) as process:
            try:
                assert process.stderr is not None
                token = re.search(r"token=(\S+);", process.stderr.readline())
                assert token is not None
                first_line = (state / "serve.log").read_text().splitlines()[0]
                asyncio.run(attack(f"http://127.0.0.1:{port}", token[1], process.pid, Random(seed)))
            finally:
                process.send_signal(signal.SIGTERM)
                _, errors = process.communicate(timeout=DEADLINE)
        lines = (state / "serve.log").read_text().splitlines()
        assert process.returncode == 0, errors
        assert errors == "", errors
        assert lines[0] == first_line
        bad = [line for line in lines if BAD_LINE.search(line)]
        assert not bad, json.dumps(bad[:10], indent=1)
        assert token[1] not in "\n".join(lines)
        assert sorted(path.name for path in state.glob("serve.log*")) == ["serve.log"]
        print(f"serve: {REQUESTS} random requests, {MESSAGES} messages; {len(lines)} lines in the log, 0 of errors")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
