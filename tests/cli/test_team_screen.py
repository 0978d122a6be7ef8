"""Dashboards of a team in a terminal, whose database goes away and comes back."""

import asyncio
import signal

import pytest

from tests.support.postgres_server import member_of, postgres_server
from tests.support.servers import serve_app
from tests.support.team_machine import CANARY, TIMEOUT, Machine
from tui.simulator.app import Simulator
from tui.storage.team.administration import initialize

pytestmark = pytest.mark.waits


def test_a_dashboard_shows_an_outage_once_and_nothing_as_live(tmp_path):
    with serve_app(Simulator(speed=3000.0)) as service, postgres_server() as server:
        team = server.new_database()
        asyncio.run(initialize(team))
        worker = Machine(tmp_path / "worker", service, team, CANARY)
        alice = Machine(tmp_path / "alice", service, member_of(team, "editor"), more='watchlist = "alice"\n')
        bob = Machine(tmp_path / "bob", service, team, more='watchlist = "bob"\n')
        assert alice.run("add", "heygen:a-stuck-x").returncode == 0
        assert bob.run("add", "heygen:b-stuck-x").returncode == 0
        polling = worker.start("watch")
        try:
            with alice.dashboard() as terminal:
                assert terminal.wait_for(lambda text: "● heygen" in text and "▸ running" in text), terminal.text
                server.stop()
                assert terminal.wait_for(lambda text: "database away" in text and "? running" in text), terminal.text
                shown = terminal.text
                assert "? heygen" in shown
                assert "●" not in shown
                assert shown.count("not reachable since") == 1
                terminal.type("M")
                assert terminal.wait_for(lambda text: "Board not switched" in text), terminal.text
                assert "OWNER" not in terminal.text
                server.start()
                assert terminal.wait_for(lambda text: "● heygen" in text and "▸ running" in text), terminal.text
                assert terminal.wait_for(lambda text: "not reachable" not in text), terminal.text
                terminal.type("M")
                assert terminal.wait_for(lambda text: "OWNER" in text and "b-stuck-x" in text), terminal.text
        finally:
            polling.send_signal(signal.SIGTERM)
            polling.communicate(timeout=TIMEOUT)
