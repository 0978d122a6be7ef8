"""Model of a service's API as frozen values: paths of the requests, and pointers to the parts of the responses.

`file_format` makes them from files; `response_parser` and the engine use them.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Literal, TypeAlias
from urllib.parse import quote, urlsplit

from msgspec import Meta, Struct, field

from tui.domain.models import Phase
from tui.providers.fields import Duration, HeaderName, KeyPrefix, NullToken
from tui.providers.json_pointer import Pointer
from tui.providers.lists.model import ListRequest, same_as_problems
from tui.providers.reports.links import LinkRule
from tui.providers.reports.parts import PartsRule
from tui.providers.reports.progress import ProgressSource, ProgressUnit
from tui.providers.requests.request import HttpRequest, JobIdFormat, RequestTemplate
from tui.providers.requests.templates import SECRET, WHOLE_ID, HeaderTemplate
from tui.providers.status_rules import Condition, OverrideRule

Cadence: TypeAlias = Literal["text", "document", "video"]
"""Rough duration of such jobs: it sets the first polling intervals."""
Pointers: TypeAlias = tuple[Pointer, ...]
"""Alternatives in order: the first that finds a value wins."""

PARTIAL = "partial"
Grounds: TypeAlias = Literal["", "partial"]
"""partial: some of what the file says is inferred, or comes from third parties."""


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
    lifetime: Duration | None = None
    """Seconds after which a key from a command is fetched again; None: as the account says."""


class StatusRequest(RequestTemplate, frozen=True, kw_only=True):
    """Request for a job's status, with pointers to the parts of its response. A part that is not found is None."""

    value: Pointers = ()
    """May be absent if an override or the job's parts determine the phase. Empty in a kind: it inherits none."""
    message: Pointers = ()
    result_id: Pointers = ()
    title: Pointers = ()
    language: Pointers = ()
    progress: tuple[ProgressSource, ...] = ()
    progress_unit: ProgressUnit = "fraction"
    null_strings: tuple[NullToken, ...] = ()
    """Strings that mean null, in any case; stored in lower case."""


class ResultRequest(RequestTemplate, frozen=True, kw_only=True):
    """Additional request for the result of a done job."""

    text: Pointers = ()
    """The matches of the first pointer that finds any are joined by line breaks."""
    links: tuple[LinkRule, ...] = ()


class ErrorPointers(Struct, frozen=True, kw_only=True):
    """Pointers to the reason and the request id in a response without a report."""

    message: Pointers = ()
    request_id: Pointers = ()


class BulkRequest(RequestTemplate, frozen=True, kw_only=True):
    """One request for many jobs. Without `same_as` it returns no links, so jobs that ended are polled singly."""

    id_parameter: str = ""
    """Query parameter; ids are joined by commas. Empty: {ids} stands in the body."""
    max_ids: Annotated[int, Meta(ge=1)]
    """Ids in one request."""
    items: Pointer
    """List of jobs, or object with them as members; the pointers below start at one of them."""
    id: Pointer
    same_as: Pointer | None = None
    """An item is like the value at this pointer of a status response, so it is a whole report."""
    value: Pointers = ()
    override: tuple[OverrideRule, ...] = ()
    """Rules whose pointers start at an item."""
    statuses: dict[str, Phase] = field(default_factory=dict[str, Phase])
    """In the file: in addition to [statuses]. In a Provider: all statuses, by `status_key`."""

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with the combination of keys, each as a key and a text."""
        if not self.id_parameter and "ids" not in self.placeholder_names:
            yield "id_parameter: missing, unless {ids} stands in the body"
        yield from same_as_problems(self.same_as, value=self.value, statuses=self.statuses, override=self.override)
        if self.same_as is None and not self.value and not self.override:
            yield "value: missing, unless an item is like a status response (same_as) or a rule gives its phase"
        for index, rule in enumerate(self.override):
            yield from (f"override[{index}]: {problem}" for problem in rule.problems())
            if rule.http_status is not None:
                yield f"override[{index}]: http_status is not of an item"
            if rule.fault is not None:
                yield f"override[{index}]: an item has a phase, not a fault"

    def for_ids(
        self, base_url: str, ids: Sequence[str], variables: Mapping[str, str] = MappingProxyType({})
    ) -> HttpRequest:
        """Return the request for these ids, at most `max_ids` of them. Raises ValueError for a missing variable."""
        request = self.fill(base_url, {**variables, "ids": ids})
        if not self.id_parameter:
            return request
        joined = ",".join(quote(job_id, safe="") for job_id in ids)
        separator = "&" if "?" in request.url else "?"
        return request._replace(url=f"{request.url}{separator}{self.id_parameter}={joined}")


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
    job_id: JobIdFormat | None = None
    """None: an id has one part."""
    parts: PartsRule | None = None
    list_request: ListRequest | None = None
    """The kind's own; None: there is no list of such jobs."""
    list_item: "Endpoint | None" = None
    """Endpoint that reads an item of the list like a status response; None: an item is no whole report."""

    @property
    def used_conditions(self) -> tuple[Condition, ...]:
        """Conditions on the response in the place of a file that is sent once: any of them means that it was sent."""
        tables = (self.links, self.parts.links if self.parts else (), self.result.links if self.result else ())
        return tuple(
            condition
            for links in tables
            for rule in links
            for condition in rule.used
            if condition.http_status is not None
        )


class Provider(Struct, frozen=True, kw_only=True):
    """One service, as its file describes it."""

    name: str
    title: str
    source: str
    """`loader.BUILT_IN`, or the path of the operator's file."""
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
    bulk_item: Endpoint | None = None
    """Endpoint that reads an item of a bulk response like a status response; None: an item is no whole report."""
    sunset: float | None = None
    """Instant from which the API may be gone."""
    successor: str | None = None
    """Name of the provider that replaces it."""
    headers: Mapping[str, HeaderTemplate] = {}
    """Constant headers of every request to the account's origin."""
    variables: tuple[str, ...] = ()
    """Placeholders that each account sets."""
    secrets: tuple[str, ...] = ()
    """Secrets of a single job, for `{secret.NAME}` in bodies."""
    grounds: Grounds = ""
    """Empty: the vendor documents all that the file says."""

    @property
    def has_slashes(self) -> bool:
        """Whether an id may contain '/'."""
        return any(
            WHOLE_ID in endpoint.status.placeholders
            if endpoint.job_id is None
            else endpoint.job_id.separator == "/" and len(endpoint.job_id.parts) > 1
            for endpoint in self.endpoints.values()
        )

    @property
    def required_variables(self) -> tuple[str, ...]:
        """Variables without which no job can be polled: not those of an id's parts, of lists and headers only."""
        used = {
            name
            for endpoint in self.endpoints.values()
            for request in (endpoint.status, endpoint.result)
            if request is not None
            for name in request.placeholders
            if endpoint.job_id is None or name not in endpoint.job_id.parts
        }
        return tuple(name for name in self.variables if name in used)

    def values(self, kind: str, job_id: str, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the values of a job's placeholders. Raises UnknownKind, and ValueError for an invalid id.

        The placeholder of a secret stands for itself.
        """
        id_format = self.endpoint(kind).job_id
        secrets = {f"{SECRET}{name}": f"{{{SECRET}{name}}}" for name in self.secrets}
        if id_format is None:
            return {**variables, **secrets, "id": job_id}
        return {**variables, **secrets, **id_format.split(job_id)}

    def constant_headers(self, variables: Mapping[str, str]) -> tuple[tuple[bytes, bytes], ...]:
        """Return the constant headers, without those whose variable is not set."""
        return tuple(
            (name.encode(), value.fill(variables).encode())
            for name, value in self.headers.items()
            if all(placeholder in variables for placeholder in value.placeholders)
        )

    @property
    def needs_base_url(self) -> bool:
        """Whether the base URL is a placeholder (RFC 6761), because every customer has an own address."""
        return (urlsplit(self.base_url).hostname or "").endswith(".invalid")

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
