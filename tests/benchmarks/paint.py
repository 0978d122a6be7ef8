"""First frame with 10,000 and 100,000 jobs in journal and watchlist, against the one of an empty Textual app."""

import statistics
import time

from tests.benchmarks.consoles import EMPTY, console, print_rows, read_until, row
from tests.benchmarks.folders import BABELTOP, shared_folders

RUNS = 15
BOUNDS = {10_000: 1.25, 100_000: 1.6}
"""Ratios to hold, by the number of jobs."""
FRAME_BYTES = 4000
"""Bytes after which a frame of 120×40 has been written."""
FOLDERS = tuple((count, "quiet") for count in BOUNDS)


def seconds_to_frame(argv: list[str], marker: bytes, env: dict[str, str] | None = None) -> float:
    """Return the seconds from the start to the first frame."""
    began = time.perf_counter()
    with console(argv, env) as terminal:
        data = read_until(terminal, lambda data: marker in data and len(data) > FRAME_BYTES, 20.0)
        seconds = time.perf_counter() - began
        assert marker in data, data[-400:]
    return seconds


def measure_size(count: int) -> dict[str, dict]:
    ours: list[float] = []
    peer: list[float] = []
    env = shared_folders(count)
    for _ in range(RUNS):
        ours.append(seconds_to_frame(BABELTOP, b"Job 00003", env))
        peer.append(seconds_to_frame(EMPTY, b"\x1b[?1049h"))
    figures = row(statistics.median(ours), statistics.median(peer), BOUNDS[count], "s")
    return {f"paint: first frame with {count:,} jobs": figures}


def measure() -> dict[str, dict]:
    return {name: figures for count in BOUNDS for name, figures in measure_size(count).items()}


if __name__ == "__main__":
    print_rows(measure())
