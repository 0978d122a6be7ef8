"""Context of a subcommand: the workspace, and the jobs that its arguments name."""

import os
import time
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tui.cli.output import UsageError, print_message
from tui.domain import job_ids
from tui.domain.evaluation import EvaluationContext
from tui.domain.models import Ref
from tui.storage import paths
from tui.storage.config.configuration import WorkspacePaths
from tui.storage.workspace import Workspace

if TYPE_CHECKING:
    from argparse import Namespace


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


def resolve_refs(workspace: Workspace, texts: Sequence[str], refs: Collection[Ref]) -> list[Ref]:
    """Return the jobs that the texts name, in the order of `refs`; without texts, all.

    Raises UsageError with every text that names no job.
    """
    if not texts:
        return list(refs)
    accounts = workspace.accounts if any(":" in text for text in texts) else {}
    named, problems = set[Ref](), list[str]()
    for text in texts:
        try:
            named.add(job_ids.resolve_ref(text, refs, accounts))
        except job_ids.UnknownRefError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n  ".join(problems))
    return [ref for ref in refs if ref in named]


def evaluation_context(workspace: Workspace) -> EvaluationContext:
    """Return the values that flags and estimates depend on, as of now."""
    return workspace.config.evaluation_context(time.time())
