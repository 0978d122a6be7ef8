"""Secrets of single jobs, over HTTP: in the body of each request, and nowhere else."""

import json
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from tests.cli.conftest import Program
from tests.support.dashboard_terminal import DashboardTerminal
from tests.support.servers import serve_app

SECRET = "9f3a&b c+0123456789abcdef"
OTHER = "77777777aaaaaaaa"
ECHOED = "e5e5e5e5c4c4c4c4"
"""Secret that is valid for the status only, and that the service repeats in headers and in the place of the file."""


class Documents:
    """DeepL's documents: the status and the file take the key of the document, and the file is sent once."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        """Method, path, and document_key of each request."""
        self.sent: set[str] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        form = parse_qs((await receive())["body"].decode())
        key = form.get("document_key", [""])[0]
        self.requests.append((scope["method"], scope["path"], key))
        status, body = 200, f'{{"status": "done", "document_key": "{key}"}}'.encode()
        if key == ECHOED and scope["path"].endswith("/result"):
            body = f"<!DOCTYPE html><p>Document {key} is not ready".encode()
        elif key not in {SECRET, OTHER, ECHOED} or scope["path"].endswith("/missing"):
            status, body = 404, b'{"message": "Document not found"}'
        elif scope["path"].endswith("/result"):
            status, body = (503, b"{}") if key in self.sent else (200, b"the translated document\n")
            self.sent.add(key)
        headers = [(b"x-trace-id", f"trace {key}".encode())] if key == ECHOED else []
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


@pytest.fixture
def documents() -> Documents:
    return Documents()


def test_a_jobs_secret_is_sent_in_bodies_and_written_nowhere(tmp_path: Path, documents: Documents) -> None:
    with serve_app(documents) as url:
        program = Program(tmp_path / "one", url).with_accounts("deepl-documents")
        (program.folder / "key").write_text(OTHER)
        (program.folder / "key").chmod(0o600)
        added = program("add", "deepl-documents:x")
        assert "deepl-documents: x without document_key: write [job.secrets] below the job" in added.err
        jobs = f'[[job]]\naccount = "deepl-documents"\nid = "a"\n[job.secrets]\ndocument_key = "{SECRET}"\n\n'
        jobs += '[[job]]\naccount = "deepl-documents"\nid = "b"\n'
        jobs += f'secrets = {{ document_key = {{ file = "{program.folder / "key"}" }} }}\n\n'
        jobs += '[[job]]\naccount = "deepl-documents"\nid = "c"\n'
        program.watchlist.write_text(jobs)
        found = {job["id"]: job for job in program("check", "--json").json}
        assert [found[job]["phase"] for job in "ab"] == ["done", "done"]
        assert "the job has no document_key" in found["c"]["fault"]["message"]
        assert program("download", "a", "--dir", str(tmp_path / "out")).code == 0
        assert program("edit", "a", "--note", "kept").code == 0
    assert ("POST", "/v2/document/a/result", SECRET) in documents.requests
    assert {key for _, path, key in documents.requests if path.endswith("/b")} == {OTHER}
    assert not any(path.endswith("/c") for _, path, _ in documents.requests)
    assert "document_key" in program.watchlist.read_text(), "an edit keeps the secrets"
    for file in (path for path in tmp_path.rglob("*") if path.is_file()):
        if file != program.watchlist and file.name != "key":
            content = file.read_bytes()
            assert SECRET.encode() not in content, file
            assert OTHER.encode() not in content, file
            assert b"9f3a%26b" not in content, file


def test_a_jobs_secret_that_the_service_repeats_is_masked(tmp_path: Path, documents: Documents) -> None:
    secret = f'secrets = {{ document_key = "{ECHOED}" }}\n'
    with serve_app(documents) as url:
        program = Program(tmp_path / "one", url).with_accounts("deepl-documents")
        jobs = [f'[[job]]\naccount = "deepl-documents"\nid = "{job}"\n{secret}\n' for job in ("missing", "page")]
        program.watchlist.write_text("".join(jobs))
        found = {job["id"]: job for job in program("check", "--json").json}
        assert found["missing"]["fault"]["http_status"] == 404
        downloaded = program("download", "page", "--dir", str(tmp_path / "out"))
    assert "Document *** is not ready" in downloaded.err
    for file in (path for path in tmp_path.rglob("*") if path.is_file() and path != program.watchlist):
        assert ECHOED.encode() not in file.read_bytes(), file


@pytest.mark.waits
def test_a_document_of_the_simulator_is_polled_and_downloaded_once(configured: Program, tmp_path: Path) -> None:
    configured.with_accounts("deepl-documents")
    secret = f'[job.secrets]\ndocument_key = "{SECRET}"\n'
    configured.watchlist.write_text(f'[[job]]\naccount = "deepl-documents"\nid = "d-fine"\n{secret}')
    assert configured("wait", "--json").json[0]["phase"] == "done"
    assert configured("download", "d-fine", "--dir", str(tmp_path / "out")).code == 0
    again = configured("download", "d-fine", "--dir", str(tmp_path / "other"))
    assert (again.code, "the service sends this file once" in again.err) == (3, True)
    (job,) = configured("list", "--json").json
    assert [link["used"] for link in job["links"]] == [True]


@pytest.mark.waits
def test_a_document_that_another_client_has_fetched_is_shown_as_used(configured: Program, tmp_path: Path) -> None:
    configured.with_accounts("deepl-documents")
    ids = ["elsewhere-fine-1", "elsewhere-fine-2"]
    jobs = [
        f'[[job]]\naccount = "deepl-documents"\nid = "{job}"\nsecrets = {{ document_key = "{SECRET}" }}\n'
        for job in ids
    ]
    configured.watchlist.write_text("".join(jobs))
    assert {job["phase"] for job in configured("wait", "--json").json} == {"done"}
    for job in ids:
        path, headers = f"/v2/document/{job}/result", {"authorization": "DeepL-Auth-Key sim-key-000000000"}
        httpx.post(configured.service + path, headers=headers, data={"document_key": SECRET}).raise_for_status()
    refused = configured("download", ids[0], "--dir", str(tmp_path / "out"))
    assert (refused.code, "sends this file once, and has sent it" in refused.err) == (3, True)
    assert configured("check", ids[1], "--json").json[0]["status"] == "downloaded"
    assert [[link["used"] for link in job["links"]] for job in configured("list", "--json").json] == [[True], [True]]


def test_of_a_job_that_is_listed_twice_the_first_entry_has_the_secrets(tmp_path: Path, documents: Documents) -> None:
    with serve_app(documents) as url:
        program = Program(tmp_path / "one", url).with_accounts("deepl-documents")
        job = '[[job]]\naccount = "deepl-documents"\nid = "a"\n[job.secrets]\ndocument_key = "{}"\n'
        program.watchlist.write_text(job.format(SECRET) + job.format("an-unknown-key-0123"))
        assert program("check", "--json").json[0]["phase"] == "done"


def test_add_takes_the_source_of_a_secret_but_no_secret(tmp_path: Path, documents: Documents) -> None:
    with serve_app(documents) as url:
        program = Program(tmp_path / "one", url).with_accounts("deepl-documents", "flixu")
        program.env["DOCUMENT_KEY"] = SECRET
        refused = program("add", "--secret", f"document_key={SECRET}", "deepl-documents:a")
        assert (refused.code, "expected NAME=SOURCE:VALUE" in refused.err) == (2, True)
        misspelt = program("add", "--secret", "document_kay=env:DOCUMENT_KEY", "deepl-documents:a")
        assert (misspelt.code, "did you mean 'document_key'?" in misspelt.err) == (2, True)
        assert not program.watchlist.exists()
        added = program("add", "--secret", "document_key=env:DOCUMENT_KEY", "deepl-documents:a", "flixu:doc_1")
        assert (added.code, "without" in added.err) == (0, False)
        assert tomllib.loads(program.watchlist.read_text())["job"][0]["secrets"] == {
            "document_key": {"env": "DOCUMENT_KEY"}
        }
        assert "secrets" not in tomllib.loads(program.watchlist.read_text())["job"][1]
        assert program("check", "deepl-documents:a", "--json").json[0]["phase"] == "done"
        for source, read in (
            ("file:~/k", {"file": "~/k"}),
            ("command:pass show 'a b'", {"command": ["pass", "show", "a b"]}),
            ("keyring:deepl/a", {"keyring": "deepl/a"}),
        ):
            assert (
                program("add", "--secret", f"document_key={source}", f"deepl-documents:{read.popitem()[0]}").code == 0
            )
    tables = [job.get("secrets", {}).get("document_key") for job in tomllib.loads(program.watchlist.read_text())["job"]]
    assert tables[2:] == [{"file": "~/k"}, {"command": ["pass", "show", "a b"]}, {"keyring": "deepl/a"}]
    assert SECRET not in refused.err + misspelt.err + added.err


def test_a_record_on_stdin_has_its_secrets(configured: Program) -> None:
    configured.with_accounts("deepl-documents")
    records = [{"id": "stdin-fine", "secrets": {"document_key": SECRET}}, {"id": "x", "secrets": {"document_key": 7}}]
    added = configured("add", "--account", "deepl-documents", "-", stdin=json.dumps(records))
    assert (added.code, "added: deepl-documents:stdin-fine" in added.err) == (2, True)
    assert "document_key: expected text, or one of env, file, command, keyring" in added.err
    assert SECRET not in added.err + added.out
    assert configured("wait", "--json").json[0]["phase"] == "done"
    assert SECRET not in configured("export", "--format", "json").out


def test_on_a_terminal_add_prompts_for_a_secret_without_echo(configured: Program) -> None:
    configured.with_accounts("deepl-documents")
    command = ("add", "deepl-documents:tty-fine", "deepl-documents:later")
    with DashboardTerminal(*command, environment=configured.env) as terminal:
        assert terminal.wait_for(lambda text: "document_key of deepl-documents:tty-fine" in text)
        terminal.type(f"{SECRET}\n")
        assert terminal.wait_for(lambda text: "document_key of deepl-documents:later" in text)
        terminal.type("\n")
        terminal.wait_for_exit()
        shown = terminal.text
    assert SECRET not in shown
    assert "deepl-documents: later without document_key: write [job.secrets] below the job" in " ".join(shown.split())
    first, second = tomllib.loads(configured.watchlist.read_text())["job"]
    assert (first["secrets"], second.get("secrets")) == ({"document_key": SECRET}, None)
