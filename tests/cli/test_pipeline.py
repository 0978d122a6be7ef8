"""A pipeline against `babeltop simulate`: ids from a file, wait, download, go on by the exit code."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Program
from tests.support.waiting import DEADLINE

SCRIPT = """
set -u
{babeltop} add --account flixu - < ids.txt || exit 20
{babeltop} wait --timeout {patience} --json > ended.json && {babeltop} download --dir results > saved.txt
echo $?
"""


@pytest.fixture
def simulated(babeltop: Program) -> Iterator[Program]:
    """With the configuration that `simulate` prints."""
    process = babeltop.start("simulate", "--port", "0", "--speed", "2000")
    assert process.stdout
    printed = ""
    while "[accounts.konpro]" not in printed or not printed.endswith("}\n"):
        printed += process.stdout.readline()
    (babeltop.config / "config.toml").write_text(f'{printed}[polling]\nmax_interval = "2s"\n')
    yield babeltop
    process.terminate()
    babeltop.end(process)


def piped(program: Program, *ids: str, patience: str = "60s") -> tuple[str, list[str]]:
    """What the script printed, and the files that it has saved."""
    (program.folder / "ids.txt").write_text("".join(f"{each}\n" for each in ids))
    (program.folder / "babeltop").write_text(f'#!/bin/sh\nexec "{sys.executable}" -W error -m tui "$@"\n')
    (program.folder / "babeltop").chmod(0o755)
    script = SCRIPT.format(babeltop=program.folder / "babeltop", patience=patience)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=program.folder,
        env=program.env,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=False,
    )
    assert "Traceback" not in done.stderr
    results = program.folder / "results"
    return done.stdout.strip(), sorted(path.name for path in results.iterdir()) if results.exists() else []


def test_where_all_ends_well_the_results_are_saved(simulated: Program) -> None:
    code, saved = piped(simulated, "doc_a-fine", "doc_b-fine")
    assert (code, len(saved)) == ("0", 2)
    assert len((simulated.folder / "saved.txt").read_text().splitlines()) == 2
    assert not [name for name in saved if name.endswith(".part")]


def test_where_one_fails_the_pipeline_stops_with_1(simulated: Program) -> None:
    assert piped(simulated, "doc_a-fine", "doc_b-fail") == ("1", [])


def test_where_the_time_is_over_it_stops_with_124(simulated: Program) -> None:
    assert piped(simulated, "doc_a-stuck", patience="2s")[0] == "124"
