"""Invalid input: a clear error, and no data lost."""

import os
from collections.abc import Iterator

import pytest

from tests.cli import json_schema
from tests.cli.conftest import KEY, Program

JOB = '[[job]]\naccount = "flixu"\nid = "doc_1"\n'


@pytest.mark.parametrize("text", ["", "\ufeff# nothing yet\n"])
def test_an_empty_watchlist_is_no_error(configured: Program, text: str) -> None:
    configured.watchlist.write_text(text)
    listed, *others = configured.run_each("list --json", "check", "wait")
    assert (listed.json, [completed.code for completed in others]) == ([], [0, 0])
    assert configured("add", "doc_1").code == 0
    assert configured.watchlist.read_text().startswith(text.removesuffix("\n"))


def test_broken_toml_is_named_by_line_and_column_and_left_alone(configured: Program) -> None:
    broken = f"{JOB}\n[[job]\nid = 3\n"
    configured.watchlist.write_text(broken)
    lines = ("list", "check", "wait", "add doc_2", "remove doc_1", "log", "export", "watch")
    for completed in configured.run_each(*lines):
        assert (completed.code, completed.out) == (2, "")
        assert f"{configured.watchlist}, line 5, column 6: " in completed.err
    assert configured.watchlist.read_text() == broken


def test_an_unknown_account_is_refused_and_the_nearest_named(configured: Program) -> None:
    completed = configured("add", "--account", "flixi", "doc_1")
    assert completed.code == 2
    assert "no account 'flixi': did you mean 'flixu'?" in completed.err
    assert not configured.watchlist.exists()


def test_a_job_of_an_account_that_is_not_configured_is_refused_by_name(configured: Program) -> None:
    configured.watchlist.write_text(JOB.replace("flixu", "flixi"))
    completed = configured("check", "--json")
    assert completed.code == 3
    assert completed.json[0]["fault"]["kind"] == "refused"
    assert "flixi" in completed.json[0]["fault"]["message"]
    assert completed.json[0]["provider"] is None
    assert json_schema.problems(completed.json, "list") == []


def test_a_duplicate_job_is_reported_and_counted_once(configured: Program) -> None:
    configured.watchlist.write_text(JOB * 2)
    completed = configured("list", "--json")
    assert (completed.code, len(completed.json)) == (0, 1)
    assert f"warning: {configured.watchlist}: line 4: flixu:doc_1 is listed twice" in completed.err


REFUSED = {
    "a b": "white space",
    "a/b": "no '/'",
    "..": "would change the request path",
    "x" * 5000: "at most 512 characters",
    "a\x1b]0;x\x07": "invisible character (U+001B)",
    "": "empty id",
}
"""Invalid ids, and the reason."""


def test_an_invalid_id_is_refused(configured: Program) -> None:
    running = [configured.start("add", "--account", "flixu", given) for given in REFUSED]
    for process, why in zip(running, REFUSED.values(), strict=True):
        completed = configured.end(process)
        assert completed.code == 2
        assert why in completed.err
        assert "\x1b" not in completed.err
        assert len(completed.err) < 400
    assert not configured.watchlist.exists()


def test_without_accounts_add_explains_how_to_configure_one(babeltop: Program) -> None:
    completed = babeltop("add", "doc_1")
    assert completed.code == 2
    assert "CAMB_API_KEY" in completed.err
    assert "`babeltop providers` lists them" in completed.err
    assert str(babeltop.config / "config.toml") in completed.err


def test_a_key_variable_alone_defines_an_account(babeltop: Program) -> None:
    babeltop.env["FLIXU_API_KEY"] = KEY
    assert babeltop("add", "anything").code == 0
    assert babeltop("list", "--json").json[0]["account"] == "flixu"


def test_without_a_key_a_job_is_refused_and_the_variable_named(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1")
    del configured.env["SERVICE_KEY"]
    for completed in configured.run_each("check --json", "wait --json"):
        assert completed.code == 3
        assert completed.json[0]["fault"]["kind"] == "refused"
        assert "SERVICE_KEY is not set" in completed.json[0]["fault"]["message"]


def test_a_wrong_key_is_refused_by_the_service(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1")
    configured.env["SERVICE_KEY"] = "wrong"
    completed = configured("check", "--json")
    assert completed.code == 3
    assert completed.json[0]["fault"]["http_status"] == 401
    assert completed.json[0]["phase"] == "new"


def test_an_unknown_config_key_is_reported_with_the_closest_valid_one(configured: Program) -> None:
    (configured.config / "config.toml").write_text('[poling]\nmax_interval = "5s"\n[ui]\ntheem = "x"\n')
    for completed in configured.run_each("list", "check", "add doc_1", "providers"):
        assert (completed.code, completed.out) == (2, "")
        assert "poling: unknown key; did you mean 'polling'?" in completed.err
        assert "ui.theem: unknown key; did you mean 'theme'?" in completed.err


def test_plain_http_to_another_host_is_refused_and_the_account_named(babeltop: Program) -> None:
    babeltop.with_accounts(flixu="http://192.0.2.1")
    completed = babeltop("list")
    assert completed.code == 2
    assert "accounts.flixu.base_url: plain http" in completed.err


def test_a_damaged_journal_is_replaced_and_reported(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1")
    configured.state.mkdir()
    (configured.state / "journal.db").write_text(
        "this is no journal, and longer than a header of SQLite would have to be" * 9
    )
    completed = configured("list")
    assert completed.code == 0
    assert f"{configured.state / 'journal.db'}: the journal was damaged" in completed.err
    assert "doc_1" in completed.out
    assert configured("list").err == ""


def test_a_state_folder_that_cannot_be_created_is_named(configured: Program) -> None:
    configured.with_jobs("flixu:doc_1")
    configured.state.write_text("a file stands where the folder should")
    completed = configured("check")
    assert completed.code == 2
    assert str(configured.state) in completed.err


def test_an_internal_error_is_one_line_and_its_traceback_is_in_the_log(configured: Program) -> None:
    configured.env["COLUMNS"] = "80"
    configured.env["PYTHONPATH"] = str(configured.folder)
    (configured.folder / "csv.py").write_text("raise RuntimeError('csv is broken')\n")
    configured.with_jobs("flixu:doc_1")
    completed = configured.end(configured.start("export"))
    log = configured.state / "babeltop.log"
    assert completed.code == 70
    assert completed.err == f"babeltop: internal error (RuntimeError), see {log}\n"
    assert "RuntimeError: csv is broken" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


UNKNOWN_USER_ID = 54321
"""User without an entry in /etc/passwd, as containers have it."""


@pytest.fixture
def unknown_user() -> Iterator[None]:
    """Run as a user without a home folder, whose effective user may still read the checkout."""
    if os.geteuid() != 0:
        pytest.skip("only root can change the user")
    user_id = os.getuid()
    os.setreuid(UNKNOWN_USER_ID, -1)
    try:
        yield
    finally:
        os.setreuid(user_id, -1)


@pytest.mark.usefixtures("unknown_user")
def test_without_a_home_folder_the_way_out_is_one_line(configured: Program) -> None:
    del configured.env["HOME"]
    assert configured.call("add", "doc_1").code == 0
    for variable in ("BABELTOP_STATE_DIR", "BABELTOP_CONFIG_DIR"):
        del configured.env[variable]
        for arguments in (["list"], ["add", "doc_1"], ["watch"]):
            completed = configured.call(*arguments)
            assert completed.code == 2
            assert completed.err == f"babeltop: no home folder: set HOME, or {variable}, to an absolute path\n"


@pytest.mark.parametrize("arguments", [["list"], ["check"], ["download"], ["serve"]])
def test_a_path_in_the_home_of_an_unknown_user_is_refused_in_one_line(
    configured: Program, arguments: list[str]
) -> None:
    completed = configured.call("--watchlist", "~nosuchuser/x", *arguments)
    assert completed.code == 2
    reason = "~nosuchuser/x: no such user, or no home folder; use an absolute path"
    assert completed.err == f"babeltop: {reason}\n"


def test_a_downloads_folder_of_an_unknown_user_is_refused_in_one_line(configured: Program) -> None:
    completed = configured.with_jobs("flixu:doc_1").call("download", "doc_1", "--dir", "~nosuchuser/x")
    assert (completed.code, completed.err.count("\n")) == (2, 1)
    assert "~nosuchuser/x: no such user" in completed.err
