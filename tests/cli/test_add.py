import os
import pty
import tomllib
from datetime import UTC, datetime

from tests.cli.conftest import Program
from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.fork_server import start_program

HEYGEN = "7544c0b52ada44fda693a15b1181b5b4-ur_ur-PK"
CAMB = "5f0c2c1e-3b8a-4f5e-9d0a-2b6c7d8e9f00"


def jobs(program: Program) -> list[dict]:
    return tomllib.loads(program.watchlist.read_text())["job"]


def refs(program: Program) -> list[str]:
    return [f"{job['account']}:{job['id']}" for job in jobs(program)]


def test_the_account_is_guessed_from_the_shape_of_an_id_or_link(configured: Program) -> None:
    completed = configured("add", HEYGEN, f"https://studio.camb.ai/runs/{CAMB}?tab=1", "doc_1", "konpro:k-1")
    assert (completed.code, completed.out) == (0, "")
    assert refs(configured) == [f"heygen:{HEYGEN}", f"camb:{CAMB}", "flixu:doc_1", "konpro:k-1"]


def test_valid_ids_are_added_and_the_others_are_named(configured: Program) -> None:
    completed = configured("add", "doc_1", "interview-4", "a b")
    assert (completed.code, completed.out) == (2, "")
    assert refs(configured) == ["flixu:doc_1"]
    assert "not added: 'interview-4': ambiguous: select an account with --account: " in completed.err
    assert "not added: 'a b'" in completed.err
    assert "added: flixu:doc_1" in completed.err


def test_an_id_without_a_pattern_goes_to_the_only_account(babeltop: Program) -> None:
    assert babeltop.with_accounts("konpro")("add", "interview-4").code == 0
    assert refs(babeltop) == ["konpro:interview-4"]


def test_a_predecessor_beside_its_successor_is_not_guessed(babeltop: Program) -> None:
    assert babeltop.with_accounts("heygen", "heygen-v2", "konpro")("add", HEYGEN).code == 0
    assert refs(babeltop) == [f"heygen:{HEYGEN}"]


def test_ids_are_read_from_stdin_one_per_line(configured: Program) -> None:
    completed = configured("add", "--account", "camb", "-", stdin="\ufeffone\r\n\n  two  \nthree")
    assert completed.code == 0
    assert refs(configured) == ["camb:one", "camb:two", "camb:three"]


def test_every_option_of_add_is_written_to_the_watchlist(configured: Program) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    tags = ("--tag", "a", "--tag", "b", "--tag", "a")
    completed = configured("add", "camb:x", "--kind", "dub", "--label", "L\x1b[31m", *tags, "--note", "two words")
    assert completed.code == 0
    (job,) = jobs(configured)
    assert before <= job.pop("added") <= datetime.now(UTC)
    assert job == {"account": "camb", "id": "x", "kind": "dub", "label": "L", "tags": ["a", "b"], "note": "two words"}


def test_an_unknown_kind_is_refused(configured: Program) -> None:
    completed = configured("add", "--kind", "dub", "doc_1", CAMB)
    assert completed.code == 2
    assert "flixu has no kind 'dub'" in completed.err
    assert refs(configured) == [f"camb:{CAMB}"]


def test_a_job_on_the_watchlist_is_left_unchanged(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1", more='label = "first"\n')
    completed = configured("add", "doc_1", "doc_1", "--label", "second")
    assert (completed.code, completed.err) == (0, "babeltop: already on the watchlist: flixu:doc_1\n")
    assert [job["label"] for job in jobs(configured)] == ["first"]


def test_on_a_terminal_add_prompts_for_the_account(configured: Program) -> None:
    ours, terminal = pty.openpty()
    command = ("-m", "tui", "add", "interview-4")
    with start_program(*command, env=configured.env, stdin=terminal, stderr=terminal) as process:
        os.close(terminal)
        shown = b""
        while b"Enter skips: " not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, b"2\n")
    os.close(ours)
    assert b"1  heygen" in shown
    assert b"4  flixu" in shown
    assert process.returncode == 0
    assert refs(configured) == ["konpro:interview-4"]


def test_two_loops_that_add_200_ids_each_at_once_make_400_jobs(configured: Program) -> None:
    writers = [
        (configured.start("add", "--account", "camb", "-"), "\n".join(f"{name}-{at}-{turn}" for at in range(50)))
        for turn in range(4)
        for name in "ab"
    ]
    assert {configured.end(process, lines).code for process, lines in writers} == {0}
    assert len(set(refs(configured))) == 400


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


def test_add_edit_and_remove_change_their_own_blocks_alone(configured: Program) -> None:
    configured.watchlist.write_text(COMMENTED)
    assert configured("add", "doc_2", "--tag", "x").code == 0
    added = configured.watchlist.read_text()
    assert added.startswith(COMMENTED)
    assert configured("edit", "doc_1", "--label", "Contract").code == 0
    edited = configured.watchlist.read_text()
    assert edited == added.replace("note = 'urgent'\n", "note = 'urgent'\nlabel = \"Contract\"\n")
    assert configured("remove", "doc_2", "one").code == 0
    left = configured.watchlist.read_text()
    assert "# What the launch waits for. Do not reorder.\n" in left
    assert "# Legal needs this one first:\n" in left
    assert refs(configured) == ["flixu:doc_1"]


def test_edit_changes_only_the_given_fields(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1", "flixu:doc_2", more='label = "L"\ntags = ["a"]\n')
    assert configured("edit", "doc_1", "flixu:doc_2", "--no-tags", "--label", "", "--keep-link", "--mute").code == 0
    assert [sorted(job) for job in jobs(configured)] == [["account", "id", "keep_link", "muted"]] * 2
    assert configured("edit", "doc_1", "--no-keep-link", "--no-mute", "--tag", "b").code == 0
    assert jobs(configured)[0]["tags"] == ["b"]
    completed = configured("edit", "doc_1", "--tag", "b")
    assert (completed.code, completed.err) == (0, "babeltop: no change: flixu:doc_1\n")


def test_edit_adds_removes_and_sets_tags(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1", "flixu:doc_2")
    for options, first, second in (
        (["doc_1", "--tags", "launch, q3 ,"], ["launch", "q3"], None),
        (["doc_1", "doc_2", "--tag", "x", "--tag", "q3"], ["launch", "q3", "x"], ["x", "q3"]),
        (["doc_1", "doc_2", "--untag", "x", "--untag", "none", "--tag", "y"], ["launch", "q3", "y"], ["q3", "y"]),
        (["doc_1", "--no-tags"], None, ["q3", "y"]),
        (["doc_2", "--untag", "q3", "--untag", "y"], None, None),
    ):
        assert configured("edit", *options).code == 0
        assert [job.get("tags") for job in jobs(configured)] == [first, second]


def test_edit_refuses_options_that_contradict_each_other(configured: Program) -> None:
    before = configured.with_jobs("flixu:doc_1").watchlist.read_bytes()
    for options, reason in (
        ("--keep-link --no-keep-link", "--no-keep-link: not allowed with argument --keep-link"),
        ("--no-mute --mute", "--mute: not allowed with argument --no-mute"),
        ("--tags a --no-tags", "--no-tags: not allowed with argument --tags"),
        ("--tag x --untag y --untag x", "--tag and --untag contradict each other: x"),
        ("--tags a --tag b", "--tags and --no-tags set all tags: use them without --tag and --untag"),
        ("--no-tags --untag b", "--tags and --no-tags set all tags: use them without --tag and --untag"),
    ):
        completed = configured("edit", "doc_1", *options.split())
        assert completed.code == 2
        assert reason in completed.err
    assert configured.watchlist.read_bytes() == before


def test_edit_refuses_an_unknown_kind(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1")
    completed = configured("edit", "doc_1", "--kind", "dub")
    assert completed.code == 2
    assert "flixu has no kind 'dub'" in completed.err


def test_archive_archives_and_unarchives(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1")
    assert configured("archive", "doc_1").code == 0
    assert jobs(configured)[0]["archived"] is True
    assert "archived" in configured("list").out
    assert configured("archive", "--undo", "doc_1").code == 0
    assert "archived" not in jobs(configured)[0]


def test_one_unknown_ref_stops_the_whole_command(configured: Program) -> None:
    before = configured.with_jobs("flixu:doc_1").watchlist.read_bytes()
    for completed in configured.run_each(
        *(f"{subcommand} doc_1 doc_11 nope" for subcommand in ("remove", "edit --label x", "archive"))
    ):
        assert completed.code == 2
        assert "no job 'doc_11' on the watchlist; did you mean flixu:doc_1?" in completed.err
        assert "'nope'" in completed.err
    assert configured.watchlist.read_bytes() == before


def test_a_dry_run_prints_what_would_be_added(configured: Program) -> None:
    before = configured.with_jobs("flixu:doc_1").watchlist.read_bytes()
    completed = configured("add", "--dry-run", "doc_1", "doc_2", HEYGEN, "doc_2", "interview-4", "--readonly")
    assert (completed.code, completed.out) == (2, f"flixu:doc_2\nheygen:{HEYGEN}\n")
    assert "already on the watchlist: flixu:doc_1\n" in completed.err
    assert "not added: 'interview-4': ambiguous" in completed.err
    assert configured.watchlist.read_bytes() == before


def test_a_filter_archives_and_removes_what_is_confirmed(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1", "flixu:doc_2", more='tags = ["old"]\n')
    assert configured("add", "doc_3", "doc_4", "--note", "keep").code == 0
    before = configured.watchlist.read_bytes()
    completed = configured("remove", "--filter", "tag:old")
    assert (completed.code, completed.err) == (
        2,
        "babeltop: remove 2 jobs: confirm with --yes, since there is no terminal for a prompt\n",
    )
    for arguments, reason in (
        (["--filter", "tag:old tag:", "--yes"], "tag: needs a value"),
        (["--filter", "", "--yes"], "expected a term"),
        (["--filter", "'old", "--yes"], "no closing quotation"),
        ([], "name the jobs to remove, or use --filter"),
    ):
        completed = configured("remove", *arguments)
        assert completed.code == 2
        assert reason in completed.err
    completed = configured("remove", "--filter", "tag:nothing", "--yes")
    assert (completed.code, completed.err) == (
        0,
        "babeltop: no jobs match 'tag:nothing' (4 on the watchlist); no job has tag nothing\n",
    )
    assert configured.watchlist.read_bytes() == before
    assert configured("archive", "--filter", "keep", "doc_4", "--yes").err == "babeltop: archived: flixu:doc_4\n"
    assert configured("remove", "--yes", "--filter=-keep").code == 0
    assert refs(configured) == ["flixu:doc_3", "flixu:doc_4"]


def test_a_filter_prompts_on_a_terminal(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1", "flixu:doc_2")
    for answer, left in (("n\n", ["flixu:doc_1", "flixu:doc_2"]), ("y\n", ["flixu:doc_2"])):
        with DashboardTerminal("remove", "--filter", "doc_1", environment=configured.env) as terminal:
            assert terminal.wait_for(lambda text: "remove 1 job? [y/N]" in text)
            terminal.type(answer)
            terminal.wait_for_exit()
        assert refs(configured) == left


def test_readonly_forbids_writing(configured: Program) -> None:
    for arguments in (("--readonly", "add", "doc_1"), ("add", "doc_1", "--readonly")):
        completed = configured(*arguments)
        assert completed.code == 2
        assert "--readonly" in completed.err
        assert not configured.watchlist.exists()


def test_the_watchlist_option_stands_before_or_after_the_subcommand(configured: Program) -> None:
    other = configured.folder / "other.toml"
    assert configured("--watchlist", str(other), "add", "doc_1").code == 0
    assert configured("add", "doc_2", "--watchlist", str(other)).code == 0
    assert not configured.watchlist.exists()
    assert len(configured("list", "--watchlist", str(other), "--json").json) == 2
