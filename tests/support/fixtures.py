"""Workspaces on disk for tests, and a listener that records the events of an engine."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tui.domain.job_state import JobState
from tui.domain.models import Job, Ref
from tui.engine.api import (
    AccountState,
    DownloadProgress,
    EngineEvent,
    Notice,
    ProblemsChanged,
    Refresh,
    RoleChanged,
    WatchlistOrder,
)
from tui.engine.engine import Engine
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

KEY = "sk-0123456789abcdef"
ACCOUNTS = ("heygen", "heygen-v2", "konpro", "camb", "flixu")
"""Accounts of a workspace without jobs. Each costs a statement in each tick of an engine."""


def make_workspace(
    tmp: Path,
    base: str | Mapping[str, str],
    jobs: Mapping[str, tuple[str, ...]] | tuple[Job, ...] = (),
    *,
    config: str = "",
    accounts: tuple[str, ...] | None = None,
    keys: Mapping[str, str] | None = None,
    rate: float = 60_000,
    concurrency: int = 2,
) -> Workspace:
    """Create a workspace with accounts named like their providers: those of the jobs, or ACCOUNTS without jobs.

    `base`: one base URL, or one per account. `jobs`: ids by account, or jobs. `keys`: keys by account, else KEY.
    """
    if isinstance(jobs, Mapping):
        jobs = tuple(Job(account=account, id=each) for account, ids in jobs.items() for each in ids)
    if accounts is None:
        accounts = tuple(dict.fromkeys(job.account for job in jobs)) or ACCOUNTS
    tables = ""
    for name in accounts:
        url = base if isinstance(base, str) else base.get(name, "http://127.0.0.1:9")
        tables += (
            f'[accounts.{name}]\nbase_url = "{url}"\napi_key = {{ env = "{key_variable(name)}" }}\n'
            f"rate_per_minute = {rate}\nconcurrency = {concurrency}\ninsecure_http = true\n"
        )
    (tmp / "config.toml").write_text(tables + config)
    environ = {key_variable(name): (keys or {}).get(name, KEY) for name in accounts}
    workspace = Workspace.open(workspace_paths(tmp), environ)
    if jobs:
        workspace.watchlist.edit(Add(jobs))
    return workspace


def key_variable(account: str) -> str:
    """Return the environment variable of an account's key in a workspace of `make_workspace`."""
    return f"KEY_{account.upper().replace('-', '_')}"


def workspace_paths(tmp: Path) -> WorkspacePaths:
    return WorkspacePaths(config_dir=tmp, state_dir=tmp / "state", watchlist_file=tmp / "watchlist.toml")


class RecordingListener:
    """Recorder of the events of an engine."""

    def __init__(self) -> None:
        self.states: list[JobState] = []
        self.orders: list[tuple[Ref, ...]] = []
        """Orders of the watchlist, oldest first."""
        self.accounts: dict[str, AccountState] = {}
        self.role_events: list[RoleChanged] = []
        """Changes of the role, oldest first."""
        self.problems: list[tuple[str, ...]] = []
        """Problems after each change of them, oldest first."""
        self.notices: list[Notice] = []
        self.downloads: list[DownloadProgress] = []

    @property
    def roles(self) -> list[str]:
        """Roles, oldest first."""
        return [event.role for event in self.role_events]

    @property
    def last_role(self) -> str:
        """The present role; "" before the first one."""
        return self.role_events[-1].role if self.role_events else ""

    @property
    def last_problems(self) -> tuple[str, ...]:
        """The present problems."""
        return self.problems[-1] if self.problems else ()

    def publish(self, event: EngineEvent) -> None:
        match event:
            case JobState():
                self.states.append(event)
            case WatchlistOrder(refs):
                self.orders.append(refs)
            case AccountState():
                self.accounts[event.name] = event
            case ProblemsChanged(problems):
                self.problems.append(problems)
            case RoleChanged():
                self.role_events.append(event)
            case DownloadProgress():
                self.downloads.append(event)
            case Notice():
                self.notices.append(event)


@asynccontextmanager
async def running_engine(engine: Engine) -> AsyncIterator[Engine]:
    """Open and run the engine; an error of the engine fails the test."""
    await engine.open()
    task = asyncio.create_task(engine.run())
    try:
        yield engine
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def refresh(*refs: Ref) -> Refresh:
    """Return the command that polls these jobs."""
    return Refresh(refs)
