"""Processes that write a watchlist at once, forked here where there is one thread: `PATH story`."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import filelock  # noqa: F401 - once, before the forks
import tomli_w  # noqa: F401

from tui.domain.models import Job, Ref
from tui.storage.watchlist.file import Add, Remove, Restore, Set, WatchlistFile

ACCOUNTS = "abcdefgh"
"""Of each one process of `mixed`."""


def started(work: Callable[[], None]) -> int:
    """The id of a process that does `work`."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def joined(pids: list[int]) -> None:
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * len(pids)


def adding(file: WatchlistFile, account: str) -> None:
    for start in range(0, 200, 10):
        file.change(Add(tuple(Job(account=account, id=str(number)) for number in range(start, start + 10))))


def at_once(file: WatchlistFile) -> None:
    joined([started(lambda account=account: adding(file, account)) for account in ("a", "b")])


def mixing(file: WatchlistFile, account: str) -> None:
    mine = [Ref(account, str(number)) for number in range(6)]
    file.change(Add(tuple(Job(account=ref.account, id=ref.id) for ref in mine)))
    _, outcome = file.change(Remove(tuple(mine[:4])))
    assert len(outcome.cut) == 4
    file.change(Restore(outcome.cut[:2]))
    _, outcome = file.change(Set(tuple(mine), {"label": account, "tags": ("x",)}))
    assert outcome.changed == (mine[0], mine[1], mine[4], mine[5])
    assert outcome.absent == (mine[2], mine[3])


def mixed(file: WatchlistFile) -> None:
    joined([started(lambda account=account: mixing(file, account)) for account in ACCOUNTS])


def meant() -> set[tuple[Ref, str, tuple[str, ...]]]:
    """What `mixed` leaves of the jobs that it added."""
    return {(Ref(account, number), account, ("x",)) for account in ACCOUNTS for number in "0145"}


if __name__ == "__main__":
    {"at_once": at_once, "mixed": mixed}[sys.argv[2]](WatchlistFile(Path(sys.argv[1])))
