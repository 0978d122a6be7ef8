"""A live account: its key, its pace, its health, and how one of its jobs is asked. It schedules nothing."""

import asyncio
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from msgspec.structs import replace

from tui.domain import pace
from tui.domain.board import Faulted, JobState, Reported, Resulted
from tui.domain.jobs import Fault, FaultKind, Job, Report, Result
from tui.engine.client import Bounds, Client, Transport, Trust
from tui.engine.feed import AccountState, Health
from tui.providers import reading
from tui.providers.provider import Endpoint, UnknownKind
from tui.providers.reply import Reply, health
from tui.stores.library import Account
from tui.stores.secrets import Secret, SecretError


class Answer(NamedTuple):
    """What one ask brought."""

    outcome: Report | Result | Fault
    body: bytes | None
    """The raw body without the key; None: no reply came."""
    at: float
    """Instant."""
    second: bool = False
    """It was the ask for the result."""
    outdated: bool = False
    """The key was changed while it was asked: a refusal is the old key's."""

    def event(self, *, person: bool) -> Reported | Resulted | Faulted:
        """What happened to the job by it; `person`: somebody asked by hand."""
        match self.outcome:
            case Report():
                return Reported(self.outcome, self.at)
            case Result():
                return Resulted(self.outcome, self.at)
            case Fault():
                return Faulted(self.outcome, self.at, person, self.second)


class LiveAccount:
    """One configured account while an engine runs."""

    def __init__(self, account: Account, clock: Callable[[], float], random: Random) -> None:
        self.account = account
        self.clock = clock
        self.pace = pace.rested(account.per_minute, clock(), account.per_day)
        self._random = random
        self._key: Secret | None = None
        self._unlocked = 0
        self.turn = asyncio.Lock()
        """Held by whoever waits for the leave to ask at a person's wish: first come, first served."""
        self.state = AccountState(
            name=account.name,
            provider=account.provider.name,
            title=account.provider.title,
            hints=account.provider.ids,
            kinds=tuple(account.provider.kinds),
        )

    def unlock(self, key: Secret | SecretError) -> None:
        """Takes the key, new or changed, or the reason why there is none."""
        self._unlocked += 1
        if isinstance(key, SecretError):
            self._key = None
            self.state = replace(self.state, health=Health.NO_KEY, message=str(key))
            return
        self.pace = pace.resumed(self.pace) if key == self._key else pace.rekeyed(self.pace)
        self._key = key
        self.state = replace(self.state, health=Health.UNTRIED, message="", until=None)

    @property
    def refusal(self) -> Fault | None:
        """Why nothing can be asked at all: there is no key."""
        return None if self._key is not None else Fault(FaultKind.REFUSED, self.state.message)

    def client(self, tls: Trust, transport: Transport | None, bounds: Bounds) -> Client:
        """A new connection to the account's origin, with the key as it is now."""
        assert self._key is not None, "an account without a key opens no connection"
        header = self.account.provider.key
        key = self._key.reveal()
        headers = {str(header.header): header.prefix + key}
        return Client(headers, key, clock=self.clock, tls=tls, transport=transport, bounds=bounds)

    def endpoint(self, job: Job) -> Endpoint:
        """The provider file's view of the job's kind. Raises UnknownKind."""
        return self.account.provider.endpoint(job.kind)

    async def ask(self, client: Client, job: Job) -> Answer:
        """Asks for the job's status, once. The pace is paid by whoever sends it here."""
        try:
            url = self.endpoint(job).status.path.url(self.account.base_url, id=job.id)
        except (UnknownKind, ValueError) as error:
            return Answer(Fault(FaultKind.REJECTED, str(error)), None, self.clock())
        provider = self.account.provider
        return await self._get(client, url, job.id, lambda reply: reading.read(provider, job.kind, reply))

    async def result(self, client: Client, state: JobState) -> Answer:
        """Asks for the result of a job that is done, where its kind has a second ask."""
        job, result = state.job, self.endpoint(state.job).result
        assert result is not None, "only a kind with a result is asked for one"
        run = (state.report and state.report.run) or ""
        url = result.path.url(self.account.base_url, id=job.id, run=run)
        provider = self.account.provider
        answer = await self._get(client, url, job.id, lambda reply: reading.read_result(provider, job.kind, reply))
        return answer._replace(second=True)

    async def _get(
        self, client: Client, url: str, job: str, read: Callable[[Reply], Report | Result | Fault]
    ) -> Answer:
        """One request for the job of this id. What a key did that is no longer ours says nothing of the account."""
        began, unlocked = self.clock(), self._unlocked
        reply = await client.get(url)
        if isinstance(reply, Fault):
            outcome, body, at = reply, None, self.clock()
        else:
            outcome, body, at = read(reply), reply.body, reply.at
        fault = outcome if isinstance(outcome, Fault) else None
        outdated = unlocked != self._unlocked and fault is not None and fault.kind is FaultKind.REFUSED
        if not outdated:
            self.pace = pace.answered(self.pace, fault, at, self._random, job)
            self._notes(reply if isinstance(reply, Reply) else None, fault, at - began)
        return Answer(outcome, body, at, outdated=outdated)

    def _notes(self, reply: Reply | None, fault: Fault | None, took: float) -> None:
        """Keeps what the ask said of the account as such."""
        state = replace(
            self.state, asks=self.state.asks + 1, faults=self.state.faults + (fault is not None), latency=took
        )
        if reply is not None:
            said = health(reply)
            state = replace(state, skew=said.date - reply.at if said.date is not None else state.skew)
            if said.remaining is not None and said.limit is not None:
                state = replace(state, quota=(said.remaining, said.limit))
            if said.sunset is not None or said.deprecated:
                state = replace(state, sunset=said.sunset, deprecated=True)
        self.state = self._with_health(state, fault)

    def refreshed(self) -> AccountState:
        """The account as it is now: a wait that has passed is no longer shown."""
        if self.state.until is not None and self.state.until <= self.clock():
            limited = self.state.health is Health.LIMITED
            self.state = replace(self.state, until=None)
            if limited:
                self.state = replace(self.state, health=Health.OK, message="")
        return self.state

    def shift(self, seconds: float) -> None:
        """The clock was set forward by so many seconds: what is waited for stays as far away as it was."""
        self.pace = pace.shifted(self.pace, seconds)
        if self.state.until is not None:
            self.state = replace(self.state, until=self.state.until + seconds)

    def _with_health(self, state: AccountState, fault: Fault | None) -> AccountState:
        now = self.clock()
        if self.pace.stopped:
            return replace(state, health=Health.REFUSED, message=self.pace.stopped, until=None)
        if self.pace.floor > now:
            return replace(state, health=Health.LIMITED, message=self.pace.floor_reason, until=self.pace.floor)
        if fault is not None and fault.kind in pace.FAILURES:
            until = self.pace.open_until if self.pace.open_until > now else None
            return replace(state, health=Health.OFFLINE, message=fault.message, until=until)
        return replace(state, health=Health.OK, message="", until=None)
