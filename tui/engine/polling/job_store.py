"""Store of the job states: applies events through the reducer, schedules, journals and publishes. It sends no requests.

When a job is polled next is decided by `scheduler.py`; the pollers follow `on_scheduled`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec.structs import replace

from tui.domain import clock_repair, job_state
from tui.domain.job_state import (
    ClockShifted,
    DownloadsRead,
    Event,
    ExternalStateRead,
    FaultCleared,
    HistoryBounded,
    JobListed,
    JobState,
    MarkedStale,
    PhaseChange,
    PollScheduled,
    PollSkipped,
)
from tui.domain.models import ACTIVE, ENDED, DownloadedFile, FaultKind, Job, Phase, PollReason, Ref, RequestRecord
from tui.domain.team import AccountSet
from tui.engine.accounts.account import AccountRuntime
from tui.engine.accounts.retirement import GONE
from tui.engine.api import Notice, NoticeKind, ProblemsChanged, Publish, WatchlistOrder
from tui.engine.blocking import LoopTurn
from tui.engine.context import EngineContext
from tui.engine.journal.writer import JournalWriter
from tui.engine.polling.scheduler import Scheduler
from tui.presentation import queries
from tui.storage.deliveries import HookDelivery
from tui.storage.journal.database import JournalError, UnreachableError
from tui.storage.journal.journal import JournalEntry
from tui.storage.protocols import JobJournal
from tui.storage.workspace import Workspace

POLL_IMMEDIATELY = 0.0
"""Instant of a poll that precedes every due poll."""


class JobStore:
    """Job states of one engine, in the order of the watchlist."""

    def __init__(
        self,
        context: EngineContext,
        workspace: Workspace,
        journal: JobJournal,
        accounts: Mapping[str, AccountRuntime],
        publish: Publish,
        on_phase_change: Callable[[JobState, PhaseChange], None],
        deliveries: Callable[[JobState, PhaseChange], tuple[HookDelivery, ...]] = lambda _state, _change: (),
        *,
        follows_always: bool = False,
    ) -> None:
        """`on_phase_change` is called for each journalled phase change, also for those of other processes.

        `deliveries` returns what a team's outbox gets with a phase change.

        `follows_always`: another computer polls, so that schedules and refusals come from there only.
        """
        self._follows_always = follows_always
        self.states: dict[Ref, JobState] = {}
        self._order: tuple[Ref, ...] | None = None
        """Published order of the watchlist; None: none yet."""
        self._listed_accounts = frozenset[str]()
        self._journal = journal
        self._publish = publish
        self._now = context.now
        self._on_phase_change = on_phase_change
        self._deliveries = deliveries
        self.journal_writer = JournalWriter(
            journal, on_phase_change, lambda problem: self.set_problem("journal", problem)
        )
        """Writer of the journal entries."""
        self.scheduler = Scheduler(context, workspace, journal, accounts)
        """Scheduler of the polls."""
        self.on_scheduled: Callable[[Ref, float | None], None] = lambda _ref, _at: None
        """Called for each job with the instant of its next poll; None for no poll."""
        self.on_updated: Callable[[Ref], None] = lambda _ref: None
        """Called for each job with a new state."""
        self._user_requested: set[Ref] = set()
        """Jobs whose next poll was requested by the operator."""
        self._problems: dict[str, str] = {}
        self._cut_off: set[str] = set()
        """Sources that cannot reach what processes share."""
        self._fresh_until: dict[Ref, tuple[float, float | None]] = {}
        """Of each job that `mark_stale` marked: the instant of the mark, and the one that it replaced."""
        self._sync_lock = asyncio.Lock()
        """Held while a watchlist is applied, so that of two the later one stays."""

    def apply(
        self,
        ref: Ref,
        event: Event,
        body: bytes | None = None,
        request: RequestRecord | None = None,
        next_poll_at: float | None = None,
    ) -> None:
        """Apply an event: reduce, schedule, publish and journal. `next_poll_at` replaces the scheduled instant."""
        state, change = job_state.reduce(self.states[ref], event)
        poll = self.scheduler.after_event(state)
        if next_poll_at is not None and poll.next_poll_at is not None:
            poll = replace(poll, next_poll_at=next_poll_at)
        self._user_requested.discard(ref)
        state = self._schedule(state, poll)
        deliveries = self._deliveries(state, change) if change is not None else ()
        self.journal_writer.add(JournalEntry(state, change, body, self._now(), request, deliveries=deliveries))
        if change is not None:
            self.scheduler.on_phase_change(state, change)
            self._notify_end(state, change)

    def apply_all(self, refs: Iterable[Ref], event: Event, request: RequestRecord | None = None) -> None:
        """Apply the event of one bulk request to its jobs, and schedule all of them for the latest of their polls."""
        refs = tuple(refs)
        polls = (self.scheduler.after_event(job_state.reduce(self.states[ref], event)[0]) for ref in refs)
        latest = max((poll.next_poll_at for poll in polls if poll.next_poll_at is not None), default=None)
        for ref in refs:
            self.apply(ref, event, request=request, next_poll_at=latest)

    def poll_now(self, ref: Ref, reason: PollReason = PollReason.REQUESTED) -> None:
        """Schedule a poll of the job before all others. Not journalled."""
        state = self.states[ref]
        scheduled = PollScheduled(self._now(), reason, state.stale_after, state.duration_fit)
        self._update(job_state.reduce(state, scheduled)[0])
        self.on_scheduled(ref, POLL_IMMEDIATELY)

    def request_poll(self, ref: Ref) -> None:
        """Schedule a user-requested poll before all others; a job that is done is polled instead of renewed."""
        self._user_requested.add(ref)
        self.poll_now(ref)

    def is_link_renewal(self, state: JobState) -> bool:
        """Return whether the next poll of the job is a scheduled renewal of its links."""
        return state.phase is Phase.DONE and bool(state.links) and state.job.ref not in self._user_requested

    def shift_schedule(self, seconds: float) -> None:
        """Follow a clock that was set forward by so many seconds. The poll queues are shifted by their pollers."""
        self._update_all(ClockShifted(seconds))
        now = self._now()
        for state in list(self.states.values()):
            if clock_repair.clock_lead(state, now):  # the clock was set back
                state, _ = job_state.reduce(state, HistoryBounded(now))
                self._update(state)
                self.journal_writer.add(JournalEntry(state, bounded_at=now))

    def _repaired(self, state: JobState) -> JobState:
        """Return a state of the journal without instants of a clock that was ahead when it was written."""
        now = self._now()
        lead = clock_repair.clock_lead(state, now)
        if not lead:
            return state
        return job_state.reduce(job_state.reduce(state, ClockShifted(-lead))[0], HistoryBounded(now))[0]

    def mark_stale(self, accounts: AccountSet) -> None:
        """Mark the reports of active jobs of these accounts stale: no console polls them.

        Those of other accounts are again as fresh as before, if nothing newer came meanwhile.
        """
        mark = self._now() - 1
        for state in self._active_states(accounts):
            marked, _ = job_state.reduce(state, MarkedStale(mark))
            if marked != state:
                self._fresh_until[state.job.ref] = mark, state.stale_after
                self._update(marked)
        for ref in [ref for ref in self._fresh_until if ref.account not in accounts]:
            marked_at, stale_after = self._fresh_until.pop(ref)
            state = self.states.get(ref)
            if state is not None and state.stale_after == marked_at:
                fresh = PollScheduled(state.next_poll_at, state.next_poll_reason, stale_after, state.duration_fit)
                self._update(job_state.reduce(state, fresh)[0])

    def active_accounts(self, accounts: AccountSet) -> frozenset[str]:
        """Return those of the accounts that have jobs to be polled."""
        return frozenset(state.job.account for state in self._active_states(accounts) if not state.job.archived)

    def _active_states(self, accounts: AccountSet) -> list[JobState]:
        """Return the states of the active jobs of these accounts."""
        listed = frozenset(account for account in self._listed_accounts if account in accounts)
        if not listed:  # every second, with 100,000 jobs: 0.05 s
            return []
        return [state for state in self.states.values() if state.phase in ACTIVE and state.job.account in listed]

    def _update_all(self, event: Event) -> None:
        for state in list(self.states.values()):
            after, _ = job_state.reduce(state, event)
            if after != state:
                self._update(after)

    async def record_download(self, ref: Ref, file: DownloadedFile) -> None:
        """Add a downloaded file to the job, and write it to the journal before returning, if that is possible."""
        if ref in self.states:
            self._update(job_state.reduce(self.states[ref], file)[0])
            self.journal_writer.add(JournalEntry(self.states[ref]))
            await self.journal_writer.flush()

    def merge_external(
        self, external: JobState, recorded: Sequence[PhaseChange] = (), *, is_follower: bool = False
    ) -> None:
        """Merge a state that another process journalled, if it is newer; a follower also takes its schedule.

        `recorded`: phase changes of the job as journalled, oldest first. Several processes may see a change, each at
        its own instant; one records it.
        """
        ref, external = external.job.ref, self._repaired(external)
        state = self.states.get(ref)
        if state is None:
            return
        if state.downloads != external.downloads:
            state, _ = job_state.reduce(state, DownloadsRead(external.downloads))
            self._update(state)
        known_at, external_at = job_state.last_update_at(state), job_state.last_update_at(external)
        if external_at < known_at or (external_at == known_at and not is_follower):
            return
        state, change = job_state.reduce(state, ExternalStateRead(external, self._now()))
        if is_follower:
            self._update(state)
        else:
            state = self._schedule(state, self.scheduler.after_event(state))
        if change is not None:
            self.scheduler.on_phase_change(state, change)
            self._notify_end(state, change)
            after = change.after
            self._on_phase_change(state, next((each for each in reversed(recorded) if each.after is after), change))

    def replace_state(self, ref: Ref, stored: JobState | None) -> None:
        """Continue from the stored state of a job: results of this process were discarded. None: there is none."""
        known = self.states.get(ref)
        if known is not None:
            state = JobState(job=known.job) if stored is None else self._repaired(stored)
            state, _ = job_state.reduce(state, JobListed(known.job))
            self._schedule(state, self.scheduler.first_poll(state))

    def persist_all(self) -> None:
        """Write every state to the journal, which was replaced."""
        for state in self.states.values():
            self.journal_writer.add(JournalEntry(state))

    def take_over(self, is_gained: Callable[[str], bool] = lambda _account: True) -> None:
        """Schedule the jobs of a new leader's accounts. Polls that the last leader scheduled soon stay as they are."""
        now = self._now()
        for known in [state for state in self.states.values() if is_gained(state.job.account)]:
            state, policy, at = self._with_refusal(known), self.scheduler.policy_for(known.job), known.next_poll_at
            if state == known and policy is not None and at is not None and at < now + policy.steady_interval:
                self.on_scheduled(state.job.ref, at)
            else:
                self._schedule(state, self.scheduler.first_poll(state))

    async def sync_watchlist(self, jobs: Iterable[Job], known: Mapping[Ref, JobState]) -> None:
        """Make the store hold exactly these jobs, in this order; new ones get the state that the journal has.

        `known`: states that are already read. Raises JournalError, with nothing changed. The loop goes on meanwhile.
        """
        async with self._sync_lock:
            turn, listed, unread = LoopTurn(), dict[Ref, Job](), set[Ref]()
            own = {ref: ref for ref in self.states}  # 100,000 more refs would cause collections of 0.1 s each
            for job in jobs:
                ref = job.ref
                ref = own.get(ref, ref)
                listed[ref] = job
                if ref not in self.states and ref not in known:
                    unread.add(ref)
                if turn.is_over:
                    await turn.next()
            read = {**known, **await self._journal.states(unread)} if unread else known
            await self.scheduler.load_durations(listed.values())
            await self._hold(listed, read)

    async def _hold(self, jobs: Mapping[Ref, Job], known: Mapping[Ref, JobState]) -> None:
        """Make the store hold these jobs. `known`: the journalled states of those that are new."""
        turn = LoopTurn()
        for ref in [ref for ref in self.states if ref not in jobs]:
            del self.states[ref]
            self._user_requested.discard(ref)
            self.scheduler.forget(ref)
            self.on_scheduled(ref, None)
        for ref, job in jobs.items():
            state = self.states.get(ref)
            if state is None:
                self._add_job(job, known.get(ref))
            elif state.job is not job and state.job != job:
                self._update_job(job, state)
            if turn.is_over:
                await turn.next()
        order = tuple(jobs)
        if order != self._order:
            self._order, self.states = order, {ref: self.states[ref] for ref in order}
            self._listed_accounts = frozenset(ref.account for ref in order)
            self._publish(WatchlistOrder(order))

    def _add_job(self, job: Job, read: JobState | None) -> None:
        if self._follows_always:
            self._update(job_state.reduce(read or JobState(job=job), JobListed(job))[0])
            self.on_scheduled(job.ref, None)
            return
        known = None if read is None else self._repaired(read)
        state = self._with_refusal(job_state.reduce(known or JobState(job=job), JobListed(job))[0])
        state, _ = job_state.reduce(state, self.scheduler.first_poll(state))
        self._update(known if known is not None and state == known else state)  # shares the front end's copy
        self.on_scheduled(job.ref, state.next_poll_at)
        if known is not read:
            self.journal_writer.add(JournalEntry(state, bounded_at=self._now()))
        elif known is None or known.job != job or known.fault != state.fault:
            self.journal_writer.add(JournalEntry(state))

    def _update_job(self, job: Job, known: JobState) -> None:
        """Apply an edit. Only kind, archived and keep_link change the schedule."""
        state, _ = job_state.reduce(known, JobListed(job))
        if self._follows_always:
            self._update(state)
        elif job.kind != known.job.kind:
            state = self._with_refusal(state)
            self._schedule(state, self.scheduler.within_first_interval(state, PollReason.KIND_CHANGED))
        elif (job.archived, job.keep_link) != (known.job.archived, known.job.keep_link):
            self._schedule(state, self.scheduler.first_poll(state))
        else:
            self._update(state)
            self.on_scheduled(job.ref, state.next_poll_at)
        self.journal_writer.add(JournalEntry(self.states[job.ref]))

    def on_account_moved(self, account: str) -> None:
        """Use the polling policies of the account's new provider, and poll jobs with a retired API soon."""
        self.scheduler.on_account_moved(account)
        for state in self._states_of(account):
            fault = state.fault
            if fault is not None and (fault.kind is FaultKind.RETIRED or fault.http_status == GONE):
                self._schedule(state, self.scheduler.within_first_interval(state, PollReason.ACCOUNT_MOVED))

    def on_key_changed(self, account: str) -> None:
        """Poll the refused jobs of the account soon, or give them the new reason of the refusal."""
        for known in self._states_of(account) if not self._follows_always else ():
            is_refused = known.fault is not None and known.fault.kind is FaultKind.REFUSED
            state = self._with_refusal(job_state.reduce(known, FaultCleared())[0] if is_refused else known)
            if state != known:
                state = self._schedule(state, self.scheduler.within_first_interval(state, PollReason.KEY_CHANGED))
                self.journal_writer.add(JournalEntry(state))

    def _states_of(self, account: str) -> list[JobState]:
        return [state for state in self.states.values() if state.job.account == account]

    def _with_refusal(self, state: JobState) -> JobState:
        """Return the state with the reason why it can't be polled, or without a local reason that is obsolete."""
        refusal, fault = self.scheduler.refusal(state.job), state.fault
        if refusal is not None:
            return job_state.reduce(state, PollSkipped(refusal))[0]
        if fault is not None and fault.kind is FaultKind.REFUSED and fault.http_status is None:
            return job_state.reduce(state, FaultCleared())[0]
        return state

    def _schedule(self, state: JobState, scheduled: PollScheduled) -> JobState:
        state, _ = job_state.reduce(state, scheduled)
        self._update(state)
        self.on_scheduled(state.job.ref, state.next_poll_at)
        return state

    def _update(self, state: JobState) -> None:
        self.states[state.job.ref] = state
        self._publish(state)
        self.on_updated(state.job.ref)

    def set_problem(self, source: str, problem: str | JournalError) -> None:
        """Set the current problem of a source; "" removes it."""
        shown, text = self._shown_problems(), str(problem)
        (self._cut_off.add if isinstance(problem, UnreachableError) else self._cut_off.discard)(source)
        if self._problems.get(source, "") != text:
            self._problems.pop(source, None)
            if text:
                self._problems[source] = text
        if (problems := self._shown_problems()) != shown:
            self._publish(ProblemsChanged(problems))

    def _shown_problems(self) -> tuple[str, ...]:
        """Return the problems once each; of the sources that cannot reach what processes share, the first one's."""
        repeated = [source for source in self._problems if source in self._cut_off][1:]
        return tuple(dict.fromkeys(text for source, text in self._problems.items() if source not in repeated))

    def _notify_end(self, state: JobState, change: PhaseChange) -> None:
        if state.job.is_silent or change.after not in ENDED:
            return
        kind = NoticeKind.DONE if change.after is Phase.DONE else NoticeKind.FAILED
        text = f"{queries.display_name(state)}: {change.after.replace('_', ' ')}"
        text += f". {change.message}" if change.message else ""
        self._publish(Notice(kind, text, change.ref, change.seen))
