"""What a front end knows of the engine: the board's changes, commands with their outcome, notices. No thread is here.

Whoever draws holds a `Feed`, its own dict of states, and nothing else of the engine.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from enum import StrEnum
from typing import NamedTuple, Protocol

from msgspec import Struct

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import DownloadedFile, Link, Ref, RequestRecord
from tui.storage.watchlist.file import Operation, RemovedBlock


class Health(StrEnum):
    """How an account is doing, for its badge."""

    OK = "ok"
    UNTRIED = "untried"
    LIMITED = "limited"
    OFFLINE = "offline"
    """Its breaker is open, or its last asks failed."""
    REFUSED = "refused"
    """401: it asks nothing until a person acts."""
    NO_KEY = "no key"


class AccountState(Struct, frozen=True, kw_only=True):
    """One account, as a front end shows it."""

    name: str
    provider: str
    title: str
    id_patterns: tuple[str, ...] = ()
    """Regular expressions that this provider's ids often match."""
    kinds: tuple[str, ...] = ()
    health: Health = Health.UNTRIED
    message: str = ""
    """What is wrong and the way out; "" while nothing is."""
    waits_until: float | None = None
    """Instant until which it waits, if it does."""
    http_status: int | None = None
    """What came when it was last told to wait: 429 or 503; None: it was not, or without such a word."""
    consecutive_failures: int = 0
    """Asks in a row that found no service. One may be a cut connection."""
    rate_per_minute: float | None = None
    """Asks a minute that we allow ourselves now."""
    quota: tuple[int, int] | None = None
    """Asks left and the limit, as the service's headers said last."""
    request_count: int = 0
    fault_count: int = 0
    latency: float | None = None
    """Seconds that the last ask took."""
    skew: float | None = None
    """Seconds by which the service's clock is ahead of ours."""
    is_deprecated: bool = False
    """The service says that this API will end."""
    sunset_at: float | None = None
    """Instant at which it will, where it says so."""


class NoticeKind(StrEnum):
    """What a notice is about."""

    DONE = "done"
    FAILED = "failed"
    JOURNAL = "changed"
    ACCOUNT = "account"
    EXPIRING = "expiring"
    STALLED = "stalled"
    HOOK = "hook"
    """A hook of the operator's does not do what it should."""
    DOWNLOADED = "saved"
    """A download that somebody wanted is whole."""
    DOWNLOAD_FAILED = "unsaved"
    """A download failed."""


class DownloadStage(StrEnum):
    """How far a download is."""

    WAITING = "waiting"
    DOWNLOADING = "fetching"
    SAVED = "saved"
    FAILED = "failed"
    CANCELLED = "cancelled"


class DownloadProgress(Struct, frozen=True, kw_only=True):
    """One job's download, as it is now."""

    ref: Ref
    stage: DownloadStage
    file_name: str = ""
    """The file that is on its way, or was last."""
    received_bytes: int = 0
    """Bytes of it that are there."""
    total_bytes: int | None = None
    """Bytes of the whole file; None: it is not known."""
    bytes_per_second: float | None = None
    """Bytes a second; None: not known yet."""
    message: str = ""
    """Why it failed, and the way out."""
    files: tuple[DownloadedFile, ...] = ()
    """All that was wanted and is there."""

    @property
    def fraction(self) -> float | None:
        """Which part of the file is there, 0 to 1; None: not known."""
        return min(1.0, self.received_bytes / self.total_bytes) if self.total_bytes else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the file is there, as fast as it goes now."""
        return (
            (self.total_bytes - self.received_bytes) / self.bytes_per_second
            if self.total_bytes is not None and self.bytes_per_second
            else None
        )


class Notice(NamedTuple):
    """Something that happened, worth a toast or a bell."""

    kind: NoticeKind
    text: str
    ref: Ref | None
    at: float


class Refresh(Struct, frozen=True):
    """Ask these jobs now, inside what their accounts allow."""

    refs: tuple[Ref, ...]


class Renew(Struct, frozen=True):
    """Ask these jobs for fresh links now; the outcome comes with them."""

    refs: tuple[Ref, ...]


class Resume(Struct, frozen=True):
    """A person says that the account may be tried again: its key is read anew."""

    account: str


class Pause(Struct, frozen=True):
    """Ask nothing by itself until it is told otherwise (`paused` False); what a person wants is asked."""

    paused: bool


class SaveUiState(Struct, frozen=True):
    """Keep these for the next start, by name; each is plain data. What has another name stays as it is."""

    values: Mapping[str, object]


class Download(Struct, frozen=True):
    """Save the files of these jobs, what is there already left as it is."""

    refs: tuple[Ref, ...]
    folder: str | None = None
    """Where to; None: where the settings say."""


class Cancel(Struct, frozen=True):
    """Download these jobs no more, and throw away what is not whole."""

    refs: tuple[Ref, ...]


Command = Operation | Refresh | Renew | Resume | Pause | SaveUiState | Download | Cancel


class CommandResult(Struct, frozen=True, kw_only=True):
    """What came of a command."""

    ok: bool = True
    message: str = ""
    """For an operator."""
    removed: tuple[RemovedBlock, ...] = ()
    """What `Restore` puts back."""
    links: tuple[Link, ...] = ()
    """After `Renew`, the links of the jobs' rows that live, in the jobs' order."""


class JobHistory(Struct, frozen=True, kw_only=True):
    """What the journal holds of one job, for its detail pane."""

    ref: Ref
    body: bytes | None = None
    """The last raw body, at most 64 KiB, without the key."""
    body_received_at: float | None = None
    phase_changes: tuple[PhaseChange, ...] = ()
    requests: tuple[RequestRecord, ...] = ()
    """Its last asks, newest first."""


class Update(Struct, frozen=True, kw_only=True):
    """What has changed since the last one was taken. Job states are conflated by ref; notices never are."""

    states: Mapping[Ref, JobState]
    removed: frozenset[Ref] = frozenset()
    order: tuple[Ref, ...] | None = None
    """The watchlist's order, where it changed."""
    accounts: Mapping[str, AccountState] | None = None
    role: str | None = None
    """Who polls, where that changed: "polling", "paused", "following PID n", or "following PID n, paused"."""
    problems: tuple[str, ...] | None = None
    """Banners: a broken watchlist, a journal that cannot be written."""
    notices: tuple[Notice, ...] = ()
    downloads: Mapping[Ref, DownloadProgress] = {}
    """Downloads that have moved, conflated by ref."""


class EngineHandle(Protocol):
    """The engine, as a front end sees it. Every method is called from the front end's own thread."""

    def start(self, wake: Callable[[], None]) -> None:
        """Starts the engine. `wake` is called, from any thread, when there is something to take."""
        ...

    def take_update(self) -> Update:
        """What has changed since the last call."""
        ...

    def send(self, command: Command) -> "Future[CommandResult]":
        """Has the engine do it."""
        ...

    def job_history(self, ref: Ref) -> "Future[JobHistory]":
        """Asks for what the journal holds of a job."""
        ...

    def recent_changes(self, limit: int) -> "Future[tuple[PhaseChange, ...]]":
        """Asks for the last phase changes of all jobs, newest first."""
        ...

    def silent_for(self) -> float:
        """Seconds since the engine last showed that it lives."""
        ...

    def close(self) -> None:
        """Ends the engine; what it knows is in the journal afterwards."""
        ...
