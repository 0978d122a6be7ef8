"""Resident memory of engine and dashboard against an empty Textual app, per job, after edits, and growth per day."""

import json
import operator
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.benchmarks import day
from tests.benchmarks.consoles import EMPTY, console, drain, print_rows, resident_mb, row, states
from tests.benchmarks.paint import BABELTOP, prepared_folders, settle, shared_folders
from tui.storage.watchlist.file import WatchlistFile
from tui.storage.watchlist.operations import Set

SIZES = (10_000, 100_000)
EDITS = 10
EDIT_SECONDS = 4.0
"""Seconds until the console has taken an edit of 10,000 jobs from outside."""


def resident_after(env: Mapping[str, str], count: int, edits: int = 0) -> list[float]:
    """Return the megabytes of a console with so many jobs, once at rest and once after edits from outside."""
    watchlist = WatchlistFile(Path(env["BABELTOP_CONFIG_DIR"], "watchlist.toml"))
    refs = [state.job.ref for state in states("quiet", 0, edits)]
    with console(BABELTOP, dict(env)) as terminal:
        settle(terminal, count)
        found = [resident_mb(terminal.pid)]
        for number, ref in enumerate(refs):
            watchlist.edit(Set((ref,), {"note": f"edit {number}"}))
            drain(terminal, EDIT_SECONDS)
        return [*found, resident_mb(terminal.pid)]


def measure() -> dict[str, dict]:
    small, large = SIZES
    with console(EMPTY) as terminal:
        drain(terminal, 3.0)
        empty = resident_mb(terminal.pid)
    with prepared_folders(small) as env:
        ours, edited = resident_after(env, small, EDITS)
    most, _ = resident_after(shared_folders(large), large)
    per_job = 1000 * (most - ours) / (large - small)
    output = subprocess.run([sys.executable, "-m", day.__name__], capture_output=True, check=True).stdout
    growth, requests = operator.itemgetter("grown", "requests")(json.loads(output))
    return {
        f"memory: resident, {small:,} jobs": row(ours, empty, 2.2, "MB; an empty app"),
        f"memory: a further job, of {large:,}": row(
            most, ours, 1.3, f"MB; {small:,} jobs; ratio is kB a job", ratio=per_job
        ),
        f"memory: after {EDITS} edits from outside": row(edited, ours, 1.05, "MB; before"),
        "memory: growth in a virtual day": row(
            growth, 0, 1, f"MB a day of {requests} requests; ratio is ours", ratio=growth
        ),
    }


if __name__ == "__main__":
    print_rows(measure())
