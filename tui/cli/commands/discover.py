"""Subcommand discover: the jobs of accounts, as their services list them, that are not on the watchlist."""

import asyncio
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence

from tui.cli import text_table
from tui.cli.commands.edit import print_refs
from tui.cli.commands.poll import run_until_signal
from tui.cli.context import edit_watchlist, evaluation_context, open_workspace, parse_filter, require_accounts
from tui.cli.output import FAULT, OK, json_array, print_message, write_stdout
from tui.domain.job_state import JobState
from tui.domain.models import Job, Phase
from tui.engine.accounts.discovery import Discovery, discover
from tui.engine.api import DISCOVERED
from tui.presentation import formatting, json_output
from tui.presentation.filters import vocabulary
from tui.presentation.json_output import JsonObject
from tui.runtime import logfile
from tui.storage.watchlist.operations import Add
from tui.storage.workspace import Workspace

_HEADERS = ("STATUS", "ACCOUNT", "ID", "KIND", "CREATED", "NAME")


def discover_jobs(args: Namespace) -> int:
    """Run `discover`. Returns 3 if a list could not be read."""
    with open_workspace(args) as workspace:
        accounts = require_accounts(workspace, args.accounts)
        now = workspace.wall()
        context = evaluation_context(workspace)
        values = vocabulary.of_jobs((), context, lambda: workspace.accounts)
        wanted = parse_filter(args.filter, values) if args.filter is not None else None
        workspace.keys.fetch_all()
        logfile.start_logging(workspace.paths.state_dir)
        if notice := workspace.ensure_journal():
            print_message(notice)
        jobs = workspace.watchlist.read().jobs
        known = {name: {job.id for job in jobs if job.account == name} for name in args.accounts or accounts}
        found = run_until_signal(_discover_all(workspace, known, now - args.since if args.since else None))
        states = [
            state for state in _new_states(workspace, found, known) if wanted is None or wanted.matches(state, context)
        ]
        _print_notices(found)
        is_read = any(each.fault is None for each in found.values())
        if states or is_read or args.json:
            _print_jobs(workspace, states, as_json=args.json)
        if args.add and states:
            result = edit_watchlist(workspace, Add(tuple(_tagged(state.job, now) for state in states)))
            print_refs("added", result.added)
        return FAULT if any(each.fault is not None for each in found.values()) else OK


async def _discover_all(
    workspace: Workspace, known: Mapping[str, set[str]], since: float | None
) -> dict[str, Discovery]:
    found = await asyncio.gather(*(discover(workspace, name, ids, since) for name, ids in known.items()))
    return dict(zip(known, found, strict=True))


def _new_states(
    workspace: Workspace, found: Mapping[str, Discovery], known: Mapping[str, set[str]]
) -> Iterator[JobState]:
    """Yield the listed jobs that are not on the watchlist and were not removed from it, and name how many were."""
    for name, discovery in found.items():
        removed = workspace.journal.listed_ids(name) - known[name]
        left_out = 0
        for each in discovery.jobs:
            if each.id in known[name]:
                continue
            if each.id in removed:
                left_out += 1
                continue
            phase = each.report.phase or Phase.RUNNING if each.report else Phase.NEW
            job = Job(account=name, id=each.id, kind=each.kind, added=each.created_at)
            yield JobState(job=job, phase=phase, report=each.report)
        if left_out:
            count = "1 job that was" if left_out == 1 else f"{left_out} jobs that were"
            print_message(f"{name}: left out {count} removed from the watchlist; `babeltop add` adds a job again")


def _tagged(job: Job, now: float) -> Job:
    return Job(account=job.account, id=job.id, kind=job.kind, added=float(int(now)), tags=(DISCOVERED,))


def _print_notices(found: Mapping[str, Discovery]) -> None:
    """Print the notices and faults of the accounts; a fault that all have, once."""
    faults = [each.fault.message for each in found.values() if each.fault is not None]
    common = faults[0] if len(faults) == len(found) and len(set(faults)) == 1 else ""
    for name, discovery in found.items():
        for notice in discovery.notices:
            print_message(f"{name}: {notice}")
        if discovery.fault is not None and not common:
            print_message(f"{name}: {discovery.fault.message}")
    if common:
        print_message(common if len(found) > 1 else f"{next(iter(found))}: {common}")


def _print_jobs(workspace: Workspace, states: Sequence[JobState], *, as_json: bool) -> None:
    if as_json:
        write_stdout(json_array(_job_json(workspace, state) for state in states))
    elif states:
        write_stdout(text_table.render([_HEADERS, *map(_row, states)], shrinkable=(2, 5)))
    else:
        print_message("no new jobs")


def _row(state: JobState) -> tuple[str, ...]:
    created = "" if state.job.added is None else formatting.iso_time(state.job.added)
    title = (state.report and state.report.title) or ""
    return state.phase, state.job.account, state.job.id, state.job.kind, created, title


def _job_json(workspace: Workspace, state: JobState) -> JsonObject:
    report = state.report
    return {
        "account": state.job.account,
        "provider": workspace.config.provider_of(state.job.account),
        "id": state.job.id,
        "kind": state.job.kind,
        "created": json_output.iso_or_none(state.job.added),
        "phase": state.phase,
        "status": (report and report.raw_status) or None,
        "title": report.title if report else None,
        "language": report.language if report else None,
    }
