"""Watchlist at the start: an unchanged file is not parsed again after the first frame."""

import asyncio
import os
from random import Random

from msgspec.structs import replace

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.scripted_service import ScriptedService, running
from tests.support.virtual_time import VirtualTransport, run_virtual, wall_time
from tui.dashboard.startup import load_initial_state
from tui.domain.models import Ref
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.storage.journal.journal import JournalEntry
from tui.storage.watchlist.operations import Set

A, B = Ref("heygen-v2", "a"), Ref("heygen-v2", "b")


def begun_twice(tmp_path, between):
    """A console; `between(workspace)` while none runs and, where that gives one, its second part while one starts.

    Returns the second console's first frame, its engine's board, and that after two seconds.
    """
    app = ScriptedService(lambda request: running())

    def engine(workspace):
        return Engine(
            workspace,
            RecordingListener().publish,
            EngineContext.create(
                wall=wall_time, random=Random(1), transport=lambda: VirtualTransport({"sim.test": app})
            ),
        )

    async def play():
        workspace = fixtures.make_workspace(tmp_path, "http://sim.test", {"heygen-v2": ("a", "b")})
        async with fixtures.running_engine(engine(workspace)):
            await asyncio.sleep(60)
        workspace.close()
        late = between(workspace)
        workspace.close()
        first = load_initial_state(workspace).update.states
        if late is not None:
            late()
        taken = workspace.handover()
        async with fixtures.running_engine(engine(taken)) as second:
            at_once = dict(second.states)
            await asyncio.sleep(2)
            later = dict(second.states)
        taken.close()
        return first, at_once, later

    return run_virtual(play())


def disguised(workspace, old: str, new: str) -> None:
    """Change the file without changing its length and stamp."""
    file = workspace.paths.watchlist_file
    status, text = file.stat(), file.read_text()
    assert len(old) == len(new)
    assert old in text
    with file.open("r+") as there:
        there.write(text.replace(old, new))
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_watchlist_with_an_unchanged_stamp_is_not_read(tmp_path):
    _, at_once, later = begun_twice(tmp_path, lambda workspace: disguised(workspace, '"b"', '"c"'))
    assert list(at_once) == list(later) == [A, B]


def test_a_watchlist_that_was_edited_is_read(tmp_path):
    _, at_once, _ = begun_twice(
        tmp_path, lambda workspace: workspace.edit_watchlist(Set((B,), {"label": "Spring"})) and None
    )
    assert at_once[B].job.label == "Spring"


def test_labels_of_another_watchlist_are_replaced(tmp_path):
    def other_watchlist(workspace):
        state = workspace.journal.states()[B]
        workspace.journal.record([JournalEntry(replace(state, job=replace(state.job, label="Theirs")))])

    first, at_once, _ = begun_twice(tmp_path, other_watchlist)
    assert first[B].job.label == "Theirs"  # until an engine has looked
    assert at_once[B].job.label == ""


def test_entries_written_between_first_frame_and_engine_are_read(tmp_path):
    def write_late(workspace):
        def late():
            theirs = fixtures.make_workspace(tmp_path, "http://sim.test")
            state = theirs.journal.states()[A]
            newer = replace(state, checked_at=wall_time() + 1, poll_count=77)
            theirs.journal.record([JournalEntry(newer)])
            theirs.close()

        return late

    _, at_once, later = begun_twice(tmp_path, write_late)
    assert at_once[A].poll_count < 77
    assert later[A].poll_count == 77


def test_an_engine_that_changes_nothing_holds_the_states_of_the_first_frame(tmp_path):
    first, at_once, _ = begun_twice(tmp_path, lambda workspace: None)
    assert {ref: first[ref] is state for ref, state in at_once.items()} == {A: True, B: True}
