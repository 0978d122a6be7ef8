"""Interface of the engine for front ends: commands, results, events and updates.

A front end holds an `EngineHandle` and its own dict of states, and uses nothing else of the engine. The thread behind
the handle is in `thread.py`.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from datetime import tzinfo
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import DownloadedFile, Link, Ref, RequestRecord
from tui.domain.polling.duration_model import ObservedDuration
from tui.storage.watchlist.operations import Operation

if TYPE_CHECKING:
    from tui.domain.fleet import FleetReport


DISCOVERED = "discovered"
"""Tag of the jobs that were found on a service's list."""


AWAY = "database away"
"""End of the role of a team's console while the team's database cannot be reached."""


class Health(StrEnum):
    """Health of an account, for its badge."""

    OK = "ok"
    UNTRIED = "untried"
    LIMITED = "limited"
    OFFLINE = "offline"
    """The circuit breaker is open, or the last requests failed."""
    REFUSED = "refused"
    """401: no requests until the key changes or the operator requests a poll."""
    NO_KEY = "no key"
    UNKNOWN = "unknown"
    """Another process polls it, or none does, and what that one last stated no longer holds."""


IMPAIRED = frozenset({Health.OFFLINE, Health.REFUSED})
"""Healths of accounts whose requests fail."""


class AccountState(Struct, frozen=True, kw_only=True):
    """State of one account, as front ends show it."""

    name: str
    provider: str
    title: str
    id_patterns: tuple[str, ...] = ()
    """Regular expressions that ids of this provider often match."""
    has_slashes: bool = False
    """Its ids may contain '/'."""
    secrets: tuple[str, ...] = ()
    """Names of the secrets that each of its jobs needs."""
    kinds: tuple[str, ...] = ()
    health: Health = Health.UNTRIED
    message: str = ""
    """Problem and remedy; "" without a problem."""
    waits_until: float | None = None
    """Instant until which no request is sent; None if requests are allowed."""
    is_spaced: bool = False
    """Due polls are sent one by one, as the rate limit allows."""
    http_status: int | None = None
    """HTTP status that last made the account wait: 429 or 503; None without one."""
    consecutive_failures: int = 0
    """Consecutive requests without a response. A single one may be a cut connection."""
    rate_per_minute: float | None = None
    """Requests per minute that the throttle allows."""
    quota: tuple[int, int] | None = None
    """Remaining requests and limit from the last response headers."""
    request_count: int = 0
    fault_count: int = 0
    latency: float | None = None
    """Seconds that the last request took."""
    skew: float | None = None
    """Seconds by which the clock of the service is ahead of the local clock."""
    is_deprecated: bool = False
    """The service announces the retirement of this API."""
    sunset_at: float | None = None
    """Instant of the announced retirement; None if unknown."""


class NoticeKind(StrEnum):
    """Subject of a notice."""

    DONE = "done"
    FAILED = "failed"
    JOURNAL = "changed"
    ACCOUNT = "account"
    EXPIRING = "expiring"
    STALLED = "stalled"
    HOOK = "hook"
    """A hook failed."""
    DOWNLOADED = "saved"
    """A download is complete."""
    DOWNLOAD_FAILED = "unsaved"
    """A download failed."""
    SUMMARY = "summary"
    """The quiet time has ended."""


class DownloadStage(StrEnum):
    """Stage of a download."""

    WAITING = "waiting"
    DOWNLOADING = "fetching"
    SAVED = "saved"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DownloadProgress(Struct, frozen=True, kw_only=True):
    """Progress of the download of one job."""

    ref: Ref
    stage: DownloadStage
    file_name: str = ""
    """Name of the current or last file."""
    received_bytes: int = 0
    """Bytes of that file received so far."""
    total_bytes: int | None = None
    """Size of that file in bytes; None if unknown."""
    bytes_per_second: float | None = None
    """Bytes per second; None if unknown."""
    message: str = ""
    """Reason of a failure, and the remedy."""
    files: tuple[DownloadedFile, ...] = ()
    """Completed files of the job."""

    @property
    def fraction(self) -> float | None:
        """Received share of the file, 0 to 1; None if unknown."""
        return min(1.0, self.received_bytes / self.total_bytes) if self.total_bytes else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until completion at the current speed; None if unknown."""
        return (
            (self.total_bytes - self.received_bytes) / self.bytes_per_second
            if self.total_bytes is not None and self.bytes_per_second
            else None
        )


class Notice(Struct, frozen=True):
    """Event for a toast or a bell."""

    kind: NoticeKind
    text: str
    ref: Ref | None
    at: float


class Refresh(Struct, frozen=True):
    """Poll these jobs now, within the limits of their accounts."""

    refs: tuple[Ref, ...]


class Renew(Struct, frozen=True):
    """Renew the links of these jobs now; the result contains the links."""

    refs: tuple[Ref, ...]
    language: str | None = None
    """Of the part whose link the result contains; None: the job's primary link."""


class Resume(Struct, frozen=True):
    """Resume a stopped account with its key loaded again."""

    account: str


class Pause(Struct, frozen=True):
    """Pause (or with `paused` False resume) scheduled polls; user-requested polls continue."""

    paused: bool
    account: str = ""
    """Account whose polls are meant; "" for all."""


class SaveUiState(Struct, frozen=True):
    """Store these values of the front end by name, for the next start; other names keep their values."""

    values: Mapping[str, object]


class Download(Struct, frozen=True):
    """Download the files of these jobs that are not downloaded yet."""

    refs: tuple[Ref, ...]
    folder: str | None = None
    """Target folder; None for the folder of the settings."""
    language: str | None = None
    """Only files of the part with this language; None: all files."""


class Cancel(Struct, frozen=True):
    """Cancel the downloads of these jobs and delete their partial files."""

    refs: tuple[Ref, ...]


class Discover(Struct, frozen=True):
    """List the accounts' jobs that are not on the watchlist and were not removed from it."""


class ShowTeam(Struct, frozen=True):
    """Show the jobs of all watchlists of the team, or (with `whole_team` False) of the console's own."""

    whole_team: bool


Command = Discover | ShowTeam | Operation | Refresh | Renew | Resume | Pause | SaveUiState | Download | Cancel


class CommandResult(Struct, frozen=True, kw_only=True):
    """Result of a command."""

    ok: bool = True
    message: str = ""
    """Text for the operator."""
    undo: Operation | None = None
    """Operation that takes the change of the watchlist back; None: nothing was changed."""
    found: tuple[JobState, ...] = ()
    """After `Discover`: the jobs, as the lists have them."""
    links: Mapping[Ref, Link] = {}
    """After `Renew`: the unexpired primary link, of the whole job or of the part, of each job that has one."""


class JobHistory(Struct, frozen=True, kw_only=True):
    """Journal records of one job, for its detail pane."""

    ref: Ref
    body: bytes | None = None
    """Last raw response body, at most 64 KiB, without the key."""
    body_received_at: float | None = None
    phase_changes: tuple[PhaseChange, ...] = ()
    requests: tuple[RequestRecord, ...] = ()
    """Last requests, newest first."""
    durations: tuple[ObservedDuration, ...] = ()
    """Durations of the last ended jobs of its account and kind, oldest first."""
    is_read: bool = True
    """False: the journal can't be read now, or the engine is not running."""


class WatchlistOrder(Struct, frozen=True):
    """Event: the watchlist consists of exactly these jobs, in this order."""

    refs: tuple[Ref, ...]


class RoleChanged(Struct, frozen=True):
    """Event: the console has another role."""

    role: str
    """"polling", "paused", "following PID n", or "following PID n, paused"; of a viewer, "viewing HOST". In a team with
    several leaders: "following 2 workers"; while its database is away, "following, database away"."""
    shows_team: bool = False
    """The board has the jobs of all watchlists of the team."""


class ProblemsChanged(Struct, frozen=True):
    """Event: these are all current problems, as banners: a broken watchlist, a journal that is not writable."""

    problems: tuple[str, ...]


class RequestFinished(Struct, frozen=True):
    """Event: a request of this account ended, with a response or without one."""

    account: str
    request: RequestRecord


EngineEvent = (
    JobState
    | WatchlistOrder
    | AccountState
    | RoleChanged
    | ProblemsChanged
    | RequestFinished
    | DownloadProgress
    | Notice
)
"""Event of an engine. A state (of a job, an account, a download) replaces the previous one of the same subject."""
Publish = Callable[[EngineEvent], None]
"""Function that delivers an event, called on the loop of the engine. It returns at once and does not raise."""


class Update(Struct, frozen=True, kw_only=True):
    """Changes since the last update. Job states are conflated by ref; notices are not conflated."""

    states: Mapping[Ref, JobState]
    has_more: bool = False
    """More states are waiting, which the front end takes soon. It is not woken before it has taken them."""
    removed: frozenset[Ref] = frozenset()
    order: tuple[Ref, ...] | None = None
    """Order of the watchlist; None if unchanged."""
    accounts: Mapping[str, AccountState] | None = None
    role: str | None = None
    """Role as in `RoleChanged`; None if unchanged."""
    shows_team: bool = False
    """As in `RoleChanged`, if the role is given."""
    problems: tuple[str, ...] | None = None
    """Current problems as in `ProblemsChanged`; None if unchanged."""
    notices: tuple[Notice, ...] = ()
    downloads: Mapping[Ref, DownloadProgress] = {}
    """Changed downloads, conflated by ref."""
    end_reason: str = ""
    """Why the engine ended and is not restarted; the front end exits. "" while it runs."""


class EngineHandle(Protocol):
    """Interface of the engine for a front end. Its methods are called on the thread of the front end."""

    def start(self, wake: Callable[[], object]) -> None:
        """Start the engine. `wake` is called, on any thread, when an update is available."""
        ...

    def take_update(self) -> Update:
        """Return the changes since the last call; of many states, the oldest ones."""
        ...

    def send(self, command: Command) -> "Future[CommandResult]":
        """Send a command to the engine."""
        ...

    def job_history(self, ref: Ref) -> "Future[JobHistory]":
        """Request the journal records of a job."""
        ...

    def recent_changes(self, limit: int) -> "Future[tuple[PhaseChange, ...]]":
        """Request the last phase changes of all jobs, newest first."""
        ...

    def fleet(self, zone: tzinfo) -> "Future[FleetReport]":
        """Request the summary of all accounts, with the days of this time zone."""
        ...

    def silent_for(self) -> float:
        """Return the seconds since the last heartbeat of the engine."""
        ...

    def close(self) -> None:
        """Stop the engine; the journal is complete afterwards."""
        ...
