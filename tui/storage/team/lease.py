"""Leases of the team's accounts: a row of each with an epoch that fences writes, and its holder's heartbeat.

Each worker holds those of the accounts for which it is picked among the workers that are alive and have the key. A
holder trusts its leases for less time than the database does, counted from the start of the last renewal by a clock
that a suspend does not stop.
"""

import os
import socket
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

from tui.domain.team import NO_ACCOUNT, AccountSet, Worker, leader_of
from tui.presentation.sanitize import clean
from tui.storage.journal.database import OutdatedProgramError
from tui.storage.journal.heartbeats import Heartbeat
from tui.storage.protocols import Candidacy
from tui.storage.team.connection import (
    LAYOUT_AND_TIME,
    MIN_STEP,
    SHORT_TIMEOUT,
    TeamDatabase,
    TeamDatabaseError,
    time_since_boot,
)

TTL = 15.0
"""Seconds after its last renewal for which no other process gets a lease, and for which a worker counts as alive."""
TRUST = 14.0
"""Seconds from the start of the last renewal for which the holder relies on a lease."""
RENEW_INTERVAL = 5.0
"""Seconds between two renewals."""
OPEN_AFTER = 15.0
"""Seconds after its expiry from which any worker with the key takes a lease: the one picked for it does not."""
MAX_FORMER_AGE = 60.0
"""Seconds after the end of a lease for which the last heartbeat of its holder still tells the next one of the account.
"""
HANDOVER_AGE = 30.0
"""Seconds that a worker has lived before others hand their leases over to it."""


class _Row(NamedTuple):
    """Lease as the database has it."""

    account: str
    base_url: str
    holder: str | None
    expired_for: float
    """Seconds since its expiry; below 0: it has not expired."""
    revision: int
    heartbeat: Heartbeat | None
    """Last one of the present or of the former holder."""
    has_worker: bool
    """Whether the holder is a known worker."""


class _Holding(NamedTuple):
    """Lease that this process holds."""

    epoch: int
    """Writes of another epoch are refused."""
    renewed_at: float


class TeamLease:
    """Leases of one process. Nothing is acquired before `acquire`."""

    def __init__(
        self,
        database: TeamDatabase,
        *,
        may_hold: bool,
        name: str = "",
        addresses: Mapping[str, str] | None = None,
        weight: float = 1.0,
        monotonic: Callable[[], float] = time_since_boot,
    ) -> None:
        """`may_hold`: this process polls; else it only follows. `name`: of the worker, the same at every start.

        `addresses`: base URLs of the accounts, as configured here. `weight`: share of the accounts.
        """
        self._database = database
        self.is_worker = may_hold
        """Whether this process is there to poll."""
        self._name, self._weight = name or socket.gethostname(), weight
        self._addresses = addresses or {}
        self._monotonic = monotonic
        self.holder = uuid.uuid4().hex
        """Id of this process, new at every start."""
        self.problems: Sequence[str] = ()
        """Why this process does not poll some of its accounts, for the operator."""
        self._held: dict[str, _Holding] = {}
        self._leaving = NO_ACCOUNT
        """Accounts that are handed over: they are not polled any more, and the next `acquire` releases them."""
        self._able: frozenset[str] | None = None
        """Accounts that this process can poll; None: not known yet."""
        self._rows: dict[str, _Row] = {}
        self._has_read = False
        """Whether the leases were read by the last `acquire`, and not used since."""
        self._renewed_at: float | None = None
        self._step_count = 0
        """Steps of the database's clock before the last renewal: a later one ends the trust in it."""

    @property
    def may_hold(self) -> bool:
        """Whether this process polls: not if it is too old to write."""
        return self.is_worker and self._database.layout.is_writable

    @property
    def held(self) -> AccountSet:
        """Accounts that this process polls, as far as it can rely on its leases."""
        return frozenset(self.epochs) - self._leaving

    @property
    def epochs(self) -> Mapping[str, int]:
        """Epochs of the leases under which this process can write."""
        if not self.may_hold or self._step_count != self._database.clock.step_count:
            return {}
        now = self._monotonic()
        return {account: each.epoch for account, each in self._held.items() if now - each.renewed_at < TRUST}

    def lose(self, account: str) -> None:
        """Rely on the lease of an account no longer: the database refused a write of its epoch."""
        self._held.pop(account, None)

    def may_return(self, account: str) -> bool:
        """Return whether this process may get the lease of an account that it does not hold now."""
        row = self._rows.get(account)
        is_taken = row is not None and row.expired_for < 0 and row.holder != self.holder
        return self.may_hold and not is_taken and (self._able is None or account in self._able)

    async def acquire(self, candidacy: Candidacy) -> AccountSet:
        """Renew the leases, acquire and hand over those for which that is due; return the accounts to poll.

        Raises JournalError if the database cannot be reached, and no lease is trusted any more.
        """
        if not self.may_hold:
            await self.release()
            return NO_ACCOUNT
        try:
            await self._release(self._leaving)
            await self._update(candidacy)
        except TeamDatabaseError:
            if not self.held and self.may_hold:
                raise
        return self.held

    async def _update(self, candidacy: Candidacy) -> None:
        others = await self._read(candidacy.accounts)
        self._held = {each: holding for each, holding in self._held.items() if self._rows[each].holder == self.holder}
        able = frozenset(each for each in candidacy.accounts if self._has_same_address(each))
        workers = [*others, Worker(self._name, able, self._weight)]
        picked = {account: leader_of(account, workers) for account in able | self._held.keys()}
        wanted = {each for each in able - self._held.keys() if self._is_free(each, picked[each])}
        started_at, last = self._monotonic(), self._renewed_at
        has_stepped = self._step_count != self._database.clock.step_count
        if wanted or has_stepped or able != self._able or last is None or started_at - last >= RENEW_INTERVAL:
            await self._renew(able, self._held.keys() | wanted, candidacy.hooks)
        self._leaving = frozenset(
            account
            for account in self._held
            if self._is_handed_over(
                picked.get(account), is_able=account in able, is_refused=account in candidacy.refused
            )
        )

    def _is_free(self, account: str, picked: Worker | None) -> bool:
        """Return whether this process takes the lease of an account that it does not hold."""
        row = self._rows[account]
        is_picked = picked is not None and picked.name == self._name
        return row.holder == self.holder or row.expired_for >= (0 if is_picked else OPEN_AFTER)

    def _is_handed_over(self, picked: Worker | None, *, is_able: bool, is_refused: bool) -> bool:
        """Return whether this process gives up the lease of an account; `picked`: worker that is to poll it.

        Without another worker, one whose key the service has refused stays, to show that.
        """
        is_other = picked is not None and picked.name != self._name
        if is_able:
            return is_other and picked is not None and picked.age >= HANDOVER_AGE
        return is_other or not is_refused

    def _has_same_address(self, account: str) -> bool:
        own, team = self._addresses.get(account, ""), self._rows[account].base_url
        return not team or team == own

    async def _read(self, accounts: Collection[str]) -> list[Worker]:
        """Read all leases, and return the other workers that are alive. Each of the accounts has a lease afterwards."""
        rows = await self._database.execute_timed(
            "SELECT name, weight, accounts, extract(epoch FROM clock_timestamp()) - started_at, incarnation, "
            f"{LAYOUT_AND_TIME} FROM babeltop.worker "
            "WHERE abs(seen_at - extract(epoch FROM clock_timestamp())) < %s",  # later: before the clock was set back
            (TTL,),
        )
        await self._read_leases()
        new = [each for each in accounts if each not in self._rows]
        if new:
            await self._database.write(
                "INSERT INTO babeltop.lease (account, base_url) SELECT * FROM unnest(%s::text[], %s::text[]) "
                "ON CONFLICT (account) DO NOTHING",
                (new, [self._addresses.get(account, "") for account in new]),
            )
            await self._read_leases()
        differing = [each for each in accounts if not self._has_same_address(each)]
        self.problems = [
            f"Account {each} is not polled here: its base_url is not the team's, {clean(self._rows[each].base_url)}. "
            "Correct config.toml, or run `babeltop team init` with this one as the owner of the database"
            for each in sorted(differing)
        ]
        return [
            Worker(name, frozenset(able), float(weight), float(age))
            for name, weight, able, age, incarnation in rows
            if incarnation != self.holder
        ]

    async def _read_leases(self) -> None:
        rows = await self._database.execute_timed(
            "SELECT account, base_url, holder, "
            "CASE WHEN expires_at = 'epoch' THEN 'infinity' "
            "WHEN expires_at > clock_timestamp() + make_interval(secs => %s) THEN 0 "  # before the clock was set back
            "ELSE extract(epoch FROM clock_timestamp() - expires_at) END::float8, revision, heartbeat, "
            f"heartbeat_number, pid, host, {LAYOUT_AND_TIME} "
            "FROM babeltop.lease LEFT JOIN babeltop.worker ON incarnation = holder",
            (TTL + MIN_STEP,),
        )
        self._rows = {
            account: _Row(
                account,
                base_url,
                holder,
                expired_for,
                revision,
                None if states is None else Heartbeat(pid or 0, number, bytes(states), clean(host or ""), account),
                pid is not None,
            )
            for account, base_url, holder, expired_for, revision, states, number, pid, host in rows
        }
        self._has_read = True

    async def _renew(self, able: frozenset[str], accounts: Iterable[str], hooks: Sequence[str]) -> None:
        """Renew all leases and the worker's row by one statement; take those of `accounts` that are free."""
        started_at, step_count = self._monotonic(), self._database.clock.step_count
        step, stepped_at = self._database.clock.last_step or (None, None)
        rows = await self._database.write(
            "WITH seen AS (INSERT INTO babeltop.worker AS known (incarnation, name, host, pid, version, weight, "
            "accounts, hooks, clock_step, clock_stepped_at) VALUES (%(holder)s, %(name)s, %(host)s, %(pid)s, "
            "%(version)s, %(weight)s, %(able)s, %(hooks)s, %(step)s, %(stepped_at)s) "
            "ON CONFLICT (incarnation) DO UPDATE SET seen_at = excluded.seen_at, "
            "accounts = excluded.accounts, hooks = excluded.hooks, clock_step = excluded.clock_step, "
            "clock_stepped_at = excluded.clock_stepped_at) "
            "SELECT account, epoch "
            "FROM babeltop.renew_leases(%(holder)s, %(accounts)s, make_interval(secs => %(ttl)s))",
            {
                "holder": self.holder,
                "name": self._name,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "version": _version(),
                "weight": self._weight,
                "able": sorted(able),
                "hooks": list(hooks),
                "accounts": list(accounts),
                "ttl": TTL,
                "step": step,
                "stepped_at": stepped_at,
            },
            seconds=SHORT_TIMEOUT,
        )
        self._held = {account: _Holding(epoch, started_at) for account, epoch in rows}
        self._able, self._renewed_at, self._step_count = able, started_at, step_count

    async def is_free(self) -> bool:
        """Return whether no other process polls and this one may."""
        return self.may_hold and not await self._database.execute(
            "SELECT FROM babeltop.lease WHERE expires_at > clock_timestamp() AND holder <> %s", (self.holder,)
        )

    async def release(self) -> None:
        """Let all leases expire at once, and count as a live worker no longer."""
        if self._renewed_at is None:
            return
        accounts, self._renewed_at = frozenset(self._held), None
        try:
            await self._release(accounts)
            await self._database.execute("DELETE FROM babeltop.worker WHERE incarnation = %s", (self.holder,))
        except (TeamDatabaseError, OutdatedProgramError):
            return  # they expire by themselves

    async def _release(self, accounts: frozenset[str]) -> None:
        self._leaving = NO_ACCOUNT
        for account in accounts:
            self._held.pop(account, None)
        if accounts:
            await self._database.execute(
                "UPDATE babeltop.lease SET expires_at = clock_timestamp(), holder = NULL "
                "WHERE account = ANY(%s) AND holder = %s",
                (list(accounts), self.holder),
            )

    async def heartbeats(self) -> Sequence[Heartbeat]:
        """Return the last heartbeat of each account whose lease has not expired, as `acquire` has read it if it did.

        Of an account that this process has just taken over it is that of the former holder, unless that is too old.
        """
        if not self._has_read:
            await self._read_leases()
        self._has_read = False
        return [row.heartbeat for row in self._rows.values() if row.heartbeat is not None and self._is_recent(row)]

    def _is_recent(self, row: _Row) -> bool:
        is_live = row.has_worker and row.expired_for < 0
        return is_live or (row.account in self.held and row.expired_for < MAX_FORMER_AGE)

    async def write_heartbeats(self, encode: Callable[[AccountSet], bytes]) -> None:
        """Write the heartbeats of the accounts that this process still holds, by one statement."""
        epochs = self.epochs
        await self._database.write(
            "WITH beat AS (SELECT lease.account, beat.states FROM babeltop.lease JOIN "
            "unnest(%s::text[], %s::bigint[], %s::bytea[]) AS beat (account, epoch, states) USING (account, epoch) "
            "WHERE holder = %s ORDER BY lease.account FOR UPDATE OF lease) "
            "UPDATE babeltop.lease SET heartbeat = beat.states, heartbeat_number = heartbeat_number + 1 "
            "FROM beat WHERE lease.account = beat.account",
            (list(epochs), list(epochs.values()), [encode(frozenset([each])) for each in epochs], self.holder),
        )


def _version() -> str:
    try:
        return version("babeltop")
    except PackageNotFoundError:
        return ""
