"""Subcommands list, log and export: output of the stored state, without network."""

from argparse import Namespace
from collections.abc import Iterable

from tui.cli import text_table
from tui.cli.context import evaluation_context, open_workspace, resolve_refs, select_jobs
from tui.cli.output import OK, UsageError, json_array, print_message, write_stdout
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Phase
from tui.presentation import formatting, json_output, sanitize
from tui.providers.table_decoder import suggest
from tui.storage.workspace import Workspace


def list_jobs(args: Namespace) -> int:
    """Run `list`: print the last known state of the jobs, as a table or as JSON."""
    phases = {_parse_phase(text) for text in args.phase or ()}
    tags = set(args.tags or ())
    with open_workspace(args) as workspace:
        board = workspace.job_states(whole_team=args.team)
        states = [board[ref] for ref in select_jobs(workspace, args, board)]
        wanted = [
            state
            for state in states
            if (not phases or state.phase in phases) and (not tags or not tags.isdisjoint(state.job.tags))
        ]
        print_jobs(workspace, wanted, as_json=args.json, has_owners=args.team)
        if not board:
            place = "the team's watchlists" if args.team else workspace.paths.watchlist_file
            print_message(f"no jobs in {place}: add some with `babeltop add ID`")
        elif states and not wanted:
            print_message(f"no jobs match ({len(states)} on the watchlist)")
    return OK


def print_jobs(workspace: Workspace, states: Iterable[JobState], *, as_json: bool, has_owners: bool = False) -> None:
    """Print jobs to stdout. `has_owners`: the table names the watchlists of each."""
    context = evaluation_context(workspace)
    if as_json:
        write_stdout(
            json_array(
                json_output.job(state, workspace.config.provider_of(state.job.account), context) for state in states
            )
        )
    else:
        write_stdout(text_table.render_jobs(states, context, has_owners=has_owners))


def log(args: Namespace) -> int:
    """Run `log`: print the phase changes of the jobs, oldest first."""
    with open_workspace(args) as workspace:
        board = workspace.job_states(whole_team=args.team)
        refs = resolve_refs(workspace, args.refs, board)
        since = workspace.wall() - args.since if args.since is not None else 0.0
        found = workspace.phase_changes(refs).values() if refs else ()
        changes = sorted(
            (each for job_changes in found for each in job_changes if each.seen >= since), key=lambda each: each.seen
        )
    if args.json:
        write_stdout(json_array(map(json_output.phase_change, changes)))
    else:
        write_stdout("".join(f"{format_change(each)}\n" for each in changes))
    if not changes:
        print_message("no phase changes recorded")
    return OK


def format_change(change: PhaseChange) -> str:
    """Return a phase change as one line."""
    message = f"  {change.message}" if change.message else ""
    return sanitize.clean(
        f"{formatting.iso_time(change.seen)}  {change.ref}  {change.before} -> {change.after}{message}"
    )


def export(args: Namespace) -> int:
    """Run `export`: print all jobs in a form that `add -` reads."""
    with open_workspace(args) as workspace:
        states, context = workspace.job_states().values(), evaluation_context(workspace)
        found = [
            json_output.job_with_options(state, workspace.config.provider_of(state.job.account), context)
            for state in states
        ]
    write_stdout(json_array(found) if args.format == "json" else _csv(found))
    return OK


def _csv(found: Iterable[json_output.JsonObject]) -> str:
    from tui.cli import csv_format

    return csv_format.write_csv(csv_format.COLUMNS, map(csv_format.flatten_job, found))


def _parse_phase(text: str) -> Phase:
    try:
        return Phase(text.lower().replace("-", "_").replace(" ", "_"))
    except ValueError:
        raise UsageError(f"unknown phase {text!r}{suggest(text, [phase.value for phase in Phase])}") from None
