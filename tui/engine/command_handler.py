"""Handler of the operator's commands, and reader of the journal for the detail pane. Nothing in it raises."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import tzinfo

from tui.domain.fleet import FleetReport
from tui.domain.job_state import PhaseChange
from tui.domain.models import Ref
from tui.domain.polling.rate_limit import SendSlot
from tui.engine.accounts.account import AccountRuntime
from tui.engine.api import Cancel, CommandResult, Download, JobHistory, Refresh, Renew, SaveUiState
from tui.engine.consoles.watchlist_watcher import WatchlistWatcher
from tui.engine.context import EngineContext
from tui.engine.downloads.queue import DownloadQueue
from tui.engine.journal.fleet_reader import FleetReader
from tui.engine.polling.duration_learner import MAX_HISTORY
from tui.engine.polling.job_store import JobStore
from tui.engine.polling.link_renewer import LinkRenewer, RenewalResult
from tui.presentation import formatting
from tui.presentation.descriptions import describe_wait
from tui.storage.journal.database import JournalError
from tui.storage.protocols import JobJournal
from tui.storage.watchlist.content import WatchlistError
from tui.storage.watchlist.operations import EditResult, Operation, Restore
from tui.storage.workspace import Workspace

MAX_REQUESTS_SHOWN = 200
"""Last requests of a job that its detail shows."""
MIN_REPORTED_DELAY = 5.0
"""Seconds until a requested poll is sent, from which the toast names its reason."""

log = logging.getLogger(__name__)


class CommandHandler:
    """Handler of one engine, for every command but those that change the engine itself (pause, resume)."""

    def __init__(
        self,
        context: EngineContext,
        workspace: Workspace,
        journal: JobJournal,
        job_store: JobStore,
        accounts: Mapping[str, AccountRuntime],
        watchlist_watcher: WatchlistWatcher,
        downloads: DownloadQueue,
        link_renewer: LinkRenewer,
        counted: Callable[[], Collection[Ref] | None],
    ) -> None:
        """Handle nothing yet. `counted` returns the jobs whose ends a fleet counts; None: those of all."""
        self._now = context.now
        self._run_blocking = context.run_blocking
        self._workspace = workspace
        self._journal = journal
        self._job_store = job_store
        self._accounts = accounts
        self._watchlist_watcher = watchlist_watcher
        self._downloads = downloads
        self._link_renewer = link_renewer
        self._edit_lock = asyncio.Lock()
        self._fleet_reader = FleetReader(journal, workspace.accounts, context.now, counted)

    async def perform(self, command: Operation | Refresh | Renew | SaveUiState | Download | Cancel) -> CommandResult:
        """Perform a command. A failure is a result, not an exception."""
        match command:
            case Refresh(refs):
                return await self._refresh(refs)
            case Renew(refs, language):
                return await self._renew(refs, language)
            case SaveUiState(values):
                return self._save_ui_state(values)
            case Download(refs, folder, language):
                return self._downloads.enqueue(refs, folder, language)
            case Cancel(refs):
                return await self._downloads.cancel(refs)
            case _:
                return await self._edit_watchlist(command)

    async def _renew(self, refs: tuple[Ref, ...], language: str | None) -> CommandResult:
        results = await self._link_renewer.renew_all(refs, language)
        links = {each.ref: each.link for each in results if each.link is not None}
        ok = all(each.fault is None for each in results)
        return CommandResult(ok=ok, message=_renewals_message(results, self._now()), links=links)

    async def _edit_watchlist(self, operation: Operation) -> CommandResult:
        """Write the watchlist off the loop: the file may be locked, and an edit of 10,000 jobs takes up to 1.6 s."""
        async with self._edit_lock:
            try:
                content, result = await self._run_blocking(lambda: self._workspace.edit_watchlist(operation))
                await self._watchlist_watcher.apply_edit(content)
            except (WatchlistError, JournalError) as error:
                return CommandResult(ok=False, message=str(error))
        return CommandResult(message=_edit_message(operation, result), undo=result.undo)

    async def _refresh(self, refs: tuple[Ref, ...]) -> CommandResult:
        """Queue the jobs before all others. Lifts a stop and the circuit breaker of their accounts."""
        count, refused, slots = 0, "No job to refresh", dict[str, SendSlot]()
        for ref in refs:
            state = self._job_store.states.get(ref)
            refusal = self._job_store.scheduler.refusal(state.job) if state is not None else None
            if state is None or refusal is not None:
                refused = refusal.message if refusal else f"{ref} is not on the watchlist"
                continue
            runtime = self._accounts[ref.account]
            runtime.limits.reset()
            self._job_store.request_poll(ref)
            slots[ref.account] = await runtime.limits.user_slot(self._now())
            count += 1
        if not count:
            return CommandResult(ok=False, message=refused)
        message = f"Refreshing {formatting.count_of(count, 'job')}{self._delay_text(slots)}"
        return CommandResult(message=message + (f"; {refused}" if count < len(refs) else ""))

    def _delay_text(self, slots: Mapping[str, SendSlot]) -> str:
        """Return which accounts send no request yet, why, and when the last one does; "" if all send now."""
        now = self._now()
        waiting = {account: slot for account, slot in slots.items() if slot.at - now >= MIN_REPORTED_DELAY}
        if not waiting:
            return ""
        account, slot = max(waiting.items(), key=lambda each: each[1].at)
        sent = "none" if len(waiting) == len(slots) else f"none of {', '.join(waiting)}"
        wait = f"{formatting.duration(slot.at - now)} ({describe_wait(slot.reason)})"
        return f": {sent} sent yet, {account} waits {wait}"

    async def job_history(self, ref: Ref) -> JobHistory:
        """Return the journal records of one job; none, and not `is_read`, if the journal can't be read."""
        await self._job_store.journal_writer.flush()
        try:
            body = await self._journal.last_body(ref)
            phase_changes = (await self._journal.phase_changes([ref]))[ref]
            requests = await self._journal.requests(ref, MAX_REQUESTS_SHOWN)
            state = self._job_store.states.get(ref)
            kind = state.job.kind if state is not None else ""
            durations = await self._journal.durations(ref.account, kind, MAX_HISTORY)
        except JournalError as error:
            self._job_store.set_problem("news", error)
            return JobHistory(ref=ref, is_read=False)
        return JobHistory(
            ref=ref,
            body=body[0] if body else None,
            body_received_at=body[1] if body else None,
            phase_changes=phase_changes,
            requests=requests,
            durations=tuple(durations),
        )

    async def recent_changes(self, limit: int) -> tuple[PhaseChange, ...]:
        """Return the last phase changes of all jobs, newest first; empty if the journal can't be read."""
        await self._job_store.journal_writer.flush()
        try:
            return await self._journal.recent_phase_changes(limit)
        except JournalError as error:
            self._job_store.set_problem("news", error)
            return ()

    async def fleet(self, zone: tzinfo) -> FleetReport:
        """Return the summary of all accounts, with the days of a time zone; empty if the journal can't be read."""
        try:
            return await self._fleet_reader.report(zone)
        except JournalError as error:
            self._job_store.set_problem("news", error)
            return FleetReport()

    def _save_ui_state(self, values: Mapping[str, object]) -> CommandResult:
        """Store values of the front end. A failure is logged only: the journal writer shows the problem."""
        try:
            self._workspace.journal.save_ui_state(values)
        except JournalError as error:
            log.warning("%s", error)
        return CommandResult()


def _renewals_message(results: Sequence[RenewalResult], now: float) -> str:
    """Return the results of renewals for the operator."""
    if len(results) == 1:
        return _renewal_message(results[0], now)
    links = [each.link for each in results if each.link is not None]
    ends = [link.expires_at for link in links if link.expires_at is not None]
    new, failed = sum(each.is_new for each in results), [each for each in results if each.fault is not None]
    same = len(results) - new - len(failed)
    parts = [formatting.count_of(new, "new link")]
    parts += [f"{same} unchanged"] if same else []
    parts += [f"the first expires in {formatting.duration(min(ends) - now)}"] if ends else []
    if failed and failed[0].fault is not None:
        parts.append(f"{len(failed)} failed: {failed[0].ref}: {failed[0].fault.message}")
    return "; ".join(parts)


def _renewal_message(result: RenewalResult, now: float) -> str:
    link, fault = result.link, result.fault
    if link is None:
        return fault.message if fault is not None else "No link"
    expires = "no known expiry"
    if link.expires_at is not None:
        mark = "" if link.expiry_is_exact else "~"
        expires = f"expires in {mark}{formatting.duration(link.expires_at - now)}"
    if fault is not None:
        return f"Renewal failed: {fault.message}; current link: {expires}"
    return f"{'New link' if result.is_new else 'The service returned the same link'}: {expires}"


def _edit_message(operation: Operation, result: EditResult) -> str:
    """Return the result of a watchlist edit for the operator."""
    counts = {
        "restored" if isinstance(operation, Restore) else "added": result.added,
        "removed": result.removed,
        "changed": result.changed,
        "already on the watchlist": result.unchanged,
        "not on the watchlist": result.not_found,
    }
    return ", ".join(f"{_describe_refs(refs)} {what}" for what, refs in counts.items() if refs) or "No change"


def _describe_refs(refs: tuple[Ref, ...]) -> str:
    return str(refs[0]) if len(refs) == 1 else f"{len(refs)} jobs"
