"""Pipeline against `babeltop simulate`: ids from a file, wait, download, exit code."""

import subprocess
import tomllib
from collections.abc import Iterator

import pytest

from tests.cli.conftest import Program
from tests.support.forked_command import write_command
from tests.support.waiting import DEADLINE

pytestmark = pytest.mark.waits

SCRIPT = """
set -u
{babeltop} add --account flixu - < ids.txt || exit 20
{babeltop} wait --timeout {timeout} --json > ended.json && {babeltop} download --dir results > saved.txt
echo $?
"""


@pytest.fixture
def simulated(babeltop: Program) -> Iterator[Program]:
    """Program with the configuration that `simulate` prints."""
    process = babeltop.start("simulate", "--port", "0", "--speed", "50000")
    assert process.stdout
    printed = ""
    while "[accounts.konpro]" not in printed or not printed.endswith("}\n"):
        printed += process.stdout.readline()
    printed = printed.replace("[accounts.flixu]\n", "[accounts.flixu]\nrate_per_minute = 6000\n")  # not ten
    (babeltop.config / "config.toml").write_text(f'{printed}[polling]\nmax_interval = "2s"\n')
    yield babeltop
    process.terminate()
    babeltop.end(process)


def run_pipeline(program: Program, *ids: str, timeout: str = "60s") -> tuple[str, list[str]]:
    """Output of the script, and the files that it saved."""
    (program.folder / "ids.txt").write_text("".join(f"{each}\n" for each in ids))
    variables = write_command(program.folder / "babeltop")
    script = SCRIPT.format(babeltop=program.folder / "babeltop", timeout=timeout)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=program.folder,
        env=program.env | variables,
        capture_output=True,
        text=True,
        timeout=2 * DEADLINE,
        check=False,
    )
    assert "Traceback" not in done.stderr
    results = program.folder / "results"
    return done.stdout.strip(), sorted(path.name for path in results.iterdir()) if results.exists() else []


def test_a_pipeline_of_successful_jobs_saves_the_results(simulated: Program) -> None:
    code, saved = run_pipeline(simulated, "doc_a-fine", "doc_b-fine")
    assert (code, len(saved)) == ("0", 2)
    assert len((simulated.folder / "saved.txt").read_text().splitlines()) == 2
    assert not [name for name in saved if name.endswith(".part")]
    accounts = tomllib.loads((simulated.config / "config.toml").read_text())["accounts"].values()
    assert len({str(account["api_key"]) for account in accounts}) == len(accounts), "a team shares limits by key"


def test_a_failed_job_stops_the_pipeline_with_1(simulated: Program) -> None:
    assert run_pipeline(simulated, "doc_a-fine", "doc_b-fail") == ("1", [])


def test_a_timeout_stops_the_pipeline_with_124(simulated: Program) -> None:
    assert run_pipeline(simulated, "doc_a-stuck", timeout="2s")[0] == "124"
