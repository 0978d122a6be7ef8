"""Layout of the team's database, and what a program of another layout may do with it.

The owner migrates the database first; then the programs are updated one by one. So:

- A program older than the database goes on, if it is not older than `min_writer`. Else it follows: it reads, writes
  nothing, and shows why. If it is older than `min_reader` too, it ends.
- A program newer than the database uses nothing of it until the owner has run `babeltop team migrate`; then it goes on
  by itself. Meanwhile a dashboard shows its local journal, and a worker does not poll.

Each connection reads the layout first, and each timed statement again. `meta` has these columns in all layouts.
"""

from typing import Any, NamedTuple

from tui.storage.team.migrations import LAYOUT

LAYOUT_COLUMN = "(SELECT ARRAY[layout, min_reader, min_writer] FROM babeltop.meta)"
"""Expression with a layout as a column of another statement."""


class Layout(NamedTuple):
    """Layout as the database states it."""

    number: int
    min_reader: int
    """Oldest layout of a program that may read."""
    min_writer: int
    """Oldest layout of a program that may write."""


class LayoutGuard:
    """What a program may do with the database, as last read. All connections of a process share one."""

    def __init__(self, program: int = LAYOUT) -> None:
        """`program`: layout of this program."""
        self._program = program
        self._found: Layout | None = None
        self._is_read = False

    def take(self, column: Any) -> None:
        """Take a layout as read with LAYOUT_COLUMN."""
        self._found, self._is_read = Layout(*column), True

    def expire(self) -> None:
        """Have the layout read again before the next statement. Until then the last one holds."""
        self._is_read = False

    @property
    def is_current(self) -> bool:
        """Whether the layout has been read, and is not older than the program."""
        return self._is_read and self._found is not None and self._found.number >= self._program

    @property
    def is_readable(self) -> bool:
        """Whether the program may read; it may until a layout is known."""
        return self._found is None or self._program >= self._found.min_reader

    @property
    def is_writable(self) -> bool:
        """Whether the program may write; it may until a layout is known."""
        return self._found is None or self._program >= self._found.min_writer

    @property
    def restriction(self) -> str:
        """Why the program may not do everything, and the remedy; "" if it may."""
        found, own = self._found, self._program
        if found is None:
            return ""
        if found.number < own:
            return (
                f"The team's database has layout {found.number}, this babeltop needs {own}: "
                "run `babeltop team migrate` as its owner"
            )
        database = f"The team's database has layout {found.number}, this babeltop has {own}"
        if not self.is_readable:
            return f"{database} and cannot read it: update babeltop"
        return "" if self.is_writable else f"{database} and only follows, without writing: update babeltop"
