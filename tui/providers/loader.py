"""Loader of provider files: checks the format, reports all problems at once, and builds `model.Provider`.

Built-in and operator's files use the same loader. A service that the format cannot describe needs an extension of
the format, not a special case in code.
"""

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tui.domain.models import Phase
from tui.errors import ConfigurationError
from tui.presentation.sanitize import clean
from tui.providers.fields import BaseUrl, Instant, ProviderName, Regex
from tui.providers.model import (
    BUILT_IN,
    STATUS_ALIASES,
    BulkRequest,
    Cadence,
    Endpoint,
    ErrorPointers,
    KeyHeader,
    Limits,
    LinkRule,
    Plan,
    Provider,
    ResultRequest,
    StatusRequest,
    status_key,
)
from tui.providers.status_rules import OverrideRule
from tui.providers.table_decoder import decode_fields, decode_struct, suggest

WithLine = Callable[[str, str], str]
"""Function of a file's text and a problem (`KEY: reason`) that returns the problem with the line of its key."""
MAX_PROVIDER_TITLE, MAX_DOCS = 60, 200
"""Characters of displayed texts: a file may come from a third party."""


class ProviderError(ConfigurationError):
    """Invalid provider file: `source` names it, `problems` lists everything that is wrong, each with its key."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n  ".join([f"{source}:", *problems]))


class _KindTable(Struct, frozen=True, kw_only=True):
    cadence: Cadence | None = None
    status: dict[str, Any] = {}
    statuses: dict[str, Phase] = {}
    override: tuple[OverrideRule, ...] | None = None
    links: tuple[LinkRule, ...] | None = None
    result: ResultRequest | None = None


class _ProviderFile(Struct, frozen=True, kw_only=True):
    name: ProviderName
    title: str
    base_url: BaseUrl
    key: KeyHeader
    cadence: Cadence
    status: StatusRequest
    docs: str = ""
    ids: tuple[Regex, ...] = ()
    sunset: Instant | None = None
    successor: ProviderName | None = None
    error: ErrorPointers = ErrorPointers()
    statuses: dict[str, Phase] = {}
    override: tuple[OverrideRule, ...] = ()
    links: tuple[LinkRule, ...] = ()
    result: ResultRequest | None = None
    kinds: dict[str, _KindTable] = {}
    limits: dict[str, Any] = {}
    bulk: BulkRequest | None = None


class ProviderSummary(NamedTuple):
    """Part of a provider that decides whether there is an account of it."""

    name: str
    env: str
    """Environment variable that usually holds its keys; "": none."""
    successor: str | None


def _without_line(_text: str, problem: str) -> str:
    return problem


def parse(text: str, source: str, with_line: WithLine = _without_line) -> Provider:
    """Return the provider in a text; `source` names its file. Raises ProviderError with all problems."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProviderError(source, (f"not TOML: {error}",)) from None
    except RecursionError:
        raise ProviderError(source, ("not TOML: nested too deeply",)) from None
    problems: list[str] = []
    values = decode_fields(_ProviderFile, table, "", problems)
    status: object = table.get("status")
    if isinstance(status, dict) and "value" not in status and not _has_phase_rule(values.get("override", ())):
        problems.append("status.value: missing")
    limits = _parse_limits(values.get("limits", {}), problems)
    endpoints = _build_endpoints(values, problems)
    bulk = _resolve_bulk(values.get("bulk"), endpoints, problems)
    if problems:
        raise ProviderError(source, tuple(with_line(text, problem) for problem in problems))
    file = _ProviderFile(**values)
    return Provider(  # plain strings and floats, which every encoder supports
        name=str(file.name),
        title=clean(file.title, MAX_PROVIDER_TITLE) or str(file.name),
        source=source,
        base_url=str(file.base_url),
        key=file.key,
        limits=limits,
        endpoints=endpoints,
        docs=clean(file.docs, MAX_DOCS),
        id_patterns=tuple(map(str, file.ids)),
        error=file.error,
        bulk=bulk,
        sunset=None if file.sunset is None else float(file.sunset),
        successor=None if file.successor is None else str(file.successor),
    )


def load(path: Path, source: str = "", with_line: WithLine = _without_line) -> Provider:
    """Return the provider of a file, which has the file's name. `source`: name of the file, if not its path.

    Raises ProviderError with all problems, also for an unreadable file.
    """
    source = source or str(path)
    try:
        provider = parse(path.read_text("utf-8-sig"), source, with_line)
    except OSError as error:
        raise ProviderError(source, (f"cannot be read: {error.strerror}",)) from None
    except UnicodeDecodeError as error:
        raise ProviderError(source, (f"not UTF-8: {error.reason} at byte {error.start}",)) from None
    if provider.name != path.stem:
        raise ProviderError(source, (f"name: {provider.name!r} must be the file's name, {path.stem!r}",))
    return provider


def builtin_files() -> dict[str, Path]:
    """Return the built-in files by provider name, unread (importlib.resources would cost 4 ms)."""
    return _provider_files(Path(__file__).parent / "builtin")


def provider_registry(user_dir: Path | None = None, with_line: WithLine = _without_line) -> "ProviderRegistry":
    """Return all providers; an operator's file replaces a built-in of its name, as `Provider.source` shows."""
    return ProviderRegistry(builtin_files(), _provider_files(user_dir) if user_dir else {}, with_line)


class ProviderRegistry(Mapping[str, Provider]):
    """Providers by name. A file is loaded at the first access; an invalid one then raises ProviderError."""

    def __init__(self, builtin: Mapping[str, Path], user: Mapping[str, Path], with_line: WithLine) -> None:
        self._with_line = with_line
        self._files = {**builtin, **user}
        self._user_names = frozenset(user)
        self._loaded: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> Provider:
        if name not in self._loaded:
            self._loaded[name] = load(self._files[name], "" if name in self._user_names else BUILT_IN, self._with_line)
        return self._loaded[name]

    def summary(self, name: str) -> ProviderSummary:
        """Return the summary of a provider's file. Raises ProviderError.

        A built-in file is valid, so only its top is parsed, which takes a tenth of the time. An operator's file is
        loaded as a whole.
        """
        if name not in self._user_names and name not in self._loaded:
            with suppress(OSError, ValueError, LookupError):
                text = self._files[name].read_text("utf-8-sig")
                top = tomllib.loads(text[: text.index("\n[")])
                return ProviderSummary(name, top["key"]["env"], top.get("successor"))
        provider = self[name]
        return ProviderSummary(name, provider.key.env, provider.successor)

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files))

    def __len__(self) -> int:
        return len(self._files)


def _provider_files(folder: Path) -> dict[str, Path]:
    """Return a folder's files by provider name, without hidden files: editors' locks and backups."""
    return {path.stem: path for path in folder.glob("*.toml") if not path.name.startswith(".")}


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


def _normalize_statuses(table: Mapping[str, Phase], key_path: str, problems: list[str]) -> dict[str, Phase]:
    """Return a table of statuses by `status_key`."""
    known: dict[str, Phase] = {}
    for status, phase in table.items():
        if phase is Phase.NEW:
            problems.append(f"{key_path}.{status}: a status cannot mean new, the phase before the first poll")
        if known.setdefault(status_key(status), phase) is not phase:
            problems.append(
                f"{key_path}.{status}: {phase.value} here, but {known[status_key(status)].value} in another spelling"
            )
    return known


def _build_endpoints(values: Mapping[str, Any], problems: list[str]) -> dict[str, Endpoint]:
    """Return the endpoint of the top-level status path (kind "") and of each kind."""
    statuses = {**STATUS_ALIASES, **_normalize_statuses(values.get("statuses", {}), "statuses", problems)}
    top_level = _KindTable(result=values.get("result"))
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
    for index, rule in enumerate(overrides if table.override is not None or not kind else ()):
        problems += [f"{prefix}override[{index}]: {problem}" for problem in rule.problems()]
    if "status" not in values:
        return None
    status: StatusRequest = replace(values["status"], **own_status)
    if kind and not status.value and not _has_phase_rule(overrides):
        problems.append(f"{prefix}status.value: missing")
    if table.result and not status.result_id:
        problems.append(f"{prefix}result: {table.result.path!r} needs status.result_id, the pointer to {{result_id}}")
    return Endpoint(
        kind=kind,
        cadence=table.cadence or values.get("cadence", ""),
        status=status,
        statuses={**statuses, **own_statuses},
        overrides=overrides,
        links=links,
        result=table.result,
    )


def _has_phase_rule(overrides: Sequence[OverrideRule]) -> bool:
    return any(rule.phase is not None for rule in overrides)


def _resolve_bulk(
    bulk: BulkRequest | None, endpoints: Mapping[str, Endpoint], problems: list[str]
) -> BulkRequest | None:
    """Return [bulk] with all statuses that hold there."""
    if bulk is None:
        return None
    own_statuses = _normalize_statuses(bulk.statuses, "bulk.statuses", problems)
    return replace(bulk, statuses={**endpoints[""].statuses, **own_statuses}) if "" in endpoints else bulk
