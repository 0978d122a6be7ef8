"""Subcommand team: creates, migrates and shows the team's database, withdraws and exports watchlists, prints units."""

import asyncio
import os
from argparse import Namespace
from collections.abc import Iterator
from importlib.resources import files

from tui.cli import text_table
from tui.cli.context import open_workspace
from tui.cli.output import OK, UsageError, print_message, write_stdout
from tui.domain.operator_input import nearest
from tui.presentation import formatting, sanitize
from tui.storage import paths
from tui.storage.workspace import NO_TEAM, Workspace

ROLE_RIGHTS = {
    "worker": "polls, and all that an editor does",
    "editor": "reads, publishes its watchlist, sends commands",
    "viewer": "reads states, phase changes and watchlists; no links, results or responses",
}
"""What each role does."""


def team(args: Namespace) -> int:
    """Run `team init`, `migrate`, `status`, `forget`, `export` or `units`."""
    if args.action == "units":
        return _units()
    with open_workspace(args) as workspace:
        if not workspace.is_team:
            raise UsageError(NO_TEAM)
        workspace.config.check_team()
        match args.action:
            case "init":
                return _init(workspace)
            case "migrate":
                return _migrate(workspace)
            case "status":
                return _status(workspace)
            case "export":
                return _export(workspace, args.output, whole_team=args.all)
            case _:
                return _forget(workspace, args.name)


def _init(workspace: Workspace) -> int:
    from tui.storage.team.administration import declare_accounts, initialize

    print_message(asyncio.run(initialize(workspace.config.team_database)))
    addresses = {name: account.base_url for name, account in workspace.config.accounts.items()}
    for account in asyncio.run(declare_accounts(workspace.config.team_database, addresses)):
        print_message(f"account {account}: its base_url is now {addresses[account]}")
    return OK


def _migrate(workspace: Workspace) -> int:
    from tui.storage.team.administration import migrate

    print_message(asyncio.run(migrate(workspace.config.team_database)))
    return OK


def _forget(workspace: Workspace, name: str) -> int:
    from tui.storage.team.administration import forget_watchlist, own_watchlists

    database = workspace.config.team_database
    if asyncio.run(forget_watchlist(database, name)):
        print_message(f"watchlist {name} withdrawn: its jobs are polled only while another list has them")
        return OK
    near = nearest(name, asyncio.run(own_watchlists(database)))
    hint = f"did you mean {near!r}?" if near else "`babeltop team status` lists them"
    raise UsageError(f"no watchlist {name!r} that this role may withdraw: {hint}")


def _export(workspace: Workspace, output: str | None, *, whole_team: bool) -> int:
    """Write published jobs as a watchlist, and bring the local journal up to date. No file is overwritten."""
    from tui.domain.team import merge_lists
    from tui.storage.team.administration import own_watchlists
    from tui.storage.watchlist.editor import apply_to_text
    from tui.storage.watchlist.operations import Add

    own = asyncio.run(own_watchlists(workspace.config.team_database))
    published = workspace.team_lists()
    lists = {name: jobs for name, jobs in published.items() if whole_team or name in own}
    if not lists:
        others = f": --all exports those of the whole team ({', '.join(published)})" if published else ""
        raise UsageError(f"this login has published no watchlist{others}")
    jobs = merge_lists(lists, next(iter(own & lists.keys()), ""))
    workspace.keep_states([job.ref for job in jobs])
    text, _ = apply_to_text("", Add(jobs))
    if output is None:
        write_stdout(text)
    else:
        path = paths.expand(output)
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as stream:
                stream.write(text)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
    print_message(f"{formatting.count_of(len(jobs), 'job')} of {formatting.count_of(len(lists), 'watchlist')}")
    return OK


def _units() -> int:
    folder = files("tui") / "deploy"
    write_stdout("\n".join((folder / name).read_text("utf-8") for name in ("babeltop-worker.service", "Containerfile")))
    return OK


def _status(workspace: Workspace) -> int:
    """Print the state of the database."""
    from tui.storage.team.administration import TeamStatus, read_status

    def lines(found: TeamStatus) -> Iterator[tuple[str, str]]:
        yield "server", f"PostgreSQL {found.server_version}, as {found.user}"
        yield "layout", f"{found.layout.number}. {found.restriction}" if found.restriction else str(found.layout.number)
        yield "role", f"{found.role}: {ROLE_RIGHTS[found.role]}"
        yield "clock", f"{found.clock_lead:+z.1f} s from this computer's"
        if not found.workers:
            yield "worker", "none: start `babeltop watch` where the API keys are"
        for host, pid, version, accounts, polled, _ in found.workers:
            others = [account for account in accounts if account not in polled]
            polls = f"polls {', '.join(polled)}" if polled else "polls no account"
            stands_by = f"; stands by for {', '.join(others)}" if others else ""
            yield "worker", f"{host}, PID {pid}, babeltop {version}: {polls}{stands_by}"
        if found.unpolled:
            yield "not polled", f"{', '.join(found.unpolled)}: start `babeltop watch` where the API keys are"
        if found.deliveries is not None:
            count, orphaned = found.deliveries
            text = f"{count} open" + (f", {orphaned} of them to hooks that no live worker has" if orphaned else "")
            yield "deliveries", text
        yield "jobs", str(found.job_count)
        for name, owner, count in found.watchlists:
            yield "watchlist", f"{name}: {formatting.count_of(count, 'job')}, published by {owner}"

    found = asyncio.run(read_status(workspace.config.team_database))
    rows = [(title, sanitize.clean(text)) for title, text in lines(found)]
    write_stdout(text_table.render(rows, shrinkable=(1,)))
    return OK
