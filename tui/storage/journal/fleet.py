"""Journal tables as the fleet's aggregates read them: ended jobs and requests, each row once, in pages.

What they add up to is `domain.fleet`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from tui.domain.fleet import DAY, KEPT_SECONDS, EndedJob, SentRequest
from tui.domain.models import Phase
from tui.storage.journal.database import Database

PAGE_ROWS = 2000
"""Rows of each table in one page, recent or not: some milliseconds, between which an engine polls."""


class FleetCursor(NamedTuple):
    """Last rows that were read, by their numbers."""

    change: int = 0
    request: int = 0


class FleetPage(NamedTuple):
    """Rows after a cursor, oldest first."""

    ends: tuple[EndedJob, ...] = ()
    requests: tuple[SentRequest, ...] = ()
    cursor: FleetCursor | None = None
    """Cursor of the next page; None: the tables were emptied since, and all that was read is void."""
    began_at: float | None = None
    """Instant of the oldest phase change; None: there is none."""
    is_last: bool = False
    """No rows are left for now."""


class FleetTable:
    """Ended jobs and requests of one journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, cursor: FleetCursor, now: float) -> FleetPage:
        """Return the rows after the cursor that are recent enough for a report at `now`. Raises JournalError."""
        with self._database.connection() as db:
            *numbers, began_at = db.execute(_LAST_ROWS).fetchone()
            last = FleetCursor(*numbers)
            if last.change < cursor.change or last.request < cursor.request:
                return FleetPage()
            following = FleetCursor(
                min(last.change, cursor.change + PAGE_ROWS), min(last.request, cursor.request + PAGE_ROWS)
            )
            changes = db.execute(_ENDS, (cursor.change, following.change, now - KEPT_SECONDS)).fetchall()
            requests = db.execute(_REQUESTS, (cursor.request, following.request, now - DAY)).fetchall()
        return FleetPage(
            tuple(read_ends(changes)), tuple(read_requests(requests)), following, began_at, following == last
        )


def read_ends(rows: Iterable[Sequence[Any]]) -> Iterator[EndedJob]:
    """Return the ended jobs of rows: account, kind, phase, earliest_at, seen_at and first_polled_at."""
    for account, kind, after, earliest_at, seen_at, first_polled_at in rows:
        was_seen = earliest_at is not None and first_polled_at is not None and earliest_at >= first_polled_at
        duration = (earliest_at + seen_at) / 2 - first_polled_at if was_seen else None
        yield EndedJob(account, kind, after == Phase.DONE, seen_at, duration)


def read_requests(rows: Iterable[Sequence[Any]]) -> Iterator[SentRequest]:
    """Return the requests of rows: account, ended_at, milliseconds, and whether it was a fault."""
    for account, ended_at, duration_ms, is_fault in rows:
        yield SentRequest(account, ended_at, duration_ms, bool(is_fault))


_LAST_ROWS = """
SELECT coalesce((SELECT max(seq) FROM phase_change), 0), coalesce((SELECT max(seq) FROM request), 0),
  (SELECT seen_at FROM phase_change ORDER BY seq LIMIT 1)"""
_ENDS = """
SELECT change.account, coalesce(job.kind, ''), change.after, change.earliest_at, change.seen_at,
  job.first_polled_at
FROM phase_change AS change LEFT JOIN job USING (account, id)
WHERE change.seq > ? AND change.seq <= ? AND change.seen_at >= ? AND change.after IN ('done', 'failed', 'timed_out')
ORDER BY change.seq"""
_REQUESTS = """
SELECT account, ended_at, duration_ms, fault IS NOT NULL FROM request
WHERE seq > ? AND seq <= ? AND ended_at >= ? ORDER BY seq"""
