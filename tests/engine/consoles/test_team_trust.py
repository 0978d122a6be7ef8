"""What a changed row of a team's database can do: no key goes to another host, and nothing but own hooks runs."""

import json
import sys

import psycopg
import pytest

from tests.support.servers import serve_app
from tests.support.team_console import A, Console, is_done, poll
from tests.support.waiting import until
from tui.engine.api import Refresh
from tui.simulator.app import Simulator

pytestmark = pytest.mark.waits


@pytest.fixture
def owner(team):
    with psycopg.connect(team, autocommit=True) as connection:
        yield connection


async def test_a_changed_base_url_in_the_database_moves_no_key_and_stops_the_worker(
    tmp_path, simulator, service, team, owner
):
    other = Simulator(speed=3000.0)
    with serve_app(other) as other_url:
        async with (
            Console(tmp_path / "worker", service, team, is_worker=True) as worker,
            Console(tmp_path / "alice", service, team, {"heygen": (A.id,)}) as alice,
        ):
            await poll(worker, A)
            await alice.sees(is_done(A))
            owner.execute("UPDATE babeltop.lease SET base_url = %s", (other_url,))
            await until(lambda: worker.listener.last_role != "polling")
            assert f"heygen is not polled here: its base_url is not the team's, {other_url}" in (
                " ".join(worker.listener.last_problems)
            )
            sent, ticks = len(simulator.request_log), worker.engine.tick_count
            await worker.engine.perform(Refresh((A,)))
            await until(lambda: worker.engine.tick_count > ticks + 5)
            assert len(simulator.request_log) == sent, "it does not lead"
            owner.execute("UPDATE babeltop.lease SET base_url = %s", (service,))
            await until(lambda: worker.listener.last_role == "polling")
            await until(lambda: len(simulator.request_log) > sent)
        assert not other.request_log


async def test_a_hook_row_in_the_database_runs_nothing_of_its_own(tmp_path, service, team, owner):
    received, foreign = tmp_path / "received", tmp_path / "foreign"
    program = f"import sys; open({str(received)!r}, 'a').write(sys.stdin.read())"
    hook = f'[[hook]]\non = ["failed"]\nrun = {json.dumps([sys.executable, "-c", program])}\n'
    payload = json.dumps({"run": ["touch", str(foreign)], "url": service})
    async with Console(tmp_path / "worker", service, team, is_worker=True, more=hook) as worker:
        [own] = worker.engine._candidacy().hooks
        for name in (f"touch {foreign}", json.dumps({"run": ["touch", str(foreign)]}), service, own):
            owner.execute(
                "INSERT INTO babeltop.hook_delivery (delivery_id, hook, event, payload) VALUES ('1', %s, 'failed', %s)",
                (name, payload.encode()),
            )
        await until(lambda: received.exists() and received.read_text())
        ticks = worker.engine.tick_count
        await until(lambda: worker.engine.tick_count > ticks + 8)
    assert received.read_text() == payload, "its own hook got the text, once"
    assert not foreign.exists()
    open_rows = owner.execute("SELECT hook FROM babeltop.hook_delivery WHERE delivered_at IS NULL AND failures = 0")
    assert len(open_rows.fetchall()) == 3
