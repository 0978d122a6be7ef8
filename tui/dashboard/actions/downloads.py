"""Download handler: start or cancel downloads."""

from typing import TYPE_CHECKING

from tui.dashboard.actions.dialog_results import open_dialog
from tui.dashboard.actions.selection import with_selected
from tui.domain.models import Ref
from tui.engine.api import Cancel, Download
from tui.presentation import queries

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard


def download_or_cancel(dashboard: "Dashboard") -> None:
    """Download the selected jobs. If all of them are being downloaded, ask whether to cancel."""
    with_selected(dashboard, "Download", lambda refs: _download_or_cancel(dashboard, refs))


def _download_or_cancel(dashboard: "Dashboard", refs: tuple[Ref, ...]) -> None:
    from tui.dashboard.dialogs.confirm import ConfirmScreen

    board = dashboard.board
    idle = tuple(ref for ref in refs if not board.is_downloading(ref))
    if idle:
        dashboard.send_command(Download(idle))
        return
    what = queries.display_name(board.states[refs[0]]) if len(refs) == 1 else f"{len(refs)} jobs"
    question = f"Cancel the download of {what}? The partial file will be deleted."
    dialog = ConfirmScreen("Cancel download", question, "cancel download", "keep it")
    open_dialog(dashboard, dialog, lambda _: dashboard.send_command(Cancel(refs)))
