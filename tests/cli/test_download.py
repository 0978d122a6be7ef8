import sys
from pathlib import Path

import pytest

from tests.cli import json_schema
from tests.cli.conftest import KEY, Program
from tests.support.terminal import Terminal
from tests.support.waiting import DEADLINE


def saved_files(program: Program) -> list[str]:
    return sorted(path.name for path in (program.folder / "Downloads" / "babeltop").iterdir())


def wait_for(program: Program, *refs: str) -> None:
    """Poll until the jobs have ended."""
    program("wait", *refs, "--timeout", "60s")


def test_results_captions_and_text_are_saved_and_their_paths_printed(configured: Program) -> None:
    configured.with_jobs("heygen:a-fine", "camb:b-fine", "flixu:doc_c-fine")
    wait_for(configured)
    completed = configured("download")
    assert (completed.code, completed.err) == (0, "")
    paths = [Path(line) for line in completed.out.splitlines()]
    assert len(paths) >= 3
    assert all(path.is_file() and path.parent == configured.folder / "Downloads" / "babeltop" for path in paths)
    assert sorted(path.name for path in paths) == saved_files(configured)
    assert any(path.suffix == ".txt" for path in paths)
    again = configured("download", "--json")
    assert json_schema.problems(again.json, "download") == []
    assert {each["path"] for job in again.json for each in job["saved"]} == {str(path) for path in paths}
    assert sorted(path.name for path in paths) == saved_files(configured), "what is there is left as it is"


def test_a_named_job_is_polled_first_and_saved_to_the_given_folder(configured: Program) -> None:
    configured.with_jobs("flixu:doc_a-fine", "heygen:b-fail")
    wait_for(configured)
    configured.state.rename(configured.folder / "forgotten")
    completed = configured("download", "doc_a-fine", "--dir", str(configured.folder / "here"))
    assert completed.code == 0, completed.err
    assert Path(completed.out.strip()).parent == configured.folder / "here"


def test_a_job_without_a_result_is_exit_1_and_a_fault_is_exit_3(configured: Program) -> None:
    configured.with_accounts("heygen", flixu="http://127.0.0.1:9")
    configured.with_jobs("heygen:a-fail", "flixu:doc_b")
    wait_for(configured, "heygen:a-fail")
    completed = configured("download", "a-fail", "--json")
    assert completed.code == 1
    assert "a-fail" in completed.err
    assert "no result to download" in completed.json[0]["error"]
    completed = configured("download", "doc_b", "--json")
    assert completed.code == 3
    assert completed.json[0]["saved"] == []
    assert "cannot be reached" in completed.json[0]["error"]


def test_readonly_disables_downloads_and_an_unwritable_folder_is_reported(configured: Program) -> None:
    configured.with_jobs("flixu:doc_a-fine")
    wait_for(configured)
    assert configured("--readonly", "download").code == 2
    file = configured.folder / "file"
    file.touch()
    completed = configured("download", "--dir", str(file / "below"))
    assert completed.code == 3
    assert f"{file}/below" in completed.err
    assert KEY not in completed.err


def test_a_bar_is_drawn_on_a_terminal(configured: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    configured.with_jobs("heygen:a-fine")
    wait_for(configured)
    for name, value in configured.env.items():
        monkeypatch.setenv(name, value)
    with Terminal([sys.executable, "-m", "tui", "download"]) as terminal:
        assert terminal.wait_for_exit(DEADLINE) == 0
        assert "100% of" in terminal.raw.decode()
        assert "100% of" not in terminal.text, "at the end the paths stand alone"
        assert "Downloads/babeltop" in terminal.text


def test_watch_downloads_jobs_with_the_download_option_and_reports_them(configured: Program) -> None:
    configured.with_jobs("heygen:a-fine", more="download = true\n")
    process = configured.start("watch")
    assert process.stderr
    while "saved" not in process.stderr.readline():
        assert process.poll() is None
    process.terminate()
    configured.end(process)
    assert any(name.endswith(".mp4") for name in saved_files(configured))
