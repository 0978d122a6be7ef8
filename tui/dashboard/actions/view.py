"""View handlers: views, filter, search, sort, marks, detail, time format, theme, dialogs, and back and quit.

Each dialog is imported when its key is pressed: the first frame does not wait for them.
"""

from functools import partial
from typing import TYPE_CHECKING

from tui.dashboard.actions import parts
from tui.dashboard.actions.dialog_results import open_dialog
from tui.dashboard.themes import THEMES
from tui.domain import evaluation
from tui.domain.models import Ref
from tui.engine.api import Resume, ShowTeam
from tui.presentation import queries
from tui.presentation.queries import View

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard

# Back and quit.


def back(dashboard: "Dashboard") -> None:
    """Close one of search, detail, filter and marks."""
    _close_one(dashboard)


def back_or_quit(dashboard: "Dashboard") -> None:
    """Close one of search, detail, filter and marks; with nothing open, quit if the operator confirms it."""
    if _close_one(dashboard):
        return
    from tui.dashboard.dialogs.confirm import QuitScreen

    open_dialog(dashboard, QuitScreen(), lambda _: quit_app(dashboard))


def _close_one(dashboard: "Dashboard") -> bool:
    """Close one of search, detail, filter and marks; return whether one was open."""
    for name in ("filter", "search"):
        if dashboard.is_input_open(name):
            dashboard.close_input(name)
            dashboard.clear_input(name)
            return True
    if dashboard.has_class("-detail-open") or dashboard.focused is not dashboard.table:
        dashboard.remove_class("-detail-open")
        dashboard.table.focus()
    elif dashboard.board.filter_text:
        dashboard.clear_input("filter")
    elif dashboard.board.marks:
        clear_marks(dashboard)
    else:
        return False
    return True


def copy_selection_or_quit(dashboard: "Dashboard") -> None:
    """Copy the selected text; if there is none, go back or quit."""
    selected = dashboard.get_selected_text()
    if selected:
        dashboard.copy_text(selected, "Selection")
    else:
        back_or_quit(dashboard)


def quit_app(dashboard: "Dashboard") -> None:
    """Quit the program."""
    dashboard.typed_app.exit()


# Detail.


def open_detail(dashboard: "Dashboard") -> None:
    """Focus the detail, and open it over the table if it is not beside it; with the focus there, show the parts."""
    if dashboard.focused is dashboard.query_one("#detail-scroll") and parts.has_parts(dashboard):
        parts.show_parts(dashboard)
    elif dashboard.table.cursor is not None:
        dashboard.add_class("-detail-open")
        dashboard.detail.tick()
        dashboard.query_one("#detail-scroll").focus()


def next_tab(dashboard: "Dashboard") -> None:
    """Select the detail's next tab."""
    dashboard.detail.step_tab(1)


def previous_tab(dashboard: "Dashboard") -> None:
    """Select the detail's previous tab."""
    dashboard.detail.step_tab(-1)


def toggle_detail(dashboard: "Dashboard") -> None:
    """Show or hide the detail beside the table."""
    dashboard.toggle_class("-table-only")
    dashboard.tick()
    dashboard.save_preferences()


def toggle_detail_position(dashboard: "Dashboard") -> None:
    """Move the detail below the table, or to its right."""
    if dashboard.has_class("-narrow"):
        dashboard.toast("Terminal too narrow for the detail beside the table. Enter: open it", ok=False)
        return
    dashboard.toggle_class("-detail-swapped")
    dashboard.remove_class("-table-only")
    dashboard.detail.tick()
    dashboard.save_preferences()


# Filter, search and sort.


def open_filter_or_search(dashboard: "Dashboard") -> None:
    """Open the filter input, or in the Response tab the search input."""
    dashboard.open_input("search" if dashboard.is_searching_response else "filter")


def find_next(dashboard: "Dashboard") -> None:
    """Select the next match in Response."""
    dashboard.detail.step_match(1)


def find_previous(dashboard: "Dashboard") -> None:
    """Select the previous match in Response."""
    dashboard.detail.step_match(-1)


def select_sort(dashboard: "Dashboard") -> None:
    """Open the sort dialog."""
    from tui.dashboard.dialogs.sort import SortScreen

    dialog = SortScreen(dashboard.board.sort, descending=dashboard.board.descending)
    open_dialog(dashboard, dialog, dashboard.sort_by)


def reverse_sort(dashboard: "Dashboard") -> None:
    """Reverse the sort order."""
    dashboard.sort_by(dashboard.board.sort)


def sort_by_previous_column(dashboard: "Dashboard") -> None:
    """Sort by the column to the left; left of all are the watchlist's order and the default one."""
    _step_sort(dashboard, -1)


def sort_by_next_column(dashboard: "Dashboard") -> None:
    """Sort by the column to the right."""
    _step_sort(dashboard, 1)


def _step_sort(dashboard: "Dashboard", step: int) -> None:
    sorts = [queries.ATTENTION, queries.WATCHLIST, *(column.id for column in dashboard.table.columns)]
    current = sorts.index(dashboard.board.sort) if dashboard.board.sort in sorts else 0
    sort = sorts[max(0, min(current + step, len(sorts) - 1))]
    if sort != dashboard.board.sort:
        dashboard.sort_by(sort)


def toggle_freeze(dashboard: "Dashboard") -> None:
    """Freeze the view, or unfreeze it and apply the updates that were held back."""
    if dashboard.held_updates is None:
        dashboard.held_updates = []
        dashboard.tick()
    else:
        dashboard.release_updates()


# Views.


def view_all(dashboard: "Dashboard") -> None:
    """Show all jobs, except archived ones."""
    dashboard.show_view(View.ALL)


def view_active(dashboard: "Dashboard") -> None:
    """Show new, queued and running jobs."""
    dashboard.show_view(View.ACTIVE)


def view_done(dashboard: "Dashboard") -> None:
    """Show completed jobs."""
    dashboard.show_view(View.DONE)


def view_problems(dashboard: "Dashboard") -> None:
    """Show failed, timed-out, blocked and missing jobs."""
    dashboard.show_view(View.PROBLEMS)


def view_expiring(dashboard: "Dashboard") -> None:
    """Show completed jobs with a link that expires soon."""
    dashboard.show_view(View.EXPIRING)


def view_archive(dashboard: "Dashboard") -> None:
    """Show archived jobs."""
    dashboard.show_view(View.ARCHIVE)


def saved_view_1(dashboard: "Dashboard") -> None:
    """Show the first view of config.toml."""
    _show_saved_view(dashboard, 0)


def saved_view_2(dashboard: "Dashboard") -> None:
    """Show the second view of config.toml."""
    _show_saved_view(dashboard, 1)


def saved_view_3(dashboard: "Dashboard") -> None:
    """Show the third view of config.toml."""
    _show_saved_view(dashboard, 2)


def _show_saved_view(dashboard: "Dashboard", index: int) -> None:
    names = list(dashboard.board.saved_views)
    if index < len(names):
        dashboard.show_view(names[index])
    else:
        dashboard.toast(f"No view {len(View) + index + 1}: add [[view]] to config.toml", ok=False)


def select_view(dashboard: "Dashboard") -> None:
    """Open the dialog of all views."""
    from tui.dashboard.dialogs.views import ViewsScreen

    dialog = ViewsScreen(dashboard.board, tuple(dashboard.commands.values()))
    open_dialog(dashboard, dialog, dashboard.show_view)


def select_columns(dashboard: "Dashboard") -> None:
    """Open the dialog of the columns."""
    from tui.dashboard.dialogs.columns import ColumnsScreen

    saved = dashboard.board.saved_views.get(dashboard.board.view)
    if saved is not None and saved.columns:
        dashboard.toast(f"View {saved.name} has its own columns: edit config.toml", ok=False)
        return
    open_dialog(dashboard, ColumnsScreen(dashboard.board.preferred_columns), dashboard.set_columns)


# Marks.


def toggle_mark(dashboard: "Dashboard") -> None:
    """Mark or unmark the job, and move to the next."""
    if dashboard.table.cursor is not None:
        dashboard.board.marks ^= {dashboard.table.cursor}
        dashboard.table.move_by(1)
        dashboard.tick()


def mark_all(dashboard: "Dashboard") -> None:
    """Mark all jobs in the table."""
    dashboard.board.marks |= set(dashboard.table.refs)
    dashboard.tick()


def invert_marks(dashboard: "Dashboard") -> None:
    """Invert the marks of the jobs in the table."""
    dashboard.board.marks ^= set(dashboard.table.refs)
    dashboard.tick()


def clear_marks(dashboard: "Dashboard") -> None:
    """Clear all marks."""
    dashboard.board.marks.clear()
    dashboard.tick()


# Time format and theme.


def cycle_time_format(dashboard: "Dashboard") -> None:
    """Show times as ages, in local time, or in UTC."""
    dashboard.cycle_time_format()
    dashboard.save_preferences()


def next_theme(dashboard: "Dashboard") -> None:
    """Select the next of the program's own themes."""
    app, names = dashboard.typed_app, [theme.name for theme in THEMES]
    current = names.index(app.theme) if app.theme in names else -1
    app.theme = names[(current + 1) % len(names)]
    dashboard.toast(f"Theme: {app.theme}")
    dashboard.save_preferences()


# Dialogs.


def show_help(dashboard: "Dashboard") -> None:
    """Open the help."""
    from tui.dashboard.dialogs.help import HelpScreen

    commands = dashboard.possible_commands()
    dashboard.typed_app.push_screen(HelpScreen(commands, dashboard.board.render_options.glyphs))


def show_palette(dashboard: "Dashboard") -> None:
    """Open the palette: all commands by name."""
    dashboard.typed_app.action_command_palette()


def show_accounts(dashboard: "Dashboard", selected: str = "") -> None:
    """Open the accounts dialog, at an account."""
    from tui.dashboard.dialogs.accounts import AccountsScreen

    dashboard.typed_app.push_screen(AccountsScreen(dashboard.board, partial(_retry, dashboard), selected))


def show_why(dashboard: "Dashboard") -> None:
    """Open the dialog that explains the account of the job under the cursor."""
    from tui.dashboard.dialogs.why import WhyScreen

    if dashboard.table.cursor is None:
        return
    account = dashboard.table.cursor.account
    dialog = WhyScreen(dashboard.board, account, partial(_retry, dashboard), dashboard.engine_silence)
    dashboard.typed_app.push_screen(dialog)


def _retry(dashboard: "Dashboard", account: str) -> None:
    """Retry an account, with its key loaded again."""
    dashboard.send_command(Resume(account))


def toggle_team(dashboard: "Dashboard") -> None:
    """Show the jobs of all watchlists of the team, or those of the operator's own again."""
    dashboard.send_command(ShowTeam(not dashboard.board.shows_team))


def show_recent_events(dashboard: "Dashboard") -> None:
    """Open the dialog of recent events, and go to the job that is selected in it."""
    from tui.dashboard.dialogs.history import HistoryScreen

    dialog = HistoryScreen(dashboard.board, dashboard.engine, dashboard.zone())
    open_dialog(dashboard, dialog, lambda ref: _go_to_job(dashboard, ref))


def _go_to_job(dashboard: "Dashboard", ref: Ref) -> None:
    """Move the cursor to the job. If the table does not show it, clear the filter and change the view."""
    state = dashboard.board.states.get(ref)
    if state is None:
        dashboard.toast(f"{ref} is not on the watchlist", ok=False)
        return
    if ref not in dashboard.table.refs:
        dashboard.clear_input("filter")
        dashboard.board.set_filter("")
        is_archived = evaluation.is_archived(state, dashboard.board.context)
        dashboard.show_view(View.ARCHIVE if is_archived else View.ALL)
    dashboard.table.move_to_job(ref)
