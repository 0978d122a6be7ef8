"""How many asks an account may send: token buckets for a minute and a day, and floors. Pure: time comes in.

One budget is drawn on by every process that asks for the account. How the service is doing is `pace`.
"""

import math
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

STEADY_SHARE = 0.6
"""Of a published limit, this share is asked steadily; others use the same key."""
MINUTE = 60.0
BURST_SECONDS = 5.0
"""Seconds' worth of asks that a rested bucket holds for a minute's limit, at least one ask."""
RESERVATION_TTL = 1.0
"""Seconds for which a process may hold what it drew before it asks. What it does not ask for in that time is lost."""
DAY = 86400.0
DAY_BURST_SHARE = 0.4
"""Share of a day's limit that a rested bucket holds: with SHARE flowing in, no 24 hours exceed the limit."""
SLOWDOWN_FACTOR = 0.7
"""A 429 multiplies the rate by this …"""
RECOVERY_RATE = 1 / 60
"""… and each second without one gives back this many asks a minute: one in a clean minute."""
MIN_PER_MINUTE = 1.0
"""Asks a minute that the rate never falls below, unless the operator said less."""
MAX_RETRY_AFTER = DAY
"""Seconds: the longest wait that a service is believed. What asks for more is damage."""
TIME_RESOLUTION = 5e-7
"""Seconds that two instants near now can be told apart by: a wait below it is none."""
CLOCK_SET_BACK = 2.0
"""Seconds by which what was written lies ahead of the clock when the clock was set back since."""


class TokenBucket(Struct, frozen=True):
    """A token bucket: it fills at `rate` tokens a second up to `most`; an ask takes one."""

    rate: float
    capacity: float
    tokens: float

    def refilled(self, seconds: float) -> "TokenBucket":
        """The bucket after so many seconds."""
        return replace(self, tokens=min(self.capacity, self.tokens + self.rate * seconds))

    def wait_time(self) -> float:
        """Seconds until it holds a token."""
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
    UNAVAILABLE = "unavailable"
    """The circuit breaker is open."""


class SendSlot(NamedTuple):
    """From when the next ask may leave, and what it waits for ("" if for nothing)."""

    at: float
    reason: WaitReason | None


class RateLimit(Struct, frozen=True, kw_only=True):
    """What is left. Instants are by the clock of this computer."""

    configured_per_minute: float
    """Asks that any minute may hold, as configured."""
    per_minute: float
    """Asks that any minute may hold now: 429s lower it, clean minutes regain it."""
    minute_bucket: TokenBucket
    day_bucket: TokenBucket | None
    updated_at: float
    not_before: float = 0.0
    """No request leaves before this instant."""
    not_before_reason: WaitReason | None = None

    def next_slot(self, now: float) -> SendSlot:
        """When the next ask may leave."""
        full = self.refilled(now)
        waits = [
            SendSlot(now + full.minute_bucket.wait_time(), WaitReason.RATE),
            SendSlot(full.not_before, full.not_before_reason),
        ]
        if full.day_bucket is not None:
            waits.append(SendSlot(now + full.day_bucket.wait_time(), WaitReason.DAILY_LIMIT))
        longest = max(waits, key=lambda slot: slot.at)
        return longest if longest.at > now else SendSlot(now, None)

    def take_tokens(self, now: float, max_count: int) -> tuple["RateLimit", int]:
        """The budget after up to `most` asks were drawn from it, and how many: none where it may not ask."""
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

    def refilled(self, now: float) -> "RateLimit":
        """The budget as it is now. What 429s took is regained minute by minute outside their floors.

        Where the clock was set back since it was written, a floor stays as far away as it was then.
        """
        if self.updated_at > now + CLOCK_SET_BACK:
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
        """The budget after a 429: slower, and nothing before `until`."""
        full = self.refilled(now)
        allowed = max(min(MIN_PER_MINUTE, full.configured_per_minute), full.per_minute * SLOWDOWN_FACTOR)
        slower = _resize(full.minute_bucket, allowed)
        minute = replace(slower, tokens=min(slower.tokens, 1.0))
        return replace(full, per_minute=allowed, minute_bucket=minute).blocked_until(until, reason, now)

    def blocked_until(self, until: float, reason: WaitReason | None, now: float) -> "RateLimit":
        """The budget of which nothing is asked before `until`. A floor is never shortened."""
        until = min(until, now + MAX_RETRY_AFTER)
        return replace(self, not_before=until, not_before_reason=reason) if until > self.not_before else self

    def clock_shifted(self, seconds: float) -> "RateLimit":
        """The clock was set forward by so many seconds: what is to be waited for stays as far away as it was."""
        return replace(self, updated_at=self.updated_at + seconds, not_before=self.not_before + seconds)

    def with_config_of(self, other: "RateLimit") -> "RateLimit":
        """The budget with the other's limits, where the configuration has changed since; slowed as much as before."""
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
    """Full buckets, for at most `per_minute` asks in any minute and `per_day` in any day."""
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
    """The bucket from which no minute can take more than `allowed` asks, its burst included.

    Of n asks within a minute the last was paid at most `most` + `rate` × (a minute + HOLD) tokens after the first:
    as long as that is below allowed + 1, n is at most `allowed`. A fraction of an ask is none; below one a minute
    there is one ask every so many minutes.
    """
    most = max(1.0, per_minute * BURST_SECONDS / MINUTE)
    rate = per_minute / MINUTE
    if per_minute >= 1:
        rate = min(rate, (math.floor(per_minute) + 1 - most) / (MINUTE + RESERVATION_TTL))
    return TokenBucket(rate, most, min(most, bucket.tokens))
