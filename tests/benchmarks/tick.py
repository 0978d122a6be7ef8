"""The table at rest: 10,000 jobs, four columns of time that tick, and a board on which nothing visible changes.

What a wake costs after a second of sleep is the machine's mood more than anything: so both programs of a row run at
once and are measured in the same windows, of which the median counts.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median

from tests.benchmarks.consoles import EMPTY, command, console, cpu_share, drain, print_rows, row

SETTLE_SECONDS = 3.0
"""Seconds until a console has started and painted."""
WINDOW_SECONDS = 15.0
"""Seconds of a measurement."""
WINDOWS = 3


def measure_together(*programs: list[str]) -> list[tuple[float, int]]:
    """Of each program, while all of them run: per cent of a core, and the bytes written, in a window."""
    with ExitStack() as stack, ThreadPoolExecutor(len(programs)) as watching:
        terminals = [stack.enter_context(console(argv)) for argv in programs]
        list(watching.map(lambda terminal: drain(terminal, SETTLE_SECONDS), terminals))
        windows = [
            list(watching.map(lambda terminal: cpu_share(terminal, WINDOW_SECONDS), terminals)) for _ in range(WINDOWS)
        ]
    return [
        (median(cpu for cpu, _ in each), max(written for _, written in each)) for each in zip(*windows, strict=True)
    ]


def measure() -> dict[str, dict]:
    (ticking, _), (top, _) = measure_together(command("ticking"), ["top", "-d", "1"])
    (quiet, written), (empty, _) = measure_together(command("quiet"), EMPTY)
    return {
        "tick: four time columns, CPU": row(ticking, top, 3, "% of a core; top -d 1"),
        "tick: nothing visible changed, CPU": row(quiet, empty, 0.2, "% of a core; ratio is ours", ratio=quiet),
        "tick: nothing visible changed, bytes": row(written, 0, 0, "bytes in 15 s", ratio=written),
    }


if __name__ == "__main__":
    print_rows(measure())
