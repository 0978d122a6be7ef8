"""Hooks of real processes: watch, check and wait, several at once, and after a restart."""

import json
import signal
import sqlite3
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli import json_schema
from tests.cli.conftest import Program
from tests.support.command_line import CompletedCommand
from tests.support.waiting import wait_until
from tui.engine.notifications.sample_event import EVENTS

pytestmark = pytest.mark.waits

JOBS = tuple(f"camb:h{number}-{end}" for number, end in enumerate(("fine", "fine", "fail", "pay", "timeout", "fine")))


def add_hook(program: Program, body: str = "", on: str = "", more: str = "") -> Path:
    """Add a hook that appends each event to a file, and return the file."""
    output, file = program.folder / "output", program.folder / "hook.py"
    file.write_text(
        f"import sys, time\nreceived = sys.stdin.read()\n{body}\nopen({str(output)!r}, 'a').write(received + '\\n')\n"
    )
    config = program.config / "config.toml"
    hook = f"[[hook]]\nrun = [{sys.executable!r}, {str(file)!r}]\n{f'on = {on}' if on else ''}\n{more}"
    config.write_text(config.read_text() + hook)
    return output


def delivered(output: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in output.read_text().splitlines()] if output.exists() else []
    assert [problem for each in found for problem in json_schema.problems(each, "hook")] == []
    return found


def heartbeats(program: Program) -> int:
    """Number of heartbeats of the polling process, one per round."""
    journal = sqlite3.connect(f"file:{program.state / 'journal.db'}?mode=ro", uri=True)
    with closing(journal):
        return journal.execute("SELECT sum(number) FROM heartbeat").fetchone()[0]


def test_of_two_watching_processes_one_calls_the_hook_per_change_and_none_after_a_restart(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs(*JOBS)
    output = add_hook(program)
    first, second = program.start("watch", "--json"), program.start("watch", "--json")
    for process in (first, second):  # each has seen every end, its own or the other's
        assert process.stdout
        over = set[str]()
        while len(over) < len(JOBS):
            event = json.loads(process.stdout.readline())
            over |= {event["id"]} if event["after"] not in {"queued", "running", "new"} else set()
    wait_until(lambda: len(delivered(output)) >= len(JOBS))
    for process in (first, second):
        process.send_signal(signal.SIGTERM)
    ended = [program.end(process) for process in (first, second)]
    assert [end.code for end in ended] == [0, 0]
    assert not any("hook" in end.err for end in ended)
    calls = Counter((each["job"]["id"], each["event"]) for each in delivered(output))
    assert set(calls.values()) == {1}
    assert {f"camb:{job}" for job, _ in calls} == set(JOBS)
    assert Counter(event for _, event in calls) == {"done": 3, "failed": 1, "blocked": 1, "timed_out": 1}

    before = heartbeats(program)
    again = program.start("watch")
    wait_until(lambda: heartbeats(program) >= before + 2)
    again.send_signal(signal.SIGTERM)
    program.end(again)
    assert len(delivered(output)) == len(JOBS)


def test_check_and_wait_call_hooks_too_and_wait_for_them(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:c-fine", "camb:d-fail")
    output = add_hook(program, "time.sleep(1)")
    ended = program("wait", "--json")
    assert (ended.code, len(ended.json)) == (1, 2), "nothing of a hook is in what it prints"
    assert Counter(each["event"] for each in delivered(output)) == {"done": 1, "failed": 1}
    assert program("check").code == 1
    assert len(delivered(output)) == 2


def test_an_interrupted_wait_does_not_wait_for_a_hanging_hook(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:i-fine", "camb:j-stuck")
    began = program.folder / "began"
    add_hook(program, f"open({str(began)!r}, 'w').close(); time.sleep(600)", more='timeout = "5m"')
    process = program.start("wait")
    wait_until(began.exists)
    process.send_signal(signal.SIGTERM)
    assert program.end(process).code == 130
    assert "camb:i-fine" in (program.state / "babeltop.log").read_text(), "undelivered events are in the log"


def test_a_failing_hook_is_reported_and_logged_without_changing_the_exit_code(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:e-fine", "camb:f-fine", "camb:g-fine")
    add_hook(program, "print('no such room'); sys.exit(7)")
    ended: CompletedCommand = program("wait")
    assert ended.code == 0
    assert ended.err.count("Hook 1") == 1
    assert "exited with status 7: no such room" in ended.err
    log = (program.state / "babeltop.log").read_text()
    assert log.count("exited with status 7; not delivered: done camb:") == 3
    assert "sig" not in log


def test_readonly_calls_no_hook(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:r-fine")
    output = add_hook(program)
    assert program("--readonly", "wait").code == 0
    assert delivered(output) == []


def test_a_refused_account_is_delivered_to_hooks(babeltop: Program) -> None:
    program = babeltop.with_accounts("camb").with_jobs("camb:k-fine")
    program.env["SERVICE_KEY"] = "wrong"
    output = add_hook(program, on='["refused"]')
    assert program("check").code == 3
    (only,) = delivered(output)
    assert (only["event"], only["job"], only["account"]["name"]) == ("refused", None, "camb")
    assert "Polling of account camb stopped" in only["text"]


def test_a_test_event_is_marked_and_delivered_like_a_real_one(configured: Program) -> None:
    output = add_hook(configured, on='["failed", "expiring"]')
    for options, event, note in (
        ([], "failed", ""),
        *((["1", "--event", event], event, f"; its `on` does not list {event!r}") for event in EVENTS[:5]),
        *((["--event", event], event, "; its") for event in ("refused", "retired", "stalled", "expired")),
        (["1", "--event", "expiring"], "expiring", ""),
        (["1", "--event", "summary"], "summary", ""),
    ):
        completed = configured.call("hook", "test", *options)
        note = "" if event == "failed" else note
        assert (completed.code, completed.out) == (0, "")
        assert completed.err.startswith(f"babeltop: hook 1: test event {event!r} delivered{note}")
        received = delivered(output)[-1]
        assert (received["event"], received["test"]) == (event, True)
    assert len({each["delivery"] for each in delivered(output)}) == len(delivered(output)) == 12
    assert configured("list", "--json").json == []


def test_a_test_event_that_is_not_delivered_is_exit_3_and_a_wrong_request_exit_2(configured: Program) -> None:
    assert "no [[hook]] in" in configured.call("hook", "test").err
    output = add_hook(configured)
    add_hook(configured, "sys.exit('wrong token')")
    completed = configured.call("hook", "test", "2")
    assert completed.code == 3
    assert completed.err.startswith("babeltop: Hook 2 (")
    assert "wrong token" in completed.err
    for options, reason in (
        (["3"], "no hook 3: config.toml has 2"),
        (["0"], "0 is not between 1 and 1000"),
        (["--event", "failedd"], "unknown event 'failedd'; did you mean 'failed'?"),
        (["--readonly"], "--readonly disables hooks"),
    ):
        completed = configured.call("hook", "test", *options)
        assert completed.code == 2
        assert reason in completed.err
    assert delivered(output) == []
