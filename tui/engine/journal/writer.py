"""The journal's entries on their way to disk: gathered, written in batches on the session's loop, never lost unsaid.

What an entry says is the ledger's business.
"""

import asyncio
from collections.abc import Callable

from tui.domain.job_state import JobState, PhaseChange
from tui.storage.journal.journal import JournalEntry, JournalError
from tui.storage.workspace import Workspace

BATCH_INTERVAL = 0.25
"""Seconds for which journal entries are gathered. A phase change does not wait."""
MAX_PER_TURN = 200
"""Journal entries written in one turn of the loop, which takes some ten milliseconds; the rest waits for the next."""
RETRY_INTERVAL = 5.0
"""Seconds until entries that could not be written are tried again: each try may block for a quarter of one."""
MAX_BACKLOG = 20_000
"""Journal entries kept in memory while the journal cannot be written."""


class JournalWriter:
    """One session's."""

    def __init__(
        self,
        workspace: Workspace,
        on_phase_change: Callable[[JobState, PhaseChange], None],
        set_problem: Callable[[str], None],
    ) -> None:
        """`changed` hears of each change of a phase that is recorded; `problem` why nothing can be, or ""."""
        self._workspace = workspace
        self._on_phase_change = on_phase_change
        self._set_problem = set_problem
        self._pending: list[JournalEntry] = []
        self._flush_timer: asyncio.TimerHandle | None = None

    @property
    def has_unwritten(self) -> bool:
        """There is something that the journal does not hold yet."""
        return bool(self._pending)

    def add(self, entry: JournalEntry) -> None:
        """Has it written, soon."""
        self._pending.append(entry)
        self._flush_in(0.0 if entry.change is not None else BATCH_INTERVAL)

    def _flush_in(self, seconds: float) -> None:
        """Flushes after so many seconds, or when it was to be done anyway if that is sooner."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._flush_timer is not None and self._flush_timer.when() <= at:
            return
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        self._flush_timer = loop.call_at(at, self._flush_some)

    def _flush_some(self) -> None:
        """Writes as much of what is pending as a turn of the loop has time for."""
        self._flush_timer = None
        self._write(MAX_PER_TURN)
        if self._pending and self._flush_timer is None:  # a write that failed has planned its own retry
            self._flush_in(0.0)

    def flush(self) -> None:
        """Writes all that is pending, as one transaction."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        self._write(len(self._pending))

    def _write(self, count: int) -> None:
        """Writes the oldest entries. What cannot be written is kept for the next time, and said."""
        entries = self._pending[:count]
        if not entries:
            return
        try:
            recorded = set(self._workspace.journal.record(entries))
        except JournalError as error:
            self._set_problem(str(error))
            del self._pending[:-MAX_BACKLOG]
            self._flush_in(RETRY_INTERVAL)
            return
        self._set_problem("")
        del self._pending[:count]
        for entry in entries if recorded else ():
            if entry.change is not None and entry.change in recorded:
                self._on_phase_change(entry.state, entry.change)
