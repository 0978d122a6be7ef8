"""Idle table: 10,000 jobs with four ticking time columns, and with nothing visible that changes.

The cost of a wake after a second of sleep depends mostly on the machine: so both programs of a row run at once and are
measured in the same windows, of which the median counts.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from statistics import median

from tests.benchmarks.consoles import EMPTY, command, console, cpu_share, drain, print_rows, row

SETTLE_SECONDS = 3.0
"""Seconds until a program has started and painted."""
WINDOW_SECONDS = 15.0
"""Seconds of one measurement."""
WINDOWS = 3


def measure_together(*programs: list[str]) -> list[tuple[float, int]]:
    """Return each program's percentage of a core and bytes written in a window, all running at once."""
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
