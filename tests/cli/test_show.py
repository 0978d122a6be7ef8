import csv
import io
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import json_schema
from tests.cli.conftest import Program
from tests.support.fork_server import start_program
from tests.support.waiting import DEADLINE


def test_list_shows_the_state_of_the_last_check(configured: Program) -> None:
    configured.with_jobs(
        "heygen:a-fine", "heygen:b-fail", "camb:c-fine", more='label = "Spring launch"\ntags = ["launch"]\n'
    )
    configured("check")
    checked = configured("check", "--json")
    listed = configured("list", "--json")
    assert listed.json == checked.json
    assert json_schema.problems(listed.json, "list") == []
    assert [(job["id"], job["phase"]) for job in listed.json] == [
        ("a-fine", "done"),
        ("b-fail", "failed"),
        ("c-fine", "done"),
    ]
    assert listed.json[0]["links"][0]["exact"] is False
    assert listed.json[2]["result"]
    assert (checked.code, listed.code) == (1, 0)


def test_a_second_check_keeps_an_estimated_expiry(configured: Program) -> None:
    configured.with_jobs("konpro:a-fine")("check")
    first, second = configured("check", "--json").json, configured("check", "--json").json
    assert first[0]["links"][0]["expires_at"] == second[0]["links"][0]["expires_at"] is not None
    assert second[0]["checked_at"] >= first[0]["checked_at"]


def test_list_filters_by_ref_phase_and_tag_in_the_watchlists_order(configured: Program) -> None:
    configured.with_jobs("flixu:doc_3", "flixu:doc_1", more='tags = ["a"]\n')
    configured("add", "doc_2", "--tag", "b")
    expected = {
        "": ["doc_3", "doc_1", "doc_2"],
        "doc_2 flixu:doc_3": ["doc_3", "doc_2"],
        "--tag b": ["doc_2"],
        "--phase timed-out": [],
        "--phase new --phase done --tag a": ["doc_3", "doc_1"],
    }
    listed = configured.run_each(*(f"list --json {args}" for args in expected))
    assert [[job["id"] for job in completed.json] for completed in listed] == list(expected.values())


def test_a_table_in_a_pipe_is_uncut_and_has_messages(configured: Program) -> None:
    configured.with_jobs("flixu:doc-fail-1", more=f'label = "{"L" * 200}"\n')
    configured("check")
    configured("check")
    completed = configured("list")
    titles, row = completed.out.splitlines()
    assert titles.split() == ["STATUS", "ACCOUNT", "ID", "NAME", "LANG", "TIME", "LINK", "MESSAGE"]
    assert row.split()[:4] == ["failed", "flixu", "doc-fail-1", "L" * 200]
    assert completed.err == ""


def test_on_a_terminal_no_line_is_wider_than_it(configured: Program) -> None:
    configured.with_jobs("flixu:doc-fail-1", more=f'label = "{"季度回顾" * 40}"\n')
    control, terminal = pty.openpty()
    env = configured.env | {"COLUMNS": "80"}
    os.set_blocking(control, False)
    subprocess.run(["stty", "cols", "72"], stdin=terminal, check=True)
    with start_program("-m", "tui", "list", env=env, stdout=terminal) as process:
        assert process.wait(DEADLINE) == 0
    shown = os.read(control, 65536).decode()
    os.close(control)
    os.close(terminal)
    row = shown.splitlines()[1]
    assert sum(2 if "\u4e00" <= letter <= "\u9fff" else 1 for letter in row) <= 72
    assert "…" in row


def test_escape_sequences_of_the_watchlist_do_not_reach_the_terminal(configured: Program) -> None:
    configured.watchlist.write_text(
        '[[job]]\naccount = "flixu"\nid = "a"\nlabel = "[/x][@click=app.quit]\\u001b]0;x\\u0007\\u202e"\n'
    )
    shown = configured("list").out
    assert "[/x][@click=app.quit]" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_a_closed_pipe_is_no_error(configured: Program) -> None:
    configured.with_jobs(*(f"camb:job-{at}" for at in range(3000)))
    command = f"{sys.executable} -m tui list | head -1; exit ${{PIPESTATUS[0]}}"
    completed = subprocess.run(["bash", "-c", command], env=configured.env, capture_output=True, text=True, check=False)
    assert (completed.returncode, completed.stderr) == (0, "")
    assert completed.stdout.startswith("STATUS")


@pytest.mark.parametrize(
    ("command", "stream", "code"),
    [
        ("list", "stderr", 0),
        ("list --nonsense", "stderr", 2),
        ("show heygen:none", "stderr", 2),
        ("--help", "stdout", 0),
    ],
)
def test_a_stream_without_a_reader_does_not_change_the_exit_code(
    configured: Program, command: str, stream: str, code: int
) -> None:
    read, write = os.pipe()
    os.close(read)
    with start_program("-m", "tui", *command.split(), env=configured.env, **{stream: write}) as process:
        os.close(write)
    assert process.returncode == code


@pytest.mark.skipif(sys.platform != "linux", reason="needs /dev/full")
def test_a_full_disk_changes_the_exit_code(configured: Program) -> None:
    with Path("/dev/full").open("w") as full:
        process = start_program("-m", "tui", "--help", env=configured.env, stdout=full)
    assert process.wait(DEADLINE) == 120


def test_log_lists_changes_in_order(configured: Program) -> None:
    configured.with_jobs("heygen:a-fine", "heygen:b-fail")
    configured("check", "a-fine")
    configured("check")
    configured("check")
    completed, one, none, plain = configured.run_each(
        "log --json", "log b-fail --since 1h --json", "log --since 0s", "log b-fail"
    )
    assert json_schema.problems(completed.json, "log") == []
    assert [change["seen"] for change in completed.json] == sorted(change["seen"] for change in completed.json)
    assert [change["after"] for change in completed.json if change["id"] == "a-fine"][-1] == "done"
    assert {change["id"] for change in one.json} == {"b-fail"}
    assert none.out == ""
    assert " -> failed  " in plain.out


def test_export_is_csv_or_json(configured: Program) -> None:
    configured.with_jobs("heygen:a-fine", more="label = 'Spring, \"launch\"\u00e9'\ntags = ['a', 'b']\n")
    configured("check")
    configured("check")
    (row,) = csv.DictReader(io.StringIO(configured("export").out))
    assert (row["id"], row["label"], row["tags"]) == ("a-fine", 'Spring, "launch"\u00e9', "a b")
    assert (row["phase"], row["link_kind"], row["link_exact"]) == ("done", "video", "False")
    assert json_schema.problems(configured("export", "--format", "json").json, "export") == []


def test_an_empty_result_is_reported_on_stderr_only(babeltop: Program) -> None:
    ended = babeltop.run_each("list", "log", "list --json", "log --json", "export --format json")
    assert [(completed.code, completed.out) for completed in ended] == [
        (0, ""),
        (0, ""),
        (0, "[]\n"),
        (0, "[]\n"),
        (0, "[]\n"),
    ]
    assert all(completed.err.startswith("babeltop: no ") for completed in ended[:4])


def test_a_filter_selects_the_jobs_of_every_subcommand_that_polls_or_prints(configured: Program) -> None:
    configured.with_accounts("camb", "flixu").with_jobs("camb:a-fine", "flixu:doc_b-fine", more='tags = ["launch"]\n')
    assert configured("add", "camb:c-fail", "--tag", "other").code == 0
    listed, checked, waited, excluded = configured.run_each(
        "list --json --filter tag:launch",
        "check --json --filter provider:camb",
        "wait --json --filter tag:launch --timeout 60s",
        "list --json a-fine doc_b-fine --filter=-account:camb",
    )
    assert [job["id"] for job in listed.json] == ["a-fine", "doc_b-fine"]
    assert [job["id"] for job in checked.json] == ["a-fine", "c-fail"]
    assert ([job["id"] for job in waited.json], waited.code) == (["a-fine", "doc_b-fine"], 0)
    assert [job["id"] for job in excluded.json] == ["doc_b-fine"]
    saved, none = configured.run_each("download --json --filter doc_b", "download --filter account:camb c-fail")
    assert ([each["id"] for each in saved.json], saved.code) == (["doc_b-fine"], 0)
    assert none.code == 1
    for completed in configured.run_each(*(f"{name} --filter nowhere" for name in ("list", "check", "wait"))):
        assert (completed.code, completed.err) == (0, "babeltop: no jobs match 'nowhere' (3 on the watchlist)\n")


def test_a_wrong_filter_ends_every_subcommand_that_takes_one(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1", more='tags = ["launch"]\n')
    names = ("list", "check", "wait", "download", "archive --yes", "remove --yes")
    for text, reason in (
        ("phase:faild", "no phase faild; did you mean failed?"),
        ("foo:bar", "no field foo; did you mean flag?"),
        ("account:flixx", "no account flixx; did you mean flixu?"),
        ("age>2", "age>2 needs a unit: s, m, h or d"),
    ):
        tried = names if text == "foo:bar" else names[:1]
        for completed in configured.run_each(*(f"{name} --filter {text}" for name in tried)):
            assert (completed.code, completed.err) == (2, f"babeltop: --filter '{text}': {reason}\n")
    assert "flixu" not in configured("list", "--filter", "tag:lanch").out
    assert configured("list", "--filter", "tag:lanch").err.endswith("; no job has tag lanch; did you mean launch?\n")
