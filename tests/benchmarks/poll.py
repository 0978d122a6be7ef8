"""The CPU of one ask over TLS at a service that takes 50 ms: ours through client, reading and board, beside peers."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from random import Random

import aiohttp
import httpx
import msgspec

from tests.benchmarks.origin import Origin, origin
from tui.domain import job_state
from tui.domain.job_state import JobState
from tui.domain.models import Job
from tui.engine.accounts.account import LiveAccount
from tui.engine.http.client import Bounds
from tui.engine.polling.poll_executor import event_of
from tui.providers import loader
from tui.storage.config.secrets import Secret
from tui.storage.workspace import Account

WORKERS = 50
ASKS = 15
"""Of each worker in a round."""
ROUNDS = 3
"""Each client has its turn in each; its least disturbed round counts."""
WARM = 2
"""Asks of each worker before the clock starts: connections are made, code is warm."""
PATH = "/v2/video_translate/0123456789abcdef0123456789abcdef"


async def timed(one: Callable[[int], Awaitable[None]]) -> float:
    """CPU seconds of this process for one ask; `one` is worker n's."""

    async def work(number: int, times: int) -> None:
        for _ in range(times):
            await one(number)

    async def everybody(times: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(WORKERS):
                tasks.create_task(work(number, times))

    await everybody(WARM)
    began = time.process_time()
    await everybody(ASKS)
    return (time.process_time() - began) / (WORKERS * ASKS)


async def ours(at: Origin, trust: ssl.SSLContext) -> float:
    """Workers with a connection each, as the poller has them; each ask ends on a board."""
    provider = loader.library()["heygen"]
    account = Account(
        name="a", provider=provider, base_url=at.url, key_source=None, per_minute=1e9, per_day=None, concurrency=WORKERS
    )
    live = LiveAccount(account, time.time, Random(0))
    live.unlock(Secret("sk-0123456789abcdef"))
    states = [JobState(job=Job(account="a", id=f"{number:032x}")) for number in range(WORKERS)]
    clients = [live.client(lambda: trust, None, Bounds()) for _ in states]

    async def one(number: int) -> None:
        answer = await live.ask(clients[number], states[number].job)
        states[number], _ = job_state.reduce(states[number], event_of(answer, False))

    took = await timed(one)
    assert all(state.poll_count == WARM + ASKS and state.fault is None for state in states)
    for client in clients:
        await client.__aexit__()
    return took


async def shared_httpx(at: Origin, trust: ssl.SSLContext) -> float:
    """What one would write first: a client for all."""
    limits = httpx.Limits(max_connections=WORKERS, max_keepalive_connections=WORKERS)
    async with httpx.AsyncClient(base_url=at.url, verify=trust, limits=limits, headers={"x-api-key": "k"}) as client:

        async def one(_number: int) -> None:
            reply = await client.get(PATH)
            assert reply.json()["data"]["status"] == "running"

        return await timed(one)


async def shared_aiohttp(at: Origin, trust: ssl.SSLContext) -> float:
    """The quickest client there is in Python, written in C."""
    connector = aiohttp.TCPConnector(limit=WORKERS, ssl=trust)
    async with aiohttp.ClientSession(at.url, connector=connector, headers={"x-api-key": "k"}) as client:

        async def one(_number: int) -> None:
            async with client.get(PATH) as reply:
                assert (await reply.json(loads=msgspec.json.decode))["data"]["status"] == "running"

        return await timed(one)


def measure() -> dict[str, dict[str, object]]:
    with origin(0.05) as at:
        trust = at.trust()
        clients = (ours, shared_httpx, shared_aiohttp)
        rounds = [[asyncio.run(client(at, trust)) * 1e6 for client in clients] for _ in range(ROUNDS)]
    mine, httpxs, aiohttps = map(min, zip(*rounds, strict=True))
    return {
        "ask beside one shared httpx client": {
            "ours": mine,
            "peer": httpxs,
            "ratio": mine / httpxs,
            "hold": 0.2,
            "better": "lower",
            "unit": "µs of CPU an ask",
        },
        "ask's efficiency beside aiohttp": {
            "ours": mine,
            "peer": aiohttps,
            "ratio": aiohttps / mine,
            "hold": 0.2,
            "better": "higher",
            "unit": "µs of CPU an ask",
        },
    }
