"""The verbs that change what the watchlist says of a job: edit, archive, remove. What they did goes to stderr."""

from collections.abc import Sequence

from tui.cli.context import open_workspace, resolve_refs
from tui.cli.output import OK, UsageError, print_message
from tui.cli.parser import Namespace
from tui.domain.models import Ref
from tui.presentation.sanitize import clean
from tui.providers.model import UnknownKind
from tui.storage.watchlist.file import Remove, Set
from tui.storage.workspace import Workspace

MAX_LABEL_LENGTH = 300
"""Characters of a label, a tag or a note."""
MAX_NAMED = 5
"""Jobs that are named one by one; more are counted."""


def edit(args: Namespace) -> int:
    """`edit`: gives the named values, and no others, to the jobs."""
    keys = ("kind", "label", "tags", "note", "keep_link", "download", "muted")
    given = {key: getattr(args, key) for key in keys if getattr(args, key) is not None}
    changes = {key: sanitize_option(value) for key, value in given.items()}
    if not changes:
        raise UsageError("nothing to change: say what, as in `babeltop edit REF --label TEXT`")
    with open_workspace(args) as library:
        refs = _watchlist_refs(library, args.refs)
        if kind := changes.get("kind"):
            _check_kind(library, refs, str(kind))
        _apply_changes(library, refs, changes, "changed")
    return OK


def archive(args: Namespace) -> int:
    """`archive`: puts jobs away, or with --undo brings them back."""
    with open_workspace(args) as library:
        refs = _watchlist_refs(library, args.refs)
        _apply_changes(library, refs, {"archived": not args.undo}, "brought back" if args.undo else "archived")
    return OK


def remove(args: Namespace) -> int:
    """`remove`: takes jobs off the watchlist. The journal keeps what was seen of them."""
    with open_workspace(args) as library:
        _, outcome = library.edit_watchlist(Remove(tuple(_watchlist_refs(library, args.refs))))
        print_refs("removed", outcome.removed)
        print_refs("gone already", outcome.not_found)
    return OK


def print_refs(action: str, refs: Sequence[Ref]) -> None:
    """Says what came of jobs: each by name where they are few."""
    if len(refs) > MAX_NAMED:
        print_message(f"{len(refs)} jobs {action}")
        return
    for ref in refs:
        print_message(f"{action}: {ref}")


def sanitize_option(value: str | Sequence[str] | bool) -> object:
    """What an operator typed, as the watchlist may hold it: pasted control characters would upset every terminal."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value, MAX_LABEL_LENGTH)
    return tuple(dict.fromkeys(filter(None, (clean(tag, MAX_LABEL_LENGTH) for tag in value))))


def _watchlist_refs(library: Workspace, texts: Sequence[str]) -> list[Ref]:
    return resolve_refs(library, texts, [job.ref for job in library.watchlist.read().jobs])


def _apply_changes(library: Workspace, refs: Sequence[Ref], changes: dict[str, object], action: str) -> None:
    _, outcome = library.edit_watchlist(Set(tuple(refs), changes))
    print_refs(action, outcome.changed)
    print_refs("as wanted already", outcome.unchanged)
    print_refs("gone meanwhile", outcome.not_found)


def _check_kind(library: Workspace, refs: Sequence[Ref], kind: str) -> None:
    """Raises UsageError where an account of the jobs has no such kind. One that is not configured may have any."""
    for name in {ref.account for ref in refs} & library.accounts.keys():
        try:
            library.accounts[name].provider.endpoint(kind)
        except UnknownKind as error:
            raise UsageError(str(error)) from None
