"""Commands on marked jobs: all of them act on every marked job, name those that are not shown, and can be undone."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from tests.dashboard.conftest import NOW
from tests.dashboard.test_dashboard import text_of, toasts
from tests.support.fake_engine import FakeEngine
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.confirm import ConfirmScreen, SelectionScreen
from tui.dashboard.dialogs.edit import VARIES, EditScreen, OptionBox
from tui.dashboard.screen import UNDO_LIMIT, Dashboard
from tui.domain.models import DownloadedFile, Job, Link, LinkKind, Phase
from tui.engine.api import CommandResult, Update
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

HOUR, DAY = 3600.0, 86400.0
SIZE = (120, 40)


async def press(pilot, *keys):
    for key in keys:
        await pilot.press(key)
        await pilot.pause()


async def done_jobs(app, engine, pilot, lives, **more):
    """Show done jobs with a link each, which live for so many seconds (None: no link); return their refs."""
    await pilot.pause()
    found = list(app.screen.board.states.values())[: len(lives)]
    for number, (state, life) in enumerate(zip(found, lives, strict=True)):
        url = f"https://cdn.test/{number}"
        link = () if life is None else (Link(LinkKind.VIDEO, url, NOW - DAY, NOW + life, False),)
        found[number] = replace(state, phase=Phase.DONE, phase_since=NOW - 60, links=link, result=None, **more)
    engine.push(Update(states={state.job.ref: state for state in found}))
    await pilot.pause()
    app.screen.board.marks = {state.job.ref for state in found}
    return [state.job.ref for state in found]


# Marked jobs that are not shown.


async def mark_three_and_hide_one(app, pilot):
    """Mark three jobs, filter so that one of them is not shown; return (all, shown)."""
    await pilot.pause()
    dash = app.screen
    shown = [ref for ref in dash.table.refs if ref.account == "heygen"][:2]
    hidden = next(ref for ref in dash.table.refs if ref.account == "konpro")
    dash.board.marks = {*shown, hidden}
    await press(pilot, "slash")
    dash.query_one("#filter", Input).value = "account:heygen"
    await press(pilot, "enter")
    return {*shown, hidden}, set(shown)


async def test_removing_names_the_marked_jobs_that_are_not_shown(app: Babeltop, workspace: Workspace):
    before = workspace.paths.watchlist_file.read_bytes()
    async with app.run_test(size=SIZE) as pilot:
        await mark_three_and_hide_one(app, pilot)
        assert "3 marked, 1 not shown" in text_of(pilot)
        await press(pilot, "d")
        assert isinstance(app.screen, SelectionScreen)
        assert "Remove 3 jobs, 1 not shown?" in text_of(pilot)
        assert "Enter: remove all 3 · s: only the 2 shown · Esc: cancel" in text_of(pilot)
        await press(pilot, "escape")
        assert workspace.paths.watchlist_file.read_bytes() == before


@pytest.mark.parametrize(("key", "choice"), [("enter", 0), ("s", 1)])
async def test_all_or_only_the_shown_ones_are_removed(app: Babeltop, workspace: Workspace, key, choice):
    before = {job.ref for job in workspace.watchlist.read().jobs}
    async with app.run_test(size=SIZE) as pilot:
        chosen = (await mark_three_and_hide_one(app, pilot))[choice]
        await press(pilot, "d", key)
        assert before - {job.ref for job in workspace.watchlist.read().jobs} == chosen


async def test_every_command_that_changes_or_sends_something_names_them(app: Babeltop, engine: FakeEngine):
    titles = {"x": "Archive", "m": "Mute", "r": "Refresh", "L": "Renew", "D": "Download", "o": "Open"}
    async with app.run_test(size=SIZE) as pilot:
        await mark_three_and_hide_one(app, pilot)
        for key, title in titles.items():
            await press(pilot, key)
            assert f"{title} 3 jobs, 1 not shown?" in text_of(pilot)
            await press(pilot, "q")
            assert isinstance(app.screen, Dashboard), title
            assert (engine.refreshed, engine.renewed, engine.downloaded) == ([], [], []), title


async def test_copy_and_edit_name_them_without_a_question(app: Babeltop):
    async with app.run_test(size=SIZE) as pilot:
        await mark_three_and_hide_one(app, pilot)
        await press(pilot, "y")
        assert "3 ids, 1 not shown sent to" in toasts(pilot)[-1]
        assert len(app.clipboard.splitlines()) == 3
        await press(pilot, "e")
        assert "Edit 3 jobs, 1 not shown" in text_of(pilot)


async def test_jobs_that_are_all_hidden_cannot_be_chosen_as_shown(app: Babeltop, workspace: Workspace):
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        app.screen.board.marks = {app.screen.table.refs[0]}
        await press(pilot, "slash", *"xyzzy", "enter", "d")
        assert "Remove 1 job, 1 not shown?" in text_of(pilot)
        assert "only the" not in text_of(pilot)
        await press(pilot, "s")
        assert isinstance(app.screen, SelectionScreen)


# Edit.


@pytest.fixture
def three(workspace: Workspace) -> tuple[Job, ...]:
    """Three jobs at the end of the watchlist, alike in some values."""
    jobs = (
        Job(account="heygen", id="e1", label="Ad", tags=("a", "b"), note="same", muted=True),
        Job(account="heygen", id="e2", label="Ad", tags=("b", "c"), note="same"),
        Job(account="konpro", id="e3", label="Film", tags=("b",), note="same"),
    )
    workspace.edit_watchlist(Add(jobs))
    return jobs


@pytest.fixture
def app_of_three(three, workspace: Workspace, engine: FakeEngine, app: Babeltop) -> Babeltop:
    states = workspace.job_states()
    engine.push(Update(states=states, order=tuple(states)))
    return app


async def edit_three(app, pilot, three):
    await pilot.pause()
    app.screen.board.marks = {job.ref for job in three}
    await press(pilot, "e")
    assert isinstance(app.screen, EditScreen)


def jobs_of(workspace):
    return workspace.watchlist.read().jobs[-3:]


async def test_edit_of_many_shows_common_values_and_what_varies(app_of_three: Babeltop, three):
    async with app_of_three.run_test(size=SIZE) as pilot:
        await edit_three(app_of_three, pilot, three)
        screen = app_of_three.screen
        fields = {field.id: (field.value, field.placeholder) for field in screen.query(Input) if field.id}
        assert {name: fields[name] for name in ("label", "tags", "note")} == {
            "label": ("", f"{VARIES}  -: none"),
            "tags": ("b ", ""),
            "note": ("same", ""),
        }
        shown = text_of(pilot)
        assert "Edit 3 jobs" in shown
        assert "not on all: a c" in shown
        assert f"[-] no alerts and hooks  {VARIES}" in shown
        assert "[ ] archived" in shown


async def test_edit_of_many_saves_what_was_changed_and_leaves_the_rest(app_of_three: Babeltop, three, workspace):
    async with app_of_three.run_test(size=SIZE) as pilot:
        await edit_three(app_of_three, pilot, three)
        app_of_three.screen.query_one("#tags", Input).value = "new -c"
        app_of_three.screen.query_one("#keep_link", OptionBox).focus()
        await press(pilot, "space", "enter")
        assert isinstance(app_of_three.screen, Dashboard)
        assert [job.tags for job in jobs_of(workspace)] == [("a", "new"), ("new",), ("new",)]
        assert all(job.keep_link for job in jobs_of(workspace))
        assert [(job.label, job.note, job.muted) for job in jobs_of(workspace)] == [
            (job.label, job.note, job.muted) for job in three
        ]
        await press(pilot, "u")
        assert jobs_of(workspace) == three


async def test_a_dash_empties_a_field_with_different_values(app_of_three: Babeltop, three, workspace: Workspace):
    async with app_of_three.run_test(size=SIZE) as pilot:
        await edit_three(app_of_three, pilot, three)
        await press(pilot, "-", "enter")
        assert [(job.label, job.note) for job in jobs_of(workspace)] == [("", "same")] * 3


async def test_edit_of_many_without_a_change_writes_nothing(app_of_three: Babeltop, three, workspace: Workspace):
    before = workspace.paths.watchlist_file.read_bytes()
    async with app_of_three.run_test(size=SIZE) as pilot:
        await edit_three(app_of_three, pilot, three)
        app_of_three.screen.query_one("#muted", OptionBox).focus()
        await press(pilot, "space", "space", "space", "enter")  # on, off, as it was
        assert isinstance(app_of_three.screen, Dashboard)
        assert workspace.paths.watchlist_file.read_bytes() == before


async def test_a_tag_with_a_space_survives_an_edit_of_something_else(app: Babeltop, workspace, engine):
    job = Job(account="heygen", id="e1", tags=("two words",))
    workspace.edit_watchlist(Add((job,)))
    states = workspace.job_states()
    engine.push(Update(states=states, order=tuple(states)))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await press(pilot, "G", "e", *"Ad", "enter")
        assert workspace.watchlist.read().jobs[-1] == replace(job, label="Ad")


async def test_enter_on_a_checkbox_saves_and_space_toggles(app: Babeltop, workspace: Workspace):
    before = workspace.watchlist.read().jobs[0]
    async with app.run_test(size=(80, 24)) as pilot:
        await press(pilot, "e", "tab", "tab", "tab")
        box = app.focused
        assert isinstance(box, OptionBox)
        assert "[ ] renew the link" in text_of(pilot) or "[x] renew the link" in text_of(pilot)
        was = box.value
        await press(pilot, "space")
        assert box.value is not was
        await press(pilot, "enter")
        assert isinstance(app.screen, Dashboard)
    assert workspace.watchlist.read().jobs[0] == replace(before, keep_link=not was)


# Copy and open.


async def test_the_links_of_many_are_copied_one_per_line_renewed_if_needed(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=SIZE) as pilot:
        refs = await done_jobs(app, engine, pilot, [DAY, HOUR / 2, -HOUR, None])
        renewed = Link(LinkKind.VIDEO, "https://cdn.test/new", NOW, NOW + DAY, False)
        engine.renewal_result = CommandResult(ok=False, message="1 new link; 1 failed", links={refs[1]: renewed})
        await press(pilot, "Y")
        assert engine.renewed == refs[1:3]
        assert app.clipboard == "https://cdn.test/0\nhttps://cdn.test/new"
        assert toasts(pilot) == [
            "2 links expired or expire within an hour: renewing them",
            "1 new link; 1 failed",
            "2 links sent to the terminal's clipboard (OSC 52); 2 jobs without a link",
        ]


async def test_marked_jobs_without_links_are_named(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=SIZE) as pilot:
        await done_jobs(app, engine, pilot, [None, None])
        await press(pilot, "Y")
        assert toasts(pilot) == ["None of the 2 jobs has a link"]


async def test_only_the_done_ones_of_the_marked_are_renewed_and_the_others_counted(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=SIZE) as pilot:
        refs = await done_jobs(app, engine, pilot, [DAY, DAY])
        other = next(ref for ref, state in app.screen.board.states.items() if state.phase is Phase.RUNNING)
        app.screen.board.marks.add(other)
        await press(pilot, "L")
        assert engine.renewed == refs
        assert toasts(pilot)[0] == "1 job skipped: only done jobs have a link to renew"


@pytest.mark.parametrize(("count", "confirms"), [(5, False), (6, True)])
async def test_more_than_five_links_are_opened_after_a_question(app: Babeltop, engine: FakeEngine, count, confirms):
    opened = list[str]()
    async with app.run_test(size=SIZE) as pilot:
        await done_jobs(app, engine, pilot, [DAY] * count)
        app.screen.open_external = lambda target: opened.append(target) or True
        await press(pilot, "o")
        assert isinstance(app.screen, ConfirmScreen) is confirms
        if confirms:
            assert "Open 6 links?" in text_of(pilot)
            await press(pilot, "enter")
        assert opened == [f"https://cdn.test/{number}" for number in range(count)]
        assert f"{count} links sent to the desktop" in toasts(pilot)


async def test_a_folder_of_several_downloads_is_opened_once(app: Babeltop, engine: FakeEngine, tmp_path: Path):
    file, opened = tmp_path / "a.mp4", list[str]()
    file.touch()
    async with app.run_test(size=SIZE) as pilot:
        await done_jobs(app, engine, pilot, [DAY] * 7, downloads=(DownloadedFile("video", str(file), 1, NOW),))
        app.screen.open_external = lambda target: opened.append(target) or True
        await press(pilot, "o")
        assert opened == [str(tmp_path)]


# Undo.


async def test_changes_of_every_kind_are_undone_one_after_the_other(app: Babeltop, workspace: Workspace):
    before = workspace.paths.watchlist_file.read_bytes()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "space", "space", "m")
        await press(pilot, "e", "tab", *"more", "enter")
        await press(pilot, "d", "x")
        await press(pilot, "a", *"7544c0b52ada44fda693a15b1181b5b4", "enter", "enter")
        assert len(app.screen.undo_stack) == 5
        for _ in range(5):
            assert workspace.paths.watchlist_file.read_bytes() != before
            await press(pilot, "u")
        assert workspace.paths.watchlist_file.read_bytes() == before
        await press(pilot, "u")
        assert toasts(pilot)[-1] == "Nothing to undo"


async def test_a_failed_undo_can_be_tried_again(app: Babeltop, workspace: Workspace):
    file = workspace.paths.watchlist_file
    before = file.read_bytes()
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "d")
        changed = file.read_bytes()
        file.write_bytes(b"broken [")
        await press(pilot, "u")
        assert "line 1" in toasts(pilot)[-1]
        file.write_bytes(changed)
        await press(pilot, "u")
        assert file.read_bytes() == before


async def test_the_number_of_changes_kept_for_undo_is_bounded(app: Babeltop):
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause()
        await press(pilot, "m")
        (first,) = stack = app.screen.undo_stack
        stack.extend([first] * (UNDO_LIMIT - 1))
        await press(pilot, "m", "m")
        assert len(stack) == UNDO_LIMIT
        assert sum(each is first for each in stack) == UNDO_LIMIT - 2, "the oldest are dropped"
