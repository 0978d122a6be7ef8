import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli import json_schema
from tests.cli.conftest import KEY, Program
from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.file_servers import FileServer, Response, serve_files
from tests.support.servers import serve_app
from tests.support.waiting import DEADLINE


def saved_files(program: Program) -> list[str]:
    folder = program.folder / "Downloads" / "babeltop"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def wait_for(program: Program, *refs: str) -> None:
    """Poll until the jobs have ended."""
    program("wait", *refs, "--timeout", "60s")


@pytest.mark.waits
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
    with (configured.config / "config.toml").open("a") as config:
        config.write('[downloads]\ndir = "~/elsewhere"\n')
    again = configured("download", "--json")
    assert json_schema.problems(again.json, "download") == []
    assert {each["path"] for job in again.json for each in job["saved"]} == {str(path) for path in paths}
    assert sorted(path.name for path in paths) == saved_files(configured), "what is there is left as it is"


def test_files_have_the_mode_of_the_umask_or_are_private(configured: Program) -> None:
    configured.with_jobs("flixu:doc_a-fine")
    wait_for(configured)
    before = os.umask(0o022)
    try:
        shared = configured("download", "--dir", str(configured.folder / "shared"))
        assert Path(shared.out.strip()).stat().st_mode & 0o777 == 0o644
        seized = configured("download", "--private", "--dir", str(configured.folder / "shared"))
        private = configured("download", "--private", "--dir", str(configured.folder / "private"))
    finally:
        os.umask(before)
    for completed, mode, folder_mode in ((private, 0o600, 0o700), (seized, 0o600, 0o755)):
        path = Path(completed.out.strip())
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (mode, folder_mode)
    assert seized.out == shared.out


@pytest.mark.waits
def test_a_named_job_is_polled_first_and_saved_to_the_given_folder(configured: Program) -> None:
    configured.with_jobs("flixu:doc_a-fine", "heygen:b-fail")
    wait_for(configured)
    configured.state.rename(configured.folder / "forgotten")
    completed = configured("download", "doc_a-fine", "--dir", str(configured.folder / "here"))
    assert completed.code == 0, completed.err
    assert Path(completed.out.strip()).parent == configured.folder / "here"


@pytest.mark.waits
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


def test_a_bar_is_drawn_on_a_terminal(configured: Program) -> None:
    configured.with_jobs("heygen:a-fine")
    wait_for(configured)
    with DashboardTerminal("download", environment=configured.env) as terminal:
        assert terminal.wait_for_exit(DEADLINE) == 0
        assert "100% of" in terminal.raw.decode()
        assert "100% of" not in terminal.text, "at the end the paths stand alone"
        assert "Downloads/babeltop" in terminal.text


@pytest.mark.waits
def test_watch_downloads_jobs_with_the_download_option_and_reports_them(configured: Program) -> None:
    jobs = ("heygen:a-fine", "konpro:b-notready", "heygen:c-expired400", "konpro:d-expired200", "heygen:e-members")
    configured.with_jobs(*jobs, more="download = true\n")
    process = configured.start("watch")
    assert process.stderr
    for _ in jobs:
        while "saved" not in process.stderr.readline():
            assert process.poll() is None
    process.terminate()
    configured.end(process)
    listed = configured("list", "--json").json
    assert [job["fault"] for job in listed] == [None] * len(jobs)
    assert sum(name.endswith(".mp4") for name in saved_files(configured)) == len(jobs)


class Service:
    """HeyGen v2 whose only job is done, with a new link at each poll."""

    def __init__(self, base: str, *, same_link: bool = False) -> None:
        self._base, self._same_link, self._count = base, same_link, 0

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        self._count += 1
        url = f"{self._base}/{1 if self._same_link else self._count}.mp4"
        body = json.dumps({"data": {"status": "success", "title": "Spring", "url": url}}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


@contextmanager
def one_job(program: Program, files: FileServer, *, same_link: bool = False) -> Iterator[str]:
    """Configure the program with one job at a service whose link is on a file server."""
    with serve_files(files) as base, serve_app(Service(base, same_link=same_link)) as service:
        program.with_accounts(**{"heygen-v2": service}).with_jobs("heygen-v2:a")
        yield base


XML = (400, {"content-type": "application/xml"}, b"<Error><Code>ExpiredToken</Code></Error>")
JSON = (200, {"content-type": "application/json"}, b'{"error":"link expired"}')


@pytest.mark.parametrize("response", [XML, JSON], ids=["400", "error with 200"])
def test_an_expired_link_is_renewed_once_and_the_file_fetched(babeltop: Program, response: Response) -> None:
    files = FileServer(responses={"/1.mp4": response})
    with one_job(babeltop, files):
        completed = babeltop.call("download", "a", "--json")
    assert completed.code == 0, completed.err
    [saved] = completed.json[0]["saved"]
    assert Path(saved["path"]).read_bytes() == files.content
    assert [request.path for request in files.requests] == ["/1.mp4", "/2.mp4"]


def test_an_error_in_place_of_a_video_is_a_fault_that_quotes_it_and_marks_nothing_as_downloaded(
    babeltop: Program,
) -> None:
    with one_job(babeltop, FileServer(responses={"/1.mp4": JSON, "/2.mp4": JSON})):
        completed = babeltop.call("download", "a", "--json")
        assert completed.code == 3
        assert completed.json[0]["saved"] == []
        assert 'returned JSON, not the video: {"error":"link expired"}' in completed.json[0]["error"]
        assert saved_files(babeltop) == []
        assert "downloaded" not in babeltop("list", "--json").json[0]["flags"]


@pytest.mark.parametrize("same_link", [False, True])
def test_what_a_failed_download_learned_of_its_links_is_kept(babeltop: Program, same_link: bool) -> None:
    gone = (410, {}, b"")
    with one_job(babeltop, FileServer(responses={"/1.mp4": gone, "/2.mp4": gone}), same_link=same_link) as base:
        assert babeltop.call("download", "a").code == 3
        [link] = babeltop("list", "--json").json[0]["links"]
    if same_link:
        assert link["url"] == f"{base}/1.mp4"
        assert link["exact"]
        assert datetime.fromisoformat(link["expires_at"]) <= datetime.now(UTC)
    else:
        assert link["url"] == f"{base}/2.mp4"
        assert datetime.fromisoformat(link["expires_at"]) > datetime.now(UTC)


def test_a_file_larger_than_the_setting_is_refused(babeltop: Program) -> None:
    with one_job(babeltop, FileServer(2_000_000)):
        with (babeltop.config / "config.toml").open("a") as config:
            config.write('[downloads]\nmax_size = "1 MB"\n')
        completed = babeltop.call("download", "a", "--json")
    assert completed.code == 3
    assert "larger than 1.0 MB: raise max_size under [downloads] in config.toml" in completed.json[0]["error"]


def test_a_content_disposition_of_95000_semicolons_is_ignored(babeltop: Program) -> None:
    header = f'attachment; filename="{";" * 95_000}'
    with one_job(babeltop, FileServer(headers={"content-disposition": header})):
        completed = babeltop.call("download", "a", "--json")
    assert completed.code == 0, completed.err
    assert saved_files(babeltop) == ["Spring.mp4"]


@pytest.mark.parametrize("status", [403, 206])
def test_a_store_that_refuses_the_rest_of_a_file_sends_it_from_its_start(babeltop: Program, status: int) -> None:
    files = FileServer(200_000, range_status=status, cut_after=[100_000])
    with one_job(babeltop, files):
        completed = babeltop.call("download", "a", "--json")
    assert completed.code == 0, completed.err
    [saved] = completed.json[0]["saved"]
    assert Path(saved["path"]).read_bytes() == files.content
    assert ["range" in request.headers for request in files.requests] == [False, True, False]
