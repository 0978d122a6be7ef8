"""The demo's stage: a folder that does not outlive it, accounts without a secret, and a transport without a network."""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tui.demo.fixtures import JOB_GROUPS, JOBS, PAST_JOBS
from tui.demo.history import App, HistoryPlayer, PastPolls
from tui.demo.job_spec import DemoJob
from tui.demo.manual_clock import ManualClock
from tui.simulator.app import Simulator
from tui.storage.watchlist.editor import apply_to_text
from tui.storage.watchlist.file import Add
from tui.storage.workspace import Workspace, WorkspacePaths

if TYPE_CHECKING:
    import httpx

    from tui.engine.http.client import TransportFactory

CONFIG = """\
# The demo's accounts. Their addresses are the services' own, and nothing ever leaves for them:
# every request ends in the simulator, inside this process.
[accounts.heygen]

[accounts.konpro]
plan = "pro"

[accounts.camb]

[accounts.flixu]
plan = "starter"

[accounts.legal]          # the legal department's own organisation at Flixu
provider = "flixu"
api_key = {{ env = "LEGAL_FLIXU_API_KEY" }}

[downloads]
dir = "{downloads}"

[alerts]
desktop = false           # nothing of the demo is shown outside of it
"""
KEYS = {
    "HEYGEN_API_KEY": "hg_demo_5b1f7c02d9e84a36",
    "KONPRO_API_KEY": "kp_demo_e07a93c41f6d28b5",
    "CAMB_API_KEY": "cb_demo_94d2f8a10c7be653",
    "FLIXU_API_KEY": "flx_demo_3ac95e7d18f0b264",
}
"""The whole environment of the demo: the operator's own keys are not in it. None for "legal"."""
LIMITS = {"camb": 18}
"""Requests a minute beyond which the simulated CAMB.AI answers 429. Unpublished, and less than the engine guesses:
so there is a Retry-After to be seen now and then, and how the engine slows down."""
LATENCY = 0.12
"""Mean seconds that a reply takes."""
CAMB_PREFIX = b"/apis"
"""Where CAMB.AI's gateway has the paths that the simulator answers at."""


@contextmanager
def demo_workspace(
    *, now: Callable[[], float] = time.time, seed: int = 7
) -> Generator[tuple[Workspace, "TransportFactory"]]:
    """Yield a library with a past and a story to come, and the transport that leads to its services.

    `now` gives instants; the curtain is at the first of them. The same `seed` and the same curtain make the same
    stage. The folder is 0700 and gone at the end: whoever runs an engine over the library closes it before.
    """
    curtain = now()
    clockwork = ManualClock(now)
    stories = [role.scenario(curtain, seed) for role in (*JOBS, *PAST_JOBS)]
    simulator = Simulator(
        clock=clockwork.now, seed=seed, scenarios=stories, limits=LIMITS, latency=LATENCY, sleep=clockwork.sleep
    )
    app = _with_camb_prefix(simulator)
    with TemporaryDirectory(prefix="babeltop-demo-") as folder:
        library = _create_workspace(Path(folder), curtain, seed)
        try:
            HistoryPlayer(library, app, clockwork, Random(seed)).play(
                _past_polls(role, curtain, seed) for role in (*JOBS, *PAST_JOBS)
            )
            library.close()  # it is opened anew by the thread that needs it
            yield library, _transport_factory(app)
        finally:
            library.close()


def _create_workspace(folder: Path, start_time: float, seed: int) -> Workspace:
    """Return the library over the folder's files, which are written here: settings and watchlist."""
    config, watchlist = folder / "config.toml", folder / "watchlist.toml"
    config.write_text(CONFIG.format(downloads=folder / "downloads"), encoding="utf-8")
    watchlist.write_text(_watchlist_text(start_time, seed), encoding="utf-8")
    for file in (config, watchlist):
        file.chmod(0o600)
    return Workspace.open(WorkspacePaths(config_dir=folder, state_dir=folder / "state", watchlist_file=watchlist), KEYS)


def _watchlist_text(start_time: float, seed: int) -> str:
    """Return the watchlist's text, as an operator and `babeltop add` would have written it."""
    text = ""
    for act in JOB_GROUPS:
        jobs = tuple(role.job(start_time, seed) for role in act.jobs)
        text, _ = apply_to_text(f"{text}\n# {act.comment}\n\n".lstrip("\n"), Add(jobs))
    return text


def _past_polls(job: DemoJob, start_time: float, seed: int) -> PastPolls:
    asked = tuple(start_time + at for at in job.past_polls(seed))
    return PastPolls(job.job(start_time, seed), asked, None if job.next_poll is None else start_time + job.next_poll)


def _with_camb_prefix(simulator: Simulator) -> App:
    """Return the simulator with CAMB.AI's paths below its gateway's, too."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await simulator({**scope, "raw_path": scope["raw_path"].removeprefix(CAMB_PREFIX)}, receive, send)

    return app


def _transport_factory(app: App) -> "TransportFactory":
    """Return what makes a client's transport: httpx comes with the first of them, long after the first frame."""

    def wire() -> "httpx.AsyncBaseTransport":
        from tui.demo.transport import SimulatorTransport

        return SimulatorTransport(app)

    return wire
