"""One process's hand in an account's shared budget: it draws a few asks at a time, and heeds every process's floors.

Where the journal cannot be had, the process goes on by what it knows itself.
"""

from collections.abc import Callable

from tui.domain.polling.rate_limit import CLOCK_SET_BACK, RESERVATION_TTL, RateLimit
from tui.storage.journal.database import JournalError
from tui.storage.journal.rate_limits import RateLimitTable

FRESH = 0.05
"""Seconds for which what other processes did is not looked up again."""
RETRY = 5.0
"""Seconds for which a journal that failed is left alone: each try may block the loop for a quarter of one."""


class Purse:
    """What one process knows of an account's budget and holds of it. Instants come in."""

    def __init__(self, account: str, budget: RateLimit, shared: Callable[[], RateLimitTable] | None) -> None:
        """`budget` is what it begins with where nobody has asked yet.

        `shared` may raise JournalError; None: nobody else draws on it.
        """
        self._account = account
        self._shared = shared
        self.budget = budget
        self._held = 0
        self._held_until = 0.0
        self._draw = 1
        """Asks to draw the next time: more, as long as all of them are used."""
        self._alone_until = 0.0
        self._looked_at = 0.0

    def holds(self, now: float) -> bool:
        """An ask is drawn already, and not too long ago."""
        return self._held > 0 and now < self._held_until

    def look(self, now: float) -> RateLimit:
        """The budget with whatever other processes did to it."""
        if self._shared is None or now < self._alone_until or 0 <= now - self._looked_at < FRESH:
            return self.budget
        self._looked_at = now
        try:
            found = self._shared().get(self._account)
        except JournalError:
            self._alone_until = now + RETRY
            return self.budget
        if found is not None:
            self.budget = self._joined(found, now)
        return self.budget

    def pay(self, now: float) -> bool:
        """Pays for one ask; False: the budget has none to give now."""
        if self.holds(now):
            self._held -= 1
            return True
        most = max(1, int(self.budget.minute_bucket.rate * RESERVATION_TTL))
        self._draw = min(most, self._draw * 2) if self._held == 0 and now < self._held_until + RESERVATION_TTL else 1
        drawn = 0

        def draw(budget: RateLimit) -> RateLimit:
            nonlocal drawn
            budget, drawn = budget.take_tokens(now, self._draw)
            return budget

        self.change(draw, now)
        self._held, self._held_until = max(0, drawn - 1), now + RESERVATION_TTL
        return drawn > 0

    def change(self, change: Callable[[RateLimit], RateLimit], now: float) -> None:
        """Has the budget changed for every process, and here alone where the journal cannot be had."""
        self._change(lambda found: change(self.budget if found is None else self._joined(found, now)), now)

    def shift(self, seconds: float, now: float) -> None:
        """The clock was set forward by so many seconds, and is at `now`; the first to notice sets back for all."""
        self.budget = self.budget.clock_shifted(seconds)
        self._held = 0

        def shifted(found: RateLimit | None) -> RateLimit:
            if found is None:
                return self.budget
            unheeded = found.updated_at > now + CLOCK_SET_BACK
            return self._joined(found.clock_shifted(seconds) if unheeded else found, now)

        self._change(shifted, now)

    def _change(self, change: Callable[[RateLimit | None], RateLimit], now: float) -> None:
        if self._shared is not None and now >= self._alone_until:
            try:
                self.budget = self._shared().update(self._account, change)
            except JournalError:
                self._alone_until = now + RETRY
            else:
                return
        self.budget = change(None)

    def _joined(self, found: RateLimit, now: float) -> RateLimit:
        """The shared budget on our terms, with our floor where that is the later one."""
        mine = self.budget
        return found.with_config_of(mine).refilled(now).blocked_until(mine.not_before, mine.not_before_reason, now)
