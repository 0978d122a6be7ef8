"""A live account: its key, its pace, its health, and how its jobs are asked. It schedules nothing."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from tui.domain.job_state import JobState
from tui.domain.models import Fault, FaultKind, Job, Report, RequestRecord, Result
from tui.domain.polling import throttle
from tui.domain.polling.rate_limit import RateLimit, SendSlot
from tui.engine.accounts.api_migration import UNDECIDED, Heir, Succession, Turn
from tui.engine.accounts.shared_rate_limit import Purse
from tui.engine.api import AccountState, Health
from tui.engine.http.client import Bounds, Client, Request, Transport, Trust
from tui.engine.polling.bulk import BulkPolicy
from tui.presentation.formatting import clean
from tui.providers import faults, response_parser
from tui.providers.faults import REQUEST_ID_MOST
from tui.providers.model import Endpoint, UnknownKind
from tui.providers.response import Reply, health, http_date
from tui.storage.config.secrets import Secret, SecretError
from tui.storage.journal.rate_limits import RateLimitTable
from tui.storage.workspace import Account

T = TypeVar("T")


class Answer(NamedTuple, Generic[T]):
    """What one ask brought: a T, or why not."""

    outcome: T | Fault
    body: bytes | None
    """The raw body without the key; None: no reply came."""
    at: float
    """Instant."""
    second: bool = False
    """It was the ask for the result."""
    outdated: bool = False
    """It says nothing of now: the machine slept while it was asked, or the key was changed and it is a refusal."""
    turn: Turn | None = None
    """What it meant for the account's succession; None: nothing."""
    skew: float = 0.0
    """Seconds by which the service's clock is ahead of ours, as far as its Date header says."""
    asked: RequestRecord | None = None
    """The ask for the journal; None: none was sent."""


class LiveAccount:
    """One configured account while an engine runs."""

    def __init__(
        self,
        account: Account,
        clock: Callable[[], float],
        random: Random,
        heir: Heir = lambda _account: None,
        budgets: Callable[[], RateLimitTable] | None = None,
        heeded: Callable[[], float] | None = None,
    ) -> None:
        """`heir` finds who takes over when the account's API is over.

        `budgets`: the state folder's, which every process on it draws on; it may raise JournalError. `heeded` is the
        clock by which asks are dated, once it has followed what was done to the wall clock; None: as `clock`.
        """
        self.account = account
        self.bulk = BulkPolicy()
        self.succession: Succession[Answer[Report]] = Succession(account, heir)
        self.clock = clock
        self._heeded = heeded or clock
        self._moves = 0
        self.pace = throttle.initial(account.per_minute, clock(), account.per_day)
        self._purse = Purse(account.name, self.pace.rate_limit, budgets)
        self._random = random
        self._key: Secret | None = None
        self._unlocked = 0
        self.turn = asyncio.Lock()
        """Held by whoever waits for the leave to ask at a person's wish: first come, first served."""
        self.state = _introduced(AccountState(name=account.name, provider="", title=""), account)

    def unlock(self, key: Secret | SecretError) -> None:
        """Takes the key, new or changed, or the reason why there is none."""
        self._unlocked += 1
        if isinstance(key, SecretError):
            self._key = None
            self.state = replace(self.state, health=Health.NO_KEY, message=str(key))
            return
        self.pace = throttle.reset(self.pace) if key == self._key else throttle.key_changed(self.pace)
        self._key = key
        self.state = replace(self.state, health=Health.UNTRIED, message="", waits_until=None)

    @property
    def refusal(self) -> Fault | None:
        """Why nothing can be asked at all: there is no key."""
        return None if self._key is not None else Fault(FaultKind.REFUSED, self.state.message)

    def client(self, tls: Trust, transport: Transport | None, bounds: Bounds) -> Client:
        """A new connection. The key goes with each ask."""
        return Client(clock=self._heeded, tls=tls, transport=transport, bounds=bounds)

    def endpoint(self, job: Job) -> Endpoint:
        """The provider file's view of the job's kind. Raises UnknownKind."""
        return self.account.provider.endpoint(job.kind)

    async def ask(self, client: Client, job: Job) -> Answer[Report]:
        """Asks for the job's status, once. The pace is paid by whoever sends it here.

        Where the API is over, nothing is to be settled yet: the next ask for the job is its successor's.
        """
        account, heir, first = self.account, self.succession.heir, self.succession.take(job.id)
        if first is not None and heir is not None:
            return await self._ask_heir(client, job, heir, first)
        answer = await self._status(client, job, account)
        if answer.outdated or not isinstance(answer.outcome, Fault):
            return answer
        sunset = self.state.sunset_at if self.state.sunset_at is not None else account.provider.sunset
        if not faults.is_over(answer.outcome, sunset, answer.at):
            return answer
        answer = answer._replace(outcome=faults.retired(answer.outcome))
        due = self.succession.begin(account, job.id, answer, answer.at)
        return answer._replace(turn=Turn.NEXT) if due else answer

    async def _ask_heir(self, client: Client, job: Job, heir: Account, first: Answer[Report]) -> Answer[Report]:
        """Asks the successor. A report moves the account; where both refuse, the first refusal stands."""
        answer = await self._status(client, job, heir)
        if self.account.provider is heir.provider:  # another job's report has moved it meanwhile
            return answer
        if not isinstance(answer.outcome, Fault) and not answer.outdated:
            self.account = heir
            self.succession.move(heir)
            self.state = replace(_introduced(self.state, heir), is_deprecated=False, sunset_at=None)
            return answer._replace(turn=Turn.MOVED)
        if answer.outdated or not isinstance(answer.outcome, Fault) or answer.outcome.kind in UNDECIDED:
            return answer
        self.succession.refuse(job.id, answer.at)
        return first._replace(turn=Turn.REFUSED)

    async def _status(self, client: Client, job: Job, account: Account) -> Answer[Report]:
        """Asks the account's own provider, or its successor's account, for the job."""
        provider = account.provider
        try:
            url = provider.endpoint(job.kind).status.path.url(account.base_url, id=job.id)
        except (UnknownKind, ValueError) as error:
            return Answer(Fault(FaultKind.REJECTED, str(error)), None, self.clock())
        return await self._get(
            client, account, url, lambda reply: response_parser.read(provider, job.kind, reply), job.id
        )

    @property
    def most(self) -> int:
        """Jobs that one ask can be about."""
        return self.bulk.max_batch(self.account.provider.bulk, self.clock())

    async def ask_many(self, client: Client, jobs: Sequence[str]) -> Answer[Mapping[str, Report]]:
        """Asks for the status of these ids in one. An id that is absent in what comes is not known there."""
        provider = self.account.provider
        assert provider.bulk is not None, "only a provider that has a bulk ask is asked for many"
        url = provider.bulk.url(self.account.base_url, jobs)
        return await self._get(client, self.account, url, lambda reply: response_parser.read_bulk(provider, reply))

    async def result(self, client: Client, state: JobState) -> Answer[Result]:
        """Asks for the result of a job that is done, where its kind has a second ask."""
        job, result = state.job, self.endpoint(state.job).result
        assert result is not None, "only a kind with a result is asked for one"
        run = (state.report and state.report.result_id) or ""
        url = result.path.url(self.account.base_url, id=job.id, run=run)
        provider = self.account.provider
        answer = await self._get(
            client, self.account, url, lambda reply: response_parser.read_result(provider, job.kind, reply), job.id
        )
        return answer._replace(second=True)

    async def _get(
        self, client: Client, account: Account, url: str, read: Callable[[Reply], T | Fault], job: str = ""
    ) -> Answer[T]:
        """One request, for the job of this id if for one.

        What a key did that is no longer ours says nothing of the account; nor does a successor that refuses it, nor
        a reply that may be hours old.
        """
        if self._key is None:
            return Answer(Fault(FaultKind.REFUSED, self.state.message), None, self.clock())
        began, unlocked, moves = self._heeded(), self._unlocked, self._moves
        reply = await client.get(Request(url, account.provider.key, self._key))
        outcome: T | Fault
        if isinstance(reply, Fault):
            outcome, body, at = reply, None, self._heeded()
        else:
            outcome, body, at = read(reply), reply.body, reply.at
        fault = outcome if isinstance(outcome, Fault) else None
        refused = fault is not None and fault.kind is FaultKind.REFUSED
        outdated = (refused and unlocked != self._unlocked) or moves != self._moves
        own = account is self.account
        if not outdated and not (refused and not own):
            self._learn(fault, at, job)
            self._notes(reply if own and isinstance(reply, Reply) else None, fault, at - began)
        date = http_date(reply.headers.get("date", "")) if isinstance(reply, Reply) else None
        skew = 0.0 if date is None else date - at
        return Answer(outcome, body, at, outdated=outdated, skew=skew, asked=_asked(reply, fault, at, at - began))

    def leave(self, now: float, *, person: bool = False) -> SendSlot | None:
        """When the next ask may leave, for all that any process on the state folder did; None: it is stopped."""
        self.pace = replace(self.pace, rate_limit=self._purse.look(now))
        return throttle.next_slot(self.pace, now, user_requested=person, has_token=self._purse.holds(now))

    def pay(self, now: float) -> bool:
        """Pays for an ask that `leave` lets out now; False: another process was faster."""
        paid = self._purse.pay(now)
        self.pace = replace(self.pace, rate_limit=self._purse.budget)
        if paid:
            self.pace = throttle.record_sent(self.pace, now)
        return paid

    def _learn(self, fault: Fault | None, at: float, job: str) -> None:
        """What the outcome of an ask teaches; what it says of the budget, it says to every process."""
        self.pace = throttle.record_outcome(self.pace, fault, at, self._random, job)
        if fault is not None and fault.kind is FaultKind.LIMITED:
            until, reason = self.pace.not_before, self.pace.not_before_reason
            self._share(lambda budget: budget.slowed_by_429(until, reason, at))

    def _share(self, change: Callable[[RateLimit], RateLimit]) -> None:
        self._purse.change(change, self.clock())
        self.pace = replace(self.pace, rate_limit=self._purse.budget)

    def _notes(self, reply: Reply | None, fault: Fault | None, took: float) -> None:
        """Keeps what the ask said of the account as such."""
        limited = fault is not None and fault.kind is FaultKind.LIMITED
        state = replace(
            self.state,
            request_count=self.state.request_count + 1,
            fault_count=self.state.fault_count + (fault is not None),
            latency=took,
            consecutive_failures=self.pace.consecutive_failures,
            rate_per_minute=self.pace.per_minute,
            http_status=fault.http_status if limited and fault is not None else self.state.http_status,
        )
        if reply is not None:
            said = health(reply)
            state = replace(state, skew=said.date - reply.at if said.date is not None else state.skew)
            if said.remaining == 0 and said.reset_at is not None and said.reset_at > reply.at:
                until, at = said.reset_at, reply.at
                self._share(lambda budget: budget.blocked_until(until, "no ask is left in the service's window", at))
            if said.remaining is not None and said.limit is not None:
                state = replace(state, quota=(said.remaining, said.limit))
            if said.sunset is not None or said.deprecated:
                state = replace(state, sunset_at=said.sunset, is_deprecated=True)
        self.state = self._with_health(state, fault)

    def refreshed(self) -> AccountState:
        """The account as it is now: a wait that another process met is shown too, one that has passed no longer."""
        now = self.clock()
        self.pace = replace(self.pace, rate_limit=self._purse.look(now))
        if self.pace.not_before > now and self.state.health in {Health.UNTRIED, Health.OK}:
            told = self.pace.not_before_reason
            self.state = replace(self.state, health=Health.LIMITED, message=told, waits_until=self.pace.not_before)
        elif self.state.waits_until is not None and max(self.pace.not_before, self.pace.breaker_open_until) <= now:
            limited = self.state.health is Health.LIMITED
            self.state = replace(self.state, waits_until=None)
            if limited:
                self.state = replace(self.state, health=Health.OK, message="")
        return self.state

    def jumped(self) -> None:
        """The wall clock went its own way: what is being asked now is answered with what may have been long ago."""
        self._moves += 1

    def shift(self, seconds: float) -> None:
        """The clock was set forward by so many seconds: what is waited for stays as far away as it was."""
        self._purse.shift(seconds, self.clock())
        self.pace = replace(throttle.clock_shifted(self.pace, seconds), rate_limit=self._purse.budget)
        if self.state.waits_until is not None:
            self.state = replace(self.state, waits_until=self.state.waits_until + seconds)

    def _with_health(self, state: AccountState, fault: Fault | None) -> AccountState:
        now = self.clock()
        if self.pace.stop_reason:
            return replace(state, health=Health.REFUSED, message=self.pace.stop_reason, waits_until=None)
        if self.pace.not_before > now:
            return replace(
                state, health=Health.LIMITED, message=self.pace.not_before_reason, waits_until=self.pace.not_before
            )
        if fault is not None and fault.kind in throttle.UNAVAILABLE_FAULTS:
            until = self.pace.breaker_open_until if self.pace.breaker_open_until > now else None
            return replace(state, health=Health.OFFLINE, message=fault.message, waits_until=until)
        return replace(state, health=Health.OK, message="", waits_until=None)


def _asked(reply: Reply | Fault, fault: Fault | None, at: float, took: float) -> RequestRecord:
    """The ask, with the service's own name for it where the reply or its fault gives one."""
    status = reply.status if isinstance(reply, Reply) else None
    request = fault.request_id if fault is not None else None
    if request is None and isinstance(reply, Reply) and (named := reply.headers.get("x-request-id")):
        request = clean(named, REQUEST_ID_MOST)
    return RequestRecord(at, status, round(took * 1000, 1), request, fault.kind if fault is not None else None)


def _introduced(state: AccountState, account: Account) -> AccountState:
    """The state with what is to be known of the account's provider."""
    provider = account.provider
    return replace(
        state,
        provider=provider.name,
        title=provider.title,
        id_patterns=provider.ids,
        kinds=tuple(provider.kinds),
        rate_per_minute=account.per_minute,
    )
