"""Settings of `config.toml`, read and checked, with all problems reported at once. The file is never written.

The field docstrings are README's reference of the settings. The key of a table in the file is the field's name, except
that `[[hook]]` fills `hooks` and `[[view]]` `views`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from msgspec import Struct, field
from msgspec.structs import asdict, replace

from tui.domain.hosts import is_plaintext_remote
from tui.errors import ConfigurationError
from tui.presentation.table_layout import DEFAULT_COLUMNS
from tui.providers.fields import BaseUrl, Duration, ProviderName
from tui.providers.table_decoder import decode_fields, decode_struct
from tui.storage.config.body_template import BodyTemplate
from tui.storage.config.fields import (
    BoundKeys,
    ColumnId,
    Concurrency,
    FileSize,
    JobFilter,
    PollInterval,
    Rate,
    SortName,
    Timeout,
    ViewName,
    WebhookUrl,
    Weight,
)
from tui.storage.config.quiet_time import QuietTime
from tui.storage.config.secrets import ApiKeySource, EnvironmentVariable, SecretSource

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
"""Events of a hook: a phase that a job entered, a flag that was set, an account whose polling stopped (refused: no key,
401, or 403 throughout), an account whose API is retired."""
OWN_THEMES = "babeltop-dark", "babeltop-light", "babeltop-contrast"
"""Names of the dashboard's own themes, besides Textual's."""

MAX_VARIABLE = 200
"""Characters of an account's variable."""

T = TypeVar("T", "AccountTable", "Hook", "SavedView")


class SettingsError(ConfigurationError):
    """Invalid `config.toml`; `problems` has each problem with its line and key."""

    def __init__(self, path: Path, problems: tuple[str, ...]) -> None:
        self.path = path
        self.problems = problems
        super().__init__("\n  ".join([f"{path}:", *problems]))


class AccountTable(Struct, frozen=True, kw_only=True):
    """`[accounts.NAME]`: access of one organisation to a provider. Jobs are listed under NAME."""

    provider: ProviderName = ProviderName()
    """Name of the provider file. Empty: the account's name."""
    base_url: BaseUrl | None = None
    """Base URL of the API. None: the provider file's."""
    api_key: ApiKeySource | None = None
    """Source of the API key: one of env, file, command, keyring. None: the provider's environment variable."""
    plan: str | None = None
    """Name of the plan in the provider file, for its limits. None: that file's default."""
    rate_per_minute: Rate | None = None
    """Requests per minute at most. None: 60 % of the plan's rate."""
    concurrency: Concurrency = Concurrency(4)
    """Requests in flight at once, 1 to 64."""
    insecure_http: bool = False
    """Allows sending the key over plain http to another host."""
    variables: dict[str, str] = {}
    """Values of the provider file's variables, such as { project = '42' }."""
    discover: bool = False
    """Adds the account's new jobs, looked for every ten minutes, with the tag discovered; none that was removed."""

    def problems(self) -> Iterator[str]:
        """Yield the problems of the values together, each as a key below this table and a text."""
        for name, value in self.variables.items():
            if not value.isprintable() or value in {"", ".", ".."} or len(value) > MAX_VARIABLE:
                yield f".variables.{name}: expected visible characters, at most {MAX_VARIABLE}"
        if self.base_url is not None and not self.insecure_http and is_plaintext_remote(self.base_url):
            yield ".base_url: plain http would expose the key; use https, or set insecure_http = true"
        if self.api_key is not None:
            yield from (f".api_key{problem}" for problem in self.api_key.problems())


class AccountSettings(AccountTable, frozen=True, kw_only=True):
    """Account table with its name, and with the defaults of provider and key source filled in."""

    name: str


class PollingSettings(Struct, frozen=True, kw_only=True):
    """`[polling]`: how often jobs are polled."""

    max_interval: PollInterval = PollInterval(60)
    """Seconds between two polls of a job that is not stalled, at most; in the file a duration."""
    stall_after: PollInterval = PollInterval(3600)
    """Seconds of running after which a job counts as stalled and is polled less often; in the file a duration."""


class LinkSettings(Struct, frozen=True, kw_only=True):
    """`[links]`: what happens before a link expires."""

    warn_before: Duration = Duration(86400)
    """Seconds before its expiry from which a link counts as expiring; in the file a duration."""
    renew_before: Duration = Duration(86400)
    """Seconds before its expiry at which the link of a job with keep_link is renewed; in the file a duration."""


class BoardSettings(Struct, frozen=True, kw_only=True):
    """`[board]`: retention on the board."""

    archive_after: Duration = Duration(14 * 86400)
    """Seconds after which an ended job without a live link moves to the Archive view; in the file a duration."""


class DownloadSettings(Struct, frozen=True, kw_only=True):
    """`[downloads]`: where results are saved."""

    dir: str = "~/Downloads/babeltop"
    """Folder of the downloads; `~` is the home folder."""
    max_size: FileSize = FileSize(100_000_000_000)
    """Bytes of one file, as saved; in the file a size such as `100 GB`. A larger file is refused."""


class AlertSettings(Struct, frozen=True, kw_only=True):
    """`[alerts]`: notifications of an open dashboard, and the quiet time, which holds for hooks too."""

    bell: bool = True
    """Rings the terminal's bell."""
    desktop: bool = True
    """Sends a desktop notification through the terminal (OSC 9, or OSC 777)."""
    quiet: QuietTime | None = None
    """Quiet time of each day, such as '22:00-07:00', by the local clock; at its end bell, desktop and hooks get one
    summary. None: there is none."""


class Hook(Struct, frozen=True, kw_only=True):
    """`[[hook]]`: program or URL that gets each change as JSON. Exactly one of run and url is set."""

    on: tuple[HookEvent, ...] = ("done", "failed", "timed_out", "blocked", "missing")
    """Events that are delivered: phases; stalled, expiring, expired; for accounts refused, retired."""
    run: tuple[str, ...] | None = None
    """Program and its arguments, run without a shell, with the change on stdin."""
    url: WebhookUrl | None = None
    """URL that the change is sent to by POST; https, or http to this machine."""
    env: tuple[EnvironmentVariable, ...] = ()
    """Variables that the program gets although they hold a secret, such as ['ACME_API_KEY']; it gets all others."""
    filter: JobFilter | None = None
    """Filter, as in the dashboard: only events about jobs that match are delivered. None: all."""
    body: BodyTemplate | None = None
    """Table that is sent as JSON in place of the change: { text = '{text}' }, with named fields in its texts."""
    ignore_quiet: bool = False
    """Delivers at once also in the quiet time, for a hook that wakes no one."""
    secret: SecretSource | None = None
    """Source of the secret that signs each POST (HMAC-SHA256): one of env, file, command, keyring. None: unsigned."""
    timeout: Timeout = Timeout(10)
    """Seconds after which the program or the POST is cancelled, 1 to 300; in the file a duration."""
    insecure_http: bool = False
    """Allows sending the change, with its links, over plain http to another host."""

    def problems(self) -> Iterator[str]:
        """Yield the problems of the values together, each as a key below this table and a text."""
        if (self.run is None) == (self.url is None):
            yield ": expected exactly one of run and url"
        if self.run is not None and not (self.run and self.run[0]):
            yield ".run: expected a program and its arguments, such as ['notify-send', 'babeltop']"
        if self.body is not None and self.url is None:
            yield ".body: only a url has a body"
        if self.env and self.run is None:
            yield ".env: only a program has an environment"
        if self.url is not None and not self.insecure_http and is_plaintext_remote(self.url):
            yield ".url: plain http would expose links; use https, or set insecure_http = true"
        if self.secret is not None:
            yield from (f".secret{problem}" for problem in self.secret.problems())
            if self.url is None:
                yield ".secret: only a url can have a secret"


class SavedView(Struct, frozen=True, kw_only=True):
    """`[[view]]`: view of the jobs that a filter matches, after the built-in ones. Keys 7 to 9 show the first three."""

    name: ViewName
    """Name, 1 to 20 characters."""
    filter: str = ""
    """Filter, in the language of `/`. Archived jobs are in no such view."""
    sort: SortName = SortName()
    """Sort, as in the dialog of `s`; `-` in front reverses it. Empty: that of the other views."""
    columns: tuple[ColumnId, ...] = ()
    """Columns. Empty: those of the other views."""

    def problems(self) -> Iterator[str]:
        """Yield the problems of the filter, each as a key below this table and a text."""
        from tui.presentation.filters import grammar  # only for a file with views

        yield from (f".filter: {problem.text}" for problem in grammar.parse(self.filter).problems)


class TeamSettings(Struct, frozen=True, kw_only=True):
    """`[team]`: PostgreSQL database that several operators and machines share. Requires the extra `postgres`."""

    database: str = ""
    """Connection string of libpq without a password, such as "service=babeltop". Empty: no team."""
    watchlist: str = ""
    """Name under which the watchlist is published. Empty: login name, host and path of the file."""
    insecure_database: bool = False
    """Allows a server on another host without sslmode=verify-full."""
    weight: Weight = Weight(1.0)
    """Share of the accounts that a worker polls, relative to other workers that have the same keys."""


class UiSettings(Struct, frozen=True, kw_only=True):
    """`[ui]`: look of the dashboard at its first start; later starts restore the last look."""

    theme: str = OWN_THEMES[0]
    """Name of the theme."""
    glyphs: Literal["unicode", "ascii"] = "unicode"
    """Characters of status signs and bars."""
    time: Literal["relative", "local", "utc"] = "relative"
    """Format of times."""
    columns: tuple[ColumnId, ...] = tuple(map(ColumnId, DEFAULT_COLUMNS))
    """Columns of the table, from left to right; the dialog of `c` lists all. As many are shown as fit."""


class Settings(Struct, frozen=True, kw_only=True):
    """Settings of the whole file. Every key is optional."""

    accounts: dict[str, AccountTable] = {}
    """Accounts by name. Without any, one for each provider whose environment variable is set."""
    polling: PollingSettings = PollingSettings()
    links: LinkSettings = LinkSettings()
    board: BoardSettings = BoardSettings()
    downloads: DownloadSettings = DownloadSettings()
    alerts: AlertSettings = AlertSettings()
    hooks: tuple[Hook, ...] = field(name="hook", default=())
    """Hooks, in the file's order."""
    views: tuple[SavedView, ...] = field(name="view", default=())
    """Views, in the file's order."""
    team: TeamSettings = TeamSettings()
    ui: UiSettings = UiSettings()
    keys: dict[str, BoundKeys] = {}
    """Key, or list of keys, for each command id; it replaces the default keys."""


def read(path: Path) -> Settings:
    """Return the settings of a file, or the defaults if there is none. Raises SettingsError."""
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
        raise SettingsError(path, (f"invalid TOML: {error}",)) from None
    problems: list[str] = []
    settings = _decode_settings(table, problems)
    if problems:
        raise SettingsError(path, tuple(with_line(text, problem) for problem in problems))
    return settings


def resolve_accounts(
    settings: Settings, key_variables: Mapping[str, str], environ: Mapping[str, str]
) -> tuple[AccountSettings, ...]:
    """Return all accounts, with defaults filled in. `key_variables`: the environment variable of each provider.

    Without a configured account there is one for each provider whose variable is set and not blank; the caller leaves
    a successor that shares its predecessor's variable out of `key_variables`. `api_key` is None only for an unknown
    provider.
    """
    tables = settings.accounts or {
        name: AccountTable() for name in key_variables if environ.get(key_variables[name], "").strip()
    }
    return tuple(_resolve_account(name, table, key_variables) for name, table in tables.items())


def _decode_settings(table: Mapping[str, Any], problems: list[str]) -> Settings:
    """Return the settings of a file's root table, and add its problems to `problems`, by key."""
    found: dict[str, AccountTable] = {}
    for name, account in _account_tables(table.get("accounts", {}), problems).items():
        where = f"accounts.{name}"
        if checked := _decode_table(
            AccountTable, _without_literal_secret(account, "api_key", where, problems), where, problems
        ):
            found[name] = checked
    hooks: list[Hook] = []
    for at, hook in enumerate(_tables_of("hook", table, problems)):
        where = f"hook[{at}]"
        if checked := _decode_table(Hook, _without_literal_secret(hook, "secret", where, problems), where, problems):
            hooks.append(checked)
    views = tuple(_decode_views(table, problems))
    rest = {key: value for key, value in table.items() if key not in {"accounts", "hook", "view"}}
    return Settings(accounts=found, hooks=tuple(hooks), views=views, **decode_fields(Settings, rest, "", problems))


def _decode_views(table: Mapping[str, Any], problems: list[str]) -> Iterator[SavedView]:
    names = set[str]()
    for at, view in enumerate(_tables_of("view", table, problems)):
        checked = _decode_table(SavedView, view, f"view[{at}]", problems)
        if checked is None:
            continue
        if checked.name.lower() in names:
            problems.append(f"view[{at}].name: {checked.name!r} is the name of another view")
        names.add(checked.name.lower())
        yield checked


def _account_tables(tables: object, problems: list[str]) -> Mapping[str, object]:
    """Return the account tables by name."""
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


def _tables_of(key: str, table: Mapping[str, Any], problems: list[str]) -> Sequence[object]:
    tables = table.get(key, [])
    if not isinstance(tables, list):
        problems.append(f"{key}: expected [[{key}]], in two brackets")
        return []
    return cast("list[object]", tables)


def _without_literal_secret(value: object, key: str, where: str, problems: list[str]) -> object:
    """Return the table without a literal secret, which is reported as a problem and never repeated."""
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, object]", value)
    if not isinstance(table.get(key), str):
        return table
    problems.append(
        f"{where}.{key}: must not contain the key. Use {{ env = 'NAME' }}, {{ file = '~/key' }}, "
        "{ command = ['pass', 'show', 'acme'] } or { keyring = 'service/name' }"
    )
    return {name: value for name, value in table.items() if name != key}


def _decode_table(cls: type[T], table: object, where: str, problems: list[str]) -> T | None:
    """Return one account, hook or view, or None if a value is invalid by itself; report also those invalid together."""
    checked = decode_struct(cls, table, where, problems)
    if checked is not None:
        problems += [f"{where}{problem}" for problem in checked.problems()]
    return checked


def _resolve_account(name: str, table: AccountTable, key_variables: Mapping[str, str]) -> AccountSettings:
    provider = table.provider or ProviderName(name)
    api_key = table.api_key
    if api_key is None and provider in key_variables:
        api_key = ApiKeySource(env=EnvironmentVariable(key_variables[provider]))
    return AccountSettings(name=name, **asdict(replace(table, provider=provider, api_key=api_key)))


def located_error(path: Path, problems: Iterable[str]) -> SettingsError:
    """Return the error of problems that are found after `read`, each with the line of its key."""
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, ValueError):  # removed since
        text = ""
    return SettingsError(path, tuple(with_line(text, problem) for problem in problems))


def with_line(text: str, problem: str) -> str:
    """Return a problem of a TOML text (`KEY: reason`) with the line of its key in front, if it is found."""
    from tui.storage.config.toml_positions import line_of  # only for a file with problems

    line = line_of(text, problem.partition(": ")[0])
    return problem if line is None else f"line {line}: {problem}"
