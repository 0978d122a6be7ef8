"""Operations on a watchlist and their results, as values. They are applied by `editor`."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from tui.domain.models import Job, Ref
from tui.storage.config.secrets import Secret, SecretSource

EDITABLE: Mapping[str, type[Any]] = {
    **dict.fromkeys(("kind", "label", "note"), str),
    **dict.fromkeys(("keep_link", "download", "muted", "archived"), bool),
    "tags": tuple,
}
"""Keys that `Set` changes, and the types of their values."""


class Add(Struct, frozen=True):
    """Append these jobs; a job that is listed already stays unchanged. `added` is written in whole seconds."""

    jobs: tuple[Job, ...]
    secrets: Mapping[Ref, Mapping[str, Secret | SecretSource]] = {}
    """Secrets of these jobs, by name; a text of them is masked."""


class Remove(Struct, frozen=True):
    """Remove all blocks of these jobs."""

    refs: tuple[Ref, ...]


class Set(Struct, frozen=True):
    """Set keys of these jobs; an empty value (`""`, `()`, False) removes the key."""

    refs: tuple[Ref, ...]
    changes: Mapping[str, object]
    """Values by key, of those in EDITABLE. Another key raises ValueError, another type TypeError."""
    add_tags: tuple[str, ...] = ()
    """Tags that each job gets in addition to its own."""
    remove_tags: tuple[str, ...] = ()
    """Tags that each job loses, if it has them."""

    def changes_of(self, job: Job) -> dict[str, object]:
        """Return the values that differ from the job's, by key."""
        tags: tuple[str, ...] = self.changes.get("tags", job.tags)  # type: ignore[assignment]
        merged = tuple(tag for tag in dict.fromkeys((*tags, *self.add_tags)) if tag not in self.remove_tags)
        values = {**self.changes, "tags": merged} if self.add_tags or self.remove_tags else self.changes
        return {key: value for key, value in values.items() if value != getattr(job, key)}

    def __post_init__(self) -> None:
        _check_values(self.changes)


class SetEach(Struct, frozen=True):
    """Set keys of each of these jobs, as `Set` does, to values of its own."""

    values: Mapping[Ref, Mapping[str, object]]

    @property
    def refs(self) -> tuple[Ref, ...]:
        """The jobs."""
        return tuple(self.values)

    def changes_of(self, job: Job) -> dict[str, object]:
        """Return the values that differ from the job's, by key."""
        return {key: value for key, value in self.values[job.ref].items() if value != getattr(job, key)}

    def __post_init__(self) -> None:
        for values in self.values.values():
            _check_values(values)


def _check_values(values: Mapping[str, object]) -> None:
    for key, value in values.items():
        if key not in EDITABLE:
            raise ValueError(f"key {key!r} cannot be set")
        if not isinstance(value, EDITABLE[key]):
            raise TypeError(f"{key} takes a {EDITABLE[key].__name__}, not {value!r}")


class RemovedBlock(Struct, frozen=True):
    """Block that Remove removed, with its position."""

    ref: Ref
    text: str
    """Text of the block, with the blank lines that were removed with it."""
    after: Ref | None
    """Nearest remaining job above. None: there was none."""
    lines_after: int
    """Remaining lines between that job's block, or the file's start, and this text."""


class Restore(Struct, frozen=True):
    """Restore removed blocks at their positions; a job that is listed again stays unchanged."""

    blocks: tuple[RemovedBlock, ...]


Operation = Add | Remove | Set | SetEach | Restore


class EditResult(Struct, frozen=True):
    """Result of an operation, with each ref once."""

    added: tuple[Ref, ...] = ()
    changed: tuple[Ref, ...] = ()
    removed: tuple[Ref, ...] = ()
    unchanged: tuple[Ref, ...] = ()
    """Refs that were listed before (Add, Restore), or had the values before (Set)."""
    not_found: tuple[Ref, ...] = ()
    """Refs that are not on the watchlist."""
    removed_blocks: tuple[RemovedBlock, ...] = ()
    """Blocks that `Restore` takes to undo a Remove."""
    previous_values: Mapping[Ref, Mapping[str, object]] = {}
    """Values of the changed keys as they were, which `SetEach` takes to undo a Set."""

    @property
    def undo(self) -> Operation | None:
        """Operation that takes the change back; None: nothing was changed."""
        if self.removed_blocks:
            return Restore(self.removed_blocks)
        if self.previous_values:
            return SetEach(self.previous_values)
        return Remove(self.added) if self.added else None
