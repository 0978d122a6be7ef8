"""Report in a browser at the width of a phone and of a desk."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.browser import TIMEOUT, BrowserPage, open_browser

WIDTHS = {"phone": 390, "desk": 1400}
"""CSS pixels."""


@asynccontextmanager
async def open_report(page: Path, folder: Path) -> AsyncIterator[BrowserPage]:
    """Yield a tab of a new browser, with its profile in `folder`, that shows the page."""
    async with open_browser(folder) as tab:
        await tab.open(page.as_uri())
        async with asyncio.timeout(TIMEOUT):
            while await tab.evaluate("document.readyState + location.protocol") != "completefile:":  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        yield tab


async def show_at(tab: BrowserPage, width: int) -> None:
    """Lay the page out for a width."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    await tab.call("Emulation.setDeviceMetricsOverride", **size)


async def picture(tab: BrowserPage) -> bytes:
    """Return a PNG of the page, 8,000 pixels of it at most."""
    width, height = await tab.evaluate("innerWidth"), await tab.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": min(height, 8000), "scale": 1}
    shown = await tab.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    return base64.b64decode(shown["data"])
