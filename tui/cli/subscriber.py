"""Subscriber of the engine for subcommands: collects changed jobs, prints what the operator must know."""

import asyncio
from collections.abc import Collection

from tui.cli.output import print_message
from tui.domain.job_state import JobState
from tui.domain.models import FaultKind, Ref
from tui.engine.api import (
    AccountState,
    DownloadProgress,
    EngineEvent,
    Health,
    Notice,
    NoticeKind,
    ProblemsChanged,
    RequestFinished,
    RoleChanged,
    WatchlistOrder,
)

_REFUSED_HEALTH = frozenset({Health.REFUSED, Health.NO_KEY})


class EngineSubscriber:
    """Subscriber of one engine, which prints messages of the named accounts only."""

    def __init__(self, accounts: Collection[str]) -> None:
        self._accounts = accounts
        self._changed_refs: dict[Ref, None] = {}
        self._wakeup = asyncio.Event()
        self._refused_accounts = set[str]()
        self._reported_health: dict[str, Health] = {}
        self._problems = set[str]()
        self._account_messages: dict[str, str] = {}

    @property
    def account_problems(self) -> list[str]:
        """Problems of the accounts, by name."""
        return [f"{name}: {message}" for name, message in sorted(self._account_messages.items()) if message]

    async def next_changes(self) -> list[Ref]:
        """Wait for an event, and return the jobs that changed since the last call."""
        await self._wakeup.wait()
        self._wakeup.clear()
        changed = list(self._changed_refs)
        self._changed_refs.clear()
        return changed

    def is_refused(self, state: JobState) -> bool:
        """Return whether polls of the job are refused until the operator acts."""
        is_refused = state.fault is not None and state.fault.kind is FaultKind.REFUSED
        return is_refused or state.job.account in self._refused_accounts

    def publish(self, event: EngineEvent) -> None:
        """Record an event of the engine, and print what the operator needs to know."""
        match event:
            case JobState():
                self._changed_refs[event.job.ref] = None
                self._wakeup.set()
            case WatchlistOrder(refs):  # any job may be removed
                self._changed_refs |= dict.fromkeys(refs)
                self._wakeup.set()
            case AccountState():
                self._on_account_state(event)
                self._wakeup.set()
            case ProblemsChanged(problems):
                for problem in problems:
                    if problem not in self._problems:
                        print_message(problem)
                self._problems = set(problems)
            case DownloadProgress():
                self._on_download(event)
            case Notice():
                self._on_notice(event)
            case RoleChanged() | RequestFinished():
                pass

    def _on_account_state(self, state: AccountState) -> None:
        """Print the message of an account whose health changed."""
        self._account_messages[state.name] = state.message
        (self._refused_accounts.add if state.health in _REFUSED_HEALTH else self._refused_accounts.discard)(state.name)
        if state.name in self._accounts and self._reported_health.get(state.name, Health.OK) is not state.health:
            if state.health not in {Health.UNTRIED, Health.UNKNOWN}:
                self._reported_health[state.name] = state.health
            if state.message:
                print_message(f"{state.name}: {state.message}")

    def _on_download(self, progress: DownloadProgress) -> None:
        """Ignore the progress of automatic downloads: their notices are printed."""

    def _on_notice(self, notice: Notice) -> None:
        """Print the notices of downloads; other notices repeat job states."""
        if notice.kind in {NoticeKind.DOWNLOADED, NoticeKind.DOWNLOAD_FAILED}:
            print_message(notice.text)
