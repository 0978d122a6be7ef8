"""The commands that choose what is seen: views, filter, sort, detail, marks, theme; and the way back and out.

Each dialog is imported when its key is pressed: the first frame does not wait for them.
"""

from time import monotonic

from tui.dashboard.screen import Dashboard
from tui.dashboard.themes import THEMES
from tui.domain.models import Ref
from tui.engine.api import Resume
from tui.presentation import queries
from tui.presentation.queries import View

QUIT_WINDOW = 2.0
"""Seconds within which q or ^c must come twice on the bare board to quit."""


class ViewActions:
    """Changes what is seen; each method is the command of its name."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._board = dashboard.board
        self._table = dashboard.table
        self._quit_pressed_at = -QUIT_WINDOW

    # Back and out.

    def back(self) -> None:
        """Closes one thing: the filter's line, the detail, the filter, the marks; at last the program, if twice."""
        dashboard = self._dashboard
        if dashboard.is_input_open("filter"):
            dashboard.close_filter()
            dashboard.clear_input("filter")
        elif dashboard.is_input_open("search"):
            dashboard.close_search()
            dashboard.clear_input("search")
        elif dashboard.has_class("-detail-open") or dashboard.focused is not self._table:
            dashboard.remove_class("-detail-open")
            self._table.focus()
        elif self._board.filter.terms:
            dashboard.clear_input("filter")
        elif self._board.marks:
            self.unmark()
        elif monotonic() - self._quit_pressed_at < QUIT_WINDOW:
            self.quit()
        else:
            self._quit_pressed_at = monotonic()
            dashboard.toast("once more quits; the services work on")

    def interrupt(self) -> None:
        """^c: copies what is selected, else it is a way back."""
        selected = self._dashboard.get_selected_text()
        if selected:
            self._dashboard.typed_app.copy_to_clipboard(selected)
            self._dashboard.toast("the selection was sent to the terminal")
        else:
            self.back()

    def quit(self) -> None:
        """Ends the program."""
        self._dashboard.typed_app.exit()

    def help(self) -> None:
        """Shows the keys."""
        from tui.dashboard.dialogs.help import HelpScreen

        self._dashboard.typed_app.push_screen(HelpScreen(tuple(self._dashboard.commands.values())))

    def palette(self) -> None:
        """Every command by name."""
        self._dashboard.typed_app.action_command_palette()

    # Detail.

    def open(self) -> None:
        """Opens the detail, over the table where there is no room beside it."""
        if self._table.cursor is not None:
            self._dashboard.add_class("-detail-open")
            self._dashboard.detail.tick()
            self._dashboard.query_one("#detail-scroll").focus()

    def tab_next(self) -> None:
        """The detail's next tab."""
        self._dashboard.detail.step_tab(1)

    def tab_previous(self) -> None:
        """The detail's tab before."""
        self._dashboard.detail.step_tab(-1)

    # Rows.

    def filter(self) -> None:
        """Opens the line in which a filter is typed; in Response, what is searched there."""
        if self._dashboard.is_searching_response:
            self._dashboard.open_search()
        else:
            self._dashboard.open_filter()

    def find_next(self) -> None:
        """To the next match in Response."""
        self._dashboard.detail.step_match(1)

    def find_previous(self) -> None:
        """To the match before."""
        self._dashboard.detail.step_match(-1)

    def sort(self) -> None:
        """Opens the dialog that chooses the sort."""
        from tui.dashboard.dialogs.sort import SortScreen

        dialog = SortScreen(self._board.sort, descending=self._board.descending)
        self._dashboard.typed_app.push_screen(dialog, self._sort_chosen)

    def _sort_chosen(self, sort: str | None) -> None:
        if sort is not None:
            self._dashboard.sort_by(sort)

    def sort_reverse(self) -> None:
        """Turns the order round."""
        self._dashboard.sort_by(self._board.sort)

    def sort_left(self) -> None:
        """Sorts by the column further left; left of all is the watchlist's own order."""
        self._step_sort(-1)

    def sort_right(self) -> None:
        """Sorts by the column further right."""
        self._step_sort(1)

    def _step_sort(self, step: int) -> None:
        order = ["", *(column.id for column in self._table.columns)]
        at = order.index(self._board.sort) if self._board.sort in order else 0
        wanted = order[max(0, min(at + step, len(order) - 1))]
        if wanted != self._board.sort:
            self._dashboard.sort_by(wanted)

    def freeze(self) -> None:
        """Holds the view, or lets it go on with all that came meanwhile."""
        held, self._dashboard.held_updates = self._dashboard.held_updates, None
        if held is None:
            self._dashboard.held_updates = []
            self._dashboard.tick()
            return
        for update in held:
            self._board.apply_update(update)
        self._dashboard.update_rows()

    def view_all(self) -> None:
        """Every job that is not archived."""
        self._show_view(View.ALL)

    def view_active(self) -> None:
        """New, queued and running jobs."""
        self._show_view(View.ACTIVE)

    def view_done(self) -> None:
        """Jobs that ended well."""
        self._show_view(View.DONE)

    def view_problems(self) -> None:
        """Jobs that ended badly."""
        self._show_view(View.PROBLEMS)

    problems = view_problems

    def view_expiring(self) -> None:
        """Results whose link is about to die."""
        self._show_view(View.EXPIRING)

    def view_archive(self) -> None:
        """Jobs that were put away."""
        self._show_view(View.ARCHIVE)

    def _show_view(self, view: View) -> None:
        self._board.set_view(view=view)
        self._dashboard.update_rows()
        self._dashboard.save_preferences()

    # Marks.

    def mark(self) -> None:
        """Marks the job, or takes its mark away, and goes to the next."""
        if self._table.cursor is not None:
            self._board.marks ^= {self._table.cursor}
            self._table.move_by(1)
            self._dashboard.tick()

    def mark_all(self) -> None:
        """Marks every job in the table."""
        self._board.marks |= set(self._table.refs)
        self._dashboard.tick()

    def invert(self) -> None:
        """Marks what is not marked in the table, and the other way round."""
        self._board.marks ^= set(self._table.refs)
        self._dashboard.tick()

    def unmark(self) -> None:
        """Takes every mark away."""
        self._board.marks.clear()
        self._dashboard.tick()

    # Looks.

    def time(self) -> None:
        """How long ago and how far away, local time, or UTC."""
        self._dashboard.cycle_time_format()
        self._dashboard.save_preferences()

    def theme(self) -> None:
        """The next of our own themes."""
        app, names = self._dashboard.typed_app, [theme.name for theme in THEMES]
        at = names.index(app.theme) if app.theme in names else -1
        app.theme = names[(at + 1) % len(names)]
        self._dashboard.toast(f"theme {app.theme}")
        self._dashboard.save_preferences()

    def preview(self) -> None:
        """Shows the detail where there is room for it, or hides it."""
        self._dashboard.toggle_class("-table-only")
        self._dashboard.tick()
        self._dashboard.save_preferences()

    def detail_position(self) -> None:
        """Puts the detail below the table, or at its right."""
        dashboard = self._dashboard
        if dashboard.has_class("-narrow"):
            dashboard.toast("there is no room for the detail beside the table: Enter opens it", ok=False)
            return
        dashboard.toggle_class("-detail-swapped")
        dashboard.remove_class("-table-only")
        dashboard.detail.tick()
        dashboard.save_preferences()

    # Dialogs.

    def accounts(self) -> None:
        """Shows how the accounts are doing."""
        from tui.dashboard.dialogs.accounts import AccountsScreen

        self._dashboard.typed_app.push_screen(
            AccountsScreen(self._board, lambda name: self._dashboard.send_command(Resume(name)))
        )

    def journal(self) -> None:
        """Shows what happened last, and goes to the job that is chosen."""
        from tui.dashboard.dialogs.history import HistoryScreen

        dialog = HistoryScreen(self._board, self._dashboard.engine, self._dashboard.zone())
        self._dashboard.typed_app.push_screen(dialog, self._go_to_job)

    def _go_to_job(self, ref: Ref | None) -> None:
        """To a job, wherever it is."""
        if ref is None:
            return
        if ref not in self._board.states:
            self._dashboard.toast(f"{ref} is not on the watchlist any more", ok=False)
            return
        if ref not in self._table.refs:
            self._dashboard.clear_input("filter")
            self._board.set_filter("")
            self._show_view(
                View.ARCHIVE if queries.is_archived(self._board.states[ref], self._board.context) else View.ALL
            )
        self._table.move_to_job(ref)
