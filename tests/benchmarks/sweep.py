"""1,000 jobs of one account polled once over TLS: the engine against a curl loop and `gather` on one client."""

import asyncio
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from tests.benchmarks.origin import OriginServer, run_origin
from tests.support import fixtures
from tui.domain.models import Phase, Ref
from tui.engine.engine import Engine

JOBS = 1000
CURL_JOBS = 100
"""Jobs that curl polls; its time for all jobs is ten times that."""
CONCURRENCY = 50
SERVICE_DELAY = 0.05
"""Seconds that the service takes for a response."""
PATH = "/v2/video_translate/{}"


def job_ids() -> tuple[str, ...]:
    return tuple(f"{number:032x}" for number in range(JOBS))


async def run_engine(origin: OriginServer, folder: Path) -> tuple[float, int]:
    """Return the seconds from opening the engine until every job has its report, and the faults."""
    workspace = fixtures.make_workspace(
        folder, origin.url, {"heygen-v2": job_ids()}, accounts=("heygen-v2",), rate=10_000_000, concurrency=CONCURRENCY
    )
    engine = Engine(workspace, fixtures.RecordingListener().publish)
    refs = [Ref("heygen-v2", job) for job in job_ids()]
    began = time.perf_counter()
    await engine.open()
    running = asyncio.create_task(engine.run())
    await engine.perform(fixtures.refresh(*refs))
    while any(engine.states[ref].poll_count == 0 for ref in refs):  # noqa: ASYNC110  no event for the last
        await asyncio.sleep(0.005)
    seconds = time.perf_counter() - began
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    workspace.close()
    return seconds, sum(state.phase is not Phase.RUNNING or state.fault is not None for state in engine.states.values())


def run_curl(at: OriginServer) -> float:
    """Return the seconds of a shell loop over all jobs, a connection each, extrapolated from CURL_JOBS."""
    urls = "".join(f"{at.url}{PATH.format(job)}\n" for job in job_ids()[:CURL_JOBS])
    loop = f'while read -r url; do curl -sS --cacert {at.roots} -H "x-api-key: k" "$url" >/dev/null || exit 1; done'
    began = time.perf_counter()
    subprocess.run(["sh", "-c", loop], input=urls, text=True, check=True)
    return (time.perf_counter() - began) * JOBS / CURL_JOBS


async def run_gather(at: OriginServer) -> tuple[float, int]:
    """Return the seconds of `gather` on one default httpx client, and its failed requests."""
    async with httpx.AsyncClient(base_url=at.url, verify=at.tls_context(), headers={"x-api-key": "k"}) as client:
        began = time.perf_counter()
        responses = await asyncio.gather(*(client.get(PATH.format(job)) for job in job_ids()), return_exceptions=True)
        took = time.perf_counter() - began
    return took, sum(not isinstance(response, httpx.Response) for response in responses)


def measure() -> dict[str, dict[str, object]]:
    with run_origin(SERVICE_DELAY) as at, TemporaryDirectory() as folder, at.trusted_by_default():
        mine, faults = asyncio.run(run_engine(at, Path(folder)))
        curls = run_curl(at)
        all_at_once, failed = asyncio.run(run_gather(at))
    common = {"ours": mine, "unit": f"s for {JOBS} jobs"}
    return {
        f"sweep: against a curl loop ({CURL_JOBS} polled, ×{JOBS // CURL_JOBS})": {
            **common,
            "peer": curls,
            "ratio": curls / mine,
            "hold": 25,
            "better": "higher",
        },
        f"sweep: against gather on one client ({failed} of its requests failed)": {
            **common,
            "peer": all_at_once,
            "ratio": all_at_once / mine,
            "hold": 1,
            "better": "higher",
        },
        "sweep: failed requests, against gather's": {
            "ours": faults,
            "peer": failed,
            "ratio": faults,
            "hold": 0,
            "better": "lower",
            "unit": "requests; ratio: ours",
        },
    }
