"""Fallback of the journal: kept in memory while the file is not writable; a new file gets every job state."""

from tui.engine.context import EngineContext
from tui.engine.polling.job_store import JobStore
from tui.storage.journal.database import JournalError
from tui.storage.protocols import JobJournal
from tui.storage.workspace import Workspace

RETRY_INTERVAL = 60.0
"""Seconds between two tries to open the file, while the journal is in memory."""


class JournalFallback:
    """Fallback of one engine. Nothing is opened before `open` or `check`."""

    def __init__(self, context: EngineContext, workspace: Workspace, journal: JobJournal, job_store: JobStore) -> None:
        self._monotonic = context.clock.monotonic
        self._workspace = workspace
        self._journal = journal
        self._job_store = job_store
        self._in_memory = False
        self._retry_at = 0.0
        self._known_generation: object = None

    def open(self) -> None:
        """Open the journal, in memory if the file is not writable. Raises JournalError if the operator must act."""
        problem = self._workspace.ensure_journal()
        self._in_memory = bool(problem)
        self._retry_at = self._monotonic() + RETRY_INTERVAL
        self._job_store.set_problem("keeping", problem)

    def check(self) -> None:
        """Write all states to a journal that is new since the last check, so that ended jobs are not polled again."""
        if self._in_memory and self._monotonic() >= self._retry_at:
            self._retry_file()
        before, self._known_generation = self._known_generation, self._journal.generation
        if before not in (None, self._known_generation):
            self._job_store.persist_all()

    def _retry_file(self) -> None:
        self._retry_at = self._monotonic() + RETRY_INTERVAL
        try:
            self._workspace.retry_journal_file()
        except (JournalError, OSError):
            return  # already shown
        self._in_memory = False
        self._job_store.set_problem("keeping", "")
