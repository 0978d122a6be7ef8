"""The README is true: its commands run in order, its tables match the code, its files and pictures exist.

The commands run on a machine with nothing on it but the program: a home of its own, and the simulator in the place of
the services. What installs is run by `.ci/run`, which makes environments for it.
"""

import ast
import os
import re
import shutil
import socket
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import generate_readme
from tests.cli import json_schema
from tests.support.forked_command import write_command
from tests.support.servers import serve_app
from tests.support.terminal import Terminal
from tests.support.waiting import DEADLINE, wait_until
from tui.cli.arguments import SUBCOMMANDS
from tui.engine.notifications import delivery, hooks
from tui.simulator.app import Simulator
from tui.storage.config import settings

ROOT = generate_readme.README.parent
TEXT = generate_readme.README.read_text("utf-8")
CONTRIBUTING = (ROOT / "tests" / "README.md").read_text("utf-8")
CI = (ROOT / ".ci" / "run").read_text("utf-8")
KEY = "k-2718281828459045"
SCREENS = {"babeltop", "babeltop --demo"}
"""Commands that need a terminal; ^q quits them."""
METRICS = "babeltop watch --metrics 127.0.0.1:9101"
SERVERS = {"babeltop serve": "", "babeltop simulate --speed 60": "[accounts.konpro]", METRICS: ""}
"""Commands that run until a signal, and their output. They get a free port."""


def fences(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def commands() -> Iterator[str]:
    """Every command of the README without its comment; of those that install, the last one."""
    running = re.sub(r"<!-- install -->.*?<!-- /install -->", "```sh\nbabeltop --demo\n```\n", TEXT, flags=re.DOTALL)
    for block in fences(running, "sh"):
        yield from (re.sub(r"\s+# .*", "", line) for line in block.splitlines())


class Machine:
    """Empty home folder, with the program in PATH."""

    def __init__(self, home: Path, service: str) -> None:
        self.home = home
        bin_folder = home / ".local" / "bin"
        bin_folder.mkdir(parents=True)
        (bin_folder / "systemctl").write_text('#!/bin/sh\ntest "$*" = "--user enable --now babeltop"\n')
        (bin_folder / "systemctl").chmod(0o755)
        (home / ".config" / "babeltop").mkdir(parents=True)
        accounts = "".join(f'[accounts.{name}]\nbase_url = "{service}"\n' for name in ("heygen", "flixu"))
        (home / ".config" / "babeltop" / "config.toml").write_text(accounts)
        self.env = {
            "PATH": f"{bin_folder}:{os.environ['PATH']}",
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "FLIXU_API_KEY": KEY,
            **write_command(bin_folder / "babeltop"),
        }

    def run(self, line: str) -> str:
        """Run a line and return its output. It must succeed."""
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
        """Start a server, wait until it listens, and stop it."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        command = [*line.split(), "--port", str(port)]
        if line == METRICS:
            command = line.replace("9101", str(port)).split()
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


@pytest.mark.longest
@pytest.mark.timeout(600)  # sixty programs, one after the other
def test_every_command_of_the_readme_runs_in_its_order(machine: Machine) -> None:
    output = {line: machine.run(line) for line in commands()}
    assert len(output) > 20
    assert f"(…{KEY[-4:]})" in output["babeltop doctor"]
    assert "Spring launch" in output["babeltop"]
    assert "doc_contract" in (machine.home / "board.csv").read_text()
    assert len(list((machine.home / "results").iterdir())) == 2
    ids = [job["id"] for job in tomllib.loads((machine.home / "copy.toml").read_text())["job"]]
    assert ids[1:] == ["doc_contract", "doc_terms"]
    checked = output["babeltop providers check ~/.config/babeltop/providers/operations.toml --sample response.json"]
    assert "override 2    done: true: does not hold (running)" in checked
    assert "operations" in output["babeltop providers"]
    assert tomllib.loads(output["babeltop simulate --speed 60"])["accounts"].keys() >= {"heygen", "flixu"}
    files = re.findall(r"\| `~/(\S+)` \| (\w+) \|$", TEXT, re.MULTILINE)
    assert len(files) == 4
    for name, mode in files:
        path = machine.home / name
        if path.exists() and mode != "yours":
            assert f"{path.stat().st_mode & 0o777:04o}" == mode, name


def test_generated_parts_of_the_readme_are_up_to_date() -> None:
    assert generate_readme.fill(TEXT) == TEXT, "run python -m tests.generate_readme"


def test_every_key_of_every_table_of_the_settings_is_described() -> None:
    made = generate_readme.settings_reference()
    for table in ("accounts.NAME", "polling", "links", "board", "downloads", "alerts", "ui", "keys"):
        assert f"`[{table}]`" in made
    assert "`[[hook]]`" in made
    assert all(
        each.count("|") >= 4 and each.split("|")[3].strip() for each in made.splitlines() if each.startswith("| `")
    )


def test_every_toml_block_of_the_readme_is_a_valid_configuration(tmp_path: Path) -> None:
    for number, text in enumerate(fences(TEXT, "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        found = settings.read(file)
        assert found.accounts or found.hooks or found.views


def test_the_readme_describes_every_key_of_a_job_in_json() -> None:
    text = " ".join(TEXT.partition("A job in JSON has")[2].partition("Times are")[0].split())
    for key in json_schema.DOCUMENT["$defs"]["job_fields"]["properties"]:
        assert f"`{key}`" in text, key


def test_the_readme_describes_every_key_of_a_hook_event() -> None:
    text = " ".join(TEXT.split()).partition("The JSON has `event`")[2].partition("With a `secret`")[0] + "`event`"
    assert all(f"`{key}`" in text for key in json_schema.DOCUMENT["$defs"]["hook"]["properties"])
    assert delivery.SIGNATURE_HEADER in TEXT
    assert len(hooks.RETRY_PAUSES) + 1 == 4


def test_the_readme_lists_every_subcommand_and_exit_code() -> None:
    assert all(f"| `babeltop {name}` |" in TEXT for name in SUBCOMMANDS)
    codes = TEXT.partition("| exit code |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| (\d+) \|", codes, re.MULTILINE) == ["0", "1", "2", "3", "70", "124", "130"]


@pytest.mark.parametrize(("heading", "most"), [("From socket to screen", 32), ("From key press to file", 26)])
def test_every_step_of_a_walk_is_a_function_of_its_module(heading: str, most: int) -> None:
    steps = re.findall(
        r"^\d+\. `(\S+)`: `([\w.]+)` ", CONTRIBUTING.partition(f"## {heading}")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert 0 < len(steps) <= most
    for module, name in steps:
        tree = ast.parse((ROOT / "tui" / f"{module}.py").read_text("utf-8"))
        assert name in defined_names(tree), f"{module} has no {name}"


def defined_names(tree: ast.AST) -> Iterator[str]:
    """Names of all functions, a method's with its class."""
    for node in ast.walk(tree):
        for each in ast.iter_child_nodes(node):
            if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{node.name}.{each.name}" if isinstance(node, ast.ClassDef) else each.name


def test_every_file_of_the_five_changes_exists() -> None:
    rows = CONTRIBUTING.partition("## Five changes")[2].partition("\n## ")[0]
    named = re.findall(r"`([a-z_/]+/(?:[a-z_]+\.(?:py|json))?)`", rows)
    assert len(named) > 10
    assert all((ROOT / ("" if name.startswith(("tests/", "tui/")) else "tui") / name).exists() for name in named)


def test_every_linked_picture_and_page_exists() -> None:
    for base, text in ((ROOT, TEXT), (ROOT / "tests", CONTRIBUTING)):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (base / target).exists(), target
        for anchor in re.findall(r"\]\(#([^)]+)\)", text):
            headings = {
                re.sub(r"[^a-z0-9 -]", "", line.lower()).replace(" ", "-")
                for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            }
            assert anchor in headings


def test_the_first_two_commands_need_only_python_and_pip_and_ci_runs_them_unchanged() -> None:
    first, second = (line for block in fences(TEXT, "sh")[:2] for line in block.splitlines())
    assert first == "python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/babeltop --demo"
    assert second == "python3 -m venv .venv && .venv/bin/pip install -q -e '.[dev]' && .venv/bin/pytest"
    read = re.findall(r"sed -n 's/\^\\\((.*)\\\)\$/", CI)
    assert [[line for line in TEXT.splitlines() if re.fullmatch(each, line)] for each in read] == [[second], [first]]


def test_ci_runs_the_other_ways_to_install() -> None:
    part = TEXT.partition("<!-- install -->")[2].partition("<!-- /install -->")[0]
    others = re.findall(r"`((?:pipx|uv) [^`]*)`", part)
    assert others == ["pipx install .", "uv tool install ."]
    assert all(line in CI for line in others)


def test_ci_runs_the_commands_for_contributors() -> None:
    assert "tests/README.md" in CI
    assert all(
        line.startswith((".ci/run", ".venv/bin/"))
        for block in fences(CONTRIBUTING, "sh")
        for line in block.splitlines()
    )


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_the_systemd_unit_is_valid_and_its_command_succeeds(machine: Machine) -> None:
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
