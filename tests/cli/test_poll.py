import json
import re
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli import json_schema
from tests.cli.conftest import CompletedCommand, Program
from tests.support.waiting import wait_until


@pytest.fixture
def another(babeltop: Program, service: str) -> Callable[[str], Program]:
    """More programs like it, each over folders of its own, so that their waits can run side by side."""

    def make(name: str) -> Program:
        return Program(babeltop.folder.parent / name, service).with_accounts("heygen", "konpro", "camb", "flixu")

    return make


def test_wait_ends_as_its_jobs_do_and_waits_out_a_service_that_is_down(another: Callable[[str], Program]) -> None:
    waits = {
        "well": (["w-fine-1", "w-fine-2"], ["wait", "--json"]),
        "failed": (["x-fine", "x-fail"], ["wait"]),
        "any": (["y-fine", "y-stuck"], ["wait", "--any"]),
        "late": (["flixu:down", "z-stuck"], ["wait", "--timeout", "2s", "--json"]),
        "by name": (["n-stuck", "n-fine"], ["wait", "n-fine", "--timeout", "60s"]),
    }
    running: dict[str, tuple[Program, subprocess.Popen[str]]] = {}
    for name, (jobs, args) in waits.items():
        program = another(name)
        program.with_accounts("camb", flixu=_closed_port()).with_jobs(
            *(job if ":" in job else f"camb:{job}" for job in jobs)
        )
        if name == "late":
            program("check")  # both have been asked, however slow the machine is
        running[name] = program, program.start(*args)
    ended = {name: program.end(process) for name, (program, process) in running.items()}
    assert {name: end.code for name, end in ended.items()} == {
        "well": 0,
        "failed": 1,
        "any": 0,
        "late": 124,
        "by name": 0,
    }
    _told_rightly(ended)


def _told_rightly(ended: dict[str, CompletedCommand]) -> None:
    assert json_schema.problems(ended["well"].json, "list") == []
    assert all(job["phase"] == "done" and job["result"] for job in ended["well"].json)
    assert "babeltop: camb:x-fail: failed\n" in ended["failed"].err
    assert ended["failed"].out.splitlines()[2].startswith("failed  camb")
    assert [(job["fault"] or {}).get("kind") for job in ended["late"].json] == ["offline", None]
    assert "timed out: 2 of 2 jobs still running" in ended["late"].err
    assert "n-stuck" not in ended["by name"].out


def test_wait_is_over_at_once_for_what_has_ended_already(four: Program) -> None:
    four.with_jobs("camb:a-fine")
    four("check")
    four("check")
    assert four("wait", "--timeout", "1s").code == 0


def test_wait_gives_up_only_where_every_job_is_refused(four: Program) -> None:
    four.with_jobs(*(f"camb:a-{at}" for at in range(5)))
    four.env["SERVICE_KEY"] = "wrong"
    told = four("wait", "--json")
    assert told.code == 3
    assert "camb: CAMB.AI rejected the API key (401)" in told.err


def test_wait_for_an_archived_job_names_the_way_out(four: Program) -> None:
    four.with_jobs("flixu:doc_1", more="archived = true\n")
    by_name, rest, checked = four.run_in_parallel("wait doc_1", "wait", "check")
    assert by_name.code == 2
    assert "babeltop archive --undo flixu:doc_1" in by_name.err
    assert (rest.code, checked.code) == (0, 0)
    assert "skipped" in checked.err


def test_an_interrupted_wait_is_130_and_forgets_nothing(four: Program) -> None:
    four.with_jobs("camb:a-stuck")("check")
    waits = {number: four.start("wait") for number in (signal.SIGINT, signal.SIGTERM)}
    for number, process in waits.items():
        _until_it_heeds(process, signal.SIGTERM)
        process.send_signal(number)
        told = four.end(process)
        assert (told.code, told.out) == (130, "")
    assert four("list", "--json").json[0]["phase"] == "running"


def test_watch_tells_a_line_a_change_until_it_is_terminated(four: Program) -> None:
    four.with_jobs("camb:a-fine", "camb:b-fail")
    process = four.start("watch", "--json")
    assert process.stdout
    events = []
    while {event["id"] for event in events if event["after"] in {"done", "failed"}} != {"a-fine", "b-fail"}:
        events.append(json.loads(process.stdout.readline()))
    process.send_signal(signal.SIGTERM)
    told = four.end(process)
    assert (told.code, told.out) == (0, "")
    assert [json_schema.problems(event, "watch") for event in events] == [[]] * len(events)
    assert [event["after"] for event in events if event["id"] == "b-fail"][-1] == "failed"
    assert {job["phase"] for job in four("list", "--json").json} == {"done", "failed"}


def test_a_fault_that_is_the_jobs_own_state_is_exit_1(four: Program) -> None:
    four.with_jobs("konpro:a-missing", "konpro:b-pay")
    four("check")
    told, missing, paying = four.run_in_parallel("check --json", "check a-missing", "check b-pay")
    assert (told.code, missing.code, paying.code) == (1, 1, 1)
    assert [job["phase"] for job in told.json] == ["missing", "blocked"]


def test_one_accounts_fault_leaves_the_others_alone_and_is_exit_3(four: Program) -> None:
    four.with_accounts("camb", "flixu", konpro=_closed_port()).with_jobs("camb:a-fine", "konpro:b", "flixu:c-fine")
    told = four("check", "--json")
    assert told.code == 3
    assert [job["fault"] and job["fault"]["kind"] for job in told.json] == [None, "offline", None]
    assert json_schema.problems(told.json, "list") == []


def _until_it_heeds(process: subprocess.Popen[str], number: int) -> None:
    """Until a handler for the signal stands, as Linux tells it: before, a signal is the end that the system gives."""
    status = Path(f"/proc/{process.pid}/status")
    wait_until(lambda: int(re.findall(r"SigCgt:\s*(\w+)", status.read_text())[0], 16) >> (number - 1) & 1)


def _closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
