"""Throttle of an account: rate limit, circuit breaker and stop. Time is an argument.

`next_slot` returns when the next request may be sent and why, `take_slot` takes its token, `record_outcome` learns from
its response.
"""

from random import Random

from msgspec import Struct
from msgspec.structs import replace

from tui.domain.models import Fault, FaultKind
from tui.domain.polling import rate_limit
from tui.domain.polling.rate_limit import RateLimit, SendSlot, WaitReason

BREAKER_THRESHOLD = 5
"""Consecutive failures that open the breaker."""
BREAKER_OPEN_SECONDS = (30.0, 600.0)
"""Seconds for which the breaker stays open: the first time, and at most."""
LIMITED_BACKOFF = (2.0, 120.0)
"""Seconds: ceiling of the wait after a 429 that names none, at first and at most."""
MAX_FORBIDDEN_JOBS = 3
"""Jobs with 403, and none with a report since the key changed, after which the key itself counts as refused."""

UNAVAILABLE_FAULTS = frozenset({FaultKind.OFFLINE, FaultKind.TIMEOUT, FaultKind.TLS, FaultKind.SERVER})
"""Faults of an unavailable service. Any other response proves that it is available."""


class AccountThrottle(Struct, frozen=True, kw_only=True):
    """Throttle of one account in one process."""

    rate_limit: RateLimit
    """Shared by all processes on the state folder; the other fields are this process's own."""
    consecutive_429s: int = 0
    """Consecutive 429s without a time to wait."""
    consecutive_failures: int = 0
    breaker_openings: int = 0
    """Times that the breaker opened since the last response."""
    breaker_open_until: float = 0.0
    is_probing: bool = False
    """The open breaker has sent its one probe."""
    forbidden_jobs: frozenset[str] = frozenset()
    """Ids of the jobs with 403, without a report since the first of them."""
    has_proven_key: bool = False
    """The key gave a report: a 403 is about its job."""
    stop_reason: str = ""
    """Fault message that stops polling until the operator acts; "": not stopped."""

    @property
    def not_before(self) -> float:
        """Instant before which no request is sent."""
        return self.rate_limit.not_before

    @property
    def not_before_reason(self) -> WaitReason | None:
        """What `not_before` waits for."""
        return self.rate_limit.not_before_reason

    @property
    def per_minute(self) -> float:
        """Requests in any minute now."""
        return self.rate_limit.per_minute


def initial(per_minute: float, now: float, per_day: float | None = None) -> AccountThrottle:
    """Return the throttle of an account with full buckets, for `per_minute` requests a minute and `per_day` a day."""
    return AccountThrottle(rate_limit=rate_limit.initial(per_minute, now, per_day))


def next_slot(
    throttle: AccountThrottle, now: float, *, user_requested: bool = False, has_token: bool = False
) -> SendSlot | None:
    """Return when the next request may be sent; None: the account is stopped.

    A user-requested poll ignores breaker and stop. `has_token`: the token is taken, only `not_before` and the breaker
    remain.
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
    """Return the throttle after a token was taken and the request sent."""
    return record_sent(replace(throttle, rate_limit=throttle.rate_limit.take_tokens(now, 1)[0]), now)


def record_sent(throttle: AccountThrottle, now: float) -> AccountThrottle:
    """Return the throttle after a request with a token was sent. A probe of the open breaker keeps it open."""
    until = (
        now + _breaker_open_seconds(throttle.breaker_openings)
        if throttle.breaker_openings
        else throttle.breaker_open_until
    )
    return replace(throttle, breaker_open_until=until, is_probing=throttle.breaker_openings > 0)


def record_outcome(
    throttle: AccountThrottle, fault: Fault | None, now: float, random: Random, job_id: str = ""
) -> AccountThrottle:
    """Return the throttle after a request for a job; `fault` is None after a report."""
    throttle = replace(throttle, rate_limit=throttle.rate_limit.refilled(now))
    if fault is None:
        return replace(_close_breaker(throttle), consecutive_429s=0, forbidden_jobs=frozenset(), has_proven_key=True)
    if fault.kind in UNAVAILABLE_FAULTS:
        return _record_failure(throttle, now)
    available = _close_breaker(throttle)
    if fault.kind is FaultKind.LIMITED:
        return _record_429(available, fault, now, random)
    if fault.kind is FaultKind.REFUSED:
        return _record_refusal(available, fault, job_id)
    return available


def reset(throttle: AccountThrottle) -> AccountThrottle:
    """Return the throttle without stop and with a closed breaker, for a user-requested poll. The rate limit stays."""
    return replace(_close_breaker(throttle), stop_reason="", forbidden_jobs=frozenset())


def key_changed(throttle: AccountThrottle) -> AccountThrottle:
    """Return the throttle for another key."""
    return replace(reset(throttle), has_proven_key=False)


def clock_shifted(throttle: AccountThrottle, seconds: float) -> AccountThrottle:
    """Return the throttle after the clock was set forward by so many seconds: waits keep their length."""
    return replace(
        throttle,
        rate_limit=throttle.rate_limit.clock_shifted(seconds),
        breaker_open_until=throttle.breaker_open_until + seconds,
    )


def _close_breaker(throttle: AccountThrottle) -> AccountThrottle:
    """Return the throttle with a closed breaker, as after any response."""
    return replace(throttle, consecutive_failures=0, breaker_openings=0, breaker_open_until=0.0, is_probing=False)


def _record_failure(throttle: AccountThrottle, now: float) -> AccountThrottle:
    """Return the throttle after a failure: five open the breaker, each failed probe doubles its time.

    Failures of requests that were in flight when it opened change nothing.
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
    """Return the throttle after a 429: the account waits for its Retry-After, else with full jitter."""
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
    """Return the throttle after a refusal: 401 stops the account, 403 only once several jobs got it and no report."""
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
