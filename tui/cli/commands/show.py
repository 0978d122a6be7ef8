"""The verbs that show what is known already: list, log, export. No network."""

import time
from collections.abc import Iterable

from tui.cli import text_table
from tui.cli.context import chosen, opened, outlook
from tui.cli.output import OK, UsageError, data, json_array, say
from tui.cli.parser import Namespace
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Phase
from tui.presentation import formatting, json_output
from tui.providers.table_decoder import nearest
from tui.storage.workspace import Library


def show(args: Namespace) -> int:
    """`list`: the last known state of the jobs, as a table or as JSON."""
    phases = {_phase(word) for word in args.phase or ()}
    tags = set(args.tags or ())
    with opened(args) as library:
        board = library.board()
        states = [board[ref] for ref in chosen(library, args.refs, board)]
        wanted = [
            state
            for state in states
            if (not phases or state.phase in phases) and (not tags or not tags.isdisjoint(state.job.tags))
        ]
        put(library, wanted, as_json=args.json)
        if not board:
            say(f"no jobs in {library.places.watchlist}: add some with `babeltop add ID`")
        elif not wanted:
            say(f"none of the {len(states)} jobs is like that")
    return OK


def put(library: Library, states: Iterable[JobState], *, as_json: bool) -> None:
    """Writes jobs to stdout."""
    judged = outlook(library)
    if as_json:
        data(json_array(json_output.job(state, library.provider_of(state.job.account), judged) for state in states))
    else:
        data(text_table.jobs(states, judged))


def log(args: Namespace) -> int:
    """`log`: the phase changes that were seen of the jobs, oldest first."""
    with opened(args) as library:
        board = library.board()
        refs = chosen(library, args.refs, board)
        since = time.time() - args.since if args.since is not None else 0.0
        found = library.journal.changes(refs).values() if refs else ()
        changes = sorted((each for mine in found for each in mine if each.seen >= since), key=lambda each: each.seen)
    if args.json:
        data(json_array(map(json_output.phase_change, changes)))
    else:
        data("".join(f"{line(each)}\n" for each in changes))
    if not changes:
        say("no changes were seen")
    return OK


def line(change: PhaseChange) -> str:
    """A phase change in one line."""
    said = f"  {change.message}" if change.message else ""
    return formatting.clean(
        f"{formatting.iso_time(change.seen)}  {change.ref}  {change.before} -> {change.after}{said}"
    )


def export(args: Namespace) -> int:
    """`export`: the whole board, in a form that `add -` reads."""
    with opened(args) as library:
        states, judged = library.board().values(), outlook(library)
        found = [
            json_output.job_with_options(state, library.provider_of(state.job.account), judged) for state in states
        ]
    data(json_array(found) if args.format == "json" else _csv(found))
    return OK


def _csv(found: Iterable[json_output.JsonObject]) -> str:
    from tui.cli import csv_format

    return csv_format.written(csv_format.FLAT, map(csv_format.flat, found))


def _phase(word: str) -> Phase:
    try:
        return Phase(word.lower().replace("-", "_").replace(" ", "_"))
    except ValueError:
        raise UsageError(f"there is no phase {word!r}{nearest(word, [phase.value for phase in Phase])}") from None
