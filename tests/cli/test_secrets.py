"""Attacks on the program's secrets by what it starts: hooks, key commands, the opener of links."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import KEY, Program
from tests.support.servers import serve_app
from tests.support.spellings import SPELLINGS
from tui.storage.config.settings import SettingsError
from tui.storage.workspace import Workspace, WorkspacePaths

SECRETS = {
    "CAMB_API_KEY": "unused-key-of-a-provider-file",
    "SIGNER": "secret-of-a-webhook",
    "BABELTOP_SERVE_TOKEN": "token-of-the-browser",
    "COPY": f"Bearer {KEY}",
}
RECORD = "import json, os, sys; json.dump(dict(os.environ), open(sys.argv[1], 'w'))"


@pytest.fixture
def program(babeltop: Program) -> Program:
    babeltop.with_accounts("camb").with_jobs("camb:a-fine")
    babeltop.env |= SECRETS
    return babeltop


def add_hooks(program: Program, script: str, more: str = "") -> Path:
    found = program.folder / "found"
    command = json.dumps([sys.executable, "-c", script, str(found)])
    with (program.config / "config.toml").open("a") as file:
        file.write('[[hook]]\nurl = "http://127.0.0.1:9/"\non = []\nsecret = { env = "SIGNER" }\n')
        file.write(f"[[hook]]\nrun = {command}\n{more}")
    return found


def test_a_hook_program_gets_the_environment_without_any_secret(program):
    found = add_hooks(program, RECORD)
    assert program("wait").code == 0
    environ = json.loads(found.read_text())
    assert environ.keys().isdisjoint({"SERVICE_KEY", *SECRETS})
    assert environ["HOME"] == program.env["HOME"]
    assert not [value for value in environ.values() if KEY in value]


def test_the_operator_passes_a_variable_on_to_one_hook(program):
    found = add_hooks(program, RECORD, 'env = ["CAMB_API_KEY"]\n')
    assert program("wait").code == 0
    environ = json.loads(found.read_text())
    assert environ["CAMB_API_KEY"] == SECRETS["CAMB_API_KEY"]
    assert environ.keys().isdisjoint({"SERVICE_KEY", "SIGNER", "BABELTOP_SERVE_TOKEN", "COPY"})


def test_a_key_in_the_output_of_a_hook_is_masked_in_every_spelling(program):
    spelled = [spell(KEY) for spell in SPELLINGS.values()]
    long_line = "x" * 5000 + KEY + "y" * (4096 - len(KEY) // 2)
    add_hooks(program, f"import sys; sys.exit('\\n'.join({[long_line, *spelled[-4:]]!r}))")
    ended = program("wait")
    log = (program.state / "babeltop.log").read_text()
    assert log.count("***") >= 3
    for text in (log, ended.err, ended.out):
        assert KEY[-8:] not in text.replace("\u200b", "")
        assert not [each for each in spelled if each in text]


def test_a_key_command_gets_the_environment_without_other_keys(program):
    found = program.folder / "found"
    script = f"{RECORD}; print('key-of-the-command')"
    command = json.dumps([sys.executable, "-c", script, str(found)])
    with (program.config / "config.toml").open("a") as file:
        file.write(f'[accounts.flixu]\nbase_url = "{program.service}"\napi_key = {{ command = {command} }}\n')
    program.with_jobs("camb:a-fine", "flixu:doc_fine")
    program("check")
    environ = json.loads(found.read_text())
    assert environ.keys().isdisjoint({"SERVICE_KEY", "CAMB_API_KEY", "BABELTOP_SERVE_TOKEN"})


def test_only_a_program_can_have_variables(program):
    (program.config / "config.toml").write_text('[[hook]]\nurl = "https://x.test/"\nenv = ["A"]\n')
    paths = WorkspacePaths(config_dir=program.config, state_dir=program.state, watchlist_file=program.watchlist)
    with pytest.raises(SettingsError, match="only a program has an environment"):
        Workspace.open(paths, {})


PROVIDER = """\
name = "{name}"
title = "{name}"
base_url = "{url}"
key = {{ header = "x-api-key" }}
cadence = "text"
{more}
[status]
path = "/{name}/{{id}}"
value = ["/status"]
[statuses]
running = "running"
"""


def test_the_key_goes_to_a_successor_at_another_origin_only_if_the_configuration_names_it(program):
    seen: dict[str, list[str]] = {"old": [], "new": []}

    async def respond(scope, receive, send):
        if scope["type"] != "http":
            return
        version = scope["path"].split("/")[1]
        seen[version].append(dict(scope["headers"])[b"x-api-key"].decode())
        status, body = (404, b"{}") if version == "old" else (200, b'{"status": "running"}')
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    (program.config / "providers").mkdir()
    with serve_app(respond) as old, serve_app(respond) as new:
        for name, url, more in (("old", old, 'sunset = 2020-01-01T00:00:00Z\nsuccessor = "new"'), ("new", new, "")):
            (program.config / "providers" / f"{name}.toml").write_text(PROVIDER.format(name=name, url=url, more=more))
        config = program.config / "config.toml"
        account = '[accounts.acme]\napi_key = { env = "SERVICE_KEY" }\nprovider = '
        config.write_text(f'{account}"old"\n')
        program.with_jobs("acme:1")
        refused = program("check")
        assert seen == {"old": [KEY], "new": []}, refused.err
        assert (
            f"new, the successor of old, is at another address, {new}, to which no key is sent automatically"
            in refused.err
        )
        assert 'set provider = "new" in [accounts.acme]' in refused.err
        config.write_text(f'{account}"new"\n')
        assert program("check", "--json").json[0]["phase"] == "running"
        assert seen == {"old": [KEY], "new": [KEY]}
