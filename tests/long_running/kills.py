"""Writers killed with SIGKILL at random moments and at every line of a write: watchlist and journal stay intact.

Intact means: byte for byte (row for row) as after the last acknowledged write, or after the following one. The writers
are forked, so the proof has a process of its own: `python -m tests.long_running.kills COUNT STRIDE` is the short form.
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
from tui.storage.watchlist.file import WatchlistFile
from tui.storage.watchlist.operations import Add, Operation, Remove, Set

KILLS = 500
"""Killed writers of each of the two files."""
WRITER_LIFETIME = 0.02
"""Longest life of a writer after its first write in seconds: about ten writes."""
FIRST_WRITE_TIMEOUT = 10.0
"""Seconds to wait for a writer's first write."""
INITIAL_TEXT = '# the operator\'s\n\n[[job]] # first\naccount = "keep"\nid = "1"\nmine = 1.50 # unknown to us\n'
TRACED_FILES = (*(str(module.__file__) for module in (file, database, journal)), str(Path(filelock.__file__).parent))
"""Modules whose lines are steps of a write; the others touch no file."""

Write = Callable[[int], None]
"""Performs the write of this number."""


class KillsProof(NamedTuple):
    """Counts for one file."""

    store: str
    kills: int
    writes: int
    """Writes that all writers acknowledged."""
    during_write: int
    """Kills during a write: it left a temporary file, or was complete but not acknowledged."""
    line_kills: int
    """Lines of one write at which a writer was killed."""

    def __str__(self) -> str:
        return (
            f"kills: {self.store} intact after {self.kills} random kills ({self.writes} writes acknowledged, "
            f"{self.during_write} kills during a write) and after a kill at each of "
            f"{self.line_kills} lines of a write"
        )


def kill_writer(write: Write, number: int, lifetime: float) -> int:
    """Kill a writer that starts with write `number`; return its last acknowledged write."""
    read_end, write_end = os.pipe()

    def work() -> None:
        for each in range(number, sys.maxsize):
            write(each)
            os.write(write_end, b".")

    pid = fork_worker(work)
    os.close(write_end)
    assert select.select([read_end], [], [], FIRST_WRITE_TIMEOUT)[0], "a writer made no write"
    time.sleep(lifetime)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    with open(read_end, "rb") as pipe:  # noqa: PTH123  a descriptor
        return number - 1 + len(pipe.read())


def kill_at_lines(write: Callable[[], None], stride: int) -> Iterator[int]:
    """Kill a writer at every `stride`-th line of a write; yield the line's number after each kill."""
    for step in range(1, sys.maxsize, stride):
        pid = fork_worker(partial(_write_until_line, step, write))
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0:
            return
        yield step


def _write_until_line(step: int, write: Callable[[], None]) -> None:
    """Write, but kill this process before line `step`."""
    count = 0

    def trace(frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        if not frame.f_code.co_filename.startswith(TRACED_FILES):
            return None
        count += event == "line"
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    sys.settrace(trace)
    write()
    sys.settrace(None)


def operation(number: int) -> Operation:
    """Return an addition, edit or removal in turn; the list does not grow without end."""
    match number % 4:
        case 0:
            return Add((Job(account="loop", id=str(number), note="n" * 2000),))
        case 1:
            return Set((Ref("keep", "1"),), {"label": f"{number}"})
        case 2:
            return Set((Ref("loop", str(number - 2)),), {"tags": ("x", "y"), "note": "short"})
        case _:
            return Remove((Ref("loop", str(number - 43)),))


def prove_watchlist(folder: Path, kills: int, stride: int, random_source: random.Random) -> KillsProof:
    file = WatchlistFile(folder / "watchlist.toml")
    file.path.write_text(INITIAL_TEXT)
    draft = file.path.with_name(".watchlist.toml.tmp")
    text, number, during_write = INITIAL_TEXT, 0, 0
    for _ in range(kills):
        last = kill_writer(
            lambda each: file.edit(operation(each)) and None, number, random_source.uniform(0, WRITER_LIFETIME)
        )
        for each in range(number, last + 1):
            text, _ = apply_to_text(text, operation(each))
        after, _ = apply_to_text(text, operation(last + 1))
        content = file.path.read_text()
        assert content in (text, after), f"after write {last} the file is neither as before nor as after the next"
        during_write += draft.exists() or content != text
        text, number = content, last + 1 + (content != text)
    adding, line_kills = Add((Job(account="step", id="1"),)), 0
    for line in kill_at_lines(lambda: file.edit(adding) and None, stride):
        content = file.path.read_text()
        assert content in (text, apply_to_text(text, adding)[0]), (
            f"killed at line {line} of a write, the file is damaged"
        )
        file.path.write_text(text)
        line_kills += 1
    assert {each.name for each in folder.iterdir()} == {"watchlist.toml", ".watchlist.toml.lock"}, (
        "a temporary file remains"
    )
    return KillsProof("watchlist", kills, number, during_write, line_kills)


def prove_journal(folder: Path, kills: int, stride: int, random_source: random.Random) -> KillsProof:
    path = folder / "journal.db"
    number = during_write = 0

    def recorded_write() -> int:
        """Return the write that the journal holds completely; -1: none."""
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with closing(Journal(path)) as store:
            assert not store.notices, store.notices
            states = store.states()
            numbers = {state.poll_count for state in states.values()} or {-1}
            assert len(numbers) == 1, f"incomplete batch: {numbers}"
            assert len(states) in (0, JOBS)
            (shown,) = numbers
            recent = store.recent_phase_changes(JOBS + 1)
            assert all(store.last_body(ref) == (b"%d" % shown, float(shown)) for ref in states)
        assert [change.seen for change in recent].count(float(shown)) == len(states), "a change is missing"
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("SELECT count(*) FROM phase_change").fetchone() == ((shown + 1) * JOBS,)
        return shown

    for _ in range(kills):
        last = kill_writer(_journal_writer(path), number, random_source.uniform(0, WRITER_LIFETIME))
        shown = recorded_write()
        assert shown in (last, last + 1), f"write {last} was acknowledged, and {shown} is the last one there"
        during_write += shown != last
        number = shown + 1
    files, line_kills = (
        {part: Path(f"{path}{part}").read_bytes() for part in FILE_SUFFIXES if Path(f"{path}{part}").exists()},
        0,
    )
    for line in kill_at_lines(lambda: _journal_writer(path)(number), stride):
        assert recorded_write() in (number - 1, number), f"killed at line {line} of a write, the journal is damaged"
        line_kills += 1
        for part in FILE_SUFFIXES:
            Path(f"{path}{part}").unlink(missing_ok=True)
        for part, content in files.items():
            Path(f"{path}{part}").write_bytes(content)
    return KillsProof("journal", kills, number, during_write, line_kills)


def _journal_writer(path: Path) -> Write:
    """Return a writer that opens the journal at its first write: a connection must not cross a fork."""
    opened: list[Journal] = []

    def write(number: int) -> None:
        if not opened:
            opened.append(Journal(path))
        opened[0].record(journal_batch(number))

    return write


def main(kills: int = KILLS, stride: int = 1) -> None:
    """Run the proof and print its counts. `stride`: step between the lines at which a writer is killed."""
    random_source = random.Random(kills)
    for prove in (prove_watchlist, prove_journal):
        with TemporaryDirectory() as folder:
            print(prove(Path(folder), kills, stride, random_source), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
