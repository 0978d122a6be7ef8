"""Duration of short subcommands against a Python that does nothing. Both run from compiled files."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Report
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

RUNS = 20
JOBS = 30
HEAVY_MODULES = ("textual", "httpx", "asyncio", "filelock", "tomli_w")
"""Modules that neither `--help` nor `list` may import."""


def write_folders(folder: Path) -> None:
    """Write a watchlist of 30 polled jobs and their journal."""
    workspace = Workspace.open(
        WorkspacePaths(config_dir=folder, state_dir=folder / "state", watchlist_file=folder / "watchlist.toml"), {}
    )
    jobs = tuple(Job(account="heygen", id=f"{number:032x}", label=f"Spring launch {number}") for number in range(JOBS))
    workspace.edit_watchlist(Add(jobs))
    report = Report(phase=Phase.RUNNING, raw_status="running", title="Spring launch", language="Urdu (Pakistan)")
    workspace.journal.record(
        [
            JournalEntry(JobState(job=job, phase=Phase.RUNNING, phase_since=1.8e9, report=report, checked_at=1.8e9))
            for job in jobs
        ]
    )
    workspace.close()


def median_seconds(commands: list[list[str]], environ: dict[str, str]) -> list[float]:
    """Return the median seconds of each command, run in turn so that other load affects all alike."""
    seconds: list[list[float]] = [[] for _ in commands]
    for _ in range(RUNS + 2):
        for command, durations in zip(commands, seconds, strict=True):
            began = time.perf_counter()
            subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
            durations.append(time.perf_counter() - began)
    return [statistics.median(found[2:]) for found in seconds]


def heavy_imports(command: list[str], environ: dict[str, str]) -> list[str]:
    """Return the HEAVY_MODULES that a command imports."""
    done = subprocess.run(
        [command[0], "-X", "importtime", *command[1:]], env=environ, capture_output=True, text=True, check=True
    )
    names = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    return [name for name in HEAVY_MODULES if name in names]


def measure() -> dict[str, dict[str, object]]:
    python = sys.executable
    nothing, help_, list_ = ([python, "-c", "pass"], [python, "-m", "tui", "--help"], [python, "-m", "tui", "list"])
    with tempfile.TemporaryDirectory() as folder:
        write_folders(Path(folder))
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ |= {"BABELTOP_CONFIG_DIR": folder, "BABELTOP_STATE_DIR": f"{folder}/state"}
        heavy = heavy_imports(help_, environ) + heavy_imports(list_, environ)
        assert not heavy, f"imported: {heavy}"
        baseline, help_ms, list_ms = (seconds * 1000 for seconds in median_seconds([nothing, help_, list_], environ))
    common = {"peer": baseline, "better": "lower", "unit": f"ms, median of {RUNS}"}
    return {
        "start: --help against python -c pass": {"ours": help_ms, "ratio": help_ms / baseline, "hold": 4, **common},
        f"start: list of {JOBS} jobs against python -c pass": {
            "ours": list_ms,
            "ratio": list_ms / baseline,
            "hold": 8,
            **common,
        },
    }
