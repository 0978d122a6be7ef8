"""How an account may be asked: its budget, its breaker, its stop. Pure: time comes in.

`ready` says from when the next ask may leave and why; `taken` pays for it; `answered` learns from its outcome.
"""

from random import Random

from msgspec import Struct
from msgspec.structs import replace

from tui.domain.models import Fault, FaultKind
from tui.domain.polling import rate_limit
from tui.domain.polling.rate_limit import Budget, Leave

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


class Pace(Struct, frozen=True, kw_only=True):
    """One account's leave to ask, as one process knows it. Instants are as everywhere."""

    budget: Budget
    """Shared by every process on the state folder; the rest is this process's own experience."""
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

    @property
    def floor(self) -> float:
        """No request leaves before this instant."""
        return self.budget.floor

    @property
    def floor_reason(self) -> str:
        """Who asked to wait."""
        return self.budget.floor_reason

    @property
    def per_minute(self) -> float:
        """Asks that any minute may hold now."""
        return self.budget.allowed


def rested(per_minute: float, now: float, per_day: float | None = None) -> Pace:
    """An account of which any minute may hold `per_minute` asks, with full buckets, within a day's limit."""
    return Pace(budget=rate_limit.rested(per_minute, now, per_day))


def ready(pace: Pace, now: float, *, person: bool = False, held: bool = False) -> Leave | None:
    """When the next ask may leave; None while the account is stopped. A person's ask ignores breaker and stop.

    `held`: it is paid for already, and waits for floor and breaker alone.
    """
    if pace.stopped and not person:
        return None
    waits = [Leave(pace.floor, pace.floor_reason) if held else pace.budget.leave(now)]
    if not person:
        waits.append(Leave(pace.open_until, "the service is not answering"))
    longest = max(waits)
    return longest if longest.at > now else Leave(now, "")


def taken(pace: Pace, now: float) -> Pace:
    """The pace after an ask was paid for and left."""
    return sent(replace(pace, budget=pace.budget.drawn(now, 1)[0]), now)


def sent(pace: Pace, now: float) -> Pace:
    """The pace after an ask left that is paid for. While the breaker is ajar, the one probe shuts it behind itself."""
    until = now + _open_for(pace.opened) if pace.opened else pace.open_until
    return replace(pace, open_until=until, probing=pace.opened > 0)


def answered(pace: Pace, fault: Fault | None, now: float, random: Random, job: str = "") -> Pace:
    """What the outcome of an ask for `job` (its id) teaches: `fault` is None after a report."""
    pace = replace(pace, budget=pace.budget.filled(now))
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
    return replace(pace, budget=pace.budget.shifted(seconds), open_until=pace.open_until + seconds)


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
    return replace(pace, budget=pace.budget.limited(floor, reason, now), limits=limits)


def _refused(pace: Pace, fault: Fault, job: str) -> Pace:
    """401 is about the key; 403 is about one job, until enough of them say otherwise of a key that brought nothing."""
    if fault.http_status != 403:
        return replace(pace, stopped=fault.message)
    if pace.proven:
        return pace
    forbidden = pace.forbidden | {job}
    return replace(pace, forbidden=forbidden, stopped=fault.message if len(forbidden) >= REFUSED_JOBS else pace.stopped)


def _open_for(opened: int) -> float:
    first, most = OPEN
    return min(most, first * 2.0 ** min(opened - 1, 16))
