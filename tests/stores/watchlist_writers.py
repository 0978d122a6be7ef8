"""Processes that write a watchlist at once, forked here where there is one thread: `PATH story`."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import filelock  # noqa: F401 - once, before the forks
import tomli_w  # noqa: F401

from tui.domain.jobs import Job, Ref
from tui.stores.watchlist import Add, Remove, Restore, Set, WatchlistFile


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
    joined([started(lambda account=account: mixing(file, account)) for account in "abcdefgh"])


def writing(file: WatchlistFile) -> None:
    for number in range(10**6):
        file.change(Add((Job(account="loop", id=f"{os.getpid()}-{number}", note="n" * 2000),)))
        file.change(Set((Ref("keep", "1"),), {"label": f"{os.getpid()}-{number}"}))


def killed(file: WatchlistFile) -> None:
    """Each of 20 writers is killed somewhere; what it leaves says at least what was there before."""
    before = 0
    for _ in range(20):
        stamp, pid = file.stamp(), started(lambda: writing(file))
        while file.stamp() == stamp:
            time.sleep(0.001)
        time.sleep(random.uniform(0, 0.05))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        jobs = file.read().jobs
        assert len(jobs) >= before
        assert jobs[0].ref == Ref("keep", "1")
        assert all(len(job.note) == 2000 for job in jobs[1:])
        before = len(jobs)
    assert before >= 20


if __name__ == "__main__":
    {"at_once": at_once, "mixed": mixed, "killed": killed}[sys.argv[2]](WatchlistFile(Path(sys.argv[1])))
