"""What a person wants of a running session: commands with their outcome, and looks into the journal."""

import logging
from collections.abc import Callable, Mapping, Sequence

from tui.domain.job_state import PhaseChange
from tui.domain.models import Ref
from tui.domain.polling import throttle
from tui.engine.accounts.account import AccountRuntime
from tui.engine.api import (
    Cancel,
    Command,
    CommandResult,
    Download,
    JobHistory,
    Pause,
    Refresh,
    Renew,
    Resume,
    SaveUiState,
)
from tui.engine.blocking import RunBlocking
from tui.engine.downloads.queue import DownloadQueue
from tui.engine.polling.job_store import JobStore
from tui.engine.polling.link_renewer import LinkRenewer, RenewalResult
from tui.presentation import formatting
from tui.storage.journal.journal import JournalError
from tui.storage.watchlist.file import EditResult as Changed
from tui.storage.watchlist.file import Operation, WatchlistContent, WatchlistError
from tui.storage.workspace import Workspace

MAX_REQUESTS_SHOWN = 200
"""The last asks of a job that its detail shows."""

log = logging.getLogger(__name__)


class CommandHandler:
    """One session's ear for its operator. Nothing in it raises."""

    def __init__(
        self,
        workspace: Workspace,
        job_store: JobStore,
        accounts: Mapping[str, AccountRuntime],
        *,
        sync_watchlist: Callable[[WatchlistContent], None],
        reload_key: Callable[[str], None],
        set_paused: Callable[[bool], CommandResult],
        downloads: DownloadQueue,
        run_blocking: RunBlocking,
        link_renewer: LinkRenewer,
        now: Callable[[], float],
    ) -> None:
        """`listed` takes over a watchlist that was written; `unlock` an account's key, fetched anew."""
        self._workspace = workspace
        self._job_store = job_store
        self._accounts = accounts
        self._sync_watchlist = sync_watchlist
        self._reload_key = reload_key
        self._set_paused = set_paused
        self._downloads = downloads
        self._run_blocking = run_blocking
        self._link_renewer = link_renewer
        self._now = now

    async def perform(self, command: Command) -> CommandResult:
        """Does it and says what came of it. A command that cannot be done is an outcome, not an exception."""
        match command:
            case Refresh(refs):
                return self._refresh(refs)
            case Renew(refs):
                return await self._renew(refs)
            case Resume(account):
                return await self._resume(account)
            case Pause(paused):
                return self._set_paused(paused)
            case SaveUiState(values):
                return self._save_ui_state(values)
            case Download(refs, folder):
                return self._downloads.enqueue(refs, folder)
            case Cancel(refs):
                return await self._downloads.cancel(refs)
            case _:
                return self._edit_watchlist(command)

    async def _renew(self, refs: tuple[Ref, ...]) -> CommandResult:
        """Asks the jobs for fresh links, and says how long they live."""
        found = await self._link_renewer.renew_all(refs)
        links = tuple(each.link for each in found if each.link is not None)
        ok = all(each.fault is None for each in found)
        return CommandResult(ok=ok, message=_renewals_message(found, self._now()), links=links)

    async def _resume(self, account: str) -> CommandResult:
        """Has the account tried again, with its key fetched anew: its command may take ten seconds."""
        if account not in self._accounts:
            return CommandResult(ok=False, message=self._workspace.why_unconfigured(account))
        self._workspace.forget_key(account)
        await self._run_blocking(lambda: self._workspace.key(account))
        self._reload_key(account)
        return CommandResult(message=f"{account} is tried again")

    def _edit_watchlist(self, operation: Operation) -> CommandResult:
        """Writes the watchlist. The file is read again at the next tick: somebody may have written it since."""
        try:
            reading, outcome = self._workspace.edit_watchlist(operation)
            self._sync_watchlist(reading)
        except (WatchlistError, JournalError) as error:
            return CommandResult(ok=False, message=str(error))
        return CommandResult(message=_edit_message(outcome), removed=outcome.removed_blocks)

    def _refresh(self, refs: tuple[Ref, ...]) -> CommandResult:
        """Puts the jobs first in the queue. A person asks: a stop and an open breaker are tried again."""
        asked, refused = 0, "there is nothing to ask"
        for ref in refs:
            state = self._job_store.states.get(ref)
            refusal = self._job_store.scheduler.refusal(state.job) if state is not None else None
            if state is None or refusal is not None:
                refused = refusal.message if refusal else f"{ref} is not on the watchlist"
                continue
            live = self._accounts[ref.account]
            live.throttle = throttle.reset(live.throttle)
            self._job_store.request_poll(ref)
            asked += 1
        if not asked:
            return CommandResult(ok=False, message=refused)
        return CommandResult(
            message=f"asking {asked} job{'s' if asked > 1 else ''}" + (f"; {refused}" if asked < len(refs) else "")
        )

    def job_history(self, ref: Ref) -> JobHistory:
        """What the journal holds of one job; nothing where it cannot be read."""
        self._job_store.journal_writer.flush()
        try:
            body = self._workspace.journal.last_body(ref)
            changes = self._workspace.journal.phase_changes([ref])[ref]
            asks = self._workspace.journal.requests(ref, MAX_REQUESTS_SHOWN)
        except JournalError as error:
            self._job_store.set_problem("news", str(error))
            return JobHistory(ref=ref)
        return JobHistory(
            ref=ref,
            body=body[0] if body else None,
            body_received_at=body[1] if body else None,
            phase_changes=changes,
            requests=asks,
        )

    def recent_changes(self, limit: int) -> tuple[PhaseChange, ...]:
        """The last phase changes of all jobs, newest first; nothing where the journal cannot be read."""
        self._job_store.journal_writer.flush()
        try:
            return self._workspace.journal.recent_phase_changes(limit)
        except JournalError as error:
            self._job_store.set_problem("news", str(error))
            return ()

    def _save_ui_state(self, values: Mapping[str, object]) -> CommandResult:
        """Keeps what a screen wants back. That it could not is no news for an operator: the journal's own fault is."""
        try:
            self._workspace.journal.save_ui_state(values)
        except JournalError as error:
            log.warning("%s", error)
        return CommandResult()


def _renewals_message(results: Sequence[RenewalResult], now: float) -> str:
    """What came of jobs that were asked for fresh links, for an operator."""
    if len(results) == 1:
        return _renewal_message(results[0], now)
    ends = [each.link.expires_at for each in results if each.link is not None and each.link.expires_at is not None]
    fresh, wrong = sum(each.is_new for each in results), [each for each in results if each.fault is not None]
    same = len(results) - fresh - len(wrong)
    parts = [f"{fresh} fresh links" if fresh != 1 else "1 fresh link"]
    parts += [f"{same} as before"] if same else []
    parts += [f"the first dies in {formatting.duration(min(ends) - now)}"] if ends else []
    parts += [f"{len(wrong)} without: {wrong[0].ref}: {wrong[0].fault.message}"] if wrong and wrong[0].fault else []
    return "; ".join(parts)


def _renewal_message(result: RenewalResult, now: float) -> str:
    """What came of one job."""
    link, fault = result.link, result.fault
    if link is None:
        return fault.message if fault is not None else "there is no link"
    left = "no expiry of it is known"
    if link.expires_at is not None:
        left = f"it lives {'' if link.expiry_is_exact else '~'}{formatting.duration(link.expires_at - now)} more"
    if fault is not None:
        return f"no fresh link: {fault.message}; there is the old one, {left}"
    return f"{'a fresh link' if result.is_new else 'the service gives the same link'}: {left}"


def _edit_message(result: Changed) -> str:
    """What a change of the watchlist did, for an operator."""
    counts = {
        "added": result.added,
        "removed": result.removed,
        "changed": result.changed,
        "there already": result.unchanged,
        "not on the watchlist": result.not_found,
    }
    return ", ".join(f"{_describe_refs(refs)} {what}" for what, refs in counts.items() if refs) or "nothing to change"


def _describe_refs(refs: tuple[Ref, ...]) -> str:
    return str(refs[0]) if len(refs) == 1 else f"{len(refs)} jobs"
