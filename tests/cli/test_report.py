"""`babeltop report`: one page that needs nothing else, holds no key, and fits a phone and a desk."""

import asyncio
import os
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.cli.conftest import KEY, Program
from tests.support.browser import CHROMIUM
from tests.support.report_page import WIDTHS, open_report, picture, show_at

HOSTILE = '</td></table><script>fetch("http://127.0.0.1:9/x")</script><img src=x onerror=alert(1)>'


class PageReader(HTMLParser):
    """Elements and addresses of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.addresses: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in {"href", "src", "srcset", "action", "data"}]
        if tag not in {"meta", "rect"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)


def read(page: str) -> PageReader:
    reader = PageReader()
    reader.feed(page)
    assert reader.open == []
    return reader


@pytest.fixture
def with_jobs(configured: Program) -> Program:
    """Jobs that ended, one of which has a hostile label."""
    configured.with_jobs("heygen:a-fine", "heygen:b-fail", "konpro:c-fine", "flixu:d-fine")
    text = configured.watchlist.read_text()
    configured.watchlist.write_text(text.replace('id = "a-fine"', f"id = 'a-fine'\nlabel = '''{HOSTILE}'''"))
    configured("wait")
    return configured


@pytest.mark.waits
def test_the_page_has_fleet_calendar_and_jobs_without_links_and_keys(with_jobs: Program) -> None:
    page = with_jobs("report").out
    reader = read(page)
    assert reader.addresses == []
    assert not {"script", "img", "link", "iframe", "form"} & set(reader.elements)
    assert reader.elements.count("table") == 3
    for text in ("Accounts today", "Expiring links", "✗ failed", "not polled now", "&lt;script&gt;"):
        assert text in page
    assert "default-src &#x27;none&#x27;" in page
    assert KEY not in page


def test_links_are_in_the_page_on_request_alone_and_then_the_file_is_private(with_jobs: Program) -> None:
    path = with_jobs.folder / "report.html"
    path.write_text("an older one, which others can read")
    assert with_jobs("report", "--html", str(path), "--links").err == f"babeltop: report written to {path}\n"
    reader = read(path.read_text())
    assert reader.addresses
    assert all(address.startswith(("http://", "https://")) for address in reader.addresses)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert with_jobs("report", "--html", str(path)).code == 0
    assert read(path.read_text()).addresses == []


def test_a_file_that_cannot_be_written_is_named(with_jobs: Program) -> None:
    completed = with_jobs("report", "--html", str(with_jobs.folder / "none" / "report.html"))
    assert completed.code == 2
    assert "none/report.html: No such file or directory" in completed.err


def test_a_report_without_jobs_and_accounts_is_a_page(babeltop: Program) -> None:
    page = babeltop("report").out
    assert read(page).elements.count("table") == 3
    assert "0 jobs" in page


@pytest.mark.waits
@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_the_page_fits_a_phone_and_a_desk_and_requests_nothing(with_jobs: Program, tmp_path: Path) -> None:
    path = with_jobs.folder / "report.html"
    assert with_jobs("report", "--html", str(path)).code == 0
    asyncio.run(look_at(path, tmp_path / "profile"))


async def look_at(path: Path, profile: Path) -> None:
    async with open_report(path, profile) as tab:
        for name, width in WIDTHS.items():
            await show_at(tab, width)
            assert await tab.evaluate("document.documentElement.scrollWidth") <= width, name
            shown = "[...document.querySelectorAll('td, th')].filter(each => each.offsetParent)"
            sizes = f"{shown}.map(each => parseFloat(getComputedStyle(each).fontSize))"
            assert await tab.evaluate(f"Math.min(...{sizes})") >= 12
            if folder := os.environ.get("BABELTOP_PICTURES"):
                (Path(folder) / f"report-{name}.png").write_bytes(await picture(tab))
        assert [url for url in tab.requests if url != path.as_uri()] == []
        assert tab.blocked == []
