"""What a verb hears of a session: which jobs changed, which accounts refuse. What a person should know is said."""

import asyncio
from collections.abc import Collection

from tui.cli.output import say
from tui.domain.job_state import JobState
from tui.domain.models import FaultKind, Ref
from tui.engine.api import AccountState, Health, Kind, Notice, Progress

_REFUSING = frozenset({Health.REFUSED, Health.NO_KEY})


class Ear:
    """A listener for one session. Of accounts other than those named it says nothing."""

    def __init__(self, accounts: Collection[str]) -> None:
        self._accounts = accounts
        self._changed: dict[Ref, None] = {}
        self._news = asyncio.Event()
        self._refusing = set[str]()
        self._said: dict[str, Health] = {}
        self._problems = set[str]()

    async def changed(self) -> list[Ref]:
        """Waits until something is new, and returns the jobs that changed since the last call."""
        await self._news.wait()
        self._news.clear()
        changed = list(self._changed)
        self._changed.clear()
        return changed

    def refuses(self, state: JobState) -> bool:
        """Nothing more can be learned of the job until a person acts."""
        by_itself = state.fault is not None and state.fault.kind is FaultKind.REFUSED
        return by_itself or state.job.account in self._refusing

    def state(self, state: JobState) -> None:
        """A job's state is new."""
        self._changed[state.job.ref] = None
        self._news.set()

    def listed(self, order: tuple[Ref, ...]) -> None:
        """The watchlist has changed: any job may be gone."""
        self._changed |= dict.fromkeys(order)
        self._news.set()

    def account(self, state: AccountState) -> None:
        """An account's state is new: said where its health is another."""
        (self._refusing.add if state.health in _REFUSING else self._refusing.discard)(state.name)
        self._news.set()
        if state.name in self._accounts and self._said.get(state.name, Health.OK) is not state.health:
            if state.health is not Health.UNTRIED:
                self._said[state.name] = state.health
            if state.message:
                say(f"{state.name}: {state.message}")

    def problems(self, problems: tuple[str, ...]) -> None:
        """What stands in the way now; each is said once."""
        for problem in problems:
            if problem not in self._problems:
                say(problem)
        self._problems = set(problems)

    def role(self, role: str) -> None:
        """Who polls: for screens."""

    def download(self, progress: Progress) -> None:
        """A download has moved: for who downloads."""

    def notice(self, notice: Notice) -> None:
        """Most are for screens: whoever waits hears of every change. What is downloaded by itself is said."""
        if notice.kind in {Kind.SAVED, Kind.UNSAVED}:
            say(notice.text)
