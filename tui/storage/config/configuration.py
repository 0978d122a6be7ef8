"""Configuration of one operator: settings, provider files and the accounts that follow from them. It never changes.

Keys are left to `key_ring`, the watchlist and the journal to `workspace`.
"""

from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from msgspec import Struct
from msgspec.structs import replace

from tui.domain import operator_input
from tui.domain.evaluation import EvaluationContext
from tui.domain.hosts import is_plaintext_remote, origin
from tui.domain.polling import rate_limit
from tui.providers import loader
from tui.providers.table_decoder import suggest
from tui.storage import paths
from tui.storage.config import settings
from tui.storage.config.secrets import ApiKeySource, EnvironmentVariable
from tui.storage.config.settings import AccountSettings, AccountTable, Settings, with_line

if TYPE_CHECKING:
    from tui.providers.model import Provider


class Account(Struct, frozen=True, kw_only=True):
    """Provider with a base URL, a key source and a rate. One organisation has one account."""

    name: str
    provider: "Provider"
    base_url: str
    key_source: ApiKeySource | None
    per_minute: float
    """Requests per minute that babeltop allows itself."""
    per_day: float | None
    """Requests per day that the service allows. None: it states no limit."""
    concurrency: int
    """Requests in flight at once."""
    variables: Mapping[str, str] = {}
    """Values of the provider file's variables."""


class WorkspacePaths(Struct, frozen=True, kw_only=True):
    """Folders of a workspace, and its watchlist."""

    config_dir: Path
    state_dir: Path
    watchlist_file: Path

    @classmethod
    def default(cls, watchlist: Path | None = None) -> "WorkspacePaths":
        """Return the platform's folders, or those that the environment names."""
        config_dir = paths.config_dir()
        return cls(
            config_dir=config_dir,
            state_dir=paths.state_dir(),
            watchlist_file=watchlist or paths.watchlist_file(config_dir),
        )


class Configuration:
    """Settings, provider files and configured accounts."""

    def __init__(self, workspace_paths: WorkspacePaths, environ: Mapping[str, str], warnings: list[str]) -> None:
        """Read settings and provider files. Raises SettingsError and ProviderError.

        `warnings` gets the problems that stop nothing, for the operator.
        """
        self.paths = workspace_paths
        self.settings: Settings = settings.read(paths.config_file(workspace_paths.config_dir))
        self.providers = loader.provider_registry(paths.providers_dir(workspace_paths.config_dir), with_line)
        self._environ = environ
        self.team_database: str = environ.get("BABELTOP_TEAM_DATABASE", "") or self.settings.team.database
        """Connection string of the team's database; "" without a team."""
        self._warnings = warnings

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """Accounts by name, as configured. Raises SettingsError and ProviderError."""
        names = {each.name for each in self.summaries}
        own_address = {each.name for each in self.summaries if each.needs_base_url}
        variables = {each.name: each.env for each in self.summaries if each.env and each.successor not in names}
        if not self.settings.accounts:
            variables = {name: env for name, env in variables.items() if name not in own_address}
        tables = settings.resolve_accounts(self.settings, variables, self._environ)
        return {table.name: self._account(table) for table in tables}

    @cached_property
    def summaries(self) -> list[loader.ProviderSummary]:
        """Summaries of the providers with a valid file; an invalid one affects its own accounts only."""
        found: list[loader.ProviderSummary] = []
        for name in self.providers:
            try:
                found.append(self.providers.summary(name))
            except loader.ProviderError as error:
                self._warnings.append(str(error))
        return found

    def successor_of(self, account: Account) -> Account | None:
        """Return the account at its provider's successor, or None if there is none that can be polled.

        A base URL that the operator configured stays. The key goes to no other origin unless `config.toml` names it.
        """
        successor = account.provider.successor
        if successor is None or successor not in self.providers:
            return None
        try:
            provider = self.providers[successor]
        except loader.ProviderError as error:
            self._warnings.append(str(error))
            return None
        table = self.settings.accounts.get(account.name) or AccountTable()
        base_url = table.base_url or provider.base_url
        if is_plaintext_remote(base_url) and not table.insecure_http:
            return None
        if origin(base_url) != origin(account.base_url):
            self._warnings.append(
                f"accounts.{account.name}: {provider.title}, the successor of {account.provider.title}, is at another "
                f"address, {base_url}, to which no key is sent automatically: to move the account there, set "
                f'provider = "{provider.name}" in [accounts.{account.name}] of '
                f"{paths.config_file(self.paths.config_dir)}"
            )
            return None
        return replace(account, provider=provider, base_url=base_url)

    def moved(self, account: Account, provider: str) -> Account:
        """Return the account at this provider if that is still one of its successors, else as it is."""
        visited, successor = {account.provider.name}, self.successor_of(account)
        while successor is not None and successor.provider.name not in visited:
            if successor.provider.name == provider:
                return successor
            visited.add(successor.provider.name)
            successor = self.successor_of(successor)
        return account

    def provider_of(self, account: str) -> str | None:
        """Return the provider name of an account without reading a provider file, or None if it is unknown."""
        table = self.settings.accounts.get(account)
        if table is not None and table.provider:
            return str(table.provider)
        return account if account in self.providers else None

    def why_unconfigured(self, account: str) -> str:
        """Return why a job of this account cannot be polled, and the remedy."""
        file = paths.config_file(self.paths.config_dir)
        variables = {each.name: each.env for each in self.summaries if not each.needs_base_url}
        if (variable := variables.get(account)) and not self.settings.accounts:  # variables count without accounts only
            return f"no API key for {account}: set {variable} and restart, or add [accounts.{account}] to {file}"
        near = operator_input.nearest(account, self.accounts)
        hint = f"did you mean {near!r}? Else add" if near else "add"
        return f"no account {account!r}: {hint} [accounts.{account}] to {file}"

    def evaluation_context(self, now: float) -> EvaluationContext:
        """Return the settings that jobs are evaluated with at an instant."""
        return EvaluationContext(
            now=now,
            stall_after=self.settings.polling.stall_after,
            warn_before=self.settings.links.warn_before,
            archive_after=self.settings.board.archive_after,
            providers={name: str(table.provider) for name, table in self.settings.accounts.items() if table.provider},
        )

    def _account(self, table: AccountSettings) -> Account:
        if table.provider not in self.providers:
            near = suggest(table.provider, self.providers)
            self._raise_settings_error(table.name, "provider", f"no provider {table.provider!r}{near}")
        provider = self.providers[table.provider]
        plan = table.plan or provider.limits.default
        if plan not in provider.limits.plans:
            near = suggest(plan, provider.limits.plans)
            self._raise_settings_error(table.name, "plan", f"{provider.name} has no plan {plan!r}{near}")
        base_url = table.base_url or provider.base_url
        if is_plaintext_remote(base_url) and not table.insecure_http:
            remedy = "use https, or set insecure_http = true for this account"
            self._raise_settings_error(table.name, "base_url", f"plain http would expose the key: {remedy}")
        self._check_variables(table, provider)
        if table.discover and not any(each.list_request is not None for each in provider.endpoints.values()):
            self._raise_settings_error(table.name, "discover", f"{provider.name} has no list of jobs")
        limits = provider.limits.plans[plan]
        variable = EnvironmentVariable(provider.key.env) if provider.key.env else None
        return Account(
            name=table.name,
            provider=provider,
            base_url=base_url,
            key_source=table.api_key or (ApiKeySource(env=variable) if variable else None),
            per_minute=float(table.rate_per_minute or rate_limit.STEADY_SHARE * (limits.per_minute or 60.0)),
            per_day=limits.per_day if table.rate_per_minute is None else None,
            concurrency=table.concurrency,
            variables=table.variables,
        )

    def _check_variables(self, table: AccountSettings, provider: "Provider") -> None:
        """Raise SettingsError for a variable that the provider does not have, or that it needs and nothing sets."""
        for name in table.variables:
            if name not in provider.variables:
                near = suggest(name, provider.variables) or f"; {provider.name} has no variables"
                self._raise_settings_error(table.name, f"variables.{name}", f"unknown{near}")
        missing = [name for name in provider.required_variables if name not in table.variables]
        if missing and table.name in self.settings.accounts:
            self._raise_settings_error(table.name, "variables", f"{missing[0]} is missing, which {provider.name} needs")

    def check_team(self) -> None:
        """Raise SettingsError if the team's database can't be used as configured."""
        from tui.storage.extras import EXTRAS, install_command

        if find_spec(EXTRAS["postgres"]) is None:
            problem = f"requires an extra: {install_command('postgres')}"
        else:
            from tui.storage.team.connection import check_conninfo

            try:
                check_conninfo(self.team_database, allow_insecure=self.settings.team.insecure_database)
            except ValueError as error:
                problem = str(error)
            else:
                return
        raise settings.located_error(paths.config_file(self.paths.config_dir), (f"team.database: {problem}",))

    def _raise_settings_error(self, account: str, key: str, reason: str) -> NoReturn:
        file = paths.config_file(self.paths.config_dir)
        raise settings.located_error(file, (f"accounts.{account}.{key}: {reason}",))
