"""The commands that choose what is seen: views, filter, sort, detail, marks, theme; and the way back and out."""

from time import monotonic
from typing import TYPE_CHECKING

from textual.widgets import Input

from tui.domain.rows import SORTS, View
from tui.screens.help import HelpScreen
from tui.widgets.themes import THEMES

if TYPE_CHECKING:
    from tui.screens.dashboard import Dashboard

TWICE = 2.0
"""Seconds within which q or ^c must come twice on the bare board to quit."""


class Looking:
    """Changes what is seen; each method is the command of its name."""

    def __init__(self, dashboard: "Dashboard") -> None:
        self._dashboard = dashboard
        self._board = dashboard.board
        self._table = dashboard.table
        self._quit_at = -TWICE

    # Back and out.

    def back(self) -> None:
        """Closes one thing: the filter's line, the detail, the filter, the marks; at last the program, if twice."""
        dashboard = self._dashboard
        if dashboard.query_one("#filter").display:
            dashboard.close_filter()
            self._search("")
        elif dashboard.has_class("-detail") or dashboard.focused is not self._table:
            dashboard.remove_class("-detail")
            self._table.focus()
        elif self._board.filter.terms:
            self._search("")
        elif self._board.marks:
            self.unmark()
        elif monotonic() - self._quit_at < TWICE:
            self.quit()
        else:
            self._quit_at = monotonic()
            dashboard.say("once more quits; the services work on")

    def interrupt(self) -> None:
        """^c: copies what is selected, else it is a way back."""
        selected = self._dashboard.get_selected_text()
        if selected:
            self._dashboard.host.copy_to_clipboard(selected)
            self._dashboard.say("the selection was sent to the terminal")
        else:
            self.back()

    def quit(self) -> None:
        """Ends the program."""
        self._dashboard.host.exit()

    def help(self) -> None:
        """Shows the keys."""
        self._dashboard.host.push_screen(HelpScreen(tuple(self._dashboard.commands.values())))

    def palette(self) -> None:
        """Every command by name."""
        self._dashboard.host.action_command_palette()

    # Detail.

    def open(self) -> None:
        """Opens the detail, over the table where there is no room beside it."""
        if self._table.cursor is not None:
            self._dashboard.add_class("-detail")
            self._dashboard.pane.tick()
            self._dashboard.query_one("#detail-scroll").focus()

    def tab_next(self) -> None:
        """The detail's next tab."""
        self._dashboard.pane.step(1)

    def tab_back(self) -> None:
        """The detail's tab before."""
        self._dashboard.pane.step(-1)

    # Rows.

    def filter(self) -> None:
        """Opens the line in which a filter is typed."""
        self._dashboard.open_filter()

    def _search(self, text: str) -> None:
        self._dashboard.query_one("#filter", Input).value = text

    def sort(self) -> None:
        """Sorts by the next column, at last by the watchlist's own order."""
        order = ["", *SORTS]
        self._board.sort = order[(order.index(self._board.sort) + 1) % len(order)]
        self._board.descending = False
        self._dashboard.sorted()

    def sort_back(self) -> None:
        """Turns the order round."""
        self._board.descending = not self._board.descending
        self._dashboard.sorted()

    def freeze(self) -> None:
        """Holds the view, or lets it go on with all that came meanwhile."""
        held, self._dashboard.frozen = self._dashboard.frozen, None
        if held is None:
            self._dashboard.frozen = []
            self._dashboard.tick()
            return
        for update in held:
            self._board.take(update)
        self._dashboard.rearrange()

    def view_all(self) -> None:
        """Every job that is not archived."""
        self._view(View.ALL)

    def view_active(self) -> None:
        """New, queued and running jobs."""
        self._view(View.ACTIVE)

    def view_done(self) -> None:
        """Jobs that ended well."""
        self._view(View.DONE)

    def view_problems(self) -> None:
        """Jobs that ended badly."""
        self._view(View.PROBLEMS)

    problems = view_problems

    def view_expiring(self) -> None:
        """Results whose link is about to die."""
        self._view(View.EXPIRING)

    def view_archive(self) -> None:
        """Jobs that were put away."""
        self._view(View.ARCHIVE)

    def _view(self, view: View) -> None:
        self._board.view = view
        self._dashboard.rearrange()

    # Marks.

    def mark(self) -> None:
        """Marks the job, or takes its mark away, and goes to the next."""
        if self._table.cursor is not None:
            self._board.marks ^= {self._table.cursor}
            self._table.move(1)
            self._dashboard.tick()

    def mark_all(self) -> None:
        """Marks every job in the table."""
        self._board.marks |= set(self._table.refs)
        self._dashboard.tick()

    def unmark(self) -> None:
        """Takes every mark away."""
        self._board.marks.clear()
        self._dashboard.tick()

    # Looks.

    def time(self) -> None:
        """Local time or UTC."""
        self._dashboard.say(f"times are {self._dashboard.turn_time()}")
        self._dashboard.tick()

    def theme(self) -> None:
        """The next of our own themes."""
        app, names = self._dashboard.host, [theme.name for theme in THEMES]
        at = names.index(app.theme) if app.theme in names else -1
        app.theme = names[(at + 1) % len(names)]
        self._dashboard.say(f"theme {app.theme}")
