"""Download handlers: start or cancel downloads, open a link or the folder of a download."""

from pathlib import Path
from typing import TYPE_CHECKING

from tui.dashboard.actions import jobs
from tui.domain import job_state
from tui.domain.models import Link
from tui.engine.api import Cancel, Download
from tui.presentation import queries

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard


def download_or_cancel(dashboard: "Dashboard") -> None:
    """Download the selected jobs. If all of them are being downloaded, ask whether to cancel."""
    from tui.dashboard.dialogs.confirm import ConfirmScreen

    refs, board = dashboard.selected_refs, dashboard.board
    idle = tuple(ref for ref in refs if not board.is_downloading(ref))
    if idle:
        dashboard.send_command(Download(idle))
    elif refs:

        def on_close(is_confirmed: bool | None) -> None:
            if is_confirmed:
                dashboard.send_command(Cancel(refs))

        what = queries.display_name(board.states[refs[0]]) if len(refs) == 1 else f"{len(refs)} jobs"
        question = f"Cancel the download of {what}? The partial file will be deleted."
        dialog = ConfirmScreen("Cancel download", question, "cancel download", "keep it")
        dashboard.typed_app.push_screen(dialog, on_close)


def open_link_or_folder(dashboard: "Dashboard") -> None:
    """Open the folder of the downloaded file of the job under the cursor, else its link."""
    path = _downloaded_file(dashboard)
    if path is None:
        jobs.with_live_link(dashboard, lambda link: _open_link(dashboard, link))
    elif not dashboard.typed_app.is_web and dashboard.open_external(str(path.parent)):
        dashboard.toast(f"Folder sent to the desktop: {path.parent}")
    else:
        dashboard.toast(f"Saved as {path}")


def _downloaded_file(dashboard: "Dashboard") -> Path | None:
    """Return the path of the last downloaded file that still exists."""
    ref = dashboard.table.cursor
    state = dashboard.board.states.get(ref) if ref is not None else None
    paths = [Path(each.path) for each in job_state.current_downloads(state)] if state is not None else []
    return next((path for path in reversed(paths) if path.exists()), None)


def _open_link(dashboard: "Dashboard", link: Link) -> None:
    """Open the link in the browser. The response parser lets only http(s) links pass."""
    if dashboard.typed_app.is_web:
        dashboard.typed_app.open_url(link.url)
        dashboard.toast("Link sent to the browser")
    elif dashboard.open_external(link.url):
        dashboard.toast("Link sent to the desktop")
    else:
        dashboard.toast("No desktop found. Y: copy link", ok=False)
