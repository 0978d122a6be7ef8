"""What every verb begins with: the library of this command line, and the jobs that its refs name."""

import os
import time
from collections.abc import Collection, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tui.cli.output import UsageError, print_message
from tui.domain import job_ids
from tui.domain.evaluation import EvaluationContext
from tui.domain.models import Ref
from tui.storage.workspace import Workspace, WorkspacePaths

if TYPE_CHECKING:
    from tui.cli.parser import Namespace


@contextmanager
def open_workspace(args: "Namespace") -> Generator[Workspace]:
    """The library; at the end what it warns of is said. Raises SettingsError and ProviderError."""
    watchlist = Path(args.watchlist).expanduser() if args.watchlist else None
    library = Workspace(WorkspacePaths.default(watchlist), os.environ, readonly=args.readonly)
    try:
        yield library
    finally:
        library.close()
        for warning in dict.fromkeys(library.warnings):
            print_message(f"warning: {warning}")


def resolve_refs(library: Workspace, texts: Sequence[str], refs: Collection[Ref]) -> list[Ref]:
    """The jobs among `refs` that the texts name, in the watchlist's order; without texts all of them.

    Raises UsageError, which names every text that names no job.
    """
    if not texts:
        return list(refs)
    accounts = library.accounts if any(":" in text for text in texts) else {}
    named, problems = set[Ref](), list[str]()
    for text in texts:
        try:
            named.add(job_ids.resolve_ref(text, refs, accounts))
        except job_ids.UnknownRefError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n  ".join(problems))
    return [ref for ref in refs if ref in named]


def evaluation_context(library: Workspace) -> EvaluationContext:
    """What jobs are judged by, now."""
    return library.evaluation_context(time.time())
