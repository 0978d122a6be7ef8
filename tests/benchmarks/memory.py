"""Resident memory of engine and dashboard with 10,000 jobs against an empty Textual app, and growth per day."""

import json
import operator
import subprocess
import sys

from tests.benchmarks import day
from tests.benchmarks.consoles import EMPTY, console, drain, print_rows, resident_mb, row
from tests.benchmarks.paint import BABELTOP, prepared_folders

SETTLE_SECONDS = 12.0
"""Seconds until the engine has read the watchlist and the dashboard shows it."""


def resident_of(argv: list[str], settle_seconds: float, env: dict[str, str] | None = None) -> float:
    with console(argv, env) as terminal:
        drain(terminal, settle_seconds)
        return resident_mb(terminal.pid)


def measure() -> dict[str, dict]:
    with prepared_folders() as env:
        ours = resident_of(BABELTOP, SETTLE_SECONDS, env)
    output = subprocess.run([sys.executable, "-m", day.__name__], capture_output=True, check=True).stdout
    growth, requests = operator.itemgetter("grown", "requests")(json.loads(output))
    return {
        "memory: resident": row(ours, resident_of(EMPTY, 3.0), 2.5, "MB"),
        "memory: growth in a virtual day": row(
            growth, 0, 1, f"MB a day of {requests} requests; ratio is ours", ratio=growth
        ),
    }


if __name__ == "__main__":
    print_rows(measure())
