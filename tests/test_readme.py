"""What the README says holds: its commands run in their order, its tables are the code's, its files and pictures exist.

The commands run on a machine with nothing on it but the program: a home of its own, and the simulator in the place of
the services. What installs is run by `.ci/run`, which makes environments for it.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import generate_readme
from tests.cli import json_schema
from tests.support.servers import serve_app
from tests.support.terminal import Terminal
from tests.support.waiting import DEADLINE, wait_until
from tui.cli.arguments import SUBCOMMANDS
from tui.engine.notifications import delivery, hooks
from tui.simulator.app import Simulator
from tui.storage.config import settings

ROOT = generate_readme.README.parent
TEXT = generate_readme.README.read_text("utf-8")
CHANGING = (ROOT / "tests" / "README.md").read_text("utf-8")
CI = (ROOT / ".ci" / "run").read_text("utf-8")
KEY = "k-2718281828459045"
SCREENS = {"babeltop", "babeltop --demo"}
"""Commands that take a terminal; ^q ends them."""
SERVERS = {"babeltop serve": "", "babeltop simulate --speed 60": "[accounts.konpro]"}
"""Commands that go on until they are ended, and what each prints. They get a port that is free."""


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[str]:
    """Every command of the README without its remark; of those that install, what they end with."""
    running = re.sub(r"<!-- install -->.*?<!-- /install -->", "```sh\nbabeltop --demo\n```\n", TEXT, flags=re.DOTALL)
    for block in fences(running, "sh"):
        yield from (re.sub(r"\s+# .*", "", line) for line in block.splitlines())


class Machine:
    """A home with nothing in it, and a PATH on which the program stands."""

    def __init__(self, home: Path, service: str) -> None:
        self.home = home
        bin_folder = home / ".local" / "bin"
        bin_folder.mkdir(parents=True)
        for name, script in {
            "babeltop": f'exec "{sys.executable}" -W error -m tui "$@"',
            "systemctl": 'test "$*" = "--user enable --now babeltop"',
        }.items():
            (bin_folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (bin_folder / name).chmod(0o755)
        (home / ".config" / "babeltop").mkdir(parents=True)
        accounts = "".join(f'[accounts.{name}]\nbase_url = "{service}"\n' for name in ("heygen", "flixu"))
        (home / ".config" / "babeltop" / "config.toml").write_text(accounts)
        self.env = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "FLIXU_API_KEY": KEY,
        }

    def run(self, line: str) -> str:
        """Does what a line says; returns its output. It must end with 0."""
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.env[name] = value.replace("…", KEY)
            return ""
        if line in SCREENS:
            return self.screen(line)
        if line in SERVERS:
            return self.server(line)
        script = f"set -euo pipefail; {line}"
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.home,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=2 * DEADLINE,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        return done.stdout

    def screen(self, line: str) -> str:
        given = [f"{name}={value}" for name, value in self.env.items()]
        with Terminal(["env", "-i", *given, *line.split()]) as terminal:
            assert terminal.wait_for(lambda text: "Spring launch" in text or "konpro" in text, DEADLINE), terminal.text
            shown = terminal.text
            terminal.type("\x11")
            assert terminal.wait_for_exit(DEADLINE) == 0
        return shown

    def server(self, line: str) -> str:
        """Starts it, sees that it listens, and ends it."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [*line.split(), "--port", str(port)]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=self.home, env=self.env, stdout=pipe, stderr=pipe, text=True) as process:
            assert process.stdout
            printed = ""
            while SERVERS[line] not in printed:
                printed += process.stdout.readline()
            wait_until(lambda: process.poll() is not None or _listens(port))
            listened = process.poll() is None
            process.terminate()
            _, err = process.communicate(timeout=DEADLINE)
            assert listened, err
        return printed


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with serve_app(Simulator(speed=2000)) as url:
        yield Machine(tmp_path / "home", url)


@pytest.mark.timeout(600)  # sixty programs, one after the other
def test_every_command_of_the_readme_runs_in_its_order(machine: Machine) -> None:
    said = {line: machine.run(line) for line in commands()}
    assert len(said) > 20
    assert f"(…{KEY[-4:]})" in said["babeltop doctor"]
    assert "Spring launch" in said["babeltop"]
    assert "doc_contract" in (machine.home / "board.csv").read_text()
    assert len(list((machine.home / "results").iterdir())) == 2
    ids = [job["id"] for job in tomllib.loads((machine.home / "copy.toml").read_text())["job"]]
    assert ids[1:] == ["doc_contract", "doc_terms"]
    assert "dubbed" in said["babeltop providers check ~/.config/babeltop/providers/elevenlabs.toml --sample reply.json"]
    assert "elevenlabs" in said["babeltop providers"]
    assert tomllib.loads(said["babeltop simulate --speed 60"])["accounts"].keys() >= {"heygen", "flixu"}
    files = re.findall(r"\| `~/(\S+)` \| (\w+) \|$", TEXT, re.MULTILINE)
    assert len(files) == 4
    for name, mode in files:
        path = machine.home / name
        if path.exists() and mode != "yours":
            assert f"{path.stat().st_mode & 0o777:04o}" == mode, name


def test_what_is_made_from_the_code_stands_as_the_code_is() -> None:
    assert generate_readme.fill(TEXT) == TEXT, "run python -m tests.generate_readme"


def test_every_key_of_every_table_of_the_settings_is_described() -> None:
    made = generate_readme.settings_reference()
    for table in ("accounts.NAME", "polling", "links", "board", "downloads", "alerts", "ui", "keys"):
        assert f"`[{table}]`" in made
    assert "`[[hook]]`" in made
    assert all(
        each.count("|") >= 4 and each.split("|")[3].strip() for each in made.splitlines() if each.startswith("| `")
    )


def test_every_toml_of_the_readme_is_a_configuration_that_is_accepted(tmp_path: Path) -> None:
    for number, text in enumerate(fences(TEXT, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        assert settings.read(file).accounts


def test_the_json_that_is_described_is_the_schemas() -> None:
    told = " ".join(TEXT.partition("A job in JSON has")[2].partition("Times are")[0].split())
    for key in json_schema.DOCUMENT["$defs"]["job_fields"]["properties"]:
        assert f"`{key}`" in told, key


def test_what_a_hook_is_told_is_the_schemas() -> None:
    told = " ".join(TEXT.split()).partition("The JSON has `event`")[2].partition("With a `secret`")[0] + "`event`"
    assert all(f"`{key}`" in told for key in json_schema.DOCUMENT["$defs"]["hook"]["properties"])
    assert delivery.SIGNATURE_HEADER in TEXT
    assert len(hooks.RETRY_PAUSES) + 1 == 4


def test_every_verb_is_named_and_every_exit_code_of_the_help_is_explained() -> None:
    assert all(f"| `babeltop {name}` |" in TEXT for name in SUBCOMMANDS)
    codes = TEXT.partition("| exit code |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (\d+) \|", codes, re.MULTILINE) == ["0", "1", "2", "3", "70", "124", "130"]


def test_every_picture_and_page_that_is_linked_exists() -> None:
    for base, text in ((ROOT, TEXT), (ROOT / "tests", CHANGING)):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (base / target).exists(), target
        for anchor in re.findall(r"\]\(#([^)]+)\)", text):
            headings = {
                re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-")
                for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            }
            assert anchor in headings


def test_the_first_two_commands_take_python_and_pip_alone_and_ci_runs_them_as_they_stand() -> None:
    first, second = (line for block in fences(TEXT, "sh")[:2] for line in block.splitlines())
    assert first == "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/babeltop --demo"
    assert second == "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/pytest"
    read = re.findall(r"sed -n 's/\^\\\((.*)\\\)\$/", CI)
    assert [[line for line in TEXT.splitlines() if re.fullmatch(each, line)] for each in read] == [[second], [first]]


def test_the_other_ways_to_install_are_run_by_ci() -> None:
    part = TEXT.partition("<!-- install -->")[2].partition("<!-- /install -->")[0]
    others = re.findall(r"`((?:pipx|uv) [^`]*)`", part)
    assert others == ["pipx install .", "uv tool install ."]
    assert all(line in CI for line in others)


def test_the_commands_for_people_who_change_it_are_run_by_ci_or_are_ci() -> None:
    assert "tests/README.md" in CI
    assert all(
        line.startswith((".ci/run", ".venv/bin/")) for block in fences(CHANGING, "sh") for line in block.splitlines()
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_unit_is_one_that_systemd_takes_and_its_command_ends_well(machine: Machine) -> None:
    (unit,) = fences(TEXT, "ini")
    file = machine.home / ".config" / "systemd" / "user" / "babeltop.service"
    file.parent.mkdir(parents=True)
    file.write_text(unit)
    env = {**machine.env, "XDG_RUNTIME_DIR": str(machine.home)}
    done = subprocess.run(
        ["systemd-analyze", "--user", "verify", str(file)],
        env=env,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    start = re.search(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    assert start
    machine.run("babeltop add doc_contract")
    command = start[1].replace("%h", str(machine.home)).split()
    with subprocess.Popen(command, env=machine.env, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert '"id":"doc_contract"' in process.stdout.readline()
        process.terminate()
        process.communicate(timeout=DEADLINE)
    assert process.returncode == 0
