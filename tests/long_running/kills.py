"""Writers killed with SIGKILL at random moments and at every line: watchlist and journal are whole every time.

Whole means: byte for byte (row for row) as after the last write that was acknowledged, or after the one behind it. The
writers are forked, so this runs in a process of its own: `python -m tests.long_running.kills COUNT STRIDE` is the short
form.
"""

import os
import random
import select
import signal
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, NamedTuple

import filelock

from tests.support.journal_batches import JOBS, journal_batch
from tests.support.watchlist_writers import fork_worker
from tui.domain.models import Job, Ref
from tui.storage.journal import database, journal
from tui.storage.journal.database import FILE_SUFFIXES
from tui.storage.journal.journal import Journal
from tui.storage.watchlist import file
from tui.storage.watchlist.editor import apply_to_text
from tui.storage.watchlist.file import Add, Operation, Remove, Set, WatchlistFile

KILLS = 500
"""Writers killed, of each of the two files."""
LIVED = 0.02
"""Seconds that a writer lives at most after its first write: some ten writes."""
PATIENCE = 10.0
"""Seconds to wait for a writer's first write."""
KEEP = '# the operator\'s\n\n[[job]] # first\naccount = "keep"\nid = "1"\nmine = 1.50 # unknown to us\n'
STEPS = (*(str(module.__file__) for module in (file, database, journal)), str(Path(filelock.__file__).parent))
"""The files and the folder whose lines are steps of a write; the others touch no file."""

Write = Callable[[int], None]
"""Does the write of this number."""


class Killed(NamedTuple):
    """What became of one file."""

    what: str
    kills: int
    writes: int
    """Acknowledged, by all writers together."""
    within: int
    """Kills that came while a write was under way: it left a draft, or had happened and was not acknowledged."""
    steps: int
    """Lines of one write at which a writer was killed."""

    def __str__(self) -> str:
        return (
            f"kills: {self.what} whole after {self.kills} kills at random ({self.writes} writes acknowledged, "
            f"{self.within} kills seen to come within one) and after one at each of {self.steps} lines of a write"
        )


def killed(write: Write, number: int, lived: float) -> int:
    """The last write that was acknowledged by a writer that began with `number` and was killed."""
    ours, theirs = os.pipe()

    def work() -> None:
        for each in range(number, sys.maxsize):
            write(each)
            os.write(theirs, b".")

    pid = fork_worker(work)
    os.close(theirs)
    assert select.select([ours], [], [], PATIENCE)[0], "a writer did not write"
    time.sleep(lived)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with open(ours, "rb") as pipe:  # noqa: PTH123  a descriptor
        return number - 1 + len(pipe.read())


def stepped(write: Callable[[], None], stride: int) -> Iterator[int]:
    """The numbers of the lines of a write, every `stride`-th, each after a writer was killed at it."""
    for step in range(1, sys.maxsize, stride):
        pid = fork_worker(partial(_until, step, write))
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0:
            return
        yield step


def _until(step: int, write: Callable[[], None]) -> None:
    """Writes, and is killed before the line of this number."""
    count = 0

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(STEPS):
            return None
        count += event == "line"
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    write()
    sys.settrace(None)


def operation(number: int) -> Operation:
    """Adds, edits and removes in turn; the list does not grow for ever."""
    match number % 4:
        case 0:
            return Add((Job(account="loop", id=str(number), note="n" * 2000),))
        case 1:
            return Set((Ref("keep", "1"),), {"label": f"{number}"})
        case 2:
            return Set((Ref("loop", str(number - 2)),), {"tags": ("x", "y"), "note": "short"})
        case _:
            return Remove((Ref("loop", str(number - 43)),))


def in_watchlist(folder: Path, kills: int, stride: int, chance: random.Random) -> Killed:
    file = WatchlistFile(folder / "watchlist.toml")
    file.path.write_text(KEEP)
    draft = file.path.with_name(".watchlist.toml.tmp")
    text, number, within = KEEP, 0, 0
    for _ in range(kills):
        last = killed(lambda each: file.edit(operation(each)) and None, number, chance.uniform(0, LIVED))
        for each in range(number, last + 1):
            text, _ = apply_to_text(text, operation(each))
        after, _ = apply_to_text(text, operation(last + 1))
        left = file.path.read_text()
        assert left in (text, after), f"after write {last} the file is neither as before nor as after the next"
        within += draft.exists() or left != text
        text, number = left, last + 1 + (left != text)
    adding, steps = Add((Job(account="step", id="1"),)), 0
    for line in stepped(lambda: file.edit(adding) and None, stride):
        left = file.path.read_text()
        assert left in (text, apply_to_text(text, adding)[0]), (
            f"killed at line {line} of a write, the file is not whole"
        )
        file.path.write_text(text)
        steps += 1
    assert {each.name for each in folder.iterdir()} == {"watchlist.toml", ".watchlist.toml.lock"}, "a draft stays"
    return Killed("the watchlist was", kills, number, within, steps)


def in_journal(folder: Path, kills: int, stride: int, chance: random.Random) -> Killed:
    path = folder / "journal.db"
    number = within = 0

    def held() -> int:
        """The write that the journal shows, whole; -1: none."""
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with closing(Journal(path)) as found:
            assert not found.notices, found.notices
            states = found.states()
            numbers = {state.poll_count for state in states.values()} or {-1}
            assert len(numbers) == 1, f"half a batch: {numbers}"
            assert len(states) in (0, JOBS)
            (shown,) = numbers
            recent = found.recent_phase_changes(JOBS + 1)
            assert all(found.last_body(ref) == (b"%d" % shown, float(shown)) for ref in states)
        assert [change.seen for change in recent].count(float(shown)) == len(states), "a change is missing"
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM phase").fetchone() == ((shown + 1) * JOBS,)
        return shown

    for _ in range(kills):
        last = killed(_recorder(path), number, chance.uniform(0, LIVED))
        shown = held()
        assert shown in (last, last + 1), f"write {last} was acknowledged, and {shown} is the last one there"
        within += shown != last
        number = shown + 1
    whole, steps = (
        {part: Path(f"{path}{part}").read_bytes() for part in FILE_SUFFIXES if Path(f"{path}{part}").exists()},
        0,
    )
    for line in stepped(lambda: _recorder(path)(number), stride):
        assert held() in (number - 1, number), f"killed at line {line} of a write, the journal is not whole"
        steps += 1
        for part in FILE_SUFFIXES:
            Path(f"{path}{part}").unlink(missing_ok=True)
        for part, content in whole.items():
            Path(f"{path}{part}").write_bytes(content)
    return Killed("the journal was", kills, number, within, steps)


def _recorder(path: Path) -> Write:
    """Opens the journal at its first write: a connection does not cross a fork."""
    opened: list[Journal] = []

    def write(number: int) -> None:
        if not opened:
            opened.append(Journal(path))
        opened[0].record(journal_batch(number))

    return write


def main(kills: int = KILLS, stride: int = 1) -> None:
    """Runs it and prints what came of it. `stride`: of a write's lines every so many-th is the last one once."""
    chance = random.Random(kills)
    for prove in (in_watchlist, in_journal):
        with TemporaryDirectory() as folder:
            print(prove(Path(folder), kills, stride, chance), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
