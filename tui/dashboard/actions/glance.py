"""Overview handlers: the fleet screen, and the filter that it leads to."""

from typing import TYPE_CHECKING

from tui.dashboard.actions.dialog_results import open_dialog
from tui.presentation.queries import View

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard


def show_fleet(dashboard: "Dashboard") -> None:
    """Open the fleet screen, and show the jobs of the account that is selected in it."""
    from tui.dashboard.dialogs.fleet import FleetScreen

    screen = FleetScreen(dashboard.board, dashboard.engine, dashboard.zone())
    open_dialog(dashboard, screen, lambda account: _show_account(dashboard, account))


def _show_account(dashboard: "Dashboard", account: str) -> None:
    from tui.presentation.filters.completion import needed_quote

    quote = needed_quote(account)
    dashboard.show_view(View.ALL)
    dashboard.set_filter(f"account={quote}{account}{quote}")
