"""How an account may be asked: its budget, its breaker, its stop. Pure: time comes in.

`ready` says from when the next ask may leave and why; `taken` pays for it; `answered` learns from its outcome.
"""

from random import Random

from msgspec import Struct
from msgspec.structs import replace

from tui.domain.models import Fault, FaultKind
from tui.domain.polling import rate_limit
from tui.domain.polling.rate_limit import RateLimit, SendSlot, WaitReason

BREAKER_THRESHOLD = 5
"""Failures in a row that open the breaker."""
BREAKER_OPEN_SECONDS = (30.0, 600.0)
"""Seconds for which the breaker stays open: the first time, and at most."""
LIMITED_BACKOFF = (2.0, 120.0)
"""Seconds: ceiling of the wait after a 429 that names none, at first and at most."""
MAX_FORBIDDEN_JOBS = 3
"""Jobs that got 403, none having got a report since the key changed, after which the key itself is held refused."""

UNAVAILABLE_FAULTS = frozenset({FaultKind.OFFLINE, FaultKind.TIMEOUT, FaultKind.TLS, FaultKind.SERVER})
"""Faults that say the service is not there. Any other answer proves that it is."""


class AccountThrottle(Struct, frozen=True, kw_only=True):
    """One account's leave to ask, as one process knows it. Instants are as everywhere."""

    rate_limit: RateLimit
    """Shared by every process on the state folder; the rest is this process's own experience."""
    consecutive_429s: int = 0
    """429s in a row that named no time."""
    consecutive_failures: int = 0
    breaker_openings: int = 0
    """Times in a row that the breaker opened without an answer since."""
    breaker_open_until: float = 0.0
    is_probing: bool = False
    """The open breaker has let its one ask out."""
    forbidden_jobs: frozenset[str] = frozenset()
    """Jobs that got a 403, with no report since the first of them."""
    has_proven_key: bool = False
    """The key has brought a report: a 403 is about its job."""
    stop_reason: str = ""
    """Why the account asks nothing until a person acts; empty: it asks."""

    @property
    def not_before(self) -> float:
        """No request leaves before this instant."""
        return self.rate_limit.not_before

    @property
    def not_before_reason(self) -> WaitReason | None:
        """Who asked to wait."""
        return self.rate_limit.not_before_reason

    @property
    def per_minute(self) -> float:
        """Asks that any minute may hold now."""
        return self.rate_limit.per_minute


def initial(per_minute: float, now: float, per_day: float | None = None) -> AccountThrottle:
    """An account of which any minute may hold `per_minute` asks, with full buckets, within a day's limit."""
    return AccountThrottle(rate_limit=rate_limit.initial(per_minute, now, per_day))


def next_slot(
    throttle: AccountThrottle, now: float, *, user_requested: bool = False, has_token: bool = False
) -> SendSlot | None:
    """When the next ask may leave; None while the account is stopped. A person's ask ignores breaker and stop.

    `held`: it is paid for already, and waits for floor and breaker alone.
    """
    if throttle.stop_reason and not user_requested:
        return None
    waits = [
        SendSlot(throttle.not_before, throttle.not_before_reason) if has_token else throttle.rate_limit.next_slot(now)
    ]
    if not user_requested:
        waits.append(SendSlot(throttle.breaker_open_until, WaitReason.UNAVAILABLE))
    longest = max(waits, key=lambda slot: slot.at)
    return longest if longest.at > now else SendSlot(now, None)


def take_slot(throttle: AccountThrottle, now: float) -> AccountThrottle:
    """The pace after an ask was paid for and left."""
    return record_sent(replace(throttle, rate_limit=throttle.rate_limit.take_tokens(now, 1)[0]), now)


def record_sent(throttle: AccountThrottle, now: float) -> AccountThrottle:
    """The pace after an ask left that is paid for. While the breaker is ajar, the one probe shuts it behind itself."""
    until = (
        now + _breaker_open_seconds(throttle.breaker_openings)
        if throttle.breaker_openings
        else throttle.breaker_open_until
    )
    return replace(throttle, breaker_open_until=until, is_probing=throttle.breaker_openings > 0)


def record_outcome(
    throttle: AccountThrottle, fault: Fault | None, now: float, random: Random, job_id: str = ""
) -> AccountThrottle:
    """What the outcome of an ask for `job` (its id) teaches: `fault` is None after a report."""
    throttle = replace(throttle, rate_limit=throttle.rate_limit.refilled(now))
    if fault is None:
        return replace(_close_breaker(throttle), consecutive_429s=0, forbidden_jobs=frozenset(), has_proven_key=True)
    if fault.kind in UNAVAILABLE_FAULTS:
        return _record_failure(throttle, now)
    there = _close_breaker(throttle)
    if fault.kind is FaultKind.LIMITED:
        return _record_429(there, fault, now, random)
    if fault.kind is FaultKind.REFUSED:
        return _record_refusal(there, fault, job_id)
    return there


def reset(throttle: AccountThrottle) -> AccountThrottle:
    """A person asks: the stop and the breaker are lifted. Floors and the bucket stand."""
    return replace(_close_breaker(throttle), stop_reason="", forbidden_jobs=frozenset())


def key_changed(throttle: AccountThrottle) -> AccountThrottle:
    """The key is another, of which nothing is known yet."""
    return replace(reset(throttle), has_proven_key=False)


def clock_shifted(throttle: AccountThrottle, seconds: float) -> AccountThrottle:
    """The clock was set forward by so many seconds: what is to be waited for stays as far away as it was."""
    return replace(
        throttle,
        rate_limit=throttle.rate_limit.clock_shifted(seconds),
        breaker_open_until=throttle.breaker_open_until + seconds,
    )


def _close_breaker(throttle: AccountThrottle) -> AccountThrottle:
    """The breaker is shut, as after any answer."""
    return replace(throttle, consecutive_failures=0, breaker_openings=0, breaker_open_until=0.0, is_probing=False)


def _record_failure(throttle: AccountThrottle, now: float) -> AccountThrottle:
    """Five failures in a row open the breaker; each failed probe doubles its time.

    What was under way when it opened says nothing new.
    """
    throttle = replace(throttle, consecutive_failures=throttle.consecutive_failures + 1)
    if throttle.consecutive_failures < BREAKER_THRESHOLD or (throttle.breaker_openings and not throttle.is_probing):
        return throttle
    return replace(
        throttle,
        breaker_openings=throttle.breaker_openings + 1,
        breaker_open_until=now + _breaker_open_seconds(throttle.breaker_openings + 1),
        is_probing=False,
    )


def _record_429(throttle: AccountThrottle, fault: Fault, now: float, random: Random) -> AccountThrottle:
    """The time the service named, else full jitter, is a floor for the whole account."""
    if fault.retry_at is not None and fault.retry_at > now:
        floor, limits = fault.retry_at, 0
        reason = WaitReason.RETRY_AFTER
    else:
        first, most = LIMITED_BACKOFF
        floor, limits = (
            now + random.uniform(first, min(most, first * 2.0 ** min(throttle.consecutive_429s + 1, 16))),
            throttle.consecutive_429s + 1,
        )
        reason = WaitReason.RATE_LIMITED
    return replace(throttle, rate_limit=throttle.rate_limit.slowed_by_429(floor, reason, now), consecutive_429s=limits)


def _record_refusal(throttle: AccountThrottle, fault: Fault, job_id: str) -> AccountThrottle:
    """401 is about the key; 403 is about one job, until enough of them say otherwise of a key that brought nothing."""
    if fault.http_status != 403:
        return replace(throttle, stop_reason=fault.message)
    if throttle.has_proven_key:
        return throttle
    forbidden = throttle.forbidden_jobs | {job_id}
    return replace(
        throttle,
        forbidden_jobs=forbidden,
        stop_reason=fault.message if len(forbidden) >= MAX_FORBIDDEN_JOBS else throttle.stop_reason,
    )


def _breaker_open_seconds(openings: int) -> float:
    first, most = BREAKER_OPEN_SECONDS
    return min(most, first * 2.0 ** min(openings - 1, 16))
