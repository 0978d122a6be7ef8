"""Man page and completions match the parser, and the shells accept them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Program
from tests.generate_manpage import MAN_FOLDER, MAN_PAGE, render_pages
from tests.support.terminal import Terminal
from tests.support.waiting import DEADLINE
from tui.cli import complete
from tui.cli.arguments import SUBCOMMANDS
from tui.cli.commands.completions import FILES
from tui.cli.complete import MAX_VALUES
from tui.presentation.queries import View


def output_of(*command: str, stdin: str = "") -> str:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=DEADLINE).stdout


def test_man_page_and_completions_match_the_parser() -> None:
    for name, text in render_pages().items():
        assert (MAN_FOLDER / name).read_text("utf-8") == text, "run python -m tests.generate_manpage"


def test_completions_prints_the_file_of_each_shell(babeltop: Program) -> None:
    for completed, file in zip(
        babeltop.run_each(*(f"completions {shell}" for shell in FILES)), FILES.values(), strict=True
    ):
        assert (completed.code, completed.out) == (0, (MAN_FOLDER / file).read_text("utf-8"))


def test_bash_completes_subcommands_options_and_choices() -> None:
    for line, expected in (
        ("babeltop wa", "wait watch"),
        ("babeltop wait --ti", "--timeout"),
        ("babeltop export --format c", "csv"),
    ):
        words = line.split()
        script = f"""source {MAN_FOLDER / FILES["bash"]}
        COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; COMP_LINE='{line}'; COMP_POINT={len(line)}
        _shtab_babeltop babeltop {words[-1]} {words[-2]}; echo "${{COMPREPLY[@]}}\""""
        assert output_of("bash", stdin=script).split() == expected.split()


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_subcommands() -> None:
    found = output_of("fish", "-c", f"source {MAN_FOLDER / FILES['fish']}; complete -C 'babeltop wa'")
    assert {line.split("\t")[0] for line in found.splitlines()} == {"wait", "watch"}


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_reads_its_file() -> None:
    output_of("zsh", "-n", str(MAN_FOLDER / FILES["zsh"]))


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed")
def test_man_shows_every_subcommand_and_exit_code_without_a_warning() -> None:
    done = subprocess.run(
        ["man", "--warnings", "-l", str(MAN_FOLDER / MAN_PAGE)],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"},
    )
    assert done.stderr == ""
    assert all(f"babeltop {name}" in done.stdout for name in SUBCOMMANDS)
    assert "124  wait timed out" in done.stdout


WATCHLIST = """
[[job]]
account = "flixu"
id = "doc_1"
tags = ["launch", "two words"]
[[job]]
id = 'doc_2'
account = "camb"
[[job]]
account = "flixu"
id = "same"
[[job]]
account = "camb"
id = "same"
"""
VALUES = (
    ("renew doc", "doc_1 doc_2"),
    ("renew sa", ""),
    ("log fl", "flixu:same"),
    ("edit doc_1 --untag la", "launch"),
    ("list --phase f", "failed"),
    ("add --account ", "acme camb flixu"),
    ("--view L", "Launch"),
    ("--view d", "done"),
)
"""Command lines, and how their last word may go on."""


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a shell in which `babeltop` has jobs, an account and a view."""
    (tmp_path / "watchlist.toml").write_text(WATCHLIST)
    (tmp_path / "config.toml").write_text('[accounts.acme]\nprovider = "flixu"\n[[view]]\nname = "Launch"\n')
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(tmp_path), "BABELTOP_CONFIG_DIR": str(tmp_path), "TERM": "xterm"}


def test_bash_completes_refs_accounts_tags_phases_and_views(machine: dict[str, str]) -> None:
    script = [f"source {MAN_FOLDER / FILES['bash']}"]
    for line, _ in VALUES:
        words = ["babeltop", *line.split(" ")]
        quoted = " ".join(f"'{word}'" for word in words)
        script.append(f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; COMPREPLY=()")
        script.append(f"_shtab_babeltop babeltop '{words[-1]}' {words[-2]}; echo \"${{COMPREPLY[@]}}\"")
    shown = subprocess.run(
        ["bash"], input="\n".join(script), env=machine, capture_output=True, text=True, check=True, timeout=DEADLINE
    ).stdout
    assert [sorted(line.split()) for line in shown.split("\n")[:-1]] == [sorted(found.split()) for _, found in VALUES]


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not installed")
def test_fish_completes_refs_accounts_tags_phases_and_views(machine: dict[str, str]) -> None:
    lines = [f"complete -C 'babeltop {line}'; echo ====" for line, _ in VALUES]
    command = "; ".join([f"source {MAN_FOLDER / FILES['fish']}", *lines])
    done = subprocess.run(
        ["fish", "-c", command], env=machine, capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    shown = [sorted(line.split("\t")[0] for line in each.split("\n") if line) for each in done.stdout.split("====\n")]
    assert shown[:-1] == [sorted(found.split()) for _, found in VALUES]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not installed")
def test_zsh_completes_refs_and_views_at_its_prompt(machine: dict[str, str]) -> None:
    folder = Path(machine["HOME"])
    (folder / "_babeltop").write_bytes((MAN_FOLDER / FILES["zsh"]).read_bytes())
    (folder / ".zshrc").write_text(
        f"fpath=({folder} $fpath); autoload -Uz compinit; compinit -u -D; PROMPT='ready> '\n"
    )
    environment = [f"{name}={value}" for name, value in machine.items()]
    with Terminal(["env", "-i", *environment, "zsh", "-i"], columns=100) as terminal:
        assert terminal.wait_for(lambda text: "ready>" in text)
        terminal.type("babeltop renew flixu:s\t")
        assert terminal.wait_for(lambda text: "babeltop renew flixu:same" in text), terminal.text
        terminal.type("\x15babeltop --view La\t")
        assert terminal.wait_for(lambda text: "babeltop --view Launch" in text), terminal.text
        terminal.type("\x15exit\r")
        assert terminal.wait_for_exit() == 0


def test_completion_reads_the_named_watchlist_and_fails_silently(
    machine: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BABELTOP_CONFIG_DIR", machine["HOME"])
    other = Path(machine["HOME"]) / "other.toml"
    other.write_text("".join(f'[[job]]\naccount = "camb"\nid = "{number:04}"\n' for number in range(900)))
    for words, lines in (
        (["refs", "00", "babeltop", "--watchlist", str(other)], 100),
        (["refs", "", "babeltop", f"--watchlist={other}"], MAX_VALUES),
        (["refs", "", "babeltop", "--watchlist", "/nowhere"], 0),
        (["nothing", "", "babeltop"], 0),
        (["refs"], 4),
        ([], 0),
    ):
        assert complete.print_values(words) == 0
        assert len(capsys.readouterr().out.splitlines()) == lines
    assert [str(view) for view in View] == list(complete.BUILT_IN_VIEWS)
