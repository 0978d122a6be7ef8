import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import json_schema
from tests.cli.conftest import Program
from tests.support.command_line import CompletedCommand
from tests.support.waiting import wait_until


@pytest.fixture
def make_program(babeltop: Program, service: str) -> Callable[[str], Program]:
    """Factory of programs with their own folders, whose waits can run at the same time."""

    def make(name: str) -> Program:
        return Program(babeltop.folder.parent / name, service).with_accounts("heygen", "konpro", "camb", "flixu")

    return make


@pytest.mark.waits
def test_the_exit_code_of_wait_follows_its_jobs(make_program: Callable[[str], Program]) -> None:
    waits = {
        "well": (["w-fine-1", "w-fine-2"], ["wait", "--json"]),
        "failed": (["x-fine", "x-fail"], ["wait"]),
        "any": (["y-fine", "y-stuck"], ["wait", "--any"]),
        "late": (["flixu:down", "z-stuck"], ["wait", "--timeout", "2s", "--json"]),
        "by name": (["n-stuck", "n-fine"], ["wait", "n-fine", "--timeout", "60s"]),
    }
    running: dict[str, tuple[Program, subprocess.Popen[str]]] = {}
    for name, (jobs, args) in waits.items():
        program = make_program(name)
        program.with_accounts("camb", flixu=_closed_port()).with_jobs(
            *(job if ":" in job else f"camb:{job}" for job in jobs)
        )
        if name == "late":
            program("check")  # both are polled before the timeout starts
        running[name] = program, program.start(*args)
    ended = {name: program.end(process) for name, (program, process) in running.items()}
    assert {name: end.code for name, end in ended.items()} == {
        "well": 0,
        "failed": 1,
        "any": 0,
        "late": 124,
        "by name": 0,
    }
    _check_completed(ended)


def _check_completed(ended: dict[str, CompletedCommand]) -> None:
    assert json_schema.problems(ended["well"].json, "list") == []
    assert all(job["phase"] == "done" and job["result"] for job in ended["well"].json)
    assert "babeltop: camb:x-fail: failed\n" in ended["failed"].err
    assert ended["failed"].out.splitlines()[2].startswith("failed  camb")
    assert [(job["fault"] or {}).get("kind") for job in ended["late"].json] == ["offline", None]
    assert "timed out: 2 of 2 jobs still running" in ended["late"].err
    assert "n-stuck" not in ended["by name"].out


def test_wait_returns_immediately_for_ended_jobs(configured: Program) -> None:
    configured.with_jobs("camb:a-fine")
    configured("check")
    configured("check")
    assert configured("wait", "--timeout", "1s").code == 0


def test_wait_ends_with_3_when_every_job_is_refused(configured: Program) -> None:
    configured.with_jobs(*(f"camb:a-{at}" for at in range(5)))
    configured.env["SERVICE_KEY"] = "wrong"
    completed = configured("wait", "--json")
    assert completed.code == 3
    assert "camb: CAMB.AI rejected the API key (401)" in completed.err


def test_wait_for_an_archived_job_is_refused_with_a_hint(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1", more="archived = true\n")
    by_name, rest, checked = configured.run_each("wait doc_1", "wait", "check")
    assert by_name.code == 2
    assert "babeltop archive --undo flixu:doc_1" in by_name.err
    assert (rest.code, checked.code) == (0, 0)
    assert "skipped" in checked.err


def test_an_interrupted_wait_is_exit_130_and_keeps_its_state(configured: Program) -> None:
    configured.with_jobs("camb:a-stuck")("check")
    waits = {number: configured.start("wait") for number in (signal.SIGINT, signal.SIGTERM)}
    for number, process in waits.items():
        _wait_for_handler(process, signal.SIGTERM)
        process.send_signal(number)
        completed = configured.end(process)
        assert (completed.code, completed.out) == (130, "")
    assert configured("list", "--json").json[0]["phase"] == "running"


@pytest.mark.waits
def test_watch_prints_one_line_per_change_until_sigterm(configured: Program) -> None:
    configured.with_jobs("camb:a-fine", "camb:b-fail")
    process = configured.start("watch", "--json")
    assert process.stdout
    events = []
    while {event["id"] for event in events if event["after"] in {"done", "failed"}} != {"a-fine", "b-fail"}:
        events.append(json.loads(process.stdout.readline()))
    process.send_signal(signal.SIGTERM)
    completed = configured.end(process)
    assert (completed.code, completed.out) == (0, "")
    assert [json_schema.problems(event, "watch") for event in events] == [[]] * len(events)
    assert [event["after"] for event in events if event["id"] == "b-fail"][-1] == "failed"
    assert {job["phase"] for job in configured("list", "--json").json} == {"done", "failed"}


def test_a_missing_or_blocked_job_is_exit_1(configured: Program) -> None:
    configured.with_jobs("konpro:a-missing", "konpro:b-pay")
    configured("check")
    completed, missing, paying = configured.run_each("check --json", "check a-missing", "check b-pay")
    assert (completed.code, missing.code, paying.code) == (1, 1, 1)
    assert [job["phase"] for job in completed.json] == ["missing", "blocked"]


def test_a_fault_of_one_account_is_exit_3_and_affects_no_other(configured: Program) -> None:
    configured.with_accounts("camb", "flixu", konpro=_closed_port()).with_jobs(
        "camb:a-fine", "konpro:b", "flixu:c-fine"
    )
    completed = configured("check", "--json")
    assert completed.code == 3
    assert [job["fault"] and job["fault"]["kind"] for job in completed.json] == [None, "offline", None]
    assert json_schema.problems(completed.json, "list") == []


def _wait_for_handler(process: subprocess.Popen[str], number: int) -> None:
    """Wait until the process has a handler for the signal: before, the signal would kill it."""
    status = Path(f"/proc/{process.pid}/status")
    wait_until(lambda: int(re.findall(r"SigCgt:\s*(\w+)", status.read_text())[0], 16) >> (number - 1) & 1)


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
