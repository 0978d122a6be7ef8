"""Resident memory of engine and dashboard against an empty Textual app, per job, after edits, and growth per day."""

import json
import operator
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks import day
from tests.benchmarks.consoles import EMPTY, console, drain, print_rows, resident_mb, row, states
from tests.benchmarks.folders import BABELTOP, environment, prepare, settle, shared_folders
from tui.storage.watchlist.file import WatchlistFile
from tui.storage.watchlist.operations import Set

SIZES = (10_000, 100_000)
FOLDERS = ((SIZES[1], "quiet"),)
IS_TIMED = False
EDITS = 10
EDIT_SECONDS = 4.0
"""Seconds until the console has taken an edit of 10,000 jobs from outside."""


def resident_after(env: Mapping[str, str], edits: int = 0) -> list[float]:
    """Return the megabytes of a console there, once at rest and once after edits from outside."""
    watchlist = WatchlistFile(Path(env["BABELTOP_CONFIG_DIR"], "watchlist.toml"))
    refs = [state.job.ref for state in states("quiet", 0, edits)]
    with console(BABELTOP, dict(env)) as terminal:
        settle(terminal)
        found = [resident_mb(terminal.pid)]
        for number, ref in enumerate(refs):
            watchlist.edit(Set((ref,), {"note": f"edit {number}"}))
            drain(terminal, EDIT_SECONDS)
        settle(terminal)
        return [*found, resident_mb(terminal.pid)]


def resident_empty() -> float:
    with console(EMPTY) as terminal:
        drain(terminal, 3.0)
        return resident_mb(terminal.pid)


def resident_edited(count: int) -> list[float]:
    """Return the megabytes of a console with so many jobs in folders of its own, before and after EDITS."""
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder), count)
        return resident_after(environment(Path(folder)), EDITS)


def growth_in_a_day() -> tuple[float, int]:
    """Return megabytes and requests of a virtual day."""
    output = subprocess.run([sys.executable, "-m", day.__name__], capture_output=True, check=True).stdout
    return operator.itemgetter("grown", "requests")(json.loads(output))


def measure() -> dict[str, dict]:
    small, large = SIZES
    with ThreadPoolExecutor() as pool:
        finding_growth, finding_small = pool.submit(growth_in_a_day), pool.submit(resident_edited, small)
        empty, (most, _) = resident_empty(), resident_after(shared_folders(large))
        (growth, requests), (ours, edited) = finding_growth.result(), finding_small.result()
    per_job = 1000 * (most - ours) / (large - small)
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
