"""Registry of the provider files: finds them, and loads each when it is first needed.

Built-in and operator's files use the same loader. A service that the format cannot describe needs an extension of
the format, not a special case in code: see `file_format`.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tui.errors import ConfigurationError

if TYPE_CHECKING:
    from tui.providers.model import Provider

BUILT_IN = "built-in"
"""`Provider.source` of the files that come with the program."""
WithLine = Callable[[str, str], str]
"""Function of a file's text and a problem (`KEY: reason`) that returns the problem with the line of its key."""
_SUMMARY = re.compile(
    r'^(?:base_url = "https://[^"/]*(?P<placeholder>\.invalid)|key = \{[^\n]*\benv = "(?P<env>\w+)"'
    r'|successor = "(?P<successor>[\w.-]+)"|(?P<end>\[))',
    re.MULTILINE,
)
"""Keys of a summary in a built-in file, which has them on lines of their own; its first table ends the search."""


class ProviderError(ConfigurationError):
    """Invalid provider file: `source` names it, `problems` lists everything that is wrong, each with its key."""

    def __init__(self, source: str, problems: tuple[str, ...]) -> None:
        self.source = source
        self.problems = problems
        super().__init__("\n  ".join([f"{source}:", *problems]))


class ProviderSummary(Struct, frozen=True):
    """Part of a provider that decides whether there is an account of it."""

    name: str
    env: str
    """Environment variable that usually holds its keys; "": none."""
    successor: str | None
    needs_base_url: bool = False
    """Every customer has an own address, so there is no account without `base_url`."""


def _without_line(_text: str, problem: str) -> str:
    return problem


def parse(text: str, source: str, with_line: WithLine = _without_line) -> "Provider":
    """Return the provider in a text; `source` names its file. Raises ProviderError with all problems."""
    import tomllib  # 2 ms: the summaries of the built-in files need none

    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ProviderError(source, (f"not TOML: {error}",)) from None
    except RecursionError:
        raise ProviderError(source, ("not TOML: nested too deeply",)) from None
    # most subcommands need no provider, and its model takes 10 ms
    from tui.providers.file_format import build_provider

    provider, problems = build_provider(table, source)
    if provider is None:
        raise ProviderError(source, tuple(with_line(text, problem) for problem in problems))
    return provider


def load(path: Path, source: str = "", with_line: WithLine = _without_line) -> "Provider":
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


@cache
def _load_builtin(path: Path) -> "Provider":
    """Return the provider of a built-in file, which does not change while the program runs."""
    return load(path, BUILT_IN)


def builtin_files() -> dict[str, Path]:
    """Return the built-in files by provider name, unread (importlib.resources would cost 4 ms)."""
    return _provider_files(Path(__file__).parent / "builtin")


def provider_registry(user_dir: Path | None = None, with_line: WithLine = _without_line) -> "ProviderRegistry":
    """Return all providers; an operator's file replaces a built-in of its name, as `Provider.source` shows."""
    return ProviderRegistry(builtin_files(), _provider_files(user_dir) if user_dir else {}, with_line)


class ProviderRegistry(Mapping[str, "Provider"]):
    """Providers by name. A file is loaded at the first access; an invalid one then raises ProviderError."""

    def __init__(self, builtin: Mapping[str, Path], user: Mapping[str, Path], with_line: WithLine) -> None:
        self._with_line = with_line
        self._files = {**builtin, **user}
        self._user_names = frozenset(user)
        self._loaded: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> "Provider":
        if name not in self._user_names:
            return _load_builtin(self._files[name])
        if name not in self._loaded:
            self._loaded[name] = load(self._files[name], with_line=self._with_line)
        return self._loaded[name]

    def summary(self, name: str) -> ProviderSummary:
        """Return the summary of a provider's file. Raises ProviderError.

        A built-in file is valid, so its text is only searched. An operator's file is loaded as a whole.
        """
        if name not in self._user_names:
            return _builtin_summary(self._files[name])
        provider = self[name]
        return ProviderSummary(name, provider.key.env, provider.successor, provider.needs_base_url)

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files))

    def __len__(self) -> int:
        return len(self._files)


@cache
def _builtin_summary(path: Path) -> ProviderSummary:
    env, successor, needs_base_url = "", None, False
    for found in _SUMMARY.finditer(path.read_text("utf-8-sig")):
        if found["end"]:
            break
        env, successor = found["env"] or env, found["successor"] or successor
        needs_base_url = needs_base_url or found["placeholder"] is not None
    return ProviderSummary(path.stem, env, successor, needs_base_url)


def _provider_files(folder: Path) -> dict[str, Path]:
    """Return a folder's files by provider name, without hidden files: editors' locks and backups."""
    return {path.stem: path for path in folder.glob("*.toml") if not path.name.startswith(".")}
