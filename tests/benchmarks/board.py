"""Latency from a key to what it paints with 10,000 and 100,000 jobs: filter, view and sort against the cursor's."""

import os
import re
import time
from collections.abc import Iterator
from random import Random
from statistics import median

from tests.benchmarks.consoles import CURSOR_BACKGROUND, command, console, drain, print_rows, quantile, read_until, row
from tests.benchmarks.folders import settle
from tests.support.terminal import Terminal

SIZES = (10_000, 100_000)
CURSOR_KEYS = 60
WORDS = ("job 0123", "title 7", "timed out", "urdu 12", "tag:t7", "-done 42")
"""Filters that are typed letter by letter; short enough for the line that shows them with the number of matches."""
INCOMPLETE = {"-", "tag", "tag:"}
"""Beginnings of them after which the line is not painted again, or not at once."""
ROUNDS = 3
KEY_PAUSE = (0.05, 0.15)
"""Seconds between a paint and the next key."""
QUIET_SECONDS = 0.3
"""Seconds without output after which a key has been handled that is not measured."""
TIMEOUT = 10.0
CLEAR_LINE = "\x15"
COUNT = re.compile(rb"  \d+ of \d+ ")
VIEWS = (("2", b"2 Active"), ("4", b"4 Problems"), ("3", b"3 Done"), ("1", b"1 All"))
"""Keys of views, with a text that is painted when they are shown."""
SORTS = ((">", "NAME↑"), ("S", "NAME↓"), ("S", "NAME↑"), ("<", "ACCOUNT↑"), ("<", "STATUS↑"))
"""Keys of sorts, with a title in the header; before and after them the table is in its first order."""


def press(terminal: Terminal, keys: str) -> None:
    """Send keys, and read until their output is over."""
    os.write(terminal.fd, keys.encode())
    while drain(terminal, QUIET_SECONDS):
        pass


def milliseconds(terminal: Terminal, random: Random, key: str, marker: re.Pattern[bytes]) -> float:
    """Return the milliseconds from a key, at a random moment, to the marker in what it paints."""
    drain(terminal, random.uniform(*KEY_PAUSE))
    began = time.perf_counter()
    os.write(terminal.fd, key.encode())
    data = read_until(terminal, marker.search, TIMEOUT)
    assert marker.search(data), (key, marker, data[-200:])
    return 1000 * (time.perf_counter() - began)


def cursor_keys(terminal: Terminal, random: Random, keys: int) -> list[float]:
    marker = re.compile(re.escape(CURSOR_BACKGROUND))
    return [milliseconds(terminal, random, "j" if number % 40 < 20 else "k", marker) for number in range(keys)]


def filter_keys(terminal: Terminal, random: Random) -> Iterator[float]:
    """Yield the latency of each letter of the filters. What it paints is the text with the number of matches."""
    for word in WORDS:
        press(terminal, "/")
        for end in range(1, len(word) + 1):
            text = word[:end]
            if text.strip() == text and text not in INCOMPLETE:
                marker = re.compile(re.escape(f"/ {text}".encode()) + rb"\x1b.*?" + COUNT.pattern, re.DOTALL)
                yield milliseconds(terminal, random, text[-1], marker)
            else:
                press(terminal, text[-1])
        press(terminal, f"{CLEAR_LINE}\r")


def measure_size(count: int) -> dict[str, dict]:
    random = Random(5)
    with console(command("mixed", count)) as terminal:
        settle(terminal)
        moves, letters, views, sorts = [], [], [], []
        for _ in range(ROUNDS):
            moves += cursor_keys(terminal, random, CURSOR_KEYS // ROUNDS)
            letters += filter_keys(terminal, random)
            views += [milliseconds(terminal, random, key, re.compile(marker)) for key, marker in VIEWS]
            press(terminal, "g>>>")
            sorts += [milliseconds(terminal, random, key, re.compile(title.encode())) for key, title in SORTS]
            press(terminal, "<<")
    peer, is_large = median(moves), count > SIZES[0]
    unit = "ms; a cursor key's median"
    return {
        f"board: filter key, {count:,} jobs, p50": row(median(letters), peer, 8 if is_large else 3, unit),
        f"board: filter key, {count:,} jobs, p99": row(quantile(letters, 0.99), peer, 25 if is_large else 8, unit),
        f"board: view key, {count:,} jobs, p50": row(median(views), peer, 12 if is_large else 4, unit),
        f"board: sort key, {count:,} jobs, p50": row(median(sorts), peer, 12 if is_large else 4, unit),
    }


def measure() -> dict[str, dict]:
    return {name: figures for count in SIZES for name, figures in measure_size(count).items()}


if __name__ == "__main__":
    print_rows(measure())
