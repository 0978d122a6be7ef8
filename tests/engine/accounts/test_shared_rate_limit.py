"""Tests of the shared rate limit: processes together stay within it, with fewer journal writes than requests."""

import pytest

from tui.domain.polling import rate_limit
from tui.domain.polling.rate_limit import WaitReason
from tui.engine.accounts.shared_rate_limit import SharedRateLimit
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import Journal

NOW = 1_800_000_000.0


class Process:
    """Process with its own connection to the shared journal, counting its writes."""

    is_required = False

    def __init__(self, path, per_minute, per_day=None):
        self.journal = Journal(path)
        self.writes = 0
        self.request_times = []
        self.is_away = False
        self.limit = SharedRateLimit("heygen", rate_limit.initial(per_minute, NOW, per_day), self)

    async def get(self, account):
        return self.journal.rate_limits.get(account)

    async def update(self, account, change):
        if self.is_away:
            raise JournalError("away")
        self.writes += 1
        return self.journal.rate_limits.update(account, change)

    async def may_send(self, now):
        found = await self.limit.refresh(now)
        return (self.limit.has_reserved(now) and found.not_before <= now) or found.next_slot(now).at <= now

    async def send(self, now):
        if await self.may_send(now) and await self.limit.acquire(now):
            self.request_times.append(now)


@pytest.fixture
def processes(tmp_path):
    found = []

    def process(*limits):
        found.append(Process(tmp_path / "journal.db", *limits))
        return found[-1]

    yield process
    for each in found:
        each.journal.close()


def most_in(seconds, times):
    return max(len([at for at in times if first <= at < first + seconds]) for first in times)


@pytest.mark.parametrize("per_minute", [1, 7.5, 60, 600])
async def test_no_minute_holds_more_requests_of_all_processes_than_configured(processes, per_minute):
    three = [processes(per_minute) for _ in range(3)]
    for step in range(20 * 180):
        for process in three:
            await process.send(NOW + step / 20)
    together = sorted(at for process in three for at in process.request_times)
    assert most_in(60, together) <= per_minute
    assert len(together) > 0.85 * 3 * (per_minute - 1)


async def test_a_fast_account_writes_once_for_many_requests_unless_its_bucket_is_low(processes):
    process = processes(6000)
    for step in range(50 * 20):
        await process.send(NOW + step / 50)
    assert len(process.request_times) == 50 * 20
    assert process.writes < len(process.request_times) / 10


async def test_a_killed_process_loses_only_the_tokens_it_has_reserved(processes):
    dead, alive = processes(600), processes(600)
    for step in range(40):
        await dead.send(NOW + step / 20)
    for step in range(20 * 60):
        await alive.send(NOW + 2 + step / 20)
    rate = dead.limit.current.minute_bucket.rate
    assert len(dead.request_times) + len(alive.request_times) > rate * 62 - 2 * rate * rate_limit.RESERVATION_TTL


async def test_not_before_stops_even_reserved_tokens(processes):
    first, second = processes(600), processes(600)
    for step in range(60):
        await first.send(NOW + step / 20)
    now = NOW + 60 / 20
    second.limit.change(lambda found: found.slowed_by_429(now + 30, WaitReason.RETRY_AFTER, now))
    await second.limit.share(now)
    assert not await first.may_send(now + rate_limit.RESERVATION_TTL / 5)
    assert await first.may_send(now + 31)


async def test_the_next_process_has_the_not_before_and_the_slower_rate(processes):
    first = processes(600).limit
    first.change(lambda found: found.slowed_by_429(NOW + 300, WaitReason.RETRY_AFTER, NOW))
    assert first.current.not_before == NOW + 300, "at once for this process"
    await first.share(NOW)
    later = await processes(600).limit.refresh(NOW + 60)
    assert (later.not_before, later.per_minute) == (NOW + 300, 600 * rate_limit.SLOWDOWN_FACTOR)


async def test_another_configured_rate_applies_at_once(processes):
    await processes(600).send(NOW)
    slower = processes(60)
    assert (await slower.limit.refresh(NOW + 1)).per_minute == 60
    await slower.send(NOW + 1)
    assert slower.limit.current.minute_bucket.capacity == rate_limit.initial(60, NOW).minute_bucket.capacity


async def test_without_a_journal_the_process_keeps_its_own_limit():
    class Gone:
        is_required = False

        async def get(self, account):
            raise JournalError("gone")

        async def update(self, account, change):
            change(None)
            raise JournalError("gone: nothing was written, or refused")

    limit = SharedRateLimit("heygen", rate_limit.initial(6, NOW), Gone())
    times = [NOW + second for second in range(180) if await limit.acquire(NOW + second)]
    assert 15 <= len(times) <= 18
    assert most_in(60, times) <= 6
    Gone.is_required = True
    needy = SharedRateLimit("heygen", rate_limit.initial(6, NOW), Gone())
    assert not [second for second in range(180) if await needy.acquire(NOW + second)]
    assert needy.current.next_slot(NOW + 179) > (NOW + 179, None), "the poller waits instead of trying on"


async def test_a_wait_that_could_not_be_shared_is_shared_later(processes):
    worker, successor = processes(60), processes(60)
    worker.is_required = worker.is_away = True
    worker.limit.change(lambda found: found.blocked_until(NOW + 300, WaitReason.QUOTA_USED, NOW))
    await worker.limit.share(NOW)
    worker.is_away = False
    await worker.limit.refresh(NOW + 1)
    assert (await successor.limit.refresh(NOW + 1)).not_before < NOW + 300, "a failed journal is left alone for a while"
    await worker.limit.refresh(NOW + 6)
    assert (await successor.limit.refresh(NOW + 6)).not_before == NOW + 300


@pytest.mark.parametrize("back", [10.0, 3600.0])
async def test_a_clock_set_back_neither_shortens_nor_prolongs_a_wait(processes, back):
    first, second = processes(60), processes(60)
    first.limit.change(lambda found: found.slowed_by_429(NOW + 120, WaitReason.RETRY_AFTER, NOW))
    await first.limit.share(NOW)
    await second.limit.refresh(NOW + 30)
    now = NOW + 60 - back
    first.limit.shift(-back, now)
    second.limit.shift(-back, now)
    for process in (first, second, processes(60)):
        found = await process.limit.refresh(now + 1)
        assert 60 <= found.next_slot(now).at - now < 60 + min(back, 60) + 2
