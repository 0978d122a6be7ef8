"""Subcommand team: creates the team's database, shows its state, and withdraws a watchlist."""

import asyncio
from argparse import Namespace
from collections.abc import Iterator

from tui.cli import text_table
from tui.cli.context import open_workspace
from tui.cli.output import OK, UsageError, print_message, write_stdout
from tui.presentation import formatting, sanitize
from tui.storage.workspace import NO_TEAM, Workspace

ROLE_RIGHTS = {
    "worker": "polls, and all that an editor does",
    "editor": "reads, publishes its watchlist, sends commands",
    "viewer": "reads states, phase changes and watchlists; no links, results or responses",
}
"""What each role does."""


def team(args: Namespace) -> int:
    """Run `team init`, `team status` or `team forget`."""
    with open_workspace(args) as workspace:
        if not workspace.is_team:
            raise UsageError(NO_TEAM)
        workspace.config.check_team()
        match args.action:
            case "init":
                return _init(workspace)
            case "status":
                return _status(workspace)
            case _:
                return _forget(workspace, args.name)


def _init(workspace: Workspace) -> int:
    from tui.storage.team.administration import initialize

    print_message(asyncio.run(initialize(workspace.config.team_database)))
    return OK


def _forget(workspace: Workspace, name: str) -> int:
    from tui.storage.team.administration import forget_watchlist

    if asyncio.run(forget_watchlist(workspace.config.team_database, name)):
        print_message(f"watchlist {name} withdrawn: its jobs are polled only while another list has them")
        return OK
    raise UsageError(f"no watchlist {name!r} that this role may withdraw: `babeltop team status` lists them")


def _status(workspace: Workspace) -> int:
    """Print the state of the database."""
    from tui.storage.team.administration import TeamStatus, read_status

    def lines(found: TeamStatus) -> Iterator[tuple[str, str]]:
        yield "server", f"PostgreSQL {found.server_version}, as {found.user}"
        yield "role", f"{found.role}: {ROLE_RIGHTS[found.role]}"
        yield "clock", f"{found.clock_lead:+.1f} s from this computer's"
        if found.worker is None:
            yield "worker", "none: start `babeltop watch` where the API keys are"
        else:
            host, pid, version = found.worker
            yield "worker", f"{host}, PID {pid}, babeltop {version}"
        yield "jobs", formatting.count_of(found.job_count, "job")
        for name, owner, count in found.watchlists:
            yield "watchlist", f"{name}: {formatting.count_of(count, 'job')}, published by {owner}"

    found = asyncio.run(read_status(workspace.config.team_database))
    rows = [(title, sanitize.clean(text)) for title, text in lines(found)]
    write_stdout(text_table.render(rows, shrinkable=(1,)))
    return OK
