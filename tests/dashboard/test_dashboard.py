"""Dashboard: table, filter, dialogs and commands over real files."""

from typing import get_args

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input, TextArea

from tests.dashboard.conftest import NOW
from tests.support.fake_engine import FakeEngine, update_of
from tests.support.waiting import until
from tui.commands import COMMANDS, CommandId
from tui.dashboard.actions import HANDLERS
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.add import AddScreen
from tui.dashboard.dialogs.edit import EditScreen
from tui.dashboard.dialogs.help import HelpScreen
from tui.dashboard.screen import Dashboard
from tui.dashboard.widgets.detail import DetailPane
from tui.dashboard.widgets.job_table import JobTable
from tui.domain.job_state import JobState
from tui.domain.models import FaultKind, Job, Phase, Ref, Report, RequestRecord
from tui.engine.api import Notice, NoticeKind, Update
from tui.presentation.queries import View, display_name
from tui.storage.journal.journal import JournalEntry
from tui.storage.workspace import Workspace

FRENCH = "7544c0b52ada44fda693a15b1181b5b4-fr"
NASTY = "[/x][@click=app.quit]\x1b]0;x\x07"


def dashboard(pilot: Pilot[None]) -> Dashboard:
    return next(screen for screen in pilot.app.screen_stack if isinstance(screen, Dashboard))


def text_of(pilot: Pilot[None]) -> str:
    """The whole screen as a terminal would show it."""
    width, _ = pilot.app.size
    lines = pilot.app.screen._compositor.render_strips()
    return "\n".join(line.text[:width] for line in lines)


def toasts(pilot: Pilot[None]) -> list[str]:
    return [notification.message for notification in pilot.app._notifications]


def test_every_command_has_a_handler_of_its_own():
    assert {command.id for command in COMMANDS} == HANDLERS.keys() == set(get_args(CommandId))
    assert len(set(HANDLERS.values())) == len(HANDLERS)


async def test_an_unknown_command_id_fails_loudly(app: Babeltop):
    async with app.run_test() as pilot:
        with pytest.raises(KeyError, match="browse"):
            dashboard(pilot).action_run_command("browse")


async def test_the_table_shows_jobs_of_every_account_at_every_size(app: Babeltop, workspace: Workspace):
    async with app.run_test(size=(80, 24)) as pilot:
        table = dashboard(pilot).query_one(JobTable)
        for size in ((80, 24), (120, 40), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            assert len(table.refs) == sum(not state.job.archived for state in workspace.job_states().values())
            shown = text_of(pilot)
            for name in ("heygen", "konpro", "camb", "flixu"):
                assert name in shown, size


async def test_a_removed_row_above_keeps_the_cursor_on_its_job(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        table = dashboard(pilot).query_one(JobTable)
        await pilot.press("j", "j", "j", "j")
        before = table.cursor
        board = engine.workspace.job_states()
        gone = next(iter(board))
        engine.push(Update(states={}, order=tuple(ref for ref in board if ref != gone)))
        await pilot.pause()
        assert table.cursor == before
        assert table.refs.index(before) == 3


async def test_the_cursor_moves_to_the_next_job_when_its_job_is_removed(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        table = dashboard(pilot).query_one(JobTable)
        await pilot.press("j", "j")
        cursor, below = table.cursor, table.refs[3]
        board = engine.workspace.job_states()
        engine.push(Update(states={}, order=tuple(ref for ref in board if ref != cursor)))
        await pilot.pause()
        assert table.cursor == below


async def test_a_new_state_changes_its_row_and_no_other(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        table = dashboard(pilot).query_one(JobTable)
        before = text_of(pilot).splitlines()
        ref = table.refs[1]
        state = engine.workspace.job_states()[ref]
        engine.push(
            update_of(replace(state, phase=Phase.FAILED, phase_since=NOW - 60, job=replace(state.job, label="Spoilt")))
        )
        await pilot.pause()
        after = text_of(pilot).splitlines()
        changed = [line for old, line in zip(before[3:20], after[3:20], strict=True) if old != line]
        assert len(changed) == 1
        assert "✗ failed" in changed[0]
        assert "Spoilt" in changed[0]


async def test_undo_restores_a_removed_job_at_its_place(app: Babeltop, workspace: Workspace):
    before, jobs = workspace.paths.watchlist_file.read_bytes(), len(workspace.job_states())
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("j", "d")
        await pilot.pause()
        assert len(workspace.watchlist.read().jobs) == len(dashboard(pilot).board.states) == jobs - 1
        assert workspace.paths.watchlist_file.read_bytes() != before
        await pilot.press("u")
        await pilot.pause()
    assert workspace.paths.watchlist_file.read_bytes() == before


async def test_the_add_dialog_shows_the_candidates_and_adds_the_new_ones(app: Babeltop, workspace: Workspace):
    held = next(iter(workspace.job_states()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(app.screen, AddScreen)
        pasted = [FRENCH, FRENCH, "bad id", "interview-4", held.id]
        app.screen.query_one(TextArea).text = "\n".join(pasted)
        await pilot.pause()
        shown = text_of(pilot)
        for word in ("new, account detected", "duplicate", "invalid", "ambiguous", "already on the watchlist"):
            assert word in shown, shown
        await pilot.press("ctrl+s")
        await pilot.pause()
    added = workspace.watchlist.read().jobs[-1]
    assert added.ref == Ref("heygen", FRENCH)
    assert added.added == NOW


async def test_enter_adds_only_on_an_empty_line(app: Babeltop, workspace: Workspace):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("a", *"7544c0b52ada44fda693a15b1181b5b4", "enter")
        assert isinstance(app.screen, AddScreen)
        await pilot.press("enter")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
    assert workspace.watchlist.read().jobs[-1].id == "7544c0b52ada44fda693a15b1181b5b4"


async def test_edit_changes_the_edited_fields_only(app: Babeltop, workspace: Workspace):
    before = workspace.watchlist.read().jobs[0]
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("e")
        await pilot.pause()
        assert isinstance(app.screen, EditScreen)
        app.screen.query_one("#label", Input).value = "Another name"
        await pilot.press("enter")
        await pilot.pause()
    assert workspace.watchlist.read().jobs[0] == replace(before, label="Another name")


async def test_a_filter_applies_while_typed_and_escape_clears_it(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        table = dashboard(pilot).query_one(JobTable)
        everything = len(table.refs)
        await pilot.press("slash", *"phase:don")
        await pilot.pause()
        assert 0 < len(table.refs) < everything
        assert all(dashboard(pilot).board.states[ref].phase is Phase.DONE for ref in table.refs)
        assert f"{len(table.refs)} of" in text_of(pilot)
        await pilot.press("enter")
        assert app.focused is table
        await pilot.press("escape")
        await pilot.pause()
        assert len(table.refs) == everything


async def test_a_filter_without_matches_shows_a_message(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("slash", *"nothing-is-called-this")
        await pilot.pause()
        assert "No jobs match" in text_of(pilot)


async def test_views_select_by_phase(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        board = dashboard(pilot).board
        for key, view in zip("123456", View, strict=True):
            await pilot.press(key)
            await pilot.pause()
            assert board.view is view
            assert len(dashboard(pilot).query_one(JobTable).refs) == board.view_counts()[view]
        await pilot.press("exclamation_mark")
        assert board.view is View.PROBLEMS


async def test_refresh_polls_the_job_under_the_cursor_or_the_marked_ones(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        table = dashboard(pilot).query_one(JobTable)
        await pilot.press("r")
        await pilot.pause()
        assert engine.refreshed == [table.refs[0]]
        await pilot.press("space", "j", "space", "r")
        await pilot.pause()
        assert engine.refreshed[1:] == [table.refs[0], table.refs[2]]
        await pilot.press("R")
        await pilot.pause()
        assert engine.refreshed[3:] == table.refs


async def test_copying_claims_no_more_than_that_the_text_was_sent(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        table = dashboard(pilot).query_one(JobTable)
        await pilot.press("y")
        assert app.clipboard == table.refs[0].id
        assert "Id sent to the terminal's clipboard (OSC 52)" in toasts(pilot)
        await pilot.press("3", "Y")
        await pilot.pause()
        link = dashboard(pilot).board.states[table.cursor].links[0]
        assert app.clipboard == link.url


async def test_an_expired_link_is_not_copied(app: Babeltop, workspace: Workspace):
    dead = next(ref for ref, state in workspace.job_states().items() if display_name(state) == "Old interview")
    async with app.run_test(size=(120, 40)) as pilot:
        dashboard(pilot).query_one(JobTable).move_to_job(dead)
        await pilot.press("Y")
        await pilot.pause()
        assert app.clipboard == ""
        assert any("expired" in toast for toast in toasts(pilot))


async def test_readonly_disables_writes_but_not_refresh(workspace: Workspace, engine: FakeEngine):
    from tui.dashboard.widgets.welcome import OnboardingInfo

    board = workspace.job_states()
    app = Babeltop(
        engine,
        workspace.settings,
        OnboardingInfo("w", ()),
        initial_update=Update(states=board, order=tuple(board)),
        readonly=True,
    )
    before = workspace.paths.watchlist_file.read_bytes()
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("d", "x", "m", "a")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        assert any("Read-only: add is disabled" in toast for toast in toasts(pilot))
        assert not [command.id for command in app.screen.possible_commands() if command.writes]
        await pilot.press("r")
        await pilot.pause()
    assert engine.refreshed
    assert workspace.paths.watchlist_file.read_bytes() == before


async def test_help_shows_every_command_and_closes(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.pause()
        assert isinstance(app.screen, HelpScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, Dashboard)


async def test_the_detail_opens_over_the_table_on_a_narrow_terminal(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        pane = dashboard(pilot).query_one(DetailPane)
        assert not pane.display
        await pilot.press("enter")
        await pilot.pause()
        assert pane.display
        await pilot.press("escape")
        await pilot.pause()
        assert not pane.display


async def test_the_response_tab_masks_signatures(app: Babeltop, workspace: Workspace):
    signed = next(
        ref for ref, state in workspace.job_states().items() if any(link.expiry_is_exact for link in state.links)
    )
    url = workspace.job_states()[signed].links[0].url
    async with app.run_test(size=(200, 60)) as pilot:
        dashboard(pilot).query_one(JobTable).move_to_job(signed)
        await pilot.press("right_square_bracket", "right_square_bracket")
        await pilot.pause()
        await pilot.pause()
        shown = text_of(pilot).replace("\n", "").replace(" ", "")
        assert '"data":' in shown or '"video_url"' in shown
        assert url.partition("?")[2] not in shown
        assert "?…" in shown


async def test_hostile_titles_are_harmless_in_every_view(app: Babeltop, engine: FakeEngine):
    from tui.presentation.sanitize import clean

    title = clean(NASTY)
    async with app.run_test(size=(200, 60)) as pilot:
        table = dashboard(pilot).query_one(JobTable)
        job = engine.workspace.job_states()[table.refs[0]].job
        report = Report(phase=Phase.FAILED, raw_status="failed", title=title, message=title)
        engine.push(update_of(JobState(job=replace(job, label=""), phase=Phase.FAILED, phase_since=NOW, report=report)))
        engine.push(Update(states={}, notices=(Notice(NoticeKind.FAILED, f"{title}: failed", job.ref, NOW),)))
        await pilot.pause()
        await pilot.pause()
        shown = text_of(pilot)
        assert shown.count("[/x][@click=app.quit]") >= 3
        assert "\x1b" not in shown


async def test_forty_notices_become_one_toast(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        many = tuple(Notice(NoticeKind.DONE, f"job {at} done", Ref("heygen", str(at)), NOW) for at in range(40))
        engine.push(Update(states={}, notices=many))
        await pilot.pause()
        assert toasts(pilot) == ["40 jobs changed: 40 done. J: recent events"]


async def test_a_frozen_view_is_unchanged_until_unfrozen(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        table = dashboard(pilot).query_one(JobTable)
        await pilot.press("z")
        state = engine.workspace.job_states()[table.refs[0]]
        engine.push(update_of(replace(state, job=replace(state.job, label="Meanwhile"))))
        await pilot.pause()
        assert "Meanwhile" not in text_of(pilot)
        await pilot.press("z")
        await pilot.pause()
        assert "Meanwhile" in text_of(pilot)


async def test_an_update_that_comes_in_slices_is_shown_whole_with_a_single_wake_up(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        known = engine.workspace.job_states()
        refs = dashboard(pilot).query_one(JobTable).refs[:3]
        edited = [replace(known[ref], job=replace(known[ref].job, label=f"Part {ref.id[:4]}")) for ref in refs]
        *before, last = (replace(update_of(state), has_more=True) for state in edited)
        engine.pending_updates += [*before, replace(last, has_more=False)]
        app.on_updates_available()
        await until(lambda: all(state.job.label in text_of(pilot) for state in edited))


async def test_the_banner_shows_problems_and_an_engine_that_does_not_respond(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        engine.silent_seconds = 7.0
        engine.push(Update(states={}, problems=("watchlist.toml: line 3, column 9: no TOML",)))
        await pilot.pause()
        shown = text_of(pilot)
        assert "line 3, column 9" in shown
        assert "Engine not responding for 7 s" in shown


@pytest.mark.parametrize("keys", [("q", "q"), ("q", "enter"), ("ctrl+c", "ctrl+c"), ("ctrl+q",)])
async def test_q_quits_after_one_question_and_escape_never_does(app: Babeltop, keys):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press(*["escape"] * 4)
        assert isinstance(app.screen, Dashboard)
        await pilot.press("q")
        await pilot.pause()
        assert "Quit? Your jobs keep running." in text_of(pilot)
        await pilot.press("escape", "escape")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        for key in keys:
            assert app.is_running
            await pilot.press(key)
            await pilot.pause()
        assert app.return_code == 0


async def test_an_empty_watchlist_shows_how_to_start(workspace: Workspace, engine: FakeEngine):
    from tui.dashboard.widgets.welcome import OnboardingInfo

    greeting = OnboardingInfo("~/.config/babeltop/watchlist.toml", workspace.key_variables())
    app = Babeltop(engine, workspace.settings, greeting)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        shown = text_of(pilot)
        assert "The watchlist is empty." in shown
        assert "babeltop --demo" in shown
        assert "watchlist.toml" in shown


async def test_many_resizes_end_with_the_first_screen(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        before = text_of(pilot)
        for size in [(1, 1), (2, 1), (10, 3), (300, 80), (80, 24), (1, 50), (161, 29), (120, 40)]:
            await pilot.resize_terminal(*size)
            await pilot.pause()
        assert text_of(pilot) == before


def test_the_edit_dialog_offers_the_watchlists_fields():
    assert {"label", "tags", "note", "keep_link", "download", "muted", "archived"} <= set(Job.__struct_fields__)


async def test_the_requests_tab_lists_outcome_and_duration(app: Babeltop, workspace: Workspace):
    ref, state = next((ref, state) for ref, state in workspace.job_states().items() if state.phase is Phase.DONE)
    polled = [
        RequestRecord(NOW - 60, 200, 210.0, "req-1", None),
        RequestRecord(NOW - 30, 503, 95.0, None, FaultKind.SERVER),
    ]
    workspace.journal.record([JournalEntry(state, request=each) for each in polled])
    async with app.run_test(size=(120, 40)) as pilot:
        dashboard(pilot).query_one(JobTable).move_to_job(ref)
        await pilot.press("left_square_bracket", "left_square_bracket")
        await pilot.pause()
        await pilot.pause()
        shown = text_of(pilot)
        assert "200     210 ms  report" in shown
        assert "503      95 ms  server" in shown
        assert "req-1" in shown


async def test_a_follower_shows_the_pid_of_its_leader(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        engine.push(Update(states={}, role="following PID 4242"))
        await pilot.pause()
        assert "following PID 4242" in text_of(pilot)
        engine.push(Update(states={}, role="polling"))
        await pilot.pause()
        assert "following" not in text_of(pilot)
