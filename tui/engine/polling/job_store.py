"""The ledger of a session: every job's state, and the one way of what happens to it. It asks nobody.

`settle` reduces an event onto the board, plans the next ask, journals and tells. Who does the asking is handed the
plan through `queue`.
"""

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Protocol

from tui.domain import job_state
from tui.domain.job_state import (
    ClockShifted,
    DownloadsRead,
    Event,
    ExternalStateRead,
    FaultCleared,
    JobListed,
    JobState,
    MarkedStale,
    PhaseChange,
    PollScheduled,
    PollSkipped,
)
from tui.domain.models import ENDED, DownloadedFile, FaultKind, Job, Phase, Ref, RequestRecord
from tui.engine.accounts.account import AccountRuntime
from tui.engine.api import AccountState, DownloadProgress, Notice, NoticeKind
from tui.engine.journal.writer import JournalWriter
from tui.engine.polling.scheduler import Scheduler
from tui.presentation import queries
from tui.storage.journal.journal import JournalEntry
from tui.storage.workspace import Workspace

POLL_IMMEDIATELY = 0.0
"""Instant of an ask that goes before everything that is due."""


class EngineListener(Protocol):
    """Who is told what changes, on the session's own loop."""

    def state(self, state: JobState) -> None:
        """A job's state is new."""
        ...

    def listed(self, order: tuple[Ref, ...]) -> None:
        """The watchlist holds these jobs, in this order, and no others."""
        ...

    def account(self, state: AccountState) -> None:
        """An account's state is new."""
        ...

    def problems(self, problems: tuple[str, ...]) -> None:
        """What stands in the way now, as a whole."""
        ...

    def role(self, role: str) -> None:
        """Who polls, as `feed.Update` has it."""
        ...

    def download(self, progress: DownloadProgress) -> None:
        """A download has moved."""
        ...

    def notice(self, notice: Notice) -> None:
        """Something worth a toast."""
        ...


class JobStore:
    """The states of the jobs that the watchlist holds, in its order."""

    def __init__(
        self,
        workspace: Workspace,
        accounts: Mapping[str, AccountRuntime],
        listener: EngineListener,
        *,
        now: Callable[[], float],
        random: Random,
        update_queue: Callable[[Ref, float | None], None],
        on_phase_change: Callable[[JobState, PhaseChange], None],
    ) -> None:
        """`queue` is told of every job when its next ask is due (None: never).

        `changed` hears of each change of a phase once the journal holds it, also of those that others recorded.
        """
        self.states: dict[Ref, JobState] = {}
        self._workspace = workspace
        self._listener = listener
        self._now = now
        self._update_queue = update_queue
        self._on_phase_change = on_phase_change
        self.journal_writer = JournalWriter(workspace, on_phase_change, lambda text: self.set_problem("journal", text))
        """What the journal is to hold."""
        self.scheduler = Scheduler(workspace, accounts, now, random)
        """When jobs are asked, or why they cannot be."""
        self._user_requested: set[Ref] = set()
        """Jobs that a person wants asked, whatever comes of it."""
        self._problems: dict[str, str] = {}

    def apply(
        self, ref: Ref, event: Event, body: bytes | None = None, request: RequestRecord | None = None
    ) -> JobState:
        """Reduces, plans, journals and tells."""
        state, change = job_state.reduce(self.states[ref], event)
        return self._commit(state, change, self.scheduler.after_event(state), body, request)

    def apply_all(self, refs: Iterable[Ref], event: Event, request: RequestRecord | None = None) -> None:
        """One ask for all of them met this: they come back together, when the last of them would have alone."""
        met = [job_state.reduce(self.states[ref], event) for ref in refs]
        plans = [self.scheduler.after_event(state) for state, _ in met]
        last = max((plan.next_poll_at for plan in plans if plan.next_poll_at is not None), default=None)
        for (state, change), plan in zip(met, plans, strict=True):
            self._commit(
                state, change, plan if plan.next_poll_at is None else plan._replace(next_poll_at=last), None, request
            )

    def _commit(
        self,
        state: JobState,
        change: PhaseChange | None,
        scheduled: PollScheduled,
        body: bytes | None,
        request: RequestRecord | None,
    ) -> JobState:
        state, _ = job_state.reduce(state, scheduled)
        self._user_requested.discard(state.job.ref)
        self._schedule(state)
        self.journal_writer.add(JournalEntry(state, change, body, self._now(), request))
        if change is not None:
            self.scheduler.on_phase_change(state, change)
            self._notify_end(state, change)
        return state

    def poll_now(self, ref: Ref, reason: str = "asked for") -> None:
        """This job is asked before all others, now; the journal need not know."""
        state = self.states[ref]
        self._publish(
            job_state.reduce(state, PollScheduled(self._now(), reason, state.stale_after, state.duration_fit))[0]
        )
        self._update_queue(ref, POLL_IMMEDIATELY)

    def request_poll(self, ref: Ref) -> None:
        """A person wants to know how the job is: it is asked before all others, and what is said holds."""
        self._user_requested.add(ref)
        self.poll_now(ref)

    def shift_schedule(self, seconds: float) -> None:
        """The clock was set forward by so many seconds: what is planned stays as far away as it was. Queues nothing.

        But no report grows younger by it: a short sleep looks the same.
        """
        for state in list(self.states.values()):
            after, _ = job_state.reduce(state, ClockShifted(seconds))
            if after != state:
                self._publish(after)

    def record_download(self, ref: Ref, file: DownloadedFile) -> None:
        """A file of the job was downloaded: its state says so, and the journal, before this returns if it can."""
        if ref in self.states:
            self._publish(job_state.reduce(self.states[ref], file)[0])
            self.journal_writer.add(JournalEntry(self.states[ref]))
            self.journal_writer.flush()

    def merge_external(self, external: JobState, *, is_follower: bool = False) -> None:
        """Takes over what another process has journalled, where it is newer; who follows, its plan and faults too."""
        ref = external.job.ref
        held = self.states.get(ref)
        if held is not None and held.downloads != external.downloads:
            held, _ = job_state.reduce(held, DownloadsRead(external.downloads))
            self._publish(held)
        known = job_state.last_update_at(held) if held is not None else 0.0
        if (
            held is None
            or job_state.last_update_at(external) < known
            or (job_state.last_update_at(external) == known and not is_follower)
        ):
            return
        state, change = job_state.reduce(held, ExternalStateRead(external, self._now()))
        if is_follower:
            self._publish(state)
        else:
            state, _ = job_state.reduce(state, self.scheduler.after_event(state))
            self._schedule(state)
        if change is not None:
            self.scheduler.on_phase_change(state, change)
            self._notify_end(state, change)
            self._on_phase_change(state, change)

    def persist_all(self) -> None:
        """The journal is another, and may know nothing: it gets every state."""
        for state in self.states.values():
            self.journal_writer.add(JournalEntry(state))

    def take_over(self) -> None:
        """Takes over the asking from a process that is gone: what that one planned holds, where it is near."""
        now = self._now()
        for held in list(self.states.values()):
            state, tempo = self._with_refusal(held), self.scheduler.policy_for(held.job)
            near = (
                tempo is not None
                and state.next_poll_at is not None
                and state.next_poll_at < now + tempo.steady_interval
            )
            self._schedule(
                state if near and state == held else job_state.reduce(state, self.scheduler.first_poll(state))[0]
            )

    def mark_all_stale(self) -> None:
        """Nobody says anything new of the jobs any more: their reports count as old from now on."""
        now = self._now()
        for state in list(self.states.values()):
            after, _ = job_state.reduce(state, MarkedStale(now - 1))
            if after != state:
                self._publish(after)

    def sync_watchlist(self, jobs: Iterable[Job], known: Mapping[Ref, JobState]) -> None:
        """The watchlist holds these jobs and no others: new ones come with what the journal knows of them.

        `known`: what was read of it already. Raises JournalError, with nothing done.
        """
        jobs = tuple(jobs)
        order = tuple(job.ref for job in jobs)
        new = set(order) - self.states.keys()
        unread = new - known.keys()
        known = {**known, **self._workspace.journal.states(unread)} if unread else known
        for ref in self.states.keys() - set(order):
            del self.states[ref]
            self._user_requested.discard(ref)
            self.scheduler.forget(ref)
            self._update_queue(ref, None)
        self._listener.listed(order)
        for job in jobs:
            held = self.states.get(job.ref)
            if held is None:
                self._add_job(job, known.get(job.ref))
            elif held.job != job:
                self._update_job(job, held)
        self.states = {ref: self.states[ref] for ref in order}

    def _add_job(self, job: Job, known: JobState | None) -> None:
        """A job that was not on the board, with what the journal knows of it."""
        state = self._with_refusal(job_state.reduce(known or JobState(job=job), JobListed(job))[0])
        state, _ = job_state.reduce(state, self.scheduler.first_poll(state))
        self._schedule(known if known is not None and state == known else state)  # the front end holds that one
        if known is None or known.job != job or known.fault != state.fault:
            self.journal_writer.add(JournalEntry(state))

    def _update_job(self, job: Job, held: JobState) -> None:
        """Only another kind, the Archive, or a link that is to be kept, makes another plan of it."""
        state, _ = job_state.reduce(held, JobListed(job))
        if job.kind != held.job.kind:
            state = self._with_refusal(state)
            self._schedule(
                job_state.reduce(state, self.scheduler.within_first_interval(state, "its kind is another"))[0]
            )
        elif (job.archived, job.keep_link) != (held.job.archived, held.job.keep_link):
            self._schedule(job_state.reduce(state, self.scheduler.first_poll(state))[0])
        else:
            self._schedule(state)
        self.journal_writer.add(JournalEntry(self.states[job.ref]))

    def on_account_moved(self, account: str) -> None:
        """The account is another provider's: so are its jobs' cadences, and what was over is asked there, soon."""
        self.scheduler.on_account_moved(account)
        for state in [state for state in self.states.values() if state.job.account == account]:
            if state.fault is not None and state.fault.kind is FaultKind.RETIRED:
                self._schedule(
                    job_state.reduce(state, self.scheduler.within_first_interval(state, "the account has moved"))[0]
                )

    def on_key_changed(self, account: str) -> None:
        """The account's key is another: what was refused is asked again, or refused with the new reason."""
        for held in [state for state in self.states.values() if state.job.account == account]:
            refused = held.fault is not None and held.fault.kind is FaultKind.REFUSED
            state = self._with_refusal(job_state.reduce(held, FaultCleared())[0] if refused else held)
            if state != held:
                self._schedule(
                    job_state.reduce(state, self.scheduler.within_first_interval(state, "the key is another"))[0]
                )
                self.journal_writer.add(JournalEntry(self.states[held.job.ref]))

    def _with_refusal(self, state: JobState) -> JobState:
        """The state with the reason why it cannot be asked, or without one of ours that no longer holds."""
        refusal, fault = self.scheduler.refusal(state.job), state.fault
        if refusal is not None:
            return job_state.reduce(state, PollSkipped(refusal))[0]
        if fault is not None and fault.kind is FaultKind.REFUSED and fault.http_status is None:
            return job_state.reduce(state, FaultCleared())[0]
        return state

    def is_link_renewal(self, state: JobState) -> bool:
        """The next ask of the job is by itself for a fresh link: nobody wants to know how it is."""
        return state.phase is Phase.DONE and bool(state.links) and state.job.ref not in self._user_requested

    def _schedule(self, state: JobState) -> None:
        self._publish(state)
        self._update_queue(state.job.ref, state.next_poll_at)

    def _publish(self, state: JobState) -> None:
        self.states[state.job.ref] = state
        self._listener.state(state)

    def set_problem(self, source: str, text: str) -> None:
        """Sets or lifts ("") what stands in the way from one source."""
        if self._problems.get(source, "") == text:
            return
        self._problems.pop(source, None)
        if text:
            self._problems[source] = text
        self._listener.problems(tuple(self._problems.values()))

    def _notify_end(self, state: JobState, change: PhaseChange) -> None:
        if state.job.muted or change.after not in ENDED:
            return
        kind = NoticeKind.DONE if change.after is Phase.DONE else NoticeKind.FAILED
        text = f"{queries.display_name(state)}: {change.after.replace('_', ' ')}" + (
            f". {change.message}" if change.message else ""
        )
        self._listener.notice(Notice(kind, text, change.ref, change.seen))
