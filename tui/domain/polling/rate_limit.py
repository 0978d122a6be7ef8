"""Rate limit of an account: token buckets for a minute and a day, and a not_before instant. Time is an argument.

All processes that poll the account share it. Breaker and stop are `throttle`.
"""

import math
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tui.domain.clock_repair import CLOCK_SET_BACK

STEADY_SHARE = 0.6
"""Share of a published daily limit that is used steadily; others use the same key."""
MINUTE = 60.0
BURST_SECONDS = 5.0
"""Seconds' worth of requests in a full minute bucket, at least one request."""
RESERVATION_TTL = 1.0
"""Seconds for which a process may hold tokens before it sends. Unused tokens are lost."""
DAY = 86400.0
DAY_BURST_SHARE = 0.4
"""Share of a daily limit in a full day bucket: with STEADY_SHARE flowing in, no 24 hours exceed the limit."""
SLOWDOWN_FACTOR = 0.7
"""A 429 multiplies the rate by this …"""
RECOVERY_RATE = 1 / 60
"""… and each second without one adds this many requests a minute: one per minute."""
MIN_PER_MINUTE = 1.0
"""Requests a minute: the lowest rate, unless the operator configured less."""
MAX_RETRY_AFTER = DAY
"""Seconds: a longer Retry-After is an error of the service."""
TIME_RESOLUTION = 5e-7
"""Seconds: resolution of instants near now; a shorter wait is none."""


class TokenBucket(Struct, frozen=True):
    """Token bucket that fills at `rate` tokens a second up to `capacity`; a request takes one."""

    rate: float
    capacity: float
    tokens: float

    def refilled(self, seconds: float) -> "TokenBucket":
        """Return the bucket after so many seconds."""
        return replace(self, tokens=min(self.capacity, self.tokens + self.rate * seconds))

    def wait_time(self) -> float:
        """Return the seconds until the bucket has a token."""
        return max(0.0, (1 - self.tokens) / self.rate)


class WaitReason(StrEnum):
    """What an account waits for before its next request. `presentation.descriptions` words it."""

    RATE = "rate"
    DAILY_LIMIT = "daily_limit"
    RETRY_AFTER = "retry_after"
    """The service named the time."""
    RATE_LIMITED = "rate_limited"
    """The service answered 429 and named no time."""
    QUOTA_USED = "quota_used"
    """The service's headers say that no request is left in its window."""
    DATABASE = "database"
    """The team's database cannot be reached."""
    UNAVAILABLE = "unavailable"
    """The circuit breaker is open."""


class SendSlot(NamedTuple):
    """Instant of the next request, and what it waits for (None: nothing)."""

    at: float
    reason: WaitReason | None


class RateLimit(Struct, frozen=True, kw_only=True):
    """Remaining rate limit. Instants are by this computer's clock."""

    configured_per_minute: float
    """Requests in any minute, as configured."""
    per_minute: float
    """Requests in any minute now: lowered by 429s, raised again by minutes without one."""
    minute_bucket: TokenBucket
    day_bucket: TokenBucket | None
    updated_at: float
    not_before: float = 0.0
    """No request is sent before this instant."""
    not_before_reason: WaitReason | None = None

    def next_slot(self, now: float) -> SendSlot:
        """Return when the next request may be sent."""
        spaced, blocked = self.waits(now)
        longest = spaced if spaced.at > blocked.at else blocked
        return longest if longest.at > now else SendSlot(now, None)

    def waits(self, now: float) -> tuple[SendSlot, SendSlot]:
        """Return when the spacing of requests within a minute allows one, and when service and daily limit do."""
        full = self.refilled(now)
        blocked = SendSlot(full.not_before, full.not_before_reason)
        if full.day_bucket is not None:
            daily = SendSlot(now + full.day_bucket.wait_time(), WaitReason.DAILY_LIMIT)
            blocked = daily if daily.at > blocked.at else blocked
        return SendSlot(now + full.minute_bucket.wait_time(), WaitReason.RATE), blocked

    def take_tokens(self, now: float, max_count: int) -> tuple["RateLimit", int]:
        """Return the rate limit after taking up to `max_count` tokens, and their number: 0 before `not_before`."""
        full = self.refilled(now)
        if full.not_before > now:
            return full, 0
        tokens = (
            full.minute_bucket.tokens
            if full.day_bucket is None
            else min(full.minute_bucket.tokens, full.day_bucket.tokens)
        )
        nearly = full.minute_bucket.rate * TIME_RESOLUTION + 1e-9
        count = max(0, min(max_count, math.floor(tokens + nearly)))
        minute = replace(full.minute_bucket, tokens=full.minute_bucket.tokens - count)
        day = full.day_bucket and replace(full.day_bucket, tokens=full.day_bucket.tokens - count)
        return replace(full, minute_bucket=minute, day_bucket=day), count

    def is_from_future(self, now: float) -> bool:
        """Return whether it was written by a clock that was ahead. Until it is written again, it never refills."""
        return self.updated_at > now + CLOCK_SET_BACK

    def refilled(self, now: float) -> "RateLimit":
        """Return the rate limit at `now`. What 429s took comes back minute by minute after `not_before`.

        If the clock was set back since, `not_before` stays as far away as it was.
        """
        if self.is_from_future(now):
            return self.clock_shifted(now - self.updated_at)
        passed = max(0.0, now - self.updated_at)
        clean = max(0.0, now - max(self.updated_at, self.not_before))
        allowed = min(self.configured_per_minute, self.per_minute + RECOVERY_RATE * clean)
        day = self.day_bucket and self.day_bucket.refilled(passed)
        minute = _resize(self.minute_bucket.refilled(passed), allowed)
        return replace(
            self, per_minute=allowed, minute_bucket=minute, day_bucket=day, updated_at=max(now, self.updated_at)
        )

    def slowed_by_429(self, until: float, reason: WaitReason | None, now: float) -> "RateLimit":
        """Return the rate limit after a 429: slower, and no request before `until`."""
        full = self.refilled(now)
        allowed = max(min(MIN_PER_MINUTE, full.configured_per_minute), full.per_minute * SLOWDOWN_FACTOR)
        slower = _resize(full.minute_bucket, allowed)
        minute = replace(slower, tokens=min(slower.tokens, 1.0))
        return replace(full, per_minute=allowed, minute_bucket=minute).blocked_until(until, reason, now)

    def blocked_until(self, until: float, reason: WaitReason | None, now: float) -> "RateLimit":
        """Return the rate limit with no request before `until`. An existing wait is never shortened."""
        until = min(until, now + MAX_RETRY_AFTER)
        return replace(self, not_before=until, not_before_reason=reason) if until > self.not_before else self

    def clock_shifted(self, seconds: float) -> "RateLimit":
        """Return the rate limit after the clock was set forward by so many seconds: waits keep their length."""
        return replace(self, updated_at=self.updated_at + seconds, not_before=self.not_before + seconds)

    def with_config_of(self, other: "RateLimit") -> "RateLimit":
        """Return the rate limit with the limits of `other`, if the configuration changed; slowed down as before."""
        if self.configured_per_minute == other.configured_per_minute and (self.day_bucket is None) == (
            other.day_bucket is None
        ):
            return self
        allowed = other.configured_per_minute * self.per_minute / self.configured_per_minute
        return replace(
            self,
            configured_per_minute=other.configured_per_minute,
            per_minute=allowed,
            minute_bucket=_resize(self.minute_bucket, allowed),
            day_bucket=other.day_bucket,
        )


def initial(per_minute: float, now: float, per_day: float | None = None) -> RateLimit:
    """Return full buckets for at most `per_minute` requests in any minute and `per_day` in any day."""
    minute = _resize(TokenBucket(0.0, 0.0, math.inf), per_minute)
    day = (
        TokenBucket(STEADY_SHARE * per_day / DAY, DAY_BURST_SHARE * per_day, DAY_BURST_SHARE * per_day)
        if per_day
        else None
    )
    return RateLimit(
        configured_per_minute=per_minute, per_minute=per_minute, minute_bucket=minute, day_bucket=day, updated_at=now
    )


def _resize(bucket: TokenBucket, per_minute: float) -> TokenBucket:
    """Return the bucket from which no minute takes more than `per_minute` requests, bursts included.

    Of n requests within a minute, at most capacity + rate × (a minute + RESERVATION_TTL) tokens are available: as long
    as that is below per_minute + 1, n is at most `per_minute`. A fraction of a request is none; below one a minute
    there is one request every few minutes.
    """
    capacity = max(1.0, per_minute * BURST_SECONDS / MINUTE)
    rate = per_minute / MINUTE
    if per_minute >= 1:
        rate = min(rate, (math.floor(per_minute) + 1 - capacity) / (MINUTE + RESERVATION_TTL))
    return TokenBucket(rate, capacity, min(capacity, bucket.tokens))
