"""A service with everything that a provider file can describe, over HTTP: from the id to the file on disk."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.cli import json_schema
from tests.cli.conftest import KEY, Program
from tests.support.provider_files import provider_file, write_provider_file
from tests.support.servers import serve_app

FILE = provider_file(
    "acme",
    'variables = ["project", "region"]\njob_id = { parts = ["project", "id"] }\n'
    '[headers]\nX-Version = "7"\nX-Region = "{region}"\n'
    '[status]\npath = "/projects/{project}/query"\nmethod = "POST"\nform = { job = "{id}" }\nresult_id = ["/file"]\n'
    '[parts]\nitems = "/results"\nlanguage = ["root:/targets/{n}"]\nvalue = ["/status"]\nmessage = ["/error"]\n'
    'statuses = { failed = "failed" }\n'
    '[[parts.links]]\nkind = "audio"\npath = "/projects/{project}/jobs/{id}/{language}"\n'
    'needs_key = true\nsuffix = ".mp3"\n'
    '[[links]]\nkind = "document"\npath = "/files/{result_id}"\nmethod = "POST"\nform = { job = "{id}" }\n'
    "needs_key = true\none_time = true\n",
)


class Received(NamedTuple):
    method: str
    path: str
    body: str
    headers: dict[str, str]


class FormatService:
    """ASGI app with one job of two languages, of which one failed, and a file that is cut at its first download."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.is_cut = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive())["body"].decode()
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.requests.append(Received(scope["method"], scope["path"], body, headers))
        content: bytes = b"a file with some text\n"
        if scope["path"].endswith("/query"):
            results = [{"status": "done"}, {"status": "failed", "error": "No voice."}]
            content = json.dumps({"targets": ["de", "fr"], "results": results, "file": "f1"}).encode()
        length = len(content) * (1000 if self.is_cut and scope["path"].startswith("/files") else 1)
        start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(length).encode())]}
        await send(start)
        await send({"type": "http.response.body", "body": content})


@pytest.fixture
def formats() -> FormatService:
    return FormatService()


@pytest.fixture
def acme(formats: FormatService, tmp_path: Path) -> Iterator[Program]:
    with serve_app(formats) as url:
        program = Program(tmp_path / "acme", url)
        write_provider_file(program.config, "acme", FILE)
        program.with_accounts("acme")
        config = program.config / "config.toml"
        config.write_text(
            config.read_text().replace("[accounts.acme]\n", '[accounts.acme]\nvariables = { project = "p 1" }\n')
        )
        yield program


def test_a_job_with_parts_is_polled_by_post_and_shown_with_its_parts(acme: Program, formats: FormatService) -> None:
    assert acme("add", "acme:j1", "acme:other/j2").code == 0
    wrong = acme("add", "acme:a/b/c")
    assert (wrong.code, "3 parts: expected project/id" in wrong.err) == (2, True)
    jobs = acme("check", "--json").json
    assert json_schema.problems(jobs, "check") == []
    by_id = {job["id"]: job for job in jobs}
    first = by_id["j1"]
    assert (first["phase"], first["status"], first["flags"]) == ("done", "1 of 2 done", ["partial"])
    assert first["message"] == "fr: No voice.; 1 of 2 done"
    assert [(part["language"], part["phase"], part["message"]) for part in first["parts"]] == [
        ("de", "done", None),
        ("fr", "failed", "No voice."),
    ]
    assert [(link["kind"], link["language"], link["needs_key"], link["one_time"]) for link in first["links"]] == [
        ("document", None, True, True),
        ("audio", "de", True, False),
    ]
    assert by_id["other/j2"]["links"][1]["url"] == f"{acme.service}/projects/other/jobs/j2/de"
    assert {(each.method, each.path, each.body) for each in formats.requests} == {
        ("POST", "/projects/p 1/query", "job=j1"),
        ("POST", "/projects/other/query", "job=j2"),
    }
    for each in formats.requests:
        assert (each.headers["x-version"], each.headers["x-api-key"]) == ("7", KEY)
        assert each.headers["content-type"] == "application/x-www-form-urlencoded"
        assert "x-region" not in each.headers


def test_a_file_that_needs_key_and_post_is_downloaded_with_both(acme: Program, formats: FormatService) -> None:
    acme("add", "acme:j1")
    acme("check")
    formats.requests.clear()
    assert acme("download", "acme:j1", "--dir", str(acme.folder / "out")).code == 0
    names = sorted(path.name for path in (acme.folder / "out").iterdir())
    assert names == ["j1.de.mp3", "j1.document"]
    files = {each.path: each for each in formats.requests}
    document, audio = files["/files/f1"], files["/projects/p 1/jobs/j1/de"]
    assert (document.method, document.body, audio.method) == ("POST", "job=j1", "GET")
    for each in (document, audio):
        assert (each.headers["x-version"], each.headers["x-api-key"]) == ("7", KEY)


def test_a_file_that_is_sent_once_is_not_requested_again(acme: Program, formats: FormatService) -> None:
    formats.is_cut = True
    acme("add", "acme:j1")
    acme("check")
    completed = acme("download", "acme:j1", "--dir", str(acme.folder / "out"))
    assert "the service sends this file only once: it is lost" in completed.err
    formats.is_cut = False
    again = acme("download", "acme:j1", "--dir", str(acme.folder / "out"))
    assert (again.code, "the service sends this file once, and has sent it" in again.err) == (3, True)
    assert [each.path for each in formats.requests].count("/files/f1") == 1
    acme("check")
    (job,) = acme("list", "--json").json
    assert json_schema.problems([job], "list") == []
    assert [(link["kind"], link["used"]) for link in job["links"]] == [("document", True), ("audio", False)]


def test_a_missing_or_unknown_variable_is_named_with_its_account(acme: Program) -> None:
    config = acme.config / "config.toml"
    text = config.read_text()
    config.write_text(text.replace('project = "p 1"', 'projects = "p 1"'))
    unknown = acme("check")
    assert unknown.code == 2
    assert "line 2: accounts.acme.variables.projects: unknown; did you mean 'project'?" in unknown.err
    needs = FILE.replace('job_id = { parts = ["project", "id"] }\n', "")
    write_provider_file(acme.config, "acme", needs)
    config.write_text(text.replace('variables = { project = "p 1" }\n', ""))
    missing = acme("check")
    assert (missing.code, "accounts.acme.variables: project is missing, which acme needs" in missing.err) == (2, True)


def test_providers_check_shows_parts_links_and_rules(acme: Program) -> None:
    sample = acme.folder / "reply.json"
    sample.write_text('{"targets": ["de"], "results": [{"status": "done"}], "file": "f1"}')
    file = acme.config / "providers" / "acme.toml"
    rule = '[[override]]\npointer = "/code"\nnot_equals = 1000\nfault = "rejected"\n'
    file.write_text(FILE + rule)
    completed = acme("providers", "check", str(file), "--sample", str(sample))
    assert completed.code == 0
    for line in (
        "part          de  done  done",
        "parts         1 of 1 done, 0 failed",
        "override 0    code: absent: does not hold (rejected)",
        "https://acme.invalid/files/f1  (expiry unknown, needs the key, one download only)",
        "https://acme.invalid/projects/PROJECT/jobs/ID/de  (expiry unknown, needs the key, de)",
    ):
        assert line in completed.out, completed.out


def test_the_key_of_a_service_without_one_address_defines_no_account(babeltop: Program) -> None:
    babeltop.env |= {"AZURE_TRANSLATOR_KEY": KEY, "AZURE_SPEECH_KEY": KEY, "FLIXU_API_KEY": KEY}
    accounts = {each["name"]: each["accounts"] for each in babeltop("providers", "--json").json}
    assert {name for name, found in accounts.items() if found} == {"flixu"}
    hint = babeltop("add", "azure-video:a", "--account", "azure-video").err
    assert "no account 'azure-video': add [accounts.azure-video]" in hint
    (babeltop.config / "config.toml").write_text('[accounts.azure-video]\nbase_url = "https://acme.example"\n')
    accounts = {each["name"]: each["accounts"] for each in babeltop("providers", "--json").json}
    assert {name for name, found in accounts.items() if found} == {"azure-video"}
