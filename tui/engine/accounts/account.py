"""Account at run time: key, health and requests, with its limits. Scheduling is left to the poller."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random
from typing import Generic, NamedTuple, TypeVar

from tui.domain.job_state import JobState
from tui.domain.models import Fault, FaultKind, Job, Ref, Report, RequestRecord, Result
from tui.engine.accounts.api_migration import INCONCLUSIVE, ApiMigration, FindSuccessor, MigrationStep
from tui.engine.accounts.health import AccountHealth
from tui.engine.accounts.key_renewal import FetchKey, KeyRenewal
from tui.engine.accounts.limits import AccountLimits
from tui.engine.accounts.retirement import GONE, RetirementEvidence
from tui.engine.context import HttpSettings
from tui.engine.http.client import ApiRequest, Client
from tui.engine.polling.bulk import BulkPolicy
from tui.presentation.sanitize import clean
from tui.providers import faults, response_parser, wait_hints
from tui.providers.faults import MAX_REQUEST_ID
from tui.providers.lists import listing
from tui.providers.lists.listing import MAX_LISTED, Page
from tui.providers.lists.paging import first_page
from tui.providers.model import Endpoint, UnknownKind
from tui.providers.reports.links import LinkSource
from tui.providers.requests.request import HttpRequest
from tui.providers.requests.templates import SECRET
from tui.providers.response import HttpResponse
from tui.storage.config.configuration import Account
from tui.storage.config.secrets import Secret, SecretError
from tui.storage.protocols import RateLimits

T = TypeVar("T")
FetchSecrets = Callable[[Ref, Sequence[str]], Awaitable[Mapping[str, Secret] | SecretError]]
"""Returns secrets of a job by name, or why one is missing."""
NOT_SENT = Fault(FaultKind.LIMITED, "no request sent: it was delayed until the account had to wait")
"""Fault of a request that must be repeated."""
NO_SECRET = "0" * 32
"""Secret of the job of a probe, which the service does not know."""

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
    """The poll must be repeated: the machine was suspended, a changed key was refused, or nothing was sent."""
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
        rate_limits: RateLimits | None = None,
        now_synced: Callable[[], float] | None = None,
        fetch_key: FetchKey | None = None,
        fetch_secrets: FetchSecrets | None = None,
    ) -> None:
        """Start with an idle throttle and no key.

        `find_successor` returns the account on its provider's successor. `rate_limits`: those that all processes
        share; None: no other process sends. `now_synced` is the clock that dates requests, after it has followed
        changes of the wall clock; None: `clock`. `fetch_key` runs the account's key command; None: the key is never
        renewed. `fetch_secrets` returns a job's secrets; None: those of a probe.
        """
        self.account = account
        self.bulk = BulkPolicy()
        self.migration: ApiMigration[PollResponse[Report]] = ApiMigration(account, find_successor)
        self.clock = clock
        self._now_synced = now_synced or clock
        self._clock_jumps = 0
        self.limits = AccountLimits(account, clock, random, rate_limits, now_synced)
        self.health = AccountHealth(account, self.limits, clock)
        self._fetch_secrets = fetch_secrets
        self._key: Secret | None = None
        self._key_changes = 0
        self._evidence = RetirementEvidence()
        self._key_renewal = KeyRenewal(account.key_source, fetch_key, clock, account.provider.key.lifetime)

    def set_key(self, key: Secret | SecretError) -> None:
        """Use this key from here on, or report why there is none."""
        self._key_changes += 1
        if isinstance(key, SecretError):
            self._key = None
            self.health.set_without_key(str(key))
            return
        if key == self._key:
            self.limits.reset()
        else:
            self.limits.on_key_changed()
        self._key = key
        self.health.set_untried()

    @property
    def key_fault(self) -> Fault | None:
        """Fault of every request while there is no key; None: there is one."""
        return None if self._key is not None else Fault(FaultKind.REFUSED, self.health.state.message)

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
        sunset = self.health.state.sunset_at if self.health.state.sunset_at is not None else account.provider.sunset
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
            self.health.move_to(successor)
            return response._replace(migration_step=MigrationStep.MOVED)
        if response.is_outdated or not isinstance(response.outcome, Fault) or response.outcome.kind in INCONCLUSIVE:
            return response
        self.migration.record_refusal(job.id, response.received_at)
        return first_response._replace(migration_step=MigrationStep.REFUSED)

    async def _fetch_status(self, client: Client, job: Job, account: Account) -> PollResponse[Report]:
        """Request the job's status from the account's provider or from its successor."""
        provider = account.provider
        job_secrets = await self.secrets_of(job, account)
        if isinstance(job_secrets, SecretError):
            return PollResponse(Fault(FaultKind.REJECTED, str(job_secrets)), None, self.clock())
        try:
            values = provider.values(job.kind, job.id, account.variables)
            revealed = {f"{SECRET}{name}": secret.reveal() for name, secret in job_secrets.items()}
            request = provider.endpoint(job.kind).status.fill(account.base_url, {**values, **revealed})
            source = LinkSource(account.base_url, values)
        except (UnknownKind, ValueError) as error:
            return PollResponse(Fault(FaultKind.REJECTED, str(error)), None, self.clock())
        return await self._request(
            client,
            account,
            request,
            lambda response: response_parser.parse_status(provider, job.kind, response, source),
            job.id,
            tuple(job_secrets.values()),
        )

    async def secrets_of(self, job: Job, account: Account | None = None) -> Mapping[str, Secret] | SecretError:
        """Return the secrets of a job that its provider names, or why one is missing."""
        names = (account or self.account).provider.secrets
        if not names:
            return {}
        if self._fetch_secrets is None:
            return dict.fromkeys(names, Secret(NO_SECRET))
        return await self._fetch_secrets(job.ref, names)

    @property
    def max_batch(self) -> int:
        """Jobs that one request can poll."""
        provider = self.account.provider
        if provider.bulk is not None:
            return self.bulk.max_batch(provider.bulk.max_ids, self.clock())
        return self.bulk.max_batch(MAX_LISTED if provider.endpoint().list_item is not None else 1, self.clock())

    @property
    def has_whole_bulk_reports(self) -> bool:
        """Whether a bulk poll's reports have links and messages, so that a job that ended needs no other poll."""
        return self.account.provider.bulk is None or self.account.provider.bulk_item is not None

    async def poll_bulk(self, client: Client, job_ids: Sequence[str]) -> PollResponse[Mapping[str, Report]]:
        """Poll these ids with one request: the bulk request, else the first page of the list.

        Ids without a report are unknown to the service, or not on the page.
        """
        account, provider = self.account, self.account.provider
        if provider.bulk is None:
            return await self._poll_list(client)
        request = provider.bulk.for_ids(account.base_url, job_ids, account.variables)
        return await self._request(
            client,
            account,
            request,
            lambda response: response_parser.parse_bulk(provider, response, account.base_url, account.variables),
        )

    async def _poll_list(self, client: Client) -> PollResponse[Mapping[str, Report]]:
        """Poll the jobs on the first page of the list, whose items are whole reports."""
        account, provider = self.account, self.account.provider
        list_request = provider.endpoint().list_request
        assert list_request is not None, "the provider has a list"
        try:
            request = first_page(list_request, account.base_url, account.variables)
        except ValueError as error:
            return PollResponse(Fault(FaultKind.REJECTED, str(error)), None, self.clock())

        def parse(response: HttpResponse) -> Mapping[str, Report] | Fault:
            page = listing.parse_page(provider, "", response, account.base_url, account.variables, request, 0)
            if isinstance(page, Fault):
                return page
            return {job.id: job.report for job in page.jobs if job.has_whole_report and job.report}

        return await self._request(client, account, request, parse)

    async def fetch_result(self, client: Client, state: JobState) -> PollResponse[Result]:
        """Fetch the result of a job that is done, if its kind has a result request."""
        job, result = state.job, self.endpoint(state.job).result
        assert result is not None, "the kind has a result request"
        result_id = (state.report and state.report.result_id) or ""
        account, provider = self.account, self.account.provider
        values = {**provider.values(job.kind, job.id, account.variables), "result_id": result_id}
        source = LinkSource(account.base_url, values)
        response = await self._request(
            client,
            account,
            result.fill(*source),
            lambda response: response_parser.parse_result(provider, job.kind, response, source),
            job.id,
        )
        return response._replace(is_follow_up=True)

    async def fetch_page(self, client: Client, kind: str, request: HttpRequest, page_index: int) -> PollResponse[Page]:
        """Fetch one page of the list of a kind. The caller has acquired the slot."""
        account = self.account
        return await self._request(
            client,
            account,
            request,
            lambda response: listing.parse_page(
                account.provider, kind, response, account.base_url, account.variables, request, page_index
            ),
        )

    async def _request(
        self,
        client: Client,
        account: Account,
        request: HttpRequest,
        parse: Callable[[HttpResponse], T | Fault],
        job_id: str = "",
        job_secrets: tuple[Secret, ...] = (),
    ) -> PollResponse[T]:
        """Send one request; `job_id` names its job, if it has one. `job_secrets` are masked in the response.

        Throttle and health ignore a refusal of a replaced key, a refusal by the successor, and a response that may be
        hours old.
        """
        if self._key is None:
            return PollResponse(Fault(FaultKind.REFUSED, self.health.state.message), None, self.clock())
        if self._key_renewal.is_due():
            await self._renew_key(self._key_changes)
        began_at, key_changes, clock_jumps = self._now_synced(), self._key_changes, self._clock_jumps

        async def may_leave() -> bool:
            nonlocal began_at
            may = await self.limits.use_token()
            began_at = self._now_synced()
            return may

        api_request = ApiRequest(
            request.url,
            account.provider.key,
            self._key,
            request.method,
            request.body,
            request.content_type,
            account.provider.constant_headers(account.variables),
            job_secrets,
        )
        response = await client.send(api_request, may_leave)
        if response is None:
            return PollResponse(NOT_SENT, None, self.clock(), is_outdated=True)
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
            self.limits.record_outcome(fault, received_at, job_id)
            self.health.update(
                response if own and isinstance(response, HttpResponse) else None, fault, received_at - began_at
            )
            await self.limits.share()
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

    def on_clock_jump(self) -> None:
        """Mark the requests in flight as outdated, because the wall clock jumped."""
        self._clock_jumps += 1

    def shift(self, seconds: float) -> None:
        """Move all waits by `seconds`, because the clock was set forward by that much."""
        self.limits.shift(seconds)
        self.health.shift(seconds)


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
