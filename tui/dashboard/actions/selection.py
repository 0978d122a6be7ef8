"""Selection of a command: the marked jobs, else the job under the cursor. Jobs that are not shown are named."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.dashboard.actions.dialog_results import open_dialog
from tui.domain.models import Ref

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard


def with_selected(dashboard: "Dashboard", action: str, act: Callable[[tuple[Ref, ...]], None]) -> None:
    """Call `act` with the selected jobs, if there are any; first confirm marked jobs that are not shown."""
    refs = dashboard.selected_refs
    if not dashboard.board.hidden_marks():
        if refs:
            act(refs)
        return
    from tui.dashboard.dialogs.confirm import SelectionScreen

    rows = set(dashboard.table.refs)
    dialog = SelectionScreen(action, refs, [ref for ref in refs if ref in rows])
    open_dialog(dashboard, dialog, act)


def not_shown(dashboard: "Dashboard") -> str:
    """Return how many of the marked jobs are not shown, `, 1 not shown`; "" if all are."""
    hidden = dashboard.board.hidden_marks()
    return f", {hidden} not shown" if hidden else ""
