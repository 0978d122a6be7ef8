"""A session's watchlist: read when it has changed, and listed. While it cannot be read, the last good list stays."""

from collections.abc import Callable, Collection, Mapping

from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.engine.polling.job_store import JobStore
from tui.storage.journal.journal import JournalError
from tui.storage.watchlist.cache import FileStamp, RestoredBoard, WatchlistCache
from tui.storage.watchlist.file import WatchlistContent, WatchlistError
from tui.storage.workspace import Workspace

SETTLE_TIME = 0.2
"""Seconds without a write after which a file counts as saved whole."""
NEVER_READ = "unread"
"""Stands where the watchlist's stamp would: it is to be read at the next tick, whatever its stamp."""


class WatchlistWatcher:
    """One session's eye on its watchlist."""

    def __init__(
        self, workspace: Workspace, job_store: JobStore, subset: Collection[Ref] | None, now: Callable[[], float]
    ) -> None:
        """`only`: the jobs that it is about; None: all of them."""
        self._workspace = workspace
        self._job_store = job_store
        self._subset = subset
        self._now = now
        self._stamp: object = NEVER_READ
        self._has_waited = False
        self._unsaved_cache: WatchlistCache | None = None
        """What is to be remembered of the watchlist once the journal holds its jobs; None: nothing new."""

    def open(self, *, tolerate_errors: bool) -> None:
        """Lists it for the first time. Raises JournalError and, unless `patient`, WatchlistError."""
        kept, self._workspace.restored_board = self._workspace.restored_board, None
        try:
            self._stamp = stamp = self._workspace.watchlist.stamp()
            self._read_file(stamp, kept)
        except WatchlistError as error:
            if not tolerate_errors:
                raise
            self._job_store.set_problem("watchlist", str(error))

    def check(self) -> None:
        """Takes over edits from outside, and remembers what was read."""
        self._read_if_changed()
        self._save_cache()

    def apply(self, content: WatchlistContent, known: Mapping[Ref, JobState] | None = None) -> None:
        """The watchlist says this. `known`: what was read of its jobs already. Raises JournalError."""
        only = self._subset
        self._job_store.sync_watchlist((job for job in content.jobs if only is None or job.ref in only), known or {})
        self._job_store.set_problem("watchlist", "; ".join(content.problems))

    def _read_if_changed(self) -> None:
        """While the file cannot be read, or is gone, the last good list stays."""
        try:
            stamp = self._workspace.watchlist.stamp()
        except WatchlistError as error:
            self._stamp = NEVER_READ
            self._job_store.set_problem("watchlist", str(error))
            return
        if stamp == self._stamp or self._may_be_half_written(stamp):
            return
        if stamp is None:
            self._stamp = NEVER_READ
            gone = (
                f"{self._workspace.paths.watchlist_file}: the file is gone; its jobs stay here until there is one again"
            )
            self._job_store.set_problem("watchlist", gone)
            return
        self._stamp = stamp
        try:
            self._read_file(stamp)
        except WatchlistError as error:
            if isinstance(error.__cause__, OSError):  # rights may come back without a new stamp
                self._stamp = NEVER_READ
            self._job_store.set_problem("watchlist", str(error))
        except JournalError as error:
            self._stamp = NEVER_READ
            self._job_store.set_problem("news", str(error))

    def _may_be_half_written(self, stamp: tuple[int, int, int] | None) -> bool:
        """An editor that does not save by rename may have written half: what is so fresh is read at the next look."""
        fresh = stamp is not None and 0 <= self._now() - stamp[2] / 1e9 < SETTLE_TIME
        self._has_waited = fresh and not self._has_waited
        return self._has_waited

    def _read_file(self, stamp: FileStamp | None, restored: RestoredBoard | None = None) -> None:
        """Lists what the file of this stamp says; `kept` may say it too. Raises WatchlistError and JournalError."""
        reading = restored and restored.content(stamp)
        if reading is None:
            reading = self._workspace.watchlist.read()
            self._unsaved_cache = WatchlistCache.from_content(self._workspace.paths.watchlist_file, stamp, reading)
        self.apply(reading, restored.states if restored is not None else {})

    def _save_cache(self) -> None:
        """Spares the next start the parsing: what the journal does not hold yet would be missing then."""
        if self._unsaved_cache is None or self._subset is not None or self._job_store.journal_writer.has_unwritten:
            return
        try:
            self._workspace.journal.save_ui_state(self._unsaved_cache.to_ui_state())
        except JournalError:
            return  # told by who writes entries; the next tick tries again
        self._unsaved_cache = None
