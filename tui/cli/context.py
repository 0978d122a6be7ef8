"""Context of a subcommand: the workspace, and the jobs that its arguments name."""

import os
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tui.cli.output import UsageError, print_message
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.storage import paths
from tui.storage.config.configuration import Account, WorkspacePaths
from tui.storage.journal.database import JournalError, UnreachableError
from tui.storage.watchlist.operations import EditResult
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    from argparse import Namespace

    from tui.presentation.filters.grammar import Vocabulary
    from tui.presentation.filters.model import Filter
    from tui.storage.watchlist.operations import Operation


def workspace_paths(args: "Namespace") -> WorkspacePaths:
    """Return the folders, and the watchlist that the command line names. Raises StorageError without a home folder."""
    return WorkspacePaths.default(paths.expand(args.watchlist) if args.watchlist else None)


@contextmanager
def open_workspace(args: "Namespace") -> Generator[Workspace]:
    """Yield the workspace of the command line, and print its warnings at the end.

    Raises SettingsError, ProviderError and StorageError.
    """
    workspace = Workspace.open(workspace_paths(args), os.environ, readonly=args.readonly)
    try:
        yield workspace
    finally:
        workspace.close()
        for warning in dict.fromkeys(workspace.warnings):
            print_message(f"warning: {warning}")


def edit_watchlist(workspace: Workspace, operation: "Operation") -> EditResult:
    """Apply an operation to the watchlist and, in a team, publish it. Raises WatchlistError and UsageError."""
    require_editor(workspace, "edits of the watchlist")
    _, result = workspace.edit_watchlist(operation)
    try:
        workspace.publish_watchlist()
    except UnreachableError as error:
        print_message(f"{error}. The next dashboard or command that reaches it publishes the watchlist, if you may")
    except JournalError as error:
        print_message(str(error))
    return result


def require_editor(workspace: Workspace, what: str) -> None:
    """Raise UsageError if the operator's role in the team only reads."""
    if workspace.is_viewer():
        raise UsageError(f"the role viewer of the team's database disables {what}: its owner grants babeltop_editor")


def require_accounts(workspace: Workspace, names: Sequence[str]) -> Mapping[str, Account]:
    """Return all accounts. Raises UsageError without any, or if one of the names is not configured."""
    for name in names:
        if name not in workspace.accounts:
            raise UsageError(workspace.config.why_unconfigured(name))
    if not workspace.accounts:
        raise UsageError(f"no accounts configured: {workspace.account_hint()}")
    return workspace.accounts


def resolve_refs(workspace: Workspace, texts: Sequence[str], refs: Collection[Ref]) -> list[Ref]:
    """Return the jobs that the texts name, in the order of `refs`; without texts, all.

    Raises UsageError with every text that names no job.
    """
    if not texts:
        return list(refs)
    from tui.domain import job_ids  # the dashboard starts without

    accounts = workspace.accounts if any(":" in text for text in texts) else {}
    named, problems = set[Ref](), dict[str, str]()
    for text in texts:
        try:
            named.add(job_ids.resolve_ref(text, refs, accounts))
        except job_ids.UnknownRefError as error:
            problems[text] = str(error)
    if problems:
        raise UsageError("\n  ".join((problems | _foreign_problems(workspace, problems, accounts)).values()))
    return [ref for ref in refs if ref in named]


def _foreign_problems(workspace: Workspace, texts: Iterable[str], accounts: Mapping[str, Account]) -> dict[str, str]:
    """Return a message for each text that names a job of another watchlist of the team."""
    if not workspace.is_team:
        return {}
    from tui.domain import job_ids
    from tui.domain.team import team_board
    from tui.presentation.descriptions import foreign_refusal

    try:
        jobs = {job.ref: job for job in team_board(workspace.team_lists(), "")}
    except JournalError:
        return {}
    problems: dict[str, str] = {}
    for text in texts:
        with suppress(job_ids.UnknownRefError):
            problems[text] = foreign_refusal([jobs[job_ids.resolve_ref(text, jobs, accounts)]])
    return problems


def select_jobs(workspace: Workspace, args: "Namespace", states: Mapping[Ref, JobState]) -> list[Ref]:
    """Return the jobs that the arguments name and that their filter matches, in the order of `states`.

    Raises UsageError for a ref without a job, and for an incomplete filter.
    """
    refs = resolve_refs(workspace, args.refs, states)
    if args.filter is None:
        return refs
    from tui.presentation.filters import grammar, vocabulary

    context = evaluation_context(workspace)
    values = vocabulary.of_jobs(states.values(), context, lambda: workspace.accounts)
    wanted = parse_filter(args.filter, values)
    matching = [ref for ref in refs if wanted.matches(states[ref], context)]
    if not matching:
        jobs = f"{len(refs)} {'named' if args.refs else 'on the watchlist'}"
        hints = "".join(f"; {hint}" for hint in grammar.unused_values(wanted, values))
        print_message(f"no jobs match {args.filter!r} ({jobs}){hints}")
    return matching


def parse_filter(text: str, vocabulary: "Vocabulary") -> "Filter":
    """Return the filter. Raises UsageError with each problem, also of an incomplete term: it would match too much."""
    from tui.presentation.filters import grammar

    found, problems = grammar.parse(text, vocabulary)
    if problems:
        raise UsageError("\n  ".join(f"--filter {text!r}: {problem.text}" for problem in problems))
    if not found.groups:
        raise UsageError("--filter: expected a term")
    return found


def evaluation_context(workspace: Workspace) -> EvaluationContext:
    """Return the values that flags and estimates depend on, as of now."""
    return workspace.config.evaluation_context(workspace.wall())
