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
    told = four("add", HEYGEN, f"https://studio.camb.ai/runs/{CAMB}?tab=1", "doc_1", "konpro:k-1")
    assert (told.code, told.out) == (0, "")
    assert refs(four) == [f"heygen:{HEYGEN}", f"camb:{CAMB}", "flixu:doc_1", "konpro:k-1"]


def test_what_is_clear_is_added_and_the_rest_is_named(four: Program) -> None:
    told = four("add", "doc_1", "interview-4", "a b")
    assert (told.code, told.out) == (2, "")
    assert refs(four) == ["flixu:doc_1"]
    assert "not added: 'interview-4': ambiguous: select an account with --account: " in told.err
    assert "not added: 'a b'" in told.err
    assert "added: flixu:doc_1" in told.err


def test_the_only_account_takes_what_has_no_known_shape(babeltop: Program) -> None:
    assert babeltop.with_accounts("konpro")("add", "interview-4").code == 0
    assert refs(babeltop) == ["konpro:interview-4"]


def test_a_successor_beside_its_predecessor_is_not_guessed(babeltop: Program) -> None:
    assert babeltop.with_accounts("heygen", "heygen-v3", "konpro")("add", HEYGEN).code == 0
    assert refs(babeltop) == [f"heygen:{HEYGEN}"]


def test_ids_come_from_stdin_one_a_line(four: Program) -> None:
    told = four("add", "--account", "camb", "-", stdin="\ufeffone\r\n\n  two  \nthree")
    assert told.code == 0
    assert refs(four) == ["camb:one", "camb:two", "camb:three"]


def test_all_that_is_said_of_a_job_is_written(four: Program) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    tags = ("--tag", "a", "--tag", "b", "--tag", "a")
    told = four("add", "camb:x", "--kind", "dub", "--label", "L\x1b[31m", *tags, "--note", "two words")
    assert told.code == 0
    (job,) = jobs(four)
    assert before <= job.pop("added") <= datetime.now(UTC)
    assert job == {"account": "camb", "id": "x", "kind": "dub", "label": "L", "tags": ["a", "b"], "note": "two words"}


def test_a_kind_that_the_provider_does_not_have_is_refused(four: Program) -> None:
    told = four("add", "--kind", "dub", "doc_1", CAMB)
    assert told.code == 2
    assert "flixu has no kind 'dub'" in told.err
    assert refs(four) == [f"camb:{CAMB}"]


def test_what_is_there_already_stays_as_it_is(four: Program) -> None:
    four.with_jobs("flixu:doc_1", more='label = "first"\n')
    told = four("add", "doc_1", "doc_1", "--label", "second")
    assert (told.code, told.err) == (0, "babeltop: already on the watchlist: flixu:doc_1\n")
    assert [job["label"] for job in jobs(four)] == ["first"]


def test_on_a_terminal_it_asks_which_account(four: Program) -> None:
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


def test_edit_changes_what_is_said_and_nothing_else(four: Program) -> None:
    four.with_jobs("flixu:doc_1", "flixu:doc_2", more='label = "L"\ntags = ["a"]\n')
    assert four("edit", "doc_1", "flixu:doc_2", "--no-tags", "--label", "", "--keep-link", "--mute").code == 0
    assert [sorted(job) for job in jobs(four)] == [["account", "id", "keep_link", "muted"]] * 2
    assert four("edit", "doc_1", "--no-keep-link", "--no-mute", "--tag", "b").code == 0
    assert jobs(four)[0]["tags"] == ["b"]
    told = four("edit", "doc_1", "--tag", "b")
    assert (told.code, told.err) == (0, "babeltop: no change: flixu:doc_1\n")


def test_edit_refuses_a_kind_that_there_is_not(four: Program) -> None:
    four.with_jobs("flixu:doc_1")
    told = four("edit", "doc_1", "--kind", "dub")
    assert told.code == 2
    assert "flixu has no kind 'dub'" in told.err


def test_archive_puts_away_and_brings_back(four: Program) -> None:
    four.with_jobs("flixu:doc_1")
    assert four("archive", "doc_1").code == 0
    assert jobs(four)[0]["archived"] is True
    assert "archived" in four("list").out
    assert four("archive", "--undo", "doc_1").code == 0
    assert "archived" not in jobs(four)[0]


def test_one_unknown_ref_and_nothing_is_done(four: Program) -> None:
    before = four.with_jobs("flixu:doc_1").watchlist.read_bytes()
    for told in four.run_in_parallel(
        *(f"{verb} doc_1 doc_11 nope" for verb in ("remove", "edit --label x", "archive"))
    ):
        assert told.code == 2
        assert "no job 'doc_11' on the watchlist; did you mean flixu:doc_1?" in told.err
        assert "'nope'" in told.err
    assert four.watchlist.read_bytes() == before


def test_readonly_forbids_writing(four: Program) -> None:
    told = four("--readonly", "add", "doc_1")
    assert told.code == 2
    assert "--readonly" in told.err
    assert not four.watchlist.exists()


def test_another_watchlist_is_named_before_or_after_the_verb(four: Program) -> None:
    other = four.folder / "other.toml"
    assert four("--watchlist", str(other), "add", "doc_1").code == 0
    assert four("add", "doc_2", "--watchlist", str(other)).code == 0
    assert not four.watchlist.exists()
    assert len(four("list", "--watchlist", str(other), "--json").json) == 2
