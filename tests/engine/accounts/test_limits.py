"""Limits of accounts whose requests take tokens of one rate limit, in virtual time."""

import asyncio
import ssl
from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from tests.support import fixtures
from tests.support.scripted_service import ScriptedService, running
from tests.support.virtual_time import VirtualTransport, run_virtual, wall_time
from tui.domain.models import Fault, FaultKind, Job
from tui.engine.accounts.account import AccountRuntime
from tui.engine.accounts.limits import AccountLimits
from tui.engine.context import HttpSettings
from tui.storage.config.secrets import ApiKeySource, Secret
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import Journal
from tui.storage.journal.shared import LocalRateLimits

KEY_LIFETIME = 60.0


class SharedRow(LocalRateLimits):
    """Rate limits of which all accounts share one."""

    def __init__(self, journal, sharers):
        super().__init__(lambda: journal)
        self._sharers = sharers

    def sharer_count(self, _account):
        return self._sharers

    async def get(self, _account):
        return await super().get("key")

    async def update(self, _account, change):
        return await super().update("key", change)


async def take_tokens(workspace, sharers, seconds=600.0, leads=(0.0, 0.005, 0.02)):
    """Let leaders, with clocks ahead by `leads` seconds, take the tokens of one rate limit; count those of each."""
    taken, journal = Counter(), Journal(None)

    async def lead(number, ahead):
        def now():
            return wall_time() + ahead

        account = replace(workspace.accounts["heygen"], name=f"account{number}")
        limits = AccountLimits(account, now, Random(number), SharedRow(journal, sharers))
        while True:
            slot = await limits.next_slot(now())
            if slot.at > now():
                await asyncio.sleep(slot.at - now())
            elif await limits.acquire(now()):
                taken[number] += 1
                await asyncio.sleep(0.02)  # until the response

    try:
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(lead(number, ahead) for number, ahead in enumerate(leads)))
    except TimeoutError:
        pass
    journal.close()
    return taken


def test_leaders_of_one_key_get_equal_shares_whatever_their_clocks(tmp_path):
    workspace = fixtures.make_workspace(tmp_path, "http://127.0.0.1:9", rate=60)
    shares = run_virtual(take_tokens(workspace, 3)).values()
    workspace.close()
    assert sum(shares) > 0.9 * 600
    assert max(shares) <= 1.5 * min(shares)


class StoppedAccount:
    """Account in virtual time, whose process is stopped between the token of its first request and the request."""

    def __init__(self, workspace, seconds, connections=4):
        source = ApiKeySource(command=("unused",), lifetime=KEY_LIFETIME)
        account = replace(workspace.accounts["heygen-v2"], key_source=source)
        self.service = ScriptedService(lambda _request: running())
        self.runtime = AccountRuntime(account, wall_time, Random(1), fetch_key=self._fetch_key)
        self.runtime.set_key(Secret("key"))
        self.responses = []
        self._seconds = seconds
        self._connections = connections

    async def _fetch_key(self):
        asyncio.get_running_loop().stand_still(self._seconds)
        self._seconds = 0.0
        return Secret("key")

    async def poll_for(self, seconds):
        """Poll as fast as the limits allow, on all connections."""
        await asyncio.sleep(KEY_LIFETIME)
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as tasks:
                for number in range(self._connections):
                    tasks.create_task(self._poll(Job(account="heygen-v2", id=f"job{number}")))
        except TimeoutError:
            pass

    async def _poll(self, job):
        limits, transport = self.runtime.limits, VirtualTransport({"sim.test": self.service})
        async with self.runtime.new_client(HttpSettings(ssl.create_default_context, lambda: transport)) as client:
            while True:
                slot = await limits.next_slot(wall_time())
                if slot.at > wall_time():
                    await asyncio.sleep(slot.at - wall_time())
                elif await limits.acquire(wall_time()):
                    self.responses.append(await self.runtime.poll(client, job))


@pytest.fixture
def workspace(tmp_path):
    workspace = fixtures.make_workspace(tmp_path, "http://sim.test", {"heygen-v2": ()}, rate=30)
    yield workspace
    workspace.close()


@pytest.mark.parametrize("seconds", [1.2, 20.0, 50.0])
def test_a_process_stopped_between_token_and_request_exceeds_no_minute(workspace, seconds):
    async def scenario():
        account = StoppedAccount(workspace, seconds)
        await account.poll_for(seconds + 130.0)
        return account

    account = run_virtual(scenario())
    times = account.service.request_times()
    assert len(times) > 50
    assert max(len([at for at in times if first <= at < first + 60]) for first in times) <= 30
    assert not [response for response in account.responses if response.is_outdated], "it waits for another token"


class LostLease(LocalRateLimits):
    """Rate limits of which this process gets a token only once."""

    is_required = True

    async def update(self, account, change):
        self.update = self._refuse
        return await super().update(account, change)

    async def _refuse(self, _account, _change):
        raise JournalError("this process does not hold the lease")


@pytest.mark.parametrize(
    ("is_lost", "seconds", "retry_after"),
    [(False, 0.0, 30.0), (False, 2.0, 30.0), (True, 2.0, 0.0)],
    ids=["wait", "wait and stop", "lease"],
)
def test_a_request_is_not_sent_once_its_account_must_wait(workspace, is_lost, seconds, retry_after):
    async def scenario():
        service, journal = ScriptedService(lambda _request: running()), Journal(None)
        rate_limits = (LostLease if is_lost else LocalRateLimits)(lambda: journal)
        account = workspace.accounts["heygen-v2"]
        runtime = AccountRuntime(account, wall_time, Random(1), rate_limits=rate_limits)
        runtime.set_key(Secret("key"))
        transport = VirtualTransport({"sim.test": service})
        async with runtime.new_client(HttpSettings(ssl.create_default_context, lambda: transport)) as client:
            assert await runtime.limits.acquire(wall_time())
            if retry_after:
                fault = Fault(FaultKind.LIMITED, "", http_status=429, retry_at=wall_time() + retry_after)
                runtime.limits.record_outcome(fault, wall_time(), "another")
            asyncio.get_running_loop().stand_still(seconds)
            response = await runtime.poll(client, Job(account="heygen-v2", id="job"))
            assert response.is_outdated, "it is polled again"
            assert response.request_record is None
            assert not service.requests
        journal.close()

    run_virtual(scenario())
