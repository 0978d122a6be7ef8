"""Format of a provider file: checks its tables, reports all problems at once, and builds `model.Provider`."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from msgspec import Struct
from msgspec.structs import replace

from tui.domain.models import Phase
from tui.presentation.sanitize import clean
from tui.providers.fields import BaseUrl, HeaderName, Instant, ProviderName, Regex
from tui.providers.json_pointer import Pointer
from tui.providers.lists.item_endpoint import item_endpoint
from tui.providers.lists.model import ListRequest
from tui.providers.model import (
    BulkRequest,
    Cadence,
    Endpoint,
    ErrorPointers,
    Grounds,
    KeyHeader,
    Limits,
    Plan,
    Provider,
    ResultRequest,
    StatusRequest,
)
from tui.providers.placeholder_check import PlaceholderCheck
from tui.providers.reports.links import LinkRule
from tui.providers.reports.parts import PartsRule
from tui.providers.reports.status import ANY, STATUS_ALIASES, StatusTable, status_key
from tui.providers.requests.request import JobIdFormat, PlaceholderName
from tui.providers.requests.templates import HeaderTemplate
from tui.providers.status_rules import OverrideRule
from tui.providers.table_decoder import Table, decode_fields, decode_struct, suggest

MAX_PROVIDER_TITLE, MAX_DOCS = 60, 200
"""Characters of displayed texts: a file may come from a third party."""
RESERVED_HEADERS = frozenset(
    {
        *("authorization", "cookie", "host", "accept-encoding", "range", "if-range", "connection"),
        *("transfer-encoding", "proxy-authorization"),
    }
)
"""Headers that carry keys or belong to the transport."""


class _KindTable(Struct, frozen=True, kw_only=True):
    cadence: Cadence | None = None
    status: dict[str, Any] = {}
    job_id: JobIdFormat | None = None
    statuses: dict[str, Phase] = {}
    override: tuple[OverrideRule, ...] | None = None
    links: tuple[LinkRule, ...] | None = None
    result: ResultRequest | None = None
    parts: PartsRule | None = None
    list: ListRequest | None = None


class _ProviderFile(Struct, frozen=True, kw_only=True):
    name: ProviderName
    title: str
    base_url: BaseUrl
    key: KeyHeader
    cadence: Cadence
    status: StatusRequest
    docs: str = ""
    grounds: Grounds = ""
    ids: tuple[Regex, ...] = ()
    job_id: JobIdFormat | None = None
    variables: tuple[PlaceholderName, ...] = ()
    secrets: tuple[PlaceholderName, ...] = ()
    sunset: Instant | None = None
    successor: ProviderName | None = None
    headers: dict[str, HeaderTemplate] = {}
    error: ErrorPointers = ErrorPointers()
    statuses: dict[str, Phase] = {}
    override: tuple[OverrideRule, ...] = ()
    links: tuple[LinkRule, ...] = ()
    parts: PartsRule | None = None
    result: ResultRequest | None = None
    list: ListRequest | None = None
    kinds: dict[str, _KindTable] = {}
    limits: dict[str, Any] = {}
    bulk: BulkRequest | None = None


def build_provider(table: Table, source: str) -> tuple[Provider | None, list[str]]:
    """Return the provider of a file's table, or None and all problems, each with its key."""
    problems: list[str] = []
    values = decode_fields(_ProviderFile, table, "", problems)
    status = cast("dict[str, Any]", table["status"]) if isinstance(table.get("status"), dict) else None
    has_other_status = _has_phase_rule(values.get("override", ())) or "parts" in values
    if status is not None and not status.get("value") and not has_other_status:
        problems.append("status.value: an empty list" if "value" in status else "status.value: missing")
    limits = _parse_limits(values.get("limits", {}), problems)
    endpoints = _build_endpoints(values, problems)
    bulk = _resolve_bulk(values.get("bulk"), endpoints, problems)
    headers = _parse_headers(values, problems)
    PlaceholderCheck(values.get("variables", ()), values.get("secrets", ()), problems).check(endpoints, bulk, headers)
    if problems:
        return None, problems
    file = _ProviderFile(**values)
    provider = Provider(  # plain strings and floats, which every encoder supports
        name=str(file.name),
        title=clean(file.title, MAX_PROVIDER_TITLE) or str(file.name),
        source=source,
        base_url=str(file.base_url),
        key=file.key,
        limits=limits,
        endpoints=endpoints,
        docs=clean(file.docs, MAX_DOCS),
        grounds=file.grounds,
        id_patterns=tuple(map(str, file.ids)),
        variables=tuple(map(str, file.variables)),
        secrets=tuple(map(str, file.secrets)),
        headers=headers,
        error=file.error,
        bulk=bulk,
        bulk_item=None if bulk is None or bulk.same_as is None else item_endpoint(endpoints[""], bulk.same_as),
        sunset=None if file.sunset is None else float(file.sunset),
        successor=None if file.successor is None else str(file.successor),
    )
    return provider, []


def _parse_limits(table: dict[str, Any], problems: list[str]) -> Limits:
    """Return [limits]: the default, and the plans by name."""
    if not table:
        return Limits()
    names = [name for name in table if name != "default"]
    default = table.get("default")
    if default not in names:
        reason = f"{default!r} is not a plan" if "default" in table else "missing"
        problems.append(f"limits.default: {reason}{suggest(str(default), names)}")
    plans: dict[str, Plan] = {}
    for name in names:
        plan = decode_struct(Plan, table[name], f"limits.{name}", problems)
        if plan == Plan():
            problems.append(f"limits.{name}: needs per_minute or per_day")
        elif plan is not None:
            plans[name] = plan
    return Limits(str(default), plans)


def _parse_headers(values: Mapping[str, Any], problems: list[str]) -> dict[str, HeaderTemplate]:
    """Return [headers]: constant headers that are not the key's and not the transport's."""
    key: KeyHeader | None = values.get("key")
    reserved = {*RESERVED_HEADERS, key.header.lower() if key is not None else ""}
    headers: dict[str, HeaderTemplate] = values.get("headers", {})
    for name in headers:
        try:
            lower = HeaderName.parse(name).lower()
        except ValueError as error:
            problems.append(f"headers.{name}: {error}")
            continue
        if lower in reserved or lower.startswith("content-"):
            problems.append(f"headers.{name}: is set by babeltop, so it cannot be constant")
    return headers


def _normalize_statuses(table: Mapping[str, Phase], key_path: str, problems: list[str]) -> dict[str, Phase]:
    """Return a table of statuses by `status_key`."""
    known: dict[str, Phase] = {}
    for status, phase in table.items():
        key = status_key(status)
        if phase is Phase.NEW:
            problems.append(f"{key_path}.{status}: a status cannot mean new, the phase before the first poll")
        if known.setdefault(key, phase) is not phase:
            problems.append(f"{key_path}.{status}: {phase.value} here, but {known[key].value} in another spelling")
        if ANY in key.removeprefix(ANY).removesuffix(ANY) or key.count(ANY) > 1 or key == ANY:
            problems.append(f"{key_path}.{status}: '*' stands at the start or at the end of a status")
    return known


def _build_endpoints(values: Mapping[str, Any], problems: list[str]) -> dict[str, Endpoint]:
    """Return the endpoint of the top-level status path (kind "") and of each kind."""
    statuses = {**STATUS_ALIASES, **_normalize_statuses(values.get("statuses", {}), "statuses", problems)}
    top_level = _KindTable(
        links=values.get("links", ()),
        override=values.get("override", ()),
        job_id=values.get("job_id"),
        result=values.get("result"),
        parts=values.get("parts"),
        list=values.get("list"),
    )
    endpoints = [
        _build_endpoint(kind, table, values, statuses, problems)
        for kind, table in {"": top_level, **values.get("kinds", {})}.items()
    ]
    return {endpoint.kind: endpoint for endpoint in endpoints if endpoint is not None}


def _build_endpoint(
    kind: str, table: _KindTable, values: Mapping[str, Any], statuses: Mapping[str, Phase], problems: list[str]
) -> Endpoint | None:
    """Return the endpoint of a kind: its table over the file's values; None if the file has no valid [status]."""
    prefix = f"kinds.{kind}." if kind else ""
    own_status = decode_fields(StatusRequest, table.status, f"{prefix}status", problems, partial=True)
    own_statuses = _normalize_statuses(table.statuses, f"{prefix}statuses", problems)
    overrides: tuple[OverrideRule, ...] = values.get("override", ()) if table.override is None else table.override
    links: tuple[LinkRule, ...] = values.get("links", ()) if table.links is None else table.links
    _check_combinations(table, prefix, problems)
    if "status" not in values:
        return None
    status: StatusRequest = replace(values["status"], **own_status)
    if kind and not status.value and not _has_phase_rule(overrides) and table.parts is None:
        problems.append(f"{prefix}status.value: missing")
    if table.result and not status.result_id:
        problems.append(f"{prefix}result: {table.result.path!r} needs status.result_id, the pointer to {{result_id}}")
    all_statuses = StatusTable({**statuses, **own_statuses})
    endpoint = Endpoint(
        kind=kind,
        cadence=table.cadence or values.get("cadence", ""),
        status=status,
        statuses=all_statuses,
        overrides=overrides,
        links=links,
        job_id=table.job_id or values.get("job_id"),
        result=table.result,
        parts=_with_statuses(table.parts, all_statuses, f"{prefix}parts", problems),
        list_request=_with_statuses(table.list, all_statuses, f"{prefix}list", problems),
    )
    if endpoint.list_request is None or endpoint.list_request.same_as is None:
        return endpoint
    return replace(endpoint, list_item=item_endpoint(endpoint, endpoint.list_request.same_as))


def _check_combinations(table: _KindTable, prefix: str, problems: list[str]) -> None:
    """Append what is wrong with the combinations of keys in a kind's own tables."""
    for index, rule in enumerate(table.override or ()):
        problems += [f"{prefix}override[{index}]: {problem}" for problem in rule.problems()]
    for name, links in (("links", table.links), ("result.links", table.result.links if table.result else ())):
        for index, rule in enumerate(links or ()):
            problems += [f"{prefix}{name}[{index}].{problem}" for problem in rule.problems()]
            problems += _item_pointer_problems(rule, f"{prefix}{name}[{index}]")
            if rule.path is not None and "language" in rule.path.placeholders and not rule.language:
                problems.append(f"{prefix}{name}[{index}].language: missing, the pointers to {{language}}")
    for name, found in (("job_id", table.job_id), ("parts", table.parts), ("list", table.list)):
        problems += [f"{prefix}{name}.{problem}" for problem in (found.problems() if found is not None else ())]


def _item_pointer_problems(table: Struct, key_path: str) -> list[str]:
    """Return the pointers of a table outside items that only an item has."""
    return [
        f"{key_path}.{name}: {str(pointer)!r} has a meaning within [parts], [list] and [bulk] only"
        for name in table.__struct_fields__
        for pointer in _pointers(getattr(table, name))
        if pointer.item_source is not None
    ]


def _pointers(value: object) -> list[Pointer]:
    members = cast("tuple[object, ...]", value) if isinstance(value, tuple) else (value,)
    return [each for each in members if isinstance(each, Pointer)]


def _with_statuses(rule: Any, statuses: Mapping[str, Phase], key_path: str, problems: list[str]) -> Any:
    """Return [parts], [list] or [bulk] with all statuses that hold there; None: there is no such table."""
    if rule is None:
        return None
    own_statuses = _normalize_statuses(rule.statuses, f"{key_path}.statuses", problems)
    return replace(rule, statuses=StatusTable({**statuses, **own_statuses}))


def _has_phase_rule(overrides: Sequence[OverrideRule]) -> bool:
    return any(rule.phase is not None for rule in overrides)


def _resolve_bulk(
    bulk: BulkRequest | None, endpoints: Mapping[str, Endpoint], problems: list[str]
) -> BulkRequest | None:
    """Return [bulk] with all statuses that hold there."""
    if bulk is None:
        return None
    problems += [f"bulk.{problem}" for problem in bulk.problems()]
    return _with_statuses(bulk, endpoints[""].statuses if "" in endpoints else {}, "bulk", problems)
