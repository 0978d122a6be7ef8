"""Who polls the watchlist: this session, or the process that holds its lease and that this one follows.

The holder beats in the journal; a follower that hears nothing for long says so, and takes over when the lease is free.
"""

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from tui.engine.api import AccountState
from tui.storage.journal.heartbeats import Heartbeat
from tui.storage.journal.journal import JournalError
from tui.storage.locks.poller_lease import Lease
from tui.storage.workspace import Workspace

HEARTBEAT_INTERVAL = 5.0
"""Seconds between two beats of the holder. A change of an account's health does not wait."""
SILENT_AFTER = 15.0
"""Seconds without a beat after which the holder does not answer."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[tuple[AccountState, ...], bool]).decode


class ConsoleRole(NamedTuple):
    """What a session is to its watchlist."""

    is_leader: bool
    pid: int | None = None
    """Who polls, if another does and has said so."""
    is_silent: bool = False
    """That one does not answer."""
    is_paused: bool = False
    """That one's operator has paused it."""
    accounts: tuple[AccountState, ...] = ()
    """How it finds its accounts, where it said so anew."""
    lease_error: str = ""
    """Why nobody can tell who polls, for an operator."""

    @property
    def text(self) -> str:
        """For the top bar."""
        if self.is_leader:
            return "polling"
        followed = "following" if self.pid is None else f"following PID {self.pid}"
        return f"{followed}, paused" if self.is_paused else followed

    @property
    def problem(self) -> str:
        """What stands in the way, for an operator; "": nothing."""
        if self.is_silent:
            return f"PID {self.pid} holds the lease and does not answer: end it, and another console takes over"
        return self.lease_error


class LeaderElection:
    """One session's part in it. Nothing is locked before `look`."""

    def __init__(self, workspace: Workspace, monotonic: Callable[[], float], *, subset_only: bool) -> None:
        """`time` passes in seconds and is never set. `partly`: it is about some jobs only, and holds no lease.

        Such a one polls as long as nobody else does.
        """
        self._workspace = workspace
        self._monotonic = monotonic
        self._subset_only = subset_only
        self._lease = Lease(workspace.paths.state_dir, workspace.paths.watchlist_file)
        self._last_heartbeat: Heartbeat | None = None
        self._last_heartbeat_at = monotonic()
        self._paused = False
        self._written_at = -HEARTBEAT_INTERVAL
        self._written: object = None

    def update(self) -> ConsoleRole:
        """Takes the lease if it is free; who polls."""
        try:
            if self._lease.is_free() if self._subset_only else self._lease.acquire():
                self._last_heartbeat_at = self._monotonic()
                return ConsoleRole(is_leader=True)
        except OSError as error:
            why = f"{self._lease.path}: {error.strerror}: other consoles may poll as well. See to the folder's rights"
            return ConsoleRole(is_leader=True, lease_error=why)
        try:
            beat = self._workspace.journal.heartbeats.latest(self._lease.name)
        except JournalError:
            beat = self._last_heartbeat  # that it cannot be read is told by who reads the news
        news = beat is not None and beat != self._last_heartbeat
        if news:
            self._last_heartbeat, self._last_heartbeat_at = beat, self._monotonic()
        accounts: tuple[AccountState, ...] = ()
        if beat is not None and news:
            accounts, self._paused = _decode_accounts(beat)
        silent = beat is not None and self._monotonic() - self._last_heartbeat_at > SILENT_AFTER
        return ConsoleRole(False, beat.pid if beat else None, silent, self._paused, accounts)

    def write_heartbeat(self, accounts: Iterable[AccountState], *, is_paused: bool) -> None:
        """Says that the holder lives and how its accounts are, if this session is the holder and it is time."""
        states = tuple(accounts)
        said = (is_paused, *((state.name, state.health, state.waits_until) for state in states))
        if not self._lease.is_held or (
            self._monotonic() - self._written_at < HEARTBEAT_INTERVAL and said == self._written
        ):
            return
        try:
            self._workspace.journal.heartbeats.record(self._lease.name, os.getpid(), _encode((states, is_paused)))
        except JournalError:
            return  # told by who writes entries; the next tick tries again
        self._written_at, self._written = self._monotonic(), said

    def release(self) -> None:
        """Gives the lease back."""
        self._lease.release()


def _decode_accounts(heartbeat: Heartbeat) -> tuple[tuple[AccountState, ...], bool]:
    """How its accounts are, and whether it is paused."""
    try:
        return _decode(heartbeat.account_states)
    except msgspec.DecodeError:
        return (), False  # another version's
