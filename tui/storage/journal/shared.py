"""Shared storage of the processes on one state folder: its journal and its lock. The work is done inline.

Nothing suspends, so virtual time and speed are those of plain calls.
"""

import os
from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from pathlib import Path

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Ref, RequestRecord
from tui.domain.polling.duration_model import ObservedDuration
from tui.domain.polling.rate_limit import RateLimit
from tui.domain.team import EVERY_ACCOUNT, NO_ACCOUNT, AccountSet
from tui.storage.deliveries import HookDelivery
from tui.storage.journal.fleet import FleetCursor, FleetPage
from tui.storage.journal.heartbeats import Heartbeat
from tui.storage.journal.journal import Journal, JournalEntry
from tui.storage.locks import poller_lease
from tui.storage.protocols import Candidacy

OpenJournal = Callable[[], Journal]
"""Returns the journal, which may be another one at each call. May raise JournalError and OSError."""


class LocalStorage:
    """SharedStorage of one state folder and watchlist."""

    def __init__(self, journal: OpenJournal, state_dir: Path, watchlist: Path) -> None:
        """Open nothing yet."""
        self.journal = LocalJournal(journal)
        self.rate_limits = LocalRateLimits(journal)
        self.lease = LocalLease(journal, poller_lease.Lease(state_dir, watchlist))
        self.successors = LocalSuccessors(journal)
        self.notifications = LocalNotifications(journal)
        self.team = None
        self.outbox = None

    def take_clock_step(self) -> float:
        """Return 0: this computer's clock is not measured here."""
        return 0.0

    async def close(self) -> None:
        """Leave the journal open: the workspace closes it."""


class LocalJournal:
    """JobJournal on SQLite."""

    def __init__(self, journal: OpenJournal) -> None:
        self._journal = journal

    @property
    def notices(self) -> Sequence[str]:
        """Messages about renamed files."""
        return self._journal().notices

    @property
    def generation(self) -> object:
        """Journal and number of files that it opened."""
        journal = self._journal()
        return journal, journal.open_count

    async def record(self, entries: Sequence[JournalEntry]) -> Sequence[PhaseChange]:
        """Write the batch in one transaction."""
        return self._journal().record(entries)

    async def states(self, refs: Collection[Ref]) -> dict[Ref, JobState]:
        """Read the states of these jobs."""
        return self._journal().states(refs)

    async def external_changes(self, _listed: Container[Ref] | None = None, /) -> dict[Ref, JobState]:
        """Read the states that other processes wrote: they share the watchlist."""
        return self._journal().external_changes()

    async def replaced_states(self) -> Mapping[Ref, JobState | None]:
        """Return none: every process writes its entries."""
        return {}

    async def phase_changes(self, refs: Iterable[Ref]) -> dict[Ref, tuple[PhaseChange, ...]]:
        """Read the phase changes of the jobs."""
        return self._journal().phase_changes(refs)

    async def recent_phase_changes(self, limit: int) -> tuple[PhaseChange, ...]:
        """Read the last phase changes."""
        return self._journal().recent_phase_changes(limit)

    async def durations(self, account: str, kind: str, limit: int) -> Sequence[ObservedDuration]:
        """Read the last durations of a kind."""
        return self._journal().durations(account, kind, limit)

    async def last_body(self, ref: Ref) -> tuple[bytes, float] | None:
        """Read the last raw body of a job."""
        return self._journal().last_body(ref)

    async def requests(self, ref: Ref, limit: int) -> tuple[RequestRecord, ...]:
        """Read the last requests of a job."""
        return self._journal().requests(ref, limit)

    async def fleet_page(self, cursor: FleetCursor, now: float, refs: Collection[Ref] | None = None) -> FleetPage:
        """Read some of the rows after the cursor."""
        assert refs is None, "without a team, all jobs count"
        return self._journal().fleet.page(cursor, now)

    async def mark_listed(self, refs: Collection[Ref], now: float) -> None:
        """Record that a watchlist holds these jobs."""
        self._journal().mark_listed(refs, now)

    async def prune(self, now: float) -> None:
        """Delete some old rows."""
        self._journal().prune(now)


class LocalRateLimits:
    """RateLimits on SQLite."""

    is_required = False

    def __init__(self, journal: OpenJournal) -> None:
        self._journal = journal

    async def refusal(self) -> str:
        """Return that it may."""
        return ""

    def sharer_count(self, _account: str) -> int:
        """Return that the account has a rate limit of its own."""
        return 1

    async def get(self, account: str) -> RateLimit | None:
        """Read the account's rate limit."""
        return self._journal().rate_limits.get(account)

    async def update(self, account: str, change: Callable[[RateLimit | None], RateLimit]) -> RateLimit:
        """Change the account's rate limit in one transaction."""
        return self._journal().rate_limits.update(account, change)


class LocalLease:
    """Leases of all accounts at once, by one lock of the operating system, with heartbeats on SQLite."""

    problems: Sequence[str] = ()

    def __init__(self, journal: OpenJournal, lease: poller_lease.Lease) -> None:
        self._journal = journal
        self._lease = lease

    @property
    def held(self) -> AccountSet:
        """Every account if this process has locked the file, else none."""
        return EVERY_ACCOUNT if self._lease.is_held else NO_ACCOUNT

    async def acquire(self, _candidacy: Candidacy) -> AccountSet:
        """Lock the file. Raises OSError."""
        return EVERY_ACCOUNT if self._lease.acquire() else NO_ACCOUNT

    async def is_free(self) -> bool:
        """Return whether no other process has locked the file. Raises OSError."""
        return self._lease.is_free()

    async def release(self) -> None:
        """Unlock the file."""
        self._lease.release()

    async def heartbeats(self) -> Sequence[Heartbeat]:
        """Read the last heartbeat."""
        last = self._journal().heartbeats.latest(self._lease.name)
        return () if last is None else (last,)

    async def write_heartbeats(self, encode: Callable[[AccountSet], bytes]) -> None:
        """Write a heartbeat."""
        self._journal().heartbeats.record(self._lease.name, os.getpid(), encode(EVERY_ACCOUNT))


class LocalSuccessors:
    """Successors on SQLite."""

    def __init__(self, journal: OpenJournal) -> None:
        self._journal = journal

    async def refusals(self, account: str, provider: str, now: float) -> Mapping[str, float]:
        """Read the refusals of this successor."""
        return self._journal().successors.refusals(account, provider, now)

    async def record_move(self, account: str, provider: str, at: float) -> None:
        """Write the move of an account."""
        self._journal().successors.record_move(account, provider, at)

    async def record_refusal(self, account: str, job: str, provider: str, at: float) -> None:
        """Write the refusal of a job."""
        self._journal().successors.record_refusal(account, job, provider, at)


class LocalNotifications:
    """Notifications on SQLite."""

    def __init__(self, journal: OpenJournal) -> None:
        self._journal = journal

    async def claim(
        self,
        keys: Mapping[str, float],
        now: float,
        held: Mapping[str, bytes] | None = None,
        deliveries: Sequence[tuple[HookDelivery, Sequence[str]]] = (),
        *,
        is_sent: bool = False,
    ) -> frozenset[str]:
        """Claim the keys in one transaction. Without a team, the caller delivers."""
        assert not deliveries, "there is no outbox"
        return self._journal().notifications.claim(keys, now, held, is_sent=is_sent)

    async def held(self, since: float, until: float) -> Sequence[bytes]:
        """Read the held notifications."""
        return self._journal().notifications.held(since, until)

    async def take_held(self, now: float) -> Sequence[bytes]:
        """Take the unsent held notifications in one transaction."""
        return self._journal().notifications.take_held(now)

    async def forget(self, keys: Collection[str]) -> None:
        """Delete the keys."""
        self._journal().notifications.forget(keys)
