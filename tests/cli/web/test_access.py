"""Access by token and by the cookies of sessions."""

import logging
import re

import aiohttp
import httpx
import pytest

from tests.support.web import TOKEN, send_raw, serve_dashboards
from tui.cli.web.sessions import MAX_SESSIONS, SESSION_LIFE, BrowserSessions
from tui.cli.web.token_throttle import MAX_WAIT

SHORT_TOKEN = "sixteen-letters!"
FORM = b"Host: x\r\nContent-Type: application/x-www-form-urlencoded"


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_the_link_opens_a_session_and_leaves_the_address_bar(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with serve_dashboards() as url, httpx.AsyncClient(base_url=url) as browser:
        assert (await browser.get("/")).status_code == 401
        opened = await browser.get("/", params={"token": TOKEN})
        assert (opened.status_code, opened.headers["location"]) == (303, "/")
        cookie = opened.headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict"} <= set(cookie.split("; "))
        assert "Secure" not in cookie
        assert f"Max-Age={int(SESSION_LIFE)}" in cookie
        page = await browser.get("/")
        assert page.status_code == 200
        assert "default-src 'self'" in page.headers["content-security-policy"]
        again = await browser.get("/", params={"token": "wrong"})
        assert (again.status_code, again.headers["location"]) == (303, "/")
    own = [each.getMessage() for each in caplog.records if each.name.startswith(("tui", "aiohttp"))]
    assert TOKEN not in "".join(own) + cookie + page.text


async def test_each_browser_gets_a_cookie_of_its_own_that_ends_after_a_day():
    clock = Clock()
    async with (
        serve_dashboards(clock=clock) as url,
        httpx.AsyncClient(base_url=url) as one,
        httpx.AsyncClient(base_url=url) as other,
    ):
        cookies = [(await each.post("/", data={"token": TOKEN})).headers["set-cookie"] for each in (one, other)]
        assert len({each.partition(";")[0] for each in cookies}) == 2
        clock.now = SESSION_LIFE - 1
        assert (await one.get("/")).status_code == 200
        clock.now = SESSION_LIFE
        assert (await one.get("/")).status_code == 401


async def test_a_cookie_behind_a_proxy_with_tls_is_secure():
    async with serve_dashboards() as url, httpx.AsyncClient(base_url=url) as browser:
        opened = await browser.get("/", params={"token": TOKEN}, headers={"X-Forwarded-Proto": "https"})
        assert "Secure" in opened.headers["set-cookie"]


def test_one_session_too_many_ends_the_oldest():
    sessions = BrowserSessions(lambda: 0.0)
    cookies = [sessions.open() for _ in range(MAX_SESSIONS + 1)]
    assert not sessions.is_open(cookies[0])
    assert all(map(sessions.is_open, cookies[1:]))


async def test_a_link_on_another_page_opens_the_dashboard_though_it_brings_no_cookie():
    async with serve_dashboards() as url, httpx.AsyncClient(base_url=url) as browser:
        page = await browser.get("/", headers={"Sec-Fetch-Site": "cross-site"})
        assert (page.status_code, 'content="0;url=/"' in page.text) == (200, True)
        assert (await browser.get("/", headers={"Sec-Fetch-Site": "same-origin"})).status_code == 401


@pytest.mark.parametrize("token", [TOKEN, SHORT_TOKEN])
async def test_two_thousand_wrong_tokens_lock_out_neither_a_cookie_nor_the_token(token: str):
    clock = Clock()
    async with serve_dashboards(token, clock) as url, httpx.AsyncClient(base_url=url) as browser:
        assert (await browser.get("/", params={"token": token})).status_code == 303
        wrong = b"GET /?token=wrong HTTP/1.1\r\nHost: x\r\n\r\n"
        responses = await send_raw(url, 1999 * wrong + wrong.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        statuses = [int(each) for each in re.findall(rb"HTTP/1.1 ([0-9]+)", responses)]
        assert statuses == [401] * 6 + [429] * 1994
        assert b"Retry-After: 2" in responses
        assert (await browser.get("/")).status_code == 200
        browser.cookies.clear()
        at_once = await browser.get("/", params={"token": token})
        assert at_once.status_code == (303 if token == TOKEN else 429)
        clock.now += MAX_WAIT
        browser.cookies.clear()
        assert (await browser.get("/", params={"token": token})).status_code == 303


@pytest.mark.parametrize(
    "path", ["/", "/ws", "/static/js/textual.js", "/static/", "/download/x", "/nothing", "/%2e%2e/"]
)
async def test_every_path_requires_access(path: str):
    async with serve_dashboards() as url, httpx.AsyncClient(base_url=url) as client:
        for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "ANY"):
            assert (await client.request(method, path)).status_code in {400, 401}, method
        for credentials in ("Bearer wrong", "Bearer", f"Basic {TOKEN}", TOKEN):
            assert (await client.get(path, headers={"Authorization": credentials})).status_code in {401, 429}
        with_token = await client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
        assert with_token.status_code in ({200} if path in {"/", "/static/js/textual.js"} else {400, 403, 404})


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        (b"", b"", 400),
        (b"Host: [\r\n", b"", 400),
        (b"Host: a b\r\n", b"", 400),
        (b"Host: \r\n", b"", 400),
        (b"Host: x:99999999\r\n", b"", 400),
        (b"Host: x\r\nOrigin: null\r\n", b"", 403),
        (b"Host: x\r\nOrigin: http://[\r\n", b"", 403),
        (b"Host: x\r\nOrigin: https://evil.example\r\n", b"", 403),
        (b"Host: x\r\nContent-Type: multipart/form-data\r\nContent-Length: 3\r\n", b"abc", 400),
        (FORM + b"; charset=none\r\nContent-Length: 1\r\n", b"\xff", 401),
        (FORM + b"\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n", b"\x1f\x8b", 401),
        (FORM + b"\r\nContent-Length: 9000\r\n", bytes(9000), 413),
        (FORM + b"\r\nTransfer-Encoding: chunked\r\n", b"zz\r\n", 400),
        (b"Host: x\r\nCookie: \xff=;;babeltop=\"\r\n", b"", 400),
    ],
)  # fmt: skip
async def test_a_malformed_request_is_refused_without_an_exception(
    headers: bytes, body: bytes, status: int, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.ERROR, logger="tui")
    async with serve_dashboards() as url:
        response = await send_raw(url, b"POST / HTTP/1.1\r\n" + headers + b"Connection: close\r\n\r\n" + body)
        assert response.split()[1] == str(status).encode(), response
    assert [each for each in caplog.records if each.name.startswith("tui")] == []


async def test_another_page_cannot_open_the_websocket_with_the_cookie():
    async with serve_dashboards() as url, aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        async with session.get(url, params={"token": TOKEN}) as page:
            assert page.status == 200
        with pytest.raises(aiohttp.WSServerHandshakeError) as error:
            await session.ws_connect(f"{url}/ws", origin="https://evil.example")
        assert error.value.status == 403
