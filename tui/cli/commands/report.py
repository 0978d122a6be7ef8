"""Subcommand report: fleet, expiring links and jobs as one HTML page, from the stored state, without network."""

import asyncio
import os
from argparse import Namespace
from datetime import UTC, datetime

from tui.cli.commands.fleet import read_fleet
from tui.cli.context import evaluation_context, open_workspace
from tui.cli.output import OK, UsageError, print_message, write_stdout
from tui.domain import evaluation
from tui.domain.links.calendar import DAYS, expiry_calendar
from tui.presentation import formatting, queries
from tui.presentation.columns import RenderOptions
from tui.presentation.html_report import ReportData, html_report
from tui.storage import paths
from tui.storage.workspace import Workspace

PRIVATE_MODE, SHARED_MODE = 0o600, 0o666
"""Modes of the file, with links and without; the umask narrows them."""


def report(args: Namespace) -> int:
    """Run `report`: write the page to a file, or to stdout."""
    with open_workspace(args) as workspace:
        page = report_page(workspace, has_links=args.links, whole_team=args.team)
    if args.html is None or args.html == "-":
        write_stdout(page)
        return OK
    path = paths.expand(args.html)
    try:
        mode = PRIVATE_MODE if args.links else SHARED_MODE
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            if args.links:
                os.fchmod(file, mode)  # a file that was there may be open to others
            stream.write(page)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    print_message(f"report written to {path}")
    return OK


def report_page(workspace: Workspace, *, has_links: bool = False, whole_team: bool = False) -> str:
    """Return the page as of now, in local time. Raises JournalError."""
    board = workspace.job_states(whole_team=whole_team).values()
    accounts, rows = asyncio.run(read_fleet(workspace, board))
    now, zone = workspace.wall(), datetime.now(UTC).astimezone().tzinfo or UTC
    context = evaluation_context(workspace)
    states = [state for state in board if not evaluation.is_archived(state, context)]
    attention = queries.SORTS[queries.ATTENTION].key
    data = ReportData(
        at=now,
        zone=zone,
        fleet=rows,
        healths={name: account.health.value for name, account in accounts.items()},
        days=expiry_calendar(states, now, formatting.midnights(zone, now, range(DAYS + 1))),
        states=sorted(states, key=lambda state: attention(state, context)) if attention is not None else states,
        options=RenderOptions(context),
        has_links=has_links,
    )
    return html_report(data, (paths.styles_dir() / "report.css").read_text("utf-8"))
