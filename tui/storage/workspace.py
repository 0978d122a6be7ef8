"""Everything that stays, in one place: settings, accounts, keys, watchlist, journal. Synchronous, and no network.

All that `list`, `add` and `remove` need is here; `engine.session` adds the asking.
"""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from msgspec import Struct
from msgspec.structs import replace

from tui.domain import operator_input
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Job, Ref
from tui.domain.polling import rate_limit
from tui.providers import loader
from tui.providers.model import Plan, Provider
from tui.providers.table_decoder import suggest
from tui.storage import paths
from tui.storage.config import secrets, settings
from tui.storage.config.fields import is_plaintext_remote
from tui.storage.config.secrets import Secret, SecretError, SecretSource
from tui.storage.config.settings import AccountSettings, AccountTable, Settings, SettingsError
from tui.storage.journal.database import UnwritableJournalError
from tui.storage.journal.journal import Journal, JournalError
from tui.storage.watchlist.cache import RestoredBoard
from tui.storage.watchlist.file import EditResult, Operation, WatchlistContent, WatchlistError, WatchlistFile

ENGINE_LOCK_TIMEOUT = 2.0
"""Seconds that an engine waits for another writer of the watchlist: meanwhile it asks nobody."""


class Account(Struct, frozen=True, kw_only=True):
    """A provider with a base URL, a key's source and a rate: one organisation has one."""

    name: str
    provider: Provider
    base_url: str
    key_source: SecretSource | None
    per_minute: float
    """Asks a minute that we allow ourselves."""
    per_day: float | None
    """Asks a day that the service allows; None: it does not say."""
    concurrency: int


class WorkspacePaths(Struct, frozen=True, kw_only=True):
    """Where a library's files are."""

    config_dir: Path
    state_dir: Path
    watchlist_file: Path

    @classmethod
    def default(cls, watchlist: Path | None = None) -> "WorkspacePaths":
        """The platform's folders, or those that the environment names."""
        return cls(
            config_dir=paths.config_dir(),
            state_dir=paths.state_dir(),
            watchlist_file=watchlist or paths.watchlist_file(),
        )


class Workspace:
    """Settings, accounts and files of one operator. Journal and keys are opened when they are first needed."""

    def __init__(self, workspace_paths: WorkspacePaths, environ: Mapping[str, str], *, readonly: bool = False) -> None:
        """Reads settings and provider files. Raises SettingsError and spec.ProviderError."""
        self.paths = workspace_paths
        self.readonly = readonly
        self.settings: Settings = settings.read(workspace_paths.config_dir / "config.toml")
        self.providers = loader.provider_registry(workspace_paths.config_dir / "providers")
        self.watchlist = WatchlistFile(workspace_paths.watchlist_file)
        self._environ = environ
        self._keys: dict[str, Secret | SecretError] = {}
        self._key_stamps: dict[str, secrets.KeyFileStamp | None] = {}
        self.warnings: list[str] = []
        self.restored_board: RestoredBoard | None = None
        """What was read of the open journal for a first frame; an engine begins with it."""

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """The accounts there are, by name. Raises SettingsError and spec.ProviderError."""
        found = self._summaries
        successors = {each.successor for each in found}
        keys = {each.name: each.env for each in found if each.env and each.name not in successors}
        named = settings.resolve_accounts(self.settings, keys, self._environ)
        moves = self._moved_accounts() if named else {}
        return {table.name: self._apply_move(self._configured_account(table), moves.get(table.name)) for table in named}

    def _moved_accounts(self) -> dict[str, str]:
        """The accounts that have moved to a successor of their provider, as far as the journal can be read."""
        if not self._journal_file.exists():
            return {}
        try:
            return self.journal.successors.moves()
        except (JournalError, OSError):
            return {}  # who needs the journal says what is wrong with it

    def _apply_move(self, account: Account, provider: str | None) -> Account:
        """The account where it has moved to, if that still lies on its provider's line of successors."""
        line, heir = {account.provider.name}, self.successor_of(account) if provider is not None else None
        while heir is not None and heir.provider.name not in line:
            if heir.provider.name == provider:
                return heir
            line.add(heir.provider.name)
            heir = self.successor_of(heir)
        return account

    def successor_of(self, account: Account) -> Account | None:
        """The account as its provider's successor has it: its own base URL stays, where the operator gave it one.

        None: nobody takes over, or nobody who can be asked.
        """
        successor = account.provider.successor
        if successor is None or successor not in self.providers:
            return None
        try:
            provider = self.providers[successor]
        except loader.ProviderError as error:
            self.warnings.append(str(error))
            return None
        table = self.settings.accounts.get(account.name) or AccountTable()
        base_url = table.base_url or provider.base_url
        if is_plaintext_remote(base_url) and not table.insecure_http:
            return None
        return replace(account, provider=provider, base_url=base_url)

    @cached_property
    def _summaries(self) -> list[loader.ProviderSummary]:
        """Of the providers whose files are right; a wrong one stands in nobody's way but its own accounts'."""
        found: list[loader.ProviderSummary] = []
        for name in self.providers:
            try:
                found.append(self.providers.summary(name))
            except loader.ProviderError as error:
                self.warnings.append(str(error))
        return found

    def _configured_account(self, table: AccountSettings) -> Account:
        if table.provider not in self.providers:
            near = suggest(table.provider, self.providers)
            self._raise_settings_error(table.name, "provider", f"there is no provider {table.provider!r}{near}")
        provider = self.providers[table.provider]
        plan = table.plan or provider.limits.default
        if plan not in provider.limits.plans:
            near = suggest(plan, provider.limits.plans)
            self._raise_settings_error(table.name, "plan", f"{provider.name} has no plan {plan!r}{near}")
        base_url = table.base_url or provider.base_url
        if is_plaintext_remote(base_url) and not table.insecure_http:
            way_out = "use https, or set insecure_http = true for this account"
            self._raise_settings_error(
                table.name, "base_url", f"plain http would show the key to the network: {way_out}"
            )
        limits: Plan = provider.limits.plans[plan]
        source = table.api_key or (
            SecretSource(env=secrets.EnvironmentVariable(provider.key.env)) if provider.key.env else None
        )
        return Account(
            name=table.name,
            provider=provider,
            base_url=base_url,
            key_source=source,
            per_minute=float(table.rate_per_minute or rate_limit.STEADY_SHARE * (limits.per_minute or 60.0)),
            per_day=limits.per_day if table.rate_per_minute is None else None,
            concurrency=table.concurrency,
        )

    def _raise_settings_error(self, account: str, key: str, reason: str) -> NoReturn:
        raise SettingsError(self.paths.config_dir / "config.toml", (f"accounts.{account}.{key}: {reason}",))

    def provider_of(self, account: str) -> str | None:
        """The name of an account's provider, without reading any provider file; None: the account is not known."""
        table = self.settings.accounts.get(account)
        if table is not None and table.provider:
            return str(table.provider)
        return account if account in self.providers else None

    def why_unconfigured(self, account: str) -> str:
        """Why a job of this account cannot be asked, and the way out."""
        file = self.paths.config_dir / "config.toml"
        envs = {each.name: each.env for each in self._summaries}
        if (env := envs.get(account)) and not self.settings.accounts:  # variables count only without accounts
            return f"no key for {account}: set {env} and restart, or write [accounts.{account}] in {file}"
        near = operator_input.nearest(account, self.accounts)
        hint = f"did you mean {near!r}? Else write" if near else "write"
        return f"there is no account {account!r}: {hint} [accounts.{account}] in {file}"

    # Keys.

    def key_variables(self) -> list[tuple[str, str, bool]]:
        """For a first run: each provider, the environment variable of its key, and whether there is a key."""
        found = self._summaries
        successors = {each.successor for each in found}
        keyed = [account for name, account in self.accounts.items() if isinstance(self.key(name), Secret)]
        used = {account.provider.name for account in keyed}
        return [(each.name, each.env, each.name in used) for each in found if each.name not in successors]

    def key(self, account: str) -> Secret | SecretError:
        """The account's key as it was fetched, or why there is none. A key command may take its ten seconds."""
        if account not in self._keys:
            self._fetch_key(account)
        return self._keys[account]

    def _fetch_key(self, account: str) -> None:
        source = self.accounts[account].key_source
        if source is None:
            self._keys[account] = SecretError(f"no key: set api_key in [accounts.{account}]")
            return
        self._key_stamps[account] = secrets.key_file_stamp(source)
        try:
            fetched = secrets.fetch(source, self._environ)
        except SecretError as error:
            self._keys[account] = error
            return
        self._keys[account] = fetched.secret
        if fetched.warning:
            self.warnings.append(fetched.warning)

    def fetch_keys(self) -> None:
        """Fetches every account's key now: commands run before the screen starts."""
        for account in self.accounts:
            self.key(account)

    def forget_key(self, account: str) -> None:
        """Has the account's key fetched anew when it is needed next."""
        self._keys.pop(account, None)

    def changed_keys(self) -> list[str]:
        """The accounts whose key file is another since it was read; their keys are fetched anew when needed next."""
        changed: list[str] = []
        for account, stamp in self._key_stamps.items():
            source = self.accounts[account].key_source
            if source is not None and source.file is not None and secrets.key_file_stamp(source) != stamp:
                self.forget_key(account)
                changed.append(account)
        return changed

    def fetch_secret(self, source: SecretSource) -> Secret:
        """What signs for a hook, fetched now: a command may take its ten seconds. Raises SecretError."""
        return secrets.fetch(source, self._environ).secret

    def evaluation_context(self, now: float) -> EvaluationContext:
        """What jobs are judged by at an instant."""
        told = self.settings
        return EvaluationContext(
            now=now,
            stall_after=told.polling.stall_after,
            warn_before=told.links.warn_before,
            archive_after=told.board.archive_after,
        )

    # Watchlist and journal.

    @cached_property
    def journal(self) -> Journal:
        """The journal, opened for the thread that first asks for it. Raises JournalError and OSError."""
        paths.make_private(self.paths.state_dir)
        journal = Journal(self._journal_file)
        self.warnings += journal.notices
        return journal

    @property
    def _journal_file(self) -> Path:
        return self.paths.state_dir / "journal.db"

    def ensure_journal(self) -> str:
        """Opens the journal, or, where there can be none, one that is kept in memory, and says why.

        Raises JournalError where a person must act first, or where waiting helps.
        """
        try:
            _ = self.journal
        except (UnwritableJournalError, OSError) as error:
            self.__dict__["journal"] = Journal(None)
            return f"{error}. Polling goes on, and what it finds is lost at the end"
        return ""

    def retry_journal_file(self) -> None:
        """Goes over from a journal in memory to the file. Raises JournalError and OSError while that cannot be had."""
        kept = self.__dict__.pop("journal")
        try:
            _ = self.journal
        except (JournalError, OSError):
            self.__dict__["journal"] = kept
            raise
        kept.close()

    def edit_watchlist(self, operation: Operation) -> tuple[WatchlistContent, EditResult]:
        """Does an operation to the watchlist. Raises WatchlistError."""
        if self.readonly:
            raise WatchlistError("--readonly forbids writing the watchlist", path=self.paths.watchlist_file)
        return self.watchlist.edit(operation)

    def job_states(self) -> dict[Ref, JobState]:
        """The last known state of every job on the watchlist, in its order. Raises WatchlistError, JournalError."""
        reading = self.watchlist.read()
        self.warnings += [f"{self.paths.watchlist_file}: {problem}" for problem in reading.problems]
        known = self.journal.states() if reading.jobs else {}
        return {job.ref: _with_job(job, known.get(job.ref)) for job in reading.jobs}

    def handover(self) -> "Workspace":
        """The same library for an engine's thread: it shares what was read and fetched.

        The open journal goes over to it, with what was recalled of it: nothing that is written there in between is
        missed. Else it opens its own.
        """
        other = Workspace.__new__(Workspace)
        other.__dict__.update(self.__dict__)
        self.__dict__.pop("journal", None)
        self.restored_board = None
        other.watchlist = WatchlistFile(self.paths.watchlist_file, ENGINE_LOCK_TIMEOUT)
        return other

    def close(self) -> None:
        """Closes the journal, if this library opened it."""
        if "journal" in self.__dict__:
            self.journal.close()
            del self.__dict__["journal"]


def _with_job(job: Job, state: JobState | None) -> JobState:
    return JobState(job=job) if state is None else replace(state, job=job)
