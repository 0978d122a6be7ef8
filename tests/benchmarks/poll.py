"""CPU of one poll over TLS at a service that takes 50 ms: client, response parser and reducer, against peers."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable
from random import Random

import aiohttp
import httpx
import msgspec

from tests.benchmarks.origin import OriginServer, run_origin
from tui.domain import job_state
from tui.domain.job_state import JobState
from tui.domain.models import Job
from tui.engine.accounts.account import AccountRuntime
from tui.engine.context import HttpSettings
from tui.engine.polling.poll_executor import event_of
from tui.providers import loader
from tui.storage.config.configuration import Account
from tui.storage.config.secrets import Secret

WORKERS = 50
POLLS, SLOW_POLLS = 15, 4
"""Polls of each worker in a round; of the shared httpx client, each of which costs as much as ten of the others."""
ROUNDS = 3
"""Each client runs once per round; its fastest round counts."""
WARM_UP_POLLS = 2
"""Polls of each worker before the measurement, for connections and warm code."""
PATH = "/v2/video_translate/0123456789abcdef0123456789abcdef"


async def cpu_per_poll(poll_once: Callable[[int], Awaitable[None]], polls: int = POLLS) -> float:
    """Return this process's CPU seconds for one poll; `poll_once` takes the worker's number."""

    async def work(number: int, times: int) -> None:
        for _ in range(times):
            await poll_once(number)

    async def poll_all(times: int) -> None:
        async with asyncio.TaskGroup() as tasks:
            for number in range(WORKERS):
                tasks.create_task(work(number, times))

    await poll_all(WARM_UP_POLLS)
    began = time.process_time()
    await poll_all(polls)
    return (time.process_time() - began) / (WORKERS * polls)


async def run_ours(origin: OriginServer, tls: ssl.SSLContext) -> float:
    """Measure our client: one connection per worker, as in the poller, each poll reduced to a job state."""
    provider = loader.provider_registry()["heygen-v2"]
    account = Account(
        name="a",
        provider=provider,
        base_url=origin.url,
        key_source=None,
        per_minute=1e9,
        per_day=None,
        concurrency=WORKERS,
    )
    runtime = AccountRuntime(account, time.time, Random(0))
    runtime.set_key(Secret("sk-0123456789abcdef"))
    states = [JobState(job=Job(account="a", id=f"{number:032x}")) for number in range(WORKERS)]
    clients = [runtime.new_client(HttpSettings(lambda: tls)) for _ in states]

    async def poll_once(number: int) -> None:
        response = await runtime.poll(clients[number], states[number].job)
        states[number], _ = job_state.reduce(states[number], event_of(response, False))

    seconds = await cpu_per_poll(poll_once)
    assert all(state.poll_count == WARM_UP_POLLS + POLLS and state.fault is None for state in states)
    for client in clients:
        await client.__aexit__()
    return seconds


async def run_httpx(origin: OriginServer, tls: ssl.SSLContext) -> float:
    """Measure one httpx client shared by all workers, the obvious first implementation."""
    limits = httpx.Limits(max_connections=WORKERS, max_keepalive_connections=WORKERS)
    async with httpx.AsyncClient(base_url=origin.url, verify=tls, limits=limits, headers={"x-api-key": "k"}) as client:

        async def poll_once(_number: int) -> None:
            response = await client.get(PATH)
            assert response.json()["data"]["status"] == "running"

        return await cpu_per_poll(poll_once, SLOW_POLLS)


async def run_aiohttp(origin: OriginServer, tls: ssl.SSLContext) -> float:
    """Measure aiohttp, the fastest Python client, partly written in C."""
    connector = aiohttp.TCPConnector(limit=WORKERS, ssl=tls)
    async with aiohttp.ClientSession(origin.url, connector=connector, headers={"x-api-key": "k"}) as client:

        async def poll_once(_number: int) -> None:
            async with client.get(PATH) as response:
                assert (await response.json(loads=msgspec.json.decode))["data"]["status"] == "running"

        return await cpu_per_poll(poll_once)


def measure() -> dict[str, dict[str, object]]:
    with run_origin(0.05) as server:
        tls = server.tls_context()
        clients = (run_ours, run_httpx, run_aiohttp)
        rounds = [[asyncio.run(client(server, tls)) * 1e6 for client in clients] for _ in range(ROUNDS)]
    ours_us, httpx_us, aiohttp_us = map(min, zip(*rounds, strict=True))
    return {
        "poll: CPU against one shared httpx client": {
            "ours": ours_us,
            "peer": httpx_us,
            "ratio": ours_us / httpx_us,
            "hold": 1 / 7,
            "better": "lower",
            "unit": "µs of CPU a poll",
        },
        "poll: efficiency against aiohttp": {
            "ours": ours_us,
            "peer": aiohttp_us,
            "ratio": aiohttp_us / ours_us,
            "hold": 0.25,
            "better": "higher",
            "unit": "µs of CPU a poll",
        },
    }
