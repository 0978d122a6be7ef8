"""Lease of the team's poller: a row with an epoch that fences writes, and the holder's heartbeat.

A holder trusts its lease for less time than the database does, counted from the start of the last renewal by a clock
that a suspend does not stop.
"""

import os
import socket
import uuid
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from tui.storage.journal.database import OutdatedProgramError
from tui.storage.journal.heartbeats import Heartbeat
from tui.storage.team.connection import LAYOUT_AND_TIME, TeamDatabase, TeamDatabaseError, time_since_boot
from tui.storage.team.schema import LEASE_NAME

TTL = 15.0
"""Seconds after its last renewal for which no other process gets the lease."""
TRUST = 14.0
"""Seconds from the start of the last renewal for which the holder relies on it."""
RENEW_INTERVAL = 5.0
"""Seconds between two renewals."""


class TeamLease:
    """Lease of one process. Nothing is acquired before `acquire`."""

    def __init__(
        self, database: TeamDatabase, *, may_hold: bool, monotonic: Callable[[], float] = time_since_boot
    ) -> None:
        """`may_hold`: this process polls; else it only follows."""
        self._database = database
        self.is_worker = may_hold
        """Whether this process is there to poll."""
        self._monotonic = monotonic
        self.holder = uuid.uuid4().hex
        """Id of this process, new at every start."""
        self.epoch = 0
        """Epoch of the lease that this process holds; writes of another epoch are refused."""
        self.is_taken = False
        """Whether another process held the lease at the last attempt to acquire it."""
        self._renewed_at = 0.0
        self._is_acquired = False

    @property
    def may_hold(self) -> bool:
        """Whether this process polls, if it gets the lease: not if it is too old to write."""
        return self.is_worker and self._database.layout.is_writable

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lease, as far as it can rely on it."""
        return self._is_acquired and self.may_hold and self._monotonic() - self._renewed_at < TRUST

    def lose(self) -> None:
        """Rely on the lease no longer: the database refused a write of this epoch."""
        self._is_acquired = False

    async def acquire(self) -> bool:
        """Acquire the lease, or renew it if that is due; return whether this process holds it.

        Raises JournalError if the database cannot be reached, and the lease is not trusted any more.
        """
        started_at = self._monotonic()
        if self.is_held and started_at - self._renewed_at < RENEW_INTERVAL:
            return True
        if self.may_hold:
            await self._renew(started_at)
        if not self.may_hold:
            await self.release()
        return self._is_acquired

    async def _renew(self, started_at: float) -> None:
        try:
            rows = await self._database.execute_timed(
                f"SELECT epoch, {LAYOUT_AND_TIME} "
                "FROM babeltop.acquire_lease(%s, %s, %s, %s, %s, make_interval(secs => %s))",
                (LEASE_NAME, self.holder, socket.gethostname(), os.getpid(), _version(), TTL),
                writes=True,
            )
        except TeamDatabaseError:
            if self.is_held or not self.may_hold:
                return
            raise
        self._is_acquired, self.is_taken = bool(rows), not rows
        if rows:
            self.epoch, self._renewed_at = rows[0][0], started_at

    async def is_free(self) -> bool:
        """Return whether no process holds the lease and this one may."""
        return self.may_hold and not await self._database.execute(
            "SELECT FROM babeltop.lease WHERE name = %s AND expires_at > clock_timestamp() AND holder <> %s",
            (LEASE_NAME, self.holder),
        )

    async def release(self) -> None:
        """Let the lease expire at once, if this process holds it."""
        if not self._is_acquired:
            return
        self._is_acquired = False
        try:
            await self._database.execute(
                "UPDATE babeltop.lease SET expires_at = 'epoch', holder = NULL WHERE name = %s AND holder = %s",
                (LEASE_NAME, self.holder),
            )
        except (TeamDatabaseError, OutdatedProgramError):
            return  # it expires by itself

    async def last_heartbeat(self) -> Heartbeat | None:
        """Read the last heartbeat of a holder whose lease has not expired."""
        rows = await self._database.execute_timed(
            f"SELECT pid, heartbeat_number, heartbeat, host, expires_at > clock_timestamp(), {LAYOUT_AND_TIME} "
            "FROM babeltop.lease WHERE name = %s",
            (LEASE_NAME,),
        )
        if not rows or rows[0][2] is None:
            return None
        pid, number, states, host, is_live = rows[0]
        return Heartbeat(pid, number, bytes(states), host) if is_live else None

    async def write_heartbeat(self, account_states: bytes) -> None:
        """Write a heartbeat, if this process still holds the lease."""
        await self._database.write(
            "UPDATE babeltop.lease SET heartbeat = %s, heartbeat_number = heartbeat_number + 1 "
            "WHERE name = %s AND holder = %s AND epoch = %s",
            (account_states, LEASE_NAME, self.holder, self.epoch),
        )


def _version() -> str:
    try:
        return version("babeltop")
    except PackageNotFoundError:
        return ""
