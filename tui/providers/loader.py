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
from tui.presentation.formatting import clean
from tui.providers.fields import BaseUrl, Instant, Name, Regex
from tui.providers.model import (
    ALIASES,
    BUILT_IN,
    BulkAsk,
    Cadence,
    Endpoint,
    ErrorPlaces,
    InsteadRule,
    Key,
    Limits,
    LinkRule,
    Plan,
    Provider,
    ResultAsk,
    StatusAsk,
    UnknownKind,
    word_key,
)
from tui.providers.table_decoder import build, fields, nearest

__all__ = [
    "BUILT_IN",
    "Endpoint",
    "Library",
    "Plan",
    "Provider",
    "ProviderError",
    "UnknownKind",
    "builtin",
    "library",
    "load",
    "parse",
]


TITLE_MOST, DOCS_MOST = 60, 200
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
    words: dict[str, Phase] = {}
    instead: tuple[InsteadRule, ...] | None = None
    links: tuple[LinkRule, ...] | None = None
    result: ResultAsk | None = None


class _File(Struct, frozen=True, kw_only=True):
    name: Name
    title: str
    base_url: BaseUrl
    key: Key
    cadence: Cadence
    status: StatusAsk
    docs: str = ""
    ids: tuple[Regex, ...] = ()
    sunset: Instant | None = None
    successor: Name | None = None
    error: ErrorPlaces = ErrorPlaces()
    words: dict[str, Phase] = {}
    instead: tuple[InsteadRule, ...] = ()
    links: tuple[LinkRule, ...] = ()
    result: ResultAsk | None = None
    kinds: dict[str, _KindTable] = {}
    limits: dict[str, Any] = {}
    bulk: BulkAsk | None = None


class Heading(NamedTuple):
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
    values = fields(_File, table, "", problems)
    limits = _limits(values.get("limits", {}), problems)
    endpoints = _endpoints(values, problems)
    bulk = _bulk(values.get("bulk"), endpoints, problems)
    if problems:
        raise ProviderError(source, tuple(problems))
    file = _File(**values)
    return Provider(  # the texts and numbers as plain ones, which every encoder knows
        name=str(file.name),
        title=clean(file.title, TITLE_MOST) or str(file.name),
        source=source,
        base_url=str(file.base_url),
        key=file.key,
        limits=limits,
        endpoints=endpoints,
        docs=clean(file.docs, DOCS_MOST),
        ids=tuple(map(str, file.ids)),
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


def builtin() -> dict[str, Path]:
    """The files that come with the program, by provider name, unread (importlib.resources would cost 4 ms)."""
    return _files(Path(__file__).parent / "builtin")


def library(user_dir: Path | None = None) -> "Library":
    """All providers; an operator's file wins over a built-in one of the same name, as its `source` shows."""
    return Library(builtin(), _files(user_dir) if user_dir else {})


class Library(Mapping[str, Provider]):
    """Providers by name. A file is read when its provider is first asked for: a wrong one then raises ProviderError."""

    def __init__(self, built_in: Mapping[str, Path], own: Mapping[str, Path]) -> None:
        self._files = {**built_in, **own}
        self._own = frozenset(own)
        self._loaded: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> Provider:
        if name not in self._loaded:
            self._loaded[name] = load(self._files[name], "" if name in self._own else BUILT_IN)
        return self._loaded[name]

    def heading(self, name: str) -> Heading:
        """The heading of a provider's file. Raises ProviderError.

        Of a file that comes with the program only the top is read, which takes a tenth of the time: it is right. An
        operator's own may be wrong anywhere, and is read whole.
        """
        if name not in self._own and name not in self._loaded:
            with suppress(OSError, ValueError, LookupError):
                text = self._files[name].read_text("utf-8-sig")
                top = tomllib.loads(text[: text.index("\n[")])
                return Heading(name, top["key"]["env"], top.get("successor"))
        provider = self[name]
        return Heading(name, provider.key.env, provider.successor)

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files))

    def __len__(self) -> int:
        return len(self._files)


def _files(folder: Path) -> dict[str, Path]:
    return {path.stem: path for path in folder.glob("*.toml")}


def _limits(table: dict[str, Any], problems: list[str]) -> Limits:
    """[limits]: a default and, beside it, the plans under names of their own."""
    if not table:
        return Limits()
    names = [name for name in table if name != "default"]
    default = table.get("default")
    if default not in names:
        wrong = f"{default!r} is none of the plans" if "default" in table else "missing"
        problems.append(f"limits.default: {wrong}{nearest(str(default), names)}")
    plans: dict[str, Plan] = {}
    for name in names:
        plan = build(Plan, table[name], f"limits.{name}", problems)
        if plan == Plan():
            problems.append(f"limits.{name}: says neither per_minute nor per_day")
        elif plan is not None:
            plans[name] = plan
    return Limits(str(default), plans)


def _words(table: Mapping[str, Phase], where: str, problems: list[str]) -> dict[str, Phase]:
    """A table of words by `word_key`."""
    known: dict[str, Phase] = {}
    for word, phase in table.items():
        if phase is Phase.NEW:
            problems.append(f"{where}.{word}: new is a job that was never asked; no word means that")
        if known.setdefault(word_key(word), phase) is not phase:
            problems.append(
                f"{where}.{word}: {phase.value} here, but {known[word_key(word)].value} in another spelling"
            )
    return known


def _endpoints(values: Mapping[str, Any], problems: list[str]) -> dict[str, Endpoint]:
    """One endpoint for the file's own status path (kind "") and one for each of its kinds."""
    words = {**ALIASES, **_words(values.get("words", {}), "words", problems)}
    own = _KindTable(result=values.get("result"))
    made = [
        _endpoint(kind, table, values, words, problems) for kind, table in {"": own, **values.get("kinds", {})}.items()
    ]
    return {endpoint.kind: endpoint for endpoint in made if endpoint is not None}


def _endpoint(
    kind: str, table: _KindTable, values: Mapping[str, Any], words: Mapping[str, Phase], problems: list[str]
) -> Endpoint | None:
    """A kind's table over the file's values; None where those are too wrong to tell."""
    where = f"kinds.{kind}." if kind else ""
    own_status = fields(StatusAsk, table.status, f"{where}status", problems, partial=True)
    own_words = _words(table.words, f"{where}words", problems)
    instead: tuple[InsteadRule, ...] = values.get("instead", ()) if table.instead is None else table.instead
    links: tuple[LinkRule, ...] = values.get("links", ()) if table.links is None else table.links
    if any(rule.phase is Phase.NEW for rule in instead):
        problems.append(f"{where}instead: new is a job that was never asked; no text means that")
    if "status" not in values:
        return None
    status: StatusAsk = replace(values["status"], **own_status)
    if table.result and not status.run:
        problems.append(f"{where}result: status.run must say where the {{run}} of {table.result.path!r} is")
    return Endpoint(
        kind=kind,
        cadence=table.cadence or values.get("cadence", ""),
        status=status,
        words={**words, **own_words},
        instead=instead,
        links=links,
        result=table.result,
    )


def _bulk(bulk: BulkAsk | None, endpoints: Mapping[str, Endpoint], problems: list[str]) -> BulkAsk | None:
    """[bulk] with all the words that hold there."""
    if bulk is None:
        return None
    own_words = _words(bulk.words, "bulk.words", problems)
    return replace(bulk, words={**endpoints[""].words, **own_words}) if "" in endpoints else bulk
