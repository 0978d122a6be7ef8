"""Man page and completions match the parser, and the shells accept them."""

import shutil
import subprocess

import pytest

from tests.cli.conftest import Program
from tests.generate_manpage import MAN_FOLDER, MAN_PAGE, render_pages
from tests.support.waiting import DEADLINE
from tui.cli.arguments import SUBCOMMANDS
from tui.cli.commands.completions import FILES


def output_of(*command: str, stdin: str = "") -> str:
    return subprocess.run(command, input=stdin, capture_output=True, text=True, check=True, timeout=DEADLINE).stdout


def test_man_page_and_completions_match_the_parser() -> None:
    for name, text in render_pages().items():
        assert (MAN_FOLDER / name).read_text("utf-8") == text, "run python -m tests.generate_manpage"


def test_completions_prints_the_file_of_each_shell(babeltop: Program) -> None:
    for completed, file in zip(
        babeltop.run_in_parallel(*(f"completions {shell}" for shell in FILES)), FILES.values(), strict=True
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
