"""Keeps the journal small while a session polls: what is too old goes, and jobs that no watchlist has held for long."""

import logging
from collections.abc import Callable, Iterable

from tui.domain.models import Ref
from tui.storage.journal.journal import STEP, JournalError
from tui.storage.workspace import Library

EVERY = 300.0
"""Seconds between two looks for what the journal keeps too long."""
DAY = 86400.0
"""Seconds after which the journal is told again which jobs the watchlist holds."""

log = logging.getLogger(__name__)


class Pruning:
    """One session's. A journal that cannot be written is pruned the next time."""

    def __init__(self, library: Library, now: Callable[[], float]) -> None:
        self._library = library
        self._now = now
        self._looked_at = now()
        self._told_at = 0.0
        self._untold: list[Ref] = []

    def look(self, listed: Iterable[Ref]) -> None:
        """Now and then, some of what is too old; what is `listed` is not, and the journal is told that first."""
        now = self._now()
        if 0 <= now - self._looked_at < EVERY:
            return
        self._looked_at = now
        if not self._untold and not 0 <= now - self._told_at < DAY:
            self._untold, self._told_at = list(listed), now
        try:
            if self._untold:
                self._library.journal.listed(self._untold[-STEP:], now)
                del self._untold[-STEP:]
            else:
                self._library.journal.prune(now)
        except JournalError as error:
            log.warning("%s", error)
