"""A library on disk for a test, and somebody who listens to its sessions."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tui.domain.job_state import JobState
from tui.domain.models import Job, Ref
from tui.engine.api import AccountState, DownloadProgress, Notice, Refresh
from tui.engine.engine import Engine
from tui.storage.watchlist.file import Add
from tui.storage.workspace import Workspace, WorkspacePaths

KEY = "sk-0123456789abcdef"


def make_workspace(
    tmp: Path,
    base: str | Mapping[str, str],
    jobs: Mapping[str, tuple[str, ...]] | tuple[Job, ...] = (),
    *,
    config: str = "",
    accounts: tuple[str, ...] = ("heygen", "konpro", "camb", "flixu"),
    keys: Mapping[str, str] | None = None,
    rate: float = 60_000,
    concurrency: int = 2,
) -> Workspace:
    """Accounts named like their providers, at `base`; each has KEY, or its own of `keys`. Jobs by account, or whole."""
    tables = ""
    for name in accounts:
        url = base if isinstance(base, str) else base.get(name, "http://127.0.0.1:9")
        tables += (
            f'[accounts.{name}]\nbase_url = "{url}"\napi_key = {{ env = "{_variable(name)}" }}\n'
            f"rate_per_minute = {rate}\nconcurrency = {concurrency}\ninsecure_http = true\n"
        )
    (tmp / "config.toml").write_text(tables + config)
    environ = {_variable(name): (keys or {}).get(name, KEY) for name in accounts}
    found = Workspace(workspace_paths(tmp), environ)
    if isinstance(jobs, Mapping):
        jobs = tuple(Job(account=account, id=each) for account, ids in jobs.items() for each in ids)
    if jobs:
        found.watchlist.edit(Add(jobs))
    return found


def _variable(account: str) -> str:
    return f"KEY_{account.upper().replace('-', '_')}"


def workspace_paths(tmp: Path) -> WorkspacePaths:
    return WorkspacePaths(config_dir=tmp, state_dir=tmp / "state", watchlist_file=tmp / "watchlist.toml")


class RecordingListener:
    """Keeps what a session tells."""

    def __init__(self) -> None:
        self.states: list[JobState] = []
        self.order: tuple[Ref, ...] = ()
        self.accounts: dict[str, AccountState] = {}
        self.last_role = ""
        self.last_problems: tuple[str, ...] = ()
        self.notices: list[Notice] = []
        self.downloads: list[DownloadProgress] = []

    def state(self, state: JobState) -> None:
        self.states.append(state)

    def listed(self, order: tuple[Ref, ...]) -> None:
        self.order = order

    def account(self, state: AccountState) -> None:
        self.accounts[state.name] = state

    def problems(self, problems: tuple[str, ...]) -> None:
        self.last_problems = problems

    def role(self, role: str) -> None:
        self.last_role = role

    def download(self, progress: DownloadProgress) -> None:
        self.downloads.append(progress)

    def notice(self, notice: Notice) -> None:
        self.notices.append(notice)


@asynccontextmanager
async def running_engine(engine: Engine) -> AsyncIterator[Engine]:
    """Opens the session and has it poll; an error of its own fails the test."""
    engine.open()
    task = asyncio.create_task(engine.run())
    try:
        yield engine
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def refresh(*refs: Ref) -> Refresh:
    """A person's wish."""
    return Refresh(refs)
