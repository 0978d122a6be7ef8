"""Writer of journal entries: gathers them and writes them in batches on the engine's loop. No loss goes unreported."""

import asyncio
from collections.abc import Callable, Sequence

from tui.domain.job_state import JobState, PhaseChange
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import EntriesWaitError, JournalEntry
from tui.storage.protocols import JobJournal

BATCH_INTERVAL = 0.25
"""Seconds for which entries are gathered. A phase change is written at once."""
MAX_PER_TURN = 200
"""Entries written in one turn of the loop, which takes some ten milliseconds; the rest is written in the next."""
RETRY_INTERVAL = 5.0
"""Seconds until a failed write is tried again: each try may block for a quarter of a second."""
MAX_BACKLOG = 20_000
"""Entries kept in memory while the journal is not writable."""
BACKLOG_SIZE = 2000
"""Entries that wait to be written from which a worker of a team polls no more."""
BACKLOG_AGE = 10.0
"""Seconds that the oldest entry has waited, likewise."""


class JournalWriter:
    """Writer of one engine."""

    def __init__(
        self,
        journal: JobJournal,
        on_phase_change: Callable[[JobState, PhaseChange], None],
        set_problem: Callable[[str | JournalError], None],
    ) -> None:
        """`on_phase_change` is called for each recorded change; `set_problem` with the error of a write, or ""."""
        self._journal = journal
        self._on_phase_change = on_phase_change
        self._set_problem = set_problem
        self._pending: list[JournalEntry] = []
        self._behind_since: float | None = None
        """Time of the loop from which on entries wait without a complete write; None: none wait."""
        self._flush_timer: asyncio.TimerHandle | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._write_lock = asyncio.Lock()
        """Held during a write, so that entries are written in their order."""

    @property
    def has_unwritten(self) -> bool:
        """Whether entries wait to be written."""
        return bool(self._pending)

    @property
    def has_backlog(self) -> bool:
        """Whether so many entries wait, or so long, that there should be no new ones."""
        is_old = self._behind_since is not None and self._now() - self._behind_since >= BACKLOG_AGE
        return is_old or len(self._pending) >= BACKLOG_SIZE

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def add(self, entry: JournalEntry) -> None:
        """Add an entry, to be written soon."""
        self._pending.append(entry)
        if self._behind_since is None:
            self._behind_since = self._now()
        self._flush_in(0.0 if entry.change is not None else BATCH_INTERVAL)

    def _flush_in(self, seconds: float) -> None:
        """Flush after so many seconds, or at the time already scheduled if that is sooner."""
        loop = asyncio.get_running_loop()
        at = loop.time() + seconds
        if self._flush_timer is not None and self._flush_timer.when() <= at:
            return
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        self._flush_timer = loop.call_at(at, self._start_flush)

    def _start_flush(self) -> None:
        self._flush_timer = None
        self._flushing = asyncio.create_task(self._flush_some())

    async def _flush_some(self) -> None:
        """Write as many pending entries as one turn of the loop allows."""
        async with self._write_lock:
            await self._write(MAX_PER_TURN)
        if self._pending and self._flush_timer is None:  # a failed write has scheduled its retry
            self._flush_in(0.0)

    async def flush(self) -> None:
        """Write all pending entries in one transaction."""
        if self._flush_timer is not None:
            self._flush_timer.cancel()
            self._flush_timer = None
        async with self._write_lock:
            await self._write(len(self._pending))

    async def _write(self, count: int) -> None:
        """Write the oldest entries. Those that fail are kept for the retry, and the error is reported."""
        entries = self._pending[:count]
        if not entries:
            return
        waiting: Sequence[JournalEntry] = ()
        try:
            changes = await self._journal.record(entries)
        except EntriesWaitError as error:
            self._set_problem(str(error))
            changes, waiting = error.changes, error.waiting
        except JournalError as error:
            self._set_problem(error)
            del self._pending[:-MAX_BACKLOG]
            self._flush_in(RETRY_INTERVAL)
            return
        if waiting:
            self._flush_in(RETRY_INTERVAL)
        else:
            self._set_problem("")
        self._pending[: len(entries)] = waiting  # others may have come meanwhile
        self._behind_since = self._now() if self._pending else None  # each batch is at most a moment younger
        recorded = set(changes)
        for entry in entries if recorded else ():
            if entry.change is not None and entry.change in recorded:
                self._on_phase_change(entry.state, entry.change)
