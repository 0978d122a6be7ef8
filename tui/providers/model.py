"""What a service's API is like, as frozen values: where its status is asked, and where the answer's parts are.

They are made from files by `spec`, and used by `reading` and by whoever asks. They read and send nothing.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote

from msgspec import Meta, Struct, field

from tui.domain.models import LinkKind, Phase
from tui.providers.fields import Duration, HeaderName, KeyPrefix, NullToken, PathTemplate, ResultPath, StatusPath
from tui.providers.json_pointer import Pointer

Cadence: TypeAlias = Literal["text", "document", "video"]
"""How long such jobs take, roughly: it sets the first intervals."""
Pointers: TypeAlias = tuple[Pointer, ...]
"""Places to look, in order."""

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
"""Words that hold for every provider whose file does not say otherwise."""


class UnknownKind(KeyError):  # noqa: N818 - read as a KeyError's name: what was looked up is not there
    """A job's kind that its provider does not have; the text names those that it has."""

    def __str__(self) -> str:
        """The text, which KeyError would show in quotes."""
        return str(self.args[0])


class KeyHeader(Struct, frozen=True, kw_only=True):
    """How the account's key is sent: as `header: <prefix><key>`."""

    header: HeaderName
    prefix: KeyPrefix = KeyPrefix("")
    """What stands before the key, its space included: `Bearer `."""
    env: str = ""
    """The environment variable that such keys usually stand in."""


class StatusRequest(Struct, frozen=True, kw_only=True):
    """How a job's status is asked, and where the answer's parts are. A place that finds nothing makes None."""

    path: StatusPath
    value: Annotated[Pointers, Meta(min_length=1)]
    message: Pointers = ()
    result_id: Pointers = ()
    title: Pointers = ()
    language: Pointers = ()
    progress: Pointers = ()
    progress_unit: Literal["fraction", "stage"] = "fraction"
    """stage: the number stands for a word, and measures nothing."""
    null_strings: tuple[NullToken, ...] = ()
    """Texts that mean null, in any case; kept in lower case."""


class OverrideRule(Struct, frozen=True, kw_only=True):
    """Where another field says more than the word: its text, and the phase it stands for."""

    pointer: Pointer
    equals: str
    phase: Phase


class LinkRule(Struct, frozen=True, kw_only=True):
    """Where a link is; the first place that finds any counts."""

    kind: LinkKind
    url: Annotated[Pointers, Meta(min_length=1)]
    lifetime: Duration | None = None
    """Seconds for which the service documents that a link holds; None: it does not say."""
    required: bool = False
    """Done is not whole before one promised link is there."""
    needs_key: bool = False
    """Fetching it takes the account's key."""


class ResultRequest(Struct, frozen=True, kw_only=True):
    """The one more ask for a job that is done."""

    path: ResultPath
    text: Pointers = ()
    """The first that finds any; what it finds is joined by line ends."""
    links: tuple[LinkRule, ...] = ()


class ErrorPointers(Struct, frozen=True, kw_only=True):
    """Where a reply that is no report says why, and under which name the service's support finds it."""

    message: Pointers = ()
    request_id: Pointers = ()


class BulkRequest(Struct, frozen=True, kw_only=True):
    """One ask for many jobs. What ended there is asked singly, since no links come with it."""

    path: PathTemplate
    id_parameter: str
    """The query's parameter; ids are joined by commas."""
    max_ids: Annotated[int, Meta(ge=1)]
    """Ids in one ask."""
    items: Pointer
    """A list, or an object's members; the places below are within one of them."""
    id: Pointer
    value: Annotated[Pointers, Meta(min_length=1)]
    statuses: dict[str, Phase] = {}
    """As in the file: beside [statuses]. In a Provider: all words, by `word_key`."""

    def url(self, base_url: str, ids: Sequence[str]) -> str:
        """The URL that asks for these ids, at most `most` of them."""
        asked = ",".join(quote(one, safe="") for one in ids)
        return f"{self.path.url(base_url)}?{self.id_parameter}={asked}"


class Plan(Struct, frozen=True, kw_only=True):
    """What a service allows; None: it does not say."""

    per_minute: Annotated[float, Meta(gt=0)] | None = None
    per_day: Annotated[float, Meta(gt=0)] | None = None


class Limits(Struct, frozen=True):
    """What a service allows, by plan. A file that says nothing is taken for 60 a minute, a guess."""

    default: str = "any"
    plans: Mapping[str, Plan] = field(default_factory=lambda: {"any": Plan(per_minute=60)})


class Endpoint(Struct, frozen=True, kw_only=True):
    """What holds for jobs of one kind: the file's own values under what its `[kinds.x]` says."""

    kind: str
    """Empty for the file's own status path."""
    cadence: str
    status: StatusRequest
    statuses: Mapping[str, Phase]
    """By `word_key`: aliases, [statuses], the kind's words; the later win."""
    overrides: tuple[OverrideRule, ...] = ()
    links: tuple[LinkRule, ...] = ()
    result: ResultRequest | None = None
    """A kind's own: never taken over, as another path has another result."""


class Provider(Struct, frozen=True, kw_only=True):
    """One service, as its file describes it."""

    name: str
    title: str
    source: str
    """`BUILT_IN`, or the path of the operator's own file."""
    base_url: str
    key: KeyHeader
    limits: Limits
    endpoints: Mapping[str, Endpoint]
    """By kind; the empty kind is always there."""
    docs: str = ""
    id_patterns: tuple[str, ...] = ()
    """Regular expressions that hint at this provider; they never reject an id."""
    error: ErrorPointers = ErrorPointers()
    bulk: BulkRequest | None = None
    sunset: float | None = None
    """Instant from which the API may be gone."""
    successor: str | None = None
    """The provider that takes over then."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """What a job's `kind` can be, besides empty."""
        return tuple(kind for kind in self.endpoints if kind)

    def endpoint(self, kind: str = "") -> Endpoint:
        """What holds for a job's kind. Raises UnknownKind."""
        if kind not in self.endpoints:
            there = f"it has {', '.join(self.kinds)}" if self.kinds else "it has none"
            raise UnknownKind(f"{self.name} has no kind {kind!r}; {there}")
        return self.endpoints[kind]

    def hints_at(self, job_id: str) -> bool:
        """Whether an id looks like one of this service's."""
        return any(re.search(pattern, job_id) for pattern in self.id_patterns)


def status_key(raw_status: str) -> str:
    """A status word as it is compared: cut at the first ':', stripped, in lower case."""
    return raw_status.partition(":")[0].strip().lower()
