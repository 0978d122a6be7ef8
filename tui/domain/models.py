"""Values of every layer: jobs, reports, faults and links. Rules are in the modules beside this one.

Instants are seconds since the epoch in UTC, as floats; durations are seconds. `gc=False`: tens of thousands of values
without cycles would stall a loop for 0.1 s at each garbage collection.
"""

from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Phase(StrEnum):
    """Phase of a job, in terms common to all providers."""

    NEW = "new"
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    """Payment or permission: the operator must act."""
    MISSING = "missing"
    """The service does not know the id; often it is another organisation's."""


ACTIVE = frozenset({Phase.NEW, Phase.QUEUED, Phase.RUNNING})
"""Phases that are polled on a schedule."""
PROBLEMS = frozenset({Phase.FAILED, Phase.TIMED_OUT, Phase.BLOCKED, Phase.MISSING})
ENDED = PROBLEMS | {Phase.DONE}
"""Phases after which polling stops."""


class FaultKind(StrEnum):
    """Why a request gave no report."""

    OFFLINE = "offline"
    TIMEOUT = "timeout"
    TLS = "tls"
    REFUSED = "refused"
    """401 or 403, no key, or an account that is not configured."""
    PAYMENT = "payment"
    """402."""
    MISSING = "missing"
    """404, or 410 of a job."""
    LIMITED = "limited"
    """429, or 503 with Retry-After, or the account's own rate limit."""
    REJECTED = "rejected"
    """Any other 4xx."""
    SERVER = "server"
    """5xx."""
    MALFORMED = "malformed"
    """A response without a status."""
    TOO_LARGE = "too_large"
    REDIRECTED = "redirected"
    """3xx: a poll follows no redirect, which would receive the key."""
    RETIRED = "retired"
    """Several jobs got 410 and none a report, or the API's sunset has passed."""


class LinkKind(StrEnum):
    """Kind of the file behind a link."""

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
    """The service sent Retry-After."""
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
    """Key of a job: account name and id, unique on a watchlist."""

    account: str
    id: str

    def __str__(self) -> str:
        """Return `account:id`."""
        return f"{self.account}:{self.id}"


class Job(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One `[[job]]` of the watchlist, as the operator wrote it."""

    account: str
    id: str
    kind: str = ""
    """One of the provider file's `kinds`; "": the provider's own status path."""
    label: str = ""
    tags: tuple[str, ...] = ()
    note: str = ""
    added: float | None = None
    """Instant; None: the watchlist has none."""
    keep_link: bool = False
    """Renew the link before it expires."""
    download: bool = False
    """Download the result when the job is done."""
    muted: bool = False
    """No bell, toast or hook."""
    archived: bool = False
    """Not polled, not counted; in the Archive view."""
    owners: tuple[str, ...] = ()
    """On the board of a team: names of the watchlists that have the job, the console's own first."""
    is_foreign: bool = False
    """On the board of a team: only other operators' watchlists have the job; they edit it and get its alerts."""

    @property
    def is_silent(self) -> bool:
        """Whether the job causes no alerts here."""
        return self.muted or self.is_foreign

    @property
    def ref(self) -> Ref:
        """Key of the job."""
        return Ref(self.account, self.id)


class ReportedLink(Struct, frozen=True, gc=False):
    """Link as one response states it; when it was first seen is not known here."""

    kind: LinkKind
    url: str
    lifetime: float | None = None
    """Seconds, from the provider's documentation or the response; None: neither states it."""
    needs_key: bool = False
    """Fetching it requires the account's key."""
    expires_at: float | None = None
    """Instant that the response states, by the service's clock; None: it states none."""
    language: str | None = None
    one_time: bool = False
    """The service deletes the file once it was fetched."""
    suffix: str = ""
    """Suffix of the file's name, where the response gives none."""
    form: str | None = None
    """The file is fetched by POST with this form; None: by GET."""
    is_used: bool = False
    """The service says that the file was fetched, and is gone."""


class Link(Struct, frozen=True, gc=False):
    """Link to a file of a job, with its expiry."""

    kind: LinkKind
    url: str
    """"": hidden from this process, which is a viewer of a team."""
    first_seen: float
    """Instant at which this URL was first seen."""
    expires_at: float | None
    """Instant, by this computer's clock (see `domain.links.expiry`); None: no expiry is known."""
    expiry_is_exact: bool
    """The expiry is signed into the URL, or was observed; else it is first_seen plus the documented lifetime."""
    needs_key: bool = False
    """Fetching it requires the account's key."""
    is_dead: bool = False
    """A download was rejected: the link expired at `expires_at`, earlier than stated."""
    language: str | None = None
    one_time: bool = False
    """The service deletes the file once it was fetched: no preview, no second try."""
    suffix: str = ""
    """Suffix of the file's name, where the response gives none."""
    form: str | None = None
    """The file is fetched by POST with this form; None: by GET."""
    is_used: bool = False
    """The one download that the service allows has begun: the link leads to nothing any more."""

    @property
    def is_hidden(self) -> bool:
        """Whether this process does not read the URL."""
        return not self.url

    @property
    def is_web(self) -> bool:
        """Whether the URL is one that the response parser lets pass."""
        return self.url[:8].lower().startswith(("http://", "https://"))


class DownloadedFile(Struct, frozen=True, gc=False):
    """Completely downloaded file of a job."""

    name: str
    """Name of the artifact: `video`, `captions 2`, `text`."""
    path: str
    size: int
    """Bytes."""
    downloaded_at: float
    """Instant."""


class JobPart(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Part of a job with a status of its own, such as one target language. All text is sanitized."""

    phase: Phase | None
    """None: the status is unknown."""
    raw_status: str | None = None
    """None: the part has no status, and `phase` follows from its progress."""
    id: str | None = None
    language: str | None = None
    progress: float | None = None
    """0 to 1."""
    message: str | None = None


class PartChange(NamedTuple):
    """Change of the phase of a job's part."""

    part: str
    """Language, else id, else number of the part; with a number if another part has the same."""
    after: Phase
    seen: float
    """Instant of the first report with this phase."""


class PartCounts(NamedTuple):
    """Number of a job's parts, all of them and those that ended."""

    done: int
    failed: int
    """Ended in another phase than done."""
    total: int


class Report(Struct, frozen=True, kw_only=True, gc=False):
    """What one response states about a job. All text is sanitized (`presentation.sanitize`)."""

    phase: Phase | None
    """None: the status is unknown, which does not end the job."""
    raw_status: str
    """Provider's own status."""
    title: str | None = None
    language: str | None = None
    progress: float | None = None
    """0 to 1."""
    progress_is_stage: bool = False
    """`progress` is a stage of the work, not a measurement."""
    message: str | None = None
    result_id: str | None = None
    """Id for the result request; None: the provider has none."""
    links: tuple[ReportedLink, ...] = ()
    is_complete: bool = True
    """False: done, but the promised link or the result id is missing."""
    retry_after: float | None = None
    """Seconds to wait before the next poll of this job, from its Retry-After."""
    parts: tuple[JobPart, ...] = ()
    part_counts: PartCounts | None = None
    """None: the job has no parts."""


class Fault(Struct, frozen=True, gc=False):
    """Why a request gave no report. All text is sanitized (`presentation.sanitize`)."""

    kind: FaultKind
    message: str
    """What happened and what to do, for the operator."""
    http_status: int | None = None
    retry_at: float | None = None
    """Instant before which the service wants no request."""
    request_id: str | None = None
    """Service's id of the request, for its support."""


class RequestRecord(NamedTuple):
    """Record of one request, without key and URL."""

    ended_at: float
    """Instant."""
    http_status: int | None
    """None: no response."""
    duration_ms: float
    """Milliseconds."""
    request_id: str | None
    """Service's id of the request; None: it gave none."""
    fault: FaultKind | None
    """None: it gave a report."""


class Result(Struct, frozen=True):
    """What the result request of a completed job returned."""

    text: str | None = None
    links: tuple[ReportedLink, ...] = ()
