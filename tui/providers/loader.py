"""Provider files: their format checked, with every problem at once, and a service's API (`provider`) made of them.

What the format cannot say is missing from the format, not special-cased in code. The files that come with the
program go through the same loader as an operator's own.
"""

import tomllib
from collections.abc import Iterator, Mapping
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
    OverrideRule,
    Plan,
    Provider,
    ResultRequest,
    StatusRequest,
    UnknownKind,
    status_key,
)
from tui.providers.table_decoder import decode_fields, decode_struct, suggest

__all__ = [
    "BUILT_IN",
    "Endpoint",
    "Plan",
    "Provider",
    "ProviderError",
    "ProviderRegistry",
    "UnknownKind",
    "builtin_files",
    "load",
    "parse",
    "provider_registry",
]


MAX_PROVIDER_TITLE, MAX_DOCS = 60, 200
"""Characters of what a file says to people: it may come from anywhere."""


class ProviderError(ConfigurationError):
    """A provider file that is wrong: `source` names it, `problems` says all that is, each with its key."""

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
    """What must be known of a provider to know whether there is an account of it."""

    name: str
    env: str
    """The environment variable that its keys usually stand in; "": none."""
    successor: str | None


def parse(text: str, source: str) -> Provider:
    """The provider in a text; `source` names its file. Raises ProviderError with all that is wrong."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProviderError(source, (f"no TOML: {error}",)) from None
    except RecursionError:
        raise ProviderError(source, ("no TOML: nested too deep",)) from None
    problems: list[str] = []
    values = decode_fields(_ProviderFile, table, "", problems)
    limits = _parse_limits(values.get("limits", {}), problems)
    endpoints = _build_endpoints(values, problems)
    bulk = _resolve_bulk(values.get("bulk"), endpoints, problems)
    if problems:
        raise ProviderError(source, tuple(problems))
    file = _ProviderFile(**values)
    return Provider(  # the texts and numbers as plain ones, which every encoder knows
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


def load(path: Path, source: str = "") -> Provider:
    """The provider of a file, which bears its name. `source`: what to call the file, if not by its path.

    Raises ProviderError with all that is wrong, a file that cannot be read included.
    """
    source = source or str(path)
    try:
        provider = parse(path.read_text("utf-8-sig"), source)
    except OSError as error:
        raise ProviderError(source, (f"cannot be read: {error.strerror}",)) from None
    except UnicodeDecodeError as error:
        raise ProviderError(source, (f"no UTF-8: {error.reason} at byte {error.start}",)) from None
    if provider.name != path.stem:
        raise ProviderError(source, (f"name: {provider.name!r} must be the file's own name, {path.stem!r}",))
    return provider


def builtin_files() -> dict[str, Path]:
    """The files that come with the program, by provider name, unread (importlib.resources would cost 4 ms)."""
    return _provider_files(Path(__file__).parent / "builtin")


def provider_registry(user_dir: Path | None = None) -> "ProviderRegistry":
    """All providers; an operator's file wins over a built-in one of the same name, as its `source` shows."""
    return ProviderRegistry(builtin_files(), _provider_files(user_dir) if user_dir else {})


class ProviderRegistry(Mapping[str, Provider]):
    """Providers by name. A file is read when its provider is first asked for: a wrong one then raises ProviderError."""

    def __init__(self, builtin: Mapping[str, Path], user: Mapping[str, Path]) -> None:
        self._files = {**builtin, **user}
        self._user_names = frozenset(user)
        self._loaded: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> Provider:
        if name not in self._loaded:
            self._loaded[name] = load(self._files[name], "" if name in self._user_names else BUILT_IN)
        return self._loaded[name]

    def summary(self, name: str) -> ProviderSummary:
        """The heading of a provider's file. Raises ProviderError.

        Of a file that comes with the program only the top is read, which takes a tenth of the time: it is right. An
        operator's own may be wrong anywhere, and is read whole.
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
    return {path.stem: path for path in folder.glob("*.toml")}


def _parse_limits(table: dict[str, Any], problems: list[str]) -> Limits:
    """[limits]: a default and, beside it, the plans under names of their own."""
    if not table:
        return Limits()
    names = [name for name in table if name != "default"]
    default = table.get("default")
    if default not in names:
        wrong = f"{default!r} is none of the plans" if "default" in table else "missing"
        problems.append(f"limits.default: {wrong}{suggest(str(default), names)}")
    plans: dict[str, Plan] = {}
    for name in names:
        plan = decode_struct(Plan, table[name], f"limits.{name}", problems)
        if plan == Plan():
            problems.append(f"limits.{name}: says neither per_minute nor per_day")
        elif plan is not None:
            plans[name] = plan
    return Limits(str(default), plans)


def _normalize_statuses(table: Mapping[str, Phase], key_path: str, problems: list[str]) -> dict[str, Phase]:
    """A table of words by `word_key`."""
    known: dict[str, Phase] = {}
    for word, phase in table.items():
        if phase is Phase.NEW:
            problems.append(f"{key_path}.{word}: new is a job that was never asked; no word means that")
        if known.setdefault(status_key(word), phase) is not phase:
            problems.append(
                f"{key_path}.{word}: {phase.value} here, but {known[status_key(word)].value} in another spelling"
            )
    return known


def _build_endpoints(values: Mapping[str, Any], problems: list[str]) -> dict[str, Endpoint]:
    """One endpoint for the file's own status path (kind "") and one for each of its kinds."""
    words = {**STATUS_ALIASES, **_normalize_statuses(values.get("statuses", {}), "statuses", problems)}
    own = _KindTable(result=values.get("result"))
    made = [
        _build_endpoint(kind, table, values, words, problems)
        for kind, table in {"": own, **values.get("kinds", {})}.items()
    ]
    return {endpoint.kind: endpoint for endpoint in made if endpoint is not None}


def _build_endpoint(
    kind: str, table: _KindTable, values: Mapping[str, Any], statuses: Mapping[str, Phase], problems: list[str]
) -> Endpoint | None:
    """A kind's table over the file's values; None where those are too wrong to tell."""
    where = f"kinds.{kind}." if kind else ""
    own_status = decode_fields(StatusRequest, table.status, f"{where}status", problems, partial=True)
    own_words = _normalize_statuses(table.statuses, f"{where}statuses", problems)
    instead: tuple[OverrideRule, ...] = values.get("override", ()) if table.override is None else table.override
    links: tuple[LinkRule, ...] = values.get("links", ()) if table.links is None else table.links
    if any(rule.phase is Phase.NEW for rule in instead):
        problems.append(f"{where}override: new is a job that was never asked; no text means that")
    if "status" not in values:
        return None
    status: StatusRequest = replace(values["status"], **own_status)
    if table.result and not status.result_id:
        problems.append(f"{where}result: status.result_id must say where the {{result_id}} of {table.result.path!r} is")
    return Endpoint(
        kind=kind,
        cadence=table.cadence or values.get("cadence", ""),
        status=status,
        statuses={**statuses, **own_words},
        overrides=instead,
        links=links,
        result=table.result,
    )


def _resolve_bulk(
    bulk: BulkRequest | None, endpoints: Mapping[str, Endpoint], problems: list[str]
) -> BulkRequest | None:
    """[bulk] with all the words that hold there."""
    if bulk is None:
        return None
    own_words = _normalize_statuses(bulk.statuses, "bulk.statuses", problems)
    return replace(bulk, statuses={**endpoints[""].statuses, **own_words}) if "" in endpoints else bulk
