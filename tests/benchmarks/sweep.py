"""A thousand jobs of one account, each asked once over TLS: a Session beside a curl loop and `gather` on one client."""

import asyncio
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.benchmarks.origin import Origin, origin
from tests.support import fixtures
from tui.domain.models import Phase, Ref
from tui.engine.engine import Engine

JOBS = 1000
CURLS = 100
"""Jobs that curl is measured with; its time for all of them is ten times that."""
CONCURRENCY = 50
LATENCY = 0.05
"""Seconds that the service takes."""
PATH = "/v2/video_translate/{}"


def ids() -> tuple[str, ...]:
    return tuple(f"{number:032x}" for number in range(JOBS))


async def ours(at: Origin, folder: Path) -> tuple[float, int]:
    """Seconds from opening a session until every job has its report on the board, and faults."""
    library = fixtures.make_workspace(
        folder, at.url, {"heygen": ids()}, accounts=("heygen",), rate=10_000_000, concurrency=CONCURRENCY
    )
    session = Engine(library, fixtures.RecordingListener())
    refs = [Ref("heygen", job) for job in ids()]
    began = time.perf_counter()
    session.open()
    running = asyncio.create_task(session.run())
    await session.perform(fixtures.refresh(*refs))
    while any(session.states[ref].poll_count == 0 for ref in refs):  # noqa: ASYNC110  nothing tells of the last
        await asyncio.sleep(0.005)
    took = time.perf_counter() - began
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    library.close()
    return took, sum(state.phase is not Phase.RUNNING or state.fault is not None for state in session.states.values())


def curl(at: Origin) -> float:
    """Seconds of a shell's loop for all the jobs, each with a connection of its own, reckoned from the first CURLS."""
    asks = "".join(f"{at.url}{PATH.format(job)}\n" for job in ids()[:CURLS])
    loop = f'while read -r url; do curl -sS --cacert {at.roots} -H "x-api-key: k" "$url" >/dev/null || exit 1; done'
    began = time.perf_counter()
    subprocess.run(["sh", "-c", loop], input=asks, text=True, check=True)
    return (time.perf_counter() - began) * JOBS / CURLS


async def gathered(at: Origin) -> tuple[float, int]:
    """Seconds of `gather` over one httpx client as it comes, and how many of its asks failed."""
    async with httpx.AsyncClient(base_url=at.url, verify=at.trust(), headers={"x-api-key": "k"}) as client:
        began = time.perf_counter()
        replies = await asyncio.gather(*(client.get(PATH.format(job)) for job in ids()), return_exceptions=True)
        took = time.perf_counter() - began
    return took, sum(not isinstance(reply, httpx.Response) for reply in replies)


def measure() -> dict[str, dict[str, object]]:
    with origin(LATENCY) as at, TemporaryDirectory() as folder, at.trusted():
        mine, faults = asyncio.run(ours(at, Path(folder)))
        curls = curl(at)
        all_at_once, failed = asyncio.run(gathered(at))
    common = {"ours": mine, "unit": f"s for {JOBS} jobs"}
    return {
        f"sweep beside a curl loop ({CURLS} asked, ×{JOBS // CURLS})": {
            **common,
            "peer": curls,
            "ratio": curls / mine,
            "hold": 25,
            "better": "higher",
        },
        f"sweep beside gather on one client ({failed} of its asks failed)": {
            **common,
            "peer": all_at_once,
            "ratio": all_at_once / mine,
            "hold": 1,
            "better": "higher",
        },
        "sweep: our asks that failed, beside gather's": {
            "ours": faults,
            "peer": failed,
            "ratio": faults,
            "hold": 0,
            "better": "lower",
            "unit": "asks; ratio: ours",
        },
    }
