"""Content of a watchlist, and its error. A first frame needs them and, of an unchanged file, no parser: 4 ms."""

from pathlib import Path
from typing import NamedTuple

from tui.domain.models import Job
from tui.errors import StorageError


class WatchlistError(StorageError):
    """The watchlist cannot be read or edited; the file is unchanged. `str()` is one line for the operator."""

    def __init__(
        self, reason: str, *, path: Path | None = None, line: int | None = None, column: int | None = None
    ) -> None:
        self.reason = reason
        """Problem and, if there is one, the remedy."""
        self.path = path
        self.line = line
        """Line, from 1. None: the problem has no line."""
        self.column = column
        """Column, from 1."""
        super().__init__(reason, path, line, column)

    def __str__(self) -> str:
        place = [
            *([str(self.path)] if self.path else []),
            *([f"line {self.line}"] if self.line else []),
            *([f"column {self.column}"] if self.column else []),
        ]
        return ": ".join(filter(None, [", ".join(place), self.reason]))


class WatchlistContent(NamedTuple):
    """Content of a watchlist."""

    jobs: tuple[Job, ...]
    """Jobs in the file's order, one for each ref."""
    problems: tuple[str, ...]
    """Problems that stop nothing: jobs that are listed twice, each with its line."""
