"""Limits of an account: when its next request may leave, by its throttle and by the rate limit of all processes."""

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random

from msgspec.structs import replace

from tui.domain.models import Fault, FaultKind
from tui.domain.polling import throttle
from tui.domain.polling.rate_limit import RateLimit, SendSlot, WaitReason
from tui.engine.accounts.shared_rate_limit import SharedRateLimit
from tui.presentation.descriptions import describe_wait
from tui.storage.config.configuration import Account
from tui.storage.protocols import RateLimits

BACKLOG_CHECK_INTERVAL = 1.0
"""Seconds until a worker that could not write its results tries to poll again."""


class AccountLimits:
    """Throttle and shared rate limit of one account at run time."""

    def __init__(
        self,
        account: Account,
        clock: Callable[[], float],
        random: Random,
        rate_limits: RateLimits | None = None,
        now_synced: Callable[[], float] | None = None,
    ) -> None:
        """Start idle. `rate_limits`: those that all processes share; None: no other process sends.

        `now_synced` is the clock after it has followed changes of the wall clock; None: `clock`.
        """
        self.throttle = throttle.initial(account.per_minute, clock(), account.per_day)
        self.user_request_lock = asyncio.Lock()
        """Held while a user-requested poll waits for its slot: first come, first served."""
        self.has_backlog: Callable[[], bool] = lambda: False
        """Whether so many results wait to be written that no request may be sent."""
        self._clock = clock
        self._now_synced = now_synced or clock
        self._random = random
        self._tokens = deque[float]()
        """Instants at which the tokens expire that are taken and not used; any request may use any of them."""
        self._shared = SharedRateLimit(account.name, self.throttle.rate_limit, rate_limits)

    async def next_slot(self, now: float, *, user_requested: bool = False) -> SendSlot | None:
        """Return when the next request may leave, all processes considered; None: polling is stopped."""
        await self.refresh(now)
        if self.has_backlog():
            return SendSlot(now + BACKLOG_CHECK_INTERVAL, WaitReason.DATABASE)
        slot = throttle.next_slot(
            self.throttle, now, user_requested=user_requested, has_token=self._shared.has_reserved(now)
        )
        if slot is None or slot.reason is not WaitReason.RATE or self._shared.sharer_count < 2:
            return slot
        # all wait for the same token: without a random time, the one with the fastest clock gets nearly every one
        spread = self._shared.sharer_count / self.throttle.rate_limit.minute_bucket.rate
        return slot._replace(at=slot.at + self._random.uniform(0, spread))

    async def user_slot(self, now: float) -> SendSlot:
        """Return when the next user-requested poll may leave: it ignores a stop and the circuit breaker."""
        slot = await self.next_slot(now, user_requested=True)
        assert slot is not None, "a user-requested poll has a slot, if late"
        return slot

    async def acquire(self, now: float) -> bool:
        """Take the token of a request that `next_slot` allows now, and that calls `use_token`.

        Returns False if another process was faster, or if taking it took so long that the token has expired.
        """
        expires_at = await self._shared.acquire(now)
        self.throttle = replace(self.throttle, rate_limit=self._shared.current)
        if expires_at is None or self._clock() > expires_at:
            return False
        self._tokens.append(expires_at)
        self.throttle = throttle.record_sent(self.throttle, now)
        return True

    async def use_token(self) -> bool:
        """Use a token for a request whose first byte leaves next, and return True.

        The process may have been stopped or busy since `acquire`. If no token is left that has not expired, the request
        waits for one. Returns False if anything but the spacing of requests delays that: the request must not be sent.
        """
        while not self._has_token(now := self._now_synced()):
            slot = await self.user_slot(now)
            if self.is_stopped or slot.reason not in (None, WaitReason.RATE):
                return False
            if slot.at > now:
                await asyncio.sleep(slot.at - now)
            else:
                await self.acquire(now)
        self._tokens.popleft()
        return True

    def _has_token(self, now: float) -> bool:
        """Return whether a token is left, and no response since has demanded to wait."""
        while self._tokens and self._tokens[0] < now:
            self._tokens.popleft()
        return bool(self._tokens) and self.throttle.not_before <= now

    async def acquire_slot(self, max_wait: float) -> Fault | None:
        """Wait for a slot for a user-requested poll and take it; return why there is none within `max_wait` seconds.

        Callers wait in their order; the time counts from when a caller is the first.
        """
        async with self.user_request_lock:
            return await self._acquire_within(max_wait, user_requested=True)

    async def acquire_background_slot(self, max_wait: float) -> Fault | None:
        """Wait for a slot as a scheduled poll does, and take it; return why there is none within `max_wait` seconds."""
        return await self._acquire_within(max_wait, user_requested=False)

    async def _acquire_within(self, max_wait: float, *, user_requested: bool) -> Fault | None:
        deadline = self._clock() + max_wait
        while not self.throttle.stop_reason:
            slot = await self.next_slot(now := self._clock(), user_requested=user_requested)
            if slot is None:
                break
            if slot.at > deadline:
                return Fault(FaultKind.LIMITED, f"no request sent: {describe_wait(slot.reason)}", retry_at=slot.at)
            if slot.at > now:
                await asyncio.sleep(slot.at - now)
            elif await self.acquire(now):
                return None
        return Fault(FaultKind.REFUSED, self.throttle.stop_reason)

    def waits(self, now: float) -> tuple[bool, SendSlot]:
        """Return whether only the spacing of requests delays the next one, and when service and daily limit allow it.

        A reserved token has passed the spacing and the daily limit.
        """
        if self._shared.has_reserved(now):
            return False, SendSlot(self.throttle.not_before, self.throttle.not_before_reason)
        spaced, blocked = self.throttle.rate_limit.waits(now)
        is_spaced = spaced.at > max(now, blocked.at, self.throttle.breaker_open_until)
        return is_spaced and not self.throttle.stop_reason, blocked

    async def refresh(self, now: float) -> None:
        """Apply the changes that other processes made to the rate limit."""
        current = await self._shared.refresh(now)
        self.throttle = replace(self.throttle, rate_limit=current)

    async def share(self) -> None:
        """Apply the changes of the last response for all processes."""
        await self._shared.share(self._clock())
        self.throttle = replace(self.throttle, rate_limit=self._shared.current)

    @property
    def is_stopped(self) -> bool:
        """Whether no request is sent until the key changes or the operator acts."""
        return bool(self.throttle.stop_reason)

    def reset(self) -> None:
        """Lift a stop and the circuit breaker."""
        self.throttle = throttle.reset(self.throttle)

    def on_key_changed(self) -> None:
        """Lift a stop and the circuit breaker for a key that the service has not accepted yet."""
        self.throttle = throttle.key_changed(self.throttle)

    def record_outcome(self, fault: Fault | None, received_at: float, job_id: str) -> None:
        """Apply a request's outcome to the throttle, and a 429 to the rate limit of all processes."""
        self.throttle = throttle.record_outcome(self.throttle, fault, received_at, self._random, job_id)
        if fault is not None and fault.kind is FaultKind.LIMITED:
            until, reason = self.throttle.not_before, self.throttle.not_before_reason
            self._change(lambda rate_limit: rate_limit.slowed_by_429(until, reason, received_at))

    def block_until(self, until: float, received_at: float) -> None:
        """Send nothing until then, in no process: the service says that the quota is used up."""
        self._change(lambda rate_limit: rate_limit.blocked_until(until, WaitReason.QUOTA_USED, received_at))

    def shift(self, seconds: float) -> None:
        """Move all waits by `seconds`, because the clock was set forward by that much."""
        self._tokens.clear()
        self._shared.shift(seconds, self._clock())
        self.throttle = replace(throttle.clock_shifted(self.throttle, seconds), rate_limit=self._shared.current)

    def _change(self, change: Callable[[RateLimit], RateLimit]) -> None:
        self._shared.change(change)
        self.throttle = replace(self.throttle, rate_limit=self._shared.current)
