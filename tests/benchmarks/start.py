"""The time until the command line has answered, beside a Python that does nothing. Both start from compiled files."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Report
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.file import Add
from tui.storage.workspace import Workspace, WorkspacePaths

TIMES = 20
JOBS = 30
HEAVY = ("textual", "httpx", "asyncio", "filelock", "tomli_w")
"""What neither `--help` nor `list` imports."""


def fill(folder: Path) -> None:
    """A watchlist of thirty jobs that were asked, and their journal."""
    library = Workspace(
        WorkspacePaths(config_dir=folder, state_dir=folder / "state", watchlist_file=folder / "watchlist.toml"), {}
    )
    jobs = tuple(Job(account="heygen", id=f"{number:032x}", label=f"Spring launch {number}") for number in range(JOBS))
    library.edit_watchlist(Add(jobs))
    report = Report(phase=Phase.RUNNING, raw_status="running", title="Spring launch", language="Urdu (Pakistan)")
    library.journal.record(
        [
            JournalEntry(JobState(job=job, phase=Phase.RUNNING, phase_since=1.8e9, report=report, checked_at=1.8e9))
            for job in jobs
        ]
    )
    library.close()


def took(commands: list[list[str]], environ: dict[str, str]) -> list[float]:
    """Median seconds of each command, taken in turn so that what the machine does besides hits all alike."""
    seconds: list[list[float]] = [[] for _ in commands]
    for _ in range(TIMES + 2):
        for command, found in zip(commands, seconds, strict=True):
            began = time.perf_counter()
            subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
            found.append(time.perf_counter() - began)
    return [statistics.median(found[2:]) for found in seconds]


def imported(command: list[str], environ: dict[str, str]) -> list[str]:
    """What of HEAVY a command imports."""
    done = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]], env=environ, capture_output=True, text=True, check=True
    )
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    return [name for name in HEAVY if name in names]


def measure() -> dict[str, dict[str, object]]:
    python = sys.executable
    nothing, help_, list_ = ([python, "-c", "pass"], [python, "-m", "tui", "--help"], [python, "-m", "tui", "list"])
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder))
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ |= {"BABELTOP_CONFIG_DIR": folder, "BABELTOP_STATE_DIR": f"{folder}/state"}
        heavy = imported(help_, environ) + imported(list_, environ)
        assert not heavy, f"imported: {heavy}"
        bare, helped, listed = (seconds * 1000 for seconds in took([nothing, help_, list_], environ))
    common = {"peer": bare, "better": "lower", "unit": f"ms, median of {TIMES}"}
    return {
        "start: --help beside python -c pass": {"ours": helped, "ratio": helped / bare, "hold": 4, **common},
        f"start: list of {JOBS} jobs beside python -c pass": {
            "ours": listed,
            "ratio": listed / bare,
            "hold": 8,
            **common,
        },
    }
