"""What a person wants of a running session: commands with their outcome, and looks into the journal."""

import logging
from collections.abc import Callable, Mapping, Sequence

from tui.domain.job_state import PhaseChange
from tui.domain.models import Ref
from tui.domain.polling import throttle
from tui.engine.accounts.account import LiveAccount
from tui.engine.api import Cancel, Command, Detail, Download, Outcome, Pause, Refresh, Remember, Renew, Resume
from tui.engine.blocking import Aside
from tui.engine.downloads.queue import Downloads
from tui.engine.polling.job_store import Ledger
from tui.engine.polling.link_renewer import Links, Renewed
from tui.presentation import formatting
from tui.storage.journal.journal import JournalError
from tui.storage.watchlist.file import Operation, Reading, WatchlistError
from tui.storage.watchlist.file import Outcome as Changed
from tui.storage.workspace import Library

ASKS_SHOWN = 200
"""The last asks of a job that its detail shows."""

log = logging.getLogger(__name__)


class Orders:
    """One session's ear for its operator. Nothing in it raises."""

    def __init__(
        self,
        library: Library,
        ledger: Ledger,
        accounts: Mapping[str, LiveAccount],
        *,
        listed: Callable[[Reading], None],
        unlock: Callable[[str], None],
        pause: Callable[[bool], Outcome],
        downloads: Downloads,
        aside: Aside,
        links: Links,
        now: Callable[[], float],
    ) -> None:
        """`listed` takes over a watchlist that was written; `unlock` an account's key, fetched anew."""
        self._library = library
        self._ledger = ledger
        self._accounts = accounts
        self._list = listed
        self._unlock = unlock
        self._pause = pause
        self._downloads = downloads
        self._aside = aside
        self._links = links
        self._now = now

    async def perform(self, command: Command) -> Outcome:
        """Does it and says what came of it. A command that cannot be done is an outcome, not an exception."""
        match command:
            case Refresh(refs):
                return self._refresh(refs)
            case Renew(refs):
                return await self._renew(refs)
            case Resume(account):
                return await self._resume(account)
            case Pause(paused):
                return self._pause(paused)
            case Remember(values):
                return self._remember(values)
            case Download(refs, folder):
                return self._downloads.want(refs, folder)
            case Cancel(refs):
                return await self._downloads.cancel(refs)
            case _:
                return self._change(command)

    async def _renew(self, refs: tuple[Ref, ...]) -> Outcome:
        """Asks the jobs for fresh links, and says how long they live."""
        found = await self._links.renewed(refs)
        links = tuple(each.link for each in found if each.link is not None)
        ok = all(each.fault is None for each in found)
        return Outcome(ok=ok, message=_lives(found, self._now()), links=links)

    async def _resume(self, account: str) -> Outcome:
        """Has the account tried again, with its key fetched anew: its command may take ten seconds."""
        if account not in self._accounts:
            return Outcome(ok=False, message=self._library.unconfigured(account))
        self._library.forget_key(account)
        await self._aside(lambda: self._library.key(account))
        self._unlock(account)
        return Outcome(message=f"{account} is tried again")

    def _change(self, operation: Operation) -> Outcome:
        """Writes the watchlist. The file is read again at the next tick: somebody may have written it since."""
        try:
            reading, outcome = self._library.change(operation)
            self._list(reading)
        except (WatchlistError, JournalError) as error:
            return Outcome(ok=False, message=str(error))
        return Outcome(message=_said(outcome), removed=outcome.cut)

    def _refresh(self, refs: tuple[Ref, ...]) -> Outcome:
        """Puts the jobs first in the queue. A person asks: a stop and an open breaker are tried again."""
        asked, refused = 0, "there is nothing to ask"
        for ref in refs:
            state = self._ledger.states.get(ref)
            refusal = self._ledger.plans.refusal(state.job) if state is not None else None
            if state is None or refusal is not None:
                refused = refusal.message if refusal else f"{ref} is not on the watchlist"
                continue
            live = self._accounts[ref.account]
            live.pace = throttle.reset(live.pace)
            self._ledger.wish(ref)
            asked += 1
        if not asked:
            return Outcome(ok=False, message=refused)
        return Outcome(
            message=f"asking {asked} job{'s' if asked > 1 else ''}" + (f"; {refused}" if asked < len(refs) else "")
        )

    def look(self, ref: Ref) -> Detail:
        """What the journal holds of one job; nothing where it cannot be read."""
        self._ledger.entries.flush()
        try:
            body = self._library.journal.body(ref)
            changes = self._library.journal.changes([ref])[ref]
            asks = self._library.journal.asks(ref, ASKS_SHOWN)
        except JournalError as error:
            self._ledger.problem("news", str(error))
            return Detail(ref=ref)
        return Detail(
            ref=ref,
            body=body[0] if body else None,
            body_at=body[1] if body else None,
            changes=changes,
            asks=asks,
        )

    def recent(self, limit: int) -> tuple[PhaseChange, ...]:
        """The last phase changes of all jobs, newest first; nothing where the journal cannot be read."""
        self._ledger.entries.flush()
        try:
            return self._library.journal.recent(limit)
        except JournalError as error:
            self._ledger.problem("news", str(error))
            return ()

    def _remember(self, values: Mapping[str, object]) -> Outcome:
        """Keeps what a screen wants back. That it could not is no news for an operator: the journal's own fault is."""
        try:
            self._library.journal.remember(values)
        except JournalError as error:
            log.warning("%s", error)
        return Outcome()


def _lives(found: Sequence[Renewed], now: float) -> str:
    """What came of jobs that were asked for fresh links, for an operator."""
    if len(found) == 1:
        return _life(found[0], now)
    ends = [each.link.expires_at for each in found if each.link is not None and each.link.expires_at is not None]
    fresh, wrong = sum(each.fresh for each in found), [each for each in found if each.fault is not None]
    same = len(found) - fresh - len(wrong)
    parts = [f"{fresh} fresh links" if fresh != 1 else "1 fresh link"]
    parts += [f"{same} as before"] if same else []
    parts += [f"the first dies in {formatting.duration(min(ends) - now)}"] if ends else []
    parts += [f"{len(wrong)} without: {wrong[0].ref}: {wrong[0].fault.message}"] if wrong and wrong[0].fault else []
    return "; ".join(parts)


def _life(renewed: Renewed, now: float) -> str:
    """What came of one job."""
    link, fault = renewed.link, renewed.fault
    if link is None:
        return fault.message if fault is not None else "there is no link"
    left = "no expiry of it is known"
    if link.expires_at is not None:
        left = f"it lives {'' if link.expiry_is_exact else '~'}{formatting.duration(link.expires_at - now)} more"
    if fault is not None:
        return f"no fresh link: {fault.message}; there is the old one, {left}"
    return f"{'a fresh link' if renewed.fresh else 'the service gives the same link'}: {left}"


def _said(outcome: Changed) -> str:
    """What a change of the watchlist did, for an operator."""
    counts = {
        "added": outcome.added,
        "removed": outcome.removed,
        "changed": outcome.changed,
        "there already": outcome.already,
        "not on the watchlist": outcome.absent,
    }
    return ", ".join(f"{_named(refs)} {what}" for what, refs in counts.items() if refs) or "nothing to change"


def _named(refs: tuple[Ref, ...]) -> str:
    return str(refs[0]) if len(refs) == 1 else f"{len(refs)} jobs"
