"""Subcommands edit, archive and remove: changes of the watchlist, whose results go to stderr."""

from argparse import Namespace
from collections.abc import Sequence

from tui.cli.context import open_workspace, resolve_refs
from tui.cli.output import OK, UsageError, print_message
from tui.domain.models import Ref
from tui.presentation.sanitize import clean
from tui.providers.model import UnknownKind
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
    if not changes:
        raise UsageError("nothing to change: use an option, such as `babeltop edit REF --label TEXT`")
    with open_workspace(args) as workspace:
        refs = _watchlist_refs(workspace, args.refs)
        if kind := changes.get("kind"):
            _check_kind(workspace, refs, str(kind))
        _apply_changes(workspace, refs, changes, "changed")
    return OK


def archive(args: Namespace) -> int:
    """Run `archive`: archive jobs, or unarchive them with --undo."""
    with open_workspace(args) as workspace:
        refs = _watchlist_refs(workspace, args.refs)
        _apply_changes(workspace, refs, {"archived": not args.undo}, "unarchived" if args.undo else "archived")
    return OK


def remove(args: Namespace) -> int:
    """Run `remove`: remove jobs from the watchlist. The journal keeps their history."""
    with open_workspace(args) as workspace:
        _, result = workspace.edit_watchlist(Remove(tuple(_watchlist_refs(workspace, args.refs))))
        print_refs("removed", result.removed)
        print_refs("already removed", result.not_found)
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
    return tuple(dict.fromkeys(filter(None, (clean(tag, MAX_LABEL_LENGTH) for tag in value))))


def _watchlist_refs(workspace: Workspace, texts: Sequence[str]) -> list[Ref]:
    return resolve_refs(workspace, texts, [job.ref for job in workspace.watchlist.read().jobs])


def _apply_changes(workspace: Workspace, refs: Sequence[Ref], changes: dict[str, object], action: str) -> None:
    _, result = workspace.edit_watchlist(Set(tuple(refs), changes))
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
