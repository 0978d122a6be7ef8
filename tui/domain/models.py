"""The values that every layer speaks in: jobs, reports, faults and links. They decide nothing.

Instants are seconds since the epoch in UTC, as floats; durations are seconds. There are tens of
thousands of them, without cycles: the garbage collector, which would stall a loop for 0.1 s, leaves them (`gc=False`).
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Phase(StrEnum):
    """Where a job is in its life, in our terms."""

    NEW = "new"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    """Payment or permission: a person must act."""
    MISSING = "missing"
    """The service does not know the id; often it is another organisation's."""


ACTIVE = frozenset({Phase.NEW, Phase.QUEUED, Phase.RUNNING})
"""Phases that are asked on a cadence."""
PROBLEMS = frozenset({Phase.FAILED, Phase.TIMED_OUT, Phase.BLOCKED, Phase.MISSING})
ENDED = PROBLEMS | {Phase.DONE}
"""Phases that stop the asking."""


class FaultKind(StrEnum):
    """Why an ask brought no report."""

    OFFLINE = "offline"
    TIMEOUT = "timeout"
    TLS = "tls"
    REFUSED = "refused"
    """401 or 403, no key, or an account that is not configured."""
    PAYMENT = "payment"
    """402."""
    MISSING = "missing"
    """404."""
    LIMITED = "limited"
    """429, or 503 with Retry-After, or our own budget."""
    REJECTED = "rejected"
    """Any other 4xx."""
    SERVER = "server"
    """5xx."""
    MALFORMED = "malformed"
    """A reply without a status word."""
    TOO_LARGE = "too_large"
    REDIRECTED = "redirected"
    """3xx: an ask is never sent on, since its key would go along."""
    RETIRED = "retired"
    """The API is over (410, or its sunset day has passed)."""


class LinkKind(StrEnum):
    """What a link leads to."""

    VIDEO = "video"
    AUDIO = "audio"
    CAPTIONS = "captions"
    DOCUMENT = "document"


class PollReason(StrEnum):
    """Why a job's next poll is due when it is due. `presentation.descriptions` words it."""

    FIRST = "first"
    FIRST_SINCE_START = "first_since_start"
    REGULAR = "regular"
    LEARNED = "learned"
    """From the durations of similar jobs."""
    STALLED = "stalled"
    LONG_RUNNING = "long_running"
    RETRY_AFTER = "retry_after"
    """The service asked to wait."""
    BACKOFF = "backoff"
    REFUSED = "refused"
    RETIRED = "retired"
    NOT_FOUND = "not_found"
    """404s that are not yet enough for missing."""
    MISSING = "missing"
    RESULT = "result"
    RESULT_PENDING = "result_pending"
    LINK_PENDING = "link_pending"
    RENEWAL = "renewal"
    RENEWAL_RETRY = "renewal_retry"
    RENEWAL_HOURLY = "renewal_hourly"
    RENEWAL_AT_EXPIRY = "renewal_at_expiry"
    RENEWAL_AFTER_EXPIRY = "renewal_after_expiry"
    REQUESTED = "requested"
    KIND_CHANGED = "kind_changed"
    ACCOUNT_MOVED = "account_moved"
    KEY_CHANGED = "key_changed"
    RESPONSE_OUTDATED = "response_outdated"
    SUCCESSOR = "successor"
    BULK_FAILED = "bulk_failed"
    BULK_INCOMPLETE = "bulk_incomplete"


class Ref(NamedTuple):
    """A job's key: an account's name and an id, unique on a watchlist."""

    account: str
    id: str

    def __str__(self) -> str:
        """`account:id`."""
        return f"{self.account}:{self.id}"


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One `[[job]]` of the watchlist: what the operator said of it, and nothing a service said."""

    account: str
    id: str
    kind: str = ""
    """One of the provider file's `kinds`; empty is the provider's own status path."""
    label: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    added: float | None = None
    """Instant; None where the operator wrote none."""
    keep_link: bool = False
    """Renew the link before it dies."""
    download: bool = False
    """Fetch the result as soon as there is one."""
    muted: bool = False
    """No bell, toast or hook."""
    archived: bool = False
    """Not asked, not counted; in the Archive view."""

    @property
    def ref(self) -> Ref:
        """The key of the job on the board, in the journal and on the command line."""
        return Ref(self.account, self.id)


class ReportedLink(Struct, frozen=True, gc=False):
    """A link as a reply showed it, before anybody knows since when it has been there."""

    kind: LinkKind
    url: str
    lifetime: float | None = None
    """The provider's documented life in seconds; None: nothing is documented."""
    needs_key: bool = False
    """Fetching it takes the account's key."""


class Link(Struct, frozen=True, gc=False):
    """Where a result can be had, and until when."""

    kind: LinkKind
    url: str
    first_seen: float
    """Instant at which this very URL was first seen."""
    expires_at: float | None
    """Instant, by our clock (see `domain.expiry`); None: no expiry is known."""
    expiry_is_exact: bool
    """The expiry is signed into the URL, or was met; else it is first_seen plus the documented life."""
    needs_key: bool = False
    """Fetching it takes the account's key."""
    is_dead: bool = False
    """Who wanted to fetch it was refused: it died at `expires_at`, whatever was promised."""


class DownloadedFile(Struct, frozen=True, gc=False):
    """A file of a job that was downloaded, whole."""

    name: str
    """Which of its files: `video`, `captions 2`, `text`."""
    path: str
    size: int
    """Bytes."""
    downloaded_at: float
    """Instant."""


class Report(Struct, frozen=True, kw_only=True, gc=False):
    """What a provider said of a job, once, in our terms. All text is clean (`domain.text`)."""

    phase: Phase | None
    """None: the word is not known. It does not end the job."""
    raw_status: str
    """The provider's word as it came."""
    title: str | None = None
    language: str | None = None
    progress: float | None = None
    """0 to 1."""
    progress_is_stage: bool = False
    """`progress` stands for a stage of the work; it was not measured."""
    message: str | None = None
    result_id: str | None = None
    """The id under which the result is asked for, where that takes another ask."""
    links: tuple[ReportedLink, ...] = ()
    is_complete: bool = True
    """False: done, but its promised link, or the run of its result, is not there yet."""
    retry_after: float | None = None
    """Seconds for which the service wants not to be asked for this job again."""


class Fault(Struct, frozen=True, gc=False):
    """Why an ask brought no report. All text is clean (`domain.text`)."""

    kind: FaultKind
    message: str
    """What happened and, where there is one, the way out; for an operator."""
    http_status: int | None = None
    retry_at: float | None = None
    """Instant before which the service wants no ask."""
    request_id: str | None = None
    """The service's own name for the request, for its support."""


class RequestRecord(NamedTuple):
    """One ask as it went, without its key and its URL."""

    ended_at: float
    """Instant at which it was over."""
    http_status: int | None
    """None: no reply came."""
    duration_ms: float
    """Milliseconds that it took."""
    request_id: str | None
    """The service's own name for it, where it gave one."""
    fault: FaultKind | None
    """None: it brought a report."""


class Result(Struct, frozen=True):
    """What a second ask brought for a job that is done."""

    text: str | None = None
    links: tuple[ReportedLink, ...] = ()
