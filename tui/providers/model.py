"""Model of a service's API as frozen values: paths of the requests, and pointers to the parts of the responses.

`loader` makes them from files; `response_parser` and the engine use them.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote

from msgspec import Meta, Struct, field

from tui.domain.models import LinkKind, Phase
from tui.providers.fields import Duration, HeaderName, KeyPrefix, NullToken, PathTemplate, ResultPath, StatusPath
from tui.providers.json_pointer import Pointer
from tui.providers.status_rules import OverrideRule

Cadence: TypeAlias = Literal["text", "document", "video"]
"""Rough duration of such jobs: it sets the first polling intervals."""
Pointers: TypeAlias = tuple[Pointer, ...]
"""Alternatives in order: the first that finds a value wins."""

BUILT_IN = "built-in"
"""`Provider.source` of the files that come with the program."""

STATUS_ALIASES: Mapping[str, Phase] = {
    "queued": Phase.QUEUED,
    "waiting": Phase.QUEUED,
    "created": Phase.QUEUED,
    "processing": Phase.RUNNING,
    "in_progress": Phase.RUNNING,
    "completed": Phase.DONE,
    "complete": Phase.DONE,
    "done": Phase.DONE,
    "succeeded": Phase.DONE,
    "finished": Phase.DONE,
    "canceled": Phase.FAILED,
    "cancelled": Phase.FAILED,
}
"""Statuses that hold for every provider, unless its file overrides them."""


class UnknownKind(KeyError):  # noqa: N818 - a KeyError is named after the missing thing
    """Kind of a job that its provider does not have; the text names the known ones."""

    def __str__(self) -> str:
        """Return the text without the quotes that KeyError adds."""
        return str(self.args[0])


class KeyHeader(Struct, frozen=True, kw_only=True):
    """Header that carries the account's key: `header: <prefix><key>`."""

    header: HeaderName
    prefix: KeyPrefix = KeyPrefix("")
    """Text before the key, including its space: `Bearer `."""
    env: str = ""
    """Environment variable that usually holds such keys; "": none."""


class StatusRequest(Struct, frozen=True, kw_only=True):
    """Request for a job's status, with pointers to the parts of its response. A part that is not found is None."""

    path: StatusPath
    value: Annotated[Pointers, Meta(min_length=1)] = ()
    """May be absent if an override determines the phase."""
    message: Pointers = ()
    result_id: Pointers = ()
    title: Pointers = ()
    language: Pointers = ()
    progress: Pointers = ()
    progress_unit: Literal["fraction", "percent", "stage"] = "fraction"
    """fraction: 0 to 1; percent: 0 to 100; stage: a fraction that stands for a status and measures nothing."""
    null_strings: tuple[NullToken, ...] = ()
    """Strings that mean null, in any case; stored in lower case."""


class LinkRule(Struct, frozen=True, kw_only=True):
    """Link in a response; the first pointer that finds one wins."""

    kind: LinkKind
    url: Annotated[Pointers, Meta(min_length=1)]
    lifetime: Duration | None = None
    """Documented lifetime of a link. Seconds; None: undocumented."""
    required: bool = False
    """A done job is incomplete without one required link."""
    needs_key: bool = False
    """Downloading it takes the account's key."""


class ResultRequest(Struct, frozen=True, kw_only=True):
    """Additional request for the result of a done job."""

    path: ResultPath
    text: Pointers = ()
    """The matches of the first pointer that finds any are joined by line breaks."""
    links: tuple[LinkRule, ...] = ()


class ErrorPointers(Struct, frozen=True, kw_only=True):
    """Pointers to the reason and the request id in a response without a report."""

    message: Pointers = ()
    request_id: Pointers = ()


class BulkRequest(Struct, frozen=True, kw_only=True):
    """One request for many jobs. It returns no links, so jobs that ended are polled singly."""

    path: PathTemplate
    id_parameter: str
    """Query parameter; ids are joined by commas."""
    max_ids: Annotated[int, Meta(ge=1)]
    """Ids in one request."""
    items: Pointer
    """List of jobs, or object with them as members; the pointers below start at one of them."""
    id: Pointer
    value: Annotated[Pointers, Meta(min_length=1)]
    statuses: dict[str, Phase] = {}
    """In the file: in addition to [statuses]. In a Provider: all statuses, by `status_key`."""

    def url(self, base_url: str, ids: Sequence[str]) -> str:
        """Return the URL for these ids, at most `max_ids` of them."""
        joined = ",".join(quote(job_id, safe="") for job_id in ids)
        url = self.path.url(base_url)
        return f"{url}{'&' if '?' in url else '?'}{self.id_parameter}={joined}"


class Plan(Struct, frozen=True, kw_only=True):
    """Rate limits of one plan; None: not stated."""

    per_minute: Annotated[float, Meta(gt=0)] | None = None
    per_day: Annotated[float, Meta(gt=0)] | None = None


class Limits(Struct, frozen=True):
    """Rate limits by plan. Without any in the file: 60 a minute, a guess."""

    default: str = "any"
    plans: Mapping[str, Plan] = field(default_factory=lambda: {"any": Plan(per_minute=60)})


class Endpoint(Struct, frozen=True, kw_only=True):
    """API of one kind of job: the file's values, overridden by its `[kinds.x]`."""

    kind: str
    """Empty for the top-level status path."""
    cadence: str
    status: StatusRequest
    statuses: Mapping[str, Phase]
    """By `status_key`: aliases, [statuses], the kind's statuses; later ones win."""
    overrides: tuple[OverrideRule, ...] = ()
    links: tuple[LinkRule, ...] = ()
    result: ResultRequest | None = None
    """The kind's own; never inherited, as another path has another result."""


class Provider(Struct, frozen=True, kw_only=True):
    """One service, as its file describes it."""

    name: str
    title: str
    source: str
    """`BUILT_IN`, or the path of the operator's file."""
    base_url: str
    key: KeyHeader
    limits: Limits
    endpoints: Mapping[str, Endpoint]
    """By kind; always contains the empty kind."""
    docs: str = ""
    id_patterns: tuple[str, ...] = ()
    """Regular expressions that hint at this provider; they never reject an id."""
    error: ErrorPointers = ErrorPointers()
    bulk: BulkRequest | None = None
    sunset: float | None = None
    """Instant from which the API may be gone."""
    successor: str | None = None
    """Name of the provider that replaces it."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of a job, besides the empty one."""
        return tuple(kind for kind in self.endpoints if kind)

    def endpoint(self, kind: str = "") -> Endpoint:
        """Return the endpoint of a job's kind. Raises UnknownKind."""
        if kind not in self.endpoints:
            known = f"known kinds: {', '.join(self.kinds)}" if self.kinds else "it has no kinds"
            raise UnknownKind(f"{self.name} has no kind {kind!r}; {known}")
        return self.endpoints[kind]


def status_key(raw_status: str) -> str:
    """Return a status as it is compared: cut at the first ':', stripped, in lower case."""
    return raw_status.partition(":")[0].strip().lower()
