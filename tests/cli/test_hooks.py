"""Hooks of the real program, in real processes: watch, check and wait, several at once, and after a restart."""

import json
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.cli import json_schema
from tests.cli.conftest import CompletedCommand, Program
from tests.support.waiting import wait_until

JOBS = tuple(f"camb:h{number}-{end}" for number, end in enumerate(("fine", "fine", "fail", "pay", "timeout", "fine")))


def hooked(program: Program, body: str = "", on: str = "", more: str = "") -> Path:
    """Adds a hook that keeps what it is told in the file that is returned, a line each."""
    kept, file = program.folder / "kept", program.folder / "hook.py"
    file.write_text(
        f"import sys, time\ntold = sys.stdin.read()\n{body}\nopen({str(kept)!r}, 'a').write(told + '\\n')\n"
    )
    config = program.config / "config.toml"
    hook = f"[[hook]]\nrun = [{sys.executable!r}, {str(file)!r}]\n{f'on = {on}' if on else ''}\n{more}"
    config.write_text(config.read_text() + hook)
    return kept


def told(kept: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    assert [problem for each in found for problem in json_schema.problems(each, "hook")] == []
    return found


def beats(program: Program) -> int:
    """How often the poller of the watchlist has said that it lives, once in each of its rounds."""
    journal = sqlite3.connect(f"file:{program.state / 'journal.db'}?mode=ro", uri=True)
    with closing(journal):
        return journal.execute("SELECT sum(number) FROM heartbeat").fetchone()[0]


def test_of_two_that_watch_one_calls_the_hook_for_each_change_and_after_a_restart_none_does(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs(*JOBS)
    kept = hooked(program)
    first, second = program.start("watch", "--json"), program.start("watch", "--json")
    for process in (first, second):  # each has seen every end, its own or the other's
        assert process.stdout
        over = set[str]()
        while len(over) < len(JOBS):
            event = json.loads(process.stdout.readline())
            over |= {event["id"]} if event["after"] not in {"queued", "running", "new"} else set()
    wait_until(lambda: len(told(kept)) >= len(JOBS))
    for process in (first, second):
        process.send_signal(signal.SIGTERM)
    ended = [program.end(process) for process in (first, second)]
    assert [end.code for end in ended] == [0, 0]
    assert not any("hook" in end.err for end in ended)
    calls = Counter((each["job"]["id"], each["event"]) for each in told(kept))
    assert set(calls.values()) == {1}
    assert {f"camb:{job}" for job, _ in calls} == set(JOBS)
    assert Counter(event for _, event in calls) == {"done": 3, "failed": 1, "blocked": 1, "timed_out": 1}

    before = beats(program)
    again = program.start("watch")
    wait_until(lambda: beats(program) >= before + 2)
    again.send_signal(signal.SIGTERM)
    program.end(again)
    assert len(told(kept)) == len(JOBS)


def test_check_and_wait_call_hooks_too_and_wait_for_them(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:c-fine", "camb:d-fail")
    kept = hooked(program, "time.sleep(3)")
    ended = program("wait", "--json")
    assert (ended.code, len(ended.json)) == (1, 2), "nothing of a hook is in what it prints"
    assert Counter(each["event"] for each in told(kept)) == {"done": 1, "failed": 1}
    assert program("check").code == 1
    assert len(told(kept)) == 2


def test_a_wait_that_is_interrupted_does_not_wait_for_a_hook_that_hangs(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:i-fine", "camb:j-stuck")
    began = program.folder / "began"
    hooked(program, f"open({str(began)!r}, 'w').close(); time.sleep(600)", more='timeout = "5m"')
    process = program.start("wait")
    wait_until(began.exists)
    process.send_signal(signal.SIGTERM)
    assert program.end(process).code == 130
    assert "camb:i-fine" in (program.state / "babeltop.log").read_text(), "what was not told is in the log"


def test_a_hook_that_fails_is_said_on_stderr_and_in_the_log_and_changes_no_exit_code(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:e-fine", "camb:f-fine", "camb:g-fine")
    hooked(program, "print('no such room'); sys.exit(7)")
    ended: CompletedCommand = program("wait")
    assert ended.code == 0
    assert ended.err.count("Hook 1") == 1
    assert "exited with status 7: no such room" in ended.err
    log = (program.state / "babeltop.log").read_text()
    assert log.count("exited with status 7; not delivered: done camb:") == 3
    assert "sig" not in log


def test_readonly_calls_no_hook(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:r-fine")
    kept = hooked(program)
    assert program("--readonly", "wait").code == 0
    assert told(kept) == []


def test_a_lost_account_is_told(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:k-fine")
    program.env["SERVICE_KEY"] = "wrong"
    kept = hooked(program, on='["refused"]')
    assert program("check").code == 3
    (only,) = told(kept)
    assert (only["event"], only["job"], only["account"]["name"]) == ("refused", None, "camb")
    assert "Polling of account camb stopped" in only["text"]
