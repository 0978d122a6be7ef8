"""Protocols of the storage that the processes of a team share, as the engine calls it.

Async, because a network can stand between: `journal/shared.py` implements them on SQLite, where nothing suspends.
Config, keys, UI state and downloads stay local and synchronous, in the workspace. Every method may raise JournalError.
"""

from collections.abc import Callable, Collection, Container, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Job, Ref, RequestRecord
from tui.domain.polling.duration_model import ObservedDuration
from tui.domain.polling.rate_limit import RateLimit
from tui.domain.team import AccountSet
from tui.storage.deliveries import ClaimedDelivery, HookDelivery
from tui.storage.journal.fleet import FleetCursor, FleetPage
from tui.storage.journal.heartbeats import Heartbeat
from tui.storage.journal.journal import JournalEntry


class JobJournal(Protocol):
    """Journal of all jobs."""

    @property
    def notices(self) -> Sequence[str]:
        """Messages for the operator, oldest first."""
        ...

    @property
    def generation(self) -> object:
        """Identity of the store: another value means another store, perhaps an empty one."""
        ...

    async def record(self, entries: Sequence[JournalEntry]) -> Sequence[PhaseChange]:
        """Write the batch, and return the phase changes that this process was the first to record.

        Raises EntriesWaitError if it may write some entries only later.
        """
        ...

    async def states(self, refs: Collection[Ref]) -> dict[Ref, JobState]:
        """Return the last known states of these jobs."""
        ...

    async def external_changes(self, listed: Container[Ref] | None = None, /) -> dict[Ref, JobState]:
        """Return the states that other processes have written since the last call.

        `listed`: in a team, the jobs whose states are wanted; None: those of all.
        """
        ...

    async def replaced_states(self) -> Mapping[Ref, JobState | None]:
        """Return the stored states of jobs whose entries were discarded, since another process polls; each once.

        They replace those of this process, although they are older. None: the job has no stored state.
        """
        ...

    async def phase_changes(self, refs: Iterable[Ref]) -> dict[Ref, tuple[PhaseChange, ...]]:
        """Return the phase changes of the jobs, oldest first."""
        ...

    async def recent_phase_changes(self, limit: int) -> tuple[PhaseChange, ...]:
        """Return the last phase changes of all jobs, newest first."""
        ...

    async def durations(self, account: str, kind: str, limit: int) -> Sequence[ObservedDuration]:
        """Return the durations of the last `limit` ended jobs of a kind, oldest first."""
        ...

    async def last_body(self, ref: Ref) -> tuple[bytes, float] | None:
        """Return the last raw body of a job and the instant at which it was received."""
        ...

    async def requests(self, ref: Ref, limit: int) -> tuple[RequestRecord, ...]:
        """Return the last requests of a job, newest first."""
        ...

    async def fleet_page(self, cursor: FleetCursor, now: float, refs: Collection[Ref] | None = None) -> FleetPage:
        """Return the ended jobs and requests after the cursor that are recent enough for a report at `now`.

        `refs`: in a team, the jobs whose ends count; None: those of all.
        """
        ...

    async def mark_listed(self, refs: Collection[Ref], now: float) -> None:
        """Record that a watchlist holds these jobs at `now`, so that `prune` keeps their states."""
        ...

    async def prune(self, now: float) -> None:
        """Delete some of the rows that are too old or too many."""
        ...


class RateLimits(Protocol):
    """Rate limits that all processes share."""

    @property
    def is_required(self) -> bool:
        """Whether no request may leave without them: no process can know what the others have sent."""
        ...

    async def refusal(self) -> str:
        """Return why this process may send no request at all; "" if it may."""
        ...

    def sharer_count(self, account: str, /) -> int:
        """Return how many accounts of live leaders take their tokens from the same rate limit, as last read."""
        ...

    async def get(self, account: str) -> RateLimit | None:
        """Return the account's rate limit as last written; None if it never was."""
        ...

    async def update(self, account: str, change: Callable[[RateLimit | None], RateLimit]) -> RateLimit:
        """Write the result of `change`, applied to the stored value, at once for all. `change` may run repeatedly."""
        ...


class Candidacy(NamedTuple):
    """What a process offers to do for its team."""

    accounts: frozenset[str] = frozenset()
    """Accounts that it can poll: it has their keys, which no service has refused."""
    refused: frozenset[str] = frozenset()
    """Accounts whose service has refused its key."""
    hooks: Sequence[str] = ()
    """Digests of the hooks to which it can deliver."""


class Lease(Protocol):
    """Leases of the accounts, with heartbeats: one process at a time polls an account."""

    @property
    def held(self) -> AccountSet:
        """Accounts that this process polls."""
        ...

    @property
    def problems(self) -> Sequence[str]:
        """Why this process may not poll some of its accounts, for the operator."""
        ...

    async def acquire(self, candidacy: Candidacy, /) -> AccountSet:
        """Acquire, renew and hand over leases without waiting; return the accounts that this process polls.

        Raises OSError if there can be no lease here.
        """
        ...

    async def is_free(self) -> bool:
        """Return whether no other process holds a lease. Raises OSError if there can be no lease here."""
        ...

    async def release(self) -> None:
        """Release the leases that this process holds. Raises nothing."""
        ...

    async def heartbeats(self) -> Sequence[Heartbeat]:
        """Return the last heartbeat of each holder, of each of its accounts."""
        ...

    async def write_heartbeats(self, encode: Callable[[AccountSet], bytes]) -> None:
        """Write heartbeats of the accounts that this process holds. `encode` returns the states of some accounts."""
        ...


class Successors(Protocol):
    """Moves of accounts from retired APIs to their successors."""

    async def refusals(self, account: str, provider: str, now: float) -> Mapping[str, float]:
        """Return the instants at which this successor refused jobs of the account, by id."""
        ...

    async def record_move(self, account: str, provider: str, at: float) -> None:
        """Record that the account has moved to this provider."""
        ...

    async def record_refusal(self, account: str, job: str, provider: str, at: float) -> None:
        """Record that the successor refused the job of this id too."""
        ...


class Notifications(Protocol):
    """Notifications, of which one process sends each, and those held in a quiet time."""

    async def claim(
        self,
        keys: Mapping[str, float],
        now: float,
        held: Mapping[str, bytes] | None = None,
        deliveries: Sequence[tuple[HookDelivery, Sequence[str]]] = (),
        *,
        is_sent: bool = False,
    ) -> frozenset[str]:
        """Return the keys whose notification this process is to send, and record them as sent.

        `keys`: by key, the seconds after which it may be sent again. `held`: notifications that wait for the end of a
        quiet time; `is_sent`: only to be shown then. `deliveries`: what the outbox gets if one of the keys is claimed.
        """
        ...

    async def held(self, since: float, until: float) -> Sequence[bytes]:
        """Return the notifications that were held in this time, oldest first."""
        ...

    async def take_held(self, now: float) -> Sequence[bytes]:
        """Return the held notifications that no process has sent, oldest first, and record them as sent."""
        ...

    async def forget(self, keys: Collection[str]) -> None:
        """Delete the keys of conditions that ended: the next time is a new one."""
        ...


class Outbox(Protocol):
    """Deliveries to a team's hooks, which any of its workers sends."""

    async def add(self, deliveries: Iterable[HookDelivery]) -> None:
        """Write deliveries; those that are there already stay as they are."""
        ...

    async def claim(self, hook: str, seconds: float) -> ClaimedDelivery | None:
        """Claim a delivery to this hook for so many seconds, in which no other process gets it; None: none is due."""
        ...

    async def complete(self, delivery: HookDelivery) -> None:
        """Record that the delivery was sent."""
        ...

    async def postpone(self, delivery: HookDelivery, seconds: float) -> None:
        """Record that sending the delivery failed, and let it be claimed again after so many seconds."""
        ...

    async def fail(self, delivery: HookDelivery) -> None:
        """Record that the delivery is given up."""
        ...


class OpenCommand(NamedTuple):
    """Command without a result."""

    number: int
    account: str
    command: bytes
    age: float
    """Seconds since it was submitted."""


class TeamExchange(Protocol):
    """What the processes of a team give each other: watchlists, and commands with their results."""

    @property
    def watchlist(self) -> str:
        """Name of this process's watchlist."""
        ...

    @property
    def is_worker(self) -> bool:
        """Whether this process may poll."""
        ...

    @property
    def is_viewer(self) -> bool:
        """Whether this process may neither publish nor send commands, and reads no links."""
        ...

    @property
    def restriction(self) -> str:
        """Why this process may not do all that its role allows, and the remedy; "" if it may."""
        ...

    async def publish(self, jobs: Sequence[Job]) -> None:
        """Publish the jobs of this process's watchlist."""
        ...

    async def lists(self) -> Mapping[str, Sequence[Job]] | None:
        """Return all published watchlists by name; None: none has changed since the last call."""
        ...

    async def submit(self, commands: Mapping[str, bytes]) -> Mapping[str, int]:
        """Submit commands by account, each to the worker that polls it; return their numbers by account.

        An account that no live worker can poll gets none.
        """
        ...

    async def submit_to_all(self, command: bytes) -> Mapping[str, int]:
        """Submit a command for each account that a live worker can poll; return their numbers by account."""
        ...

    async def results(self, numbers: Collection[int]) -> Mapping[int, bytes]:
        """Return the results of those commands that have one, by number."""
        ...

    async def open_commands(self, accounts: Collection[str]) -> Sequence[OpenCommand]:
        """Return the commands for these accounts that have no result."""
        ...

    async def complete(self, number: int, result: bytes) -> None:
        """Write the result of a command."""
        ...


class SharedStorage(Protocol):
    """Storage of one engine that other processes share."""

    @property
    def team(self) -> TeamExchange | None:
        """Exchange of the team; None without one."""
        ...

    @property
    def outbox(self) -> Outbox | None:
        """Outbox of the team's hooks; None: this process does not poll for a team, and delivers its own."""
        ...

    async def close(self) -> None:
        """Close connections; the next use opens them again."""
        ...

    def take_clock_step(self) -> float:
        """Return the seconds by which the shared clock was set forward since the last call; 0: it counted evenly."""
        ...

    @property
    def journal(self) -> JobJournal:
        """Journal of all jobs."""
        ...

    @property
    def rate_limits(self) -> RateLimits:
        """Rate limits of the accounts."""
        ...

    @property
    def lease(self) -> Lease:
        """Leases of the accounts."""
        ...

    @property
    def successors(self) -> Successors:
        """Moves of the accounts."""
        ...

    @property
    def notifications(self) -> Notifications:
        """Sent and held notifications."""
        ...
