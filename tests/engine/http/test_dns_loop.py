"""Names are looked up so that one that hangs holds up no other, nor the end of the program."""

import asyncio
import socket
import threading

import pytest

from tests.support.waiting import DEADLINE, until
from tui.engine.http.dns_loop import DnsThreadedLoop

RESOLVE = socket.getaddrinfo


@pytest.fixture
def hung(monkeypatch):
    """A name server that does not answer for `hung.test`; how often it was asked."""
    over, asked = threading.Event(), list[str]()

    def resolve(host, *args, **options):
        asked.append(host)
        if host == "hung.test":
            over.wait()
        if host in {"hung.test", "nowhere.invalid"}:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return RESOLVE("127.0.0.1" if host == "good.test" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    yield asked
    over.set()


async def looked_up(host):
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(DEADLINE):
        return await loop.getaddrinfo(host, 443, type=socket.SOCK_STREAM)


def run(story):
    with asyncio.Runner(loop_factory=DnsThreadedLoop) as runner:
        return runner.run(story)


def hanging():
    return [thread for thread in threading.enumerate() if thread.name == "looks up 'hung.test'"]


def test_fifty_asks_for_a_name_that_hangs_hold_one_thread_no_other_name_and_not_the_end(hung):
    async def story():
        waiting = [asyncio.create_task(asyncio.get_running_loop().getaddrinfo("hung.test", 443)) for _ in range(50)]
        await until(lambda: hung)
        assert (await looked_up("good.test"))[0][4] == ("127.0.0.1", 443)
        assert not [task for task in waiting if task.done()]
        for task in waiting:
            task.cancel()
        return await asyncio.gather(*waiting, return_exceptions=True)

    assert {type(each) for each in run(story())} == {asyncio.CancelledError}
    assert len(hanging()) == 1, "the loop has ended, and the look-up goes on"
    assert hung == ["hung.test", "good.test"]


def test_a_name_that_hung_is_looked_up_anew_when_the_look_up_has_ended(hung):
    async def story():
        for _ in range(2):
            with pytest.raises(OSError, match="failure"):
                await looked_up("nowhere.invalid")

    run(story())
    assert hung == ["nowhere.invalid"] * 2


def test_what_is_no_name_is_told_to_who_asked():
    with pytest.raises(UnicodeError):
        run(looked_up(f"{'a' * 70}.test"))
