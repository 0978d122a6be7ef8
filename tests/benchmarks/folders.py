"""Folders with many jobs, as an earlier console left them, and the rest of a program that starts there."""

import atexit
import functools
import os
import sys
import tempfile
import time
from pathlib import Path

from filelock import FileLock

from tests.benchmarks.consoles import console, cpu_share, states
from tests.support.terminal import Terminal
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

BABELTOP = [str(Path(sys.executable).with_name("babeltop"))]
REST_WINDOWS, REST_SHARE = 5, 3.0
"""Consecutive seconds in which a program at rest uses less than so many percent of a core."""
MAX_SETTLE_SECONDS = 90.0
ROOT_VARIABLE = "BABELTOP_BENCHMARK_FOLDERS"
"""Environment variable with the folder of `shared_folders`, for the processes that a benchmark starts."""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a program with its configuration and state in this folder."""
    return {"BABELTOP_CONFIG_DIR": str(folder / "config"), "BABELTOP_STATE_DIR": str(folder / "state")}


def prepare(folder: Path, count: int, variant: str = "quiet") -> None:
    """Write so many jobs of a variant into watchlist and journal, and run a console there until it rests."""
    config, state = folder / "config", folder / "state"
    config.mkdir(mode=0o700, parents=True)
    workspace = Workspace.open(
        WorkspacePaths(config_dir=config, state_dir=state, watchlist_file=config / "watchlist.toml"), {}
    )
    jobs = list(states(variant, time.time(), count))
    workspace.watchlist.edit(Add(tuple(each.job for each in jobs)))
    workspace.journal.record([JournalEntry(each) for each in jobs])
    workspace.close()
    with console(BABELTOP, environment(folder)) as terminal:
        settle(terminal)
        terminal.type("\x11")
        terminal.wait_for_exit(30)


def shared_folders(count: int, variant: str = "quiet") -> dict[str, str]:
    """Return the environment of prepared folders, made once for all benchmarks that do not edit their watchlist."""
    folder = shared_root() / f"{variant}-{count}"
    with FileLock(folder.with_suffix(".lock")):
        if not (prepared := folder / "prepared").exists():
            prepare(folder, count, variant)
            prepared.touch()
    return environment(folder)


@functools.cache
def shared_root() -> Path:
    """Return the folder of the shared folders, which the process that made it deletes."""
    if ROOT_VARIABLE not in os.environ:
        folder = tempfile.TemporaryDirectory()
        atexit.register(folder.cleanup)
        os.environ[ROOT_VARIABLE] = folder.name
    return Path(os.environ[ROOT_VARIABLE])


def settle(terminal: Terminal, windows: int = REST_WINDOWS, share: float = REST_SHARE) -> None:
    """Wait until a program and those that it starts have rested for so many seconds, or for MAX_SETTLE_SECONDS."""
    end, rested = time.perf_counter() + MAX_SETTLE_SECONDS, 0
    while rested < windows and time.perf_counter() < end:
        used, _ = cpu_share(terminal, 1.0)
        children = (path.read_text() for path in Path(f"/proc/{terminal.pid}/task").glob("*/children"))
        rested = rested + 1 if used < share and not any(children) else 0
