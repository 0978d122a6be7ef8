"""Headless Chromium over its DevTools protocol; the bytes of a page's WebSocket are drawn as a terminal screen.

The screenshot is what an operator sees; the text comes from the bytes that the browser received.
"""

import asyncio
import base64
import itertools
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import pyte

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TIMEOUT = 60.0


class BrowserPage:
    """Tab of the browser."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._request_ids = itertools.count(1)
        self._responses: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self.screen)
        self.text_messages: list[str] = []
        """Text messages to the page, such as to open a link."""
        self.requests: list[str] = []
        """URLs that the page requested."""
        self.blocked: list[str] = []
        """Reasons of requests that the browser blocked."""

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        number = next(self._request_ids)
        self._responses[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(TIMEOUT):
            return await self._responses[number]

    async def read_events(self) -> None:
        async for message in self._socket:
            shown = json.loads(message.data)
            if "id" in shown:
                self._responses.pop(shown["id"]).set_result(shown.get("result", {}))
            elif shown["method"] == "Network.webSocketFrameReceived":
                frame = shown["params"]["response"]
                if frame["opcode"] == 1:
                    self.text_messages.append(frame["payloadData"])
                elif frame["opcode"] == 2:
                    self._stream.feed(base64.b64decode(frame["payloadData"]))
            elif shown["method"] == "Network.webSocketFrameSent":
                self._apply_resize(shown["params"]["response"]["payloadData"])
            elif shown["method"] == "Network.requestWillBeSent":
                self.requests.append(shown["params"]["request"]["url"])
            elif shown["method"] == "Network.loadingFailed" and "blockedReason" in shown["params"]:
                self.blocked.append(shown["params"]["blockedReason"])

    def _apply_resize(self, sent: str) -> None:
        if sent.startswith('["resize"'):
            size = json.loads(sent)[1]
            self.screen.resize(size["height"], size["width"])

    @property
    def text(self) -> str:
        return "\n".join(line.rstrip() for line in self.screen.display)

    async def wait_for(self, condition: Callable[[str], bool], seconds: float = TIMEOUT) -> bool:
        """Return whether the screen satisfies the condition in time."""
        end = asyncio.get_running_loop().time() + seconds
        while not condition(self.text):
            if asyncio.get_running_loop().time() > end:
                return False
            await asyncio.sleep(0.05)
        return True

    async def open(self, url: str) -> None:
        await self.call("Page.navigate", url=url)

    async def type(self, text: str) -> None:
        for letter in text:
            await self.call("Input.dispatchKeyEvent", type="keyDown", key=letter, text=letter)
            await self.call("Input.dispatchKeyEvent", type="keyUp", key=letter)

    async def press(self, name: str, code: int) -> None:
        """Press a key by its name and Windows code, such as Enter, 13."""
        common = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        text = {"text": "\r"} if name == "Enter" else {}
        await self.call("Input.dispatchKeyEvent", type="keyDown", **common, **text)
        await self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        return (await self.call("Runtime.evaluate", expression=expression))["result"].get("value")

    async def click(self, x: int, y: int) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            await self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    async def screenshot(self) -> bytes:
        """Return a PNG of the page."""
        return base64.b64decode((await self.call("Page.captureScreenshot", format="png"))["data"])


@asynccontextmanager
async def open_browser(folder: Path, width: int = 1280, height: int = 800) -> AsyncIterator[BrowserPage]:
    """Yield a tab of a new Chromium with its profile in `folder`."""
    assert CHROMIUM is not None
    with TemporaryDirectory(ignore_cleanup_errors=True) as own:  # it leaves a socket there, whose path has to be short
        process = await asyncio.create_subprocess_exec(
            CHROMIUM,
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--remote-debugging-port=0"),
            *(f"--user-data-dir={folder}", f"--window-size={width},{height}", "about:blank"),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": own},
        )
        try:
            async with asyncio.timeout(TIMEOUT):
                while not (port := _debugging_port(folder)):  # noqa: ASYNC110  another process writes it
                    await asyncio.sleep(0.05)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json") as reply:
                    tabs = await reply.json()
                url = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
                async with session.ws_connect(url, max_msg_size=0) as socket:
                    tab = BrowserPage(socket)
                    listening = asyncio.create_task(tab.read_events())
                    try:
                        for domain in ("Page", "Network", "Runtime"):
                            await tab.call(f"{domain}.enable")
                        yield tab
                    finally:
                        listening.cancel()
        finally:
            process.terminate()
            await process.wait()


def _debugging_port(folder: Path) -> int:
    file = folder / "DevToolsActivePort"
    lines = file.read_text().splitlines() if file.exists() else []
    return int(lines[0]) if lines else 0
