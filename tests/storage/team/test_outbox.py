"""Outbox of a team's hooks: written with the cause, claimed by one process at a time, sent with one id."""

import math

import pytest

from tests.support.journal_entries import ALL, NOW, entry
from tests.support.postgres_server import member_of
from tests.support.team_database import expire_leases, rows
from tui.domain.models import Phase
from tui.storage.deliveries import HookDelivery
from tui.storage.journal.database import JournalError
from tui.storage.journal.journal import JournalEntry
from tui.storage.protocols import Candidacy
from tui.storage.team.administration import read_status

HOOK = "digest"
ONE, TWO = HookDelivery(HOOK, "1", "done", b'{"n": 1}'), HookDelivery(HOOK, "2", "done", b"\x00\xff")


def with_deliveries(found, *deliveries):
    return JournalEntry(found.state, found.change, received_at=found.received_at, deliveries=deliveries)


async def test_a_delivery_is_written_with_its_phase_change_and_once(processes, team):
    first, second = processes(), processes()
    await first.lease.acquire(ALL)
    change = with_deliveries(entry(), ONE)
    await first.journal.record([change])
    await first.journal.record([change])
    assert rows(team, "SELECT count(*) FROM babeltop.hook_delivery") == [(1,)]
    assert await second.outbox.claim(HOOK, 60) == (ONE, 0), "any process sends it"
    expire_leases(team)
    await second.lease.acquire(ALL)
    done = entry(phase=Phase.DONE, at=NOW + 60, before=change.state)
    with pytest.raises(JournalError):
        await first.journal.record([with_deliveries(done, TWO)])
    assert rows(team, "SELECT count(*) FROM babeltop.hook_delivery") == [(1,)], "that of a former holder is refused"


async def test_a_claimed_delivery_is_claimed_again_only_after_its_time(processes):
    first, second = processes(), processes()
    await first.outbox.add([ONE, TWO])
    await first.outbox.add([ONE])
    claimed = {(await storage.outbox.claim(HOOK, 60)).delivery for storage in (first, second)}
    assert claimed == {ONE, TWO}
    assert await first.outbox.claim(HOOK, 60) is None
    assert await first.outbox.claim("other", 60) is None
    await first.outbox.postpone(ONE, 0)  # as after the time of a process that was killed
    assert await second.outbox.claim(HOOK, 60) == (ONE, 1), "the same id and payload"


async def test_the_state_names_deliveries_that_no_live_worker_can_send(processes, team):
    storage = processes()
    await storage.outbox.add([ONE, HookDelivery("gone", "2", "done", b"{}")])
    assert (await read_status(team)).deliveries == (2, 2)
    await storage.lease.acquire(Candidacy(hooks=(HOOK,)))
    assert (await read_status(team)).deliveries == (2, 1)
    await storage.outbox.complete(ONE)
    assert (await read_status(team)).deliveries == (1, 1)
    assert (await read_status(member_of(team, "viewer"))).deliveries is None


async def test_a_sent_or_failed_delivery_is_not_claimed_again(processes):
    storage = processes()
    await storage.outbox.add([ONE, TWO])
    await storage.outbox.complete(ONE)
    await storage.outbox.fail(TWO)
    assert await storage.outbox.claim(HOOK, 60) is None
    await storage.outbox.add([ONE])
    assert await storage.outbox.claim(HOOK, 60) is None


async def test_the_deliveries_of_other_alerts_are_written_with_the_claim(processes):
    storage = processes()
    await storage.notifications.claim({"b": math.inf}, NOW)
    claimed = await storage.notifications.claim(
        {"a": math.inf, "b": math.inf}, NOW, deliveries=[(ONE, ["b", "a"]), (TWO, ["b"])]
    )
    assert claimed == {"a"}
    assert await storage.outbox.claim(HOOK, 60) == (ONE, 0)
    assert await storage.outbox.claim(HOOK, 60) is None, "its event was claimed by another process"
