"""Outbox between the engine and its front end: job states conflated by ref, notices queued.

The loop of the engine publishes, the thread of the front end takes. Starting and stopping the engine is in `thread.py`.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from itertools import islice

from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.engine.api import (
    AccountState,
    DownloadProgress,
    DownloadStage,
    EngineEvent,
    Notice,
    ProblemsChanged,
    RequestFinished,
    RoleChanged,
    Update,
    WatchlistOrder,
)

WAKE_INTERVAL = 0.1
"""Seconds between two wake-ups of the front end, at least."""
MAX_NOTICES = 1000
"""Notices that wait for the front end; beyond that the oldest are dropped."""


class Outbox:
    """Accumulated events. The front end is woken when the outbox turns non-empty, at most every WAKE_INTERVAL."""

    def __init__(self, wake: Callable[[], object] = lambda: None) -> None:
        self._lock = threading.Lock()
        self.wake = wake
        """Called on the thread of the engine when an update is available."""
        self._wake_scheduled = False
        self._woken_at = -WAKE_INTERVAL
        """Time of the loop at which the front end was woken last, or will be."""
        self._states: dict[Ref, JobState] = {}
        self._accounts: dict[str, AccountState] = {}
        self._downloads: dict[Ref, DownloadProgress] = {}
        self._notices: deque[Notice] = deque(maxlen=MAX_NOTICES)
        self._order: tuple[Ref, ...] | None = None
        self._removed: set[Ref] = set()
        self._role: str | None = None
        self._shows_team = False
        self._problems: tuple[str, ...] = ()
        self._problems_changed = False
        self._failure = ""
        self._end_reason = ""
        self._listed: tuple[Ref, ...] = ()
        self._unfinished_downloads: set[Ref] = set()
        """Downloads that fail if the engine stops."""

    def publish(self, event: EngineEvent) -> None:
        """Merge an event of the engine, on its loop."""
        with self._lock:
            match event:
                case JobState():
                    self._states[event.job.ref] = event
                case AccountState():
                    self._accounts[event.name] = event
                case DownloadProgress():
                    self._downloads[event.ref] = event
                    unfinished = event.stage in {DownloadStage.WAITING, DownloadStage.DOWNLOADING}
                    (self._unfinished_downloads.add if unfinished else self._unfinished_downloads.discard)(event.ref)
                case Notice():
                    self._notices.append(event)
                case RoleChanged(role, shows_team):
                    self._role, self._shows_team = role, shows_team
                case ProblemsChanged(problems):
                    self._problems, self._problems_changed = problems, True
                case WatchlistOrder(refs):
                    listed = frozenset(refs)
                    self._removed = self._removed.union(self._listed) - listed
                    self._order = self._listed = refs  # a set of them for the next time would take six times the memory
                    self._states = {ref: state for ref, state in self._states.items() if ref in listed}
                case RequestFinished():  # of interest to metrics only
                    return
        self._schedule_wake()

    def set_failure(self, failure: str) -> None:
        """Show that the engine stopped, instead of the problems that it published, and wake the front end.

        The loop of the engine is gone, and with it a wake-up that was scheduled on it.
        """
        with self._lock:
            self._failure, self._problems, self._problems_changed = failure, (), True
            for ref in self._unfinished_downloads:
                self._downloads[ref] = DownloadProgress(
                    ref=ref, stage=DownloadStage.FAILED, message="the engine stopped during the download"
                )
            self._unfinished_downloads.clear()
            self._wake_scheduled = True
        self.wake()

    def end(self, reason: str) -> None:
        """Have the front end exit: the engine ended, and is not restarted."""
        self._end_reason = reason
        self.set_failure(reason)

    def clear_failure(self) -> None:
        """Remove the failure: the engine runs again."""
        with self._lock:
            had_failure, self._failure = bool(self._failure), ""
            self._problems_changed |= had_failure
        if had_failure:
            self._schedule_wake()

    def _schedule_wake(self) -> None:
        if self._wake_scheduled:
            return
        self._wake_scheduled = True
        loop = asyncio.get_running_loop()
        self._woken_at = max(loop.time(), self._woken_at + WAKE_INTERVAL)
        loop.call_at(self._woken_at, self.wake)

    def take(self, max_states: int | None = None) -> Update:
        """Return everything accumulated since the last call, and empty the outbox.

        `max_states`: return the oldest so many states, and keep the others, which the front end takes without being
        woken. With an order, all come at once.
        """
        with self._lock:
            states, self._states = self._states, {}
            if max_states is not None and max_states < len(states) and self._order is None:
                states, self._states = dict(islice(states.items(), max_states)), states
                for ref in states:
                    del self._states[ref]
            failure = (self._failure,) if self._failure else ()
            update = Update(
                states=states,
                has_more=bool(self._states),
                removed=frozenset(self._removed),
                order=self._order,
                accounts=self._accounts,
                role=self._role,
                shows_team=self._shows_team,
                problems=failure + self._problems if self._problems_changed else None,
                notices=tuple(self._notices),
                downloads=self._downloads,
                end_reason=self._end_reason,
            )
            self._accounts, self._downloads = {}, {}
            self._removed, self._order, self._role = set(), None, None
            self._problems_changed = False
            self._notices.clear()
            self._wake_scheduled = update.has_more
        return update
