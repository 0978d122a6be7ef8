import difflib
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.fork_server import run_program
from tests.support.unprivileged_user import unprivileged
from tests.support.waiting import DEADLINE
from tests.support.watchlist_writers import expected_jobs
from tui.domain.models import Job, Ref
from tui.storage.watchlist.content import WatchlistError
from tui.storage.watchlist.editor import apply_to_text
from tui.storage.watchlist.file import WatchlistFile
from tui.storage.watchlist.operations import Add, Remove, RemovedBlock, Restore, Set
from tui.storage.watchlist.parser import parse

A, B, C = Ref("heygen", "a"), Ref("camb", "b"), Ref("flixu", "c")
GOLDEN = """\
# jobs of the autumn campaign
version = 1  # ours

# the big one
[[job]]
account = "heygen"
id = "a"
label = "Spring"   # not ours to name
owner = { name = "Ana" }

  # inside
tags = [
  "launch",  # [[job]]
  "ur",
]
[job.billing]
code = 7

# Ben's
[[job]]
account = "camb"
id = 'b'
note = '''
[[job]]
id = "none"
'''

[other]
job = "none of ours"

# last of all
[[job]]
account = "flixu"
id = "c"
# the end
"""


def diff(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


# Parser


def test_a_job_has_the_values_of_its_block() -> None:
    text = """
    [[job]]
    account = "heygen"
    id = "a"
    kind = "dub"
    label = "L"
    tags = ["x", "y"]
    note = "N"
    added = 2026-11-21T20:14:00Z
    keep_link = true
    download = true
    muted = true
    archived = true
    own_key = "kept"
    """
    job = Job(
        account="heygen", id="a", kind="dub", label="L", tags=("x", "y"), note="N", added=1795292040.0,
        keep_link=True, download=True, muted=True, archived=True,
    )  # fmt: skip
    assert parse(text) == ((job,), ())


@pytest.mark.parametrize("text", ["", "\ufeff", "# nothing\n", "version = 1\n[other]\nx = 1\n", "job = []\n"])
def test_a_list_without_jobs_is_empty(text: str) -> None:
    assert parse(text) == ((), ())


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-11-21T20:14:00Z", 1795292040.0),
        ("2026-11-21 21:14:00+01:00", 1795292040.0),
        ("2026-11-21T20:14:00", 1795292040.0),
        ("2026-11-21", 1795219200.0),
    ],
)
def test_added_without_offset_or_time_is_utc_midnight(written: str, instant: float) -> None:
    assert parse(f'[[job]]\naccount = "x"\nid = "1"\nadded = {written}\n').jobs[0].added == instant


def test_inline_jobs_are_read() -> None:
    assert [job.ref for job in parse('job = [ { account = "camb", id = "b" } ]').jobs] == [B]


def test_a_job_that_is_listed_twice_counts_once_and_is_reported() -> None:
    text = GOLDEN + '[[job]]\naccount = "heygen"\nid = "a"\nlabel = "later"\n'
    reading = parse(text)
    assert [(job.ref, job.label) for job in reading.jobs] == [(A, "Spring"), (B, ""), (C, "")]
    assert reading.problems == ("line 36: heygen:a is listed twice: the first entry counts",)


@pytest.mark.parametrize(
    ("text", "line", "column", "reason"),
    [
        ("x = 1\n[[job]\n", 2, 6, "Expected ']]'"),
        ("\ufeffx = \n", 1, 5, "Invalid value"),
        ('\r\nx = "a', 2, None, "Unterminated string"),
        ("x = " + "9" * 5000, None, None, "digits"),
        ("x = " + "[" * 100_000, None, None, "nested too deeply"),
        ('\n[[job]]\nid = "1"', 2, None, "account"),
        ('\n\n[[job]]\naccount = "x"', 3, None, "id"),
        ('[[job]]\naccount = ""\nid = "1"', 1, None, "account: must not be empty"),
        ('[[job]]\naccount = "x"\nid = 1', 1, None, "id: Expected str, got int"),
        (
            '[[job]]\naccount = "x"\nid = "1"\n[[job]]\naccount = "x"\nid = "a//b"',
            4,
            None,
            "id: a part of the id between '/' is empty",
        ),
        ('[[job]]\naccount = "x"\nid = "1"\ntags = ["a", 1]', 1, None, "tags[1]: Expected str"),
        ('[[job]]\naccount = "x"\nid = "1"\nmuted = 1', 1, None, "muted: Expected bool"),
        ('[[job]]\naccount = "x"\nid = "1"\nlabel = nan', 1, None, "label: Expected str"),
        ('[[job]]\naccount = "x"\nid = "1"\nadded = "today"', 1, None, "added: expected a date"),
        ('[[job]]\naccount = "x"\nid = "1"\nadded = 07:00:00', 1, None, "added: expected a date"),
        ('# one\n[job]\naccount = "x"\nid = "1"', 2, None, "[[job]]"),
        ("# one\njob = 3", 2, None, "[[job]]"),
        ('\njob = [ { account = "x" } ]', 2, None, "id"),
    ],
)
def test_an_invalid_watchlist_is_reported_with_line_and_column(text: str, line: int, column: int, reason: str) -> None:
    with pytest.raises(WatchlistError) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column)
    assert reason in caught.value.reason
    assert "\n" not in str(caught.value)


# What an operation does to a text


def test_adding_appends_a_block_and_touches_nothing_else() -> None:
    job = Job(
        account="heygen",
        id="new",
        kind="dub",
        label='Say "hi"\n\x7f',
        tags=("a", "b,\n]"),
        added=1795292040.9,
        muted=True,
    )
    text, outcome = apply_to_text(GOLDEN, Add((job, job, Job(account=C.account, id=C.id, label="later"))))
    assert text == GOLDEN + (
        '\n[[job]]\naccount = "heygen"\nid = "new"\nkind = "dub"\nlabel = "Say \\"hi\\"\\n\\u007f"\n'
        'tags = ["a", "b,\\n]"]\nadded = 2026-11-21T20:14:00Z\nmuted = true\n'
    )
    assert (outcome.added, outcome.unchanged) == ((job.ref,), (job.ref, C))


@pytest.mark.parametrize(
    ("before", "gap"),
    [("", ""), ("\ufeff", ""), ("# c", "\n\n"), ("# c\n", "\n"), ("# c\n\n", ""), ("x = 1\r\n", "\r\n"), ("\n \n", "")],
)
def test_an_added_block_follows_a_blank_line(before: str, gap: str) -> None:
    end = "\r\n" if "\r" in before else "\n"
    text, _ = apply_to_text(before, Add((Job(account="x", id="1"), Job(account="x", id="2"))))
    block = '[[job]]|account = "x"|id = "1"||[[job]]|account = "x"|id = "2"|'.replace("|", end)
    assert text == before + gap + block


def test_an_invalid_job_is_not_added() -> None:
    with pytest.raises(WatchlistError, match=r"'x:a//b' cannot be added: id: a part of the id between '/' is empty"):
        apply_to_text("", Add((Job(account="x", id="a//b"),)))
    with pytest.raises(WatchlistError, match="account: must not be empty"):
        apply_to_text("", Add((Job(account="", id="a"),)))


def test_removing_deletes_one_block_and_no_comment_around_it() -> None:
    text, outcome = apply_to_text(GOLDEN, Remove((A,)))
    assert diff(GOLDEN, text) == ["-" + line for line in GOLDEN.splitlines()[4:17]]
    assert outcome.removed == (A,)
    text, _ = apply_to_text(GOLDEN, Remove((B,)))
    assert diff(GOLDEN, text) == ["-" + line for line in GOLDEN.splitlines()[19:26]]
    text, _ = apply_to_text(GOLDEN, Remove((C,)))
    assert text.endswith("# last of all\n# the end\n")


PLAIN = '[[job]]\naccount = "x"\nid = "%s"\n'


@pytest.mark.parametrize("gone", ["1", "2", "3", "12", "13", "23", "123"])
@pytest.mark.parametrize("last", ["\n", "", "\n\n\n"])
def test_blank_lines_do_not_pile_up_where_blocks_were(gone: str, last: str) -> None:
    text = "\n".join(PLAIN % number for number in "123").rstrip() + last
    left, outcome = apply_to_text(text, Remove(tuple(Ref("x", number) for number in gone)))
    assert left.rstrip() == "\n".join(PLAIN % number for number in "123" if number not in gone).rstrip()
    assert not left.startswith("\n") or gone == "123"
    assert "\n\n\n" not in left.rstrip()
    assert left.endswith(("\n", last)) or not left
    assert apply_to_text(left, Restore(outcome.removed_blocks))[0] == text


def test_removing_deletes_every_block_of_a_job_that_is_listed_twice() -> None:
    text = "\n".join([PLAIN % "1", "# again", PLAIN % "2", PLAIN % "1", PLAIN % "3"])
    left, outcome = apply_to_text(text, Remove((Ref("x", "1"), Ref("x", "9"))))
    assert [job.id for job in parse(left).jobs] == ["2", "3"]
    assert (outcome.removed, outcome.not_found) == ((Ref("x", "1"),), (Ref("x", "9"),))
    assert apply_to_text(left, Restore(outcome.removed_blocks))[0] == text


def test_a_restored_block_finds_its_position_in_an_edited_list() -> None:
    text = "version = 1\n\n" + "\n".join(PLAIN % number for number in "123")
    left, outcome = apply_to_text(text, Remove((Ref("x", "2"),)))
    grown, _ = apply_to_text(left, Add((Job(account="x", id="4"),)))
    assert [job.id for job in parse(apply_to_text(grown, Restore(outcome.removed_blocks))[0]).jobs] == [
        "1",
        "2",
        "3",
        "4",
    ]
    headless, _ = apply_to_text(grown, Remove((Ref("x", "1"),)))
    assert [job.id for job in parse(apply_to_text(headless, Restore(outcome.removed_blocks))[0]).jobs] == [
        "3",
        "4",
        "2",
    ]
    again, _ = apply_to_text(left, Add((Job(account="x", id="2", label="mine"),)))
    same, put_back = apply_to_text(again, Restore(outcome.removed_blocks))
    assert (same, put_back.unchanged) == (again, (Ref("x", "2"),))


def test_a_restored_block_is_inside_no_other_table() -> None:
    left, outcome = apply_to_text(PLAIN % "1" + "# behind\n", Remove((Ref("x", "1"),)))
    edited = "version = 1\n[other]\ny = [\n1]\n# behind\n[more]\n" + left
    text, _ = apply_to_text(edited, Restore(outcome.removed_blocks))
    assert text == "version = 1\n" + PLAIN % "1" + "[other]\ny = [\n1]\n# behind\n[more]\n" + left
    text, _ = apply_to_text(
        "no_line_end = 1", Restore((RemovedBlock(B, '[[job]]\naccount = "camb"\nid = "b"', None, 0),))
    )
    assert parse(text).jobs == (Job(account="camb", id="b"),)


def test_setting_touches_the_lines_of_its_keys_alone() -> None:
    changes = {"label": "Summer", "tags": (), "note": "n\n", "keep_link": True, "muted": False}
    text, outcome = apply_to_text(GOLDEN, Set((A, B, Ref("x", "9")), changes))
    assert diff(GOLDEN, text) == [
        '-label = "Spring"   # not ours to name',
        '+label = "Summer"   # not ours to name',
        '+note = "n\\n"',
        "+keep_link = true",
        "-tags = [",
        '-  "launch",  # [[job]]',
        '-  "ur",',
        "-]",
        "-note = '''",
        "-[[job]]",
        '-id = "none"',
        "-'''",
        '+note = "n\\n"',
        '+label = "Summer"',
        "+keep_link = true",
    ]
    first, second, _ = parse(text).jobs
    assert (first.label, first.tags, first.note, first.keep_link) == ("Summer", (), "n\n", True)
    assert (second.label, second.note, second.keep_link) == ("Summer", "n\n", True)
    assert (outcome.changed, outcome.not_found) == ((A, B), (Ref("x", "9"),))


def test_a_new_key_follows_the_last_with_its_indentation() -> None:
    text = '  [[job]]\r\n\taccount = "camb"\r\n\tid = "b" # it'
    assert apply_to_text(text, Set((B,), {"archived": True}))[0] == text + "\r\n\tarchived = true"
    with_last = text + '\r\n\tlabel = "x"\r\n\t[job.sub]\r\n'
    assert (
        apply_to_text(with_last, Set((B,), {"label": "", "note": "n"}))[0]
        == text + '\r\n\tnote = "n"\r\n\t[job.sub]\r\n'
    )


def test_values_that_are_set_already_change_no_character() -> None:
    text = GOLDEN.replace('id = "c"', 'id = "c"\nmuted = false\nlabel = ""')
    operations = (
        Set((A, C), {"muted": False}),
        Set((A,), {"tags": ("launch", "ur"), "label": "Spring"}),
        Set((C,), {"label": ""}),
        Set((), {"label": "x"}),
        Add((Job(account="camb", id="b", label="other"),)),
        Remove((Ref("x", "1"),)),
        Restore(()),
    )
    for operation in operations:
        assert apply_to_text(text, operation)[0] == text
    assert apply_to_text(text, Set((A, C), {"muted": False}))[1].unchanged == (A, C)


@pytest.mark.parametrize("changes", [{"id": "x"}, {"added": 1.0}, {"colour": "red"}])
def test_other_keys_cannot_be_set(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="cannot be set"):
        Set((A,), changes)


@pytest.mark.parametrize("changes", [{"muted": 1}, {"tags": ["x"]}, {"label": None}])
def test_other_types_cannot_be_set(changes: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        Set((A,), changes)


@pytest.mark.parametrize(
    ("text", "operation", "line"),
    [
        ('\njob = [ { account = "camb", id = "b" } ]\n', Add((Job(account="x", id="1"),)), 2),
        ('\njob = [ { account = "camb", id = "b" } ]\n', Remove((B,)), 2),
        ('\njob = [ { account = "camb", id = "b" } ]\n', Set((B,), {"label": "x"}), 2),
        ("# one\njob = []\n", Add((Job(account="x", id="1"),)), 2),
        ('\n[[job]]\naccount = "camb"\nid = "b"\n[other]\n[job.late]\nx = 1\n', Remove((B,)), 2),
    ],
)
def test_an_edit_beyond_one_block_is_refused_with_the_line(text: str, operation: Add, line: int) -> None:
    with pytest.raises(WatchlistError, match="nothing was written") as caught:
        apply_to_text(text, operation)
    assert caught.value.line == line


def test_a_text_with_nan_can_be_edited() -> None:
    text = "x = [nan, {y = -nan}]\n" + PLAIN % "1"
    assert apply_to_text(text, Set((Ref("x", "1"),), {"label": "l"}))[0] == text + 'label = "l"\n'


# The file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "watchlist.toml"


def test_nothing_is_created_before_the_first_edit(tmp_path: Path) -> None:
    file = WatchlistFile(tmp_path / "none" / "watchlist.toml")
    assert file.stamp() is None
    assert file.read() == ((), ())
    assert list(tmp_path.iterdir()) == []


def test_a_new_file_and_its_folder_are_private(tmp_path: Path) -> None:
    path = tmp_path / "new" / "watchlist.toml"
    reading, outcome = WatchlistFile(path).edit(Add((Job(account="x", id="1"),)))
    assert path.read_text() == PLAIN % "1"
    assert (reading, outcome.added) == (parse(PLAIN % "1"), (Ref("x", "1"),))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert sorted(each.name for each in path.parent.iterdir()) == [".watchlist.toml.lock", "watchlist.toml"]
    assert stat.S_IMODE((path.parent / ".watchlist.toml.lock").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_the_mode_and_every_byte_outside_the_block_stay(path: Path, mode: int) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + GOLDEN.replace("\n", "\r\n").encode())
    path.chmod(mode)
    before = path.read_bytes()
    WatchlistFile(path).edit(Set((A,), {"label": "Été"}))
    assert path.read_bytes() == before.replace(b"Spring", "Été".encode())
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_an_edit_changes_the_stamp_and_an_edit_without_effect_does_not(path: Path) -> None:
    path.write_text(GOLDEN)
    file = WatchlistFile(path)
    before = file.stamp()
    file.edit(Add((Job(account="camb", id="b"),)))
    file.edit(Remove((Ref("x", "9"),)))
    assert file.stamp() == before
    file.edit(Set((B,), {"label": "x"}))
    assert file.stamp() != before


def test_an_edit_without_effect_creates_no_file(path: Path) -> None:
    WatchlistFile(path).edit(Remove((A,)))
    assert not path.exists()


@pytest.mark.parametrize("there", [True, False])
def test_a_symlink_stays_a_symlink_and_the_lock_is_beside_the_real_file(tmp_path: Path, there: bool) -> None:
    real, link = tmp_path / "shared" / "jobs.toml", tmp_path / "home" / "watchlist.toml"
    real.parent.mkdir()
    link.parent.mkdir()
    link.symlink_to(Path("..") / "shared" / "jobs.toml")
    if there:
        real.write_text(GOLDEN)
    WatchlistFile(link).edit(Add((Job(account="x", id="1"),)))
    assert link.is_symlink()
    assert parse(real.read_text()).jobs[-1].id == "1"
    assert {each.name for each in real.parent.iterdir()} == {"jobs.toml", ".jobs.toml.lock"}
    assert [each.name for each in link.parent.iterdir()] == ["watchlist.toml"]


def test_an_invalid_file_is_reported_and_never_overwritten(path: Path) -> None:
    path.write_text("[[job]]\nid = \n")
    file = WatchlistFile(path)
    stamp = file.stamp()
    for call in (file.read, lambda: file.edit(Add((Job(account="x", id="1"),)))):
        with pytest.raises(WatchlistError) as caught:
            call()
        assert str(caught.value) == f"{path}, line 2, column 6: Invalid value: edit the file"
        assert (caught.value.path, caught.value.line, caught.value.column) == (path, 2, 6)
    assert file.stamp() == stamp


def test_invalid_utf8_is_reported_with_its_line(path: Path) -> None:
    path.write_bytes('[[job]]\nlabel = "é"\n'.encode("latin-1"))
    with pytest.raises(WatchlistError, match=r"line 2: byte 0xe9 is not UTF-8: save the file as UTF-8"):
        WatchlistFile(path).read()


def test_text_that_utf8_cannot_encode_is_refused(path: Path) -> None:
    with pytest.raises(WatchlistError, match="cannot be encoded as UTF-8"):
        WatchlistFile(path).edit(Add((Job(account="x", id="1", label="\udcff"),)))
    assert [each.name for each in path.parent.iterdir()] == [".watchlist.toml.lock"]


def test_the_systems_reason_is_reported(tmp_path: Path) -> None:
    add = Add((Job(account="x", id="1"),))
    folder = WatchlistFile(tmp_path)
    with pytest.raises(WatchlistError, match=f"{tmp_path}: Is a directory"):
        folder.read()
    (tmp_path / "file").write_text("")
    with pytest.raises(WatchlistError, match="File exists"):
        WatchlistFile(tmp_path / "file" / "watchlist.toml").edit(add)
    with pytest.raises(WatchlistError, match="Not a directory"):
        WatchlistFile(tmp_path / "file" / "watchlist.toml").stamp()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(WatchlistError, match="symbolic links"):
        WatchlistFile(tmp_path / "loop").read()


def test_an_unwritable_file_or_folder_is_unchanged(path: Path) -> None:
    with unprivileged(path.parent):
        left_alone(path)


def left_alone(path: Path) -> None:
    file, add = WatchlistFile(path), Add((Job(account="x", id="1"),))
    path.write_text(GOLDEN)
    path.chmod(0o400)
    with pytest.raises(WatchlistError, match="Permission denied"):
        file.edit(add)
    path.chmod(0o600)
    path.parent.chmod(0o500)
    try:
        with pytest.raises(WatchlistError, match="Permission denied"):
            file.edit(add)
        assert file.read() == parse(GOLDEN)
    finally:
        path.parent.chmod(0o700)


def test_a_held_lock_is_reported_after_the_timeout(path: Path) -> None:
    from filelock import FileLock

    add = Add((Job(account="x", id="1"),))
    with FileLock(path.with_name(".watchlist.toml.lock"), thread_local=False):
        with pytest.raises(WatchlistError, match=r"another babeltop.* has held .*\.watchlist\.toml\.lock for 0.2 s"):
            WatchlistFile(path, lock_timeout=0.2).edit(add)
        waits = ThreadPoolExecutor(1).submit(WatchlistFile(path, lock_timeout=DEADLINE).edit, add)
    waits.result()
    assert "1" in path.read_text()


def test_threads_of_one_process_exclude_each_other(path: Path) -> None:
    file = WatchlistFile(path)

    def add(account: str) -> None:
        for number in range(10):
            file.edit(Add((Job(account=account, id=str(number)),)))

    threads = [threading.Thread(target=add, args=(account,)) for account in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(file.read().jobs) == 40


class Editor:
    """Editor without the lock, on a thread: it saves the file with a new last line repeatedly, until it is stopped."""

    PAUSE = 0.005
    """Seconds before each save: a change of thousands of jobs takes ten times as long."""

    def __init__(self, path: Path, saves: int) -> None:
        self._path, self._saves = path, saves
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        text = self._path.read_text()
        for save in range(self._saves):
            if self._over.wait(self.PAUSE):
                return
            draft = self._path.with_name("draft")
            draft.write_text(f"{text}# saved {save}\n")
            draft.replace(self._path)

    def __enter__(self) -> "Editor":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()


def test_text_that_an_editor_saves_meanwhile_is_not_overwritten(path: Path) -> None:
    path.write_text(GOLDEN + "".join(f'[[job]]\naccount = "many"\nid = "{number}"\n' for number in range(1500)))
    with Editor(path, saves=1):  # at 5 ms, while the change of so many jobs is under way
        WatchlistFile(path).edit(Set((A,), {"label": "Summer"}))
    assert "Summer" in path.read_text()
    assert path.read_text().endswith("# saved 0\n")
    with Editor(path, saves=10**6), pytest.raises(WatchlistError, match="keeps writing it"):
        WatchlistFile(path).edit(Set((A,), {"label": "Autumn"}))
    assert "Autumn" not in path.read_text()
    assert {each.name for each in path.parent.iterdir()} == {path.name, ".watchlist.toml.lock"}


# Several processes


def run(path: Path, story: str) -> None:
    command, root = ("-m", "tests.support.watchlist_writers", str(path), story), Path(__file__).parents[3]
    done = run_program(*command, cwd=root, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr


def test_two_processes_that_add_at_once_lose_nothing(path: Path) -> None:
    path.write_text("# mine\n")
    run(path, "add_concurrently")
    refs = {job.ref for job in WatchlistFile(path).read().jobs}
    assert refs == {Ref(account, str(number)) for account in "ab" for number in range(200)}
    assert path.read_text().startswith("# mine\n\n[[job]]")


def test_eight_processes_that_add_remove_restore_and_edit_lose_nothing(path: Path) -> None:
    path.write_text(GOLDEN)
    run(path, "edit_concurrently")
    jobs = WatchlistFile(path).read().jobs
    assert jobs[:3] == parse(GOLDEN).jobs
    assert {(job.ref, job.label, job.tags) for job in jobs[3:]} == expected_jobs()
    assert path.read_text().startswith(GOLDEN)


def test_the_temporary_file_of_a_killed_writer_is_deleted_by_the_next(path: Path) -> None:
    path.with_name(".watchlist.toml.tmp").write_text("half a fi")
    WatchlistFile(path).edit(Add((Job(account="last", id="1"),)))
    assert WatchlistFile(path).read().jobs[-1].ref == Ref("last", "1")
    assert {each.name for each in path.parent.iterdir()} == {path.name, ".watchlist.toml.lock"}


def test_reading_imports_neither_filelock_nor_tomli_w(path: Path) -> None:
    path.write_text(GOLDEN)
    code = (
        "import sys; from pathlib import Path; from tui.storage.watchlist.file import WatchlistFile;"
        f"WatchlistFile(Path({str(path)!r})).read();"
        "print({'filelock', 'tomli_w', 'asyncio', 'difflib'} & set(sys.modules))"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
