"""Short form of `long_running.serve`, in this process, with small programs as dashboards."""

import gc
import logging
from random import Random

import aiohttp
import pytest
from aiohttp.http_exceptions import HttpProcessingError

from tests.support.web import TOKEN, send_raw, serve_dashboards
from tests.support.web_fuzz import random_message, random_request


async def test_no_random_request_or_message_causes_an_exception(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.WARNING)
    random = Random()
    async with (
        serve_dashboards() as url,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session,
    ):
        for _ in range(300):
            await send_raw(url, random_request(random, TOKEN), 0.02)
        async with session.ws_connect(f"{url}/ws") as socket:
            for _ in range(300):
                message = random_message(random)
                await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(message))
        async with session.get(url) as page:
            assert page.status == 200
        gc.collect()  # a task whose exception was never retrieved
    assert [each for each in caplog.records if each.levelno >= logging.ERROR and not is_malformed(each)] == []


def is_malformed(record: logging.LogRecord) -> bool:
    """Whether serve.log has the record as a malformed request."""
    return record.exc_info is not None and isinstance(record.exc_info[1], HttpProcessingError)
