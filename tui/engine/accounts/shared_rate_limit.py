"""Rate limit of an account that several processes share through the journal.

A process reserves a few tokens at a time and respects the not_before of every process. A change holds for this process
at once, and for all before its next request. While the journal cannot be used, a process continues with what it knows
itself, unless it needs what the others have sent: then it sends nothing.
"""

from collections.abc import Callable

from tui.domain.polling.rate_limit import RESERVATION_TTL, RateLimit, WaitReason
from tui.storage.journal.database import JournalError
from tui.storage.protocols import RateLimits

CACHE_TTL = 0.05
"""Seconds for which the shared state is not read again."""
JOURNAL_RETRY = 5.0
"""Seconds until a failed journal is tried again: each try may block the loop for 0.25 s."""


class SharedRateLimit:
    """Shared rate limit of one account, with the tokens that this process has reserved. Time is passed in."""

    def __init__(self, account: str, initial: RateLimit, rate_limits: RateLimits | None) -> None:
        """Start from `initial`, unless the journal has the account's rate limit.

        `rate_limits`: None: no other process shares the limit.
        """
        self._account = account
        self._rate_limits = rate_limits
        self.current = initial
        self._unshared: list[Callable[[RateLimit], RateLimit]] = []
        """Changes that the other processes do not see yet."""
        self._reserved = 0
        self._reserved_until = 0.0
        self._batch_size = 1
        """Tokens to reserve next: doubles while all of them are used."""
        self._offline_until = 0.0
        self._refreshed_at = 0.0

    @property
    def sharer_count(self) -> int:
        """Accounts that take their tokens from this rate limit; 1 without others."""
        return 1 if self._rate_limits is None else self._rate_limits.sharer_count(self._account)

    def has_reserved(self, now: float) -> bool:
        """Return whether a reserved token is left that has not expired."""
        return self._reserved > 0 and now < self._reserved_until

    async def refresh(self, now: float) -> RateLimit:
        """Return the rate limit with the changes of other processes, after sharing those of this one."""
        await self.share(now)
        if self._rate_limits is None or now < self._offline_until or 0 <= now - self._refreshed_at < CACHE_TTL:
            return self.current
        self._refreshed_at = now
        try:
            found = await self._rate_limits.get(self._account)
        except JournalError:
            return self._without_journal(now)
        if found is not None and found.is_from_future(now):
            self.change(lambda limit: limit)  # written back: repaired at each reading, it would never refill
            await self.share(now)
        elif found is not None:
            self.current = self._merge(found, now)
        return self.current

    async def acquire(self, now: float) -> float | None:
        """Take one token, and return the instant at which it expires; None: none is available now."""
        await self.share(now)
        if self.has_reserved(now):
            self._reserved -= 1
            return self._reserved_until
        if now < self._offline_until and self._rate_limits is not None and self._rate_limits.is_required:
            return None
        max_batch = max(1, int(self.current.minute_bucket.rate * RESERVATION_TTL))
        self._batch_size = (
            min(max_batch, self._batch_size * 2)
            if self._reserved == 0 and now < self._reserved_until + RESERVATION_TTL
            else 1
        )
        taken = 0

        def take(found: RateLimit | None) -> RateLimit:
            nonlocal taken
            budget = self.current if found is None else self._merge(found, now)
            budget, taken = budget.take_tokens(now, self._batch_size)
            return budget

        if not await self._update(take, now):
            taken = 0  # computed, and not written: the lease may be another worker's
        self._reserved, self._reserved_until = max(0, taken - 1), now + RESERVATION_TTL
        return self._reserved_until if taken else None

    def change(self, change: Callable[[RateLimit], RateLimit]) -> None:
        """Apply a change: to this process at once, to all with the next `share`."""
        self.current = change(self.current)
        self._unshared.append(change)

    async def share(self, now: float) -> None:
        """Apply the changes of this process for all.

        If the journal fails, they stay with this process alone; with one that is required they are applied later.
        """
        changes, self._unshared = self._unshared, []
        if not changes:
            return

        def changed(found: RateLimit | None) -> RateLimit:
            if found is None:
                return self.current
            for change in changes:
                found = change(found)
            return self._merge(found, now)

        if not await self._update(changed, now):
            self._unshared[:0] = changes

    def shift(self, seconds: float, now: float) -> None:
        """Move all instants by `seconds`, the amount by which the clock was set forward to `now`.

        The first process that notices moves the shared ones for all.
        """
        self.current = self.current.clock_shifted(seconds)
        self._reserved, self._offline_until = 0, 0.0

        def moved(found: RateLimit) -> RateLimit:
            is_older = found.updated_at <= now - seconds if seconds > 0 else found.is_from_future(now)
            return found.clock_shifted(seconds) if is_older else found

        self._unshared.append(moved)

    async def _update(self, change: Callable[[RateLimit | None], RateLimit], now: float) -> bool:
        """Apply a change for all, or without a journal for this process; False: it needs the journal, which failed."""
        if self._rate_limits is not None and now >= self._offline_until:
            try:
                self.current = await self._rate_limits.update(self._account, change)
            except JournalError:
                self._without_journal(now)
            else:
                return True
        if self._rate_limits is not None and self._rate_limits.is_required:
            return False
        self.current = change(None)
        return True

    def _without_journal(self, now: float) -> RateLimit:
        """Return the rate limit of this process alone, which blocks it if it needs that of the others."""
        self._offline_until = now + JOURNAL_RETRY
        if self._rate_limits is not None and self._rate_limits.is_required:
            self.current = self.current.blocked_until(self._offline_until, WaitReason.DATABASE, now)
        return self.current

    def _merge(self, found: RateLimit, now: float) -> RateLimit:
        """Return the shared rate limit with this process's configuration and the later not_before."""
        current = self.current
        return (
            found.with_config_of(current)
            .refilled(now)
            .blocked_until(current.not_before, current.not_before_reason, now)
        )
