"""A session's watchlist: read when it has changed, and listed. While it cannot be read, the last good list stays."""

from collections.abc import Callable, Collection, Mapping

from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.engine.polling.job_store import Ledger
from tui.storage.journal.journal import JournalError
from tui.storage.watchlist.cache import Listing, Recalled, Stamp
from tui.storage.watchlist.file import Reading, WatchlistError
from tui.storage.workspace import Library

SETTLED = 0.2
"""Seconds without a write after which a file counts as saved whole."""
UNREAD = "unread"
"""Stands where the watchlist's stamp would: it is to be read at the next tick, whatever its stamp."""


class Watching:
    """One session's eye on its watchlist."""

    def __init__(
        self, library: Library, ledger: Ledger, only: Collection[Ref] | None, now: Callable[[], float]
    ) -> None:
        """`only`: the jobs that it is about; None: all of them."""
        self._library = library
        self._ledger = ledger
        self._only = only
        self._now = now
        self._stamp: object = UNREAD
        self._waited = False
        self._listing: Listing | None = None
        """What is to be remembered of the watchlist once the journal holds its jobs; None: nothing new."""

    def open(self, *, patient: bool) -> None:
        """Lists it for the first time. Raises JournalError and, unless `patient`, WatchlistError."""
        kept, self._library.recalled = self._library.recalled, None
        try:
            self._stamp = stamp = self._library.watchlist.stamp()
            self._list_file(stamp, kept)
        except WatchlistError as error:
            if not patient:
                raise
            self._ledger.problem("watchlist", str(error))

    def look(self) -> None:
        """Takes over edits from outside, and remembers what was read."""
        self._read()
        self._remember()

    def listed(self, reading: Reading, known: Mapping[Ref, JobState] | None = None) -> None:
        """The watchlist says this. `known`: what was read of its jobs already. Raises JournalError."""
        only = self._only
        self._ledger.list((job for job in reading.jobs if only is None or job.ref in only), known or {})
        self._ledger.problem("watchlist", "; ".join(reading.problems))

    def _read(self) -> None:
        """While the file cannot be read, or is gone, the last good list stays."""
        try:
            stamp = self._library.watchlist.stamp()
        except WatchlistError as error:
            self._stamp = UNREAD
            self._ledger.problem("watchlist", str(error))
            return
        if stamp == self._stamp or self._is_fresh(stamp):
            return
        if stamp is None:
            self._stamp = UNREAD
            gone = f"{self._library.places.watchlist}: the file is gone; its jobs stay here until there is one again"
            self._ledger.problem("watchlist", gone)
            return
        self._stamp = stamp
        try:
            self._list_file(stamp)
        except WatchlistError as error:
            if isinstance(error.__cause__, OSError):  # rights may come back without a new stamp
                self._stamp = UNREAD
            self._ledger.problem("watchlist", str(error))
        except JournalError as error:
            self._stamp = UNREAD
            self._ledger.problem("news", str(error))

    def _is_fresh(self, stamp: tuple[int, int, int] | None) -> bool:
        """An editor that does not save by rename may have written half: what is so fresh is read at the next look."""
        fresh = stamp is not None and 0 <= self._now() - stamp[2] / 1e9 < SETTLED
        self._waited = fresh and not self._waited
        return self._waited

    def _list_file(self, stamp: Stamp | None, kept: Recalled | None = None) -> None:
        """Lists what the file of this stamp says; `kept` may say it too. Raises WatchlistError and JournalError."""
        reading = kept and kept.reading(stamp)
        if reading is None:
            reading = self._library.watchlist.read()
            self._listing = Listing.of(self._library.places.watchlist, stamp, reading)
        self.listed(reading, kept.states if kept is not None else {})

    def _remember(self) -> None:
        """Spares the next start the parsing: what the journal does not hold yet would be missing then."""
        if self._listing is None or self._only is not None or self._ledger.entries.unwritten:
            return
        try:
            self._library.journal.remember(self._listing.records())
        except JournalError:
            return  # told by who writes entries; the next tick tries again
        self._listing = None
