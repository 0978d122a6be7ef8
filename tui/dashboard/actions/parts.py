"""Handlers for the parts of a job: they show its dialog, and copy, open, download and renew a part's links."""

from typing import TYPE_CHECKING

from tui.commands import CommandId
from tui.dashboard.actions.links import open_links, use_live_links
from tui.domain import job_state
from tui.domain.models import Ref
from tui.domain.parts import links_of
from tui.engine.api import Download, Renew

if TYPE_CHECKING:
    from tui.dashboard.screen import Dashboard


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
    links = links_of(dashboard.board.states[ref].links, language) if ref in dashboard.board.states else ()
    link = job_state.primary_of(links)
    if not dashboard.can_run(dashboard.commands[command]):
        dashboard.refuse(dashboard.commands[command])
    elif language is None or link is None:
        dashboard.toast("This part has no link", ok=False)
    elif command == "download":
        dashboard.send_command(Download((ref,), language=language))
    elif command == "renew":
        dashboard.send_command(Renew((ref,), language))
    elif command == "open_link":
        use_live_links(dashboard, {ref: link}, lambda live: open_links(dashboard, live), language=language)
    else:
        use_live_links(dashboard, {ref: link}, lambda live: dashboard.copy_text(live[0].url, "Link"), language=language)
