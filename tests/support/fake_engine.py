"""EngineHandle over a workspace without thread and engine, for Pilot tests, snapshots and screenshots."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future
from datetime import tzinfo

from msgspec.structs import replace

from tui.dashboard import startup
from tui.domain import job_state
from tui.domain.fleet import FleetReport
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.links import expiry
from tui.domain.models import Job, Ref
from tui.domain.team import team_board
from tui.engine.api import (
    AccountState,
    Cancel,
    Command,
    CommandResult,
    Discover,
    Download,
    Health,
    JobHistory,
    Pause,
    Refresh,
    Renew,
    Resume,
    SaveUiState,
    ShowTeam,
    Update,
)
from tui.engine.journal.fleet_reader import FleetReader
from tui.storage.watchlist.content import WatchlistError
from tui.storage.workspace import Workspace


class FakeEngine:
    """Edits the real watchlist file, records the other commands, and delivers the updates that a test pushes."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.accounts = account_states(workspace)
        """Account states at the start."""
        self.refreshed: list[Ref] = []
        self.renewed: list[Ref] = []
        self.languages: list[str | None] = []
        """Language of each renewal and download: of one part, None for the whole job."""
        self.discovery = CommandResult()
        """Result of Discover."""
        self.renewal_result: CommandResult | None = None
        """Result of renewals; None for the unexpired links as they are."""
        self.now: Callable[[], float] = time.time
        self.resumed: list[str] = []
        self.downloaded: list[Ref] = []
        self.cancelled: list[Ref] = []
        self.paused = False
        self.pending_updates: list[Update] = []
        self.silent_seconds = 0.0
        self._wake: Callable[[], None] = lambda: None

    def start(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self.push(Update(states={}, accounts=self.accounts))

    def push(self, update: Update) -> None:
        """Deliver an update and wake the front end."""
        self.pending_updates.append(update)
        self._wake()

    def take_update(self) -> Update:
        update = self.pending_updates.pop(0) if self.pending_updates else Update(states={})
        if self.pending_updates and not update.has_more:
            self._wake()  # for one that was pushed before the start, or whose message was merged with another
        return update

    def send(self, command: Command) -> "Future[CommandResult]":
        done: Future[CommandResult] = Future()
        done.set_result(self._perform(command))
        return done

    def _perform(self, command: Command) -> CommandResult:
        match command:
            case Refresh(refs):
                self.refreshed += refs
                return CommandResult(message=f"Refreshing {len(refs)}")
            case Discover():
                return self.discovery
            case Renew(refs, language):
                self.renewed += refs
                self.languages.append(language)
                links = {ref: job_state.primary_link(self.workspace.job_states()[ref]) for ref in refs}
                living = {ref: link for ref, link in links.items() if link and not expiry.is_expired(link, self.now())}
                return self.renewal_result or CommandResult(message="renewed", links=living)
            case Download(refs, _, language):
                self.downloaded += refs
                self.languages.append(language)
                return CommandResult(message=f"downloading {len(refs)}")
            case Cancel(refs):
                self.cancelled += refs
                return CommandResult(message=f"{len(refs)} cancelled")
            case Pause(paused):
                self.paused = paused
                self.push(Update(states={}, role="paused" if paused else "polling"))
                return CommandResult(message="Polling paused" if paused else "Polling resumed")
            case Resume(account):
                self.resumed.append(account)
                return CommandResult(message=f"Account {account} resumed")
            case ShowTeam(whole_team):
                own = self.workspace.job_states()
                lists: dict[str, list[Job]] = {"alice": [], "bob": []}
                for number, state in enumerate(own.values()):
                    lists["bob" if number % 2 else "alice"].append(state.job)
                jobs = team_board(lists, "alice") if whole_team else lists["alice"]
                states = {job.ref: replace(own[job.ref], job=job) for job in jobs}
                role = "following poller"
                self.push(Update(states=states, order=tuple(states), role=role, shows_team=whole_team))
                return CommandResult(message=f"{len(states)} jobs")
            case SaveUiState(values):
                self.workspace.journal.save_ui_state(values)
                return CommandResult()
            case _:
                try:
                    _, outcome = self.workspace.edit_watchlist(command)
                except WatchlistError as error:
                    return CommandResult(ok=False, message=str(error))
                states = self.workspace.job_states()
                self.push(Update(states=states, order=tuple(states)))
                return CommandResult(message="done", undo=outcome.undo)

    def job_history(self, ref: Ref) -> "Future[JobHistory]":
        done: Future[JobHistory] = Future()
        body = self.workspace.journal.last_body(ref)
        changes, requests = self.workspace.journal.phase_changes([ref])[ref], self.workspace.journal.requests(ref, 200)
        kind = self.workspace.job_states()[ref].job.kind
        durations = self.workspace.journal.durations(ref.account, kind, 200)
        detail = JobHistory(ref=ref, phase_changes=changes, requests=requests, durations=durations)
        done.set_result(replace(detail, body=body[0], body_received_at=body[1]) if body else detail)
        return done

    def recent_changes(self, limit: int) -> "Future[tuple[PhaseChange, ...]]":
        done: Future[tuple[PhaseChange, ...]] = Future()
        done.set_result(self.workspace.journal.recent_phase_changes(limit))
        return done

    def fleet(self, zone: tzinfo) -> "Future[FleetReport]":
        done: Future[FleetReport] = Future()
        reader = FleetReader(self.workspace.shared_storage().journal, self.workspace.accounts, self.now)
        task = asyncio.ensure_future(reader.report(zone))
        task.add_done_callback(lambda ended: done.set_result(ended.result()))
        return done

    def silent_for(self) -> float:
        return self.silent_seconds

    def close(self) -> None:
        self.workspace.close()


def account_states(workspace: Workspace) -> dict[str, AccountState]:
    """Return the account states of the workspace, OK for each account with a key."""
    return {
        name: replace(state, health=Health.OK) if state.health is Health.UNTRIED else state
        for name, state in startup.initial_accounts(workspace).items()
    }


def update_of(state: JobState) -> Update:
    """Return an update of one job."""
    return Update(states={state.job.ref: state})
