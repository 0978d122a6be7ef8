"""What can be done to a watchlist, and what came of it, as values. It does nothing (`changes` does)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from msgspec import Struct

from tui.domain.models import Job, Ref

EDITABLE: Mapping[str, type[Any]] = {
    **dict.fromkeys(("kind", "label", "note"), str),
    **dict.fromkeys(("keep_link", "download", "muted", "archived"), bool),
    "tags": tuple,
}
"""The keys that `Set` changes, and the types of their values."""


class Add(Struct, frozen=True):
    """Append these jobs; what is there already stays as it is. `added` is written in whole seconds."""

    jobs: tuple[Job, ...]


class Remove(Struct, frozen=True):
    """Take these jobs out, every block of theirs."""

    refs: tuple[Ref, ...]


class Set(Struct, frozen=True):
    """Give keys of these jobs new values; an empty one (`""`, `()`, False) takes the key out."""

    refs: tuple[Ref, ...]
    changes: Mapping[str, object]
    """Key to value, of those in EDITABLE; others raise ValueError, other types TypeError."""

    def __post_init__(self) -> None:
        for key, value in self.changes.items():
            if key not in EDITABLE:
                raise ValueError(f"{key!r} is no key that can be set")
            if not isinstance(value, EDITABLE[key]):
                raise TypeError(f"{key} takes a {EDITABLE[key].__name__}, not {value!r}")


class RemovedBlock(Struct, frozen=True):
    """A block that Remove took out, and where it stood."""

    ref: Ref
    text: str
    """The very text, with the blank lines that would have piled up without it."""
    after: Ref | None
    """The nearest job above that stayed; None: there was none."""
    lines_after: int
    """Lines that stayed between that job's block, or the file's start, and this text."""


class Restore(Struct, frozen=True):
    """Put back what Remove took out, where it stood; what is there again meanwhile stays as it is."""

    blocks: tuple[RemovedBlock, ...]


Operation = Add | Remove | Set | Restore


class EditResult(NamedTuple):
    """What an operation did, each ref once."""

    added: tuple[Ref, ...] = ()
    changed: tuple[Ref, ...] = ()
    removed: tuple[Ref, ...] = ()
    unchanged: tuple[Ref, ...] = ()
    """Refs that were there before (Add, Restore), or as wanted before (Set)."""
    not_found: tuple[Ref, ...] = ()
    """Refs that are not on the list."""
    removed_blocks: tuple[RemovedBlock, ...] = ()
    """What `Restore` takes to undo it."""
