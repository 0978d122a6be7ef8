"""Whether what a session finds is kept: in memory until the file can be had; a new file gets every state."""

from collections.abc import Callable

from tui.engine.polling.job_store import JobStore
from tui.storage.journal.journal import JournalError
from tui.storage.workspace import Workspace

RETRY_INTERVAL = 60.0
"""Seconds between two tries for the file, while there is a journal in memory alone."""


class JournalFallback:
    """One session's eye on its journal. Nothing in it is opened before `open` or `look`."""

    def __init__(self, workspace: Workspace, job_store: JobStore, monotonic: Callable[[], float]) -> None:
        """`time` passes in seconds and is never set."""
        self._workspace = workspace
        self._job_store = job_store
        self._monotonic = monotonic
        self._in_memory = False
        self._retry_at = 0.0
        self._known_files: object = None

    def open(self) -> None:
        """Opens the journal, in memory where there can be no file. Raises JournalError where a person must act."""
        said = self._workspace.ensure_journal()
        self._in_memory = bool(said)
        self._retry_at = self._monotonic() + RETRY_INTERVAL
        self._job_store.set_problem("keeping", said)

    def check(self) -> None:
        """Has a file that is new since the last look hold what the board knows: what has ended is not asked again."""
        if self._in_memory and self._monotonic() >= self._retry_at:
            self._regain()
        journal = self._workspace.journal
        seen, self._known_files = self._known_files, (journal, journal.open_count)
        if seen not in (None, self._known_files):
            self._job_store.persist_all()

    def _regain(self) -> None:
        self._retry_at = self._monotonic() + RETRY_INTERVAL
        try:
            self._workspace.retry_journal_file()
        except (JournalError, OSError):
            return  # as told already
        self._in_memory = False
        self._job_store.set_problem("keeping", "")
