"""No verb: the dashboard, over the operator's own files or over the demo's."""

import os
import sys
from typing import TYPE_CHECKING

from tui.cli.context import open_workspace
from tui.cli.output import UsageError

if TYPE_CHECKING:
    from tui.cli.parser import Namespace

_WEB_DRIVER = "web_driver"
"""Stands in TEXTUAL_DRIVER where `serve` runs the dashboard for a browser, through pipes."""


def run_dashboard(args: "Namespace") -> int:
    """Runs the dashboard until the operator quits. Raises UsageError where there is no terminal, or a dumb one."""
    if _WEB_DRIVER not in os.environ.get("TEXTUAL_DRIVER", ""):
        _check_terminal()
    from tui.dashboard.app import run
    from tui.runtime import logfile

    if args.demo:
        from tui.demo import demo_workspace

        with demo_workspace() as (library, transport):
            logfile.start_logging(library.paths.state_dir)
            return run(library, transport=transport, demo=True)
    with open_workspace(args) as library:
        library.fetch_keys()
        logfile.start_logging(library.paths.state_dir)
        return run(library)


def _check_terminal() -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("the dashboard takes a terminal: without one there are `babeltop list`, `wait` and `watch`")
    if os.environ.get("TERM") == "dumb":
        raise UsageError(
            "TERM=dumb names a terminal that draws nothing: set what it is (xterm-256color, say), or use "
            "`babeltop list`, `wait` and `watch`"
        )
