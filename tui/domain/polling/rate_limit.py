"""How many asks an account may send: token buckets for a minute and a day, and floors. Pure: time comes in.

One budget is drawn on by every process that asks for the account. How the service is doing is `pace`.
"""

import math
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

SHARE = 0.6
"""Of a published limit, this share is asked steadily; others use the same key."""
MINUTE = 60.0
BURST = 5.0
"""Seconds' worth of asks that a rested bucket holds for a minute's limit, at least one ask."""
HOLD = 1.0
"""Seconds for which a process may hold what it drew before it asks. What it does not ask for in that time is lost."""
DAY = 86400.0
DAY_BURST = 0.4
"""Share of a day's limit that a rested bucket holds: with SHARE flowing in, no 24 hours exceed the limit."""
SLOWED = 0.7
"""A 429 multiplies the rate by this …"""
REGAIN = 1 / 60
"""… and each second without one gives back this many asks a minute: one in a clean minute."""
SLOWEST = 1.0
"""Asks a minute that the rate never falls below, unless the operator said less."""
BELIEVED = DAY
"""Seconds: the longest wait that a service is believed. What asks for more is damage."""
INSTANT = 5e-7
"""Seconds that two instants near now can be told apart by: a wait below it is none."""
SET_BACK = 2.0
"""Seconds by which what was written lies ahead of the clock when the clock was set back since."""


class Bucket(Struct, frozen=True):
    """A token bucket: it fills at `rate` tokens a second up to `most`; an ask takes one."""

    rate: float
    most: float
    tokens: float

    def filled(self, seconds: float) -> "Bucket":
        """The bucket after so many seconds."""
        return replace(self, tokens=min(self.most, self.tokens + self.rate * seconds))

    def wait(self) -> float:
        """Seconds until it holds a token."""
        return max(0.0, (1 - self.tokens) / self.rate)


class Leave(NamedTuple):
    """From when the next ask may leave, and what it waits for ("" if for nothing)."""

    at: float
    reason: str


class Budget(Struct, frozen=True, kw_only=True):
    """What is left. Instants are by the clock of this computer."""

    ceiling: float
    """Asks that any minute may hold, as configured."""
    allowed: float
    """Asks that any minute may hold now: 429s lower it, clean minutes regain it."""
    minute: Bucket
    day: Bucket | None
    filled_at: float
    floor: float = 0.0
    """No request leaves before this instant."""
    floor_reason: str = ""

    def leave(self, now: float) -> Leave:
        """When the next ask may leave."""
        full = self.filled(now)
        waits = [Leave(now + full.minute.wait(), "the account's rate"), Leave(full.floor, full.floor_reason)]
        if full.day is not None:
            waits.append(Leave(now + full.day.wait(), "the account's limit for a day"))
        longest = max(waits)
        return longest if longest.at > now else Leave(now, "")

    def drawn(self, now: float, most: int) -> tuple["Budget", int]:
        """The budget after up to `most` asks were drawn from it, and how many: none where it may not ask."""
        full = self.filled(now)
        if full.floor > now:
            return full, 0
        tokens = full.minute.tokens if full.day is None else min(full.minute.tokens, full.day.tokens)
        nearly = full.minute.rate * INSTANT + 1e-9
        count = max(0, min(most, math.floor(tokens + nearly)))
        minute = replace(full.minute, tokens=full.minute.tokens - count)
        day = full.day and replace(full.day, tokens=full.day.tokens - count)
        return replace(full, minute=minute, day=day), count

    def filled(self, now: float) -> "Budget":
        """The budget as it is now. What 429s took is regained minute by minute outside their floors.

        Where the clock was set back since it was written, a floor stays as far away as it was then.
        """
        if self.filled_at > now + SET_BACK:
            return self.shifted(now - self.filled_at)
        passed = max(0.0, now - self.filled_at)
        clean = max(0.0, now - max(self.filled_at, self.floor))
        allowed = min(self.ceiling, self.allowed + REGAIN * clean)
        day = self.day and self.day.filled(passed)
        minute = _sized(self.minute.filled(passed), allowed)
        return replace(self, allowed=allowed, minute=minute, day=day, filled_at=max(now, self.filled_at))

    def limited(self, until: float, reason: str, now: float) -> "Budget":
        """The budget after a 429: slower, and nothing before `until`."""
        full = self.filled(now)
        allowed = max(min(SLOWEST, full.ceiling), full.allowed * SLOWED)
        slower = _sized(full.minute, allowed)
        minute = replace(slower, tokens=min(slower.tokens, 1.0))
        return replace(full, allowed=allowed, minute=minute).floored(until, reason, now)

    def floored(self, until: float, reason: str, now: float) -> "Budget":
        """The budget of which nothing is asked before `until`. A floor is never shortened."""
        until = min(until, now + BELIEVED)
        return replace(self, floor=until, floor_reason=reason) if until > self.floor else self

    def shifted(self, seconds: float) -> "Budget":
        """The clock was set forward by so many seconds: what is to be waited for stays as far away as it was."""
        return replace(self, filled_at=self.filled_at + seconds, floor=self.floor + seconds)

    def on_terms_of(self, other: "Budget") -> "Budget":
        """The budget with the other's limits, where the configuration has changed since; slowed as much as before."""
        if self.ceiling == other.ceiling and (self.day is None) == (other.day is None):
            return self
        allowed = other.ceiling * self.allowed / self.ceiling
        return replace(self, ceiling=other.ceiling, allowed=allowed, minute=_sized(self.minute, allowed), day=other.day)


def rested(per_minute: float, now: float, per_day: float | None = None) -> Budget:
    """Full buckets, for at most `per_minute` asks in any minute and `per_day` in any day."""
    minute = _sized(Bucket(0.0, 0.0, math.inf), per_minute)
    day = Bucket(SHARE * per_day / DAY, DAY_BURST * per_day, DAY_BURST * per_day) if per_day else None
    return Budget(ceiling=per_minute, allowed=per_minute, minute=minute, day=day, filled_at=now)


def _sized(bucket: Bucket, allowed: float) -> Bucket:
    """The bucket from which no minute can take more than `allowed` asks, its burst included.

    Of n asks within a minute the last was paid at most `most` + `rate` × (a minute + HOLD) tokens after the first:
    as long as that is below allowed + 1, n is at most `allowed`. A fraction of an ask is none; below one a minute
    there is one ask every so many minutes.
    """
    most = max(1.0, allowed * BURST / MINUTE)
    rate = allowed / MINUTE
    if allowed >= 1:
        rate = min(rate, (math.floor(allowed) + 1 - most) / (MINUTE + HOLD))
    return Bucket(rate, most, min(most, bucket.tokens))
