"""Tests of name resolution: a hanging lookup delays neither another name nor the end of the program."""

import asyncio
import socket
import threading

import pytest

from tests.support.waiting import DEADLINE, until
from tui.engine.http.dns_loop import DnsThreadedLoop

RESOLVE = socket.getaddrinfo


@pytest.fixture
def hung(monkeypatch):
    """Name server that does not respond for `hung.test`; yields the names that were looked up."""
    stopped, lookups = threading.Event(), list[str]()

    def getaddrinfo(host, *args, **options):
        lookups.append(host)
        if host == "hung.test":
            stopped.wait()
        if host in {"hung.test", "nowhere.invalid"}:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return RESOLVE("127.0.0.1" if host == "good.test" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield lookups
    stopped.set()


async def resolve(host):
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(DEADLINE):
        return await loop.getaddrinfo(host, 443, type=socket.SOCK_STREAM)


def run(story):
    with asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
        return runner.run(story)


def hanging_threads():
    return [thread for thread in threading.enumerate() if thread.name == "resolve 'hung.test'"]


def test_fifty_lookups_of_a_hanging_name_take_one_thread_and_delay_nothing(hung):
    async def story():
        waiting = [asyncio.create_task(asyncio.get_running_loop().getaddrinfo("hung.test", 443)) for _ in range(50)]
        await until(lambda: hung)
        assert (await resolve("good.test"))[0][4] == ("127.0.0.1", 443)
        assert not [task for task in waiting if task.done()]
        for task in waiting:
            task.cancel()
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(each) for each in run(story())} == {asyncio.CancelledError}
    assert len(hanging_threads()) == 1, "the loop has ended, the lookup continues"
    assert hung == ["hung.test", "good.test"]


def test_a_failed_lookup_is_repeated_by_the_next_caller(hung):
    async def story():
        for _ in range(2):
            with pytest.raises(OSError, match="failure"):
                await resolve("nowhere.invalid")

    run(story())
    assert hung == ["nowhere.invalid"] * 2


def test_an_invalid_hostname_raises_for_the_caller():
    with pytest.raises(UnicodeError):
        run(resolve(f"{'a' * 70}.test"))
