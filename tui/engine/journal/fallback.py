"""Whether what a session finds is kept: in memory until the file can be had; a new file gets every state."""

from collections.abc import Callable

from tui.engine.polling.job_store import Ledger
from tui.storage.journal.journal import JournalError
from tui.storage.workspace import Library

AGAIN = 60.0
"""Seconds between two tries for the file, while there is a journal in memory alone."""


class Keeping:
    """One session's eye on its journal. Nothing in it is opened before `open` or `look`."""

    def __init__(self, library: Library, ledger: Ledger, time: Callable[[], float]) -> None:
        """`time` passes in seconds and is never set."""
        self._library = library
        self._ledger = ledger
        self._time = time
        self._alone = False
        self._again_at = 0.0
        self._seen: object = None

    def open(self) -> None:
        """Opens the journal, in memory where there can be no file. Raises JournalError where a person must act."""
        said = self._library.ensure_journal()
        self._alone = bool(said)
        self._again_at = self._time() + AGAIN
        self._ledger.problem("keeping", said)

    def look(self) -> None:
        """Has a file that is new since the last look hold what the board knows: what has ended is not asked again."""
        if self._alone and self._time() >= self._again_at:
            self._regain()
        journal = self._library.journal
        seen, self._seen = self._seen, (journal, journal.files)
        if seen not in (None, self._seen):
            self._ledger.keep()

    def _regain(self) -> None:
        self._again_at = self._time() + AGAIN
        try:
            self._library.regain_journal()
        except (JournalError, OSError):
            return  # as told already
        self._alone = False
        self._ledger.problem("keeping", "")
