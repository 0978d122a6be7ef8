import csv
import io
import os
import pty
import subprocess
import sys

from tests.cli import json_schema
from tests.cli.conftest import Program


def test_check_then_list_say_the_same(four: Program) -> None:
    four.with_jobs("heygen:a-fine", "heygen:b-fail", "camb:c-fine", more='label = "Spring launch"\ntags = ["launch"]\n')
    four("check")
    checked = four("check", "--json")
    listed = four("list", "--json")
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


def test_a_second_check_keeps_an_estimates_anchor(four: Program) -> None:
    four.with_jobs("konpro:a-fine")("check")
    first, second = four("check", "--json").json, four("check", "--json").json
    assert first[0]["links"][0]["expires_at"] == second[0]["links"][0]["expires_at"] is not None
    assert second[0]["checked_at"] >= first[0]["checked_at"]


def test_list_filters_by_ref_phase_and_tag_in_the_watchlists_order(four: Program) -> None:
    four.with_jobs("flixu:doc_3", "flixu:doc_1", more='tags = ["a"]\n')
    four("add", "doc_2", "--tag", "b")
    expected = {
        "": ["doc_3", "doc_1", "doc_2"],
        "doc_2 flixu:doc_3": ["doc_3", "doc_2"],
        "--tag b": ["doc_2"],
        "--phase timed-out": [],
        "--phase new --phase done --tag a": ["doc_3", "doc_1"],
    }
    listed = four.run_in_parallel(*(f"list --json {args}" for args in expected))
    assert [[job["id"] for job in told.json] for told in listed] == list(expected.values())


def test_a_table_in_a_pipe_is_whole_and_says_what_is_wrong(four: Program) -> None:
    four.with_jobs("flixu:doc-fail-1", more=f'label = "{"L" * 200}"\n')
    four("check")
    four("check")
    told = four("list")
    titles, row = told.out.splitlines()
    assert titles.split() == ["STATUS", "ACCOUNT", "ID", "NAME", "LANG", "TIME", "LINK", "MESSAGE"]
    assert row.split()[:4] == ["failed", "flixu", "doc-fail-1", "L" * 200]
    assert told.err == ""


def test_on_a_terminal_no_line_is_wider_than_it(four: Program) -> None:
    four.with_jobs("flixu:doc-fail-1", more=f'label = "{"季度回顾" * 40}"\n')
    control, terminal = pty.openpty()
    env = four.env | {"COLUMNS": "80"}
    os.set_blocking(control, False)
    subprocess.run(["stty", "cols", "72"], stdin=terminal, check=True)
    subprocess.run([sys.executable, "-m", "tui", "list"], env=env, stdout=terminal, check=True)
    shown = os.read(control, 65536).decode()
    os.close(control)
    os.close(terminal)
    row = shown.splitlines()[1]
    assert sum(2 if "\u4e00" <= letter <= "\u9fff" else 1 for letter in row) <= 72
    assert "…" in row


def test_what_stands_in_the_file_cannot_drive_the_terminal(four: Program) -> None:
    four.watchlist.write_text(
        '[[job]]\naccount = "flixu"\nid = "a"\nlabel = "[/x][@click=app.quit]\\u001b]0;x\\u0007\\u202e"\n'
    )
    shown = four("list").out
    assert "[/x][@click=app.quit]" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)


def test_a_reader_that_leaves_early_is_no_error(four: Program) -> None:
    four.with_jobs(*(f"camb:job-{at}" for at in range(3000)))
    command = f"{sys.executable} -m tui list | head -1; exit ${{PIPESTATUS[0]}}"
    told = subprocess.run(["bash", "-c", command], env=four.env, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("STATUS")


def test_log_tells_the_changes_in_their_order(four: Program) -> None:
    four.with_jobs("heygen:a-fine", "heygen:b-fail")
    four("check", "a-fine")
    four("check")
    four("check")
    told, one, none, plain = four.run_in_parallel(
        "log --json", "log b-fail --since 1h --json", "log --since 0s", "log b-fail"
    )
    assert json_schema.problems(told.json, "log") == []
    assert [change["seen"] for change in told.json] == sorted(change["seen"] for change in told.json)
    assert [change["after"] for change in told.json if change["id"] == "a-fine"][-1] == "done"
    assert {change["id"] for change in one.json} == {"b-fail"}
    assert none.out == ""
    assert " -> failed  " in plain.out


def test_export_is_csv_or_json(four: Program) -> None:
    four.with_jobs("heygen:a-fine", more="label = 'Spring, \"launch\"\u00e9'\ntags = ['a', 'b']\n")
    four("check")
    four("check")
    (row,) = csv.DictReader(io.StringIO(four("export").out))
    assert (row["id"], row["label"], row["tags"]) == ("a-fine", 'Spring, "launch"\u00e9', "a b")
    assert (row["phase"], row["link_kind"], row["link_exact"]) == ("done", "video", "False")
    assert json_schema.problems(four("export", "--format", "json").json, "export") == []


def test_nothing_to_show_is_said_on_stderr_only(babeltop: Program) -> None:
    ended = babeltop.run_in_parallel("list", "log", "list --json", "log --json", "export --format json")
    assert [(told.code, told.out) for told in ended] == [(0, ""), (0, ""), (0, "[]\n"), (0, "[]\n"), (0, "[]\n")]
    assert all(told.err.startswith("babeltop: no ") for told in ended[:4])
