"""Leader election between consoles on one watchlist: the holder of its lease polls, the others follow.

The leader writes heartbeats to the journal. A follower reports a silent leader, and takes over when the lease is free.
"""

from collections.abc import Iterable
from typing import NamedTuple

from tui.engine.api import AccountState
from tui.engine.consoles.leader_accounts import decode_accounts, encode_accounts
from tui.engine.context import EngineContext
from tui.storage.journal.database import JournalError
from tui.storage.journal.heartbeats import Heartbeat
from tui.storage.protocols import Lease

HEARTBEAT_INTERVAL = 5.0
"""Seconds between two heartbeats of the leader. A change of an account's health is written at once."""
NO_WORKER = "No worker polls: start `babeltop watch` where the API keys are"
SILENT_AFTER = 15.0
"""Seconds without a heartbeat after which the leader counts as not responding."""


class ConsoleRole(NamedTuple):
    """Role of a console for its watchlist."""

    is_leader: bool
    """This console polls."""
    pid: int | None = None
    """Process of the leader, if that is another one and has written a heartbeat."""
    is_silent: bool = False
    """The leader does not respond."""
    is_paused: bool = False
    """The leader is paused."""
    accounts: tuple[AccountState, ...] = ()
    """Account states of a new heartbeat."""
    lease_error: str = ""
    """Why the lease can't be read, or that no process holds it, for the operator."""
    host: str = ""
    """Computer of the leader; "" for this one."""
    is_viewer: bool = False
    """The console reads no links, and changes nothing."""

    @property
    def text(self) -> str:
        """Text for the top bar."""
        if self.is_leader:
            return "polling"
        activity = "viewing" if self.is_viewer else "following"
        following = activity if self.pid is None else f"{activity} {self.host or f'PID {self.pid}'}"
        return f"{following}, paused" if self.is_paused else following

    @property
    def problem(self) -> str:
        """Problem for the operator; "" without one."""
        if self.is_silent and not self.lease_error:
            return f"Leader (PID {self.pid}) not responding: end that process, and another console takes over"
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
        self._last_heartbeat: Heartbeat | None = None
        self._last_heartbeat_at = self._monotonic()
        self._paused = False
        self._written_at = -HEARTBEAT_INTERVAL
        self._written: object = None

    async def update(self) -> ConsoleRole:
        """Take the lease if it is free, and return the role."""
        try:
            is_free_only = self._subset_only and not self._in_team
            if await (self._lease.is_free() if is_free_only else self._lease.acquire()):
                self._last_heartbeat_at = self._monotonic()
                return ConsoleRole(is_leader=True)
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}: other consoles may poll too. Check the folder's permissions"
            return ConsoleRole(is_leader=True, lease_error=reason)
        except JournalError as error:
            return self._without_database(str(error))
        try:
            heartbeat = await self._lease.last_heartbeat()
        except JournalError as error:
            if self._in_team:
                return self._without_database(str(error))
            heartbeat = self._last_heartbeat  # the error is shown when external changes are read
        is_new = heartbeat is not None and heartbeat != self._last_heartbeat
        if is_new:
            self._last_heartbeat, self._last_heartbeat_at = heartbeat, self._monotonic()
        accounts: tuple[AccountState, ...] = ()
        if heartbeat is not None and is_new:
            accounts, self._paused = decode_accounts(heartbeat)
        is_overdue = self._monotonic() - self._last_heartbeat_at > SILENT_AFTER
        if self._in_team and heartbeat is None:
            return ConsoleRole(False, is_silent=is_overdue, lease_error=NO_WORKER if is_overdue else "")
        is_silent = heartbeat is not None and is_overdue
        pid, host = (heartbeat.pid, heartbeat.host) if heartbeat else (None, "")
        return ConsoleRole(False, pid, is_silent, self._paused, accounts, host=host)

    def _without_database(self, error: str) -> ConsoleRole:
        is_overdue = self._monotonic() - self._last_heartbeat_at > SILENT_AFTER
        return ConsoleRole(False, is_silent=is_overdue, lease_error=error)

    async def write_heartbeat(self, accounts: Iterable[AccountState], *, is_paused: bool) -> None:
        """Write a heartbeat with the account states, if this console holds the lease and one is due."""
        states = tuple(accounts)
        summary = (is_paused, *((state.name, state.health, state.waits_until) for state in states))
        is_due = self._monotonic() - self._written_at >= HEARTBEAT_INTERVAL or summary != self._written
        if not self._lease.is_held or not is_due:
            return
        try:
            await self._lease.write_heartbeat(encode_accounts((states, is_paused)))
        except JournalError:
            return  # shown by the journal writer; the next tick tries again
        self._written_at, self._written = self._monotonic(), summary

    async def release(self) -> None:
        """Release the lease."""
        await self._lease.release()
