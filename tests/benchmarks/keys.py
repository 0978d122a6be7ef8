"""Latency from key to paint with 1,000 updates a second: ours against the same on DataTable."""

import os
import time
from random import Random

from tests.benchmarks.consoles import CURSOR_BACKGROUND, command, console, drain, print_rows, quantile, read_until, row

KEYS, PEER_KEYS = 200, 60
"""Keys to ours, whose 99th percentile counts, and to the peer, of which only the median has a bound."""
STARTUP_SECONDS = 4.0
"""Seconds until a program has started."""


KEY_PAUSE = (0.1, 0.3)
"""Seconds between a paint and the next key, at least one period of the updates: otherwise a slow paint would place the
next key right behind the update that delayed it, and the median would miss most delays."""


def latencies(child: str, startup_seconds: float, keys: int) -> list[float]:
    """Return the milliseconds from a key to the cursor's background, at random moments."""
    random, milliseconds = Random(3), []
    with console(command(child)) as terminal:
        drain(terminal, startup_seconds)
        for number in range(keys):
            drain(terminal, random.uniform(*KEY_PAUSE))
            began = time.perf_counter()
            os.write(terminal.fd, b"j" if number % 40 < 20 else b"k")
            read_until(terminal, lambda data: CURSOR_BACKGROUND in data, 3.0)
            milliseconds.append(1000 * (time.perf_counter() - began))
    return milliseconds


def measure() -> dict[str, dict]:
    ours, peer = latencies("busy", STARTUP_SECONDS, KEYS), latencies("datatable", 3 * STARTUP_SECONDS, PEER_KEYS)
    median, worst = quantile(ours, 0.5), quantile(ours, 0.99)
    median_peer, worst_peer = quantile(peer, 0.5), quantile(peer, 0.99)
    return {
        "keys: p50": row(median, median_peer, 5, "ms; ratio is ours", ratio=median),
        "keys: p99": row(worst, worst_peer, 25, "ms; ratio is ours", ratio=worst),
        "keys: p50 against DataTable": row(
            median, median_peer, 15, "times lower", better="higher", ratio=median_peer / median
        ),
    }


if __name__ == "__main__":
    print_rows(measure())
