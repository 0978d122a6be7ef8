"""Resident memory with 10,000 jobs, engine and screen, beside an empty Textual app; and by how much a day grows it."""

import json
import operator
import subprocess
import sys

from tests.benchmarks import day
from tests.benchmarks.consoles import EMPTY, console, drained, resident, row, show
from tests.benchmarks.paint import BABELTOP, lived_in

SETTLE = 12.0
"""Seconds until the engine has read its watchlist and the screen has it."""


def used(argv: list[str], settle: float, env: dict[str, str] | None = None) -> float:
    with console(argv, env) as terminal:
        drained(terminal, settle)
        return resident(terminal.pid)


def measure() -> dict[str, dict]:
    with lived_in() as env:
        ours = used(BABELTOP, SETTLE, env)
    said = subprocess.run([sys.executable, "-m", day.__name__], capture_output=True, check=True).stdout
    grown, asked = operator.itemgetter("grown", "asks")(json.loads(said))
    return {
        "memory: resident": row(ours, used(EMPTY, 3.0), 2.5, "MB"),
        "memory: growth in a virtual day": row(grown, 0, 1, f"MB a day of {asked} asks; ratio is ours", ratio=grown),
    }


if __name__ == "__main__":
    show(measure())
