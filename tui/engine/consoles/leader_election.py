"""Leader election between consoles on one watchlist: the holder of an account's lease polls it, the others follow.

A leader writes heartbeats. A follower reports a silent leader, and takes over when the lease is free. In a team each
account has a lease; elsewhere one holds for every account.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tui.domain.team import EVERY_ACCOUNT, NO_ACCOUNT, AccountSet, AllExcept
from tui.engine.api import AWAY, AccountState
from tui.engine.consoles.leader_accounts import decode_accounts, encode_accounts
from tui.engine.context import EngineContext
from tui.storage.journal.database import JournalError, UnreachableError
from tui.storage.journal.heartbeats import Heartbeat
from tui.storage.protocols import Candidacy, Lease

HEARTBEAT_INTERVAL = 5.0
"""Seconds between two heartbeats of the leader. A change of an account's health is written at once."""
NO_WORKER = "No worker polls: start `babeltop watch` where the API keys are"
SILENT_AFTER = 15.0
"""Seconds without a heartbeat after which a leader counts as not responding."""


class ConsoleRole(NamedTuple):
    """Role of a console for its watchlist."""

    polled: AccountSet
    """Accounts that this console polls."""
    leaders: frozenset[tuple[str, int]] = frozenset()
    """Computers and processes that poll others, as their heartbeats state; the computer is "" for this one."""
    silent: AccountSet = NO_ACCOUNT
    """Accounts whose leader does not respond, or that have none."""
    paused: AccountSet = NO_ACCOUNT
    """Accounts whose leader is paused, as its last heartbeat states."""
    accounts: tuple[AccountState, ...] = ()
    """Account states of new heartbeats."""
    taken_over: tuple[AccountState, ...] = ()
    """Last states of accounts that this console polls from now on, as their former leader published them."""
    lease_error: str | JournalError = ""
    """Why the leases can't be read, or that no process holds one, for the operator."""
    is_cut_off: bool = False
    """In a team: the leases can't be read, so that nothing is known of other processes."""
    is_viewer: bool = False
    """The console reads no links, and changes nothing."""

    @property
    def is_leader(self) -> bool:
        """Whether this console polls at all."""
        return bool(self.polled)

    @property
    def text(self) -> str:
        """Text for the top bar."""
        if self.is_leader:
            return "polling"
        activity = "viewing" if self.is_viewer else "following"
        if isinstance(self.lease_error, UnreachableError):
            return f"{activity}, {AWAY}"
        match tuple(self.leaders):
            case ():
                pass
            case ((host, pid),):
                activity = f"{activity} {host or f'PID {pid}'}"
            case several:
                activity = f"{activity} {len(several)} workers"
        return f"{activity}, paused" if self.paused else activity

    @property
    def problem(self) -> str | JournalError:
        """Problem for the operator; "" without one."""
        if self.silent is EVERY_ACCOUNT and not self.lease_error:
            [(_, pid)] = self.leaders
            return f"Leader (PID {pid}) not responding: end that process, and another console takes over"
        return self.lease_error


class LeaderElection:
    """Election of one console. Nothing is locked before `update`."""

    def __init__(self, context: EngineContext, lease: Lease, *, subset_only: bool, in_team: bool = False) -> None:
        """`subset_only`: the console handles only some jobs, so it takes no lease; it polls while the lease is free.

        `in_team`: without the lease there is no polling, and a heartbeat is that of a live lease.
        """
        self._in_team = in_team
        self._monotonic = context.clock.monotonic
        self._subset_only = subset_only
        self._lease = lease
        self._started_at = self._monotonic()
        self._heartbeats: dict[str, Heartbeat] = {}
        """Last heartbeats by account."""
        self._seen_at: dict[str, float] = {}
        """Instants of the last sign of life of each account's leader."""
        self._followed: dict[str, AccountState] = {}
        """Last states of the accounts that others poll, by name."""
        self._led: set[str] = set()
        """Accounts that this console polls, or once did."""
        self._paused: set[str] = set()
        self._written_at = -HEARTBEAT_INTERVAL
        self._written: object = None

    async def update(self, candidacy: Candidacy) -> ConsoleRole:
        """Take the leases that are free, and return the role."""
        polled: AccountSet = NO_ACCOUNT
        try:
            if not self._subset_only or self._in_team:
                polled = await self._lease.acquire(candidacy)
            elif await self._lease.is_free():
                polled = EVERY_ACCOUNT
            now = self._monotonic()
            if polled is EVERY_ACCOUNT:
                self._seen_at[""] = now
                return ConsoleRole(polled, taken_over=self._take_over(polled))
            self._seen_at |= {each: now for each in candidacy.accounts | candidacy.refused if each in polled}
            heartbeats = await self._lease.heartbeats()
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}: other consoles may poll too. Check the folder's permissions"
            return ConsoleRole(EVERY_ACCOUNT, lease_error=reason)
        except JournalError as error:
            if self._in_team:
                self._heartbeats = {}  # those that are read next are news, although they are the same
                own = [each for each in candidacy.accounts | candidacy.refused if each in polled]
                return ConsoleRole(polled, silent=AllExcept(own), lease_error="" if polled else error, is_cut_off=True)
            heartbeats = tuple(self._heartbeats.values())  # the error is shown when external changes are read
        return self._role(polled, heartbeats)

    def _role(self, polled: AccountSet, heartbeats: Iterable[Heartbeat]) -> ConsoleRole:
        found = dict[str, Heartbeat]()
        for heartbeat in heartbeats:
            if heartbeat.account not in polled:
                found[heartbeat.account] = heartbeat
            elif heartbeat.account not in self._led:  # of its former leader
                self._followed |= {state.name: state for state in decode_accounts(heartbeat)[0]}
                self._led.add(heartbeat.account)
        accounts: list[AccountState] = []
        for account, heartbeat in found.items():
            if heartbeat != self._heartbeats.get(account):
                self._seen_at[account] = self._monotonic()
                states, is_paused = decode_accounts(heartbeat)
                accounts += states
                self._followed |= {state.name: state for state in states}
                (self._paused.add if is_paused else self._paused.discard)(account)
        self._heartbeats = found
        silent, paused = self._silent(), frozenset(self._paused)
        self._paused = {account for account in paused if account not in polled}
        return ConsoleRole(
            polled,
            frozenset((heartbeat.host, heartbeat.pid) for heartbeat in found.values()),
            silent,
            EVERY_ACCOUNT if "" in paused else paused,
            tuple(accounts),
            self._take_over(polled),
            NO_WORKER if self._in_team and silent and not polled and not found else "",
        )

    def _take_over(self, polled: AccountSet) -> tuple[AccountState, ...]:
        """Return the states of the accounts that others polled until now, once."""
        return tuple(self._followed.pop(name) for name in list(self._followed) if name in polled)

    def _silent(self) -> AccountSet:
        """Return the accounts without a sign of life of a leader for too long."""
        now = self._monotonic()
        if not self._in_team:
            is_overdue = now - self._seen_at.get("", self._started_at) > SILENT_AFTER
            return EVERY_ACCOUNT if is_overdue and self._heartbeats else NO_ACCOUNT
        live = {account for account, at in self._seen_at.items() if now - at <= SILENT_AFTER}
        if now - self._started_at > SILENT_AFTER:
            return AllExcept(live)
        return frozenset(self._seen_at.keys() - live)

    async def write_heartbeats(self, accounts: Iterable[AccountState], paused: AccountSet) -> None:
        """Write heartbeats with the account states, if this console holds a lease and one is due."""
        states = tuple(accounts)
        summary = [(state.name, state.health, state.waits_until, state.name in paused) for state in states]
        is_due = self._monotonic() - self._written_at >= HEARTBEAT_INTERVAL or summary != self._written
        if not self._lease.held or not is_due:
            return

        def encode(wanted: AccountSet) -> bytes:
            """Return the states of some accounts, and whether polling is paused."""
            found = tuple(state for state in states if state.name in wanted)
            is_paused = paused is EVERY_ACCOUNT or any(state.name in paused for state in found)
            return encode_accounts((found, is_paused))

        try:
            await self._lease.write_heartbeats(encode)
        except JournalError:
            return  # shown by the journal writer; the next tick tries again
        self._written_at, self._written = self._monotonic(), summary

    async def release(self) -> None:
        """Release the leases."""
        await self._lease.release()
