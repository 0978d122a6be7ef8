"""`babeltop` in a team: real processes, a real database, and a console without keys."""

import asyncio
import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from pathlib import Path
from socket import gethostname

import psycopg
import pytest

from tests.support.cases import cases
from tests.support.forked_command import write_command
from tests.support.postgres_server import member_of, postgres_server, server_folder
from tests.support.servers import serve_app
from tests.support.spellings import SPELLINGS
from tests.support.team_database import FENCING, REMOVING, expire_leases, further
from tests.support.team_machine import CANARY, TIMEOUT, Machine
from tests.support.waiting import wait_until
from tui.cli.arguments import SUBCOMMANDS
from tui.simulator.app import Simulator
from tui.storage.extras import install_command
from tui.storage.team.administration import migrate
from tui.storage.team.lease import OPEN_AFTER
from tui.storage.team.migrations import LAYOUT

pytestmark = pytest.mark.waits
ROOT = Path(__file__).parents[2]


@pytest.fixture
def simulator():
    return Simulator(speed=3000.0)


@pytest.fixture
def service(simulator):
    with serve_app(simulator) as url:
        yield url


def stop(process, how=signal.SIGTERM):
    process.send_signal(how)
    return process.communicate(timeout=TIMEOUT)[0]


def worker_of(machine, account="heygen"):
    lines = machine.run("team", "status").stdout.splitlines()
    return next((line for line in lines if line.startswith("worker") and f": polls {account}" in line), "")


def test_a_team_works_without_keys_on_its_consoles(tmp_path, service, postgres):
    database = postgres.new_database()
    worker = Machine(tmp_path / "worker", service, database, CANARY)
    alice = Machine(tmp_path / "alice", service, database)
    before = alice.run("team", "status")
    assert (before.returncode, before.stdout) == (2, "")
    assert "babeltop team init" in before.stderr
    assert "created schema" in alice.run("team", "init").stderr
    assert alice.run("add", "heygen:a-fine-x", "heygen:b-fail-x").returncode == 0
    polling = worker.start("watch")
    try:
        waited = alice.run("wait")
        assert waited.returncode == 1, waited.stderr
        assert "HEYGEN_API_KEY" not in waited.stderr
        assert f"PID {polling.pid}" in worker_of(alice)
        listed = alice.run("list").stdout
        assert "done" in listed
        assert "failed" in listed
        assert "queued -> done" in alice.run("log").stdout
        checked = alice.run("check", "a-fine-x")
        assert (checked.returncode, "done" in checked.stdout) == (0, True), checked.stderr
        assert "http" in alice.run("renew", "a-fine-x").stdout
        saved = alice.run("download", "a-fine-x", "--dir", str(tmp_path / "files"))
        assert (saved.returncode, len(list((tmp_path / "files").iterdir()))) == (0, 1), saved.stderr
        found = alice.run("doctor")
        assert found.returncode == 0, found.stdout
        assert "team: worker" in found.stdout
        lines = [line.split() for line in alice.run("team", "status").stdout.splitlines()]
        [name] = [words[1].rstrip(":") for words in lines if words[0] == "watchlist"]
        assert alice.run("team", "forget", name).returncode == 0
        assert alice.run("team", "forget", name).returncode == 2
    finally:
        output = stop(polling)
    assert "a-fine-x  queued -> done" in output
    assert not worker_of(alice), "a clean stop frees the lease at once"
    everything = "".join(path.read_text("utf-8", "replace") for path in tmp_path.rglob("*") if path.is_file())
    assert CANARY not in everything + output


def test_init_and_migrate_are_for_the_owner_and_repeatable(tmp_path, postgres, team):
    owner = Machine(tmp_path / "owner", "http://127.0.0.1:9", team)
    migrated = owner.run("team", "migrate")
    assert migrated.returncode == 0
    assert f"nothing to do: the schema babeltop has layout {LAYOUT}" in migrated.stderr
    there = f"babeltop: nothing to do: the schema babeltop is there (layout {LAYOUT})\n"
    declared = f"{there}babeltop: account heygen: its base_url is now http://127.0.0.1:9\n"
    assert [owner.run("team", "init").stderr for _ in range(2)] == [declared, there]
    for role in ("editor", "worker"):
        login = member_of(team, role)
        member = Machine(tmp_path / role, "http://127.0.0.2:9", login)
        user = psycopg.conninfo.conninfo_to_dict(login)["user"]
        for command in ("init", "migrate"):
            run = member.run("team", command)
            refusal = f"runs `babeltop team {command}`: this login is {user}"
            expected = f"babeltop: only the owner of the team's database, postgres, {refusal}\n"
            assert (run.returncode, run.stdout, run.stderr) == (2, "", expected)
    assert owner.run("team", "init").stderr == there, "the base URL is as declared"
    none = Machine(tmp_path / "none", "http://127.0.0.1:9", postgres.new_database()).run("team", "migrate")
    assert (none.returncode, "babeltop team init" in none.stderr) == (2, True)


def test_status_and_doctor_name_the_layout_and_what_it_restricts(tmp_path, team):
    alice = Machine(tmp_path / "alice", "http://127.0.0.1:9", team)
    assert re.search(rf"^layout +{LAYOUT}$", alice.run("team", "status").stdout, re.MULTILINE)
    asyncio.run(migrate(team, further(FENCING)))
    assert "only follows, without writing: update babeltop" in alice.run("team", "status").stdout
    assert "team: layout" in alice.run("doctor").stdout
    added = alice.run("add", "heygen:a")
    assert (added.returncode, "update babeltop" in added.stderr) == (0, True), "the file is the operator's"


def test_programs_that_are_too_old_to_read_end_with_the_reason(tmp_path, team):
    alice = Machine(tmp_path / "alice", "http://127.0.0.1:9", team)
    asyncio.run(migrate(team, further(REMOVING)))
    for command in ("list", "watch", "check", "fleet"):
        run = alice.run(command)
        assert (run.returncode, run.stdout) == (2, ""), command
        assert "cannot read it: update babeltop" in run.stderr
    assert "update babeltop" in alice.run("doctor").stdout
    with alice.dashboard() as terminal:
        assert terminal.wait_for_exit() == 2
        assert "update babeltop" in terminal.text


def test_a_viewer_sees_the_board_and_no_link(tmp_path, service, team):
    worker = Machine(tmp_path / "worker", service, team, CANARY)
    alice = Machine(tmp_path / "alice", service, team, more='watchlist = "alice"\n')
    vera = Machine(tmp_path / "vera", service, member_of(team, "viewer"))
    assert alice.run("add", "heygen:a-fine-x").returncode == 0
    shutil.copy(alice.folder / "watchlist.toml", vera.folder)
    polling = worker.start("watch")
    try:
        assert alice.run("wait").returncode == 0
        [job] = json.loads(vera.run("list", "--json").stdout)
        assert (job["phase"], job["links"][0]["url"], job["result"]) == ("done", None, None)
        assert "http" in alice.run("list", "--json").stdout
        status = vera.run("team", "status").stdout
        assert "viewer" in status
        assert "alice: 1 job" in status
        for command in (("add", "heygen:c"), ("remove", "a-fine-x"), ("archive", "a-fine-x"), ("download",)):
            run = vera.run(*command)
            assert (run.returncode, run.stdout) == (2, "")
            assert "role viewer" in run.stderr
        for command in (("check",), ("renew", "a-fine-x")):
            run = vera.run(*command)
            assert run.returncode == 3
            assert "role viewer" in run.stderr + run.stdout
            assert "http" not in run.stdout
        assert vera.run("team", "forget", "alice").returncode != 0
        assert "alice: 1 job" in vera.run("team", "status").stdout
        assert vera.run("fleet").returncode == 0
    finally:
        stop(polling)


def test_the_whole_teams_board_names_its_owners(tmp_path, service, team):
    worker = Machine(tmp_path / "worker", service, team, CANARY)
    alice = Machine(tmp_path / "alice", service, team, more='watchlist = "alice"\n')
    bob = Machine(tmp_path / "bob", service, team, more='watchlist = "bob"\n')
    assert alice.run("add", "heygen:a-fine-x").returncode == 0
    assert bob.run("add", "heygen:b-fine-x").returncode == 0
    polling = worker.start("watch")
    try:
        assert alice.run("wait", "--team").returncode == 0
        listed = alice.run("list", "--team").stdout
        assert "OWNER" in listed
        assert "b-fine-x" in listed
        assert "b-fine-x" not in alice.run("list").stdout
        found = json.loads(alice.run("list", "--team", "--json", "--filter", "owner:bob").stdout)
        assert [(job["id"], job["owners"], job["phase"]) for job in found] == [("b-fine-x", ["bob"], "done")]
        assert "b-fine-x" in alice.run("check", "--team", "b-fine-x").stdout
        assert "b-fine-x" in alice.run("log", "--team").stdout
        for command in ("remove", "archive", "edit"):
            run = alice.run(command, "b-fine-x", *(["--label", "x"] if command == "edit" else []))
            assert run.returncode == 2
            assert "heygen:b-fine-x is on the watchlist of bob, not on yours" in run.stderr
        done = [
            sum(row["done_today"] for row in json.loads(alice.run("fleet", "--json", *more).stdout))
            for more in ([], ["--team"])
        ]
        assert done == [1, 2], "her own jobs, and those of all"
    finally:
        stop(polling)


def test_an_editor_sends_no_request_that_no_rate_limit_counts(tmp_path, service, simulator, team):
    alice = Machine(tmp_path / "alice", service, member_of(team, "editor"), CANARY)
    assert alice.run("add", "heygen:a-fine-x").returncode == 0
    found = alice.run("doctor")
    assert "has not the role babeltop_worker" in found.stdout
    assert found.returncode == 0, found.stdout
    bob = Machine(tmp_path / "bob", service, alice.database)
    for console in (alice, bob):
        (config := console.folder / "config.toml").write_text(
            f'[accounts.konpro]\nbase_url = "{service}"\ninsecure_http = true\n{config.read_text()}'
        )
        listed = console.run("discover")
        assert (listed.returncode, listed.stdout) == (3, "")
        [line] = listed.stderr.splitlines()
        assert "only workers of the team send requests" in line
        assert "has not the role babeltop_worker" in line
        watched = console.run("watch")
        assert (watched.returncode, watched.stdout) == (2, "")
        assert "has not the role babeltop_worker" in watched.stderr
    assert not simulator.request_log
    keyless = Machine(tmp_path / "keyless", service, team).run("discover")
    assert "jobs are discovered where a worker has the key" in keyless.stderr
    assert "no new jobs" not in keyless.stderr
    worker = Machine(tmp_path / "worker", service, member_of(team, "worker"), CANARY)
    assert worker.run("doctor").returncode == 0
    assert simulator.request_log, "a worker takes a token without the lease"


def test_a_team_that_is_not_reached_is_named_for_an_empty_watchlist_too(tmp_path):
    away = Machine(tmp_path / "away", "http://127.0.0.1:9", "host=/nonexistent dbname=b").run("list")
    assert (away.returncode, away.stdout) == (0, "")
    assert "Team database not reachable" in away.stderr
    assert "failed: No such file or directory. Shown as last read\n" in away.stderr, "a question is left out"
    assert "retrying" not in away.stderr, "the command ends"
    unsafe = Machine(tmp_path / "unsafe", "http://127.0.0.1:9", "host=db.example.com").run("list")
    assert (unsafe.returncode, unsafe.stdout) == (2, "")
    assert "requires sslmode=verify-full" in unsafe.stderr


def test_the_way_back_to_one_machine_takes_the_jobs_and_their_states(tmp_path, service, team):
    worker = Machine(tmp_path / "worker", service, member_of(team, "worker"), CANARY)
    alice = Machine(tmp_path / "alice", service, member_of(team, "editor"), more='watchlist = "alice"\n')
    assert alice.run("add", "heygen:a-fine-x", "--label", "Mine").returncode == 0
    assert worker.run("add", "heygen:b-fine-x").returncode == 0
    polling = worker.start("watch")
    try:
        assert alice.run("wait", "--team").returncode == 0
    finally:
        stop(polling)
    new = Machine(tmp_path / "new", service, alice.database)
    exported = new.run("team", "export")
    assert (exported.returncode, exported.stderr) == (0, "babeltop: 1 job of 1 watchlist\n")
    assert 'label = "Mine"' in exported.stdout
    assert "b-fine-x" in new.run("team", "export", "--all").stdout
    wall = Machine(tmp_path / "wall", service, member_of(team, "viewer")).run("team", "export", "--output", "none.toml")
    assert (wall.returncode, wall.stdout) == (2, "")
    assert "published no watchlist: --all exports those of the whole team (" in wall.stderr
    assert not Path("none.toml").exists()
    misspelt = new.run("team", "forget", "alicia")
    assert (misspelt.returncode, "did you mean 'alice'?" in misspelt.stderr) == (2, True)
    lines = [line.split() for line in new.run("team", "status").stdout.splitlines()]
    assert ["jobs", "2"] in lines
    assert "-0.0" not in [words[1] for words in lines if words[0] == "clock"]
    target = new.folder / "watchlist.toml"
    assert new.run("team", "export", "--output", str(target)).returncode == 0
    assert target.read_text() == exported.stdout
    again = new.run("team", "export", "--output", str(target))
    assert (again.returncode, "exists" in again.stderr) == (2, True), "nothing is overwritten"
    config = new.folder / "config.toml"
    config.write_text(config.read_text().partition("[team]")[0])
    [job] = json.loads(new.run("list", "--json").stdout)
    assert (job["id"], job["label"], job["phase"]) == ("a-fine-x", "Mine", "done")
    assert job["links"][0]["url"]


WITHOUT_THE_EXTRA = """
import json, os, sys
sys.modules["psycopg"] = None  # as if it were not installed
from tests.support.command_line import run_in_process
print(json.dumps([run_in_process(line, dict(os.environ)) for line in json.loads(sys.argv[1])]))
"""


def test_each_subcommand_that_needs_the_database_names_the_missing_extra(tmp_path):
    machine = Machine(tmp_path / "alice", "http://127.0.0.1:9", "dbname=babeltop", CANARY)
    lines = {
        **{name: [] for name in ("discover", "list", "check", "wait", "watch", "fleet", "report", "log", "export")},
        **{name: ["a"] for name in ("archive", "remove", "renew")},
        **{f"team {action}": [] for action in ("init", "migrate", "status", "export")},
        "serve": [],
        "add": ["heygen:a"],
        "edit": ["a", "--label", "x"],
        "download": ["--dir", str(tmp_path)],
        "team forget": ["alice"],
    }
    others = {"simulate", "hook", "providers", "schema", "completions", "doctor", "team"}
    assert {name.split()[0] for name in lines} | others == SUBCOMMANDS.keys()
    (machine.folder / "watchlist.toml").write_text('[[job]]\naccount = "heygen"\nid = "a"\n')
    commands = json.dumps([[*name.split(), *more] for name, more in lines.items()])
    program = [sys.executable, "-c", WITHOUT_THE_EXTRA, commands]
    done = subprocess.run(program, env=machine.environ, capture_output=True, text=True, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    with cases() as case:
        for name, (code, out, err) in zip(lines, json.loads(done.stdout), strict=True):
            with case(name):
                assert (code, out) == (2, "")
                assert f"team.database: requires an extra: {install_command('postgres')}" in err


def test_the_units_of_a_worker_are_printed_and_valid(tmp_path):
    printed = Machine(tmp_path / "any", "http://127.0.0.1:9", "").run("team", "units").stdout
    unit, _, containerfile = printed.partition("# Worker of a babeltop team, built in a checkout")
    assert "babeltop watch --json" in unit
    copied = [line.split()[1:-1] for line in containerfile.splitlines() if line.startswith("COPY ")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    sources = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    assert {name for names in copied for name in names} == {*sources, *wheel["packages"], *wheel["force-include"]}
    assert "pip install --no-cache-dir '/src[postgres]'" in containerfile, "it is on no registry"
    if shutil.which("systemd-analyze"):
        file = tmp_path / "babeltop-worker.service"
        file.write_text(unit.replace("/opt/babeltop/bin/babeltop", sys.executable))
        run = subprocess.run(["systemd-analyze", "verify", file], capture_output=True, text=True, timeout=TIMEOUT)
        assert "babeltop-worker.service" not in run.stderr, run.stderr


def test_the_commands_of_the_readme_lead_to_a_team_and_back(tmp_path, service):
    text = (ROOT / "README.md").read_text("utf-8")
    section = text.partition("### From one machine to a team in ten minutes, and back\n")[2].partition("\n### ")[0]
    commands = "".join(re.findall(r"^   ```sh\n(.*?)^   ```", section, re.MULTILINE | re.DOTALL))
    there, _, back = commands.partition("   babeltop team export")
    assert "team init" in there
    home = tmp_path / "home"
    (programs := home / "bin").mkdir(parents=True)
    (config := home / ".config" / "babeltop").mkdir(parents=True)
    (config / "config.toml").write_text(
        f'[accounts.heygen]\nbase_url = "{service}"\ninsecure_http = true\n'
        '[polling]\nmax_interval = "2s"\n[team]\ndatabase = "dbname=babeltop"\n'
    )
    with postgres_server() as server:
        environ = {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8"}
        environ |= {"PYTHONPATH": str(ROOT), "HEYGEN_API_KEY": CANARY}
        environ |= {"PGHOST": str(server.folder), "PGUSER": "keeper", **write_command(programs / "babeltop")}

        def run(script):
            command = ["bash", "-euc", script]
            done = subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, timeout=TIMEOUT)
            assert done.returncode == 0, (script, done.stdout, done.stderr)
            return done.stdout

        run("export PGUSER=postgres; for each in keeper poller alice bob wall; do createuser $each; done")
        run("PGUSER=postgres createdb --owner keeper babeltop")
        refused, remedy = run("babeltop team init 2>&1 || echo $?"), 'ALTER ROLE "keeper" CREATEROLE'
        assert (refused.endswith("\n2\n"), remedy in refused) == (True, True), refused
        run(f"psql -U postgres -d babeltop -c '{remedy}'")
        run(there)
        run("babeltop add heygen:a-fine-x")
        command = [str(programs / "babeltop"), "watch"]
        worker = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            run("babeltop wait")
        finally:
            stop(worker)
        run(f"babeltop team export{back}")
    settings = (config / "config.toml").read_text()
    (config / "config.toml").write_text(settings.partition("[team]")[0])
    listed = run("babeltop --watchlist jobs.toml list")
    assert "done" in listed
    assert "a-fine-x" in (home / "jobs.toml").read_text()


def test_the_board_of_a_team_needs_one(tmp_path):
    run = Machine(tmp_path / "alice", "http://127.0.0.1:9", "").run("list", "--team")
    assert (run.returncode, run.stdout) == (2, "")
    assert "[team] database" in run.stderr


def dumped(database):
    """Return a database as pg_dump writes it, and each of its binary values as text."""
    command = [str(server_folder() / "pg_dump"), "-d", database]
    dump = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT, check=True).stdout
    binary = re.findall(r"\\\\x([0-9a-f]+)", dump)
    assert binary
    return dump + "".join(bytes.fromhex(each).decode("utf-8", "replace") for each in binary)


def test_no_secret_is_in_a_dump_of_the_database_or_in_a_query(tmp_path, service, team, postgres):
    with psycopg.connect(team, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET log_statement = 'all'")
    secrets = {name: f"canary-{name}/9f3a+b=c0123456789" for name in ("key", "password", "hook", "job", "file")}
    hook = f'[[hook]]\non = ["done"]\nurl = "http://127.0.0.1:9/{secrets["hook"]}"\nsecret = {{ env = "HOOK_KEY" }}\n'
    environ = {"PGPASSWORD": secrets["password"], "HOOK_KEY": secrets["hook"]}
    worker = Machine(tmp_path / "worker", service, team, secrets["key"], hook, **environ)
    alice = Machine(tmp_path / "alice", service, team, hook, **environ)
    (alice.folder / "secret").write_text(secrets["file"])
    (alice.folder / "watchlist.toml").write_text(
        '[[job]]\naccount = "heygen"\nid = "a-fine-x"\nnote = "public"\n[job.secrets]\n'
        f'document_key = "{secrets["job"]}"\n'
        f'other = {{ file = "{alice.folder / "secret"}" }}\n'
        '[[job]]\naccount = "heygen"\nid = "b-fail-x"\n'
    )
    polling = worker.start("watch")
    try:
        alice.run("wait")
        alice.run("renew", "a-fine-x")
        alice.run("check", "b-fail-x")
    finally:
        output = stop(polling)
    dump = dumped(team) + (postgres.folder / "server.log").read_text("utf-8", "replace")
    assert "a-fine-x" in dump
    assert "babeltop.renew_leases" in dump, "the statements are searched too"
    assert '"note":"public"' in dump, "binary values are searched too"
    for name, secret in secrets.items():
        for spelling in SPELLINGS.values():
            assert spelling(secret) not in dump, name
        assert base64.b64encode(secret.encode()).decode() not in dump, name
        assert hashlib.sha256(secret.encode()).hexdigest()[:10] not in dump, name
        assert secret not in output or name == "hook", "its URL is the operator's own"


def test_a_jobs_secret_is_needed_at_its_worker_only(tmp_path, service, team):
    deepl = f'[accounts.deepl-documents]\nbase_url = "{service}"\ninsecure_http = true\n'
    deepl += 'api_key = { env = "DEEPL" }\n'
    worker = Machine(tmp_path / "worker", service, team, more=deepl, DEEPL=CANARY, DOCUMENT_KEY="9f3a0123456789abcdef")
    alice = Machine(tmp_path / "alice", service, team, more=deepl)
    added = alice.run("add", "deepl-documents:d-fine")
    assert "d-fine needs document_key where the worker of deepl-documents runs" in added.stderr
    assert "[job.secrets]" not in added.stderr, "here it would be of no use"
    polling = worker.start("watch")
    try:
        wait_until(lambda: worker_of(alice, "deepl-documents"))
        refused = alice.run("check")
        reason = f"the job has no document_key at {gethostname()}: write it there, below the job in"
        assert reason in refused.stdout + refused.stderr
        assert worker.run("add", "deepl-documents:d-fine", "--secret", "document_key=env:DOCUMENT_KEY").returncode == 0
        assert alice.run("wait").returncode == 0
        [job] = json.loads(alice.run("check", "--json").stdout)
        assert (job["phase"], job["fault"]) == ("done", None)
        saved = alice.run("download")
        assert (saved.returncode, "variable DEEPL is not set" in saved.stderr) == (3, True), "it takes the key too"
    finally:
        stop(polling)


def test_a_killed_worker_is_replaced(tmp_path, service, simulator, team):
    first = Machine(tmp_path / "first", service, team, CANARY)
    second = Machine(tmp_path / "second", service, team, CANARY)
    alice = Machine(tmp_path / "alice", service, team)
    assert alice.run("add", "heygen:a-stuck-x").returncode == 0
    workers = [first.start("watch")]
    try:
        wait_until(lambda: f"PID {workers[0].pid}" in worker_of(alice))
        workers.append(second.start("watch"))
        wait_until(lambda: len(simulator.request_log) > 0)
        stop(workers[0], signal.SIGKILL)
        expire_leases(team, OPEN_AFTER)  # as time does
        wait_until(lambda: f"PID {workers[1].pid}" in worker_of(alice))
        count = len(simulator.request_log)
        wait_until(lambda: len(simulator.request_log) > count)
    finally:
        for worker in workers:
            stop(worker)


@pytest.mark.parametrize(
    ("database", "problem"),
    [
        ("host=db.example.com dbname=b", "team.database: db.example.com requires sslmode=verify-full"),
        ("host=/tmp password=secret", "team.database: must not hold a password"),
    ],
)
def test_an_unsafe_database_is_refused_before_anything_is_sent(tmp_path, database, problem):
    run = Machine(tmp_path / "alice", "http://127.0.0.1:9", database).run("team", "status")
    assert (run.returncode, run.stdout) == (2, "")
    assert problem in run.stderr
    assert "secret" not in run.stderr


def test_without_a_team_the_subcommand_names_the_setting(tmp_path):
    machine = Machine(tmp_path / "alice", "http://127.0.0.1:9", "")
    run = machine.run("team", "status")
    assert run.returncode == 2
    assert "[team] database" in run.stderr
