"""Engine: composition root of the poller, and its tick loop. Coroutines on one loop, without threads or screens."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import tzinfo
from functools import partial
from typing import Any

from msgspec.structs import replace

from tui.domain.fleet import FleetReport
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import ENDED, Ref
from tui.domain.team import EVERY_ACCOUNT, NO_ACCOUNT, AccountSet
from tui.engine.accounts.account import AccountRuntime, PollResponse
from tui.engine.accounts.api_migration import MigrationStep
from tui.engine.accounts.auto_discovery import AutoDiscovery
from tui.engine.api import (
    AccountState,
    Command,
    CommandResult,
    Discover,
    Health,
    JobHistory,
    Notice,
    NoticeKind,
    Pause,
    Publish,
    Refresh,
    RequestFinished,
    Resume,
    RoleChanged,
    SaveUiState,
    ShowTeam,
)
from tui.engine.clock import SUSPEND_GAP
from tui.engine.command_handler import CommandHandler
from tui.engine.consoles.leader_election import ConsoleRole, LeaderElection
from tui.engine.consoles.team import NO_KEY, VIEWER_REFUSAL, TeamMember
from tui.engine.consoles.watchlist_watcher import WatchlistWatcher
from tui.engine.context import EngineContext
from tui.engine.downloads.job import JobDownloader
from tui.engine.downloads.queue import DownloadQueue
from tui.engine.journal.fallback import JournalFallback
from tui.engine.journal.pruner import JournalPruner
from tui.engine.notifications.alert_monitor import AlertMonitor
from tui.engine.notifications.events import AlertEvent
from tui.engine.notifications.hooks import HookDispatcher
from tui.engine.notifications.team_hooks import TeamHooks
from tui.engine.polling.job_store import POLL_IMMEDIATELY, JobStore
from tui.engine.polling.link_renewer import LinkRenewer, RenewalResult
from tui.engine.polling.poll_executor import PollExecutor
from tui.engine.polling.poller import Poller
from tui.engine.polling.user_poll import UserPoll
from tui.storage.config.secrets import Secret, SecretError
from tui.storage.journal.database import JournalError
from tui.storage.locks.poller_lease import Lease
from tui.storage.protocols import Candidacy
from tui.storage.watchlist.operations import Operation
from tui.storage.workspace import Workspace

TICK_INTERVAL = 1.0
"""Seconds between two checks of watchlist, journal and clock: edits of other programs show within two seconds."""
SUSPEND_SPREAD = 30.0
"""Seconds over which the overdue polls are spread after a suspend."""

log = logging.getLogger(__name__)


class Engine:
    """Engine over one workspace. Created on the loop that runs it."""

    def __init__(
        self,
        workspace: Workspace,
        publish: Publish,
        context: EngineContext | None = None,
        *,
        subset: Collection[Ref] | None = None,
        tick_interval: float = TICK_INTERVAL,
        hooks: Callable[[AlertEvent], None] | None = None,
        team_hooks: HookDispatcher | None = None,
        is_worker: bool = False,
        shows_team: bool = False,
    ) -> None:
        """`publish` receives every event. `context` is by default one of the real clock and network.

        `subset`: the jobs that the engine handles; None for the whole watchlist. `hooks` receives the alerts for the
        operator's hooks; None without hooks. `is_worker`: in a team, this process may poll; no other does.
        `team_hooks` then sends the team's deliveries, in place of `hooks`. `shows_team`: in a team, begin with the jobs
        of all watchlists.
        """
        self._context = context = context or EngineContext.create(wall=workspace.wall)
        self._workspace = workspace
        self._storage = storage = workspace.shared_storage(polls=is_worker)
        self._follows_always = storage.team is not None and not is_worker
        self._is_partial = subset is not None
        self._tick_interval = tick_interval
        self._team_hooks: TeamHooks | None = None
        if storage.outbox is not None and team_hooks is not None:
            self._team_hooks = TeamHooks(storage.outbox, team_hooks)
        self._alert_monitor = AlertMonitor(
            context,
            workspace,
            storage.notifications,
            publish,
            hooks and (lambda event: None if self._is_viewer else hooks(event)),
            recent_changes=None if self._follows_always or self._is_partial else storage.journal.recent_phase_changes,
            team_hooks=self._team_hooks,
            is_watched=not self._is_partial,
        )
        self._publish = self._alert_monitor.publish
        self._accounts = {
            name: AccountRuntime(
                account,
                context.now,
                context.random,
                workspace.config.successor_of,
                storage.rate_limits,
                self._now_synced,
                partial(self._fetch_key, name),
                self._fetch_secrets,
            )
            for name, account in workspace.accounts.items()
        }
        self._job_store = JobStore(
            context,
            workspace,
            storage.journal,
            self._accounts,
            self._publish,
            self._alert_monitor.on_phase_change,
            self._alert_monitor.deliveries,
            follows_always=self._follows_always,
        )
        self._team: TeamMember | None = None
        if storage.team is not None:
            self._team = TeamMember(
                storage.team,
                self._job_store,
                self.perform,
                self._merge_journal_changes,
                subset=subset,
                publishes=not workspace.readonly,
                shows_team=shows_team,
            )
        executor = PollExecutor(context, self._job_store, self._on_response)
        self._poll_job = executor.poll
        self._pollers = {
            name: Poller(runtime, executor.run_batch, executor.can_batch, context.http)
            for name, runtime in self._accounts.items()
        }
        self.link_renewer = LinkRenewer(
            context,
            self._accounts,
            self._job_store,
            executor.renew,
            self._team.renew if self._team is not None and self._follows_always else None,
        )
        """Renewer of links on demand."""
        downloader = JobDownloader(
            context, workspace, self._job_store, self._accounts, self._publish, self.link_renewer.get_live
        )
        self.downloads = DownloadQueue(
            context, workspace, self._job_store, self._publish, downloader, self._is_downloader
        )
        """Queue of downloads."""
        self._download_lease = Lease(workspace.paths.state_dir, workspace.paths.watchlist_file)
        """In a team, its holder is the one process of this watchlist here that downloads by itself."""
        self._job_store.on_scheduled = self._update_queues  # the back edges: a schedule or a state changes the queues
        self._job_store.on_updated = self.downloads.enqueue_automatic
        if self._team is not None:
            for runtime in self._accounts.values():
                runtime.limits.has_backlog = lambda: self._job_store.journal_writer.has_backlog

        self._watchlist_watcher = WatchlistWatcher(
            context,
            workspace,
            self._job_store,
            subset,
            self._team.jobs if self._team else None,
        )
        self._journal_fallback = JournalFallback(context, workspace, storage.journal, self._job_store)
        self._journal_pruner = JournalPruner(context, storage.journal)
        self._leader_election = LeaderElection(
            context, storage.lease, subset_only=self._is_partial, in_team=self._team is not None
        )
        self._command_handler = CommandHandler(
            context,
            workspace,
            storage.journal,
            self._job_store,
            self._accounts,
            self._watchlist_watcher,
            self.downloads,
            self.link_renewer,
            lambda: None if self._team is None or self._team.shows_team else self.states.keys(),
        )
        self._auto_discovery = AutoDiscovery(
            context,
            workspace,
            storage.journal,
            self._job_store,
            self._pollers,
            self._command_handler.perform,
            lambda account: self._is_polling(account) and not self._is_partial,
        )
        self.job_history: Callable[[Ref], Awaitable[JobHistory]] = self._command_handler.job_history
        """Returns the journal records of one job; empty if the journal can't be read."""
        self.recent_changes: Callable[[int], Awaitable[tuple[PhaseChange, ...]]] = self._command_handler.recent_changes
        """Returns the last phase changes of all jobs, at most so many, newest first."""
        self.fleet: Callable[[tzinfo], Awaitable[FleetReport]] = self._command_handler.fleet
        """Returns the summary of all accounts, with the days of a time zone; empty if the journal can't be read."""
        self._role = ConsoleRole(NO_ACCOUNT if self._follows_always else EVERY_ACCOUNT)
        self._paused: AccountSet = NO_ACCOUNT
        self._merging = asyncio.Lock()
        self._unmerged: dict[Ref, JobState] = {}
        """States of other processes that are read, while their phase changes are not: the journal gives each once."""
        self._shown_notice_count = 0
        self.tick_count = 0
        """Ticks so far: a watchdog sees that the engine goes on."""
        self._published_accounts: dict[str, AccountState] = {}
        self._published_role: RoleChanged | None = None
        for name, runtime in self._accounts.items():
            runtime.set_key(workspace.keys.get(name))

    @property
    def states(self) -> dict[Ref, JobState]:
        """Job states in the order of the watchlist."""
        return self._job_store.states

    async def open(self, *, tolerate_errors: bool = False) -> None:
        """Load the watchlist and the journalled states. Raises WatchlistError, JournalError and OutdatedProgramError.

        `tolerate_errors`: a watchlist that can't be read is shown as a problem and retried, and a journal without a
        writable file is kept in memory.
        """
        try:
            await self._load(tolerate_errors=tolerate_errors)
        except BaseException:
            await self._storage.close()
            raise

    async def _load(self, *, tolerate_errors: bool) -> None:
        if tolerate_errors:
            self._journal_fallback.open()
        is_reached = self._team is None or await self._begin_in_team(tolerate_errors=tolerate_errors)
        await self._load_refused_successors()
        await self._watchlist_watcher.open(tolerate_errors=tolerate_errors)
        if not is_reached:
            self._job_store.mark_stale(EVERY_ACCOUNT)  # rows of the local journal, however new
        if self._team is not None:
            await self._team.check(())
        self._publish_accounts()

    async def _begin_in_team(self, *, tolerate_errors: bool) -> bool:
        """Read the database's clock, which dates everything from here on, and the role; return whether it was reached.

        Raises JournalError.
        """
        is_reached = True
        try:
            await self._storage.journal.external_changes()
        except JournalError as error:
            if not tolerate_errors:
                raise
            self._job_store.set_problem("team", error)
            is_reached = False
        self._sync_clock()
        return is_reached

    async def _load_refused_successors(self) -> None:
        for name, runtime in self._accounts.items():
            successor = runtime.migration.successor
            if successor is not None and not self._follows_always:
                refusals = await self._storage.successors.refusals(name, successor.provider.name, self._context.now())
                runtime.migration.restore_refusals(refusals)

    def is_settled(self, ref: Ref) -> bool:
        """Return whether the job has ended and no result is expected."""
        state = self.states[ref]
        awaits_result = state.fault is None and not state.job.archived and self._job_store.scheduler.wants_result(state)
        return state.phase in ENDED and not awaits_result

    async def run(self) -> None:
        """Poll as leader, or follow the leader, until cancelled. The journal is complete afterwards."""
        try:
            await self._update_role()
            await self._update_download_lease()
            self._publish_role()
            self._publish_accounts()
            await self._write_heartbeats()
            async with asyncio.TaskGroup() as tasks:
                for poller in self._pollers.values():
                    tasks.create_task(poller.run())
                tasks.create_task(self.downloads.run())
                tasks.create_task(self._auto_discovery.run())
                if self._team_hooks is not None:
                    tasks.create_task(self._team_hooks.run())
                tasks.create_task(self._run_ticks())
        finally:
            try:
                await self._job_store.journal_writer.flush()
                await self._alert_monitor.flush()
                await self._leader_election.release()
            finally:
                self._download_lease.release()
                if self._team is not None:
                    await self._team.close()
                await self._storage.close()

    def _update_queues(self, ref: Ref, at: float | None) -> None:
        """Queue the next poll of a job. Followers and paused leaders queue immediate polls only."""
        poller = self._pollers.get(ref.account)
        if (
            poller is not None
            and at is not None
            and (self._is_polling(ref.account) or (at == POLL_IMMEDIATELY and self._may_poll(ref.account)))
        ):
            poller.add(ref, at)
        elif poller is not None:
            poller.remove(ref)

    @property
    def _is_viewer(self) -> bool:
        return self._team is not None and self._team.is_viewer

    def _is_polling(self, account: str) -> bool:
        """Return whether this engine sends the scheduled polls of an account."""
        return account in self._role.polled and account not in self._paused

    def _may_poll(self, account: str) -> bool:
        """Return whether this engine may send requests of an account at all: in a team, only its leader does."""
        return self._team is None or account in self._role.polled

    def _is_downloader(self, account: str) -> bool:
        """Return whether this engine downloads the files of an account's jobs that have the option.

        In a team no worker does it for others: each watchlist's files are downloaded where the watchlist is.
        """
        if self._team is not None:
            return self._download_lease.is_held
        return account in self._role.polled and not self._is_partial

    async def _update_download_lease(self) -> None:
        """Take over the automatic downloads of a team's watchlist if no other process here runs them."""
        if self._team is None or self._is_partial or self._workspace.readonly:
            return
        was_held, problem = self._download_lease.is_held, ""
        try:
            self._download_lease.acquire()
        except OSError as error:
            problem = f"{error.filename}: {error.strerror}: nothing is downloaded automatically"
        self._job_store.set_problem("download lease", problem)
        if self._download_lease.is_held and not was_held:
            await self._merge_journal_changes()  # the former holder may have downloaded since the last tick
            self._enqueue_downloads()

    def _enqueue_downloads(self) -> None:
        for ref in self.states:
            self.downloads.enqueue_automatic(ref)

    def _remove_polls(self, is_left: Callable[[str], bool]) -> None:
        """Remove the polls of the accounts that this engine does not poll any more."""
        for ref in self.states:
            if is_left(ref.account):
                self._update_queues(ref, None)

    # Ticks.

    async def _run_ticks(self) -> None:
        try:
            await self._tick_forever()
        finally:
            self._watchlist_watcher.close()

    async def _tick_forever(self) -> None:
        while True:
            await asyncio.sleep(self._tick_interval)
            self._sync_clock()
            await self._update_role()
            await self._update_download_lease()
            await self._watchlist_watcher.check()
            if self._team is not None:
                await self._team.check([name for name in self._accounts if name in self._role.polled])
                self._publish_role()
            for name in self._workspace.keys.forget_changed():
                self._reload_key(name)
            await self._merge_journal_changes()
            self._journal_fallback.check()
            for name, runtime in self._accounts.items():
                if self._may_poll(name):
                    await runtime.limits.refresh(self._context.now())
            self._publish_accounts()
            await self._write_heartbeats()
            await self._alert_monitor.tick()
            if self._role.is_leader:
                await self._journal_pruner.run_if_due(self.states)
            self.tick_count += 1

    async def _update_role(self) -> None:
        """Take over from or yield to other processes, and show the state of the accounts that they poll."""
        before, role = self._role, await self._leader_election.update(self._candidacy())
        self._sync_clock()  # the leases may have shown that the database's clock was set
        self._role = role = role._replace(is_viewer=self._is_viewer)
        self._job_store.set_problem("lease", role.problem or ("" if role.is_cut_off else self._describe_silence(role)))
        if role.polled != before.polled:
            await self._on_polled_changed(before.polled)
        self._publish_role()
        for account in role.taken_over:
            if account.name in self._accounts:
                self._accounts[account.name].health.take_over(account)
        self._job_store.mark_stale(role.silent)
        self._publish_unknown_accounts(role.silent)
        for account in role.accounts:
            self._publish_account_state(account)

    async def _on_polled_changed(self, before: AccountSet) -> None:
        """Take over the accounts that this engine polls from now on, and leave the others to their leaders."""
        polled = self._role.polled
        if self._team is not None:  # another computer may have written since the last tick
            await self._merge_journal_changes()
            gained = frozenset(name for name in self._accounts if name in polled and name not in before)
            paused = frozenset(name for name in self._accounts if name in self._paused and name in polled)
            self._paused = paused | frozenset(name for name in gained if name in self._role.paused)
        self._job_store.take_over(lambda account: account in polled and account not in before)
        self._enqueue_downloads()
        self._remove_polls(lambda account: account in before and account not in polled)

    def _candidacy(self) -> Candidacy:
        """Return what this engine can poll."""
        with_key = {name: runtime for name, runtime in self._accounts.items() if runtime.key_fault is None}
        refused = frozenset(name for name, runtime in with_key.items() if runtime.limits.is_stopped)
        return Candidacy(frozenset(with_key) - refused, refused, self._team_hooks.digests if self._team_hooks else ())

    def _describe_silence(self, role: ConsoleRole) -> str:
        """Return which accounts with active jobs no process polls, and which this one may not; "" without any."""
        unpolled = sorted(self._job_store.active_accounts(role.silent))
        return ". ".join([*self._storage.lease.problems, *map(NO_KEY.format, unpolled)])

    async def _write_heartbeats(self) -> None:
        """Show the other consoles what this one publishes of the accounts that it polls."""
        if self._role.is_leader:
            await self._leader_election.write_heartbeats(self._published_accounts.values(), self._paused)

    def _publish_role(self) -> None:
        text = "paused" if self._paused and self._role.is_leader else self._role.text
        event = RoleChanged(text, self._team is not None and self._team.shows_team)
        if event != self._published_role:
            self._published_role = event
            self._publish(event)

    def _sync_clock(self) -> None:
        """Spread overdue polls after a suspend; move the schedule along if the clock was set."""
        gap, step = self._context.clock.correct(), self._storage.take_clock_step()
        if gap:
            for runtime in self._accounts.values():
                runtime.on_clock_jump()
        is_suspend = gap - step >= SUSPEND_GAP
        if shift := step if is_suspend else gap:
            for name, poller in self._pollers.items():
                self._accounts[name].shift(shift)
                poller.shift(shift)
            self._job_store.shift_schedule(shift)
        if is_suspend:
            for poller in self._pollers.values():
                poller.spread_overdue(lambda: self._context.random.uniform(0, SUSPEND_SPREAD))

    def _now_synced(self) -> float:
        """Return the current instant for a response: a second after a wake-up the next tick is still to come."""
        self._sync_clock()
        return self._context.now()

    async def _merge_journal_changes(self) -> None:
        """Merge the states that other processes journalled, and show new notices of the journal."""
        async with self._merging:
            await self._merge_changes()

    async def _merge_changes(self) -> None:
        journal = self._storage.journal
        try:
            self._unmerged.update(await journal.external_changes(self.states.keys()))
            changed = [ref for ref, state in self._unmerged.items() if self._has_other_phase(ref, state)]
            recorded = await journal.phase_changes(changed) if changed else {}
            replaced_states = await journal.replaced_states()
        except JournalError as error:
            self._job_store.set_problem("news", error)
            return
        self._job_store.set_problem("news", "")
        for ref, state in self._unmerged.items():
            self._job_store.merge_external(
                state, recorded.get(ref, ()), is_follower=ref.account not in self._role.polled
            )
        self._unmerged.clear()
        for ref, stored in replaced_states.items():
            self._job_store.replace_state(ref, stored)
        notices = journal.notices
        for text in notices[self._shown_notice_count :]:
            self._publish(Notice(NoticeKind.JOURNAL, text, None, self._context.now()))
        self._shown_notice_count = len(notices)

    def _has_other_phase(self, ref: Ref, state: JobState) -> bool:
        known = self.states.get(ref)
        return known is not None and known.phase is not state.phase

    # Accounts.

    async def _fetch_key(self, name: str) -> Secret | SecretError:
        return await self._context.run_blocking(lambda: self._workspace.keys.fetch_again(name))

    async def _fetch_secrets(self, ref: Ref, names: Sequence[str]) -> Mapping[str, Secret] | SecretError:
        return await self._context.run_blocking(lambda: self._workspace.job_secrets.get(ref, names))

    def _reload_key(self, name: str) -> None:
        runtime = self._accounts[name]
        runtime.set_key(self._workspace.keys.get(name))
        self._pollers[name].reconnect()
        self._job_store.on_key_changed(name)
        self._publish_account(runtime)

    async def _on_response(self, runtime: AccountRuntime, ref: Ref, response: PollResponse[Any]) -> None:
        """Record a migration, and wake the poller: the response may allow the polls of other jobs."""
        if response.request_record is not None:
            self._publish(RequestFinished(ref.account, response.request_record))
        if response.migration_step is not None:
            await self._record_migration(runtime, ref, response.migration_step)
        self._pollers[runtime.account.name].wake()
        self._publish_account(runtime)

    async def _record_migration(self, runtime: AccountRuntime, ref: Ref, step: MigrationStep) -> None:
        now, successors, successor = self._context.now(), self._storage.successors, runtime.migration.successor
        try:
            if step is MigrationStep.MOVED:
                provider = runtime.account.provider
                text = f"Account {ref.account} moved to {provider.title}: its previous API is retired"
                self._publish(Notice(NoticeKind.ACCOUNT, text, None, now))
                self._job_store.on_account_moved(ref.account)
                await successors.record_move(ref.account, provider.name, now)
            elif step is MigrationStep.REFUSED and successor is not None:
                await successors.record_refusal(ref.account, ref.id, successor.provider.name, now)
        except JournalError as error:
            log.warning("%s", error)

    def _publish_accounts(self) -> None:
        for runtime in self._accounts.values():
            self._publish_account(runtime)

    def _publish_account(self, runtime: AccountRuntime) -> None:
        """Publish the state of an account, if it changed. A follower shows the leader's states after the first."""
        name = runtime.account.name
        is_first = name not in self._published_accounts and not self._follows_always
        if name in self._role.polled or is_first:
            self._publish_account_state(runtime.health.snapshot())

    def _publish_unknown_accounts(self, silent: AccountSet) -> None:
        """Show that nothing is known of the accounts whose leader does not respond, or that have none."""
        for name, runtime in self._accounts.items():
            known = self._published_accounts.get(name, runtime.health.state)
            has_own_reason = not self._follows_always and known.health is Health.NO_KEY
            if name in silent and not has_own_reason:
                self._publish_account_state(
                    replace(known, health=Health.UNKNOWN, message="", waits_until=None, is_spaced=False)
                )

    def _publish_account_state(self, state: AccountState) -> None:
        before = self._published_accounts.get(state.name)
        if before == state:
            return
        self._published_accounts[state.name] = state
        self._publish(state)
        if state.health is Health.REFUSED and (before is None or before.health is not Health.REFUSED):
            text = f"Polling of account {state.name} stopped: {state.message}"
            self._publish(Notice(NoticeKind.ACCOUNT, text, None, self._context.now()))

    # Commands.

    async def perform(self, command: Command) -> CommandResult:
        """Perform a command. A failure is a result, not an exception."""
        if self._is_viewer and not isinstance(command, SaveUiState | ShowTeam):
            return CommandResult(ok=False, message=VIEWER_REFUSAL)
        refusal = self._team.refusal(command) if self._team is not None and isinstance(command, Operation) else ""
        if refusal:
            return CommandResult(ok=False, message=refusal)
        match command:
            case ShowTeam(whole_team):
                return await self._show_team(whole_team=whole_team)
            case Refresh() | Pause() | Resume() if self._team is not None and self._follows_always:
                return await self._team.send(command)
            case Pause():
                return self._set_paused(command)
            case Resume(account):
                return await self._resume(account)
            case Discover() if self._follows_always:
                return CommandResult(ok=False, message="In a team, only a worker lists jobs: `babeltop discover` there")
            case Discover():
                return await self._auto_discovery.find_new()
            case _:
                return await self._command_handler.perform(command)

    async def _show_team(self, *, whole_team: bool) -> CommandResult:
        if self._team is None:
            return CommandResult(ok=False, message="No team: set [team] database in config.toml")
        result = await self._team.show(whole_team=whole_team)
        self._publish_role()
        return result

    def _set_paused(self, command: Pause) -> CommandResult:
        if not self._role.is_leader:
            return CommandResult(
                ok=False, message=f"This console is {self._role.text}: press Z in the leader's console"
            )
        paused, before = command.paused, self._paused
        if command.account:
            others = frozenset(name for name in self._accounts if name in before and name != command.account)
            self._paused = others | {command.account} if paused else others
        else:
            self._paused = EVERY_ACCOUNT if paused else NO_ACCOUNT
        if self._paused != before:
            self._publish_role()
            self._remove_polls(lambda account: not self._is_polling(account))
            self._job_store.take_over(lambda account: account in before and account not in self._paused)
        return CommandResult(message="Polling paused: Z resumes; r refreshes one job" if paused else "Polling resumed")

    async def _resume(self, account: str) -> CommandResult:
        """Resume an account with its key loaded again. A key command may take ten seconds."""
        if account not in self._accounts:
            return CommandResult(ok=False, message=self._workspace.config.why_unconfigured(account))
        self._workspace.keys.forget(account)
        await self._context.run_blocking(lambda: self._workspace.keys.get(account))
        self._reload_key(account)
        return CommandResult(message=f"Account {account} resumed")

    # One-shot runs of the command line.

    async def poll_once(self, refs: Iterable[Ref]) -> None:
        """Poll each job once, now, within the limits of its account, and fetch the result of each that is done."""
        try:
            if self._team is not None and self._follows_always:
                await self._team.poll(tuple(refs))
            else:
                await UserPoll(self._context, self._accounts, self._job_store, self._poll_job).run(refs)
        finally:
            await self._job_store.journal_writer.flush()
            await self._alert_monitor.flush()
            await self._storage.close()

    async def finish_downloads(self) -> None:
        """Download the jobs that are queued now, and journal what was learned of their links."""
        try:
            await self.downloads.finish()
        finally:
            await self._job_store.journal_writer.flush()
            await self._alert_monitor.flush()
            await self._storage.close()

    async def renew(self, refs: Iterable[Ref]) -> list[RenewalResult]:
        """Renew the links of each job once, now, within the limits of its account."""
        try:
            return await self.link_renewer.renew_all(refs)
        finally:
            await self._job_store.journal_writer.flush()
            await self._storage.close()
