"""Health of an account: the state that front ends show, from its responses and its limits."""

import logging
from collections.abc import Callable

from msgspec.structs import replace

from tui.domain.models import Fault, FaultKind
from tui.domain.polling import throttle
from tui.engine.accounts.limits import AccountLimits
from tui.engine.api import AccountState, Health
from tui.presentation.descriptions import describe_wait
from tui.presentation.sanitize import clean
from tui.providers import wait_hints
from tui.providers.response import HttpResponse, parse_account_headers
from tui.storage.config.configuration import Account

LEARNED = frozenset({Health.OK, Health.LIMITED, Health.OFFLINE})
"""Healths that the service has shown, whatever the key."""
MAX_LOGGED_HINT = 80
"""Characters of a header's value in the log."""

log = logging.getLogger(__name__)


class AccountHealth:
    """State of one account at run time."""

    def __init__(self, account: Account, limits: AccountLimits, clock: Callable[[], float]) -> None:
        self.state = _with_provider(AccountState(name=account.name, provider="", title=""), account)
        self._limits = limits
        self._clock = clock
        self._unreadable_hints: set[str] = set()

    def take_over(self, former: AccountState) -> None:
        """Continue from what the account's former leader published; that its key was refused is its own affair."""
        is_same_api = former.provider == self.state.provider
        if is_same_api and former.health in LEARNED and self.state.health in {Health.UNTRIED, *LEARNED}:
            self.state = replace(
                self.state,
                health=former.health,
                message=former.message,
                waits_until=former.waits_until,
                http_status=former.http_status,
                consecutive_failures=former.consecutive_failures,
                quota=former.quota,
                latency=former.latency,
                skew=former.skew,
                is_deprecated=former.is_deprecated,
                sunset_at=former.sunset_at,
            )

    def set_untried(self) -> None:
        """Show a key that no request has used yet."""
        self.state = replace(self.state, health=Health.UNTRIED, message="", waits_until=None)

    def set_without_key(self, reason: str) -> None:
        """Show why there is no key."""
        self.state = replace(self.state, health=Health.NO_KEY, message=reason)

    def move_to(self, successor: Account) -> None:
        """Show the facts of the API that replaces the account's."""
        self.state = replace(_with_provider(self.state, successor), is_deprecated=False, sunset_at=None)

    def update(self, response: HttpResponse | None, fault: Fault | None, seconds: float) -> None:
        """Apply what a response states about the account itself."""
        limited = fault is not None and fault.kind is FaultKind.LIMITED
        state = replace(
            self.state,
            request_count=self.state.request_count + 1,
            fault_count=self.state.fault_count + (fault is not None),
            latency=seconds,
            consecutive_failures=self._limits.throttle.consecutive_failures,
            rate_per_minute=self._limits.throttle.per_minute,
            http_status=fault.http_status if limited and fault is not None else self.state.http_status,
        )
        if response is not None:
            self._log_unreadable_hints(response)
            reported = parse_account_headers(response)
            state = replace(
                state, skew=reported.date - response.received_at if reported.date is not None else state.skew
            )
            if reported.remaining == 0 and reported.reset_at is not None and reported.reset_at > response.received_at:
                self._limits.block_until(reported.reset_at, response.received_at)
            if reported.remaining is not None and reported.limit is not None:
                state = replace(state, quota=(reported.remaining, reported.limit))
            if reported.sunset is not None or reported.deprecated:
                state = replace(state, sunset_at=reported.sunset, is_deprecated=True)
        self.state = self._with_health(state, fault)

    def snapshot(self) -> AccountState:
        """Return the current state, without the waits that have passed."""
        now = self._clock()
        is_spaced, blocked = self._limits.waits(now)
        if is_spaced != self.state.is_spaced:
            self.state = replace(self.state, is_spaced=is_spaced)
        if blocked.at > now and self.state.health in {Health.UNTRIED, Health.OK, Health.LIMITED}:
            reason = describe_wait(blocked.reason)
            self.state = replace(self.state, health=Health.LIMITED, message=reason, waits_until=blocked.at)
        elif self.state.waits_until is not None and max(blocked.at, self._limits.throttle.breaker_open_until) <= now:
            limited = self.state.health is Health.LIMITED
            self.state = replace(self.state, waits_until=None)
            if limited:
                self.state = replace(self.state, health=Health.OK, message="")
        return self.state

    def shift(self, seconds: float) -> None:
        """Move the shown wait by `seconds`, because the clock was set forward by that much."""
        if self.state.waits_until is not None:
            self.state = replace(self.state, waits_until=self.state.waits_until + seconds)

    def _log_unreadable_hints(self, response: HttpResponse) -> None:
        """Name each header with a waiting hint that cannot be read, once."""
        for name in wait_hints.unreadable(response.headers):
            if name not in self._unreadable_hints:
                self._unreadable_hints.add(name)
                value = clean(response.headers[name], MAX_LOGGED_HINT)
                log.warning("account %s: cannot read the header %s: %s (ignored)", self.state.name, name, value)

    def _with_health(self, state: AccountState, fault: Fault | None) -> AccountState:
        now, current = self._clock(), self._limits.throttle
        if current.stop_reason:
            return replace(state, health=Health.REFUSED, message=current.stop_reason, waits_until=None)
        _, blocked = self._limits.waits(now)
        if blocked.at > now:
            reason = describe_wait(blocked.reason)
            return replace(state, health=Health.LIMITED, message=reason, waits_until=blocked.at)
        if fault is not None and fault.kind in throttle.UNAVAILABLE_FAULTS:
            until = current.breaker_open_until if current.breaker_open_until > now else None
            return replace(state, health=Health.OFFLINE, message=fault.message, waits_until=until)
        return replace(state, health=Health.OK, message="", waits_until=None)


def _with_provider(state: AccountState, account: Account) -> AccountState:
    """Return the state with the facts of the account's provider."""
    provider = account.provider
    return replace(
        state,
        provider=provider.name,
        title=provider.title,
        id_patterns=provider.id_patterns,
        has_slashes=provider.has_slashes,
        secrets=provider.secrets,
        kinds=tuple(provider.kinds),
        rate_per_minute=account.per_minute,
    )
