"""SharedStorage of a team: PostgreSQL for what all processes share, the local journal for this computer's own."""

from collections.abc import Callable, Mapping

from tui.storage.journal.journal import Journal
from tui.storage.journal.shared import LocalNotifications
from tui.storage.protocols import Notifications
from tui.storage.team.connection import DatabaseClock, TeamDatabase
from tui.storage.team.exchange import TeamExchange
from tui.storage.team.journal import TeamJournal
from tui.storage.team.layout import LayoutGuard
from tui.storage.team.lease import TeamLease
from tui.storage.team.outbox import TeamOutbox
from tui.storage.team.tables import KeyOf, TeamNotifications, TeamRateLimits, TeamSuccessors


class TeamStorage:
    """Storage of one process of a team. Nothing is connected before its first use."""

    def __init__(
        self,
        conninfo: str,
        local: Callable[[], Journal],
        key_of: KeyOf,
        per_minute: Mapping[str, float],
        *,
        polls: bool,
        watchlist: str = "",
        worker: str = "",
        weight: float = 1.0,
        addresses: Mapping[str, str] | None = None,
        clock: DatabaseClock | None = None,
        layout: LayoutGuard | None = None,
    ) -> None:
        """Connect to nothing yet. `polls`: a worker, which may hold leases. `per_minute`: rate of each account.

        `watchlist`: name under which the process publishes its jobs. `worker`: name of this worker, the same at every
        start; `weight`: its share of the accounts. `addresses`: base URLs of the accounts.
        """
        self.clock = clock or DatabaseClock()
        """Clock of the database."""
        layout = layout or LayoutGuard()
        self.database = TeamDatabase(conninfo, self.clock, layout)
        """Connection for all that has none of its own: the only one of a process that does not poll."""
        # neither a renewal nor a delivery waits for a batch
        self._lease_database = TeamDatabase(conninfo, self.clock, layout) if polls else self.database
        self._outbox_database = TeamDatabase(conninfo, self.clock, layout) if polls else self.database
        self.lease = TeamLease(self._lease_database, may_hold=polls, name=worker, addresses=addresses, weight=weight)
        self.journal = TeamJournal(self.database, self.lease, local)
        self.rate_limits = TeamRateLimits(self.database, self.lease, key_of, per_minute, fenced=polls)
        self.successors = TeamSuccessors(self.database, local)
        self.notifications: Notifications = (
            TeamNotifications(self.database) if polls else LocalNotifications(local)  # hooks of this console only
        )
        self.outbox = TeamOutbox(self._outbox_database, self.lease.holder) if polls else None
        self.team = TeamExchange(self.database, watchlist, is_worker=polls)

        self._taken_steps = self.clock.stepped

    def take_clock_step(self) -> float:
        """Return the seconds by which the database's clock was set forward since the last call."""
        before, self._taken_steps = self._taken_steps, self.clock.stepped
        return self._taken_steps - before

    async def close(self) -> None:
        """Close the connections."""
        await self._lease_database.close()
        await self._outbox_database.close()
        await self.database.close()
