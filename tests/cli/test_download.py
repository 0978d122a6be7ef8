import sys
from pathlib import Path

import pytest

from tests.cli import json_schema
from tests.cli.conftest import KEY, Program
from tests.support.terminal import Terminal
from tests.support.waiting import DEADLINE


def got(program: Program) -> list[str]:
    return sorted(path.name for path in (program.folder / "Downloads" / "babeltop").iterdir())


def ended(program: Program, *refs: str) -> None:
    """Asks until the simulator has told their ends."""
    program("wait", *refs, "--timeout", "60s")


def test_results_captions_and_text_are_saved_and_their_paths_printed(four: Program) -> None:
    four.with_jobs("heygen:a-fine", "camb:b-fine", "flixu:doc_c-fine")
    ended(four)
    told = four("download")
    assert (told.code, told.err) == (0, "")
    paths = [Path(line) for line in told.out.splitlines()]
    assert len(paths) >= 3
    assert all(path.is_file() and path.parent == four.folder / "Downloads" / "babeltop" for path in paths)
    assert sorted(path.name for path in paths) == got(four)
    assert any(path.suffix == ".txt" for path in paths)
    again = four("download", "--json")
    assert json_schema.problems(again.json, "download") == []
    assert {each["path"] for job in again.json for each in job["saved"]} == {str(path) for path in paths}
    assert sorted(path.name for path in paths) == got(four), "what is there is left as it is"


def test_a_named_job_is_asked_first_and_a_folder_can_be_told(four: Program) -> None:
    four.with_jobs("flixu:doc_a-fine", "heygen:b-fail")
    ended(four)
    four.state.rename(four.folder / "forgotten")
    told = four("download", "doc_a-fine", "--dir", str(four.folder / "here"))
    assert told.code == 0, told.err
    assert Path(told.out.strip()).parent == four.folder / "here"


def test_a_job_without_a_result_is_exit_1_and_a_fault_is_exit_3(four: Program) -> None:
    four.with_accounts("heygen", flixu="http://127.0.0.1:9")
    four.with_jobs("heygen:a-fail", "flixu:doc_b")
    ended(four, "heygen:a-fail")
    told = four("download", "a-fail", "--json")
    assert told.code == 1
    assert "a-fail" in told.err
    assert "no result to download" in told.json[0]["error"]
    told = four("download", "doc_b", "--json")
    assert told.code == 3
    assert told.json[0]["saved"] == []
    assert "cannot be reached" in told.json[0]["error"]


def test_readonly_forbids_it_and_a_folder_that_cannot_be_written_is_said(four: Program) -> None:
    four.with_jobs("flixu:doc_a-fine")
    ended(four)
    assert four("--readonly", "download").code == 2
    file = four.folder / "file"
    file.touch()
    told = four("download", "--dir", str(file / "below"))
    assert told.code == 3
    assert f"{file}/below" in told.err
    assert KEY not in told.err


def test_a_bar_is_drawn_on_a_terminal(four: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    four.with_jobs("heygen:a-fine")
    ended(four)
    for name, value in four.env.items():
        monkeypatch.setenv(name, value)
    with Terminal([sys.executable, "-m", "tui", "download"]) as terminal:
        assert terminal.wait_for_exit(DEADLINE) == 0
        assert "100% of" in terminal.raw.decode()
        assert "100% of" not in terminal.text, "at the end the paths stand alone"
        assert "Downloads/babeltop" in terminal.text


def test_watch_downloads_what_the_watchlist_wants_and_says_so(four: Program) -> None:
    four.with_jobs("heygen:a-fine", more="download = true\n")
    process = four.start("watch")
    assert process.stderr
    while "saved" not in process.stderr.readline():
        assert process.poll() is None
    process.terminate()
    four.end(process)
    assert any(name.endswith(".mp4") for name in got(four))
