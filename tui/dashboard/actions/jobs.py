"""Job handlers: each sends one command to the engine, for the marked jobs or the one under the cursor."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from tui.dashboard.actions.dialog_results import open_dialog
from tui.dashboard.actions.selection import not_shown, with_selected
from tui.domain.models import Job, Ref
from tui.engine.api import AccountState, CommandResult, Pause, Refresh, Renew
from tui.presentation import formatting
from tui.presentation.descriptions import foreign_refusal
from tui.presentation.formatting import count_of
from tui.storage.watchlist.operations import Add, Remove, Set

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard

CONFIRM_FROM_MINUTES = 1.0
"""Minutes of polling from which on a confirmation is required."""

# Watchlist.


def add(dashboard: "Dashboard") -> None:
    """Open the add dialog, and add the jobs that it returns."""
    from tui.dashboard.dialogs.add import AddScreen  # imported when its key is pressed, as all dialogs are

    accounts = tuple(dashboard.board.accounts.values())
    dialog = AddScreen(accounts, dashboard.board.states.keys(), dashboard.board.now, lambda: _add_listed(dashboard))
    open_dialog(dashboard, dialog, lambda jobs: _add_jobs(dashboard, jobs))


def _add_jobs(dashboard: "Dashboard", jobs: tuple[Job, ...]) -> None:
    """Add the jobs, after a dialog for the secrets that they need."""
    names = {name: account.secrets for name, account in dashboard.board.accounts.items() if account.secrets}
    if not any(job.account in names for job in jobs):
        dashboard.send_command(Add(jobs))
        return
    from tui.dashboard.dialogs.secrets import SecretsScreen, missing_secrets

    open_dialog(dashboard, SecretsScreen(jobs, missing_secrets(jobs, names)), dashboard.send_command)


def _add_listed(dashboard: "Dashboard") -> None:
    """Open the page of the jobs that the services list, and add those that it returns."""
    from tui.dashboard.listed_jobs.dialog import ListedJobsScreen

    dialog = ListedJobsScreen(dashboard.board, dashboard.engine, dashboard.zone())
    open_dialog(dashboard, dialog, lambda jobs: _add_jobs(dashboard, jobs))


def edit(dashboard: "Dashboard") -> None:
    """Open the edit dialog of the selected jobs, and apply the change that it returns."""
    from tui.dashboard.dialogs.edit import EditScreen

    jobs = tuple(dashboard.board.states[ref].job for ref in dashboard.selected_refs)
    refusal = foreign_refusal([job for job in jobs if job.is_foreign])
    if refusal:
        dashboard.toast(refusal, ok=False)
    elif jobs:
        open_dialog(dashboard, EditScreen(jobs, not_shown(dashboard)), dashboard.send_command)


def remove(dashboard: "Dashboard") -> None:
    """Remove the selected jobs from the watchlist."""
    with_selected(dashboard, "Remove", lambda refs: dashboard.send_command(Remove(refs)))


def undo(dashboard: "Dashboard") -> None:
    """Undo the last change of the watchlist."""
    if not dashboard.undo_last():
        dashboard.toast("Nothing to undo", ok=False)


def toggle_archived(dashboard: "Dashboard") -> None:
    """Archive the selected jobs, or unarchive them if all are archived."""
    _toggle(dashboard, "archived", "Archive", "Unarchive")


def toggle_muted(dashboard: "Dashboard") -> None:
    """Mute the selected jobs, or unmute them if all are muted."""
    _toggle(dashboard, "muted", "Mute", "Unmute")


def _toggle(dashboard: "Dashboard", option: str, action: str, opposite: str) -> None:
    """Set an option of the selected jobs, or unset it if all have it."""
    all_set = all(getattr(dashboard.board.states[ref].job, option) for ref in dashboard.selected_refs)
    change = {option: not all_set}
    with_selected(dashboard, opposite if all_set else action, lambda refs: dashboard.send_command(Set(refs, change)))


# Polling.


def refresh(dashboard: "Dashboard") -> None:
    """Poll the selected jobs now."""
    with_selected(dashboard, "Refresh", lambda refs: _refresh_jobs(dashboard, refs))


def refresh_all(dashboard: "Dashboard") -> None:
    """Poll all jobs in the table now."""
    _refresh_jobs(dashboard, tuple(dashboard.table.refs))


def _refresh_jobs(dashboard: "Dashboard", refs: tuple[Ref, ...]) -> None:
    if refs:
        send_or_confirm(dashboard, Refresh(refs), title="Refresh", question=f"Refresh {count_of(len(refs), 'job')}?")


def send_or_confirm(
    dashboard: "Dashboard",
    command: Refresh | Renew,
    on_result: Callable[[CommandResult], None] | None = None,
    *,
    title: str,
    question: str,
) -> None:
    """Send the command; first ask for confirmation if its polls take long. `on_result` is called even if it failed."""

    def send() -> None:
        dashboard.send_command(command, on_result, even_if_failed=True)

    minutes, account = polling_duration(command.refs, dashboard.board.accounts)
    if minutes < CONFIRM_FROM_MINUTES:
        send()
        return
    from tui.dashboard.dialogs.confirm import ConfirmScreen

    question = f"{question} About {formatting.span(minutes * 60)} at the limit of {account}."
    open_dialog(dashboard, ConfirmScreen(title, question, f"{title.lower()} all"), lambda _: send())


def polling_duration(refs: Iterable[Ref], accounts: Mapping[str, AccountState]) -> tuple[float, str]:
    """Return the minutes that polling the jobs takes, and the account that takes longest."""
    counts = Counter(ref.account for ref in refs)
    minutes = {
        name: count / (accounts[name].rate_per_minute or 60) for name, count in counts.items() if name in accounts
    }
    slowest = max(minutes, key=minutes.__getitem__, default="")
    return minutes.get(slowest, 0.0), slowest


def toggle_pause(dashboard: "Dashboard") -> None:
    """Pause scheduled polling, or resume it."""
    dashboard.send_command(Pause(not dashboard.board.is_paused))
