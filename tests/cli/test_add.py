import os
import pty
import subprocess
import sys
import tomllib
from datetime import UTC, datetime

from tests.cli.conftest import Program

HEYGEN = "7544c0b52ada44fda693a15b1181b5b4-ur_ur-PK"
CAMB = "5f0c2c1e-3b8a-4f5e-9d0a-2b6c7d8e9f00"


def jobs(program: Program) -> list[dict]:
    return tomllib.loads(program.watchlist.read_text())["job"]


def refs(program: Program) -> list[str]:
    return [f"{job['account']}:{job['id']}" for job in jobs(program)]


def test_the_account_is_guessed_from_the_shape_of_an_id_or_link(four: Program) -> None:
    completed = four("add", HEYGEN, f"https://studio.camb.ai/runs/{CAMB}?tab=1", "doc_1", "konpro:k-1")
    assert (completed.code, completed.out) == (0, "")
    assert refs(four) == [f"heygen:{HEYGEN}", f"camb:{CAMB}", "flixu:doc_1", "konpro:k-1"]


def test_valid_ids_are_added_and_the_others_are_named(four: Program) -> None:
    completed = four("add", "doc_1", "interview-4", "a b")
    assert (completed.code, completed.out) == (2, "")
    assert refs(four) == ["flixu:doc_1"]
    assert "not added: 'interview-4': ambiguous: select an account with --account: " in completed.err
    assert "not added: 'a b'" in completed.err
    assert "added: flixu:doc_1" in completed.err


def test_an_id_without_a_pattern_goes_to_the_only_account(babeltop: Program) -> None:
    assert babeltop.with_accounts("konpro")("add", "interview-4").code == 0
    assert refs(babeltop) == ["konpro:interview-4"]


def test_a_successor_beside_its_predecessor_is_not_guessed(babeltop: Program) -> None:
    assert babeltop.with_accounts("heygen", "heygen-v3", "konpro")("add", HEYGEN).code == 0
    assert refs(babeltop) == [f"heygen:{HEYGEN}"]


def test_ids_are_read_from_stdin_one_per_line(four: Program) -> None:
    completed = four("add", "--account", "camb", "-", stdin="\ufeffone\r\n\n  two  \nthree")
    assert completed.code == 0
    assert refs(four) == ["camb:one", "camb:two", "camb:three"]


def test_every_option_of_add_is_written_to_the_watchlist(four: Program) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    tags = ("--tag", "a", "--tag", "b", "--tag", "a")
    completed = four("add", "camb:x", "--kind", "dub", "--label", "L\x1b[31m", *tags, "--note", "two words")
    assert completed.code == 0
    (job,) = jobs(four)
    assert before <= job.pop("added") <= datetime.now(UTC)
    assert job == {"account": "camb", "id": "x", "kind": "dub", "label": "L", "tags": ["a", "b"], "note": "two words"}


def test_an_unknown_kind_is_refused(four: Program) -> None:
    completed = four("add", "--kind", "dub", "doc_1", CAMB)
    assert completed.code == 2
    assert "flixu has no kind 'dub'" in completed.err
    assert refs(four) == [f"camb:{CAMB}"]


def test_a_job_on_the_watchlist_is_left_unchanged(four: Program) -> None:
    four.with_jobs("flixu:doc_1", more='label = "first"\n')
    completed = four("add", "doc_1", "doc_1", "--label", "second")
    assert (completed.code, completed.err) == (0, "babeltop: already on the watchlist: flixu:doc_1\n")
    assert [job["label"] for job in jobs(four)] == ["first"]


def test_on_a_terminal_add_prompts_for_the_account(four: Program) -> None:
    ours, terminal = pty.openpty()
    command = [sys.executable, "-m", "tui", "add", "interview-4"]
    with subprocess.Popen(command, env=four.env, stdin=terminal, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        while b"Enter skips: " not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, b"2\n")
    os.close(ours)
    assert b"1  heygen" in shown
    assert b"4  flixu" in shown
    assert process.returncode == 0
    assert refs(four) == ["konpro:interview-4"]


def test_two_loops_that_add_200_ids_each_at_once_make_400_jobs(four: Program) -> None:
    writers = [
        (four.start("add", "--account", "camb", "-"), "\n".join(f"{name}-{at}-{turn}" for at in range(50)))
        for turn in range(4)
        for name in "ab"
    ]
    assert {four.end(process, lines).code for process, lines in writers} == {0}
    assert len(set(refs(four))) == 400


COMMENTED = """\
# What the launch waits for. Do not reorder.

[[job]]          # the teaser
account = "camb" # text only
id = "one"

# Legal needs this one first:
[[job]]
account = "flixu"
id = "doc_1"
note = 'urgent'
"""


def test_add_edit_and_remove_change_their_own_blocks_alone(four: Program) -> None:
    four.watchlist.write_text(COMMENTED)
    assert four("add", "doc_2", "--tag", "x").code == 0
    added = four.watchlist.read_text()
    assert added.startswith(COMMENTED)
    assert four("edit", "doc_1", "--label", "Contract").code == 0
    edited = four.watchlist.read_text()
    assert edited == added.replace("note = 'urgent'\n", "note = 'urgent'\nlabel = \"Contract\"\n")
    assert four("remove", "doc_2", "one").code == 0
    left = four.watchlist.read_text()
    assert "# What the launch waits for. Do not reorder.\n" in left
    assert "# Legal needs this one first:\n" in left
    assert refs(four) == ["flixu:doc_1"]


def test_edit_changes_only_the_given_fields(four: Program) -> None:
    four.with_jobs("flixu:doc_1", "flixu:doc_2", more='label = "L"\ntags = ["a"]\n')
    assert four("edit", "doc_1", "flixu:doc_2", "--no-tags", "--label", "", "--keep-link", "--mute").code == 0
    assert [sorted(job) for job in jobs(four)] == [["account", "id", "keep_link", "muted"]] * 2
    assert four("edit", "doc_1", "--no-keep-link", "--no-mute", "--tag", "b").code == 0
    assert jobs(four)[0]["tags"] == ["b"]
    completed = four("edit", "doc_1", "--tag", "b")
    assert (completed.code, completed.err) == (0, "babeltop: no change: flixu:doc_1\n")


def test_edit_refuses_an_unknown_kind(four: Program) -> None:
    four.with_jobs("flixu:doc_1")
    completed = four("edit", "doc_1", "--kind", "dub")
    assert completed.code == 2
    assert "flixu has no kind 'dub'" in completed.err


def test_archive_archives_and_unarchives(four: Program) -> None:
    four.with_jobs("flixu:doc_1")
    assert four("archive", "doc_1").code == 0
    assert jobs(four)[0]["archived"] is True
    assert "archived" in four("list").out
    assert four("archive", "--undo", "doc_1").code == 0
    assert "archived" not in jobs(four)[0]


def test_one_unknown_ref_stops_the_whole_command(four: Program) -> None:
    before = four.with_jobs("flixu:doc_1").watchlist.read_bytes()
    for completed in four.run_in_parallel(
        *(f"{verb} doc_1 doc_11 nope" for verb in ("remove", "edit --label x", "archive"))
    ):
        assert completed.code == 2
        assert "no job 'doc_11' on the watchlist; did you mean flixu:doc_1?" in completed.err
        assert "'nope'" in completed.err
    assert four.watchlist.read_bytes() == before


def test_readonly_forbids_writing(four: Program) -> None:
    completed = four("--readonly", "add", "doc_1")
    assert completed.code == 2
    assert "--readonly" in completed.err
    assert not four.watchlist.exists()


def test_the_watchlist_option_stands_before_or_after_the_subcommand(four: Program) -> None:
    other = four.folder / "other.toml"
    assert four("--watchlist", str(other), "add", "doc_1").code == 0
    assert four("add", "doc_2", "--watchlist", str(other)).code == 0
    assert not four.watchlist.exists()
    assert len(four("list", "--watchlist", str(other), "--json").json) == 2
