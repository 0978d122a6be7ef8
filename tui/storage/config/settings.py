"""`config.toml`, the operator's settings, read and checked with every problem named at once. It is never written.

A field's docstring says what it means and in what unit; its default is the class's. The key of a table in the file is
the field's name, but `[[hook]]` fills `hooks`.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from tui.errors import ConfigurationError
from tui.providers.fields import BaseUrl, Duration, ProviderName
from tui.providers.table_decoder import decode_fields, decode_struct
from tui.storage.config.fields import (
    BoundKeys,
    Concurrency,
    PollInterval,
    Rate,
    Timeout,
    WebhookUrl,
    is_plaintext_remote,
)
from tui.storage.config.secrets import EnvironmentVariable, SecretSource
from tui.storage.config.toml_positions import line_of

HookEvent = Literal[
    "queued",
    "running",
    "done",
    "failed",
    "timed_out",
    "blocked",
    "missing",
    "stalled",
    "expiring",
    "expired",
    "refused",
    "retired",
]
"""What a hook can be called for: a phase that a job entered, a flag that went up, an account that is not asked any
more (no key, 401, or 403 throughout), an account whose API is over."""


T = TypeVar("T", "AccountTable", "Hook")


class SettingsError(ConfigurationError):
    """A `config.toml` that is wrong: `problems` says all that is, each with its line and key."""

    def __init__(self, path: Path, problems: tuple[str, ...]) -> None:
        self.path = path
        self.problems = problems
        super().__init__("\n  ".join([f"{path}:", *problems]))


class AccountTable(Struct, frozen=True, kw_only=True):
    """`[accounts.NAME]`: one organisation's access to a provider. NAME is what jobs are listed under."""

    provider: ProviderName = ProviderName()
    """The provider file's name. Empty: the account's own name."""
    base_url: BaseUrl | None = None
    """Where the API is. None: where the provider file says."""
    api_key: SecretSource | None = None
    """Where the key comes from: one of env, file, command, keyring. None: the provider's environment variable."""
    plan: str | None = None
    """The plan that was bought, by its name in the provider file, for its limits. None: that file's default."""
    rate_per_minute: Rate | None = None
    """Requests a minute at most. None: 60 % of what the plan allows."""
    concurrency: Concurrency = Concurrency(4)
    """Requests in flight at once, 1 to 64."""
    insecure_http: bool = False
    """Lets the key travel over plain http to a host other than this one."""

    def problems(self) -> Iterator[str]:
        """What is wrong with its values together, each from the key below this table on."""
        if self.base_url is not None and not self.insecure_http and is_plaintext_remote(self.base_url):
            yield ".base_url: plain http would show the key to the network; use https, or set insecure_http = true"
        if self.api_key is not None:
            yield from (f".api_key{problem}" for problem in self.api_key.problems())


class AccountSettings(AccountTable, frozen=True, kw_only=True):
    """An account as it is used: with its name and, where the operator left them out, its provider and its key."""

    name: str


class PollingSettings(Struct, frozen=True, kw_only=True):
    """`[polling]`: how often jobs are asked."""

    max_interval: PollInterval = PollInterval(60)
    """Seconds between two asks of a job that is not stalled, at most; in the file a duration."""
    stall_after: PollInterval = PollInterval(3600)
    """Seconds of running after which a job is asked less and less often; in the file a duration."""


class LinkSettings(Struct, frozen=True, kw_only=True):
    """`[links]`: what happens before a link dies."""

    warn_before: Duration = Duration(86400)
    """Seconds before its expiry from which a link counts as expiring; in the file a duration."""
    renew_before: Duration = Duration(86400)
    """Seconds before its expiry at which the link of a job with keep_link is renewed; in the file a duration."""


class BoardSettings(Struct, frozen=True, kw_only=True):
    """`[board]`: what stays in sight."""

    archive_after: Duration = Duration(14 * 86400)
    """Seconds after which an ended job without a live link goes to the Archive; in the file a duration."""


class DownloadSettings(Struct, frozen=True, kw_only=True):
    """`[downloads]`: where results go."""

    dir: str = "~/Downloads/babeltop"
    """A folder; `~` is the home folder."""


class AlertSettings(Struct, frozen=True, kw_only=True):
    """`[alerts]`: how an open console calls a person."""

    bell: bool = True
    """Rings the terminal's bell."""
    desktop: bool = True
    """Sends a desktop notification through the terminal (OSC 9; 777 where it knows only that)."""


class Hook(Struct, frozen=True, kw_only=True):
    """`[[hook]]`: what is told of a change, as JSON. Exactly one of run and url is set."""

    on: tuple[HookEvent, ...] = ("done", "failed", "timed_out", "blocked", "missing")
    """The changes it is told of: phases; stalled, expiring, expired; of accounts refused, retired."""
    run: tuple[str, ...] | None = None
    """A program and its arguments, without a shell; the change comes on its stdin."""
    url: WebhookUrl | None = None
    """Where the change is sent by POST; https, or http to this machine."""
    secret: SecretSource | None = None
    """What signs each POST (HMAC-SHA256): one of env, file, command, keyring. None: it is not signed."""
    timeout: Timeout = Timeout(10)
    """Seconds that the program, or one POST, may take, 1 to 300; in the file a duration. Then it is given up."""
    insecure_http: bool = False
    """Lets the change, links and all, travel over plain http to a host other than this one."""

    def problems(self) -> Iterator[str]:
        """What is wrong with its values together, each from the key below this table on."""
        if (self.run is None) == (self.url is None):
            yield ": expected exactly one of run and url"
        if self.run is not None and not (self.run and self.run[0]):
            yield ".run: expected a program and its arguments, such as ['notify-send', 'babeltop']"
        if self.url is not None and not self.insecure_http and is_plaintext_remote(self.url):
            yield ".url: plain http would show links to the network; use https, or set insecure_http = true"
        if self.secret is not None:
            yield from (f".secret{problem}" for problem in self.secret.problems())
            if self.url is None:
                yield ".secret: only what goes to a url is signed"


class UiSettings(Struct, frozen=True, kw_only=True):
    """`[ui]`: how the screen looks until it remembers something else."""

    theme: str = "babeltop-dark"
    """A theme's name."""
    glyphs: Literal["unicode", "ascii"] = "unicode"
    """The signs of states and bars."""
    time: Literal["relative", "local", "utc"] = "relative"
    """How instants are shown."""


class Settings(Struct, frozen=True, kw_only=True):
    """The whole file. Every key is optional."""

    accounts: dict[str, AccountTable] = {}
    """Accounts by name. None configured: those whose environment variable is set."""
    polling: PollingSettings = PollingSettings()
    links: LinkSettings = LinkSettings()
    board: BoardSettings = BoardSettings()
    downloads: DownloadSettings = DownloadSettings()
    alerts: AlertSettings = AlertSettings()
    hooks: tuple[Hook, ...] = field(name="hook", default=())
    """What is told of changes, in the file's order."""
    ui: UiSettings = UiSettings()
    keys: dict[str, BoundKeys] = {}
    """Keys by the id of the command that they replace the default keys of: one, or a list."""


def read(path: Path) -> Settings:
    """The settings of a file, or the defaults where there is none. Raises SettingsError."""
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise SettingsError(path, (f"cannot be read: {error.strerror}",)) from None
    import tomllib  # 2 ms, and most watchlists come without a config.toml

    try:
        text = raw.decode("utf-8-sig")
        table = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise SettingsError(path, (f"is no TOML: {error}",)) from None
    problems: list[str] = []
    settings = _decode_settings(table, problems)
    if problems:
        raise SettingsError(path, tuple(_with_line(text, problem) for problem in problems))
    return settings


def resolve_accounts(
    settings: Settings, key_variables: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[AccountSettings, ...]:
    """The accounts there are, complete. `keys`: by provider, the environment variable that its file names.

    With none configured there is one for each provider whose variable is set and not blank; a successor that shares
    its predecessor's variable is left out of `keys` by the caller. `api_key` is None only for an unknown provider.
    """
    tables = settings.accounts or {
        name: AccountTable() for name in key_variables if environ.get(key_variables[name], "").strip()
    }
    return tuple(_resolve_account(name, table, key_variables) for name, table in tables.items())


def _decode_settings(table: Mapping[str, Any], problems: list[str]) -> Settings:
    """The settings in a file's top table; what is wrong goes to `problems`, by key."""
    found: dict[str, AccountTable] = {}
    for name, account in _account_tables(table.get("accounts", {}), problems).items():
        where = f"accounts.{name}"
        if checked := _decode_table(
            AccountTable, _without_literal_secret(account, "api_key", where, problems), where, problems
        ):
            found[name] = checked
    hooks: list[Hook] = []
    for at, hook in enumerate(_hook_tables(table.get("hook", []), problems)):
        where = f"hook[{at}]"
        if checked := _decode_table(Hook, _without_literal_secret(hook, "secret", where, problems), where, problems):
            hooks.append(checked)
    rest = {key: value for key, value in table.items() if key not in {"accounts", "hook"}}
    return Settings(accounts=found, hooks=tuple(hooks), **decode_fields(Settings, rest, "", problems))


def _account_tables(tables: object, problems: list[str]) -> Mapping[str, object]:
    """The tables of accounts by their names, each of which a job can be listed under."""
    if not isinstance(tables, dict):
        problems.append("accounts: expected tables such as [accounts.acme]")
        return {}
    named = cast("dict[str, object]", tables)
    for name in named:
        try:
            ProviderName.parse(name)
        except ValueError as error:
            problems.append(f"accounts.{name}: {error}")
    return named


def _hook_tables(tables: object, problems: list[str]) -> Sequence[object]:
    if not isinstance(tables, list):
        problems.append("hook: expected [[hook]], in two brackets")
        return []
    return cast("list[object]", tables)


def _without_literal_secret(value: object, key: str, where: str, problems: list[str]) -> object:
    """The table without a secret that was written into it, which is a problem of its own and never repeated."""
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, object]", value)
    if not isinstance(table.get(key), str):
        return table
    problems.append(
        f"{where}.{key}: a key never stands in this file; say where it is: {{ env = 'NAME' }}, {{ file = '~/key' }},"
        " { command = ['pass', 'show', 'acme'] } or { keyring = 'service/name' }"
    )
    return {name: value for name, value in table.items() if name != key}


def _decode_table(cls: type[T], table: object, where: str, problems: list[str]) -> T | None:
    """One account or hook, if its values are good each by itself; together, they may yet be wrong."""
    checked = decode_struct(cls, table, where, problems)
    if checked is not None:
        problems += [f"{where}{problem}" for problem in checked.problems()]
    return checked


def _resolve_account(name: str, table: AccountTable, key_variables: Mapping[str, str]) -> AccountSettings:
    provider = table.provider or ProviderName(name)
    api_key = table.api_key
    if api_key is None and provider in key_variables:
        api_key = SecretSource(env=EnvironmentVariable(key_variables[provider]))
    return AccountSettings(name=name, **asdict(replace(table, provider=provider, api_key=api_key)))


def _with_line(text: str, problem: str) -> str:
    line = line_of(text, problem.partition(": ")[0])
    return problem if line is None else f"line {line}: {problem}"
