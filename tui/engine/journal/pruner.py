"""Pruner of the journal: removes old entries, and jobs that no watchlist contained for long, while the engine polls."""

import logging
from collections.abc import Iterable

from tui.domain.models import Ref
from tui.engine.context import EngineContext
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import PRUNE_STEP
from tui.storage.protocols import JobJournal

PRUNE_INTERVAL = 300.0
"""Seconds between two steps of pruning."""
MARK_INTERVAL = 86400.0
"""Seconds after which the jobs of the watchlist are marked in the journal again."""

log = logging.getLogger(__name__)


class JournalPruner:
    """Pruner of one engine. If the journal is not writable, the next step tries again."""

    def __init__(self, context: EngineContext, journal: JobJournal) -> None:
        self._now = context.now
        self._journal = journal
        self._pruned_at = self._now()
        self._marked_at = 0.0
        self._unmarked: list[Ref] = []

    async def run_if_due(self, listed: Iterable[Ref]) -> None:
        """Run one step if it is due: mark the listed jobs, which are kept, or remove some old entries."""
        now = self._now()
        if 0 <= now - self._pruned_at < PRUNE_INTERVAL:
            return
        self._pruned_at = now
        if not self._unmarked and not 0 <= now - self._marked_at < MARK_INTERVAL:
            self._unmarked, self._marked_at = list(listed), now
        try:
            if self._unmarked:
                await self._journal.mark_listed(self._unmarked[-PRUNE_STEP:], now)
                del self._unmarked[-PRUNE_STEP:]
            else:
                await self._journal.prune(now)
        except JournalError as error:
            log.warning("%s", error)
