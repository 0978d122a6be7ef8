"""Storage of a team: what holds beyond the contract, with real servers, crashes and roles."""

import asyncio
import gc
import hashlib
from contextlib import closing, suppress

import msgspec
import psycopg
import pytest
from msgspec.structs import replace

from tests.storage.team.conftest import KEYS, RATES
from tests.support.cases import cases
from tests.support.journal_entries import ALL, NOW, A, B, entry
from tests.support.postgres_server import member_of, postgres_server
from tests.support.server_clock import ServerClock
from tests.support.team_database import expire_leases, rows
from tests.support.waiting import CHECK_INTERVAL, DEADLINE, until
from tui.domain.evaluation import EvaluationContext
from tui.domain.models import Link, LinkKind, Phase, Ref, ReportedLink, RequestRecord
from tui.domain.polling import rate_limit
from tui.presentation import json_output
from tui.storage.journal.database import JournalError
from tui.storage.journal.fleet import FleetCursor
from tui.storage.journal.journal import Journal, JournalEntry
from tui.storage.protocols import Candidacy
from tui.storage.team import journal as team_journal
from tui.storage.team.administration import (
    declare_accounts,
    forget_watchlist,
    initialize,
    own_watchlists,
    read_status,
)
from tui.storage.team.connection import (
    LAYOUT_AND_TIME,
    DatabaseClock,
    TeamDatabase,
    check_conninfo,
    connect,
    fetch,
    time_since_boot,
)
from tui.storage.team.lease import RENEW_INTERVAL, TRUST, TTL
from tui.storage.team.migrations import LAYOUT
from tui.storage.team.storage import TeamStorage


def advance(storage, seconds):
    """Let a process's clock go on."""
    before = storage.lease._monotonic
    storage.lease._monotonic = lambda: before() + seconds


async def once_reachable(read):
    """Return what a reading of the database gives, once it can be reached."""
    async with asyncio.timeout(DEADLINE):
        while True:
            with suppress(JournalError):
                return await read()
            await asyncio.sleep(CHECK_INTERVAL)


def permitted(conninfo, *statements):
    """Return those of the statements for which a member of the team has the rights."""
    found = []
    for statement in statements:
        try:
            with suppress(psycopg.errors.IntegrityError):
                rows(conninfo, statement)
        except psycopg.errors.InsufficientPrivilege:
            continue
        found.append(statement)
    return found


async def take_over(conninfo, former, successor):
    """Let the first process write that A runs, and the other one take its expired lease; return the state."""
    assert await former.lease.acquire(ALL)
    running = entry()
    await former.journal.record([running])
    expire_leases(conninfo)
    assert await successor.lease.acquire(ALL)
    return running.state


async def test_a_former_holder_writes_nothing(processes, team):
    first, second = processes(), processes()
    running = await take_over(team, first, second)
    with pytest.raises(JournalError, match="does not hold"):
        await first.journal.record([entry(phase=Phase.DONE, at=NOW + 60, before=running)])
    assert "heygen" not in first.lease.held, "the refusal is how it learns"
    assert (await second.journal.states([A]))[A].phase is Phase.RUNNING
    with pytest.raises(JournalError, match="does not hold"):
        await first.rate_limits.update("heygen", lambda found: found or rate_limit.initial(60, NOW))


async def test_results_wait_while_the_lease_may_come_back(processes, team):
    storage = processes()
    assert await storage.lease.acquire(ALL)
    advance(storage, TRUST)  # as in an outage
    with pytest.raises(JournalError, match="wait to be written"):
        await storage.journal.record([entry()])
    assert not await storage.journal.replaced_states()
    assert await storage.lease.acquire(ALL)
    assert await storage.journal.record([entry()])


async def test_discarded_results_are_replaced_by_the_stored_states(processes, team):
    first, second = processes(), processes()
    running = await take_over(team, first, second)
    first.lease.lose("heygen")
    assert not await first.lease.acquire(ALL)
    done = entry(phase=Phase.DONE, at=NOW + 60, before=running)
    assert not await first.journal.record([done, entry(B)])
    assert await first.journal.replaced_states() == {A: running, B: None}
    assert not await first.journal.replaced_states()


async def test_phase_changes_are_a_chain_whatever_phase_the_writer_had_read(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    await storage.journal.record([entry()])
    done = entry(phase=Phase.DONE, at=NOW + 60)
    await storage.journal.record([done])
    found = await storage.journal.phase_changes([A])
    assert [(each.before, each.after) for each in found[A]] == [
        (Phase.NEW, Phase.RUNNING),
        (Phase.RUNNING, Phase.DONE),
    ]


async def test_a_phase_without_its_change_is_replaced_by_the_stored_one(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    running = entry()
    await storage.journal.record([running])
    done = entry(phase=Phase.DONE, at=NOW + 60, before=running.state)
    assert not await storage.journal.record([JournalEntry(done.state), JournalEntry(entry(B).state)])
    assert await storage.journal.replaced_states() == {A: running.state, B: None}


async def test_a_process_that_does_not_poll_never_gets_the_lease(processes):
    follower = processes(polls=False)
    assert not await follower.lease.acquire(ALL)
    assert not await follower.lease.is_free()
    assert not await follower.journal.record([entry()])
    assert not await follower.journal.states([A])


async def test_a_holder_trusts_its_lease_for_less_time_than_the_database(processes, monkeypatch):
    assert RENEW_INTERVAL < TRUST < TTL
    storage = processes()
    storage.lease._monotonic = lambda: 0.0  # it stands between the steps
    assert await storage.lease.acquire(ALL)
    advance(storage, TRUST - 0.5)
    assert storage.lease.held
    advance(storage, 0.5)
    assert not storage.lease.held
    with pytest.raises(JournalError):
        await storage.journal.record([entry()])


async def test_accounts_with_one_key_share_its_rate_at_the_lowest(processes):
    storage = processes()
    await storage.lease.acquire(ALL)
    now = storage.clock.now()
    for account in ("heygen", "dubs", "other"):
        await storage.rate_limits.update(
            account, lambda found: (found or rate_limit.initial(600, now)).take_tokens(now, 1)[0]
        )
    shared = await storage.rate_limits.get("heygen")
    assert shared.configured_per_minute == 60
    assert shared.minute_bucket.capacity < 6, "the bucket of the slower account"
    dubs = await storage.rate_limits.update("dubs", lambda found: found.blocked_until(now + 60, None, now))
    assert (await storage.rate_limits.get("heygen")).not_before == dubs.not_before == now + 60
    assert (await storage.rate_limits.get("other")).configured_per_minute == 600


async def test_a_new_key_starts_with_the_wait_of_the_last_one(processes):
    first = processes()
    await first.lease.acquire(ALL)
    now = first.clock.now()
    await first.rate_limits.update("heygen", lambda _: rate_limit.initial(60, now).blocked_until(now + 300, None, now))
    await first.lease.release()
    renewed = processes(keys={"heygen": "sk-new"})
    assert (await renewed.rate_limits.get("heygen")).not_before == now + 300


async def test_tokens_taken_at_the_same_moment_are_counted_once_each(processes, team):
    workers = [processes(polls=False) for _ in range(4)]
    start = rate_limit.initial(6000, (now := workers[0].clock.now()))
    taken = []

    async def take(storage):
        def one(found):
            after, count = (found or start).take_tokens(now, 1)
            taken.append((storage, after, count))
            return after

        return await storage.rate_limits.update("other", one)

    await asyncio.gather(*(take(storage) for storage in workers for _ in range(5)))
    [(version,)] = rows(team, "SELECT version FROM babeltop.rate_limit")
    assert version == 20, "each of the twenty changes started from the one before"


async def test_a_database_that_restarts_is_used_again(tmp_path):
    with postgres_server() as server:
        conninfo = server.new_database()
        await initialize(conninfo)
        journal = Journal(None)
        storage = TeamStorage(conninfo, lambda: journal, KEYS.get, RATES, polls=True)
        storage.lease._monotonic = lambda: 0.0  # to stop the server may take longer than TRUST
        assert await storage.lease.acquire(ALL)
        await storage.journal.record([entry()])
        server.stop()
        with pytest.raises(JournalError, match="not reachable since"):
            await storage.journal.record([entry()])
        assert storage.lease.held, "it is trusted until it is old"
        server.start()
        assert A in await once_reachable(lambda: storage.journal.states([A]))
        await storage.close()
        journal.close()


async def test_a_follower_shows_its_last_board_while_the_database_is_away():
    with postgres_server() as server:
        conninfo = server.new_database()
        await initialize(conninfo)
        journals = Journal(None), Journal(None)
        worker = TeamStorage(conninfo, lambda: journals[0], KEYS.get, RATES, polls=True)
        follower = TeamStorage(conninfo, lambda: journals[1], KEYS.get, RATES, polls=False)
        await follower.journal.states([A])
        await worker.lease.acquire(ALL)
        await worker.journal.record([entry()])
        assert A in await follower.journal.external_changes()
        server.stop()
        restarted = TeamStorage(conninfo, lambda: journals[1], KEYS.get, RATES, polls=False)
        assert (await restarted.journal.states([A]))[A].phase is Phase.RUNNING
        for storage in (worker, follower, restarted):
            await storage.close()
        for journal in journals:
            journal.close()


async def test_a_job_that_could_not_be_read_is_read_when_the_database_is_back(tmp_path):
    with postgres_server() as server:
        conninfo = server.new_database()
        await initialize(conninfo)
        with closing(Journal(None)) as local, closing(Journal(None)) as own:
            worker = TeamStorage(conninfo, lambda: local, KEYS.get, RATES, polls=True)
            follower = TeamStorage(conninfo, lambda: own, KEYS.get, RATES, polls=False)
            await worker.lease.acquire(ALL)
            await worker.journal.record([entry(), entry(B)])
            assert await follower.journal.external_changes() == {}
            server.stop()
            assert await follower.journal.states([A]) == {}
            server.start()
            found = await once_reachable(follower.journal.external_changes)
            assert set(found) == {A}, "and no job of another console"
            await worker.close()
            await follower.close()


async def test_no_statement_reads_the_states_of_all_jobs(processes, monkeypatch):
    """With 100,000 jobs it exceeds its time limit, where several processes start together."""
    monkeypatch.setattr(team_journal, "STATES_AT_ONCE", 3)
    worker, other, row_counts = processes(), processes(), []
    refs = [Ref("heygen", f"job-{number}") for number in range(8)]
    await worker.lease.acquire(ALL)
    await worker.journal.record([entry(ref) for ref in refs])
    execute = other.database.execute

    async def counted(*arguments, **options):
        row_counts.append(len(found := await execute(*arguments, **options)))
        return found

    other.database.execute = counted
    assert (await other.journal.states(refs)).keys() == set(refs)
    assert row_counts == [3, 3, 2]


async def test_what_changed_is_read_of_the_listed_jobs_alone(processes):
    worker, follower = processes(), processes(polls=False)
    await worker.lease.acquire(ALL)
    assert await follower.journal.states([A]) == {}
    await worker.journal.record([entry(), entry(B)])
    assert set(await follower.journal.external_changes({A})) == {A}


def test_what_changed_is_found_without_reading_all_jobs(team):
    accounts, count = [f"account{number}" for number in range(10)], 20_000
    rows(
        team,
        "INSERT INTO babeltop.job (account, job_id, kind, phase, last_update_at, change_count, revision, writer, state)"
        " SELECT 'account' || number %% 10, number, '', 'failed', 0, 1, 1 + number / 200, '', repeat('x', 400)::bytea "
        "FROM generate_series(1, %s) AS number",
        count,
    )
    rows(team, "ANALYZE babeltop.job")
    query = f"EXPLAIN {team_journal.CHANGED_STATES.format('results')}"
    plan = "\n".join(line for (line,) in rows(team, query, accounts, [99] * 10, [100] * 10, ""))
    assert "job_revision" in plan
    assert "Seq Scan" not in plan


def statement_tasks():
    """Return the tasks of `fetch` that wait for a statement."""
    return [task for task in asyncio.all_tasks() if task.get_coro().__qualname__ == "fetch.<locals>.rows"]


async def cancel_when_terminated(conninfo):
    """Cancel a statement's caller when the statement has failed, and the caller does not go on yet."""
    connection = await connect(conninfo)
    fetching = asyncio.create_task(fetch(connection, "SELECT pg_sleep(600)"))
    await until(statement_tasks)
    [running] = statement_tasks()
    running.add_done_callback(lambda _: fetching.cancel())
    assert rows(conninfo, "SELECT pg_terminate_backend(%s)", connection.info.backend_pid) == [(True,)]
    await asyncio.wait([fetching])
    assert fetching.cancelled()


async def test_a_statement_that_fails_while_its_caller_is_cancelled_logs_nothing(team):
    logged = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: logged.append(context["message"]))
    await cancel_when_terminated(team)
    gc.collect()
    assert logged == []


async def test_the_statement_after_a_cancelled_one_succeeds(team):
    """A worker that is stopped during a statement still has its last results to write."""
    database = TeamDatabase(team)
    cancelled = asyncio.create_task(database.execute("SELECT pg_sleep(600)"))
    is_running = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'SELECT pg_sleep%'"
    await until(lambda: rows(team, is_running))
    cancelled.cancel()
    await asyncio.wait([cancelled])
    assert cancelled.cancelled()
    assert await database.execute("SELECT 1") == [(1,)]
    await database.close()


async def test_the_clock_is_the_databases(processes, team):
    clock = DatabaseClock(wall=lambda: 5.0)
    assert clock.now() == 5.0
    database = TeamDatabase(team, clock)
    await database.execute_timed(f"SELECT {LAYOUT_AND_TIME} + 1000")
    [(now,)] = rows(team, "SELECT extract(epoch FROM clock_timestamp())::float8")
    assert 900 < clock.now() - float(now) < 1100
    clock.sample(0.0, time_since_boot() - 5, time_since_boot())
    assert clock.now() > 1e9, "a slow round trip is no sample"
    await database.close()


async def test_no_key_is_in_the_database(processes, team, postgres):
    storage = processes()
    await storage.lease.acquire(ALL)
    await storage.rate_limits.update("heygen", lambda found: found or rate_limit.initial(60, NOW))
    await storage.journal.record([entry(body=b"{}")])
    tables = [name for (name,) in rows(team, "SELECT tablename FROM pg_tables WHERE schemaname = 'babeltop'")]
    text = "".join(str(rows(team, f"SELECT t::text FROM babeltop.{name} AS t")) for name in tables)
    assert "rate_limit" in tables
    for secret in KEYS.values():
        assert secret not in text
        assert secret.encode().hex() not in text
        assert hashlib.sha256(secret.encode()).hexdigest()[:10] not in text, "the hash is keyed"


@pytest.fixture
def members(team, postgres):
    """Connection strings of a viewer, an editor and a worker."""
    return {role: member_of(team, role) for role in ("viewer", "editor", "worker")}


async def test_a_worker_needs_no_other_right_than_its_role(processes, members):
    storage = processes(members["worker"])
    assert await storage.lease.acquire(ALL)
    await storage.journal.record([entry()])
    await storage.lease.write_heartbeats(lambda _accounts: b"[]")
    await storage.rate_limits.update("heygen", lambda found: found or rate_limit.initial(60, NOW))
    await storage.notifications.claim({"a": 1.0}, NOW)
    await storage.successors.record_move("heygen", "heygen-v3", NOW)
    await storage.journal.mark_listed([A], NOW)
    await storage.journal.prune(NOW)
    await storage.lease.release()


VIDEO = Link(LinkKind.VIDEO, "https://cdn.test/v.mp4?signature=canary", NOW, NOW + 3600, expiry_is_exact=True)


def finished(text=None):
    """Return the entry of a job that is done, with links and perhaps a result text."""
    done = entry(phase=Phase.DONE, body=b'{"url": "https://cdn.test/v.mp4?signature=canary"}')
    reported = ReportedLink(LinkKind.VIDEO, VIDEO.url, form="form=canary")
    state = replace(
        done.state, links=(VIDEO,), result=text, report=replace(done.state.report, links=(reported,)), poll_count=2
    )
    return replace(done, state=state, request=RequestRecord(NOW, 200, 12.5, "r-1", None))


OWNERS = (
    "UPDATE babeltop.lease SET base_url = 'http://other.test'",
    "UPDATE babeltop.lease SET account = 'other'",
    "INSERT INTO babeltop.lease (account, expires_at) VALUES ('new', 'infinity')",
    "INSERT INTO babeltop.lease (account, base_url) VALUES ('heygen', 'http://other.test') "
    "ON CONFLICT (account) DO UPDATE SET base_url = excluded.base_url",
    "DELETE FROM babeltop.lease",
    "UPDATE babeltop.meta SET min_reader = 99",
    "INSERT INTO babeltop.watchlist (name, owner, jobs) VALUES ('x', 'postgres', '[]')",
    "UPDATE babeltop.watchlist SET owner = current_user",
    "INSERT INTO babeltop.command_request (command, requested_by) VALUES ('{}', 'postgres')",
    "UPDATE babeltop.command_request SET command = '{}'",
    "UPDATE babeltop.command_request SET requested_by = 'postgres'",
    "TRUNCATE babeltop.job",
    "CREATE TABLE babeltop.more ()",
)
"""Statements of the owner alone."""
WORKERS = (
    "SELECT salt FROM babeltop.meta",
    "SELECT state FROM babeltop.rate_limit",
    "SELECT * FROM babeltop.held_notification",
    "UPDATE babeltop.lease SET expires_at = 'infinity'",
    "INSERT INTO babeltop.lease (account, base_url) VALUES ('new', 'http://other.test')",
    "DELETE FROM babeltop.job",
    "INSERT INTO babeltop.phase_change (account, job_id, number, before, after, seen_at, message) "
    "VALUES ('a', 'b', 1, 'new', 'done', 0, '')",
    "SELECT babeltop.renew_leases('x', '{heygen}', interval '1 s')",
    "SELECT babeltop.record('x', '{}', '[{\"account\": \"heygen\"}]')",
    "SELECT babeltop.update_rate_limit('x', 1, '', '', NULL, NULL)",
    "SELECT babeltop.maintain(1e10)",
)
"""Statements that editors may not execute either."""
EDITORS = (
    "SELECT results FROM babeltop.job",
    "SELECT body FROM babeltop.job",
    "SELECT * FROM babeltop.job",
    "SELECT * FROM babeltop.request",
    "SELECT * FROM babeltop.command_request",
    "INSERT INTO babeltop.watchlist (name, jobs) VALUES ('x', '[]')",
    "UPDATE babeltop.watchlist SET jobs = '[]'",
    "DELETE FROM babeltop.watchlist",
    "INSERT INTO babeltop.command_request (command) VALUES ('{}')",
)
"""Statements that viewers may not execute either."""


async def test_no_role_has_the_rights_of_the_next_one(members, processes):
    worker = processes(addresses=dict.fromkeys(ALL.accounts, "https://api.test"))
    await worker.lease.acquire(ALL)
    await worker.journal.record([finished()])
    refused = {"viewer": OWNERS + WORKERS + EDITORS, "editor": OWNERS + WORKERS, "worker": OWNERS}
    with cases() as case:
        for role, statements in refused.items():
            for statement in statements:
                with case(role, statement):
                    assert not permitted(members[role], statement)


@pytest.mark.parametrize("text", [None, "the canary text"])
async def test_a_viewer_gets_links_without_their_urls(processes, members, text):
    worker, editor, viewer = processes(), processes(members["editor"], polls=False), processes(members["viewer"])
    await worker.lease.acquire(ALL)
    await viewer.journal.external_changes()
    written = finished(text)
    await worker.journal.record([written])
    assert await editor.journal.states([A]) == {A: written.state}, "an editor reads all of it"
    [state] = (await viewer.journal.external_changes()).values()
    assert state == (await viewer.journal.states([A]))[A]
    assert "canary" not in repr(state)
    assert state.links == (replace(VIDEO, url=""),), "kind and expiry are no secret"
    assert (state.phase, bool(state.result), state.result is None) == (Phase.DONE, False, text is None)
    assert json_output.job(state, None, EvaluationContext(now=NOW))["result"] is None, "JSON has no hidden texts"
    assert await viewer.journal.last_body(A) is None
    assert await viewer.journal.requests(A, 5) == ()
    assert (await viewer.journal.fleet_page(FleetCursor(), NOW)).requests == ()
    assert (await editor.journal.requests(A, 5)) == (written.request,)
    assert viewer.team.is_viewer
    assert not editor.team.is_viewer


async def test_a_role_that_is_granted_later_holds_from_the_next_reading(processes, members, team):
    worker, viewer = processes(), processes(members["viewer"], polls=False)
    await worker.lease.acquire(ALL)
    await worker.journal.record([finished()])
    assert (await viewer.journal.states([A]))[A].links[0].is_hidden
    rows(team, f"GRANT babeltop_editor TO {psycopg.conninfo.conninfo_to_dict(members['viewer'])['user']}")
    await viewer.journal.external_changes()
    assert (await viewer.journal.states([A]))[A].links == (VIDEO,)


async def test_a_stored_link_that_is_none_is_left_out(processes):
    worker = processes()
    await worker.lease.acquire(ALL)
    written = finished()
    hostile = replace(written, state=replace(written.state, links=(replace(VIDEO, url="file:///etc/passwd"), VIDEO)))
    await worker.journal.record([hostile])
    assert (await worker.journal.states([A]))[A].links == (VIDEO,)


async def test_a_list_of_another_operator_is_sanitized(processes, members):
    hostile = [
        {"account": "a", "id": "1", "label": "x\x1b]52;c;eA==\x07", "owners": ["boss"], "is_foreign": False},
        {"account": "a", "id": "../2\x1b"},
        {"account": "a\nb", "id": "3"},
        {"account": "", "id": "4"},
    ]
    with psycopg.connect(members["editor"], autocommit=True) as connection:
        connection.execute(
            "INSERT INTO babeltop.watchlist (name, jobs) VALUES (%s, %s)",
            ("bob\x1b[31m", msgspec.json.encode(hostile)),
        )
    [(name, jobs)] = (await processes().team.lists()).items()
    assert name.isprintable()
    assert [(job.id, job.owners) for job in jobs] == [("1", ())]
    assert jobs[0].label.isprintable()


async def test_an_editor_changes_its_own_watchlists_only(members, team):
    rows(members["editor"], "INSERT INTO babeltop.watchlist (name, jobs) VALUES ('mine', '[]')")
    rows(team, "INSERT INTO babeltop.watchlist (name, jobs) VALUES ('theirs', '[]')")
    rows(members["editor"], "UPDATE babeltop.watchlist SET jobs = '[1]'")
    rows(members["editor"], "DELETE FROM babeltop.watchlist WHERE name = 'theirs'")
    found = dict(rows(team, "SELECT name, convert_from(jobs, 'UTF8') FROM babeltop.watchlist"))
    assert found == {"mine": "[1]", "theirs": "[]"}


async def test_a_process_that_does_not_poll_has_one_connection(processes, team):
    storage = processes(polls=False)
    await storage.lease.heartbeats()
    await storage.journal.states([A])
    await storage.team.lists()
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'babeltop' AND datname = current_database()"
    assert rows(team, query) == [(1,)]


async def test_requests_are_kept_for_two_days_in_partitions_of_a_day(processes, team):
    def at(ref, days):
        return entry(ref, request=RequestRecord(NOW + days * 86400, 200, 1.0, None, None))

    def partitions():
        query = (
            "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid "
            "WHERE inhparent = 'babeltop.request'::regclass AND relpersistence = 'u'"
        )
        return {name for (name,) in rows(team, query)}

    storage, today, c = processes(), int(NOW // 86400), A._replace(id="c")
    await storage.lease.acquire(ALL)
    await storage.journal.prune(NOW)
    assert {f"request_{today}", f"request_{today + 1}"} <= partitions()
    await storage.journal.record([at(A, 0), at(B, 1), at(c, -5)])
    assert rows(team, "SELECT job_id FROM ONLY babeltop.request_default") == [("c",)], "of no partition's day"
    await storage.journal.prune(NOW + 2 * 86400)
    assert [len(await storage.journal.requests(ref, 5)) for ref in (A, B, c)] == [1, 1, 0]
    await storage.journal.prune(NOW + 3 * 86400)
    assert [len(await storage.journal.requests(ref, 5)) for ref in (A, B)] == [0, 1]
    assert f"request_{today}" not in partitions()


async def test_a_day_with_requests_in_the_default_partition_gets_none(processes, team):
    storage, today = processes(), int(NOW // 86400)
    await storage.lease.acquire(ALL)
    await storage.journal.record([entry(request=RequestRecord(NOW, 200, 1.0, None, None))])
    await storage.journal.prune(NOW)
    assert rows(team, f"SELECT to_regclass('babeltop.request_{today}') IS NULL") == [(True,)]
    assert len(await storage.journal.requests(A, 5)) == 1


async def test_init_is_for_the_owner_and_repeatable(team, members):
    assert "nothing to do" in await initialize(team)
    for role, login in members.items():
        with pytest.raises(JournalError, match=r"^only the owner of the team's database, postgres, runs"):
            await initialize(login)
        with pytest.raises(JournalError, match="only the owner"):
            await declare_accounts(login, {"heygen": f"https://{role}.test"})
    status = await read_status(team)
    assert (status.layout.number, status.workers, status.job_count, status.role) == (LAYOUT, (), 0, "worker")
    assert abs(status.clock_lead) < 5


async def test_a_login_without_a_role_gets_the_grant_that_it_needs(team, processes):
    name = f"no-role-{psycopg.conninfo.conninfo_to_dict(team)['dbname']}"
    stranger = psycopg.conninfo.make_conninfo(team, user=name)
    rows(team, f'CREATE ROLE "{name}" LOGIN')
    with cases() as case:
        storage = processes(stranger)
        for name_of, action in {
            "status": lambda: read_status(stranger),
            "export": lambda: own_watchlists(stranger),
            "forget": lambda: forget_watchlist(stranger, "alice"),
            "lists": storage.team.lists,
            "changes": storage.journal.external_changes,
        }.items():
            with case(name_of), pytest.raises(JournalError) as raised:
                await action()
            with case(name_of, "message"):
                assert f'`GRANT babeltop_editor TO "{name}"`' in str(raised.value)
                assert "permission" not in str(raised.value)


async def test_a_database_without_the_schema_is_named_with_the_remedy(postgres):
    with pytest.raises(JournalError, match="babeltop team init"):
        await read_status(postgres.new_database())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("host=db.example dbname=b", "verify-full"),
        ("host=db.example sslmode=require", "verify-full"),
        ("postgresql://db.example/b?sslmode=prefer", "verify-full"),
        ("hostaddr=192.0.2.1 dbname=b", "192.0.2.1 requires"),
        ("host=localhost hostaddr=192.0.2.1", "192.0.2.1 requires"),
        ("host=/run/postgresql,db.example", "db.example requires"),
        ("host=localhost,db.example", "db.example requires"),
        ("host=/run/postgresql password=secret", "password"),
        ("postgresql://me:secret@localhost/b", "password"),
        ("nonsense", "connection string"),
    ],
)
def test_an_unsafe_connection_string_is_refused(text, problem):
    with pytest.raises(ValueError, match=problem) as raised:
        check_conninfo(text, allow_insecure=False)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "text",
    ["service=babeltop", "host=/run/postgresql", "host=localhost dbname=b", "host=db.example sslmode=verify-full"],
)
def test_a_safe_connection_string_is_accepted(text):
    check_conninfo(text, allow_insecure=False)


SERVICES = """
[plain]
host=db.example
[verified]
host=db.example
sslmode=verify-full
[local]
host=/run/postgresql
password=secret
"""


@pytest.fixture
def services(tmp_path, monkeypatch):
    """Service file of libpq."""
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))
    (tmp_path / "services").write_text(SERVICES)


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("service=plain", {}),
        ("service=plain target_session_attrs=any", {}),
        ("service=local host=db.example", {}),
        ("service=verified sslmode=require", {}),
        ("dbname=b", {"PGHOST": "db.example"}),
        ("dbname=b", {"PGSERVICE": "plain"}),
    ],
)
def test_a_server_that_libpq_takes_from_elsewhere_is_verified_too(text, environ, services, monkeypatch):
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=r"db\.example requires sslmode=verify-full"):
        check_conninfo(text, allow_insecure=False)
    check_conninfo(text, allow_insecure=True)


@pytest.mark.parametrize("text", ["service=verified", "service=plain sslmode=verify-full", "service=local"])
def test_a_service_with_a_safe_server_is_accepted(text, services):
    check_conninfo(text, allow_insecure=False)


async def test_a_lease_from_before_the_clock_was_set_back_is_taken_over(team, processes):
    clock, able = ServerClock(team), Candidacy(frozenset({"heygen"}))
    clock.step(3600)
    killed, other = processes(clock.conninfo), processes(clock.conninfo)
    assert await killed.lease.acquire(able) == {"heygen"}
    assert await other.lease.acquire(able) == set()
    clock.step(-3600)
    assert await other.lease.acquire(able) == {"heygen"}
