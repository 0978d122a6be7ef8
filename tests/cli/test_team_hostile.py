"""Hostile text in any column of the team's database: shown as text, and nothing ends."""

import json
import re

import psycopg
import pytest
from psycopg import sql

from tests.cli.test_team import BABELTOP, CANARY, Machine, member_of
from tests.support.servers import serve_app
from tests.support.terminal import Terminal
from tui.simulator.app import Simulator

HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e[/red][@click=app.bell]\n"
TERMINAL_CODES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
KEYS = {"account", "job_id", "kind", "phase", "before", "after", "name", "owner", "incarnation", "holder", "writer"}


@pytest.fixture
def service():
    with serve_app(Simulator(speed=100.0)) as url:
        yield url


def poisoned(value):
    """Return a JSON value with hostile text at the end of each string, except where it names something."""
    if isinstance(value, dict):
        return {
            key: each
            if key in {"account", "id", "phase", "kind", "type", "flag", "health", "reason"}
            else poisoned(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    return value + HOSTILE if isinstance(value, str) else value


def poison(conninfo):
    """Append hostile text to each text of each table, JSON values included; return the changed columns."""
    changed = set()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = connection.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables "
            "USING (table_schema, table_name) WHERE table_schema = 'babeltop' AND table_type = 'BASE TABLE' "
            "AND data_type IN ('text', 'bytea') AND table_name !~ '^request_'"
        ).fetchall()
        for table, column, kind in found:
            name, at = sql.Identifier("babeltop", table), sql.Identifier(column)
            for place, value in connection.execute(sql.SQL("SELECT ctid, {} FROM {}").format(at, name)).fetchall():
                if value is None or column in KEYS or (table, column) in {("request", "fault"), ("meta", "salt")}:
                    continue
                if kind == "text":
                    hostile = value + HOSTILE
                else:
                    try:
                        hostile = json.dumps(poisoned(json.loads(value))).encode()
                    except ValueError:
                        continue
                query = sql.SQL("UPDATE {} SET {} = %s WHERE ctid = %s").format(name, at)
                connection.execute(query, (hostile, place))
                changed.add(f"{table}.{column}")
                break  # its place has changed, and one row of each table is enough
    return changed


def test_hostile_text_in_any_column_is_shown_as_text(tmp_path, service, team):
    worker = Machine(tmp_path / "worker", service, team, CANARY)
    alice = Machine(tmp_path / "alice", service, team, more='watchlist = "alice"\n')
    vera = Machine(tmp_path / "vera", service, member_of(team, "viewer"))
    assert alice.run("add", "heygen:a-fine-x").returncode == 0
    polling = worker.start("watch")
    try:
        assert alice.run("wait").returncode == 0
        assert alice.run("check").returncode == 0
    finally:
        polling.kill()  # its rows stay
        polling.communicate()
    changed = poison(team)
    assert {"job.state", "job.results", "phase_change.message", "lease.heartbeat", "watchlist.jobs"} <= changed
    alice.run("list")  # also into the local journal
    for machine in (alice, vera):
        for command in (["list", "--team"], ["log", "--team"], ["fleet", "--team"], ["team", "status"], ["doctor"]):
            run = machine.run(*command)
            assert "internal error" not in run.stderr
            assert not TERMINAL_CODES.search(run.stdout + run.stderr), command
        [job] = json.loads(machine.run("list", "--team", "--json").stdout)
        assert (job["id"], "[/red]" in job["title"]) == ("a-fine-x", True), "the text itself stays"
    folders = [f"{name}={alice.environ[name]}" for name in ("BABELTOP_CONFIG_DIR", "BABELTOP_STATE_DIR")]
    with psycopg.connect(team, autocommit=True) as connection:  # the host of its holder is shown too
        connection.execute("UPDATE babeltop.lease SET expires_at = clock_timestamp() + interval '15 s'")
    with Terminal(["env", *folders, "HEYGEN_API_KEY=", *BABELTOP]) as terminal:
        assert terminal.wait_for(lambda _: b"[/red" in terminal.raw)
        terminal.type("\r")
        terminal.read_until_quiet()
        assert b"\x1b]0;owned" not in terminal.raw
        assert b"\x1b[2J" not in terminal.raw
        assert "\u202e" not in terminal.raw.decode("utf-8", "replace")
        assert terminal.send_signal() is not None
