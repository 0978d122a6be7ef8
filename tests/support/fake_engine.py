"""A Feed over a library, without a thread or an engine: what Pilot, snapshots and screenshots hand to the dashboard."""

import time
from collections.abc import Callable
from concurrent.futures import Future

from msgspec.structs import replace

from tui.dashboard import startup
from tui.domain import job_state
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.links import expiry
from tui.domain.models import Ref
from tui.engine.api import (
    AccountState,
    Cancel,
    Command,
    Detail,
    Download,
    Health,
    Outcome,
    Pause,
    Refresh,
    Remember,
    Renew,
    Resume,
    Update,
)
from tui.storage.watchlist.file import WatchlistError
from tui.storage.workspace import Library


class LibraryFeed:
    """Watchlist commands are done to the library's real files; refreshes are counted; updates come from the test."""

    def __init__(self, library: Library) -> None:
        self.library = library
        self.accounts = accounts(library)
        """As they are when it starts."""
        self.refreshed: list[Ref] = []
        self.renewed: list[Ref] = []
        self.renewal: Outcome | None = None
        """What comes of a renewal; None: every link stays as it is, and those that live are told."""
        self.now: Callable[[], float] = time.time
        self.resumed: list[str] = []
        self.downloaded: list[Ref] = []
        self.cancelled: list[Ref] = []
        self.paused = False
        self.waiting: list[Update] = []
        self.silence = 0.0
        self._wake: Callable[[], None] = lambda: None

    def start(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.push(Update(states={}, accounts=self.accounts))

    def push(self, update: Update) -> None:
        """Has the front end woken to take this."""
        self.waiting.append(update)
        self._wake()

    def take(self) -> Update:
        return self.waiting.pop(0) if self.waiting else Update(states={})

    def send(self, command: Command) -> "Future[Outcome]":
        done: Future[Outcome] = Future()
        done.set_result(self._done(command))
        return done

    def _done(self, command: Command) -> Outcome:
        match command:
            case Refresh(refs):
                self.refreshed += refs
                return Outcome(message=f"asking {len(refs)}")
            case Renew(refs):
                self.renewed += refs
                links = [job_state.primary_link(self.library.board()[ref]) for ref in refs]
                living = tuple(link for link in links if link and not expiry.is_expired(link, self.now()))
                return self.renewal or Outcome(message="renewed", links=living)
            case Download(refs):
                self.downloaded += refs
                return Outcome(message=f"downloading {len(refs)}")
            case Cancel(refs):
                self.cancelled += refs
                return Outcome(message=f"{len(refs)} called off")
            case Pause(paused):
                self.paused = paused
                self.push(Update(states={}, role="paused" if paused else "polling"))
                return Outcome(message="asking is paused" if paused else "asking goes on")
            case Resume(account):
                self.resumed.append(account)
                return Outcome(message=f"{account} is tried again")
            case Remember(values):
                self.library.journal.remember(values)
                return Outcome()
            case _:
                try:
                    _, outcome = self.library.change(command)
                except WatchlistError as error:
                    return Outcome(ok=False, message=str(error))
                states = self.library.board()
                self.push(Update(states=states, order=tuple(states)))
                return Outcome(message="done", removed=outcome.cut)

    def look(self, ref: Ref) -> "Future[Detail]":
        done: Future[Detail] = Future()
        body = self.library.journal.body(ref)
        changes, asks = self.library.journal.changes([ref])[ref], self.library.journal.asks(ref, 200)
        detail = Detail(ref=ref, changes=changes, asks=asks)
        done.set_result(replace(detail, body=body[0], body_at=body[1]) if body else detail)
        return done

    def recent(self, limit: int) -> "Future[tuple[PhaseChange, ...]]":
        done: Future[tuple[PhaseChange, ...]] = Future()
        done.set_result(self.library.journal.recent(limit))
        return done

    def silent_for(self) -> float:
        return self.silence

    def close(self) -> None:
        self.library.close()


def accounts(library: Library) -> dict[str, AccountState]:
    """Every account of the library, well if it has a key."""
    return {
        name: replace(state, health=Health.OK) if state.health is Health.UNTRIED else state
        for name, state in startup.initial_accounts(library).items()
    }


def with_state(state: JobState) -> Update:
    """An update of one job."""
    return Update(states={state.job.ref: state})
