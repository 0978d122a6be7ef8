"""Reader of the fleet's report: follows the journal page by page, and adds only what is new."""

import asyncio
import math
from collections.abc import Callable, Collection, Mapping
from datetime import tzinfo

from msgspec.structs import replace

from tui.domain.fleet import WEEK_DAYS, AccountSummary, FleetAggregates, FleetReport
from tui.domain.models import Ref
from tui.presentation import formatting
from tui.storage.config.configuration import Account
from tui.storage.journal.fleet import FleetCursor
from tui.storage.protocols import JobJournal


class FleetReader:
    """Reader of one process. Nothing is read, and no memory used, before the first report is wanted."""

    def __init__(
        self,
        journal: JobJournal,
        accounts: Mapping[str, Account],
        now: Callable[[], float],
        counted: Callable[[], Collection[Ref] | None] = lambda: None,
    ) -> None:
        """`accounts` have the limits; `now` returns the instant.

        `counted` returns the jobs whose ends count; None: those of all. Requests count whatever their job.
        """
        self._journal = journal
        self._find_counted = counted
        self._counted: frozenset[Ref] | None = None
        self._accounts = accounts
        self._now = now
        self._generation: object = None
        """Of the journal that was read so far."""
        self._cursor = FleetCursor()
        self._aggregates = FleetAggregates()

    async def report(self, zone: tzinfo) -> FleetReport:
        """Return the report as of now, with each account's limits. Days begin at midnight in the zone.

        Other tasks run between two pages. Raises JournalError.
        """
        while not await self._read_page():  # noqa: ASYNC110  for a turn of the loop, not for a state
            await asyncio.sleep(0)
        now = self._now()
        report = self._aggregates.report(now, formatting.midnights(zone, now, range(0, -WEEK_DAYS - 1, -1)))
        accounts = dict(report.accounts)
        for name, account in self._accounts.items():
            summary = accounts.get(name, AccountSummary())
            accounts[name] = replace(summary, per_minute=account.per_minute, per_day=account.per_day)
        return replace(report, accounts=accounts)

    async def _read_page(self) -> bool:
        """Add the next new rows, which takes some milliseconds; return whether none are left."""
        generation, refs = self._journal.generation, self._find_counted()
        counted = None if refs is None else frozenset(refs)
        if (generation, counted) != (self._generation, self._counted):
            self._generation, self._cursor, self._aggregates = generation, FleetCursor(), FleetAggregates()
            self._counted = counted
        begun = generation, counted, self._cursor
        page = await self._journal.fleet_page(self._cursor, self._now(), counted)
        if begun != (self._generation, self._counted, self._cursor):  # another report has read the page
            return False
        if page.cursor is None:
            self._generation = None
            return False
        for end in page.ends:
            self._aggregates.add_end(end)
        for request in page.requests:
            self._aggregates.add_request(request)
        self._cursor = page.cursor
        self._aggregates.began_at = math.inf if page.began_at is None else page.began_at
        return page.is_last
