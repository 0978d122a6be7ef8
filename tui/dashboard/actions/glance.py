"""Overview handlers: the fleet and the expiry calendar, with the filters and the commands that they lead to."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tui.dashboard.actions.dialog_results import open_dialog
from tui.dashboard.actions.jobs import polling_duration
from tui.domain import artifacts, job_state
from tui.domain.models import Ref
from tui.engine.api import Download, Renew
from tui.presentation import formatting
from tui.presentation.formatting import count_of
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


def show_calendar(dashboard: "Dashboard") -> None:
    """Open the expiry calendar below the table, which shows the jobs of the selected day; Esc shows all as before."""
    from tui.dashboard.dialogs.calendar import CalendarScreen

    view, filter_text = dashboard.board.view, dashboard.board.filter_text
    if view != View.ALL:
        dashboard.show_view(View.ALL)

    def on_close(is_kept: bool | None) -> None:
        if not is_kept:
            dashboard.set_filter(filter_text)
            if view != View.ALL:
                dashboard.show_view(view)

    screen = CalendarScreen(
        dashboard.board,
        dashboard.zone(),
        lambda date: dashboard.set_filter(f"expiry:{date}"),
        lambda what, refs: (_renew if what == "renew" else _download)(dashboard, refs),
    )
    dashboard.typed_app.push_screen(screen, on_close)


def _renew(dashboard: "Dashboard", refs: Sequence[Ref]) -> None:
    """Renew the links of jobs, one request each, if the operator confirms it."""
    counts = Counter(ref.account for ref in refs)
    requests = ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))
    minutes, slowest = polling_duration(refs, dashboard.board.accounts)
    time = f", about {formatting.span(minutes * 60)} at the limit of {slowest}" if slowest else ""
    question = f"Renew the links of {count_of(len(refs), 'job')}? {count_of(len(refs), 'request')}: {requests}{time}."
    _confirm(dashboard, refs, "Renew", question, Renew(tuple(refs)))


def _download(dashboard: "Dashboard", refs: Sequence[Ref]) -> None:
    """Download what jobs lack, if the operator confirms it."""
    from tui.domain.links import renewal

    states, now = dashboard.board.states, dashboard.board.now()
    files = {ref: len(artifacts.undownloaded(states[ref])) for ref in refs}
    wanted = [ref for ref, count in files.items() if count]
    links = {ref: job_state.primary_link(states[ref]) for ref in wanted}
    fading = sum(not renewal.has_enough_life(link.expires_at, now) for link in links.values() if link is not None)
    first = f", after {count_of(fading, 'request')} for links with less than an hour left" if fading else ""
    total = count_of(sum(files.values()), "file")
    question = f"Download {total} of {count_of(len(wanted), 'job')}? One request each{first}."
    _confirm(dashboard, wanted, "Download", question, Download(tuple(wanted)))


def _confirm(dashboard: "Dashboard", refs: Sequence[Ref], title: str, question: str, command: Renew | Download) -> None:
    from tui.dashboard.dialogs.confirm import ConfirmScreen

    run = dashboard.commands["download" if isinstance(command, Download) else "renew"]
    if not refs:
        dashboard.toast(f"{title}: no job of this day needs it", ok=False)
    elif not dashboard.can_run(run):
        dashboard.refuse(run)
    else:
        screen = ConfirmScreen(title, question, f"{title.lower()} all")
        open_dialog(dashboard, screen, lambda _: dashboard.send_command(command))
