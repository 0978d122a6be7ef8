"""Command without a subcommand: the dashboard, over the operator's files or the demo."""

import os
import sys
from typing import TYPE_CHECKING

from tui.cli.context import open_workspace
from tui.cli.output import UsageError
from tui.cli.ui_settings import check_ui_settings

if TYPE_CHECKING:
    from argparse import Namespace

    from tui.storage.config.settings import Settings

_WEB_DRIVER = "web_driver"
"""Part of TEXTUAL_DRIVER if `serve` runs the dashboard for a browser, through pipes."""


def run_dashboard(args: "Namespace") -> int:
    """Run the dashboard until the operator quits. Raises UsageError without a terminal, or with TERM=dumb."""
    if _WEB_DRIVER not in os.environ.get("TEXTUAL_DRIVER", ""):
        _check_terminal()
    if not os.environ.get("NO_COLOR"):
        os.environ.pop("NO_COLOR", None)  # only a value means no colours (no-color.org), unlike in Textual
    from tui.dashboard.app import run
    from tui.runtime import logfile

    if args.demo:
        from tui.demo import demo_workspace

        with demo_workspace() as (workspace, transport):
            logfile.discard()
            return run(workspace, transport=transport, demo=True, view=_view_named(args.view, workspace.settings))
    with open_workspace(args) as workspace:
        check_ui_settings(workspace.config)
        view = _view_named(args.view, workspace.settings)
        workspace.keys.fetch_all()
        logfile.start_logging(workspace.paths.state_dir)
        return run(workspace, view=view)


def _view_named(name: str | None, settings: "Settings") -> str:
    """Return the view of that name, in any case; "" without one. Raises UsageError for an unknown one."""
    if not name:
        return ""
    from tui.presentation.queries import View
    from tui.providers.table_decoder import suggest

    views = {view.lower(): view for view in (*View, *(str(view.name) for view in settings.views))}
    if name.lower() not in views:
        raise UsageError(f"no view {name!r}{suggest(name.lower(), views)}")
    return views[name.lower()]


def _check_terminal() -> None:
    """Raise UsageError unless there is a terminal for the screen. In the background, wait for the shell's `fg`."""
    from tui.dashboard.terminal.foreground import wait_for_foreground

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the dashboard requires a terminal: without one, use `babeltop list`, `wait` or `watch`")
    if os.environ.get("TERM") == "dumb":
        raise UsageError(
            "the dashboard does not support TERM=dumb: set the terminal's type, such as xterm-256color, or use "
            "`babeltop list`, `wait` or `watch`"
        )
    if not wait_for_foreground(sys.stdin.fileno()):
        raise UsageError("the dashboard requires the terminal's foreground: start it without `&`")
