"""Hostile text in any column of the team's database: shown as text, and nothing ends."""

import json
import re
from contextlib import suppress

import psycopg
import pytest
from psycopg import sql

from tests.support.postgres_server import member_of
from tests.support.team_machine import CANARY, Machine

pytestmark = pytest.mark.waits
HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e[/red][@click=app.bell]\n"
TERMINAL_CODES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
NAMING_COLUMNS = {"account", "job_id", "kind", "phase", "before", "after", "name", "owner"}
NAMING_COLUMNS |= {"incarnation", "holder", "writer"}
NAMING_KEYS = {"account", "id", "phase", "kind", "type", "flag", "health", "reason"}
"""Columns, and keys of JSON objects, with a name or one of a few values: another text would not be read."""
CODES = {"request.fault", "meta.salt"}
"""Further columns without text for operators."""


def poisoned(value):
    """Return a JSON value with hostile text at the end of each string, except where it names something."""
    if isinstance(value, dict):
        return {key: each if key in NAMING_KEYS else poisoned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [poisoned(each) for each in value]
    return value + HOSTILE if isinstance(value, str) else value


def poisoned_cell(value):
    """Return a cell's text, or JSON in bytes, with hostile text; None if it is neither."""
    if isinstance(value, str):
        return value + HOSTILE
    with suppress(ValueError):
        return json.dumps(poisoned(json.loads(value))).encode()


def poison(conninfo):
    """Append hostile text to a cell of each column of text, JSON values included; return the changed columns."""
    changed = set()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        columns = connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables "
            "USING (table_schema, table_name) WHERE table_schema = 'babeltop' AND table_type = 'BASE TABLE' "
            "AND data_type IN ('text', 'bytea') AND table_name !~ '^request_'"
        ).fetchall()
        for table, column in columns:
            if column in NAMING_COLUMNS or f"{table}.{column}" in CODES:
                continue
            names = {"table": sql.Identifier("babeltop", table), "column": sql.Identifier(column)}
            query = sql.SQL("SELECT ctid, {column} FROM {table} WHERE {column} IS NOT NULL").format(**names)
            for place, value in connection.execute(query).fetchall():
                if (hostile := poisoned_cell(value)) is not None:
                    query = sql.SQL("UPDATE {table} SET {column} = %s WHERE ctid = %s").format(**names)
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
    with psycopg.connect(team, autocommit=True) as connection:  # the host of its holder is shown too
        connection.execute("UPDATE babeltop.lease SET expires_at = clock_timestamp() + interval '15 s'")
    with alice.dashboard() as terminal:
        assert terminal.wait_for(lambda _: b"[/red" in terminal.raw)
        terminal.type("\r")
        terminal.read_until_quiet()
        assert b"\x1b]0;owned" not in terminal.raw
        assert b"\x1b[2J" not in terminal.raw
        assert "\u202e" not in terminal.raw.decode("utf-8", "replace")
        assert terminal.send_signal() is not None
