"""Duration of `add` and `edit` of one job in 10,000, against a fresh interpreter that reads the file with tomllib."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.consoles import print_rows, row
from tests.benchmarks.start import write_folders

RUNS = 9
JOBS = 10_000


def measure() -> dict[str, dict]:
    with tempfile.TemporaryDirectory() as folder:
        write_folders(Path(folder), JOBS)
        environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        environ |= {"BABELTOP_CONFIG_DIR": folder, "BABELTOP_STATE_DIR": f"{folder}/state", "HEYGEN_API_KEY": "k"}
        read = f"import tomllib; tomllib.load(open({folder + '/watchlist.toml'!r}, 'rb'))"

        def seconds(*arguments: str) -> float:
            began = time.perf_counter()
            subprocess.run([sys.executable, *arguments], env=environ, capture_output=True, check=True)
            return time.perf_counter() - began

        durations = [
            (
                seconds("-c", read),
                seconds("-m", "tui", "add", "--account", "heygen", f"added-{number}"),
                seconds("-m", "tui", "edit", f"heygen:{5000 + number:032x}", "--note", f"note {number}"),
            )
            for number in range(RUNS + 1)
        ]
    peer, add, edit = (statistics.median(each) for each in zip(*durations[1:], strict=True))
    return {
        f"edit: add of a job to {JOBS:,}": row(add, peer, 1.3, "s; tomllib.load in a fresh Python"),
        f"edit: edit of a job in {JOBS:,}": row(edit, peer, 1.3, "s; tomllib.load in a fresh Python"),
    }


if __name__ == "__main__":
    print_rows(measure())
