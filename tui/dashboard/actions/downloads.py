"""The commands about files: downloads, and where they are."""

from pathlib import Path

from tui.dashboard.actions.jobs import JobActions
from tui.dashboard.screen import Dashboard
from tui.dashboard.terminal import open_external
from tui.domain import job_state as reducer
from tui.engine.api import Cancel, Download
from tui.presentation import queries


class DownloadActions:
    """What is done with the files of the chosen jobs; each method is the command of its name."""

    def __init__(self, dashboard: Dashboard, job_actions: JobActions) -> None:
        self._job_actions = job_actions
        self._dashboard = dashboard
        self._board = dashboard.board

    def download(self) -> None:
        """Downloads the chosen jobs. Where all of them are being downloaded, asks whether to call that off."""
        chosen = self._dashboard.selected_refs
        if not chosen:
            return
        if not all(self._board.is_downloading(ref) for ref in chosen):
            self._dashboard.send_command(Download(tuple(ref for ref in chosen if not self._board.is_downloading(ref))))
            return
        from tui.dashboard.dialogs.confirm import ConfirmScreen

        what = queries.display_name(self._board.states[chosen[0]]) if len(chosen) == 1 else f"{len(chosen)} jobs"
        question = f"Call off the download of {what}? What is there of it is thrown away."
        answered = ConfirmScreen(question, "calls it off")
        self._dashboard.typed_app.push_screen(
            answered, lambda yes: self._dashboard.send_command(Cancel(chosen)) if yes else None
        )

    def open_link(self) -> None:
        """Opens the folder of what was downloaded of the job under the cursor, else its link."""
        if not self._open_download_folder():
            self._job_actions.open_job_link()

    def _open_download_folder(self) -> bool:
        """Whether there is one: what was downloaded may be gone."""
        ref = self._dashboard.table.cursor
        state = self._board.states.get(ref) if ref is not None else None
        saved = [Path(each.path) for each in reducer.current_downloads(state)] if state is not None else []
        there = next((path for path in reversed(saved) if path.exists()), None)
        if there is None:
            return False
        if not self._dashboard.typed_app.is_web and open_external.open_external(str(there.parent)):
            self._dashboard.toast(f"the folder was handed to the desktop: {there.parent}")
        else:
            self._dashboard.toast(f"saved as {there}")
        return True
