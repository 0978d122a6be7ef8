"""Account at run time: key, throttle, shared rate limit, health and requests. Scheduling is left to the poller."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from tui.domain.job_state import JobState
from tui.domain.models import Fault, FaultKind, Job, Report, RequestRecord, Result
from tui.domain.polling import throttle
from tui.domain.polling.rate_limit import RateLimit, SendSlot, WaitReason
from tui.engine.accounts.api_migration import INCONCLUSIVE, ApiMigration, FindSuccessor, MigrationStep
from tui.engine.accounts.key_renewal import FetchKey, KeyRenewal
from tui.engine.accounts.retirement import GONE, RetirementEvidence
from tui.engine.accounts.shared_rate_limit import SharedRateLimit
from tui.engine.api import AccountState, Health
from tui.engine.context import HttpSettings
from tui.engine.http.client import ApiRequest, Client
from tui.engine.polling.bulk import BulkPolicy
from tui.presentation.descriptions import describe_wait
from tui.presentation.sanitize import clean
from tui.providers import faults, response_parser, wait_hints
from tui.providers.faults import MAX_REQUEST_ID
from tui.providers.model import Endpoint, UnknownKind
from tui.providers.response import HttpResponse, parse_account_headers
from tui.storage.config.configuration import Account
from tui.storage.config.secrets import Secret, SecretError
from tui.storage.journal.rate_limits import RateLimitTable

T = TypeVar("T")

MAX_LOGGED_HINT = 80
"""Characters of a header's value in the log."""

log = logging.getLogger(__name__)


class PollResponse(NamedTuple, Generic[T]):
    """Result of one request: a T or a fault, with what the account and the journal need of it."""

    outcome: T | Fault
    body: bytes | None
    """Raw body without the key; None: no response."""
    received_at: float
    """Instant."""
    is_follow_up: bool = False
    """The request fetched the result of a job that is done."""
    is_outdated: bool = False
    """The response describes the past: the machine was suspended meanwhile, or a changed key was refused."""
    migration_step: MigrationStep | None = None
    """What the response means for the account's API migration; None: nothing."""
    skew: float = 0.0
    """Seconds by which the service's clock is ahead, from its Date and Age headers; 0 without a Date."""
    request_record: RequestRecord | None = None
    """Request for the journal; None: none was sent."""


class AccountRuntime:
    """Configured account of a running engine."""

    def __init__(
        self,
        account: Account,
        clock: Callable[[], float],
        random: Random,
        find_successor: FindSuccessor = lambda _account: None,
        open_rate_limits: Callable[[], RateLimitTable] | None = None,
        now_synced: Callable[[], float] | None = None,
        fetch_key: FetchKey | None = None,
    ) -> None:
        """Start with an idle throttle and no key.

        `find_successor` returns the account on its provider's successor. `open_rate_limits` returns the state
        folder's table, which all processes share; it may raise JournalError. `now_synced` is the clock that dates
        requests, after it has followed changes of the wall clock; None: `clock`. `fetch_key` runs the account's key
        command; None: the key is never renewed.
        """
        self.account = account
        self.bulk = BulkPolicy()
        self.migration: ApiMigration[PollResponse[Report]] = ApiMigration(account, find_successor)
        self.clock = clock
        self._now_synced = now_synced or clock
        self._clock_jumps = 0
        self.throttle = throttle.initial(account.per_minute, clock(), account.per_day)
        self._rate_limit = SharedRateLimit(account.name, self.throttle.rate_limit, open_rate_limits)
        self._random = random
        self._key: Secret | None = None
        self._key_changes = 0
        self._evidence = RetirementEvidence()
        self._key_renewal = KeyRenewal(account.key_source, fetch_key, clock)
        self._unreadable_hints: set[str] = set()
        self.user_request_lock = asyncio.Lock()
        """Held while a user-requested poll waits for its slot: first come, first served."""
        self.state = _with_provider(AccountState(name=account.name, provider="", title=""), account)

    def set_key(self, key: Secret | SecretError) -> None:
        """Use this key from here on, or report why there is none."""
        self._key_changes += 1
        if isinstance(key, SecretError):
            self._key = None
            self.state = replace(self.state, health=Health.NO_KEY, message=str(key))
            return
        self.throttle = throttle.reset(self.throttle) if key == self._key else throttle.key_changed(self.throttle)
        self._key = key
        self.state = replace(self.state, health=Health.UNTRIED, message="", waits_until=None)

    @property
    def key_fault(self) -> Fault | None:
        """Fault of every request while there is no key; None: there is one."""
        return None if self._key is not None else Fault(FaultKind.REFUSED, self.state.message)

    def new_client(self, http: HttpSettings) -> Client:
        """Return a client with a connection of its own. The key goes with each request."""
        return Client(clock=self._now_synced, tls=http.tls, transport=http.transport, limits=http.limits)

    def endpoint(self, job: Job) -> Endpoint:
        """Return the endpoint of the job's kind. Raises UnknownKind."""
        return self.account.provider.endpoint(job.kind)

    async def poll(self, client: Client, job: Job) -> PollResponse[Report]:
        """Request the job's status once. The caller has acquired the slot.

        If the API is retired, the response is not final: the next poll of the job goes to the successor.
        """
        account, successor, first_response = self.account, self.migration.successor, self.migration.pop_pending(job.id)
        if first_response is not None and successor is not None:
            return await self._poll_successor(client, job, successor, first_response)
        response = await self._fetch_status(client, job, account)
        if response.is_outdated or not isinstance(response.outcome, Fault):
            return response
        return self._consider_retirement(job.id, account, response, response.outcome)

    def _consider_retirement(
        self, job_id: str, account: Account, response: PollResponse[Report], fault: Fault
    ) -> PollResponse[Report]:
        """Return the response; if the API is retired for the job, the poll of the successor comes next."""
        at = response.received_at
        sunset = self.state.sunset_at if self.state.sunset_at is not None else account.provider.sunset
        is_retired = faults.is_retired(fault, sunset, at + response.skew)
        may_be_retired = is_retired
        if fault.http_status == GONE and fault.kind is FaultKind.MISSING:
            self._evidence.record_gone(job_id, at)
            is_retired = is_retired or self._evidence.is_api_gone(at)
            may_be_retired = is_retired or self._evidence.may_be_gone(job_id)
        if is_retired:
            response = response._replace(outcome=faults.as_retired(account.provider, fault, response.body))
        retry = may_be_retired and self.migration.start(account, job_id, response, at)
        return response._replace(migration_step=MigrationStep.RETRY_ON_SUCCESSOR) if retry else response

    async def _poll_successor(
        self, client: Client, job: Job, successor: Account, first_response: PollResponse[Report]
    ) -> PollResponse[Report]:
        """Poll the successor. A report moves the account; if both refuse, the first response stands."""
        response = await self._fetch_status(client, job, successor)
        if self.account.provider is successor.provider:  # moved meanwhile by another job's report
            return response
        if not isinstance(response.outcome, Fault) and not response.is_outdated:
            self.account = successor
            self._evidence = RetirementEvidence()
            self.migration.move_to(successor)
            self.state = replace(_with_provider(self.state, successor), is_deprecated=False, sunset_at=None)
            return response._replace(migration_step=MigrationStep.MOVED)
        if response.is_outdated or not isinstance(response.outcome, Fault) or response.outcome.kind in INCONCLUSIVE:
            return response
        self.migration.record_refusal(job.id, response.received_at)
        return first_response._replace(migration_step=MigrationStep.REFUSED)

    async def _fetch_status(self, client: Client, job: Job, account: Account) -> PollResponse[Report]:
        """Request the job's status from the account's provider or from its successor."""
        provider = account.provider
        try:
            url = provider.endpoint(job.kind).status.path.url(account.base_url, id=job.id)
        except (UnknownKind, ValueError) as error:
            return PollResponse(Fault(FaultKind.REJECTED, str(error)), None, self.clock())
        return await self._request(
            client, account, url, lambda response: response_parser.parse_status(provider, job.kind, response), job.id
        )

    @property
    def max_batch(self) -> int:
        """Jobs that one request can poll."""
        return self.bulk.max_batch(self.account.provider.bulk, self.clock())

    async def poll_bulk(self, client: Client, job_ids: Sequence[str]) -> PollResponse[Mapping[str, Report]]:
        """Poll these ids with one request. Ids without a report are unknown to the service."""
        provider = self.account.provider
        assert provider.bulk is not None, "the provider has a bulk request"
        url = provider.bulk.url(self.account.base_url, job_ids)
        return await self._request(
            client, self.account, url, lambda response: response_parser.parse_bulk(provider, response)
        )

    async def fetch_result(self, client: Client, state: JobState) -> PollResponse[Result]:
        """Fetch the result of a job that is done, if its kind has a result request."""
        job, result = state.job, self.endpoint(state.job).result
        assert result is not None, "the kind has a result request"
        result_id = (state.report and state.report.result_id) or ""
        url = result.path.url(self.account.base_url, id=job.id, result_id=result_id)
        provider = self.account.provider
        response = await self._request(
            client,
            self.account,
            url,
            lambda response: response_parser.parse_result(provider, job.kind, response),
            job.id,
        )
        return response._replace(is_follow_up=True)

    async def _request(
        self, client: Client, account: Account, url: str, parse: Callable[[HttpResponse], T | Fault], job_id: str = ""
    ) -> PollResponse[T]:
        """Send one request; `job_id` names its job, if it has one.

        Throttle and health ignore a refusal of a replaced key, a refusal by the successor, and a response that may be
        hours old.
        """
        if self._key is None:
            return PollResponse(Fault(FaultKind.REFUSED, self.state.message), None, self.clock())
        if self._key_renewal.is_due():
            await self._renew_key(self._key_changes)
        began_at, key_changes, clock_jumps = self._now_synced(), self._key_changes, self._clock_jumps
        response = await client.get(ApiRequest(url, account.provider.key, self._key))
        outcome: T | Fault
        if isinstance(response, Fault):
            outcome, body, received_at = response, None, self._now_synced()
        else:
            outcome, body, received_at = parse(response), response.body, response.received_at
        if isinstance(outcome, Fault) and outcome.http_status == 401 and account is self.account:
            outcome = await self._renew_key(key_changes) or outcome
        fault = outcome if isinstance(outcome, Fault) else None
        refused = fault is not None and fault.kind is FaultKind.REFUSED
        outdated = (refused and key_changes != self._key_changes) or clock_jumps != self._clock_jumps
        own = account is self.account
        if own and fault is None:
            self._evidence.record_report(job_id)
        if not outdated and not (refused and not own):
            self._update_throttle(fault, received_at, job_id)
            self._update_health(
                response if own and isinstance(response, HttpResponse) else None, fault, received_at - began_at
            )
        present = wait_hints.service_time(response.headers) if isinstance(response, HttpResponse) else None
        skew = 0.0 if present is None else present - received_at
        return PollResponse(
            outcome,
            body,
            received_at,
            is_outdated=outdated,
            skew=skew,
            request_record=_request_record(response, fault, received_at, received_at - began_at),
        )

    async def _renew_key(self, key_changes: int) -> Fault | None:
        """Run the key command again, unless the key has changed since `key_changes`; return why there is no new key.

        A failed command may succeed later, so its fault is one of an unavailable service.
        """
        async with self._key_renewal.lock:
            if key_changes != self._key_changes:
                return None
            match await self._key_renewal.run():
                case Secret() as key:
                    self.set_key(key)
                case SecretError() as error:
                    log.warning("account %s: the API key cannot be renewed: %s", self.account.name, error)
                    return Fault(FaultKind.OFFLINE, f"the API key cannot be renewed: {error}")
                case None:
                    pass
        return None

    def next_slot(self, now: float, *, user_requested: bool = False) -> SendSlot | None:
        """Return when the next request may leave, all processes considered; None: polling is stopped."""
        self.throttle = replace(self.throttle, rate_limit=self._rate_limit.refresh(now))
        return throttle.next_slot(
            self.throttle, now, user_requested=user_requested, has_token=self._rate_limit.has_reserved(now)
        )

    def acquire(self, now: float) -> bool:
        """Take the token of a request that `next_slot` allows now; False: another process was faster."""
        acquired = self._rate_limit.acquire(now)
        self.throttle = replace(self.throttle, rate_limit=self._rate_limit.current)
        if acquired:
            self.throttle = throttle.record_sent(self.throttle, now)
        return acquired

    def user_slot(self, now: float) -> SendSlot:
        """Return when the next user-requested poll may leave: it ignores a stop and the circuit breaker."""
        slot = self.next_slot(now, user_requested=True)
        assert slot is not None, "a user-requested poll has a slot, if late"
        return slot

    async def acquire_slot(self, max_wait: float) -> Fault | None:
        """Wait for a slot for a user-requested poll and take it; return why there is none within `max_wait` seconds.

        Callers wait in their order; the time counts from when a caller is the first.
        """
        async with self.user_request_lock:
            deadline = self.clock() + max_wait
            while not self.throttle.stop_reason:
                now = self.clock()
                slot = self.user_slot(now)
                if slot.at > deadline:
                    return Fault(FaultKind.LIMITED, f"no request sent: {describe_wait(slot.reason)}", retry_at=slot.at)
                if slot.at > now:
                    await asyncio.sleep(slot.at - now)
                elif self.acquire(now):
                    return None
            return Fault(FaultKind.REFUSED, self.throttle.stop_reason)

    def _update_throttle(self, fault: Fault | None, received_at: float, job_id: str) -> None:
        """Apply a request's outcome to the throttle, and a 429 to the rate limit of all processes."""
        self.throttle = throttle.record_outcome(self.throttle, fault, received_at, self._random, job_id)
        if fault is not None and fault.kind is FaultKind.LIMITED:
            until, reason = self.throttle.not_before, self.throttle.not_before_reason
            self._change_rate_limit(lambda rate_limit: rate_limit.slowed_by_429(until, reason, received_at))

    def _change_rate_limit(self, change: Callable[[RateLimit], RateLimit]) -> None:
        self._rate_limit.change(change, self.clock())
        self.throttle = replace(self.throttle, rate_limit=self._rate_limit.current)

    def _update_health(self, response: HttpResponse | None, fault: Fault | None, seconds: float) -> None:
        """Apply what a response states about the account itself."""
        limited = fault is not None and fault.kind is FaultKind.LIMITED
        state = replace(
            self.state,
            request_count=self.state.request_count + 1,
            fault_count=self.state.fault_count + (fault is not None),
            latency=seconds,
            consecutive_failures=self.throttle.consecutive_failures,
            rate_per_minute=self.throttle.per_minute,
            http_status=fault.http_status if limited and fault is not None else self.state.http_status,
        )
        if response is not None:
            self._log_unreadable_hints(response)
            reported = parse_account_headers(response)
            state = replace(
                state, skew=reported.date - response.received_at if reported.date is not None else state.skew
            )
            if reported.remaining == 0 and reported.reset_at is not None and reported.reset_at > response.received_at:
                until, at = reported.reset_at, response.received_at
                self._change_rate_limit(lambda rate_limit: rate_limit.blocked_until(until, WaitReason.QUOTA_USED, at))
            if reported.remaining is not None and reported.limit is not None:
                state = replace(state, quota=(reported.remaining, reported.limit))
            if reported.sunset is not None or reported.deprecated:
                state = replace(state, sunset_at=reported.sunset, is_deprecated=True)
        self.state = self._with_health(state, fault)

    def _log_unreadable_hints(self, response: HttpResponse) -> None:
        """Name each header with a waiting hint that cannot be read, once."""
        for name in wait_hints.unreadable(response.headers):
            if name not in self._unreadable_hints:
                self._unreadable_hints.add(name)
                value = clean(response.headers[name], MAX_LOGGED_HINT)
                log.warning("account %s: cannot read the header %s: %s (ignored)", self.account.name, name, value)

    def snapshot(self) -> AccountState:
        """Return the current state, with the waits that other processes met and without those that have passed."""
        now = self.clock()
        self.throttle = replace(self.throttle, rate_limit=self._rate_limit.refresh(now))
        is_spaced, blocked = self._waits(now)
        if is_spaced != self.state.is_spaced:
            self.state = replace(self.state, is_spaced=is_spaced)
        if blocked.at > now and self.state.health in {Health.UNTRIED, Health.OK, Health.LIMITED}:
            reason = describe_wait(blocked.reason)
            self.state = replace(self.state, health=Health.LIMITED, message=reason, waits_until=blocked.at)
        elif self.state.waits_until is not None and max(blocked.at, self.throttle.breaker_open_until) <= now:
            limited = self.state.health is Health.LIMITED
            self.state = replace(self.state, waits_until=None)
            if limited:
                self.state = replace(self.state, health=Health.OK, message="")
        return self.state

    def _waits(self, now: float) -> tuple[bool, SendSlot]:
        """Return whether only the spacing of requests delays the next one, and when service and daily limit allow it.

        A reserved token has passed the spacing and the daily limit.
        """
        if self._rate_limit.has_reserved(now):
            return False, SendSlot(self.throttle.not_before, self.throttle.not_before_reason)
        spaced, blocked = self.throttle.rate_limit.waits(now)
        is_spaced = spaced.at > max(now, blocked.at, self.throttle.breaker_open_until)
        return is_spaced and not self.throttle.stop_reason, blocked

    def on_clock_jump(self) -> None:
        """Mark the requests in flight as outdated, because the wall clock jumped."""
        self._clock_jumps += 1

    def shift(self, seconds: float) -> None:
        """Move all waits by `seconds`, because the clock was set forward by that much."""
        self._rate_limit.shift(seconds, self.clock())
        self.throttle = replace(throttle.clock_shifted(self.throttle, seconds), rate_limit=self._rate_limit.current)
        if self.state.waits_until is not None:
            self.state = replace(self.state, waits_until=self.state.waits_until + seconds)

    def _with_health(self, state: AccountState, fault: Fault | None) -> AccountState:
        now = self.clock()
        if self.throttle.stop_reason:
            return replace(state, health=Health.REFUSED, message=self.throttle.stop_reason, waits_until=None)
        _, blocked = self._waits(now)
        if blocked.at > now:
            reason = describe_wait(blocked.reason)
            return replace(state, health=Health.LIMITED, message=reason, waits_until=blocked.at)
        if fault is not None and fault.kind in throttle.UNAVAILABLE_FAULTS:
            until = self.throttle.breaker_open_until if self.throttle.breaker_open_until > now else None
            return replace(state, health=Health.OFFLINE, message=fault.message, waits_until=until)
        return replace(state, health=Health.OK, message="", waits_until=None)


def _request_record(
    response: HttpResponse | Fault, fault: Fault | None, received_at: float, seconds: float
) -> RequestRecord:
    """Return the request for the journal, with the service's request id from the response or fault, if any."""
    status = response.status if isinstance(response, HttpResponse) else None
    request_id = fault.request_id if fault is not None else None
    if request_id is None and isinstance(response, HttpResponse) and (header := response.headers.get("x-request-id")):
        request_id = clean(header, MAX_REQUEST_ID)
    return RequestRecord(
        received_at, status, round(seconds * 1000, 1), request_id, fault.kind if fault is not None else None
    )


def _with_provider(state: AccountState, account: Account) -> AccountState:
    """Return the state with the facts of the account's provider."""
    provider = account.provider
    return replace(
        state,
        provider=provider.name,
        title=provider.title,
        id_patterns=provider.id_patterns,
        kinds=tuple(provider.kinds),
        rate_per_minute=account.per_minute,
    )
