"""Effect of every command, by its key. A command without a case fails."""

from collections.abc import Callable
from typing import NamedTuple

import pytest
from msgspec.structs import replace
from textual.widgets import Input

from tests.support.cases import cases
from tests.support.fake_engine import FakeEngine
from tui.commands import COMMANDS
from tui.dashboard.actions.jobs import polling_duration
from tui.dashboard.app import Babeltop
from tui.dashboard.dialogs.accounts import AccountsScreen
from tui.dashboard.dialogs.add import AddScreen
from tui.dashboard.dialogs.calendar import CalendarScreen
from tui.dashboard.dialogs.columns import ColumnsScreen
from tui.dashboard.dialogs.confirm import ConfirmScreen
from tui.dashboard.dialogs.edit import EditScreen
from tui.dashboard.dialogs.fleet import FleetScreen
from tui.dashboard.dialogs.help import HelpScreen
from tui.dashboard.dialogs.history import HistoryScreen
from tui.dashboard.dialogs.sort import SortScreen
from tui.dashboard.dialogs.views import ViewsScreen
from tui.dashboard.dialogs.why import WhyScreen
from tui.dashboard.screen import Dashboard
from tui.dashboard.widgets.detail_pages import DetailTab
from tui.engine.api import Update
from tui.presentation.queries import SORTS, View


class Context(NamedTuple):
    """State that a case checks."""

    app: Babeltop
    dashboard: Dashboard
    engine: FakeEngine

    @property
    def cursor_row(self) -> int:
        return self.dashboard.table.refs.index(self.dashboard.table.cursor)

    @property
    def states(self):
        return self.engine.workspace.job_states()

    @property
    def screen(self) -> type:
        return type(self.app.screen)

    @property
    def toasts(self) -> str:
        return " ".join(notification.message for notification in self.app._notifications)

    def situation(self) -> tuple[object, ...]:
        """Return what commands change on the screen: dialog, focus, row, query, marks, detail and appearance."""
        dashboard, board, table = self.dashboard, self.dashboard.board, self.dashboard.table
        query = board.view, board.sort, board.descending, board.filter_text, frozenset(board.marks), board.zone
        detail = dashboard.detail.tab, dashboard.detail.display, dashboard.detail.region, dashboard.detail._matches
        looks = dashboard.classes, self.app.theme, table._name_offset, dashboard.held_updates, self.engine.paused
        return self.screen, self.app.focused, self.cursor_row, query, detail, looks

    def forget(self) -> None:
        """Discard the results of earlier commands."""
        self.app.clear_notifications()
        self.app.copy_to_clipboard("")
        for commands in (self.engine.refreshed, self.engine.renewed, self.engine.downloaded):
            commands.clear()


class Case(NamedTuple):
    before: tuple[str, ...]
    """Keys pressed first; the command's own key comes after them."""
    holds: Callable[[Context], object]


READING = ("right_square_bracket", "right_square_bracket", "enter", "slash", *"a", "enter")
"""Keys that open the response of the first job and search in it."""

CASES = {
    "help": Case((), lambda context: context.screen is HelpScreen),
    "down": Case((), lambda context: context.cursor_row == 1),
    "up": Case(("j", "j"), lambda context: context.cursor_row == 1),
    "top": Case(("j", "j"), lambda context: context.cursor_row == 0),
    "bottom": Case((), lambda context: context.cursor_row == len(context.dashboard.table.refs) - 1),
    "half_down": Case((), lambda context: context.cursor_row == context.dashboard.table.size.height // 2),
    "half_up": Case(("ctrl+d",), lambda context: context.cursor_row == 0),
    "page_down": Case(
        (),
        lambda context: (
            context.cursor_row == min(context.dashboard.table.size.height, len(context.dashboard.table.refs) - 1)
        ),
    ),
    "page_up": Case(("pagedown",), lambda context: context.cursor_row == 0),
    "right": Case((), lambda context: context.dashboard.table._name_offset > 0),
    "left": Case(("l",), lambda context: context.dashboard.table._name_offset == 0),
    "focus_next": Case((), lambda context: context.app.focused.id == "detail-scroll"),
    "open": Case((), lambda context: context.dashboard.has_class("-detail-open")),
    "back": Case(("enter",), lambda context: not context.dashboard.has_class("-detail-open")),
    "close": Case(("enter",), lambda context: not context.dashboard.has_class("-detail-open")),
    "interrupt": Case(("enter",), lambda context: not context.dashboard.has_class("-detail-open")),
    "filter": Case((), lambda context: context.app.focused.id == "filter"),
    "find_next": Case(READING, lambda context: context.dashboard.detail._match_index == 1),
    "find_previous": Case((*READING, "n"), lambda context: context.dashboard.detail._match_index == 0),
    "sort": Case((), lambda context: context.screen is SortScreen),
    "sort_reverse": Case((), lambda context: context.dashboard.board.descending),
    "sort_left": Case(("greater_than_sign",) * 2, lambda context: context.dashboard.board.sort == "status"),
    "sort_right": Case(("greater_than_sign",), lambda context: context.dashboard.board.sort == "account"),
    "views": Case((), lambda context: context.screen is ViewsScreen),
    "columns": Case((), lambda context: context.screen is ColumnsScreen),
    **{
        f"saved_view_{number}": Case((), lambda context, number=number: f"No view {number + 6}" in context.toasts)
        for number in (1, 2, 3)
    },
    "tab_next": Case((), lambda context: context.dashboard.detail.tab is DetailTab.TIMELINE),
    "tab_previous": Case(("right_square_bracket",), lambda context: context.dashboard.detail.tab is DetailTab.OVERVIEW),
    "freeze": Case((), lambda context: context.dashboard.held_updates is not None),
    "time": Case((), lambda context: context.dashboard.board.zone is not None and "local" in context.toasts),
    "theme": Case((), lambda context: context.app.theme == "babeltop-light"),
    "preview": Case((), lambda context: not context.dashboard.detail.display),
    "detail_position": Case(
        (), lambda context: context.dashboard.detail.region.x == 80 and context.dashboard.table.region.width == 80
    ),
    "accounts": Case((), lambda context: context.screen is AccountsScreen),
    "calendar": Case((), lambda context: context.screen is CalendarScreen),
    "fleet": Case((), lambda context: context.screen is FleetScreen),
    "why": Case((), lambda context: context.screen is WhyScreen),
    "journal": Case((), lambda context: context.screen is HistoryScreen),
    "team": Case((), lambda context: context.dashboard.board.shows_team),
    **{
        f"view_{view}": Case(
            ("4" if view is View.ALL else "1",), lambda context, view=view: context.dashboard.board.view is view
        )
        for view in View
    },
    "mark": Case(
        (),
        lambda context: context.dashboard.board.marks == {context.dashboard.table.refs[0]} and context.cursor_row == 1,
    ),
    "mark_all": Case((), lambda context: context.dashboard.board.marks == set(context.dashboard.table.refs)),
    "unmark": Case(("V",), lambda context: not context.dashboard.board.marks),
    "invert": Case(("space",), lambda context: context.dashboard.board.marks == set(context.dashboard.table.refs[1:])),
    "add": Case((), lambda context: context.screen is AddScreen),
    "edit": Case((), lambda context: context.screen is EditScreen),
    "remove": Case(
        (), lambda context: context.dashboard.table.cursor in context.states and "u: undo" in context.toasts
    ),
    "undo": Case(
        ("d",), lambda context: len(context.dashboard.board.states) == len(context.states) and "done" in context.toasts
    ),
    "archive": Case((), lambda context: next(iter(context.states.values())).job.archived),
    "mute": Case((), lambda context: next(iter(context.states.values())).job.muted),
    "refresh": Case((), lambda context: context.engine.refreshed == context.dashboard.table.refs[:1]),
    "refresh_all": Case((), lambda context: context.engine.refreshed == context.dashboard.table.refs),
    "pause": Case(
        (), lambda context: context.engine.paused and "Z: resume" in str(context.dashboard.query_one("#banner").content)
    ),
    "copy_id": Case((), lambda context: context.app.clipboard == context.dashboard.table.cursor.id),
    "copy_link": Case(("3",), lambda context: context.app.clipboard.startswith("https://")),
    "open_link": Case(("3",), lambda context: "No desktop found" in context.toasts),
    "renew": Case(
        ("3",),
        lambda context: context.engine.renewed == context.dashboard.table.refs[:1] and "renewed" in context.toasts,
    ),
    "download": Case(("3",), lambda context: context.engine.downloaded == context.dashboard.table.refs[:1]),
    "palette": Case((), lambda context: context.screen.__name__ == "Palette"),
    "quit": Case((), lambda context: context.app.return_code == 0),
}

DIALOGS = ("help", "sort", "views", "columns", "accounts", "calendar", "fleet", "why", "journal", "add", "edit")
BACK = {
    **dict.fromkeys((*DIALOGS, "palette", "filter", "focus_next", "open"), ("escape",)),
    **dict.fromkeys(("down", "up", "bottom", "half_down", "page_down"), ("g",)),
    **dict.fromkeys(("top", "half_up", "page_up", "left", "back", "close", "interrupt", "tab_previous", "unmark"), ()),
    **dict.fromkeys(("saved_view_1", "saved_view_2", "saved_view_3", "refresh", "refresh_all", "copy_id"), ()),
    **dict.fromkeys((*(f"view_{view}" for view in View), "copy_link", "open_link", "renew", "download"), ("1", "g")),
    "find_next": ("escape", "escape", "left_square_bracket", "left_square_bracket"),
    "find_previous": ("escape", "escape", "left_square_bracket", "left_square_bracket"),
    "right": ("h",),
    "sort_reverse": ("S",),
    "sort_left": ("less_than_sign",),
    "sort_right": ("less_than_sign", "less_than_sign"),
    "tab_next": ("left_square_bracket",),
    "freeze": ("z",),
    "time": ("t", "t"),
    "preview": ("p",),
    "detail_position": ("P",),
    "mark": ("U", "g"),
    "mark_all": ("U",),
    "invert": ("U", "g"),
    "pause": ("Z",),
}
"""Keys that undo each command: those commands are tried one after the other in one dashboard."""
KEYS = {command.id: command.keys[0] for command in COMMANDS}


def test_every_command_has_a_case():
    assert CASES.keys() == {command.id for command in COMMANDS}


async def test_every_key_is_bound_to_its_command_and_the_table_takes_none(app: Babeltop):
    async with app.run_test() as pilot:
        await pilot.pause()
        bound = {key: binding.action for key, (_, binding, *_) in app.screen.active_bindings.items()}
        for command in COMMANDS:
            keys = set(command.keys) - {"ctrl+p", "ctrl+q"}  # Textual's own, before all others, and they do the same
            assert {bound[key] for key in keys} <= {f"run_command('{command.id}', True)"}, command.id
        app.screen.set_focus(app.screen.query_one("#detail-scroll"))
        assert app.screen.active_bindings["r"].binding.action == "run_command('refresh')"  # once the focus lets it by


@pytest.mark.parametrize(
    "commands",
    [list(BACK), *([each] for each in CASES if each not in BACK)],
    ids=lambda each: each[0] if len(each) == 1 else "others",
)
async def test_each_command_has_its_effect(app: Babeltop, engine: FakeEngine, monkeypatch, commands):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with cases() as case:
        async with app.run_test(size=(120, 40)) as pilot:
            await pilot.pause()
            dash = app.screen
            assert isinstance(dash, Dashboard)
            context = Context(app, dash, engine)
            before = context.situation()
            for command in commands:
                context.forget()
                with case(command):
                    for key in (*CASES[command].before, KEYS[command]):
                        await pilot.press(key)
                        await pilot.pause()
                    assert CASES[command].holds(context), context.toasts
                for key in BACK.get(command, ()):
                    await pilot.press(key)
                    await pilot.pause()
                with case(f"after {command}"):
                    assert command not in BACK or context.situation() == before


# The dialogs, by keyboard alone.


async def test_the_sort_dialog_sorts_and_reverses(app: Babeltop):
    async with app.run_test(size=(80, 24)) as pilot:
        board = app.screen.board
        await pilot.press("s", "g", *"j" * list(SORTS).index("name"), "enter")
        await pilot.pause()
        assert (board.sort, board.descending) == ("name", False)
        await pilot.press("s", "enter")
        await pilot.pause()
        assert (board.sort, board.descending) == ("name", True)


async def test_recent_events_go_to_their_job_in_any_view(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        dash = app.screen
        await pilot.press("2", "slash", *"konpro", "enter")
        await pilot.pause()
        await pilot.press("J")
        await pilot.pause()
        newest = engine.workspace.journal.recent_phase_changes(1)[0]
        await pilot.press("enter")
        await pilot.pause()
        assert dash.table.cursor == newest.ref


async def test_r_in_the_accounts_dialog_retries_the_account(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("A", "j", "r")
        await pilot.pause()
        assert engine.resumed == [list(engine.workspace.accounts)[1]]


async def test_a_long_refresh_requires_confirmation(app: Babeltop, engine: FakeEngine):
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        dash = app.screen
        slow = {name: replace(state, rate_per_minute=1.0) for name, state in dash.board.accounts.items()}
        engine.push(Update(states={}, accounts=slow))
        await pilot.press("R")
        await pilot.pause()
        assert isinstance(app.screen, ConfirmScreen)
        assert f"Refresh {len(dash.table.refs)} jobs? About" in app.screen._question
        assert "at the limit of" in app.screen._question
        await pilot.press("escape")
        await pilot.pause()
        assert engine.refreshed == []
        await pilot.press("R", "enter")
        await pilot.pause()
        assert engine.refreshed == dash.table.refs


async def test_polling_many_jobs_takes_as_long_as_the_slowest_account(app: Babeltop):
    async with app.run_test() as pilot:
        await pilot.pause()
        board = app.screen.board
        refs = list(board.states)
        accounts = {
            name: replace(state, rate_per_minute=2.0 if name == "konpro" else 600.0)
            for name, state in board.accounts.items()
        }
        minutes, account = polling_duration(refs, accounts)
        assert account == "konpro"
        assert minutes == sum(ref.account == "konpro" for ref in refs) / 2


async def test_a_search_in_the_response_highlights_steps_and_ends(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        dash = app.screen
        await pilot.press(*READING)
        await pilot.pause()
        assert len(dash.detail._matches) > 1
        assert dash.query_one("DetailTabs").search.startswith("/ a  1 of")
        await pilot.press("n", "n")
        await pilot.pause()
        assert dash.query_one("DetailTabs").search.startswith("/ a  3 of")
        assert app.focused.id == "detail-scroll"
        await pilot.press("slash", *"zzz")
        await pilot.pause()
        assert "no match" in dash.query_one("DetailTabs").search
        await pilot.press("escape")
        await pilot.pause()
        assert dash.query_one("#search", Input).value == ""
        assert dash.detail._matches == []


async def test_the_time_format_cycles_from_ages_to_instants_and_back(app: Babeltop):
    from tests.dashboard.test_dashboard import text_of

    async with app.run_test(size=(120, 40)) as pilot:
        before = text_of(pilot)
        await pilot.press("t", "t")
        await pilot.pause()
        shown = text_of(pilot)
        assert "Nov" in shown
        assert shown != before
        await pilot.press("t")
        await pilot.pause()
        assert text_of(pilot).splitlines()[3] == before.splitlines()[3]


async def test_the_detail_moves_to_its_other_position_and_back(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        dash = app.screen
        for size in ((120, 40), (120, 24), (170, 40), (200, 60)):
            await pilot.resize_terminal(*size)
            await pilot.pause()
            before = [dash.detail.region, dash.table.region]
            await pilot.press("P")
            await pilot.pause()
            right = dash.detail.region.x > 0
            assert right is (size[0] < 160), size
            apart = dash.table.region.right <= dash.detail.region.x or dash.table.region.bottom <= dash.detail.region.y
            assert apart, size
            assert dash.detail.region.width >= 40, size
            await pilot.press("p")
            await pilot.pause()
            assert not dash.detail.display, size
            assert dash.table.region.width == size[0]
            await pilot.press("p", "P")
            await pilot.pause()
            assert [dash.detail.region, dash.table.region] == before, size


async def test_a_paused_board_shows_it_and_no_next_poll(app: Babeltop, engine: FakeEngine):
    from tests.dashboard.test_dashboard import text_of

    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.press("2", "Z")
        await pilot.pause()
        shown = text_of(pilot)
        assert "paused" in shown.splitlines()[0]
        assert "; polling paused" in shown
        assert "next in" not in shown
        await pilot.press("Z")
        await pilot.pause()
        assert "paused" not in text_of(pilot).splitlines()[0]
        assert "next in" in text_of(pilot)
        engine.push(Update(states={}, role="following PID 7, paused"))
        await pilot.pause()
        assert "Z there: resume" in text_of(pilot)
        assert "; polling paused" in text_of(pilot)


async def test_an_input_takes_keys_pressed_at_once_and_is_mounted_once(app: Babeltop):
    async with app.run_test(size=(120, 40)) as pilot:
        dash = app.screen
        app.simulate_key("slash")
        for letter in "heygen":
            app.simulate_key(letter)
        await pilot.pause()
        assert dash.board.filter_text == "heygen"
        assert dash.is_input_open("filter")
        assert dash.find_input("filter").size.height == 1
        await pilot.press("escape")
        assert dash.board.filter_text == ""
        assert not dash.is_input_open("filter")
        await pilot.press("slash")
        await pilot.pause()
        assert len(dash.query("#filter")) == 1
