"""Who polls the watchlist: this session, or the process that holds its lease and that this one follows.

The holder beats in the journal; a follower that hears nothing for long says so, and takes over when the lease is free.
"""

import os
from collections.abc import Callable, Iterable
from typing import NamedTuple

import msgspec

from tui.engine.api import AccountState
from tui.storage.journal.heartbeats import Beat
from tui.storage.journal.journal import JournalError
from tui.storage.locks.poller_lease import Lease
from tui.storage.workspace import Library

BEAT = 5.0
"""Seconds between two beats of the holder. A change of an account's health does not wait."""
SILENT = 15.0
"""Seconds without a beat after which the holder does not answer."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[tuple[AccountState, ...], bool]).decode


class Role(NamedTuple):
    """What a session is to its watchlist."""

    polling: bool
    pid: int | None = None
    """Who polls, if another does and has said so."""
    silent: bool = False
    """That one does not answer."""
    paused: bool = False
    """That one's operator has paused it."""
    accounts: tuple[AccountState, ...] = ()
    """How it finds its accounts, where it said so anew."""
    trouble: str = ""
    """Why nobody can tell who polls, for an operator."""

    @property
    def text(self) -> str:
        """For the top bar."""
        if self.polling:
            return "polling"
        followed = "following" if self.pid is None else f"following PID {self.pid}"
        return f"{followed}, paused" if self.paused else followed

    @property
    def problem(self) -> str:
        """What stands in the way, for an operator; "": nothing."""
        if self.silent:
            return f"PID {self.pid} holds the lease and does not answer: end it, and another console takes over"
        return self.trouble


class Leading:
    """One session's part in it. Nothing is locked before `look`."""

    def __init__(self, library: Library, time: Callable[[], float], *, partly: bool) -> None:
        """`time` passes in seconds and is never set. `partly`: it is about some jobs only, and holds no lease.

        Such a one polls as long as nobody else does.
        """
        self._library = library
        self._time = time
        self._partly = partly
        self._lease = Lease(library.places.state, library.places.watchlist)
        self._heard: Beat | None = None
        self._heard_at = time()
        self._paused = False
        self._beat_at = -BEAT
        self._said: object = None

    def look(self) -> Role:
        """Takes the lease if it is free; who polls."""
        try:
            if self._lease.free() if self._partly else self._lease.take():
                self._heard_at = self._time()
                return Role(polling=True)
        except OSError as error:
            why = f"{self._lease.path}: {error.strerror}: other consoles may poll as well. See to the folder's rights"
            return Role(polling=True, trouble=why)
        try:
            beat = self._library.journal.heartbeats.last(self._lease.name)
        except JournalError:
            beat = self._heard  # that it cannot be read is told by who reads the news
        news = beat is not None and beat != self._heard
        if news:
            self._heard, self._heard_at = beat, self._time()
        accounts: tuple[AccountState, ...] = ()
        if beat is not None and news:
            accounts, self._paused = _said(beat)
        silent = beat is not None and self._time() - self._heard_at > SILENT
        return Role(False, beat.pid if beat else None, silent, self._paused, accounts)

    def beat(self, accounts: Iterable[AccountState], *, paused: bool) -> None:
        """Says that the holder lives and how its accounts are, if this session is the holder and it is time."""
        states = tuple(accounts)
        said = (paused, *((state.name, state.health, state.until) for state in states))
        if not self._lease.held or (self._time() - self._beat_at < BEAT and said == self._said):
            return
        try:
            self._library.journal.heartbeats.beat(self._lease.name, os.getpid(), _encode((states, paused)))
        except JournalError:
            return  # told by who writes entries; the next tick tries again
        self._beat_at, self._said = self._time(), said

    def end(self) -> None:
        """Gives the lease back."""
        self._lease.release()


def _said(beat: Beat) -> tuple[tuple[AccountState, ...], bool]:
    """How its accounts are, and whether it is paused."""
    try:
        return _decode(beat.accounts)
    except msgspec.DecodeError:
        return (), False  # another version's
