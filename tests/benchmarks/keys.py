"""From a key to its paint while a thousand updates a second arrive: ours, and the same on DataTable."""

import os
import time
from random import Random

from tests.benchmarks.consoles import command, console, drain, print_rows, quantile, read_until, row

KEYS = 200
CURSOR_BACKGROUND = b"48;2;38;49;61"
"""The cursor's ground, as it is written."""
STARTUP_SECONDS = 4.0
"""Seconds until a console has started."""


KEY_PAUSE = (0.1, 0.3)
"""Seconds between a paint and the next key. A period of the updates at least: else a slow answer would choose when the
next key comes, just behind the update that held it up, and the median would see little of what most keys meet."""


def latencies(child: str, startup_seconds: float) -> list[float]:
    """Milliseconds from a key to the cursor's ground coming in, at irregular moments."""
    random, milliseconds = Random(3), []
    with console(command(child)) as terminal:
        drain(terminal, startup_seconds)
        for number in range(KEYS):
            drain(terminal, random.uniform(*KEY_PAUSE))
            began = time.perf_counter()
            os.write(terminal.fd, b"j" if number % 40 < 20 else b"k")
            read_until(terminal, lambda data: CURSOR_BACKGROUND in data, 3.0)
            milliseconds.append(1000 * (time.perf_counter() - began))
    return milliseconds


def measure() -> dict[str, dict]:
    ours, peer = latencies("busy", STARTUP_SECONDS), latencies("datatable", 3 * STARTUP_SECONDS)
    median, worst = quantile(ours, 0.5), quantile(ours, 0.99)
    median_peer, worst_peer = quantile(peer, 0.5), quantile(peer, 0.99)
    return {
        "keys: p50": row(median, median_peer, 5, "ms; ratio is ours", ratio=median),
        "keys: p99": row(worst, worst_peer, 25, "ms; ratio is ours", ratio=worst),
        "keys: p50 beside DataTable": row(
            median, median_peer, 15, "times lower", better="higher", ratio=median_peer / median
        ),
    }


if __name__ == "__main__":
    print_rows(measure())
