"""Subcommands edit, archive and remove: changes of the watchlist, whose results go to stderr."""

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress

from tui.cli.context import edit_watchlist, open_workspace, resolve_refs, select_jobs
from tui.cli.output import OK, UsageError, print_message
from tui.domain.models import Ref
from tui.presentation import formatting
from tui.presentation.sanitize import clean
from tui.providers.model import UnknownKind
from tui.storage.journal.database import JournalError
from tui.storage.watchlist.operations import Remove, Set
from tui.storage.workspace import Workspace

MAX_LABEL_LENGTH = 300
"""Characters of a label, a tag or a note."""
MAX_NAMED = 5
"""Jobs that are listed; more are counted."""


def edit(args: Namespace) -> int:
    """Run `edit`: set the given fields of the jobs."""
    keys = ("kind", "label", "tags", "note", "keep_link", "download", "muted")
    given = {key: getattr(args, key) for key in keys if getattr(args, key) is not None}
    changes = {key: sanitize_option(value) for key, value in given.items()}
    add_tags, remove_tags = _tag_changes(args)
    if not (changes or add_tags or remove_tags):
        raise UsageError("nothing to change: use an option, such as `babeltop edit REF --label TEXT`")
    with open_workspace(args) as workspace:
        refs = _watchlist_refs(workspace, args.refs)
        if kind := changes.get("kind"):
            _check_kind(workspace, refs, str(kind))
        _apply_changes(workspace, Set(tuple(refs), changes, add_tags, remove_tags), "changed")
    return OK


def _tag_changes(args: Namespace) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the tags to add and those to remove. Raises UsageError if the options contradict each other."""
    added, removed = sanitize_tags(args.add_tags or ()), sanitize_tags(args.remove_tags or ())
    if args.tags is not None and (added or removed):
        raise UsageError("--tags and --no-tags set all tags: use them without --tag and --untag")
    if both := [tag for tag in added if tag in removed]:
        raise UsageError(f"--tag and --untag contradict each other: {', '.join(both)}")
    return added, removed


def archive(args: Namespace) -> int:
    """Run `archive`: archive jobs, or unarchive them with --undo."""
    with open_workspace(args) as workspace:
        refs = _confirmed_refs(workspace, args, "unarchive" if args.undo else "archive")
        operation = Set(tuple(refs), {"archived": not args.undo})
        _apply_changes(workspace, operation, "unarchived" if args.undo else "archived")
    return OK


def remove(args: Namespace) -> int:
    """Run `remove`: remove jobs from the watchlist. The journal keeps their history."""
    with open_workspace(args) as workspace:
        result = edit_watchlist(workspace, Remove(tuple(_confirmed_refs(workspace, args, "remove"))))
        print_refs("removed", result.removed)
        print_refs("already removed", result.not_found)
        with suppress(JournalError, OSError):  # `discover` then proposes the job again
            workspace.journal.mark_listed(result.removed, time.time())
    return OK


def print_refs(action: str, refs: Sequence[Ref]) -> None:
    """Print the result for jobs: each by name, or their number if they are many."""
    if len(refs) > MAX_NAMED:
        print_message(f"{len(refs)} jobs {action}")
        return
    for ref in refs:
        print_message(f"{action}: {ref}")


def sanitize_option(value: str | Sequence[str] | bool) -> object:
    """Return the value of an option without control characters, which would reach every terminal."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value, MAX_LABEL_LENGTH)
    return sanitize_tags(value)


def sanitize_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return each tag once, without control characters and empty ones."""
    return tuple(dict.fromkeys(filter(None, (clean(tag, MAX_LABEL_LENGTH) for tag in tags))))


def _watchlist_refs(workspace: Workspace, texts: Sequence[str]) -> list[Ref]:
    return resolve_refs(workspace, texts, [job.ref for job in workspace.watchlist.read().jobs])


def _confirmed_refs(workspace: Workspace, args: Namespace, action: str) -> list[Ref]:
    """Return the jobs that are named, or that a filter matches and the operator confirms. Raises UsageError."""
    if args.filter is None:
        if not args.refs:
            raise UsageError(f"name the jobs to {action}, or use --filter")
        return _watchlist_refs(workspace, args.refs)
    refs = select_jobs(workspace, args, workspace.job_states())
    if refs and not args.yes:
        question = f"{action} {formatting.count_of(len(refs), 'job')}"
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(f"{question}: confirm with --yes, since there is no terminal for a prompt")
        names = ", ".join(map(str, refs[:MAX_NAMED])) + (", …" if len(refs) > MAX_NAMED else "")
        print(f"{clean(names)}\n{question}? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise UsageError("nothing was changed")
    return refs


def _apply_changes(workspace: Workspace, operation: Set, action: str) -> None:
    result = edit_watchlist(workspace, operation)
    print_refs(action, result.changed)
    print_refs("no change", result.unchanged)
    print_refs("removed meanwhile", result.not_found)


def _check_kind(workspace: Workspace, refs: Sequence[Ref], kind: str) -> None:
    """Raise UsageError if the provider of a configured account has no such kind."""
    for name in {ref.account for ref in refs} & workspace.accounts.keys():
        try:
            workspace.accounts[name].provider.endpoint(kind)
        except UnknownKind as error:
            raise UsageError(str(error)) from None
