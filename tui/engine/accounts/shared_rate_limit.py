"""Rate limit of an account that several processes share through the journal.

A process reserves a few tokens at a time and respects the not_before of every process. While the journal cannot be
used, a process continues with what it knows itself.
"""

from collections.abc import Callable

from tui.domain.polling.rate_limit import RESERVATION_TTL, RateLimit
from tui.storage.journal.database import JournalError
from tui.storage.journal.rate_limits import RateLimitTable

CACHE_TTL = 0.05
"""Seconds for which the shared state is not read again."""
JOURNAL_RETRY = 5.0
"""Seconds until a failed journal is tried again: each try may block the loop for 0.25 s."""


class SharedRateLimit:
    """Shared rate limit of one account, with the tokens that this process has reserved. Time is passed in."""

    def __init__(self, account: str, initial: RateLimit, open_table: Callable[[], RateLimitTable] | None) -> None:
        """Start from `initial`, unless the journal has the account's rate limit.

        `open_table` may raise JournalError; None: no other process shares the limit.
        """
        self._account = account
        self._open_table = open_table
        self.current = initial
        self._reserved = 0
        self._reserved_until = 0.0
        self._batch_size = 1
        """Tokens to reserve next: doubles while all of them are used."""
        self._offline_until = 0.0
        self._refreshed_at = 0.0

    def has_reserved(self, now: float) -> bool:
        """Return whether a reserved token is left that has not expired."""
        return self._reserved > 0 and now < self._reserved_until

    def refresh(self, now: float) -> RateLimit:
        """Return the rate limit with the changes of other processes."""
        if self._open_table is None or now < self._offline_until or 0 <= now - self._refreshed_at < CACHE_TTL:
            return self.current
        self._refreshed_at = now
        try:
            found = self._open_table().get(self._account)
        except JournalError:
            self._offline_until = now + JOURNAL_RETRY
            return self.current
        if found is not None and found.is_from_future(now):
            self.change(lambda limit: limit, now)  # written back: repaired at each reading, it would never refill
        elif found is not None:
            self.current = self._merge(found, now)
        return self.current

    def acquire(self, now: float) -> bool:
        """Take one token; False: none is available now."""
        if self.has_reserved(now):
            self._reserved -= 1
            return True
        max_batch = max(1, int(self.current.minute_bucket.rate * RESERVATION_TTL))
        self._batch_size = (
            min(max_batch, self._batch_size * 2)
            if self._reserved == 0 and now < self._reserved_until + RESERVATION_TTL
            else 1
        )
        taken = 0

        def take(budget: RateLimit) -> RateLimit:
            nonlocal taken
            budget, taken = budget.take_tokens(now, self._batch_size)
            return budget

        self.change(take, now)
        self._reserved, self._reserved_until = max(0, taken - 1), now + RESERVATION_TTL
        return taken > 0

    def change(self, change: Callable[[RateLimit], RateLimit], now: float) -> None:
        """Apply a change for all processes; for this process alone if the journal fails."""
        self._change(lambda found: change(self.current if found is None else self._merge(found, now)), now)

    def shift(self, seconds: float, now: float) -> None:
        """Move all instants by `seconds`, the amount by which the clock was set forward to `now`.

        The first process that notices moves the shared ones for all.
        """
        self.current = self.current.clock_shifted(seconds)
        self._reserved, self._offline_until = 0, 0.0

        def shifted(found: RateLimit | None) -> RateLimit:
            if found is None:
                return self.current
            is_shifted = not found.is_from_future(now)
            return self._merge(found if is_shifted else found.clock_shifted(seconds), now)

        self._change(shifted, now)

    def _change(self, change: Callable[[RateLimit | None], RateLimit], now: float) -> None:
        if self._open_table is not None and now >= self._offline_until:
            try:
                self.current = self._open_table().update(self._account, change)
            except JournalError:
                self._offline_until = now + JOURNAL_RETRY
            else:
                return
        self.current = change(None)

    def _merge(self, found: RateLimit, now: float) -> RateLimit:
        """Return the shared rate limit with this process's configuration and the later not_before."""
        current = self.current
        return (
            found.with_config_of(current)
            .refilled(now)
            .blocked_until(current.not_before, current.not_before_reason, now)
        )
