"""What a verb hears of a session: which jobs changed, which accounts refuse. What a person should know is said."""

import asyncio
from collections.abc import Collection

from tui.cli.output import print_message
from tui.domain.job_state import JobState
from tui.domain.models import FaultKind, Ref
from tui.engine.api import AccountState, DownloadProgress, Health, Notice, NoticeKind

_REFUSED_HEALTH = frozenset({Health.REFUSED, Health.NO_KEY})


class EngineSubscriber:
    """A listener for one session. Of accounts other than those named it says nothing."""

    def __init__(self, accounts: Collection[str]) -> None:
        self._accounts = accounts
        self._changed_refs: dict[Ref, None] = {}
        self._wakeup = asyncio.Event()
        self._refused_accounts = set[str]()
        self._reported_health: dict[str, Health] = {}
        self._problems = set[str]()

    async def next_changes(self) -> list[Ref]:
        """Waits until something is new, and returns the jobs that changed since the last call."""
        await self._wakeup.wait()
        self._wakeup.clear()
        changed = list(self._changed_refs)
        self._changed_refs.clear()
        return changed

    def is_refused(self, state: JobState) -> bool:
        """Nothing more can be learned of the job until a person acts."""
        by_itself = state.fault is not None and state.fault.kind is FaultKind.REFUSED
        return by_itself or state.job.account in self._refused_accounts

    def state(self, state: JobState) -> None:
        """A job's state is new."""
        self._changed_refs[state.job.ref] = None
        self._wakeup.set()

    def listed(self, order: tuple[Ref, ...]) -> None:
        """The watchlist has changed: any job may be gone."""
        self._changed_refs |= dict.fromkeys(order)
        self._wakeup.set()

    def account(self, state: AccountState) -> None:
        """An account's state is new: said where its health is another."""
        (self._refused_accounts.add if state.health in _REFUSED_HEALTH else self._refused_accounts.discard)(state.name)
        self._wakeup.set()
        if state.name in self._accounts and self._reported_health.get(state.name, Health.OK) is not state.health:
            if state.health is not Health.UNTRIED:
                self._reported_health[state.name] = state.health
            if state.message:
                print_message(f"{state.name}: {state.message}")

    def problems(self, problems: tuple[str, ...]) -> None:
        """What stands in the way now; each is said once."""
        for problem in problems:
            if problem not in self._problems:
                print_message(problem)
        self._problems = set(problems)

    def role(self, role: str) -> None:
        """Who polls: for screens."""

    def download(self, progress: DownloadProgress) -> None:
        """A download has moved: for who downloads."""

    def notice(self, notice: Notice) -> None:
        """Most are for screens: whoever waits hears of every change. What is downloaded by itself is said."""
        if notice.kind in {NoticeKind.DOWNLOADED, NoticeKind.DOWNLOAD_FAILED}:
            print_message(notice.text)
