"""What `babeltop` prints to a login of a team for what its role excludes."""

import pytest

from tests.support.postgres_server import member_of
from tests.support.team_database import rows
from tests.support.team_machine import Machine

pytestmark = pytest.mark.waits
NOWHERE = "http://127.0.0.1:9"


def test_a_viewers_add_is_refused_before_any_worker_has_started(tmp_path, team):
    vera = Machine(tmp_path / "vera", NOWHERE, member_of(team, "viewer"))
    run = vera.run("add", "heygen:a")
    assert (run.returncode, run.stdout) == (2, "")
    assert "the role viewer of the team's database disables edits of the watchlist" in run.stderr
    assert "publishes" not in run.stderr
    assert not (vera.folder / "watchlist.toml").exists()


def test_a_watchlist_name_of_another_login_is_named_with_the_way_out(tmp_path, team):
    alice = Machine(tmp_path / "alice", NOWHERE, team, more='watchlist = "alice"\n')
    other = Machine(tmp_path / "other", NOWHERE, member_of(team, "editor"), more='watchlist = "alice"\n')
    assert alice.run("add", "heygen:a").returncode == 0
    run = other.run("add", "heygen:b")
    assert "Watchlist alice belongs to the login postgres, so that yours is not published" in run.stderr
    assert "[team] in config.toml" in run.stderr
    assert "row-level" not in run.stderr
    assert "next dashboard" not in run.stderr
    assert len(rows(team, "SELECT name FROM babeltop.watchlist")) == 1


def test_the_board_of_the_team_has_no_job_that_a_viewer_has_alone(tmp_path, team):
    alice = Machine(tmp_path / "alice", NOWHERE, team, more='watchlist = "alice"\n')
    vera = Machine(tmp_path / "vera", NOWHERE, member_of(team, "viewer"))
    assert alice.run("add", "heygen:a").returncode == 0
    (vera.folder / "watchlist.toml").write_text('[[job]]\naccount = "heygen"\nid = "mine"\n')
    listed = vera.run("list", "--team")
    assert "mine" not in listed.stdout
    assert "heygen" in listed.stdout
    assert "mine" in vera.run("list").stdout
