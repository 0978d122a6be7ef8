"""Migrations of the team's database, and programs of another layout. Further migrations are handed in as data."""

import asyncio

import psycopg
import pytest

from tests.support.journal_entries import ALL, A, B, entry
from tests.support.postgres_server import member_of
from tests.support.team_database import EXPANDING, FENCING, REMOVING, further, rows
from tests.support.waiting import until
from tui.domain.polling import rate_limit
from tui.storage.journal.database import JournalError, OutdatedProgramError
from tui.storage.team.administration import declare_accounts, initialize, migrate, read_status
from tui.storage.team.connection import TeamDatabase
from tui.storage.team.layout import LayoutGuard
from tui.storage.team.migrations import LAYOUT, MIGRATIONS, Migration

NEXT = LAYOUT + 1
CURRENT = (LAYOUT, MIGRATIONS[-1].min_reader, MIGRATIONS[-1].min_writer)


def layout_of(conninfo):
    return rows(conninfo, "SELECT layout, min_reader, min_writer FROM babeltop.meta")[0]


def columns(conninfo):
    query = (
        "SELECT table_name, column_name, data_type, column_default FROM information_schema.columns "
        "WHERE table_schema = 'babeltop' AND table_name NOT LIKE 'request_%' ORDER BY table_name, ordinal_position"
    )
    return rows(conninfo, query)


async def test_a_migration_reports_its_steps_and_does_nothing_twice(team):
    done = await migrate(team, further(EXPANDING, FENCING))
    assert f"from layout {LAYOUT} to {LAYOUT + 2}" in done
    assert f"before layout {NEXT} only follow" in done
    assert layout_of(team) == (LAYOUT + 2, 1, NEXT)
    assert "nothing to do" in await migrate(team, further(EXPANDING, FENCING))
    with pytest.raises(JournalError, match="of a newer babeltop"):
        await migrate(team)
    with pytest.raises(JournalError, match="of a newer babeltop"):
        await initialize(team)


async def test_a_new_database_has_the_newest_layout_as_a_migrated_one(team, postgres):
    new = postgres.new_database()
    assert f"layout {NEXT}" in await initialize(new, further(EXPANDING))
    assert f"`babeltop team migrate` makes layout {NEXT}" in await initialize(team, further(EXPANDING))
    await migrate(team, further(EXPANDING))
    assert columns(new) == columns(team)
    assert layout_of(new) == layout_of(team)


async def test_a_failing_step_leaves_the_layout_before_it(team):
    with pytest.raises(JournalError, match=r"not migrated: .*nonsense"):
        await migrate(team, further(EXPANDING, Migration("ALTER TABLE babeltop.job ADD x int; SELECT nonsense", 1, 1)))
    assert layout_of(team) == (NEXT, 1, 1)
    assert "x" not in [name for _, name, *_ in columns(team)]


async def test_two_migrations_at_once_apply_each_step_once(team):
    slow = Migration(f"SELECT pg_sleep(0.3); {EXPANDING.statements}", 1, 1)
    done = await asyncio.gather(*(migrate(team, further(slow), pause=0.0) for _ in range(2)))
    assert sorted(text.partition(" ")[0] for text in done) == ["migrated", "nothing"]
    assert layout_of(team) == (NEXT, 1, 1)


async def test_a_migration_that_gets_no_lock_lets_the_others_pass_and_is_tried_again(team):
    reader = psycopg.connect(team)
    reader.execute("SELECT count(*) FROM babeltop.job")
    with pytest.raises(JournalError, match="not migrated, since workers hold locks"):
        await migrate(team, further(EXPANDING), attempts=2, lock_timeout=0.05, pause=0.0)
    assert layout_of(team) == CURRENT

    trying = asyncio.create_task(migrate(team, further(EXPANDING), lock_timeout=0.05, pause=0.0, attempts=10_000))
    query = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    await until(lambda: rows(team, query) != [(0,)])
    reader.close()
    assert "migrated" in await trying


async def test_only_the_owner_migrates(team):
    with pytest.raises(JournalError, match="only the owner of the team's database, postgres, runs"):
        await migrate(member_of(team, "worker"), further(EXPANDING))
    assert layout_of(team) == CURRENT


async def test_a_database_without_the_schema_is_not_migrated(postgres):
    with pytest.raises(JournalError, match="babeltop team init"):
        await migrate(postgres.new_database())


async def test_a_running_worker_and_a_follower_go_on_after_a_migration_that_expands(processes, team):
    worker, follower = processes(), processes(polls=False)
    assert await worker.lease.acquire(ALL)
    await worker.journal.record([entry()])
    assert await follower.journal.external_changes() or await follower.journal.states([A])
    await migrate(team, further(EXPANDING))
    assert worker.lease.held
    await worker.journal.record([entry(B)])
    assert list(await follower.journal.external_changes()) == [B]
    assert (worker.team.restriction, follower.team.restriction) == ("", "")


async def test_a_worker_that_is_too_old_to_write_frees_its_lease_and_follows(processes, team):
    old, console = processes(), processes(polls=False)
    assert await old.lease.acquire(ALL)
    await old.journal.record([entry()])
    assert await console.journal.states([A])
    await migrate(team, further(FENCING))
    await old.journal.external_changes()
    assert not old.lease.held, "noticed by the reading of each second"
    assert not await old.lease.acquire(ALL)
    assert rows(team, "SELECT DISTINCT holder FROM babeltop.lease") == [(None,)], "another worker polls at once"
    assert not await old.journal.record([entry(B)])
    assert B not in await old.journal.states([B])
    assert await console.journal.external_changes() == {}
    for writing in (
        console.rate_limits.update("heygen", lambda found: found or rate_limit.initial(60, 0)),
        old.outbox.claim("hook", 1.0),
        old.notifications.claim({"key": 1.0}, 0.0),
        console.team.submit_to_all(b"{}"),
    ):
        with pytest.raises(JournalError, match=f"has layout {NEXT}, this babeltop has {LAYOUT} and only follows"):
            await writing
    assert await console.journal.states([A]), "it may still read"
    assert "update babeltop" in console.team.restriction


async def test_a_worker_that_is_too_old_never_takes_the_lease(processes, team):
    await migrate(team, further(FENCING))
    assert not await processes().lease.acquire(ALL)
    assert rows(team, "SELECT holder FROM babeltop.lease") == []


async def test_a_program_that_is_too_old_to_read_ends(processes, team):
    running = processes()
    assert await running.lease.acquire(ALL)
    assert await running.journal.external_changes() == {}
    await migrate(team, further(REMOVING))
    with pytest.raises(JournalError, match="refused a statement"):
        await running.journal.external_changes()  # of tables that are no more
    for started in (running, processes(polls=False)):
        with pytest.raises(OutdatedProgramError, match="cannot read it: update babeltop"):
            await started.journal.external_changes()
    with pytest.raises(OutdatedProgramError, match=f"layout {NEXT}"):
        await read_status(team)


async def test_a_newer_program_waits_for_the_migration(team):
    newer = TeamDatabase(team, layout=LayoutGuard(NEXT))
    for call in (newer.execute, newer.write):
        with pytest.raises(
            JournalError, match=f"has layout {LAYOUT}, this babeltop needs {NEXT}: run `babeltop team migrate`"
        ):
            await call("SELECT 1")
    await migrate(team, further(EXPANDING))
    assert await newer.execute("SELECT 1") == [(1,)], "without a restart"
    await newer.close()


async def test_a_schema_of_an_unversioned_program_is_refused(team, processes):
    rows(team, "ALTER TABLE babeltop.meta DROP COLUMN min_writer")
    for call in (processes().journal.external_changes(), read_status(team), migrate(team), initialize(team)):
        with pytest.raises(JournalError, match=r"a version before 0\.1"):
            await call


async def test_the_state_of_the_database_names_its_layout(team):
    status = await read_status(team)
    assert (status.layout, status.restriction) == (CURRENT, "")
    await migrate(team, further(FENCING))
    assert "only follows" in (await read_status(team)).restriction


async def test_the_only_lease_of_the_first_layout_becomes_one_of_each_account(postgres, processes):
    team = postgres.new_database()
    await initialize(team, ())
    rows(team, "UPDATE babeltop.lease SET holder = 'old', revision = 7, epoch = 3, expires_at = 'infinity'")
    rows(
        team,
        "INSERT INTO babeltop.job (account, job_id, kind, phase, last_update_at, change_count, state, revision, "
        "writer) SELECT account, id, '', 'new', 0, 0, '{}', 7, 'old' "
        "FROM (VALUES ('heygen', 'x'), ('heygen', 'y'), ('other', 'z')) AS known (account, id)",
    )
    await migrate(team)
    assert layout_of(team) == CURRENT
    found = rows(team, "SELECT account, holder, revision FROM babeltop.lease ORDER BY account")
    assert found == [("heygen", None, 7), ("other", None, 7)]
    assert await declare_accounts(team, {"heygen": "https://api.test"}) == ("heygen",)
    worker = processes(team, addresses={"heygen": "https://api.test"})
    follower = processes(team, polls=False)
    assert await follower.journal.external_changes() == {}
    assert await worker.lease.acquire(ALL) == ALL.accounts
    await worker.journal.record([entry()])
    assert list(await follower.journal.external_changes()) == [A]
    query = "SELECT revision, base_url FROM babeltop.lease WHERE account = 'heygen'"
    assert rows(team, query) == [(8, "https://api.test")]
