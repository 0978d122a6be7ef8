"""Duration of short subcommands against a Python that does nothing. Both run from compiled files."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.consoles import row
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase, Report
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.cache import WatchlistCache
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

RUNS = 20
JOBS, MANY_JOBS, MATCHES = 30, 10_000, 20
HEAVY_MODULES = ("textual", "httpx", "asyncio", "filelock", "tomli_w")
"""Modules that neither `--help` nor `list` may import."""


def write_folders(folder: Path, count: int) -> None:
    """Write a watchlist of polled jobs and a console's journal. MATCHES of them have the tag `few`."""
    workspace = Workspace.open(
        WorkspacePaths(config_dir=folder, state_dir=folder / "state", watchlist_file=folder / "watchlist.toml"), {}
    )
    jobs = tuple(
        Job(
            account="heygen",
            id=f"{number:032x}",
            label=f"Spring launch {number}",
            tags=("few",) if number % max(1, count // MATCHES) == 7 else (),
        )
        for number in range(count)
    )
    content, _ = workspace.edit_watchlist(Add(jobs))
    cache = WatchlistCache.from_content(workspace.paths.watchlist_file, workspace.watchlist.stamp(), content)
    workspace.journal.save_ui_state(cache.to_ui_state())
    report = Report(phase=Phase.RUNNING, raw_status="running", title="Spring launch", language="Urdu (Pakistan)")
    workspace.journal.record(
        [
            JournalEntry(JobState(job=job, phase=Phase.RUNNING, phase_since=1.8e9, report=report, checked_at=1.8e9))
            for job in jobs
        ]
    )
    workspace.close()


def median_seconds(commands: list[tuple[list[str], dict[str, str]]]) -> list[float]:
    """Return the median seconds of each command in its environment, in turn so that other load affects all alike."""
    seconds: list[list[float]] = [[] for _ in commands]
    for _ in range(RUNS + 2):
        for (command, environ), durations in zip(commands, seconds, strict=True):
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


def measure() -> dict[str, dict]:
    python = sys.executable
    nothing, help_, list_ = ([python, "-c", "pass"], [python, "-m", "tui", "--help"], [python, "-m", "tui", "list"])
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as large_folder:
        write_folders(Path(folder), JOBS)
        write_folders(Path(large_folder), MANY_JOBS)
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        few, many = (
            environ | {"BABELTOP_CONFIG_DIR": each, "BABELTOP_STATE_DIR": f"{each}/state"}
            for each in (folder, large_folder)
        )
        heavy = heavy_imports(help_, few) + heavy_imports(list_, few)
        assert not heavy, f"imported: {heavy}"
        filtered = [*list_, "--filter", "tag:few"]
        printed = subprocess.run(filtered, env=many, capture_output=True, text=True, check=True).stdout.count("\n")
        assert printed in {MATCHES, MATCHES + 1}, printed
        commands = [(nothing, few), (help_, few), (list_, few), (filtered, many)]
        baseline, help_ms, list_ms, filtered_ms = (seconds * 1000 for seconds in median_seconds(commands))
    unit = f"ms, median of {RUNS}; python -c pass"
    return {
        "start: --help": row(help_ms, baseline, 2.5, unit),
        f"start: list of {JOBS} jobs": row(list_ms, baseline, 6, unit),
        f"start: list --filter of {MANY_JOBS:,} jobs, {MATCHES} match": row(filtered_ms, baseline, 12, unit),
    }
