"""Keeps the journal small while a session polls: what is too old goes, and jobs that no watchlist has held for long."""

import logging
from collections.abc import Callable, Iterable

from tui.domain.models import Ref
from tui.storage.journal.journal import PRUNE_STEP, JournalError
from tui.storage.workspace import Workspace

PRUNE_INTERVAL = 300.0
"""Seconds between two looks for what the journal keeps too long."""
MARK_INTERVAL = 86400.0
"""Seconds after which the journal is told again which jobs the watchlist holds."""

log = logging.getLogger(__name__)


class JournalPruner:
    """One session's. A journal that cannot be written is pruned the next time."""

    def __init__(self, workspace: Workspace, now: Callable[[], float]) -> None:
        self._workspace = workspace
        self._now = now
        self._pruned_at = now()
        self._marked_at = 0.0
        self._unmarked: list[Ref] = []

    def run_if_due(self, listed: Iterable[Ref]) -> None:
        """Now and then, some of what is too old; what is `listed` is not, and the journal is told that first."""
        now = self._now()
        if 0 <= now - self._pruned_at < PRUNE_INTERVAL:
            return
        self._pruned_at = now
        if not self._unmarked and not 0 <= now - self._marked_at < MARK_INTERVAL:
            self._unmarked, self._marked_at = list(listed), now
        try:
            if self._unmarked:
                self._workspace.journal.mark_listed(self._unmarked[-PRUNE_STEP:], now)
                del self._unmarked[-PRUNE_STEP:]
            else:
                self._workspace.journal.prune(now)
        except JournalError as error:
            log.warning("%s", error)
