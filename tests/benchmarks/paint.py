"""First frame with 10,000 and 100,000 jobs in journal and watchlist, against the one of an empty Textual app."""

import atexit
import functools
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.benchmarks.consoles import EMPTY, console, cpu_share, print_rows, read_until, row, states
from tests.support.terminal import Terminal
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

RUNS = 15
BOUNDS = {10_000: 1.25, 100_000: 1.6}
"""Ratios to hold, by the number of jobs."""
FRAME_BYTES = 4000
"""Bytes after which a frame of 120×40 has been written."""
REST_WINDOWS, REST_SHARE = 5, 3.0
"""Consecutive seconds in which a program at rest uses less than so many percent of a core."""
BABELTOP = [str(Path(sys.executable).with_name("babeltop"))]


@contextmanager
def prepared_folders(count: int = 10_000, variant: str = "quiet", config: str = "") -> Iterator[dict[str, str]]:
    """Yield the environment of folders with so many jobs of a variant, as an earlier console left them.

    `config`: the text of a config.toml, for the account of the jobs.
    """
    with tempfile.TemporaryDirectory() as folder:
        config_dir, state = Path(folder, "config"), Path(folder, "state")
        config_dir.mkdir(mode=0o700)
        workspace = Workspace.open(
            WorkspacePaths(config_dir=config_dir, state_dir=state, watchlist_file=config_dir / "watchlist.toml"), {}
        )
        jobs = list(states(variant, time.time(), count))
        workspace.watchlist.edit(Add(tuple(each.job for each in jobs)))
        workspace.journal.record([JournalEntry(each) for each in jobs])
        workspace.close()
        env = {"BABELTOP_CONFIG_DIR": str(config_dir), "BABELTOP_STATE_DIR": str(state)}
        if config:
            (config_dir / "config.toml").write_text(config)
            env["HEYGEN_API_KEY"] = "k"
        with console(BABELTOP, env) as terminal:
            settle(terminal, count)
            terminal.type("\x11")
            terminal.wait_for_exit(10)
        yield env


@functools.cache
def shared_folders(count: int) -> dict[str, str]:
    """Return the environment of `prepared_folders`, made once for all benchmarks that do not edit the watchlist."""
    return _shared.enter_context(prepared_folders(count))


_shared = ExitStack()
atexit.register(_shared.close)


def settle_seconds(count: int) -> float:
    """Return the most seconds until the engine has read a watchlist, and the dashboard shows and stores it."""
    return 12.0 + count / 2500


def settle(terminal: Terminal, count: int) -> None:
    """Wait for `settle_seconds`, or until the program and those that it starts have rested for REST_WINDOWS seconds."""
    end, rested = time.perf_counter() + settle_seconds(count), 0
    while rested < REST_WINDOWS and time.perf_counter() < end:
        share, _ = cpu_share(terminal, 1.0)
        children = (path.read_text() for path in Path(f"/proc/{terminal.pid}/task").glob("*/children"))
        rested = rested + 1 if share < REST_SHARE and not any(children) else 0


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
