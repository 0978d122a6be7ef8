"""Workspace of one operator: configuration and key ring, with the watchlist and the journal of one thread.

All of it is synchronous, without network: `list`, `add` and `remove` need nothing else. Polling is left to the engine.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Job, Ref
from tui.errors import ConfigurationError
from tui.storage import ownership, paths
from tui.storage.config.configuration import Account, Configuration, WorkspacePaths
from tui.storage.config.job_secrets import JobSecrets
from tui.storage.config.key_ring import KeyRing
from tui.storage.config.secrets import Secret
from tui.storage.journal.database import JournalError, UnwritableJournalError
from tui.storage.journal.journal import Journal, JournalEntry
from tui.storage.watchlist.cache import CACHE_NAME, HEAD_NAME, CachedHead, RestoredBoard, WatchlistCache
from tui.storage.watchlist.content import WatchlistContent, WatchlistError
from tui.storage.watchlist.file import WatchlistFile
from tui.storage.watchlist.operations import EditResult, Operation

if TYPE_CHECKING:
    from tui.storage.protocols import SharedStorage
    from tui.storage.team.connection import DatabaseClock
    from tui.storage.team.storage import TeamStorage

T = TypeVar("T")

NO_TEAM = (
    "no team: set [team] database in config.toml, or BABELTOP_TEAM_DATABASE, to a PostgreSQL connection string "
    "such as 'service=babeltop'"
)
"""Why a subcommand of a team does nothing."""

ENGINE_LOCK_TIMEOUT = 2.0
"""Seconds that the engine waits for another writer of the watchlist."""
MAX_HINTS = 4
"""Environment variables that a message names."""


class Workspace:
    """Configuration and key ring, shared by all threads, with the watchlist and the journal of one thread."""

    def __init__(
        self, config: Configuration, keys: KeyRing, watchlist: WatchlistFile, warnings: list[str], *, readonly: bool
    ) -> None:
        """`warnings`: the list that configuration and key ring add to."""
        self.config = config
        self.keys = keys
        self.watchlist = watchlist
        self.readonly = readonly
        self.warnings = warnings
        """Problems that stop nothing, for the operator."""
        self.paths = config.paths
        self.settings = config.settings
        self.providers = config.providers
        self.restored_board: RestoredBoard | None = None
        """Board that was read from the open journal for a first frame; an engine begins with it."""
        self.job_secrets = JobSecrets(watchlist, keys.environ, is_team=self.is_team)
        """Secrets of single jobs."""
        self._journal: Journal | None = None

    @classmethod
    def open(
        cls, workspace_paths: WorkspacePaths, environ: Mapping[str, str], *, readonly: bool = False
    ) -> "Workspace":
        """Read the configuration. Raises SettingsError, ProviderError and UntrustedFileError.

        The journal is opened and keys are fetched when they are first needed.
        """
        ownership.check_trusted(
            (
                *ownership.files_below(workspace_paths.config_dir, ".toml"),
                *ownership.files_below(paths.providers_dir(workspace_paths.config_dir), ".toml"),
                workspace_paths.watchlist_file,
                workspace_paths.state_dir,
                paths.journal_file(workspace_paths.state_dir),
            ),
            environ,
        )
        warnings: list[str] = []
        config = Configuration(workspace_paths, environ, warnings)
        keys = KeyRing(config, environ, warnings)
        return cls(config, keys, WatchlistFile(workspace_paths.watchlist_file), warnings, readonly=readonly)

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """Accounts by name, at the successor that each has moved to. Raises SettingsError and ProviderError."""
        configured = self.config.accounts
        moves = self._moves() if configured else {}
        return {
            name: self.config.moved(account, moves[name]) if name in moves else account
            for name, account in configured.items()
        }

    def _moves(self) -> dict[str, str]:
        """Return the provider that each moved account has moved to, as far as the journal can be read."""
        try:
            if not paths.journal_file(self.paths.state_dir).exists():
                return {}
            return self.journal.successors.moves()
        except (JournalError, OSError):
            return {}  # reported by the next use of the journal

    def key_variables(self) -> list[tuple[str, str, bool]]:
        """Return each provider, its key's environment variable, and whether an account of it has a key."""
        summaries = self.config.summaries
        successors = {each.successor for each in summaries}
        used = {
            account.provider.name for name, account in self.accounts.items() if isinstance(self.keys.get(name), Secret)
        }
        return [
            (each.name, each.env, each.name in used)
            for each in summaries
            if each.name in used or (each.name not in successors and not each.needs_base_url)
        ]

    def account_hint(self) -> str:
        """Return how to configure an account, with the first variables that define one, for an operator without one."""
        names = list(dict.fromkeys(variable for _, variable, _ in self.key_variables()))
        more = f" or {len(names) - MAX_HINTS} others (`babeltop providers` lists them)"
        variables = ", ".join(names[:MAX_HINTS]) + (more if len(names) > MAX_HINTS else "")
        return f"set an API key in {variables}, or add [accounts.NAME] to {paths.config_file(self.paths.config_dir)}"

    @property
    def journal(self) -> Journal:
        """Journal, opened by its first use, for one thread at a time. Raises JournalError and OSError."""
        if self._journal is None:
            self._journal = self._open_journal()
        return self._journal

    def _open_journal(self) -> Journal:
        paths.make_private(self.paths.state_dir)
        journal = Journal(paths.journal_file(self.paths.state_dir))
        self.warnings += journal.notices
        return journal

    @property
    def wall(self) -> "Callable[[], float]":
        """Clock for an engine: this computer's, or in a team the database's, once it is known."""
        return self._database_clock.now if self.is_team else time.time

    @cached_property
    def _database_clock(self) -> "DatabaseClock":
        self.config.check_team()
        from tui.storage.team.connection import DatabaseClock

        return DatabaseClock()

    @property
    def is_team(self) -> bool:
        """Whether a database is shared with other computers."""
        return bool(self.config.team_database)

    def shared_storage(self, *, polls: bool = False) -> "SharedStorage":
        """Return what processes share: in a team its database, else the state folder's journal and lock.

        Nothing is opened yet. `polls`: in a team, the process is a worker. Raises SettingsError.
        """
        if self.is_team:
            return self._team_storage(polls=polls)
        from tui.storage.journal.shared import LocalStorage  # only engines need it

        return LocalStorage(lambda: self.journal, self.paths.state_dir, self.paths.watchlist_file)

    def _team_storage(self, *, polls: bool) -> "TeamStorage":
        self.config.check_team()
        import socket

        from tui.storage.team.storage import TeamStorage

        def key_of(account: str) -> str | None:
            key = self.keys.get(account)
            return key.reveal() if isinstance(key, Secret) else None

        return TeamStorage(
            self.config.team_database,
            lambda: self.journal,
            key_of,
            {name: account.per_minute for name, account in self.accounts.items()},
            polls=polls,
            clock=self._database_clock,
            watchlist=self._watchlist_name(),
            worker=f"{socket.gethostname()}:{self.paths.state_dir}",
            weight=self.settings.team.weight,
            addresses={name: account.base_url for name, account in self.config.accounts.items()},
        )

    def _watchlist_name(self) -> str:
        """Return the name under which the watchlist is published; each file has one of its own."""
        import getpass
        import socket

        file, named = self.paths.watchlist_file, self.settings.team.watchlist
        if named and file == paths.watchlist_file(self.paths.config_dir):
            return named
        path, home = file.resolve(), Path.home()
        shown = f"~/{path.relative_to(home)}" if path.is_relative_to(home) else str(path)
        return f"{named or f'{getpass.getuser()}@{socket.gethostname()}'}:{shown}"

    def ensure_journal(self) -> str:
        """Open the journal, or one in memory if the file is unusable; return why, or an empty text.

        Raises JournalError if the operator must act first, or if waiting helps.
        """
        try:
            _ = self.journal
        except (UnwritableJournalError, OSError) as error:
            self._journal = Journal(None)
            return f"{error}. Polling continues; results are kept in memory only and are lost at exit"
        return ""

    def retry_journal_file(self) -> None:
        """Replace a journal in memory by the file. Raises JournalError and OSError if that is still unusable."""
        in_memory, self._journal = self.journal, self._open_journal()
        in_memory.close()

    def edit_watchlist(self, operation: Operation) -> tuple[WatchlistContent, EditResult]:
        """Apply an operation to the watchlist. Raises WatchlistError.

        Blocks while another writer holds the lock, and for up to 1.6 s with 10,000 jobs. It uses neither the journal
        nor any state of this object, so it may run in a worker thread.
        """
        if self.readonly:
            raise WatchlistError("--readonly forbids writing the watchlist", path=self.paths.watchlist_file)
        return self.watchlist.edit(operation)

    def restore_board(self, *, share_values: bool = False) -> RestoredBoard | None:
        """Return the board that a console left in the journal for this watchlist, if there is one.

        `share_values`: it is kept for long, so that less memory is worth a few microseconds for each job.
        """
        cache = WatchlistCache.load(self.journal.load_ui_state(CACHE_NAME), self.paths.watchlist_file)
        if cache is None:
            return None
        return RestoredBoard(cache, cache.states_in_order(self.journal.states(share_values=share_values)))

    def _unchanged_board(self) -> RestoredBoard | None:
        """Return that board if the file is the one that the console has read: to parse 10,000 jobs takes half a second.

        Raises WatchlistError and JournalError.
        """
        stamp = self.watchlist.stamp()
        if stamp is None or not paths.journal_file(self.paths.state_dir).exists():
            return None
        head = CachedHead.load(self.journal.load_ui_state(HEAD_NAME))
        if head is None or (head.path, head.stamp) != (str(self.paths.watchlist_file), stamp):
            return None
        board = self.restore_board()
        return board if board is not None and board.content(stamp) is not None else None

    def job_states(self, *, whole_team: bool = False) -> dict[Ref, JobState]:
        """Return the last known state of every job, in the watchlist's order. Raises WatchlistError, JournalError.

        `whole_team`: of the jobs of all watchlists, the own ones first. Raises ConfigurationError without a team.
        """
        board = None if self.is_team else self._unchanged_board()
        if board is not None:
            self._warn_of(board.cache.problems)
            return board.states
        content = self.watchlist.read()
        self._warn_of(content.problems)
        jobs = self._team_jobs(content.jobs) if whole_team else content.jobs
        known = self._known_states([job.ref for job in jobs]) if jobs or self.is_team else {}
        return {job.ref: replace(known[job.ref], job=job) if job.ref in known else JobState(job=job) for job in jobs}

    def team_lists(self) -> Mapping[str, Sequence[Job]]:
        """Return the published watchlists by name. Raises JournalError, and ConfigurationError without a team."""
        return self._read_team(lambda storage: storage.team.lists()) or {}

    def keep_states(self, refs: Sequence[Ref]) -> None:
        """Write the team's last states of these jobs to the local journal. Raises JournalError."""
        self.journal.record([JournalEntry(state) for state in self._known_states(refs).values()])

    def _team_jobs(self, own: Sequence[Job]) -> Sequence[Job]:
        from tui.domain.team import team_board

        if not self.is_team:
            raise ConfigurationError(NO_TEAM)

        async def read(storage: "TeamStorage") -> Mapping[str, Sequence[Job]]:
            await storage.journal.external_changes()  # which reads the role
            lists = await storage.team.lists() or {}
            return lists if storage.team.is_viewer or self.readonly else {**lists, storage.team.watchlist: own}

        return team_board(self._read_team(read), self._watchlist_name())

    def _warn_of(self, problems: Iterable[str]) -> None:
        self.warnings += [f"{self.paths.watchlist_file}: {problem}" for problem in problems]

    def _known_states(self, refs: Sequence[Ref]) -> dict[Ref, JobState]:
        if not self.is_team:
            return self.journal.states()
        states, problem = self._read_team(lambda storage: storage.journal.last_states(refs))
        self.warnings += [f"{problem}. Shown as last read"] if problem else []
        return states

    def is_viewer(self) -> bool:
        """Return whether the role in the team only reads, as far as the database is reached. Raises SettingsError."""
        if not self.is_team:
            return False

        async def read(storage: "TeamStorage") -> bool:
            await storage.journal.external_changes()
            return storage.team.is_viewer

        try:
            return self._read_team(read)
        except JournalError:
            return False  # reported where the database is needed

    def polling_refusal(self) -> str:
        """Return why the login may not poll for the team, as far as the database is reached; "" if it may."""
        if not self.is_team:
            return ""
        try:
            return self._read_team(lambda storage: storage.rate_limits.missing_role())
        except JournalError:
            return ""  # the engine tries again, and shows why

    def publish_watchlist(self) -> None:
        """Publish the watchlist to the team, if there is one. Raises WatchlistError and JournalError."""
        if self.is_team and not self.readonly:
            jobs = self.watchlist.read().jobs
            self._read_team(lambda storage: storage.team.publish(jobs))

    def phase_changes(self, refs: Collection[Ref]) -> Mapping[Ref, tuple[PhaseChange, ...]]:
        """Return the phase changes of the jobs, oldest first. Raises JournalError."""
        if not self.is_team:
            return self.journal.phase_changes(refs)
        return self._read_team(lambda storage: storage.journal.phase_changes(refs))

    def _read_team(self, read: "Callable[[TeamStorage], Awaitable[T]]") -> T:
        """Return what is read from the team's database, on a loop of its own.

        Raises JournalError, and ConfigurationError without a team.
        """
        if not self.is_team:
            raise ConfigurationError(NO_TEAM)
        import asyncio

        async def run() -> T:
            storage = self._team_storage(polls=False)
            try:
                return await read(storage)
            finally:
                await storage.close()

        return asyncio.run(run())

    def handover(self) -> "Workspace":
        """Return a workspace for the engine's thread, with the same configuration and keys.

        It takes over the open journal, so that nothing written to it in between is missed, and the restored board;
        this workspace opens a journal of its own when it next needs one.
        """
        watchlist = WatchlistFile(self.paths.watchlist_file, ENGINE_LOCK_TIMEOUT)
        other = Workspace(self.config, self.keys, watchlist, self.warnings, readonly=self.readonly)
        other._journal, self._journal = self._journal, None
        other.restored_board, self.restored_board = self.restored_board, None
        if self.is_team:
            other._database_clock = self._database_clock  # one clock, for front end and engine
        return other

    def close(self) -> None:
        """Close the journal if it is open."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
