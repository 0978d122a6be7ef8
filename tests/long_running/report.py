"""Report of the demo in Chromium, as on a phone and on a desk, light and dark: no serious fault that axe-core finds.

axe-core comes from npm into a temporary folder.
"""

import asyncio
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.support.browser import BrowserPage
from tests.support.report_page import WIDTHS, open_report, picture, show_at
from tui.cli.commands.report import report_page
from tui.demo import demo_workspace

AXE = "axe-core@4"
SERIOUS = {"serious", "critical"}
PICTURES = Path(tempfile.gettempdir())


def fetch_axe(folder: Path) -> str:
    """Return the script."""
    command = [
        "npm",
        "install",
        "--silent",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--prefix",
        str(folder),
        AXE,
    ]
    subprocess.run(command, check=True, timeout=300)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


async def faults(tab: BrowserPage) -> tuple[list[dict[str, Any]], int]:
    """Return the rules that the page breaks, and the number of those that it keeps."""
    run = "axe.run(document).then(found => JSON.stringify([found.violations, found.passes.length]))"
    result = await tab.call("Runtime.evaluate", expression=run, awaitPromise=True, returnByValue=True)
    return json.loads(result["result"]["value"])


async def check(page: Path, folder: Path, axe: str) -> None:
    async with open_report(page, folder) as tab:
        await tab.evaluate(axe)
        for scheme in ("light", "dark"):
            media = [{"name": "prefers-color-scheme", "value": scheme}]
            await tab.call("Emulation.setEmulatedMedia", features=media)
            for name, width in WIDTHS.items():
                await show_at(tab, width)
                overflow = await tab.evaluate("document.documentElement.scrollWidth - innerWidth")
                found, kept = await faults(tab)
                file = PICTURES / f"report-{name}-{scheme}.png"
                file.write_bytes(await picture(tab))
                print(
                    f"report: {name}, {scheme}: {len(found)} faults, {kept} rules kept, overflow {overflow} px, {file}"
                )
                for each in found:
                    print(f"  {each['impact']}: {each['id']}: {each['nodes'][0]['html'][:120]}")
                assert kept > 10, "axe-core did not run"
                assert overflow <= 0, name
                assert not [each for each in found if each["impact"] in SERIOUS], name
        others = [url for url in tab.requests if url != page.as_uri()]
        print(f"report: {len(others)} requests beside the page, {len(tab.blocked)} blocked")
        assert not others


def main() -> None:
    with tempfile.TemporaryDirectory() as name, demo_workspace() as (workspace, _):
        folder = Path(name)
        page = folder / "report.html"
        page.write_text(report_page(workspace, has_links=True), "utf-8")
        print(f"report: {page.stat().st_size} bytes")
        asyncio.run(check(page, folder / "profile", fetch_axe(folder)))
