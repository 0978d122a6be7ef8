"""Polls and cursor keys of a console with 100,000 jobs while its watchlist is edited from outside, against without.

The service runs here, in a thread, and notes when each poll arrives. The account's rate spaces the polls evenly, since
more jobs are due than it allows: the longest time between two of them is how late a poll came.
"""

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from random import Random

from tests.benchmarks.board import milliseconds
from tests.benchmarks.consoles import CURSOR_BACKGROUND, console, print_rows, quantile, row
from tests.benchmarks.folders import BABELTOP, settle, shared_folders
from tests.benchmarks.origin import RESPONSE, Responder
from tests.support.terminal import Terminal

JOBS = 100_000
FOLDERS = ((JOBS, "ticking"),)
POLLS_PER_MINUTE = 1200
WINDOW = 20.0
"""Seconds that an edit has to be read, applied, shown and journalled."""
ROUNDS = 3
BUSY_SHARE = 20.0
"""Percent of a core that the polls cost at most, once the start is over."""
MAX_LATER = 250.0
"""Milliseconds by which a poll may come later."""
MAX_KEY_RATIO = 1.5
CONFIG = """
[accounts.heygen]
provider = "heygen-v2"
base_url = "http://127.0.0.1:{port}"
api_key = {{ env = "HEYGEN_API_KEY" }}
rate_per_minute = {rate}
"""

Edit = Callable[[str, int], str]
"""Returns the text of a watchlist with another edit, by its number."""
EDITS: dict[str, Edit] = {
    "one job": lambda text, number: re.sub(r"(label = \"Job 50000)[^\"]*", rf"\1, edit {number}", text, count=1),
    "every job": lambda text, number: re.sub(r"(?m)^tags = .*$", f'tags = ["edit{number}"]', text),
}


@contextmanager
def recording_service() -> Iterator[tuple[int, list[float]]]:
    """Run a service of running jobs in a thread; yield its port and the instants of its requests, which grow."""
    arrivals: list[float] = []

    def respond(transport: asyncio.Transport) -> None:
        arrivals.append(time.perf_counter())
        transport.write(RESPONSE)

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(lambda: Responder(respond), "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], arrivals
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def replace_file(path: Path, text: str) -> None:
    """Write the file as an editor does: beside it, then in its place."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.rename(path)


def measure_window(terminal: Terminal, random: Random, arrivals: list[float]) -> tuple[float, list[float]]:
    """Return the longest milliseconds between two polls, and the latencies of cursor keys, in the next seconds."""
    first, end = max(0, len(arrivals) - 1), time.perf_counter() + WINDOW
    marker, keys = re.compile(re.escape(CURSOR_BACKGROUND)), list[float]()
    while time.perf_counter() < end:
        keys.append(milliseconds(terminal, random, "j" if len(keys) % 20 < 10 else "k", marker))
    return 1000 * max(after - before for before, after in pairwise(arrivals[first:])), keys


def measure() -> dict[str, dict]:
    random = Random(5)
    gaps: dict[str, list[float]] = {name: [] for name in ("", *EDITS)}
    keys: dict[str, list[float]] = {name: [] for name in gaps}
    with recording_service() as (port, arrivals):
        config = CONFIG.format(port=port, rate=POLLS_PER_MINUTE)
        env = shared_folders(JOBS, "ticking") | {"HEYGEN_API_KEY": "k"}
        watchlist = Path(env["BABELTOP_CONFIG_DIR"], "watchlist.toml")
        watchlist.with_name("config.toml").write_text(config)
        with console(BABELTOP, env) as terminal:
            text = watchlist.read_text()
            settle(terminal, share=BUSY_SHARE)
            os.write(terminal.fd, b"g")
            for number in range(ROUNDS):
                for name in gaps:
                    if name:
                        text = EDITS[name](text, number)
                        replace_file(watchlist, text)
                    gap, latencies = measure_window(terminal, random, arrivals)
                    gaps[name].append(gap)
                    keys[name] += latencies
    rows: dict[str, dict] = {}
    for name in EDITS:
        ours, peer = max(gaps[name]), max(gaps[""])
        unit = "ms between two polls; without an edit; ratio is how much later"
        rows[f"outside: edit of {name}, latest poll"] = row(ours, peer, MAX_LATER, unit, ratio=ours - peer)
        ours, peer = quantile(keys[name], 0.99), quantile(keys[""], 0.99)
        rows[f"outside: edit of {name}, cursor key, p99"] = row(ours, peer, MAX_KEY_RATIO, "ms; without an edit")
    return rows


if __name__ == "__main__":
    print_rows(measure())
