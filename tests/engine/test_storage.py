"""Files of a running engine: full disks, deleted folders, symlinks, permissions."""

import asyncio
import os
import subprocess
from pathlib import Path
from random import Random

import pytest

from tests.support import fixtures
from tests.support.fixtures import RecordingListener
from tests.support.scripted_service import ScriptedService, done, running
from tests.support.unprivileged_user import unprivileged
from tests.support.virtual_time import MINUTE, VirtualTransport, run_virtual, wall_time
from tui.domain.models import Job, Phase, Ref
from tui.engine.context import EngineContext
from tui.engine.engine import Engine
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

A, B = Ref("heygen-v2", "a"), Ref("heygen-v2", "b")
ADD = Add((Job(account="heygen-v2", id="b"),))


@pytest.fixture
def app():
    return ScriptedService(lambda request: running())


def opened(workspace, app, listener, seed=1):
    return Engine(
        workspace,
        listener.publish,
        EngineContext.create(
            wall=wall_time, random=Random(seed), transport=lambda: VirtualTransport({"sim.test": app})
        ),
    )


def played(folder, app, scenario, *, patient=False):
    """Run the scenario with one job; watchlist and state have separate folders."""

    async def play():
        found = fixtures.make_workspace(folder, "http://sim.test", accounts=("heygen-v2",))
        places = fixtures.workspace_paths(folder)
        places = type(places)(
            config_dir=folder, state_dir=folder / "state", watchlist_file=folder / "list" / "watchlist.toml"
        )
        workspace = Workspace.open(places, found.keys.environ)
        workspace.watchlist.edit(Add((Job(account="heygen-v2", id="a"),)))
        listener = RecordingListener()
        engine = opened(workspace, app, listener)
        await engine.open(tolerate_errors=patient)
        task = asyncio.create_task(engine.run())
        try:
            await asyncio.sleep(MINUTE)
            await scenario(engine, listener, workspace)
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        workspace.close()

    run_virtual(play())


def gone(file: Path) -> None:
    file.rename(file.with_name("elsewhere"))


def folder_gone(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))


def a_folder(file: Path) -> None:
    gone(file)
    file.mkdir()


def a_dangling_link(file: Path) -> None:
    gone(file)
    file.symlink_to("nowhere")


def a_loop(file: Path) -> None:
    gone(file)
    file.symlink_to(file.name)


def a_pipe(file: Path) -> None:
    gone(file)
    os.mkfifo(file)


def latin_1(file: Path) -> None:
    file.write_bytes(file.read_bytes() + '[[job]]\naccount = "x"\nid = "1"\nlabel = "é"\n'.encode("latin-1"))


@pytest.mark.parametrize(
    "accident", [gone, folder_gone, a_folder, a_dangling_link, a_loop, a_pipe, latin_1], ids=lambda each: each.__name__
)
def test_a_watchlist_that_becomes_unreadable_keeps_its_jobs_and_is_reported(tmp_path, app, accident):
    async def scenario(engine, listener, workspace):
        file = workspace.paths.watchlist_file
        good = file.read_bytes()
        accident(file)
        await asyncio.sleep(2)
        assert [str(file) in trouble for trouble in listener.last_problems] == [True]
        before = len(app.requests)
        await asyncio.sleep(MINUTE)
        assert len(app.requests) > before, "polling continues"
        assert list(engine.states) == [A]
        if file.is_dir() or file.is_symlink():
            (file.rmdir if file.is_dir() else file.unlink)()
        file.parent.mkdir(exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_bytes(good + b'\n[[job]]\naccount = "heygen-v2"\nid = "b"\n')
        await asyncio.sleep(2)
        assert listener.last_problems == ()
        assert list(engine.states) == [A, B]

    played(tmp_path, app, scenario)


def test_a_watchlist_truncated_by_a_saving_editor_is_not_an_empty_one(tmp_path, app):
    async def scenario(engine, listener, workspace):
        file = workspace.paths.watchlist_file
        listener.orders.clear()
        text = file.read_text()
        for left in ("", text[:20]):
            await asyncio.sleep(0.95)  # looks are at every whole second
            file.write_text(left)
            os.utime(file, (wall_time(), wall_time()))
            await asyncio.sleep(0.06)
            file.write_text(text)
            os.utime(file, (wall_time(), wall_time()))
            await asyncio.sleep(1.99)
        assert listener.last_problems == ()
        assert set(listener.orders) <= {(A,)}
        file.write_text("")
        await asyncio.sleep(2)
        assert listener.orders[-1] == ()

    played(tmp_path, app, scenario)


@pytest.mark.parametrize("times", [5, 50])
def test_a_watchlist_that_is_written_all_the_time_is_read(tmp_path, app, times):
    async def scenario(engine, listener, workspace):
        file = workspace.paths.watchlist_file
        file.write_text(file.read_text() + '\n[[job]]\naccount = "heygen-v2"\nid = "b"\n')
        for number in range(times):
            file.write_text(file.read_text() + f"# {number}\n")
            os.utime(file, (wall_time(), wall_time()))
            await asyncio.sleep(0.1)
        await asyncio.sleep(2)
        assert list(engine.states) == [A, B]

    played(tmp_path, app, scenario)


def test_a_watchlist_that_is_saved_by_rename_is_read_within_two_seconds(tmp_path, app):
    async def scenario(engine, listener, workspace):
        file = workspace.paths.watchlist_file
        for number in range(5):
            draft = file.with_name("draft")
            draft.write_text(f'[[job]]\naccount = "heygen-v2"\nid = "{number}"\n')
            os.utime(draft, (wall_time(), wall_time()))
            draft.replace(file)
            await asyncio.sleep(2)
            assert [ref.id for ref in engine.states] == [str(number)]
            await asyncio.sleep(0.23)

    played(tmp_path, app, scenario)


def bound(folder, app, scenario):
    """Run as `played`, as a user without root's permissions, and that user may be unable to read Python's own files."""

    async def nothing(engine, listener, workspace):
        assert listener.last_problems == ()

    before = folder / "before"
    before.mkdir()
    played(before, app, nothing)
    app.requests.clear()
    with unprivileged(folder):
        played(folder, app, scenario)


@pytest.mark.parametrize("which", ["file", "folder"])
def test_a_watchlist_without_read_permission_keeps_its_jobs(tmp_path, app, which):
    async def scenario(engine, listener, workspace):
        file = workspace.paths.watchlist_file
        barred, mode = (file, 0o600) if which == "file" else (file.parent, 0o700)
        barred.chmod(0)
        if which == "file":
            os.utime(file)  # what it was is known: only what changed is read
        await asyncio.sleep(MINUTE)
        assert ["Permission denied" in trouble for trouble in listener.last_problems] == [True]
        assert "Permission denied" in (await engine.perform(ADD)).message
        assert list(engine.states) == [A]
        barred.chmod(mode)
        await asyncio.sleep(2)
        assert listener.last_problems == ()
        assert (await engine.perform(ADD)).ok

    bound(tmp_path, app, scenario)


def test_a_state_folder_that_becomes_readonly_keeps_the_open_journal(tmp_path, app):
    async def scenario(engine, listener, workspace):
        workspace.paths.state_dir.chmod(0o500)
        await asyncio.sleep(MINUTE)
        assert listener.last_problems == ()
        assert (await engine.job_history(A)).requests[0].ended_at > wall_time() - MINUTE
        workspace.paths.state_dir.chmod(0)
        before = len(app.requests)
        await asyncio.sleep(MINUTE)
        assert len(app.requests) > before
        assert any("Permission denied" in trouble for trouble in listener.last_problems)
        workspace.paths.state_dir.chmod(0o700)
        await asyncio.sleep(10)
        assert listener.last_problems == ()
        assert len((await engine.job_history(A)).requests) >= len(app.requests) - 1, (
            "none is lost; one may be under way"
        )

    bound(tmp_path, app, scenario)


def test_a_watchlist_replaced_by_a_symlink_is_read_through_it(tmp_path, app):
    async def scenario(engine, listener, workspace):
        file = workspace.paths.watchlist_file
        other = tmp_path / "other.toml"
        other.write_text('[[job]]\naccount = "heygen-v2"\nid = "b"\n')
        gone(file)
        file.symlink_to(other)
        await asyncio.sleep(2)
        assert list(engine.states) == [B]
        assert (await engine.perform(Add((Job(account="heygen-v2", id="c"),)))).ok
        assert file.is_symlink()
        assert 'id = "c"' in other.read_text()

    played(tmp_path, app, scenario)


def state_gone(state: Path) -> None:
    state.rename(state.with_name("elsewhere"))


def journal_gone(state: Path) -> None:
    for file in state.glob("journal.db*"):
        file.unlink()


def journal_a_folder(state: Path) -> None:
    journal_gone(state)
    (state / "journal.db").mkdir()


def journal_a_loop(state: Path) -> None:
    journal_gone(state)
    (state / "journal.db").symlink_to("journal.db")


def journal_linked(state: Path) -> None:
    """Move the folder and leave a symlink in its place."""
    other = state.with_name("other")
    other.mkdir()
    for file in list(state.glob("journal.db*")):
        file.rename(other / file.name)
    (state / "journal.db").symlink_to(other / "journal.db")


@pytest.mark.parametrize(
    "accident",
    [state_gone, journal_gone, journal_a_folder, journal_a_loop, journal_linked],
    ids=lambda each: each.__name__,
)
def test_polling_continues_without_the_journal_and_the_next_one_holds_every_job(tmp_path, accident):
    app = ScriptedService(lambda request: running() if request.id == "b" else done("https://cdn.test/1"))

    async def scenario(engine, listener, workspace):
        assert (await engine.perform(ADD)).ok
        await asyncio.sleep(MINUTE)
        assert engine.states[A].phase is Phase.DONE
        state = workspace.paths.state_dir
        accident(state)
        before = len(app.requests)
        await asyncio.sleep(2 * MINUTE)
        assert len(app.requests) > before + 2
        place = state / "journal.db"
        if place.is_dir() or (place.is_symlink() and not place.exists()):
            assert any(str(place) in trouble for trouble in listener.last_problems)
            (place.rmdir if place.is_dir() else place.unlink)()
            await asyncio.sleep(10)
        assert listener.last_problems == ()
        other = Workspace.open(workspace.paths, workspace.keys.environ)
        held = other.job_states()
        other.close()
        assert held[A].phase is Phase.DONE, "ended jobs are not polled again: only the store had the state"
        assert held[B].phase is Phase.RUNNING

    played(tmp_path, app, scenario)


def test_a_journal_is_used_again_once_its_folder_returns(tmp_path, app):
    async def scenario(engine, listener, workspace):
        state = workspace.paths.state_dir
        (tmp_path / "file").write_text("")
        state_gone(state)
        state.symlink_to(tmp_path / "file")  # nothing can be made there
        await asyncio.sleep(10)
        assert any("journal" in trouble for trouble in listener.last_problems)
        state.unlink()
        state.with_name("elsewhere").rename(state)
        await asyncio.sleep(10)
        assert listener.last_problems == ()
        assert (await engine.job_history(A)).requests[0].ended_at > wall_time() - MINUTE

    played(tmp_path, app, scenario)


def test_a_deleted_state_folder_leaves_one_leader(tmp_path, app):
    async def scenario(engine, listener, workspace):
        state_gone(workspace.paths.state_dir)
        await asyncio.sleep(10)
        other, received = Workspace.open(workspace.paths, workspace.keys.environ), RecordingListener()
        async with fixtures.running_engine(opened(other, app, received, 2)):
            await asyncio.sleep(10)
            assert {listener.last_role, received.last_role} == {"polling", f"following PID {os.getpid()}"}
        other.close()

    played(tmp_path, app, scenario)


@pytest.fixture
def small(tmp_path):
    """Mount a disk of half a mebibyte."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k,mode=0700", "none", place], capture_output=True
    ).returncode:
        pytest.skip("only root can mount a small disk")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def fill(disk: Path) -> Path:
    """Fill the disk."""
    stuffing = disk / "stuffing"
    with stuffing.open("wb", buffering=0) as file:
        try:
            while file.write(b"x" * 1024):
                pass
        except OSError:
            return stuffing
    raise AssertionError


def test_a_full_disk_stops_no_polls_and_unwritten_entries_are_written_later(small, app):
    async def scenario(engine, listener, workspace):
        file = workspace.paths.watchlist_file
        text, stuffing = file.read_text(), fill(small)
        await asyncio.sleep(2 * MINUTE)
        assert ["disk is full" in trouble for trouble in listener.last_problems] == [True]
        before = len(app.requests)
        await asyncio.sleep(2 * MINUTE)
        assert len(app.requests) > before
        outcome = await engine.perform(ADD)
        assert "No space left" in outcome.message
        assert str(file) in outcome.message
        assert file.read_text() == text
        assert not list(file.parent.glob("*.tmp"))
        stuffing.unlink()
        await asyncio.sleep(10)
        assert listener.last_problems == ()
        assert (await engine.perform(ADD)).ok
        assert len((await engine.job_history(A)).requests) >= len(app.requests) - 1, "one may be under way"

    played(small, app, scenario)


def test_an_engine_starts_on_a_full_disk_and_reports_that_nothing_is_kept(small, app):
    fixtures.make_workspace(small, "http://sim.test")
    (small / "list").mkdir()
    (small / "list" / "watchlist.toml").write_text('[[job]]\naccount = "heygen-v2"\nid = "a"\n')
    (small / "state").mkdir()
    stuffing = fill(small)

    async def play():
        places = fixtures.workspace_paths(small)
        workspace = Workspace.open(
            type(places)(config_dir=small, state_dir=small / "state", watchlist_file=small / "list" / "watchlist.toml"),
            {"KEY_HEYGEN_V2": fixtures.KEY},
        )
        listener = RecordingListener()
        engine = opened(workspace, app, listener)
        await engine.open(tolerate_errors=True)
        task = asyncio.create_task(engine.run())
        await asyncio.sleep(MINUTE)
        assert engine.states[A].phase is Phase.RUNNING
        assert ["disk is full" in trouble and "lost at exit" in trouble for trouble in listener.last_problems] == [True]
        assert [change.after for change in (await engine.job_history(A)).phase_changes] == [Phase.RUNNING]
        stuffing.unlink()
        await asyncio.sleep(2 * MINUTE)
        assert listener.last_problems == ()
        assert Workspace.open(workspace.paths, {}).job_states()[A].phase is Phase.RUNNING
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        workspace.close()

    run_virtual(play())
