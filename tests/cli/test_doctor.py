"""doctor: its findings are true, have a remedy, and show no key."""

import asyncio
import re
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.cli import json_schema
from tests.cli.conftest import KEY, Program
from tests.support.command_line import CompletedCommand
from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.servers import serve_app, serve_raw
from tests.support.terminal import Terminal
from tests.support.unprivileged_user import unprivileged
from tests.support.waiting import DEADLINE
from tui.simulator.app import Simulator


def found(completed: CompletedCommand) -> dict[str, tuple[str, str, str]]:
    """Level, finding and remedy by area and name."""
    return {
        f"{each['area']}: {each['name']}": (each["level"], each["found"], each["remedy"] or "")
        for each in completed.json
    }


def test_a_machine_without_errors_is_exit_0(configured: Program) -> None:
    configured.with_jobs("heygen:a-fine", "konpro:b-fine", "camb:c-fine", "flixu:d-fine")
    configured("check")
    completed, shown = configured.run_each("doctor --json", "doctor")
    assert (completed.code, completed.err, shown.code, shown.err) == (0, "", 0, "babeltop: no errors found\n")
    assert json_schema.problems(completed.json, "doctor") == []
    seen = found(completed)
    assert {level for level, _, _ in seen.values()} <= {"ok", "warning"}
    assert f"environment variable SERVICE_KEY (…{KEY[-4:]}): job d-fine polled (" in seen["accounts: flixu"][1]
    assert "4 jobs, " in seen["journal: journal"][1]
    assert seen["files: state folder"][1].endswith("(0700)")
    assert all(name in shown.out for name in seen)


def test_an_account_without_jobs_is_polled_with_a_test_id(configured: Program) -> None:
    level, text, _ = found(configured("doctor", "--json"))["accounts: camb"]
    assert level == "ok"
    assert "test id polled" in text


def test_doctor_polls_the_newest_job_once_and_stores_nothing(babeltop: Program) -> None:
    simulator = Simulator()
    with serve_app(simulator) as url:
        babeltop.with_accounts(camb=url)
        older, newer = "added = 2026-01-01T00:00:00Z\n", "added = 2026-02-01T00:00:00Z\n"
        babeltop.watchlist.write_text(
            "".join(f'[[job]]\naccount = "camb"\nid = "{name}"\n{at}' for name, at in (("new", newer), ("old", older)))
        )
        completed = babeltop("doctor", "--json")
    assert "job new polled" in found(completed)["accounts: camb"][1]
    assert babeltop("list", "--json").json[0]["checked_at"] is None


def test_a_refused_key_is_exit_3_and_a_missing_one_is_named(configured: Program) -> None:
    configured.env["SERVICE_KEY"] = "wrong"
    completed = configured("doctor", "--json")
    assert completed.code == 3
    level, text, do = found(completed)["accounts: flixu"]
    assert level == "error"
    assert "rejected the API key (401)" in text
    assert "(too short to show its end)" in text
    assert "run doctor again" in do
    del configured.env["SERVICE_KEY"]
    completed = configured("doctor", "--json")
    assert completed.code == 3
    assert "SERVICE_KEY is not set" in found(completed)["accounts: flixu"][1]


def test_an_unreachable_service_is_exit_3_with_a_remedy(babeltop: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    completed = babeltop.with_accounts(camb=f"http://127.0.0.1:{port}")("doctor", "--json")
    assert completed.code == 3
    level, text, do = found(completed)["accounts: camb"]
    assert (level, "cannot be reached" in text) == ("error", True)
    assert "HTTPS_PROXY" in do


def test_files_open_to_other_users_are_reported_with_the_chmod_command(configured: Program) -> None:
    configured.with_jobs("camb:a")("check")
    (configured.config / "config.toml").chmod(0o666)
    configured.state.chmod(0o755)
    completed = configured("doctor", "--json")
    assert completed.code == 2
    seen = found(completed)
    assert seen["files: config.toml"][0] == "error"
    assert seen["files: config.toml"][2] == f"chmod go-w {configured.config / 'config.toml'}"
    assert seen["files: state folder"][0] == "warning"
    assert seen["files: state folder"][2] == f"chmod go-rwx {configured.state}"


def test_invalid_files_are_findings_and_stop_no_other_check(configured: Program) -> None:
    (configured.config / "config.toml").write_text("[polling]\nmax_interval = 7\n")
    completed = configured("doctor", "--json")
    assert completed.code == 2
    assert "polling.max_interval" in found(completed)["files: settings"][1]
    assert "terminal: terminal" in found(completed)
    configured.with_accounts("camb").watchlist.write_text("[[job]\n")
    completed = configured("doctor", "--json")
    assert completed.code == 2
    assert f"{configured.watchlist}, line 1" in found(completed)["files: jobs"][1]
    assert found(completed)["accounts: camb"][0] == "ok"


def test_a_folder_that_cannot_be_entered_stops_no_other_check(configured: Program) -> None:
    closed = configured.folder / "closed"
    closed.mkdir(mode=0)
    with (configured.config / "config.toml").open("a") as config:
        config.write(f'[downloads]\ndir = "{closed}/downloads"\n[[hook]]\nrun = ["{closed}/hook"]\n')
    configured.env["BABELTOP_STATE_DIR"] = f"{closed}/state"
    with unprivileged(configured.folder):
        completed = configured.call("doctor", "--json")
    assert (completed.code, completed.err) == (2, "")
    seen = found(completed)
    for name in ("downloads", "state folder", "log", "disk"):
        assert seen[f"files: {name}"][0] == "error"
        assert f"{closed}/" in seen[f"files: {name}"][1]
        assert seen[f"files: {name}"][1].endswith("Permission denied")
    assert seen["hooks: 1"][0] == seen["journal: journal"][0] == "error"
    assert seen["accounts: camb"][0] == "ok"


def test_without_a_home_folder_the_other_checks_report(configured: Program) -> None:
    seen = found(configured("--watchlist", "~nosuchuser/x", "doctor", "--json"))
    assert seen["files: files"][:2] == ("error", "~nosuchuser/x: no such user, or no home folder; use an absolute path")
    assert {"program: version", "terminal: terminal"} <= set(seen)


def test_wrong_keys_and_themes_are_named_by_doctor_and_by_every_start_that_uses_them(configured: Program) -> None:
    pytest.importorskip("textual_serve")
    path = configured.config / "config.toml"
    first = len(path.read_text().splitlines()) + 1
    with path.open("a") as config:
        config.write('[ui]\ntheme = "draculaa"\n[keys]\nrefreshx = "r"\nadd = "e"\n')
    problems = [
        f"line {first + 1}: ui.theme: no theme 'draculaa'; did you mean 'dracula'?",
        f"line {first + 3}: keys.refreshx: unknown command; did you mean 'refresh'?",
        "keys.edit: key e already belongs to 'add'",
    ]
    with DashboardTerminal(columns=160, environment=configured.env) as terminal:
        assert terminal.wait_for_exit() == 2
        shown = terminal.raw.decode()
    served = configured.call("serve")
    level, text, _ = found(configured("doctor", "--json"))["files: dashboard"]
    assert (level, served.code) == ("error", 2)
    for problem in problems:
        assert problem in text
        assert problem in served.err
        assert problem in shown
    path.write_text('[ui]\ntheme = "nord"\n[keys]\nrefresh = "f5"\n')
    assert found(configured("doctor", "--json"))["files: dashboard"][:2] == (
        "ok",
        "theme nord, 1 command with other keys",
    )


def test_a_wrong_view_is_named_by_doctor_and_by_every_start(configured: Program) -> None:
    path = configured.config / "config.toml"
    line = len(path.read_text().splitlines()) + 3
    with path.open("a") as config:
        config.write('[[view]]\nname = "Launch"\nfilter = "phase:faild"\n')
    problem = f"line {line}: view[0].filter: no phase faild; did you mean failed?"
    listed = configured("list")
    assert (listed.code, problem in listed.err) == (2, True)
    assert problem in found(configured("doctor", "--json"))["files: settings"][1]
    path.write_text(path.read_text().replace("faild", "failed"))
    named = configured("--view", "lunch")
    assert named.code == 2
    assert "no view 'lunch'; did you mean 'launch'?" in named.err or "requires a terminal" in named.err
    assert configured("--view", "all", "list").code == 2


def test_a_damaged_journal_is_a_finding(configured: Program) -> None:
    configured.state.mkdir(mode=0o700)
    (configured.state / "journal.db").write_text("this is no journal, and longer than a header of SQLite has to be" * 9)
    completed = configured("doctor", "--json")
    assert "the journal was damaged" in found(completed)["program: warning"][1]


def test_a_missing_hook_program_is_a_finding(configured: Program) -> None:
    with (configured.config / "config.toml").open("a") as config:
        config.write('[[hook]]\nrun = ["no-such-program"]\n[[hook]]\nrun = ["true"]\n')
    completed = configured("doctor", "--json")
    assert completed.code == 2
    assert found(completed)["hooks: 1"][:2] == ("error", "program 'no-such-program' not found in PATH")
    assert found(completed)["hooks: 2"][0] == "ok"


def test_a_missing_hook_secret_is_a_finding_and_nothing_is_sent(configured: Program) -> None:
    with (configured.config / "config.toml").open("a") as config:
        config.write('[[hook]]\nurl = "https://hooks.example/T0/secret-path"\nsecret = { env = "HOOK_SECRET" }\n')
    completed = configured("doctor", "--json")
    level, text, _ = found(completed)["hooks: 1"]
    assert (completed.code, level) == (2, "error")
    assert text == "POST to hooks.example: environment variable HOOK_SECRET is not set: set it and restart"
    configured.env["HOOK_SECRET"] = "s-2718281828459045"
    level, text, _ = found(configured("doctor", "--json"))["hooks: 1"]
    assert (level, text) == ("ok", "POST to hooks.example, signed with environment variable HOOK_SECRET")


def test_a_clock_skew_of_an_hour_is_a_finding(babeltop: Program) -> None:
    async def hour_ahead(writer: asyncio.StreamWriter) -> None:
        date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
        writer.write(f"HTTP/1.1 404 Not Found\r\ndate: {date}\r\ncontent-length: 2\r\n\r\n{{}}".encode())
        await writer.drain()

    with serve_raw(hour_ahead) as url:
        completed = babeltop.with_accounts(camb=url)("doctor", "--json")
    assert completed.code == 0
    level, text, do = found(completed)["clock: clock"]
    assert level == "warning"
    skew = re.search(r"camb \+(\d+) s", text)
    assert skew
    assert 3590 <= int(skew[1]) <= 3600
    assert "set-ntp" in do


def test_the_polling_process_is_shown_by_pid(configured: Program) -> None:
    configured.with_jobs("camb:a-stuck")
    process = configured.start("watch")
    assert process.stdout
    process.stdout.readline()
    completed = found(configured("doctor", "--json"))
    process.terminate()
    configured.end(process)
    assert completed["journal: poller"][1] == f"PID {process.pid} polls this watchlist"
    assert found(configured("doctor", "--json"))["journal: poller"][1] == "no process polls this watchlist"


def test_without_accounts_doctor_explains_how_to_configure_one(babeltop: Program) -> None:
    completed = babeltop("doctor", "--json")
    assert completed.code == 0
    assert "others (`babeltop providers` lists them)" in found(completed)["accounts: accounts"][2]


def on_a_terminal(program: Program, columns: int = 100, lines: int = 50, **environ: str) -> str:
    env = program.env | environ
    command = ["env", "-i", *(f"{name}={value}" for name, value in env.items()), sys.executable, "-m", "tui", "doctor"]
    with Terminal(command, columns=columns, lines=lines) as terminal:
        terminal.wait_for_exit(DEADLINE)
        return terminal.raw.decode()


def test_the_terminal_is_checked(babeltop: Program) -> None:
    good = on_a_terminal(babeltop, TERM="xterm-256color", COLORTERM="truecolor", LC_ALL="C.UTF-8")
    assert "16 million (TERM=xterm-256color)" in good
    assert "OSC 52, which no terminal acknowledges" in good
    poor = on_a_terminal(
        babeltop, columns=70, lines=50, TERM="linux", LC_ALL="POSIX", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0"
    )
    assert "warning terminal: colours" in poor
    assert "70x50" in poor
    assert "enlarge it" in poor
    assert 'glyphs = "ascii"' in poor


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_tmux_settings_are_checked(babeltop: Program) -> None:
    out = babeltop.folder / "out.json"
    tmux = ["tmux", "-L", f"doctor-{babeltop.folder.parent.name}", "-f", "/dev/null"]
    environ = [word for name, value in babeltop.env.items() for word in ("-e", f"{name}={value}")]
    command = f"{sys.executable} -m tui doctor >{out}; tmux wait-for -S done"
    try:
        start = [*tmux, "new-session", "-d", "-x", "100", "-y", "40", *environ, command]
        subprocess.run(start, check=True, timeout=DEADLINE)
        subprocess.run([*tmux, "wait-for", "done"], check=True, timeout=DEADLINE)
    finally:
        subprocess.run([*tmux, "kill-server"], check=False, timeout=DEADLINE, capture_output=True)
    shown = out.read_text()
    assert "warning terminal: set-clipboard" in shown
    assert "set -s set-clipboard on" in shown
    assert "set -g allow-passthrough on" in shown
    assert "set -s escape-time 10" in shown
