"""Workspace of the demo: a temporary folder, accounts with demo keys, and a transport to the simulator."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tui.demo.fixtures import DISCOVERED_JOB, JOB_GROUPS, JOBS, PAST_JOBS
from tui.demo.history import App, HistoryPlayer, PastPolls
from tui.demo.job_spec import DemoJob
from tui.demo.manual_clock import ManualClock
from tui.simulator.app import Simulator
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.watchlist.editor import apply_to_text
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    import httpx

    from tui.engine.http.client import TransportFactory

CONFIG = """\
# Accounts of the demo. They have the services' URLs, but every request goes to the simulator in this process.
[accounts.heygen]
discover = true           # new jobs come to the board by themselves

[accounts.konpro]
plan = "pro"

[accounts.camb]

[accounts.flixu]
plan = "starter"

[accounts.deepl]
provider = "deepl-voice"

[accounts.agency]         # jobs of an agency, at an API that HeyGen has retired
provider = "heygen-v2"
api_key = {{ env = "AGENCY_HEYGEN_API_KEY" }}

[accounts.legal]          # the legal department's organisation at Flixu
provider = "flixu"
api_key = {{ env = "LEGAL_FLIXU_API_KEY" }}

[accounts.papers]         # documents: each has a key of its own, and its file is sent once
provider = "deepl-documents"

[downloads]
dir = "{downloads}"

[alerts]
desktop = false           # no notifications outside of the demo
"""
KEYS = {
    "HEYGEN_API_KEY": "hg_demo_5b1f7c02d9e84a36",
    "AGENCY_HEYGEN_API_KEY": "ag_demo_c82e6d0b47f19a35",
    "DEEPL_AUTH_KEY": "dl_demo_71d0b8e35c9f4a26",
    "KONPRO_API_KEY": "kp_demo_e07a93c41f6d28b5",
    "CAMB_API_KEY": "cb_demo_94d2f8a10c7be653",
    "FLIXU_API_KEY": "flx_demo_3ac95e7d18f0b264",
}
"""Environment of the demo, without the operator's keys. "legal" has none."""
LIMITS = {"camb": 18}
"""Requests a minute before the simulated CAMB.AI returns 429. Less than the engine assumes, so that the demo shows
Retry-After and the slow-down."""
LATENCY = 0.12
"""Mean delay of a response. Seconds."""
CAMB_PREFIX = b"/apis"
"""Path prefix of CAMB.AI's base URL, which the simulator's paths lack."""


@contextmanager
def demo_workspace(
    *, now: Callable[[], float] = time.time, seed: int = 7
) -> Generator[tuple[Workspace, "TransportFactory"]]:
    """Yield a workspace with past and future jobs, and the factory of transports to their services.

    `now` returns instants; the first one is the start time. The same `seed` and start time give the same workspace.
    The folder has mode 0700 and is deleted at the end: the caller closes an engine on it before.
    """
    start_time = now()
    clock = ManualClock(now)
    scenarios = [job.scenario(start_time, seed) for job in (*JOBS, *PAST_JOBS)]
    scenarios.append(replace(DISCOVERED_JOB.scenario(start_time, seed), service=DISCOVERED_JOB.service))
    simulator = Simulator(
        clock=clock.now, seed=seed, scenarios=scenarios, limits=LIMITS, latency=LATENCY, sleep=clock.sleep
    )
    app = _with_camb_prefix(simulator)
    with TemporaryDirectory(prefix="babeltop-demo-") as folder:
        workspace = _create_workspace(Path(folder), start_time, seed)
        try:
            HistoryPlayer(workspace, app, clock, Random(seed)).play(
                _past_polls(job, start_time, seed) for job in (*JOBS, *PAST_JOBS)
            )
            workspace.close()  # each thread reopens it
            yield workspace, _transport_factory(app)
        finally:
            workspace.close()


def _create_workspace(folder: Path, start_time: float, seed: int) -> Workspace:
    """Write settings and watchlist into the folder, and return its workspace."""
    config, watchlist = folder / "config.toml", folder / "watchlist.toml"
    config.write_text(CONFIG.format(downloads=folder / "downloads"), encoding="utf-8")
    watchlist.write_text(_watchlist_text(start_time, seed), encoding="utf-8")
    for file in (config, watchlist):
        file.chmod(0o600)
    return Workspace.open(WorkspacePaths(config_dir=folder, state_dir=folder / "state", watchlist_file=watchlist), KEYS)


def _watchlist_text(start_time: float, seed: int) -> str:
    """Return the watchlist's text, as an operator and `babeltop add` would write it."""
    text = ""
    for group in JOB_GROUPS:
        jobs = tuple(job.job(start_time, seed) for job in group.jobs)
        secrets = {job.ref: spec.secrets(seed) for job, spec in zip(jobs, group.jobs, strict=True)}
        text, _ = apply_to_text(f"{text}\n# {group.comment}\n\n".lstrip("\n"), Add(jobs, secrets))
    return text


def _past_polls(job: DemoJob, start_time: float, seed: int) -> PastPolls:
    polled_at = tuple(start_time + at for at in job.past_polls(seed))
    return PastPolls(
        job.job(start_time, seed), polled_at, None if job.next_poll is None else start_time + job.next_poll
    )


def _with_camb_prefix(simulator: Simulator) -> App:
    """Return the simulator with CAMB.AI's paths also below its prefix."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await simulator({**scope, "raw_path": scope["raw_path"].removeprefix(CAMB_PREFIX)}, receive, send)

    return app


def _transport_factory(app: App) -> "TransportFactory":
    """Return the factory of a client's transport; it imports httpx on use, after the first frame."""

    def create_transport() -> "httpx.AsyncBaseTransport":
        from tui.demo.transport import SimulatorTransport

        return SimulatorTransport(app)

    return create_transport
