"""What a console of a team shows while the database is away: one problem, and nothing as live that is not."""

from contextlib import AsyncExitStack, contextmanager

import psycopg
import pytest

from tests.support.postgres_server import member_of
from tests.support.team_console import A, Console, is_done, poll, worker_with
from tests.support.team_database import expire_leases, rows
from tests.support.waiting import until
from tui.domain import job_state
from tui.domain.models import Phase, Ref
from tui.engine.api import Health, Pause, ShowTeam
from tui.engine.consoles.leader_accounts import leader_accounts

pytestmark = pytest.mark.waits
STUCK, OTHER = Ref("heygen", "a-stuck-x"), Ref("heygen", "b-stuck-x")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Open a lost connection again at once."""
    monkeypatch.setattr("tui.storage.team.connection.RETRY_DELAYS", (0.1, 0.2))


@contextmanager
def away(team, login):
    """Refuse a login's connections, and cut those that it has."""
    name = psycopg.conninfo.conninfo_to_dict(login)["user"]
    with psycopg.connect(team, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {name} NOLOGIN")
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (name,))
        yield
        connection.execute(f"ALTER ROLE {name} LOGIN")


def health(console):
    return console.listener.accounts["heygen"].health if "heygen" in console.listener.accounts else None


def is_stale(console, ref=STUCK):
    return job_state.is_stale(console.engine.states[ref], console.workspace.wall())


async def ticks(console, count=3):
    """Wait for so many ticks of a console."""
    start = console.engine.tick_count
    await until(lambda: console.engine.tick_count > start + count)


async def test_an_outage_is_one_problem_one_role_and_nothing_live(tmp_path, service, team):
    login = member_of(team, "editor")
    async with (
        Console(tmp_path / "worker", service, team, is_worker=True) as worker,
        Console(tmp_path / "alice", service, login, {"heygen": (STUCK.id,)}) as alice,
    ):
        await poll(worker, STUCK)
        await alice.sees(lambda states: states[STUCK].phase is Phase.RUNNING)
        await until(lambda: health(alice) is Health.OK)
        assert (await worker.engine.perform(Pause(True))).ok  # so that no poll makes the row fresh again
        await ticks(alice)
        live = alice.listener.last_role
        roles, problems = len(alice.listener.roles), len(alice.listener.problems)
        with away(team, login):
            await until(lambda: alice.listener.last_problems)
            await ticks(alice)
            assert not (await alice.engine.job_history(STUCK)).is_read
            assert [len(each) for each in alice.listener.problems[problems:]] == [1] * len(
                alice.listener.problems[problems:]
            )
            assert "not reachable since" in alice.listener.last_problems[0]
            assert alice.listener.roles[roles:] == ["following, database away"]
            assert health(alice) is Health.UNKNOWN
            assert alice.listener.accounts["heygen"].waits_until is None
            assert is_stale(alice), "its next poll is not known"
        await until(lambda: not alice.listener.last_problems)
        await until(lambda: health(alice) is Health.OK)
        await ticks(alice)
        assert alice.listener.roles[roles:] == ["following, database away", live]
        assert not is_stale(alice), "its last report is as fresh as before"


async def test_the_accounts_of_a_dead_worker_are_not_shown_as_live(tmp_path, service, team, monkeypatch):
    monkeypatch.setattr("tui.engine.consoles.leader_election.SILENT_AFTER", 1.0)
    monkeypatch.setattr("tui.engine.consoles.leader_election.HEARTBEAT_INTERVAL", 0.1)
    keys = worker_with("heygen")
    async with Console(tmp_path / "alice", service, team, {"heygen": (STUCK.id,)}) as alice:
        async with Console(tmp_path / "first", service, team, is_worker=True, keys=keys) as worker:
            await poll(worker, STUCK)
            await until(lambda: health(alice) is Health.OK)
        await until(lambda: health(alice) is Health.UNKNOWN)
        async with Console(tmp_path / "second", service, team, is_worker=True, keys=keys):
            await until(lambda: health(alice) is not Health.UNKNOWN)


@pytest.mark.parametrize("whole_team", [True, False])
async def test_the_board_stays_as_it_is_if_the_other_one_cannot_be_read(tmp_path, service, team, whole_team):
    login = member_of(team, "editor")
    async with (
        Console(tmp_path / "alice", service, login, {"heygen": (STUCK.id,)}) as alice,
        Console(tmp_path / "bob", service, team, {"heygen": (OTHER.id,)}),
    ):
        await until(lambda: len(rows(team, "SELECT name FROM babeltop.watchlist")) == 2)
        assert (await alice.engine.perform(ShowTeam(not whole_team))).ok
        before = list(alice.engine.states)
        with away(team, login):
            await until(lambda: alice.listener.last_problems)
            shown = await alice.engine.perform(ShowTeam(whole_team))
            assert not shown.ok
            assert shown.message == "Board not switched: the team's database is away"
            await ticks(alice)
            assert list(alice.engine.states) == before
            assert alice.engine._team.shows_team is not whole_team
        await until(lambda: not alice.listener.last_problems)
        await ticks(alice)
        assert list(alice.engine.states) == before
        assert len(before) == (1 if whole_team else 2)


@pytest.mark.parametrize("is_standby", [True, False])
async def test_a_worker_that_takes_over_shows_the_former_ones_health(tmp_path, service, team, is_standby):
    def second():
        return Console(tmp_path / "second", service, team, is_worker=True, keys=worker_with("heygen"))

    async with AsyncExitStack() as first, AsyncExitStack() as later:
        worker = await first.enter_async_context(Console(tmp_path / "first", service, team, is_worker=True))
        alice = await later.enter_async_context(Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}))
        await poll(worker, A)
        await alice.sees(is_done(A))
        await until(lambda: health(alice) is Health.OK)
        if is_standby:
            standby = await later.enter_async_context(second())
            await until(lambda: health(standby) is Health.OK)
        await first.aclose()
        successor = standby if is_standby else await later.enter_async_context(second())
        await until(lambda: successor.listener.last_role == "polling")
        await ticks(successor)
        assert health(successor) is Health.OK, "although it has sent no request"
        [found] = (await leader_accounts(alice.engine._storage.lease)).values()
        assert found.health is Health.OK, "in `fleet` too"


async def test_what_a_worker_stated_long_ago_is_not_taken_over(tmp_path, service, team):
    async with (
        Console(tmp_path / "first", service, team, is_worker=True) as worker,
        Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
    ):
        await poll(worker, A)
        await alice.sees(is_done(A))
        await until(lambda: health(alice) is Health.OK)
    expire_leases(team, 3600)
    async with Console(tmp_path / "second", service, team, is_worker=True) as successor:
        await until(lambda: successor.listener.last_role == "polling")
        await ticks(successor)
        assert health(successor) is Health.UNTRIED
