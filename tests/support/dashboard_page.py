"""Dashboard of a real `serve` over its WebSocket, without a browser: keys in, a screen out."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import asynccontextmanager

import aiohttp
import pyte

from tests.support.terminal import Screen
from tests.support.waiting import DEADLINE
from tui.commands import Command

COLUMNS, LINES = 120, 50
RETRY = 1.5
"""Seconds until a key is pressed again."""
ESCAPE = "\x1b[27u"
"""Escape in the keyboard protocol of kitty: it is complete, unlike a single ESC."""
KEY_BYTES = {
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "f1": "\x1bOP",
    "tab": "\t",
    "enter": "\r",
    "escape": ESCAPE,
    "slash": "/",
    "less_than_sign": "<",
    "greater_than_sign": ">",
}
PASTE = "\x1b[200~doc_pasted\x1b[201~"
HELP = "half a page down"
"""Text of the help."""


class DashboardPage:
    """Page of a dashboard: what it sends is drawn on a screen."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._screen = Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self._screen)
        self.texts: list[str] = []
        """Messages to the page, such as to open a link."""

    async def send(self, keys: str) -> None:
        await self._socket.send_json(["stdin", keys])

    async def wait_for(self, text: str) -> None:
        """Wait until the screen has the text."""
        if not await self.shows(text, within=DEADLINE):
            raise AssertionError(f"{text!r} never came:\n{self.text}")

    async def shows(self, text: str, *, within: float, is_shown: bool = True) -> bool:
        """Return whether the screen has the text, or has it no more, in time."""
        try:
            async with asyncio.timeout(within):
                while (text in self.text) is not is_shown:
                    message = await self._socket.receive()
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self.texts.append(message.data)
                    else:
                        assert message.type is aiohttp.WSMsgType.BINARY, message
                        self._stream.feed(message.data)
        except TimeoutError:
            return False
        return True

    @property
    def text(self) -> str:
        return self._screen.text

    async def close_dialogs(self) -> None:
        """Close what a command opened; then every key before has had its effect, since the help opens."""
        for _ in range(int(DEADLINE / RETRY)):
            await self.send(ESCAPE * 3 + "?")  # a dialog that is just closing swallows it
            if await self.shows(HELP, within=RETRY):
                break
        for _ in range(int(DEADLINE / RETRY)):
            await self.send(ESCAPE)
            if await self.shows(HELP, within=RETRY, is_shown=False):
                return
        raise AssertionError(f"the help never closed:\n{self.text}")


@asynccontextmanager
async def open_dashboard(url: str, token: str) -> AsyncIterator[DashboardPage]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(f"{url}/ws?width={COLUMNS}&height={LINES}") as socket,
    ):
        yield DashboardPage(socket)


async def try_keys(page: DashboardPage, commands: Iterable[Command]) -> int:
    """Press every key of the commands, and paste. Returns how many."""
    keys = [key for command in commands for key in command.keys]
    for key in [*keys, PASTE]:
        await page.send(PASTE if key == PASTE else key_bytes(key))
        await page.close_dialogs()
    return len(keys) + 1


async def try_palette(page: DashboardPage, commands: Collection[Command]) -> int:
    """Run commands that write nothing from the palette of a read-only dashboard. Returns how many."""
    for command in commands:
        same_title = [each for each in commands if each.title == command.title]
        await page.send(":")
        await page.wait_for("Search for commands")
        await page.send(f"\x1b[200~{command.title}\x1b[201~")  # pasted: one search instead of one per letter
        await page.wait_for(command.help)
        await page.send(KEY_BYTES["down"] * same_title.index(command) + "\r")
        await page.close_dialogs()
    return len(commands)


def key_bytes(key: str) -> str:
    """Return what a terminal sends for a key of the command table."""
    if key.startswith("ctrl+"):
        return chr(ord(key[5:]) & 0x1F)
    return KEY_BYTES.get(key) or (key if len(key) == 1 else unicodedata.lookup(key.replace("_", " ")))
