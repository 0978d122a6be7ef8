"""Job handlers: each sends one command to the engine, or the job's id or link to the terminal."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from tui.domain import job_state
from tui.domain.job_state import JobState
from tui.domain.links import expiry
from tui.domain.models import ENDED, Job, Link, Phase, Ref
from tui.engine.api import AccountState, CommandResult, Pause, Refresh, Renew
from tui.presentation import formatting
from tui.storage.watchlist.operations import Add, Remove, Restore, Set

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard

CONFIRM_FROM_MINUTES = 1.0
"""Minutes of polling from which on a confirmation is required."""

# Watchlist.


def add(dashboard: "Dashboard") -> None:
    """Open the add dialog, and add the jobs that it returns."""
    from tui.dashboard.dialogs.add import AddScreen  # imported when its key is pressed, as all dialogs are

    def on_close(jobs: tuple[Job, ...] | None) -> None:
        if jobs:
            dashboard.send_command(Add(jobs))

    accounts = tuple(dashboard.board.accounts.values())
    dialog = AddScreen(accounts, dashboard.board.states.keys(), dashboard.board.now)
    dashboard.typed_app.push_screen(dialog, on_close)


def edit(dashboard: "Dashboard") -> None:
    """Open the edit dialog of the job under the cursor, and apply the change that it returns."""
    from tui.dashboard.dialogs.edit import EditScreen

    def on_close(change: Set | None) -> None:
        if change is not None:
            dashboard.send_command(change)

    state = _state_at_cursor(dashboard)
    if state is not None:
        dashboard.typed_app.push_screen(EditScreen(state.job), on_close)


def remove(dashboard: "Dashboard") -> None:
    """Remove the selected jobs from the watchlist, and keep their text for `undo`."""

    def on_result(result: CommandResult) -> None:
        if result.removed:
            dashboard.removed_blocks.append(result.removed)
            dashboard.toast("u: undo")

    refs = dashboard.selected_refs
    if refs:
        dashboard.send_command(Remove(refs), on_result)


def undo(dashboard: "Dashboard") -> None:
    """Restore the last removed jobs at their place in the watchlist."""
    if dashboard.removed_blocks:
        dashboard.send_command(Restore(dashboard.removed_blocks.pop()))
    else:
        dashboard.toast("Nothing to undo", ok=False)


def toggle_archived(dashboard: "Dashboard") -> None:
    """Archive the selected jobs, or unarchive them if all are archived."""
    refs = dashboard.selected_refs
    if refs:
        all_archived = all(dashboard.board.states[ref].job.archived for ref in refs)
        dashboard.send_command(Set(refs, {"archived": not all_archived}))


def toggle_muted(dashboard: "Dashboard") -> None:
    """Mute the selected jobs, or unmute them if all are muted."""
    refs = dashboard.selected_refs
    if refs:
        all_muted = all(dashboard.board.states[ref].job.muted for ref in refs)
        dashboard.send_command(Set(refs, {"muted": not all_muted}))


# Polling.


def refresh(dashboard: "Dashboard") -> None:
    """Poll the selected jobs now."""
    _refresh_jobs(dashboard, dashboard.selected_refs)


def refresh_all(dashboard: "Dashboard") -> None:
    """Poll all jobs in the table now."""
    _refresh_jobs(dashboard, tuple(dashboard.table.refs))


def _refresh_jobs(dashboard: "Dashboard", refs: tuple[Ref, ...]) -> None:
    if refs:
        _send_or_confirm(dashboard, Refresh(refs), title="Refresh", question=f"Refresh {_count(refs)}?")


def _send_or_confirm(dashboard: "Dashboard", command: Refresh | Renew, *, title: str, question: str) -> None:
    """Send the command; first ask for confirmation if its polls take long."""
    from tui.dashboard.dialogs.confirm import ConfirmScreen

    def on_close(is_confirmed: bool | None) -> None:
        if is_confirmed:
            dashboard.send_command(command)

    minutes, account = polling_duration(command.refs, dashboard.board.accounts)
    if minutes < CONFIRM_FROM_MINUTES:
        dashboard.send_command(command)
        return
    question = f"{question} About {formatting.span(minutes * 60)} at the limit of {account}."
    dashboard.typed_app.push_screen(ConfirmScreen(title, question, f"{title.lower()} all"), on_close)


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


# Links.


def renew(dashboard: "Dashboard") -> None:
    """Renew the links of the selected jobs that are done."""
    states = dashboard.board.states
    refs = tuple(ref for ref in dashboard.selected_refs if states[ref].phase is Phase.DONE)
    if refs:
        question = f"Renew the links of {_count(refs)}?"
        _send_or_confirm(dashboard, Renew(refs), title="Renew", question=question)
    else:
        dashboard.toast("Only done jobs have a link to renew", ok=False)


def copy_id(dashboard: "Dashboard") -> None:
    """Copy the id of the job under the cursor."""
    if dashboard.table.cursor is not None:
        dashboard.copy_text(dashboard.table.cursor.id, "Id")


def copy_link(dashboard: "Dashboard") -> None:
    """Copy the link of the job under the cursor, renewed if it has less than an hour left."""
    with_live_link(dashboard, lambda link: dashboard.copy_text(link.url, "Link"))


def with_live_link(dashboard: "Dashboard", action: Callable[[Link], None]) -> None:
    """Call `action` with the link of the job under the cursor. An expired or expiring one is renewed first."""
    from tui.domain.links import renewal

    state = _state_at_cursor(dashboard)
    if state is None:
        return
    link, now = job_state.primary_link(state), dashboard.board.now()
    if link is None:
        dashboard.toast("No link" if state.phase in ENDED else "No link yet: the job has not ended", ok=False)
    elif renewal.has_enough_life(link.expires_at, now):
        action(link)
    else:
        left = expiry.remaining(link, now) or 0.0
        reason = "expired" if left <= 0 else f"expires in {formatting.duration(left)}"
        dashboard.toast(f"Link {reason}: renewing it")

        def on_result(result: CommandResult) -> None:
            for renewed in result.links:
                action(renewed)

        dashboard.send_command(Renew((state.job.ref,)), on_result, even_if_failed=True)


def _state_at_cursor(dashboard: "Dashboard") -> JobState | None:
    ref = dashboard.table.cursor
    return dashboard.board.states.get(ref) if ref is not None else None


def _count(refs: tuple[Ref, ...]) -> str:
    return f"{len(refs)} job{'s' * (len(refs) != 1)}"
