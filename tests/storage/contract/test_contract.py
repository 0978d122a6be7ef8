"""Contract of the shared storage: what every implementation promises to the engine's processes."""

import math

import pytest
from msgspec.structs import replace

from tests.support.journal_entries import ALL, NOW, A, B, entry
from tui.domain.fleet import EndedJob, SentRequest
from tui.domain.job_state import PollFailed, reduce
from tui.domain.models import Fault, FaultKind, Phase, Ref, RequestRecord
from tui.domain.polling import rate_limit
from tui.domain.polling.duration_model import ObservedDuration
from tui.storage.journal.fleet import FleetCursor
from tui.storage.journal.journal import JournalEntry


async def test_a_state_is_read_as_it_was_written(processes):
    written, read = processes(), processes()
    await written.lease.acquire(ALL)
    first = entry(body=b'{"status": "running"}', request=RequestRecord(NOW, 200, 12.5, "r-1", None))
    assert list(await written.journal.record([first, entry(B)])) == [first.change, entry(B).change]
    assert await read.journal.states([A]) == {A: first.state}
    assert await read.journal.last_body(A) == (b'{"status": "running"}', NOW)
    assert await read.journal.last_body(B) is None
    assert await read.journal.requests(A, 5) == (first.request,)
    assert await read.journal.phase_changes([A, B]) == {A: (first.change,), B: (entry(B).change,)}


async def test_a_state_without_a_body_keeps_the_last_one(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    first = entry(body=b"1")
    await storage.journal.record([first])
    state, change = reduce(first.state, PollFailed(Fault(FaultKind.SERVER, "500", http_status=500), NOW + 5))
    await storage.journal.record(
        [JournalEntry(state, change, None, NOW + 5, RequestRecord(NOW + 5, 500, 3.0, None, None))]
    )
    assert await storage.journal.last_body(A) == (b"1", NOW)
    assert [each.http_status for each in await storage.journal.requests(A, 1)] == [500]


async def test_other_processes_get_each_change_once(processes):
    writer, reader = processes(), processes()
    await writer.lease.acquire(ALL)
    assert await reader.journal.external_changes() == {}
    first = entry()
    await writer.journal.record([first])
    assert await reader.journal.external_changes() == {A: first.state}
    assert await reader.journal.external_changes() == {}
    assert await writer.journal.external_changes() == {}


async def test_a_batch_that_is_written_again_changes_nothing_twice(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    first = entry()
    await storage.journal.record([first])
    await storage.journal.record([first])
    assert await storage.journal.phase_changes([A]) == {A: (first.change,)}


async def test_an_end_is_recorded_before_the_next_phase_of_its_job(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    first = entry()
    second = entry(phase=Phase.DONE, at=NOW + 60, before=first.state)
    assert list(await storage.journal.record([first, second])) == [first.change, second.change]
    assert [each.after for each in (await storage.journal.phase_changes([A]))[A]] == [Phase.RUNNING, Phase.DONE]
    assert (await storage.journal.states([A]))[A].phase is Phase.DONE


async def test_recent_changes_come_newest_first(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    for number in range(5):
        await storage.journal.record([entry(Ref("heygen", f"j{number}"), at=NOW + number)])
    assert [each.ref.id for each in await storage.journal.recent_phase_changes(3)] == ["j4", "j3", "j2"]


async def test_durations_are_those_of_ended_jobs_of_the_kind(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    for number, seconds in enumerate((60, 90)):
        ref = Ref("heygen", f"j{number}")
        first = entry(ref)
        await storage.journal.record([first])
        await storage.journal.record([entry(ref, Phase.DONE, NOW + seconds, before=first.state)])
    await storage.journal.record([entry(B)])
    assert list(await storage.journal.durations("heygen", "", 5)) == [
        ObservedDuration(0.0, 60.0),
        ObservedDuration(0.0, 90.0),
    ]
    assert list(await storage.journal.durations("heygen", "", 1)) == [ObservedDuration(0.0, 90.0)]
    assert not await storage.journal.durations("heygen", "dub", 5)
    assert not await storage.journal.durations("other", "", 5)


async def test_text_of_any_characters_is_kept(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    ref = Ref("heygen", "ünïcode/'\"\\;--%_\U0001f600")
    hostile = entry(ref, body=b"\x00\xff'")
    changed = hostile.change._replace(message="'; DROP TABLE job; --")
    await storage.journal.record([replace(hostile, change=changed)])
    assert await storage.journal.last_body(ref) == (b"\x00\xff'", NOW)
    assert (await storage.journal.phase_changes([ref]))[ref] == (changed,)


async def test_a_rate_limit_is_changed_from_what_all_processes_left(processes):
    first, second = processes(), processes()
    full = rate_limit.initial(60, NOW)
    await first.lease.acquire(ALL)
    assert await second.rate_limits.get("heygen") is None
    left = await first.rate_limits.update("heygen", lambda found: (found or full).take_tokens(NOW, 1)[0])
    assert left.minute_bucket.tokens == pytest.approx(full.minute_bucket.tokens - 1)
    assert await second.rate_limits.get("heygen") == left
    blocked = await first.rate_limits.update("heygen", lambda found: found.blocked_until(NOW + 30, None, NOW))
    assert (await second.rate_limits.get("heygen")).not_before == blocked.not_before == NOW + 30
    assert await second.rate_limits.get("other") is None


async def test_one_process_holds_the_lease(processes):
    first, second = processes(), processes()
    assert await first.lease.acquire(ALL)
    assert "heygen" in first.lease.held
    assert await first.lease.acquire(ALL), "it is renewed"
    assert not await second.lease.acquire(ALL)
    assert not second.lease.held
    assert not await second.lease.is_free()
    await first.lease.write_heartbeats(lambda _accounts: b"[[],false]")
    await second.lease.acquire(ALL)
    before = await second.lease.heartbeats()
    assert {heartbeat.account_states for heartbeat in before} == {b"[[],false]"}
    await first.lease.write_heartbeats(lambda _accounts: b"[[],false]")
    after = await second.lease.heartbeats()
    assert not set(before) & set(after), "a follower sees that the holder lives"
    await first.lease.release()
    assert not first.lease.held
    assert await second.lease.is_free()
    assert await second.lease.acquire(ALL)
    assert not await first.lease.acquire(ALL)


async def test_moves_and_refusals_are_kept(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    await storage.successors.record_refusal("heygen", "a", "heygen-v3", NOW)
    await storage.successors.record_refusal("heygen", "b", "other", NOW)
    assert dict(await storage.successors.refusals("heygen", "heygen-v3", NOW + 5)) == {"a": NOW}
    await storage.successors.record_move("heygen", "heygen-v3", NOW + 9)
    assert not await storage.successors.refusals("heygen", "heygen-v3", NOW + 10)


async def test_one_process_sends_each_notification(processes):
    first, second = processes(), processes()
    await first.lease.acquire(ALL)
    keys = {"done heygen:a": math.inf, "refused heygen": 60.0}
    assert await first.notifications.claim(keys, NOW) == set(keys)
    assert await second.notifications.claim(keys, NOW + 1) == set()
    assert await second.notifications.claim(keys, NOW + 61) == {"refused heygen"}
    await first.notifications.forget(["done heygen:a"])
    assert await second.notifications.claim(keys, NOW + 62) == {"done heygen:a"}


async def test_notifications_of_a_quiet_time_are_sent_once_after_it(processes):
    first, second = processes(), processes()
    await first.lease.acquire(ALL)
    await first.notifications.claim({"a": math.inf}, NOW, {"a": b"1", "unclaimed": b"2"})
    await first.notifications.claim({"b": math.inf}, NOW + 5, {"b": b"3"}, is_sent=True)
    assert list(await second.notifications.held(NOW, NOW + 5)) == [b"1"]
    assert list(await second.notifications.held(NOW, NOW + 6)) == [b"1", b"3"]
    assert list(await second.notifications.take_held(NOW + 60)) == [b"1"]
    assert not await first.notifications.take_held(NOW + 60)


async def test_pruning_keeps_the_states_of_listed_jobs(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    await storage.journal.record([entry()])
    await storage.journal.mark_listed([A], NOW)
    await storage.journal.prune(NOW + 89 * 86400)
    assert A in await storage.journal.states([A])
    assert (await storage.journal.phase_changes([A]))[A]
    await storage.journal.prune(NOW + 91 * 86400)
    assert not (await storage.journal.phase_changes([A]))[A]


async def test_the_fleet_gets_each_end_and_request_once(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    first = entry(request=RequestRecord(NOW, 200, 12.5, "r-1", None))
    second = entry(phase=Phase.DONE, at=NOW + 60, before=first.state)
    await storage.journal.record([first])
    page = await storage.journal.fleet_page(FleetCursor(), NOW + 90)
    assert (page.ends, page.requests, page.is_last) == ((), (SentRequest("heygen", NOW, 12.5, is_fault=False),), True)
    await storage.journal.record([second])
    assert page.cursor is not None
    page = await processes().journal.fleet_page(page.cursor, NOW + 90)
    assert (page.ends, page.requests) == ((EndedJob("heygen", "", True, NOW + 60, 30.0),), ())
    assert page.began_at == NOW
