"""Processes that write one watchlist concurrently, forked from a process with one thread: `PATH FUNCTION`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import filelock  # noqa: F401 - once, before the forks
import tomli_w  # noqa: F401

from tui.domain.models import Job, Ref
from tui.storage.watchlist.file import WatchlistFile
from tui.storage.watchlist.operations import Add, Remove, Restore, Set

ACCOUNTS = "abcdefgh"
"""Accounts, one for each process of `edit_concurrently`."""


def fork_worker(work: Callable[[], None]) -> int:
    """Fork a process that does `work`; return its PID."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def wait_for_workers(pids: list[int]) -> None:
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * len(pids)


def add_jobs(file: WatchlistFile, account: str) -> None:
    for start in range(0, 200, 10):
        file.edit(Add(tuple(Job(account=account, id=str(number)) for number in range(start, start + 10))))


def add_concurrently(file: WatchlistFile) -> None:
    wait_for_workers([fork_worker(lambda account=account: add_jobs(file, account)) for account in ("a", "b")])


def edit_jobs(file: WatchlistFile, account: str) -> None:
    mine = [Ref(account, str(number)) for number in range(6)]
    file.edit(Add(tuple(Job(account=ref.account, id=ref.id) for ref in mine)))
    _, outcome = file.edit(Remove(tuple(mine[:4])))
    assert len(outcome.removed_blocks) == 4
    file.edit(Restore(outcome.removed_blocks[:2]))
    _, outcome = file.edit(Set(tuple(mine), {"label": account, "tags": ("x",)}))
    assert outcome.changed == (mine[0], mine[1], mine[4], mine[5])
    assert outcome.not_found == (mine[2], mine[3])


def edit_concurrently(file: WatchlistFile) -> None:
    wait_for_workers([fork_worker(lambda account=account: edit_jobs(file, account)) for account in ACCOUNTS])


def expected_jobs() -> set[tuple[Ref, str, tuple[str, ...]]]:
    """Return the jobs that `edit_concurrently` leaves, with label and tags."""
    return {(Ref(account, number), account, ("x",)) for account in ACCOUNTS for number in "0145"}


if __name__ == "__main__":
    {"add_concurrently": add_concurrently, "edit_concurrently": edit_concurrently}[sys.argv[2]](
        WatchlistFile(Path(sys.argv[1]))
    )
