"""How fast an account may be asked: its token bucket, the floors its service set, its breaker. Pure: time comes in.

`ready` says from when the next ask may leave and why; `taken` pays for it; `answered` learns from its outcome.
"""

from random import Random
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from tui.domain.jobs import Fault, FaultKind

SHARE = 0.6
"""Of a published limit, this share is asked steadily; others use the same key."""
BURST = 10.0
"""Seconds' worth of asks that a rested bucket holds for a minute's limit, at least one ask."""
DAY = 86400.0
DAY_BURST = 0.4
"""Share of a day's limit that a rested bucket holds: with SHARE flowing in, no 24 hours exceed the limit."""
SLOWED = 0.7
"""A 429 multiplies the rate by this …"""
REGAIN = 1 / 60
"""… and each minute without one gives back an ask a minute."""
SLOWEST = 1 / 60
"""Asks a second that the rate never falls below."""
BREAK_AFTER = 5
"""Failures in a row that open the breaker."""
OPEN = (30.0, 600.0)
"""Seconds for which the breaker stays open: the first time, and at most."""
LIMITED = (2.0, 120.0)
"""Seconds: ceiling of the wait after a 429 that names none, at first and at most."""
REFUSED_JOBS = 3
"""Jobs that got 403, none having got a report since the key changed, after which the key itself is held refused."""

FAILURES = frozenset({FaultKind.OFFLINE, FaultKind.TIMEOUT, FaultKind.TLS, FaultKind.SERVER})
"""Faults that say the service is not there. Any other answer proves that it is."""


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


class Pace(Struct, frozen=True, kw_only=True):
    """One account's leave to ask. Rates are asks a second, instants as everywhere."""

    ceiling: float
    """The rate that 429s lower and clean minutes regain."""
    minute: Bucket
    day: Bucket | None
    filled_at: float
    floor: float = 0.0
    """No request leaves before this instant."""
    floor_reason: str = ""
    limits: int = 0
    """429s in a row that named no time."""
    failures: int = 0
    opened: int = 0
    """Times in a row that the breaker opened without an answer since."""
    open_until: float = 0.0
    probing: bool = False
    """The open breaker has let its one ask out."""
    forbidden: frozenset[str] = frozenset()
    """Jobs that got a 403, with no report since the first of them."""
    proven: bool = False
    """The key has brought a report: a 403 is about its job."""
    stopped: str = ""
    """Why the account asks nothing until a person acts; empty: it asks."""


class Leave(NamedTuple):
    """From when the next ask may leave, and what it waits for ("" if for nothing)."""

    at: float
    reason: str


def rested(per_minute: float, now: float, per_day: float | None = None) -> Pace:
    """An account with full buckets that is asked steadily `per_minute` times a minute, within a day's limit."""
    rate = per_minute / 60
    most = max(1.0, rate * BURST)
    day = Bucket(SHARE * per_day / DAY, DAY_BURST * per_day, DAY_BURST * per_day) if per_day else None
    return Pace(ceiling=rate, minute=Bucket(rate, most, most), day=day, filled_at=now)


def ready(pace: Pace, now: float, *, person: bool = False) -> Leave | None:
    """When the next ask may leave; None while the account is stopped. A person's ask ignores breaker and stop."""
    if pace.stopped and not person:
        return None
    full = _filled(pace, now)
    waits = [Leave(now + full.minute.wait(), "the account's rate"), Leave(pace.floor, pace.floor_reason)]
    if full.day is not None:
        waits.append(Leave(now + full.day.wait(), "the account's limit for a day"))
    if not person:
        waits.append(Leave(pace.open_until, "the service is not answering"))
    longest = max(waits)
    return longest if longest.at > now else Leave(now, "")


def taken(pace: Pace, now: float) -> Pace:
    """The pace after an ask left. While the breaker is ajar, the one probe shuts it behind itself."""
    pace = _filled(pace, now)
    until = now + _open_for(pace.opened) if pace.opened else pace.open_until
    day = pace.day and replace(pace.day, tokens=pace.day.tokens - 1)
    minute = replace(pace.minute, tokens=pace.minute.tokens - 1)
    return replace(pace, minute=minute, day=day, open_until=until, probing=pace.opened > 0)


def answered(pace: Pace, fault: Fault | None, now: float, random: Random, job: str = "") -> Pace:
    """What the outcome of an ask for `job` (its id) teaches: `fault` is None after a report."""
    pace = _filled(pace, now)
    if fault is None:
        return replace(_shut(pace), limits=0, forbidden=frozenset(), proven=True)
    if fault.kind in FAILURES:
        return _failed(pace, now)
    there = _shut(pace)
    if fault.kind is FaultKind.LIMITED:
        return _limited(there, fault, now, random)
    if fault.kind is FaultKind.REFUSED:
        return _refused(there, fault, job)
    return there


def resumed(pace: Pace) -> Pace:
    """A person asks: the stop and the breaker are lifted. Floors and the bucket stand."""
    return replace(_shut(pace), stopped="", forbidden=frozenset())


def rekeyed(pace: Pace) -> Pace:
    """The key is another, of which nothing is known yet."""
    return replace(resumed(pace), proven=False)


def shifted(pace: Pace, seconds: float) -> Pace:
    """The clock was set forward by so many seconds: what is to be waited for stays as far away as it was."""
    return replace(
        pace,
        filled_at=pace.filled_at + seconds,
        floor=pace.floor + seconds,
        open_until=pace.open_until + seconds,
    )


def _shut(pace: Pace) -> Pace:
    """The breaker is shut, as after any answer."""
    return replace(pace, failures=0, opened=0, open_until=0.0, probing=False)


def _failed(pace: Pace, now: float) -> Pace:
    """Five failures in a row open the breaker; each failed probe doubles its time.

    What was under way when it opened says nothing new.
    """
    pace = replace(pace, failures=pace.failures + 1)
    if pace.failures < BREAK_AFTER or (pace.opened and not pace.probing):
        return pace
    return replace(pace, opened=pace.opened + 1, open_until=now + _open_for(pace.opened + 1), probing=False)


def _limited(pace: Pace, fault: Fault, now: float, random: Random) -> Pace:
    """The time the service named, else full jitter, is a floor for the whole account."""
    if fault.retry_at is not None and fault.retry_at > now:
        floor, limits = fault.retry_at, 0
        reason = "the service asked to wait"
    else:
        first, most = LIMITED
        floor, limits = now + random.uniform(first, min(most, first * 2.0 ** min(pace.limits + 1, 16))), pace.limits + 1
        reason = "limited, without a time to wait"
    slower = _at_rate(pace.minute, max(SLOWEST, pace.minute.rate * SLOWED))
    minute = replace(slower, tokens=min(slower.tokens, 1.0))
    return replace(pace, minute=minute, floor=max(pace.floor, floor), floor_reason=reason, limits=limits)


def _refused(pace: Pace, fault: Fault, job: str) -> Pace:
    """401 is about the key; 403 is about one job, until enough of them say otherwise of a key that brought nothing."""
    if fault.http_status != 403:
        return replace(pace, stopped=fault.message)
    if pace.proven:
        return pace
    forbidden = pace.forbidden | {job}
    return replace(pace, forbidden=forbidden, stopped=fault.message if len(forbidden) >= REFUSED_JOBS else pace.stopped)


def _filled(pace: Pace, now: float) -> Pace:
    """The buckets as they are now. The rate regains what 429s took, minute by minute outside their floors."""
    passed = max(0.0, now - pace.filled_at)
    clean = max(0.0, now - max(pace.filled_at, pace.floor))
    minute = _at_rate(pace.minute.filled(passed), min(pace.ceiling, pace.minute.rate + REGAIN * clean / 60))
    return replace(pace, minute=minute, day=pace.day and pace.day.filled(passed), filled_at=now)


def _at_rate(bucket: Bucket, rate: float) -> Bucket:
    return replace(bucket, rate=rate, most=max(1.0, rate * BURST))


def _open_for(opened: int) -> float:
    first, most = OPEN
    return min(most, first * 2.0 ** min(opened - 1, 16))
