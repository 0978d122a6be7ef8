"""Attacks by files: of other users, as symbolic links, tampered rows, oversized watchlists, hostile arguments."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from tests.cli.conftest import Program
from tui.presentation.filenames import Filename
from tui.storage.journal.checkpoints import DownloadCheckpoint

OTHER_USER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def program(babeltop: Program) -> Program:
    babeltop.with_accounts("camb").with_jobs("camb:a-fine")
    (babeltop.config / "providers").mkdir()
    (babeltop.config / "providers" / "acme.toml").write_text("")
    babeltop.state.mkdir(mode=0o700)
    (babeltop.state / "journal.db").touch(0o600)
    return babeltop


PLACES = ("config", "config/config.toml", "config/providers", "config/providers/acme.toml", "config/watchlist.toml")
STATE = ("state", "state/journal.db")


@pytest.mark.parametrize("place", [*PLACES, *STATE, "."])
def test_a_place_that_others_can_write_is_refused_with_the_way_out(program, place):
    path = (program.folder / place).resolve()
    mode = path.stat().st_mode
    for bits, remedy in ((0o020, "or set BABELTOP_SHARED_GROUP"), (0o002, f"chmod go-w {path}")):
        path.chmod(mode | bits)
        if bits == 0o020:
            os.chown(path, -1, 4242) if os.geteuid() == 0 else pytest.skip("only root changes groups")
        ended = program("list")
        assert (ended.code, ended.out) == (2, "")
        assert f"babeltop: {path} can be written by other users (mode " in ended.err
        assert remedy in ended.err
    path.chmod(mode)


@needs_root
@pytest.mark.parametrize("place", [*PLACES, *STATE])
def test_a_place_of_another_user_is_refused(program, place):
    path = program.folder / place
    os.chown(path, OTHER_USER, OTHER_USER)
    ended = program("list")
    assert (ended.code, ended.out) == (2, "")
    assert f"{path} belongs to another user (uid {OTHER_USER}) and decides what babeltop does" in ended.err


@needs_root
def test_a_symbolic_link_of_another_user_leads_to_no_folder(program):
    shared = program.folder / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "own").symlink_to(program.state)
    (shared / "link").symlink_to("own")
    os.chown(shared / "link", OTHER_USER, OTHER_USER, follow_symlinks=False)
    program.env["BABELTOP_STATE_DIR"] = str(shared / "own")
    assert program("list").code == 0
    program.env["BABELTOP_STATE_DIR"] = str(shared / "link")
    ended = program("list")
    assert ended.code == 2
    assert f"{shared / 'link'} belongs to another user (uid {OTHER_USER})" in ended.err


@needs_root
def test_a_symbolic_link_is_found_behind_the_parent_of_a_linked_folder(program):
    shared, inner = program.folder / "shared", program.folder / "deep" / "inner"
    inner.mkdir(parents=True)
    for folder in (shared, inner.parent):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o1777)
    (shared / "folder").symlink_to(inner)
    (inner / "up").symlink_to("../link")
    (inner.parent / "link").symlink_to(program.state)
    program.env["BABELTOP_STATE_DIR"] = str(shared / "folder" / "up")
    assert program("list").code == 0
    os.chown(inner.parent / "link", OTHER_USER, OTHER_USER, follow_symlinks=False)
    ended = program("list")
    assert ended.code == 2
    assert f"/link belongs to another user (uid {OTHER_USER})" in ended.err


@needs_root
def test_the_operator_can_trust_the_group_that_shares_a_folder(program):
    for path in (program.config, program.watchlist):
        os.chown(path, OTHER_USER, 1)
        path.chmod(path.stat().st_mode | 0o020)
    assert program("list").code == 2
    program.env["BABELTOP_SHARED_GROUP"] = "daemon"
    assert program("list").code == 0
    program.watchlist.chmod(0o666)
    assert "can be written by other users (mode 0666): chmod go-w" in program("list").err
    program.env["BABELTOP_SHARED_GROUP"] = "no-such-group"
    assert "BABELTOP_SHARED_GROUP: no group 'no-such-group'" in program("list").err


def test_no_symbolic_link_in_place_of_a_lock_or_the_log_is_followed(program):
    target = program.folder / "precious"
    target.write_text("precious")
    lock = program.config / ".watchlist.toml.lock"
    lock.symlink_to(target)
    ended = program("add", "camb:b-fine")
    assert ended.code == 2
    assert f"nothing was written: {lock} is a symbolic link, perhaps another user's: remove it" in ended.err
    log = program.state / "babeltop.log"
    log.symlink_to(target)
    ended = program("check")
    assert ended.code == 2
    assert f"babeltop: {log}: is a symbolic link: remove it\n" in ended.err
    log.unlink()
    (program.state / "downloads.lock").symlink_to(target)
    program("download", "camb:a-fine", "--dir", str(program.folder / "out"))
    assert target.read_text() == "precious"


def execute(program: Program, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(program.state / "journal.db")) as db, db:
        assert db.execute(statement, values).rowcount == 1


def test_a_tampered_download_row_touches_no_other_file(program):
    (program.config / "watchlist.toml").write_text('[[job]]\naccount = "camb"\nkind = "dub"\nid = "a-fine"\n')
    out = program.folder / "out"
    assert program("wait").code == 0
    assert program("list").code == 0
    names = Filename("precious", ".txt")
    for number, part in enumerate(("precious.txt", "../one/precious.part", "other.part", "precious.txt.part/x.txt")):
        target = program.folder / f"{number}" / part
        target.parent.mkdir(parents=True)
        target.write_text("precious")
        row = DownloadCheckpoint(part_path=str(target), filename=names, validator='"x"', total_bytes=3)
        for artifact in ("video", "text"):
            execute(
                program,
                "INSERT OR REPLACE INTO download_checkpoint VALUES (?,?,?,?)",
                *("camb", "a-fine", artifact, msgspec.json.encode(row)),
            )
        program("download", "camb:a-fine", "--dir", str(out))
        assert target.read_text() == "precious"


def test_a_link_in_the_journal_that_no_service_can_send_is_left_out(program):
    (program.config / "watchlist.toml").write_text('[[job]]\naccount = "camb"\nkind = "dub"\nid = "a-fine"\n')
    assert program("wait").code == 0
    assert [link["kind"] for link in program("list", "--json").json[0]["links"]]
    with closing(sqlite3.connect(program.state / "journal.db")) as db:
        (state,) = db.execute("SELECT state FROM job").fetchone()
    execute(program, "UPDATE job SET state=?", state.replace(b"http://127.0.0.1", b"file:///127.0.0.1"))
    assert program("list", "--json").json[0]["links"] == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".".join(["a"] * 20_000) + " = 1\n", "line 1: a key has more than 64 parts"),
        ("[" + " . ".join(['"a b"'] * 20_000) + "]\n", "line 1: a key has more than 64 parts"),
        ("x = 1\n[" + ".".join(["'a'"] * 20_000) + "]\n", "line 2: a key has more than 64 parts"),
        ("x = " + "[" * 100_000, "nested too deeply"),
        ("x = " + "{a=" * 100_000, "nested too deeply"),
        ("#" * (16 * 1024 * 1024 + 1), "is larger than 16 MiB"),
    ],
    ids=["dotted", "table", "quoted", "arrays", "tables", "size"],
)
def test_a_watchlist_that_would_take_long_to_parse_is_refused(program, text, message):
    program.watchlist.write_text(text)
    ended = program("list")
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert len(ended.err) < 1000


def test_text_with_many_dots_is_no_key(program):
    note = ".".join(["1"] * 500)
    program.watchlist.write_text(f'# {"x. " * 300}\n[[job]]\naccount = "camb"\nid = "a-fine"\nnote = "{note}"\n')
    assert program("list", "--json").json[0]["note"] == note


def test_an_argument_with_control_characters_is_escaped_in_its_error(program):
    for args in (["li\x1b]0;pwned\x07st"], ["list", "--\x1b[2J"], ["list", "--json=\x9b31m\u202e"], ["add", "--kind"]):
        ended = program(*args)
        assert ended.code == 2
        assert ended.err.replace("\n", "").isprintable()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_key_file_that_others_can_read_is_used_with_a_warning(program, mode):
    key = Path(program.folder) / "key"
    key.write_text("a-key-in-a-file")
    key.chmod(mode)
    config = program.config / "config.toml"
    config.write_text(config.read_text().replace('{ env = "SERVICE_KEY" }', f'{{ file = "{key}" }}'))
    ended = program("check")
    assert f"warning: key file {key} is readable by other users of this machine: chmod 600" in ended.err
