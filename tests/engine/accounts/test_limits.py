"""Limits of accounts whose requests take tokens of one rate limit, in virtual time."""

import asyncio
from collections import Counter
from random import Random

from msgspec.structs import replace

from tests.support import fixtures
from tests.support.virtual_time import run_virtual, wall_time
from tui.engine.accounts.limits import AccountLimits
from tui.storage.journal.journal import Journal
from tui.storage.journal.shared import LocalRateLimits


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
