"""A live session: library, accounts, ledger and pollers, as coroutines on one loop. It knows no thread, no screen."""

import asyncio
import functools
import logging
import time
from collections.abc import Callable, Collection, Iterable
from random import Random

import httpx

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import ENDED, Ref
from tui.engine.accounts.account import AccountRuntime
from tui.engine.accounts.api_migration import MigrationStep
from tui.engine.api import AccountState, Command, CommandResult, Health, JobHistory, Notice, NoticeKind
from tui.engine.blocking import RunBlocking, run_inline
from tui.engine.clock import SUSPEND_GAP, Clock
from tui.engine.command_handler import CommandHandler
from tui.engine.consoles.leader_election import ConsoleRole, LeaderElection
from tui.engine.consoles.watchlist_watcher import WatchlistWatcher
from tui.engine.downloads.job import JobDownloader
from tui.engine.downloads.queue import DownloadQueue
from tui.engine.http.client import Client, RequestLimits, TransportFactory
from tui.engine.journal.fallback import JournalFallback
from tui.engine.journal.pruner import JournalPruner
from tui.engine.notifications.alert_monitor import AlertEvent, AlertMonitor
from tui.engine.polling.job_store import POLL_IMMEDIATELY, EngineListener, JobStore
from tui.engine.polling.link_renewer import LinkRenewer, RenewalResult
from tui.engine.polling.poll_executor import PollExecutor
from tui.engine.polling.poller import Poller
from tui.engine.polling.user_poll import UserPoll
from tui.storage.journal.journal import JournalError
from tui.storage.journal.rate_limits import RateLimitTable
from tui.storage.workspace import Workspace

TICK_INTERVAL = 1.0
"""Seconds between looks at the watchlist, the journal and the clock: edits from outside show within two."""
SUSPEND_SPREAD = 30.0
"""Seconds over which what became due during a suspend is spread."""

log = logging.getLogger(__name__)


class Engine:
    """One engine over one library. Made on the loop that runs it."""

    def __init__(
        self,
        workspace: Workspace,
        listener: EngineListener,
        *,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
        transport: TransportFactory | None = None,
        subset: Collection[Ref] | None = None,
        limits: RequestLimits = RequestLimits(),  # noqa: B008  frozen
        tick_interval: float = TICK_INTERVAL,
        run_blocking: RunBlocking = run_inline,
        hooks: Callable[[AlertEvent], None] | None = None,
    ) -> None:
        """`wall` gives instants, the loop's own clock the time that passes. `transport` replaces the network.

        `only`: the jobs that it is about; None: all that the watchlist holds. `bounds` and `tick` (seconds between
        looks at files and clock) are for tests, which have no time. `aside` does what would block the loop. `hooks`
        tells the operator's hooks; None: they are told nothing.
        """
        random = random or Random()
        self._workspace = workspace
        self._random = random
        self._transport = transport
        self._subset = subset
        self._limits = limits
        self._tick_interval = tick_interval
        self._clock = Clock(wall, asyncio.get_running_loop().time)
        self._alert_monitor = AlertMonitor(listener, workspace, self._clock.now, hooks)
        self._listener: EngineListener = self._alert_monitor
        self._tls = functools.cache(httpx.create_ssl_context)
        self._accounts = {
            name: AccountRuntime(
                account, self._clock.now, random, workspace.successor_of, self._rate_limits, self._now_synced
            )
            for name, account in workspace.accounts.items()
        }
        self._job_store = JobStore(
            workspace,
            self._accounts,
            self._listener,
            now=self._clock.now,
            random=random,
            update_queue=self._update_queue,
            on_phase_change=self._alert_monitor.on_phase_change,
        )
        self._poll_executor = PollExecutor(
            self._job_store, on_response=self._on_response, on_migration=self._record_migration, now=self._clock.now
        )
        self._pollers = {
            name: Poller(
                live, self._poll_executor.run_batch, self._poll_executor.can_batch, self._tls, transport, limits
            )
            for name, live in self._accounts.items()
        }
        self._watchlist_watcher = WatchlistWatcher(workspace, self._job_store, subset, self._clock.now)
        self._journal_fallback = JournalFallback(workspace, self._job_store, asyncio.get_running_loop().time)
        self._leader_election = LeaderElection(
            workspace, asyncio.get_running_loop().time, subset_only=subset is not None
        )
        self.link_renewer = LinkRenewer(
            self._accounts, self._job_store, self._poll_executor.renew, self._open_client, self._clock.now
        )
        """Links that are good when somebody wants one."""
        self._role = ConsoleRole(is_leader=True)
        self._paused = False
        self._journal_pruner = JournalPruner(workspace, self._clock.now)
        self._shown_notice_count = 0
        files = JobDownloader(
            workspace,
            self._job_store,
            self._accounts,
            report_progress=self._listener.download,
            get_live_link=self.link_renewer.get_live,
            now=self._clock.now,
            run_blocking=run_blocking,
            tls=self._tls,
            transport=transport,
            random=random,
        )
        self.downloads = DownloadQueue(
            workspace, self._job_store, self._listener, files, is_leader=self._is_leader, now=self._clock.now
        )
        """What is fetched of the results."""
        self._command_handler = CommandHandler(
            workspace,
            self._job_store,
            self._accounts,
            sync_watchlist=self._watchlist_watcher.apply,
            reload_key=self._reload_key,
            set_paused=self._set_paused,
            downloads=self.downloads,
            run_blocking=run_blocking,
            link_renewer=self.link_renewer,
            now=self._clock.now,
        )
        self._published_accounts: dict[str, AccountState] = {}
        for name, live in self._accounts.items():
            live.set_key(workspace.key(name))

    def _is_leader(self) -> bool:
        """It does what the watchlist wants done of itself."""
        return self._role.is_leader and self._subset is None

    def _rate_limits(self) -> RateLimitTable:
        return self._workspace.journal.rate_limits

    @property
    def states(self) -> dict[Ref, JobState]:
        """The board, in the watchlist's order."""
        return self._job_store.states

    def open(self, *, tolerate_errors: bool = False) -> None:
        """Puts the watchlist on the board, with what the journal knows of it. Raises WatchlistError and JournalError.

        `patient`: a watchlist that cannot be read is a problem on the board, and waited for; without a journal that
        can be written, nothing is kept.
        """
        if tolerate_errors:
            self._journal_fallback.open()
        self._load_refused_successors()
        self._watchlist_watcher.open(tolerate_errors=tolerate_errors)
        self._publish_accounts()

    def _load_refused_successors(self) -> None:
        """What is known from before of the successors of APIs that are over. Raises JournalError."""
        for name, live in self._accounts.items():
            if live.migration.successor is not None:
                known = self._workspace.journal.successors.refusals(name, live.migration.successor.provider.name)
                live.migration.restore_refusals(known)

    def is_settled(self, ref: Ref) -> bool:
        """The job has ended, and its result is not on its way."""
        state = self.states[ref]
        coming = state.fault is None and not state.job.archived and self._job_store.scheduler.wants_result(state)
        return state.phase in ENDED and not coming

    async def run(self) -> None:
        """Polls, or follows who does, until it is cancelled; the journal is whole afterwards."""
        try:
            self._update_role()
            self._listener.role(self._role.text)
            async with asyncio.TaskGroup() as tasks:
                for poller in self._pollers.values():
                    tasks.create_task(poller.run())
                tasks.create_task(self.downloads.run())
                tasks.create_task(self._run_ticks())
        finally:
            self._job_store.journal_writer.flush()
            self._alert_monitor.flush()
            self._leader_election.release()

    def _update_queue(self, ref: Ref, at: float | None) -> None:
        """Who follows, or is paused, asks nothing but what a person wants at once."""
        self.downloads.enqueue_automatic(ref)
        poller = self._pollers.get(ref.account)
        if poller is not None and at is not None and (self._is_polling or at == POLL_IMMEDIATELY):
            poller.add(ref, at)
        elif poller is not None:
            poller.remove(ref)

    @property
    def _is_polling(self) -> bool:
        return self._role.is_leader and not self._paused

    def _set_paused(self, paused: bool) -> CommandResult:
        """Asks nothing by itself from now on, or goes on."""
        if not self._role.is_leader:
            return CommandResult(ok=False, message=f"this console is {self._role.text}: Z has to be pressed over there")
        if paused is not self._paused:
            self._paused = paused
            self._listener.role("paused" if paused else self._role.text)
            if paused:
                self._empty_queues()
            else:
                self._job_store.take_over()
        return CommandResult(
            message="asking is paused: what is not asked for by hand grows old" if paused else "asking goes on"
        )

    def _empty_queues(self) -> None:
        for ref in self.states:
            self._update_queue(ref, None)

    # What passes by itself.

    async def _run_ticks(self) -> None:
        while True:
            await asyncio.sleep(self._tick_interval)
            self._sync_clock()
            self._update_role()
            self._watchlist_watcher.check()
            for name in self._workspace.changed_keys():
                self._reload_key(name)
            self._merge_journal_changes()
            self._journal_fallback.check()
            self._publish_accounts()
            self._alert_monitor.tick()
            if self._role.is_leader:
                self._journal_pruner.run_if_due(self.states)

    def _update_role(self) -> None:
        """Polls where nobody else does; else shows what the poller says, and that it says nothing any more."""
        before, role = self._role, self._leader_election.update()
        self._role = role
        self._job_store.set_problem("lease", role.problem)
        if role.text != before.text:
            self._listener.role(role.text)
        if role.is_leader and not before.is_leader:
            self._job_store.take_over()
        elif before.is_leader and not role.is_leader:
            self._empty_queues()
        if role.is_silent:
            self._job_store.mark_all_stale()
        for account in role.accounts:
            self._publish_account_state(account)
        if role.is_leader:
            self._leader_election.write_heartbeat(
                (live.snapshot() for live in self._accounts.values()), is_paused=self._paused
            )

    def _sync_clock(self) -> None:
        """After a suspend, what became due is spread; where the clock was set, the schedule moves along with it."""
        gap = self._clock.correct()
        if gap:
            for live in self._accounts.values():
                live.on_clock_jump()
        if gap >= SUSPEND_GAP:
            for poller in self._pollers.values():
                poller.spread_overdue(lambda: self._random.uniform(0, SUSPEND_SPREAD))
        elif gap:
            for name, poller in self._pollers.items():
                self._accounts[name].shift(gap)
                poller.shift(gap)
            self._job_store.shift_schedule(gap)

    def _now_synced(self) -> float:
        """The instant by which an ask is dated. A second after waking the next tick is yet to come."""
        self._sync_clock()
        return self._clock.now()

    def _merge_journal_changes(self) -> None:
        """Takes over what other processes asked."""
        try:
            news = self._workspace.journal.external_changes()
        except JournalError as error:
            self._job_store.set_problem("news", str(error))
            return
        self._job_store.set_problem("news", "")
        for state in news.values():
            self._job_store.merge_external(state, is_follower=not self._role.is_leader)
        notices = self._workspace.journal.notices
        for text in notices[self._shown_notice_count :]:
            self._listener.notice(Notice(NoticeKind.JOURNAL, text, None, self._clock.now()))
        self._shown_notice_count = len(notices)

    def _reload_key(self, name: str) -> None:
        live = self._accounts[name]
        live.set_key(self._workspace.key(name))
        self._pollers[name].reconnect()
        self._job_store.on_key_changed(name)
        self._publish_account(live)

    def _record_migration(self, live: AccountRuntime, ref: Ref, step: MigrationStep) -> None:
        """Keeps what was decided about the successor of an API that is over, and says where an account has moved."""
        now, successors = self._clock.now(), self._workspace.journal.successors
        try:
            if step is MigrationStep.MOVED:
                provider = live.account.provider
                text = f"{ref.account} has moved to {provider.title}: the API that it was asked at is over"
                self._listener.notice(Notice(NoticeKind.ACCOUNT, text, None, now))
                self._job_store.on_account_moved(ref.account)
                successors.record_move(ref.account, provider.name, now)
            elif step is MigrationStep.REFUSED and live.migration.successor is not None:
                successors.record_refusal(ref.account, ref.id, live.migration.successor.provider.name, now)
        except JournalError as error:
            log.warning("%s", error)

    def _on_response(self, live: AccountRuntime) -> None:
        """An answer came. What held back all others may be over, whatever becomes of its own job."""
        self._pollers[live.account.name].wake()
        self._publish_account(live)

    def _publish_accounts(self) -> None:
        for live in self._accounts.values():
            self._publish_account(live)

    def _publish_account(self, live: AccountRuntime) -> None:
        """Who follows shows what the poller finds, once it has said so."""
        if self._role.is_leader or live.account.name not in self._published_accounts:
            self._publish_account_state(live.snapshot())

    def _publish_account_state(self, state: AccountState) -> None:
        told = self._published_accounts.get(state.name)
        if told == state:
            return
        self._published_accounts[state.name] = state
        self._listener.account(state)
        if state.health is Health.REFUSED and (told is None or told.health is not Health.REFUSED):
            text = f"{state.name} is not asked any more: {state.message}"
            self._listener.notice(Notice(NoticeKind.ACCOUNT, text, None, self._clock.now()))

    # What a person wants.

    async def perform(self, command: Command) -> CommandResult:
        """Does it and says what came of it. A command that cannot be done is an outcome, not an exception."""
        return await self._command_handler.perform(command)

    def job_history(self, ref: Ref) -> JobHistory:
        """What the journal holds of one job; nothing where it cannot be read."""
        return self._command_handler.job_history(ref)

    def recent_changes(self, limit: int) -> tuple[PhaseChange, ...]:
        """The last phase changes of all jobs, newest first; nothing where the journal cannot be read."""
        return self._command_handler.recent_changes(limit)

    # Once, now.

    async def poll_once(self, refs: Iterable[Ref]) -> None:
        """Asks each job once, now, within its account's pace, and for the result of what is done."""
        check = UserPoll(self._accounts, self._job_store, self._poll_executor.poll, self._open_client, self._clock.now)
        try:
            await check.run(refs)
        finally:
            self._job_store.journal_writer.flush()
            self._alert_monitor.flush()

    async def renew(self, refs: Iterable[Ref]) -> list[RenewalResult]:
        """Asks each job for fresh links, once, now, within its account's pace."""
        try:
            return await self.link_renewer.renew_all(refs)
        finally:
            self._job_store.journal_writer.flush()

    def _open_client(self, live: AccountRuntime) -> Client:
        return live.new_client(self._tls, self._transport, self._limits)
