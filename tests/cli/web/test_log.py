"""Log of `serve`: bounded by kind of record, in one line each, without the token."""

import asyncio
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp.http_exceptions import BadStatusLine

from tests.support.web import TOKEN, send_raw, serve_dashboards
from tui.cli.web.log import INTERVAL, MAX_KINDS, MAX_RECORDS, RecordLimit, start_logging
from tui.storage.config.secrets import Secret


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    start_logging(tmp_path, Secret(TOKEN))
    yield tmp_path / "serve.log"
    for handler in set(root.handlers) - set(before):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)


def record(text: str, *values: object, name: str = "tui.test", error: Exception | None = None) -> logging.LogRecord:
    exc_info = (type(error), error, None) if error else None
    return logging.LogRecord(name, logging.WARNING, "", 0, text, values, exc_info)


def test_of_one_kind_a_few_are_written_and_the_others_counted():
    now = [0.0]
    limit = RecordLimit(lambda: now[0])
    assert [limit.filter(record("wrong token from %s", n)) for n in range(100)].count(True) == MAX_RECORDS
    assert limit.filter(record("dashboard opened from %s", 1))
    now[0] = INTERVAL
    next_one = record("wrong token from %s", 7)
    assert limit.filter(next_one)
    assert next_one.getMessage() == f"wrong token from 7 ({100 - MAX_RECORDS} more since then were not logged)"
    for number in range(10 * MAX_KINDS):
        limit.filter(record(f"kind {number}"))
    assert len(limit._counts) <= MAX_KINDS


def test_a_malformed_request_is_recorded_without_its_content():
    limit = RecordLimit()
    malformed = record("Error handling request from %s", "192.0.2.1", error=BadStatusLine("GET /?token=secret"))
    assert limit.filter(malformed)
    assert malformed.getMessage() == "malformed request from 192.0.2.1"
    assert malformed.exc_info is None


def test_a_record_is_one_line_without_token_and_control_sequences(log_file: Path):
    logging.getLogger("tui.test").warning("from %s", f"a\nb\x1b[31m {TOKEN} %2D".replace("-", "%2d"))
    logging.getLogger("tui.test").error("internal error", exc_info=ValueError(f"\x1b]0;x\x07{TOKEN}"))
    text = log_file.read_text()
    assert "from a b ***" in text
    assert "\x1b" not in text
    assert TOKEN not in text
    assert "ValueError: ***" in text
    assert log_file.stat().st_mode & 0o777 == 0o600


def test_hundreds_of_malformed_requests_do_not_displace_the_first_line(log_file: Path):
    async def send_all() -> None:
        async with serve_dashboards() as url:
            for number in range(200):
                await send_raw(url, b"\x00\xff %d\r\n\r\n" % number)
                await send_raw(url, b"GET /?token=%d HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % number)

    logging.getLogger("tui.test").info("serving")
    asyncio.run(send_all())
    lines = log_file.read_text().splitlines()
    assert "serving" in lines[0]
    assert len(lines) <= 1 + 3 * MAX_RECORDS
    assert not any("Traceback" in line or "Error handling request" in line for line in lines)
