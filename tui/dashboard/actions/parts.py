"""Handlers for the parts of a job: they show its dialog, and copy, open, download and renew a part's links."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.commands import CommandId
from tui.dashboard.actions import links as link_actions
from tui.domain import job_state
from tui.domain.links import renewal
from tui.domain.models import Link, Ref
from tui.domain.parts import links_of
from tui.engine.api import CommandResult, Download, Renew

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard

_WRITES: frozenset[CommandId] = frozenset({"open_link", "download"})
"""Commands that --readonly disables."""


def has_parts(dashboard: "Dashboard") -> bool:
    """Return whether the job under the cursor has parts to show."""
    state = dashboard.board.states.get(dashboard.table.cursor) if dashboard.table.cursor is not None else None
    return state is not None and state.report is not None and bool(state.report.parts)


def show_parts(dashboard: "Dashboard") -> None:
    """Open the dialog of the parts of the job under the cursor."""
    from tui.dashboard.job_parts.dialog import PartsScreen

    ref = dashboard.table.cursor
    if ref is not None:
        dialog = PartsScreen(
            dashboard.board, ref, dashboard.zone, lambda command, language: _run(dashboard, ref, command, language)
        )
        dashboard.typed_app.push_screen(dialog)


def _run(dashboard: "Dashboard", ref: Ref, command: CommandId, language: str | None) -> None:
    found = links_of(dashboard.board.states[ref].links, language) if ref in dashboard.board.states else ()
    if dashboard.readonly and command in _WRITES:
        dashboard.toast("Read-only: open and download are disabled", ok=False)
    elif language is None or not found:
        dashboard.toast("This part has no link", ok=False)
    elif command == "download":
        dashboard.send_command(Download((ref,), language=language))
    elif command == "renew":
        dashboard.send_command(Renew((ref,), language))
    elif command == "open_link":
        _with_live_link(dashboard, ref, language, found, lambda link: link_actions.open_links(dashboard, [link]))
    else:
        _with_live_link(dashboard, ref, language, found, lambda link: dashboard.copy_text(link.url, "Link"))


def _with_live_link(
    dashboard: "Dashboard", ref: Ref, language: str, links: tuple[Link, ...], use: Callable[[Link], object]
) -> None:
    """Call `use` with the part's primary link, renewed if it has expired or is about to."""
    link, now = job_state.primary_of(links), dashboard.board.now()
    assert link is not None, "the part has a link"
    if link.one_time or link.form is not None:
        dashboard.toast(link_actions.why_not_shown(link), ok=False)
        return
    if renewal.has_enough_life(link.expires_at, now):
        use(link)
        return
    dashboard.toast(link_actions.why_renewed([link], now))

    def on_result(result: CommandResult) -> None:
        if ref in result.links:
            use(result.links[ref])

    dashboard.send_command(Renew((ref,), language), on_result)
