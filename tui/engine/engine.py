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
from tui.engine.accounts.account import LiveAccount
from tui.engine.accounts.api_migration import Turn
from tui.engine.api import AccountState, Command, Detail, Health, Kind, Notice, Outcome
from tui.engine.blocking import Aside, at_once
from tui.engine.clock import SUSPENDED, Clock
from tui.engine.command_handler import Orders
from tui.engine.consoles.leader_election import Leading, Role
from tui.engine.consoles.watchlist_watcher import Watching
from tui.engine.downloads.job import JobFiles
from tui.engine.downloads.queue import Downloads
from tui.engine.http.client import Bounds, Client, Transport
from tui.engine.journal.fallback import Keeping
from tui.engine.journal.pruner import Pruning
from tui.engine.notifications.alert_monitor import Alerts, Occasion
from tui.engine.polling.job_store import HURRIED, Ledger, Listener
from tui.engine.polling.link_renewer import Links, Renewed
from tui.engine.polling.poll_executor import Asking
from tui.engine.polling.poller import Poller
from tui.engine.polling.user_poll import Check
from tui.storage.journal.journal import JournalError
from tui.storage.journal.rate_limits import Budgets
from tui.storage.workspace import Library

TICK = 1.0
"""Seconds between looks at the watchlist, the journal and the clock: edits from outside show within two."""
RESPREAD = 30.0
"""Seconds over which what became due during a suspend is spread."""

log = logging.getLogger(__name__)


class Session:
    """One engine over one library. Made on the loop that runs it."""

    def __init__(
        self,
        library: Library,
        listener: Listener,
        *,
        wall: Callable[[], float] = time.time,
        random: Random | None = None,
        transport: Transport | None = None,
        only: Collection[Ref] | None = None,
        bounds: Bounds = Bounds(),  # noqa: B008  frozen
        tick: float = TICK,
        aside: Aside = at_once,
        hooks: Callable[[Occasion], None] | None = None,
    ) -> None:
        """`wall` gives instants, the loop's own clock the time that passes. `transport` replaces the network.

        `only`: the jobs that it is about; None: all that the watchlist holds. `bounds` and `tick` (seconds between
        looks at files and clock) are for tests, which have no time. `aside` does what would block the loop. `hooks`
        tells the operator's hooks; None: they are told nothing.
        """
        random = random or Random()
        self._library = library
        self._random = random
        self._transport = transport
        self._only = only
        self._bounds = bounds
        self._tick = tick
        self._clock = Clock(wall, asyncio.get_running_loop().time)
        self._alerts = Alerts(listener, library, self._clock.now, hooks)
        self._listener: Listener = self._alerts
        self._tls = functools.cache(httpx.create_ssl_context)
        self._accounts = {
            name: LiveAccount(account, self._clock.now, random, library.heir, self._budgets, self._heeded)
            for name, account in library.accounts.items()
        }
        self._ledger = Ledger(
            library,
            self._accounts,
            self._listener,
            now=self._clock.now,
            random=random,
            queue=self._queue,
            changed=self._alerts.changed,
        )
        self._asking = Asking(self._ledger, told=self._heard, turned=self._turned, now=self._clock.now)
        self._pollers = {
            name: Poller(live, self._asking.due, self._asking.joins, self._tls, transport, bounds)
            for name, live in self._accounts.items()
        }
        self._watching = Watching(library, self._ledger, only, self._clock.now)
        self._keeping = Keeping(library, self._ledger, asyncio.get_running_loop().time)
        self._leading = Leading(library, asyncio.get_running_loop().time, partly=only is not None)
        self.links = Links(self._accounts, self._ledger, self._asking.anew, self._connect, self._clock.now)
        """Links that are good when somebody wants one."""
        self._role = Role(polling=True)
        self._paused = False
        self._pruning = Pruning(library, self._clock.now)
        self._noticed = 0
        files = JobFiles(
            library,
            self._ledger,
            self._accounts,
            tell=self._listener.download,
            fresh=self.links.fresh,
            now=self._clock.now,
            aside=aside,
            tls=self._tls,
            transport=transport,
            random=random,
        )
        self.downloads = Downloads(library, self._ledger, self._listener, files, leads=self._leads, now=self._clock.now)
        """What is fetched of the results."""
        self._orders = Orders(
            library,
            self._ledger,
            self._accounts,
            listed=self._watching.listed,
            unlock=self._unlock,
            pause=self._pause,
            downloads=self.downloads,
            aside=aside,
            links=self.links,
            now=self._clock.now,
        )
        self._told: dict[str, AccountState] = {}
        for name, live in self._accounts.items():
            live.unlock(library.key(name))

    def _leads(self) -> bool:
        """It does what the watchlist wants done of itself."""
        return self._role.polling and self._only is None

    def _budgets(self) -> Budgets:
        return self._library.journal.budgets

    @property
    def states(self) -> dict[Ref, JobState]:
        """The board, in the watchlist's order."""
        return self._ledger.states

    def open(self, *, patient: bool = False) -> None:
        """Puts the watchlist on the board, with what the journal knows of it. Raises WatchlistError and JournalError.

        `patient`: a watchlist that cannot be read is a problem on the board, and waited for; without a journal that
        can be written, nothing is kept.
        """
        if patient:
            self._keeping.open()
        self._recall()
        self._watching.open(patient=patient)
        self._tell_accounts()

    def _recall(self) -> None:
        """What is known from before of the successors of APIs that are over. Raises JournalError."""
        for name, live in self._accounts.items():
            if live.succession.heir is not None:
                known = self._library.journal.successors.refusals(name, live.succession.heir.provider.name)
                live.succession.recall(known)

    def settled(self, ref: Ref) -> bool:
        """The job has ended, and its result is not on its way."""
        state = self.states[ref]
        coming = state.fault is None and not state.job.archived and self._ledger.plans.wants_result(state)
        return state.phase in ENDED and not coming

    async def run(self) -> None:
        """Polls, or follows who does, until it is cancelled; the journal is whole afterwards."""
        try:
            self._take_part()
            self._listener.role(self._role.text)
            async with asyncio.TaskGroup() as tasks:
                for poller in self._pollers.values():
                    tasks.create_task(poller.run())
                tasks.create_task(self.downloads.run())
                tasks.create_task(self._ticks())
        finally:
            self._ledger.entries.flush()
            self._alerts.tell()
            self._leading.end()

    def _queue(self, ref: Ref, at: float | None) -> None:
        """Who follows, or is paused, asks nothing but what a person wants at once."""
        self.downloads.consider(ref)
        poller = self._pollers.get(ref.account)
        if poller is not None and at is not None and (self._asks or at == HURRIED):
            poller.put(ref, at)
        elif poller is not None:
            poller.drop(ref)

    @property
    def _asks(self) -> bool:
        return self._role.polling and not self._paused

    def _pause(self, paused: bool) -> Outcome:
        """Asks nothing by itself from now on, or goes on."""
        if not self._role.polling:
            return Outcome(ok=False, message=f"this console is {self._role.text}: Z has to be pressed over there")
        if paused is not self._paused:
            self._paused = paused
            self._listener.role("paused" if paused else self._role.text)
            if paused:
                self._drop_all()
            else:
                self._ledger.resume()
        return Outcome(
            message="asking is paused: what is not asked for by hand grows old" if paused else "asking goes on"
        )

    def _drop_all(self) -> None:
        for ref in self.states:
            self._queue(ref, None)

    # What passes by itself.

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(self._tick)
            self._follow_clock()
            self._take_part()
            self._watching.look()
            for name in self._library.changed_keys():
                self._unlock(name)
            self._read_journal()
            self._keeping.look()
            self._tell_accounts()
            self._alerts.pass_time()
            if self._role.polling:
                self._pruning.look(self.states)

    def _take_part(self) -> None:
        """Polls where nobody else does; else shows what the poller says, and that it says nothing any more."""
        before, role = self._role, self._leading.look()
        self._role = role
        self._ledger.problem("lease", role.problem)
        if role.text != before.text:
            self._listener.role(role.text)
        if role.polling and not before.polling:
            self._ledger.resume()
        elif before.polling and not role.polling:
            self._drop_all()
        if role.silent:
            self._ledger.outdate()
        for account in role.accounts:
            self._tell(account)
        if role.polling:
            self._leading.beat((live.refreshed() for live in self._accounts.values()), paused=self._paused)

    def _follow_clock(self) -> None:
        """After a suspend, what became due is spread; where the clock was set, the schedule moves along with it."""
        gap = self._clock.correct()
        if gap:
            for live in self._accounts.values():
                live.jumped()
        if gap >= SUSPENDED:
            for poller in self._pollers.values():
                poller.respread(lambda: self._random.uniform(0, RESPREAD))
        elif gap:
            for name, poller in self._pollers.items():
                self._accounts[name].shift(gap)
                poller.shift(gap)
            self._ledger.shift(gap)

    def _heeded(self) -> float:
        """The instant by which an ask is dated. A second after waking the next tick is yet to come."""
        self._follow_clock()
        return self._clock.now()

    def _read_journal(self) -> None:
        """Takes over what other processes asked."""
        try:
            news = self._library.journal.news()
        except JournalError as error:
            self._ledger.problem("news", str(error))
            return
        self._ledger.problem("news", "")
        for state in news.values():
            self._ledger.adopt(state, following=not self._role.polling)
        notices = self._library.journal.notices
        for text in notices[self._noticed :]:
            self._listener.notice(Notice(Kind.CHANGED, text, None, self._clock.now()))
        self._noticed = len(notices)

    def _unlock(self, name: str) -> None:
        live = self._accounts[name]
        live.unlock(self._library.key(name))
        self._pollers[name].renew()
        self._ledger.reconsider(name)
        self._tell_account(live)

    def _turned(self, live: LiveAccount, ref: Ref, turn: Turn) -> None:
        """Keeps what was decided about the successor of an API that is over, and says where an account has moved."""
        now, successors = self._clock.now(), self._library.journal.successors
        try:
            if turn is Turn.MOVED:
                provider = live.account.provider
                text = f"{ref.account} has moved to {provider.title}: the API that it was asked at is over"
                self._listener.notice(Notice(Kind.ACCOUNT, text, None, now))
                self._ledger.moved(ref.account)
                successors.moved(ref.account, provider.name, now)
            elif turn is Turn.REFUSED and live.succession.heir is not None:
                successors.refused(ref.account, ref.id, live.succession.heir.provider.name, now)
        except JournalError as error:
            log.warning("%s", error)

    def _heard(self, live: LiveAccount) -> None:
        """An answer came. What held back all others may be over, whatever becomes of its own job."""
        self._pollers[live.account.name].look()
        self._tell_account(live)

    def _tell_accounts(self) -> None:
        for live in self._accounts.values():
            self._tell_account(live)

    def _tell_account(self, live: LiveAccount) -> None:
        """Who follows shows what the poller finds, once it has said so."""
        if self._role.polling or live.account.name not in self._told:
            self._tell(live.refreshed())

    def _tell(self, state: AccountState) -> None:
        told = self._told.get(state.name)
        if told == state:
            return
        self._told[state.name] = state
        self._listener.account(state)
        if state.health is Health.REFUSED and (told is None or told.health is not Health.REFUSED):
            text = f"{state.name} is not asked any more: {state.message}"
            self._listener.notice(Notice(Kind.ACCOUNT, text, None, self._clock.now()))

    # What a person wants.

    async def perform(self, command: Command) -> Outcome:
        """Does it and says what came of it. A command that cannot be done is an outcome, not an exception."""
        return await self._orders.perform(command)

    def look(self, ref: Ref) -> Detail:
        """What the journal holds of one job; nothing where it cannot be read."""
        return self._orders.look(ref)

    def recent(self, limit: int) -> tuple[PhaseChange, ...]:
        """The last phase changes of all jobs, newest first; nothing where the journal cannot be read."""
        return self._orders.recent(limit)

    # Once, now.

    async def check(self, refs: Iterable[Ref]) -> None:
        """Asks each job once, now, within its account's pace, and for the result of what is done."""
        check = Check(self._accounts, self._ledger, self._asking.one, self._connect, self._clock.now)
        try:
            await check.run(refs)
        finally:
            self._ledger.entries.flush()
            self._alerts.tell()

    async def renew(self, refs: Iterable[Ref]) -> list[Renewed]:
        """Asks each job for fresh links, once, now, within its account's pace."""
        try:
            return await self.links.renewed(refs)
        finally:
            self._ledger.entries.flush()

    def _connect(self, live: LiveAccount) -> Client:
        return live.client(self._tls, self._transport, self._bounds)
