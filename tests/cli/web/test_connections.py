"""Limits on connections: their deadlines on a virtual clock, and their number over real sockets."""

import asyncio

import httpx

from tests.support.virtual_time import run_virtual
from tests.support.waiting import until
from tests.support.web import TOKEN, serve_dashboards
from tui.cli.web.connections import HEADER_TIMEOUT, MAX_CONNECTIONS, MAX_PER_ADDRESS, REQUEST_TIMEOUT, ConnectionLimits


class RecordingTransport(asyncio.Transport):
    """Transport of an address that records when it was aborted."""

    def __init__(self, address: str = "192.0.2.1") -> None:
        super().__init__({"peername": (address, 1234)})
        self.aborted_at: float | None = None

    def abort(self) -> None:
        self.aborted_at = asyncio.get_running_loop().time()


def connect(limits: ConnectionLimits, address: str = "192.0.2.1") -> RecordingTransport:
    transport = RecordingTransport(address)
    limits().connection_made(transport)
    return transport


def test_a_connection_ends_ten_seconds_after_its_start_without_a_request():
    async def scenario() -> None:
        transport = connect(ConnectionLimits(asyncio.Protocol))
        await asyncio.sleep(HEADER_TIMEOUT + 1)
        assert transport.aborted_at == HEADER_TIMEOUT

    run_virtual(scenario())


def test_a_connection_ends_a_minute_after_its_last_request_unless_it_is_a_dashboard():
    async def scenario() -> None:
        limits = ConnectionLimits(asyncio.Protocol)
        transports = [connect(limits), connect(limits)]
        await asyncio.sleep(HEADER_TIMEOUT / 2)
        connections = [limits.on_request(each) for each in transports]
        connections[1].set_deadline(None)
        await asyncio.sleep(10 * REQUEST_TIMEOUT)
        assert [each.aborted_at for each in transports] == [HEADER_TIMEOUT / 2 + REQUEST_TIMEOUT, None]

    run_virtual(scenario())


def test_one_connection_too_many_of_an_address_ends_its_oldest_one_without_access():
    async def scenario() -> None:
        limits = ConnectionLimits(asyncio.Protocol)
        dashboard, with_access, other = connect(limits), connect(limits), connect(limits, "198.51.100.1")
        limits.on_request(dashboard).is_dashboard = True
        limits.on_request(with_access).has_access = True
        strangers = [connect(limits) for _ in range(3 * MAX_PER_ADDRESS)]
        ended = [each.aborted_at is not None for each in strangers]
        assert ended == [True] * (2 * MAX_PER_ADDRESS + 1) + [False] * (MAX_PER_ADDRESS - 1)
        assert {dashboard.aborted_at, with_access.aborted_at, other.aborted_at} == {None}

    run_virtual(scenario())


def test_connections_of_many_addresses_are_bounded_too():
    async def scenario() -> None:
        limits = ConnectionLimits(asyncio.Protocol)
        transports = [connect(limits, f"10.0.0.{number}") for number in range(MAX_CONNECTIONS + 1)]
        assert [each.aborted_at for each in transports].count(None) == MAX_CONNECTIONS

    run_virtual(scenario())


async def test_three_hundred_half_sent_requests_keep_no_browser_out():
    async with serve_dashboards() as url, httpx.AsyncClient(base_url=url) as browser:
        port = int(url.rpartition(":")[2])
        assert (await browser.get("/", params={"token": TOKEN})).status_code == 303
        halves = [await asyncio.open_connection("127.0.0.1", port) for _ in range(300)]
        for _, writer in halves:
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        await until(
            lambda: (
                sum(reader.at_eof() or reader.exception() is not None for reader, _ in halves) >= 300 - MAX_PER_ADDRESS
            )
        )
        assert (await browser.get("/")).status_code == 200
        async with httpx.AsyncClient(base_url=url) as newcomer:
            assert (await newcomer.get("/", params={"token": TOKEN})).status_code == 303
        for _, writer in halves:
            writer.close()
