"""Engines of a team on a real database: workers poll for consoles without keys."""

from contextlib import AsyncExitStack

import psycopg
import pytest

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.postgres_server import member_of, postgres_server
from tests.support.team_console import KEYLESS, A, B, Console, is_done, poll, worker_with
from tests.support.team_database import rows
from tests.support.waiting import until
from tui.domain import job_state
from tui.domain.models import Job, Phase, Ref
from tui.engine.api import (
    CommandResult,
    Discover,
    Download,
    Health,
    NoticeKind,
    Pause,
    Refresh,
    Renew,
    Resume,
    ShowTeam,
)
from tui.engine.consoles.team import TeamMember
from tui.engine.engine import Engine
from tui.storage.protocols import Candidacy
from tui.storage.team.administration import initialize
from tui.storage.team.connection import TeamDatabaseError, time_since_boot
from tui.storage.team.lease import TRUST
from tui.storage.watchlist.operations import Add, Remove, Set, SetEach

pytestmark = pytest.mark.waits
C = Ref("flixu", "doc-fine-x")


def health(console):
    return console.listener.accounts["heygen"].health if "heygen" in console.listener.accounts else None


async def test_a_worker_polls_the_jobs_of_a_console_without_a_key(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True) as worker,
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
    ):
        await alice.sees(is_done(A))
        assert list(worker.engine.states) == [A]
        assert alice.listener.last_role.startswith("following")
        assert alice.engine.states[A].fault is None
        await until(lambda: alice.listener.accounts["heygen"].request_count > 0)  # of the worker: its own has no key
        history = await alice.engine.job_history(A)
        assert history.body
        assert [change.after for change in history.phase_changes][-1] is Phase.DONE
        alice.workspace.edit_watchlist(Remove((A,)))
        await worker.sees(lambda states: not states)


async def test_two_consoles_share_a_job_that_is_polled_once(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True) as worker,
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
        Console(tmp_path / "bob", service, team, {"heygen": (A.id, B.id)}) as bob,
    ):
        await alice.sees(is_done(A))
        await bob.sees(lambda states: is_done(A)(states) and is_done(B)(states))
        assert set(worker.engine.states) == {A, B}
        assert list(alice.engine.states) == [A], "each console shows its own watchlist"
        await until(lambda: alice.engine.states[A].poll_count == bob.engine.states[A].poll_count)


async def test_a_console_sends_its_commands_to_the_worker(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True) as worker,
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
    ):
        await alice.sees(is_done(A))
        polls = alice.engine.states[A].poll_count
        result = await alice.engine.perform(Refresh((A,)))
        assert result.ok, result.message
        await alice.sees(lambda states: states[A].poll_count > polls)
        renewed = await alice.engine.perform(Renew((A,)))
        assert renewed.ok, renewed.message
        assert renewed.links[A].url
        assert (await alice.engine.perform(Pause(True))).ok
        await until(lambda: "paused" in alice.listener.last_role)
        assert not (await alice.engine.perform(Refresh((B,)))).ok, "not on any watchlist"
        assert worker.engine.states[A].fault is None


async def test_a_viewer_follows_and_changes_nothing(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True),
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
        Console(tmp_path / "vera", service, member_of(team, "viewer"), {"heygen": (A.id, B.id)}) as vera,
    ):
        await alice.sees(is_done(A))
        await vera.sees(is_done(A))
        await until(lambda: vera.listener.last_role.startswith("viewing "))
        assert not any("cdn" in link.url or link.url for link in vera.engine.states[A].links)
        assert vera.engine.states[B].phase is Phase.NEW, "its watchlist is not published"
        before = vera.workspace.paths.watchlist_file.read_bytes()
        polls = vera.engine.states[A].poll_count
        for command in (
            Refresh((A,)),
            Renew((A,)),
            Pause(True),
            Resume("heygen"),
            Download((A,)),
            Add((Job(account="heygen", id="c"),)),
            Remove((A,)),
            Discover(),
        ):
            result = await vera.engine.perform(command)
            assert not result.ok
            assert "viewer" in result.message
        assert vera.workspace.paths.watchlist_file.read_bytes() == before
        history = await vera.engine.job_history(A)
        assert (history.body, history.requests) == (None, ())
        assert [change.after for change in history.phase_changes][-1] is Phase.DONE
        assert len(vera.listener.last_problems) == 1
        assert alice.engine.states[A].poll_count == polls


async def test_a_list_that_came_while_the_journal_failed_is_polled_afterwards(tmp_path, service, team):
    def rename(before, after):
        with psycopg.connect(team, autocommit=True) as connection:
            connection.execute(f"ALTER TABLE babeltop.{before} RENAME TO {after}")

    async with (
        Console(tmp_path / "worker", service, team, is_worker=True) as worker,
        Console(tmp_path / "alice", service, team) as alice,
    ):
        rename("job", "job_away")
        await alice.engine.perform(Add((Job(account="heygen", id=A.id),)))
        await until(lambda: any("refused a statement" in each for each in worker.listener.last_problems))
        rename("job_away", "job")
        await worker.sees(is_done(A))
        await until(lambda: worker.listener.last_problems == ())


async def test_states_are_merged_later_if_their_phase_changes_cannot_be_read(tmp_path, service, team):
    with psycopg.connect(team, autocommit=True) as connection:
        async with Console(tmp_path / "alice", service, member_of(team, "editor"), {"heygen": (A.id,)}) as alice:
            connection.execute("REVOKE SELECT ON babeltop.phase_change FROM babeltop_editor, babeltop_viewer")
            async with Console(tmp_path / "worker", service, team, is_worker=True) as worker:
                await poll(worker, A)
                await worker.sees(is_done(A))
                await until(lambda: any("phase_change" in each for each in alice.listener.last_problems))
            ticks = alice.engine.tick_count
            await until(lambda: alice.engine.tick_count > ticks + 1)  # it has read all that the worker wrote
            assert not is_done(A)(alice.engine.states)
            connection.execute("GRANT SELECT ON babeltop.phase_change TO babeltop_editor")
            await alice.sees(is_done(A))
            await until(lambda: not any("phase_change" in each for each in alice.listener.last_problems))
            assert [each.kind for each in alice.listener.notices].count(NoticeKind.DONE) == 1


async def test_a_worker_that_cannot_write_its_results_polls_no_more(tmp_path, simulator, service, team, monkeypatch):
    monkeypatch.setattr("tui.engine.journal.writer.BACKLOG_AGE", 0.5)
    monkeypatch.setattr("tui.engine.journal.writer.RETRY_INTERVAL", 0.1)
    with psycopg.connect(team, autocommit=True) as connection:
        async with (
            Console(tmp_path / "worker", service, team, is_worker=True) as worker,
            Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
        ):
            await alice.sees(is_done(A))
            connection.execute("ALTER TABLE babeltop.job RENAME TO job_away")
            await worker.engine.perform(Refresh((A,)))
            await until(lambda: worker.engine._job_store.journal_writer.has_backlog)
            requests, ticks = len(simulator.request_log), worker.engine.tick_count
            await worker.engine.perform(Refresh((A,)))
            await until(lambda: worker.engine.tick_count > ticks + 5)
            assert len(simulator.request_log) == requests
            connection.execute("ALTER TABLE babeltop.job_away RENAME TO job")
            await until(lambda: len(simulator.request_log) > requests)


async def test_a_second_worker_takes_over_from_one_that_ends(tmp_path, service, team):
    async with Console(tmp_path / "alice", service, team, {"heygen": (A.id, B.id)}) as alice:
        async with Console(tmp_path / "worker", service, team, is_worker=True) as worker:
            await until(lambda: worker.listener.last_role == "polling")
            async with Console(tmp_path / "standby", service, team, is_worker=True) as standby:
                await alice.sees(lambda states: states[A].poll_count > 0)
                assert standby.listener.last_role.startswith("following")
            async with Console(tmp_path / "standby", service, team, is_worker=True) as standby:
                await standby.sees(lambda states: A in states)
        async with Console(tmp_path / "standby", service, team, is_worker=True) as standby:
            await alice.sees(lambda states: is_done(A)(states) and is_done(B)(states))
            await until(lambda: standby.listener.last_role == "polling")


async def test_two_workers_poll_the_accounts_of_their_keys(tmp_path, service, team):
    async with (
        Console(tmp_path / "first", service, team, is_worker=True, keys=worker_with("heygen")) as first,
        Console(tmp_path / "second", service, team, is_worker=True, keys=worker_with("flixu")) as second,
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,), "flixu": (C.id,)}, keys=KEYLESS) as alice,
    ):
        await poll(first, A)
        await poll(second, C)
        await alice.sees(lambda states: states[A].poll_count and states[C].poll_count)
        assert alice.listener.last_role.startswith("following")
        for worker, other in ((first, C), (second, A)):
            await worker.sees(lambda states, other=other: states[other].poll_count)  # it follows the other worker
            assert worker.engine.states[other].fault is None, "although it has no key"
        await until(lambda: all(each.request_count > 0 for each in alice.listener.accounts.values()))
        polls = {ref: alice.engine.states[ref].poll_count for ref in (A, C)}
        result = await alice.engine.perform(Refresh((A, C)))
        assert (result.ok, result.message) == (True, "Refreshing 1 job")
        await alice.sees(lambda states: all(states[ref].poll_count > polls[ref] for ref in polls))


async def test_an_account_without_a_worker_is_stale_alone(tmp_path, service, team, monkeypatch):
    monkeypatch.setattr("tui.engine.consoles.leader_election.SILENT_AFTER", 1.0)
    monkeypatch.setattr("tui.engine.consoles.leader_election.HEARTBEAT_INTERVAL", 0.1)
    a, c = Ref("heygen", "a-stuck-x"), Ref("flixu", "doc-stuck-x")
    jobs = {"heygen": (a.id,), "flixu": (c.id,)}
    async with (
        Console(tmp_path / "first", service, team, is_worker=True, keys=worker_with("heygen")) as first,
        Console(tmp_path / "alice", service, team, jobs, keys=KEYLESS) as alice,
    ):
        async with Console(tmp_path / "second", service, team, is_worker=True, keys=worker_with("flixu")) as second:
            await poll(first, a)
            await poll(second, c)
            await alice.sees(lambda states: states[a].poll_count and states[c].poll_count)
        await until(lambda: any("can poll flixu" in each for each in alice.listener.last_problems))
        await alice.sees(lambda states: job_state.is_stale(states[c], alice.workspace.wall()))
        assert not job_state.is_stale(alice.engine.states[a], alice.workspace.wall())
        refused = await alice.engine.perform(Refresh((a, c)))
        assert (refused.ok, refused.message) == (
            False,
            "No worker can poll flixu: start `babeltop watch` where the API key is",
        )
        async with Console(tmp_path / "second", service, team, is_worker=True, keys=worker_with("flixu")) as second:
            await until(lambda: alice.listener.last_problems == ())
            await poll(second, c)
            await alice.sees(lambda states: not job_state.is_stale(states[c], alice.workspace.wall()))


async def test_a_worker_with_a_wrong_key_leaves_the_account_to_another(tmp_path, service, team):
    wrong, right = worker_with("heygen", "wrong"), worker_with("heygen")
    async with (
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}, keys=KEYLESS) as alice,
        Console(tmp_path / "first", service, team, is_worker=True, keys=wrong) as first,
    ):
        await poll(first, A)
        await until(lambda: health(alice) is Health.REFUSED)
        assert first.listener.last_role == "polling", "without another one, it shows why"
        async with Console(tmp_path / "second", service, team, is_worker=True, keys=right) as second:
            await poll(second, A)
            await alice.sees(lambda states: states[A].report is not None)
            await until(lambda: first.listener.last_role.startswith("following"))
            await until(lambda: health(alice) is Health.OK)


async def test_a_pause_outlives_the_worker(tmp_path, service, team):
    keys = worker_with("heygen")
    async with AsyncExitStack() as others:
        first = await others.enter_async_context(Console(tmp_path / "first", service, team, is_worker=True, keys=keys))
        await until(lambda: first.listener.last_role == "polling")
        async with (
            Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}, keys=KEYLESS) as alice,
            Console(tmp_path / "second", service, team, is_worker=True, keys=keys) as second,
        ):
            assert (await alice.engine.perform(Pause(True))).ok
            await until(lambda: "paused" in alice.listener.last_role)
            await until(lambda: "paused" in second.listener.last_role)
            await others.aclose()
            await until(lambda: second.listener.last_role == "paused")
            assert (await alice.engine.perform(Pause(False))).ok
            await until(lambda: second.listener.last_role == "polling")


@pytest.fixture
def impatient(monkeypatch):
    """Open a lost connection again at once."""
    monkeypatch.setattr("tui.storage.team.connection.RETRY_DELAYS", (0.1, 0.2))


async def test_an_outage_is_shown_and_the_last_rows_stay(tmp_path, service, impatient):
    with postgres_server() as server:
        team = server.new_database()
        await initialize(team)
        async with (
            Console(tmp_path / "worker", service, team, is_worker=True),
            Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
        ):
            await alice.sees(is_done(A))
            server.stop()
            await until(lambda: any("not reachable since" in each for each in alice.listener.last_problems))
            assert alice.engine.states[A].phase is Phase.DONE
            refused = await alice.engine.perform(Refresh((A,)))
            assert not refused.ok
            assert "not reachable" in refused.message
            async with Console(tmp_path / "alice", service, team) as restarted:
                assert restarted.engine.states[A].phase is Phase.DONE, "of its local journal"
            alice.workspace.edit_watchlist(Add((Job(account="heygen", id=B.id),)))
            server.start()
            await alice.sees(is_done(B))
            await until(lambda: alice.listener.last_problems == ())  # each connection is opened again by itself


async def test_an_outage_of_ten_minutes(tmp_path, simulator, service, monkeypatch, impatient):
    monkeypatch.setattr("tui.engine.consoles.leader_election.SILENT_AFTER", 0.1)
    ref = Ref("heygen", "a-stuck-x")
    with postgres_server() as server:
        team = server.new_database()
        await initialize(team)
        async with (
            Console(tmp_path / "worker", service, team, is_worker=True) as worker,
            Console(tmp_path / "alice", service, team, {"heygen": (ref.id,)}) as alice,
        ):
            await alice.sees(lambda states: states[ref].phase is Phase.RUNNING)
            assert not job_state.is_stale(alice.engine.states[ref], alice.workspace.wall())
            elapsed = 0.0
            lease = worker.engine._storage.lease
            lease._monotonic = lambda: time_since_boot() + elapsed
            server.stop()
            elapsed = TRUST
            assert not lease.held
            await until(lambda: not worker.listener.last_role.startswith("polling"))
            count = len(simulator.request_log)
            for _ in range(10):
                elapsed += 60.0
                ticks = worker.engine.tick_count
                await worker.engine.perform(Refresh((ref,)))
                await until(lambda ticks=ticks: worker.engine.tick_count > ticks + 1)
            assert len(simulator.request_log) == count, "no request after the end of the lease's trust"
            assert any("not reachable since" in each for each in alice.listener.last_problems)
            await alice.sees(lambda states: job_state.is_stale(states[ref], alice.workspace.wall()))
            assert alice.engine.states[ref].phase is Phase.RUNNING, "the last row stays"
            async with Console(tmp_path / "alice", service, team) as restarted:
                state = restarted.engine.states[ref]
                assert state.phase is Phase.RUNNING, "of the local journal"
                assert job_state.is_stale(state, restarted.workspace.wall())
                assert any("not reachable since" in each for each in restarted.listener.last_problems)
            server.start()
            await until(lambda: len(simulator.request_log) > count)
            await alice.sees(lambda states: not job_state.is_stale(states[ref], alice.workspace.wall()))
            await until(lambda: alice.listener.last_problems == ())


async def test_a_console_counts_by_the_databases_clock(tmp_path, service, team):
    async with Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice:
        board = alice.workspace.handover()  # as a dashboard's engine has its own
        assert board.wall.__self__ is alice.workspace.wall.__self__
        assert abs(board.wall.__self__.lead) < 5


async def test_a_one_shot_poll_is_the_workers(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True),
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
    ):
        await alice.sees(is_done(A))
        check = Engine(alice.workspace, RecordingListener().publish, subset={A})
        await check.open()
        polls = check.states[A].poll_count
        await check.poll_once([A])
        assert check.states[A].poll_count > polls
        [renewed] = await check.renew([A])
        assert renewed.link.url


async def test_without_a_worker_a_console_shows_a_problem(tmp_path, service, team, monkeypatch):
    monkeypatch.setattr("tui.engine.consoles.leader_election.SILENT_AFTER", 0.1)
    monkeypatch.setattr("tui.engine.consoles.team.COMMAND_TIMEOUT", 1.0)
    async with Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice:
        await until(lambda: any("No worker polls" in each for each in alice.listener.last_problems))
        result = await alice.engine.perform(Refresh((A,)))
        assert not result.ok
        assert "No worker" in result.message
        assert alice.engine.states[A].fault is None


async def test_a_console_shows_the_whole_team_and_edits_its_own_list(tmp_path, service, team):
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True),
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
        Console(tmp_path / "bob", service, team, {"heygen": (A.id, B.id)}) as bob,
    ):
        await bob.sees(is_done(B))
        shown = await alice.engine.perform(ShowTeam(True))
        assert (shown.ok, shown.message) == (True, "Whole team: 2 jobs of 2 watchlists")
        await alice.sees(is_done(B))
        jobs = {ref: state.job for ref, state in alice.engine.states.items()}
        assert [(job.owners, job.is_foreign) for job in jobs.values()] == [(("alice", "bob"), False), (("bob",), True)]
        before = alice.workspace.paths.watchlist_file.read_bytes()
        for operation in (Remove((A, B)), Set((B,), {"label": "mine"}), SetEach({B: {"label": "mine"}})):
            refused = await alice.engine.perform(operation)
            assert (refused.ok, refused.message) == (
                False,
                "heygen:b-fine-x is on the watchlist of bob, not on yours: edited only there",
            )
        assert alice.workspace.paths.watchlist_file.read_bytes() == before
        polls = alice.engine.states[B].poll_count
        assert (await alice.engine.perform(Refresh((B,)))).ok
        await alice.sees(lambda states: states[B].poll_count > polls)
        bob.workspace.edit_watchlist(Remove((B,)))
        await alice.sees(lambda states: list(states) == [A])
        assert (await alice.engine.perform(ShowTeam(False))).message == "Watchlist alice"
        assert not [each for each in alice.listener.notices if each.ref == B], "its end is bob's"


async def test_without_a_team_there_is_no_board_of_one(tmp_path):
    workspace = fixtures.make_workspace(tmp_path, "http://127.0.0.1:9")
    result = await Engine(workspace, RecordingListener().publish).perform(ShowTeam(True))
    assert (result.ok, "[team] database" in result.message) == (False, True)
    workspace.close()


async def test_a_command_that_an_outage_interrupts_stays_open_and_is_performed_later(tmp_path, service, team):
    performed, is_away = [], True

    async def perform(command):
        performed.append(command)
        if is_away:
            raise TeamDatabaseError("the database is away")
        return CommandResult(message="done")

    async def merge():
        pass

    worker = Console(tmp_path / "worker", service, team, is_worker=True)
    await worker.engine.open()
    storage = worker.engine._storage
    await storage.lease.acquire(Candidacy(frozenset({"heygen"})))
    member = TeamMember(
        storage.team, worker.engine._job_store, perform, merge, subset=None, publishes=False, shows_team=False
    )
    [number] = (await storage.team.submit({"heygen": b'{"kind":"pause","paused":true}'})).values()
    await member.check(["heygen"])
    await until(lambda: performed and not member._performing)
    assert not await storage.team.results([number])
    is_away = False
    await member.check(["heygen"])
    await until(lambda: not member._performing)
    assert b'"done"' in (await storage.team.results([number]))[number]
    assert len(performed) == 2
    await storage.close()
    worker.workspace.close()


async def test_a_viewers_own_list_is_not_the_teams_which_is_one_problem(tmp_path, service, team):
    async with (
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
        Console(tmp_path / "vera", service, member_of(team, "viewer"), {"heygen": (A.id, B.id)}) as vera,
    ):
        await alice.sees(lambda states: A in states)
        await until(
            lambda: (
                vera.listener.last_problems
                == (
                    "Role viewer: your watchlist is not published. No worker polls heygen:b-fine-x, which no published "
                    "list has. An editor can add it",
                )
            )
        )
        shown = await vera.engine.perform(ShowTeam(True))
        assert (shown.ok, shown.message) == (True, "Whole team: 1 job of 1 watchlist")
        assert [(ref, state.job.owners) for ref, state in vera.engine.states.items()] == [(A, ("alice",))]
        await until(lambda: vera.listener.last_problems == ())
        assert (await vera.engine.perform(ShowTeam(False))).ok
        assert list(vera.engine.states) == [A, B]
        await until(lambda: len(vera.listener.last_problems) == 1)
        vera.workspace.edit_watchlist(Remove((B,)))
        await until(lambda: vera.listener.last_problems == ())


async def test_a_viewers_board_shows_the_owners_as_soon_as_it_is_the_teams(tmp_path, service, team):
    async with (
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}),
        Console(tmp_path / "vera", service, member_of(team, "viewer"), {"heygen": (B.id,)}) as vera,
    ):
        await until(lambda: vera.listener.last_role.startswith("viewing"))
        assert not vera.listener.role_events[-1].shows_team
        vera.workspace.edit_watchlist(Remove((B,)))
        await vera.sees(lambda states: list(states) == [A])
        await until(lambda: vera.listener.role_events[-1].shows_team)


async def test_a_watchlist_name_of_another_login_is_named_with_the_way_out(tmp_path, service, team):
    async with Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}):
        await until(lambda: rows(team, "SELECT name FROM babeltop.watchlist") == [("alice",)])
        (tmp_path / "other").mkdir()
        login = member_of(team, "editor")
        async with Console(tmp_path / "other" / "alice", service, login, {"heygen": (B.id,)}) as other:
            [problem] = await until_problems(other)
            assert problem == (
                "Watchlist alice belongs to the login postgres, so that yours is not published: set another name under "
                '[team] in config.toml, as in watchlist = "alice-2"'
            )


async def until_problems(console):
    """Return the problems of a console as soon as it has any."""
    await until(lambda: console.listener.last_problems)
    return console.listener.last_problems
