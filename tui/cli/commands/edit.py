"""The verbs that change what the watchlist says of a job: edit, archive, remove. What they did goes to stderr."""

from collections.abc import Sequence

from tui.cli.context import chosen, opened
from tui.cli.output import OK, UsageError, say
from tui.cli.parser import Namespace
from tui.domain.models import Ref
from tui.presentation.formatting import clean
from tui.providers.model import UnknownKind
from tui.storage.watchlist.file import Remove, Set
from tui.storage.workspace import Library

LABEL_MOST = 300
"""Characters of a label, a tag or a note."""
NAMED = 5
"""Jobs that are named one by one; more are counted."""


def edit(args: Namespace) -> int:
    """`edit`: gives the named values, and no others, to the jobs."""
    keys = ("kind", "label", "tags", "note", "keep_link", "download", "muted")
    given = {key: getattr(args, key) for key in keys if getattr(args, key) is not None}
    changes = {key: said(value) for key, value in given.items()}
    if not changes:
        raise UsageError("nothing to change: say what, as in `babeltop edit REF --label TEXT`")
    with opened(args) as library:
        refs = _refs(library, args.refs)
        if kind := changes.get("kind"):
            _check_kind(library, refs, str(kind))
        _set(library, refs, changes, "changed")
    return OK


def archive(args: Namespace) -> int:
    """`archive`: puts jobs away, or with --undo brings them back."""
    with opened(args) as library:
        refs = _refs(library, args.refs)
        _set(library, refs, {"archived": not args.undo}, "brought back" if args.undo else "archived")
    return OK


def remove(args: Namespace) -> int:
    """`remove`: takes jobs off the watchlist. The journal keeps what was seen of them."""
    with opened(args) as library:
        _, outcome = library.change(Remove(tuple(_refs(library, args.refs))))
        tell("removed", outcome.removed)
        tell("gone already", outcome.absent)
    return OK


def tell(what: str, refs: Sequence[Ref]) -> None:
    """Says what came of jobs: each by name where they are few."""
    if len(refs) > NAMED:
        say(f"{len(refs)} jobs {what}")
        return
    for ref in refs:
        say(f"{what}: {ref}")


def said(value: str | Sequence[str] | bool) -> object:
    """What an operator typed, as the watchlist may hold it: pasted control characters would upset every terminal."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean(value, LABEL_MOST)
    return tuple(dict.fromkeys(filter(None, (clean(tag, LABEL_MOST) for tag in value))))


def _refs(library: Library, texts: Sequence[str]) -> list[Ref]:
    return chosen(library, texts, [job.ref for job in library.watchlist.read().jobs])


def _set(library: Library, refs: Sequence[Ref], changes: dict[str, object], what: str) -> None:
    _, outcome = library.change(Set(tuple(refs), changes))
    tell(what, outcome.changed)
    tell("as wanted already", outcome.already)
    tell("gone meanwhile", outcome.absent)


def _check_kind(library: Library, refs: Sequence[Ref], kind: str) -> None:
    """Raises UsageError where an account of the jobs has no such kind. One that is not configured may have any."""
    for name in {ref.account for ref in refs} & library.accounts.keys():
        try:
            library.accounts[name].provider.endpoint(kind)
        except UnknownKind as error:
            raise UsageError(str(error)) from None
