"""Migrations of the team's database: each makes the next layout of the one before. Run by the owner.

To add one, append a Migration to MIGRATIONS; those of a released version and the first layout's text (`schema.py`) are
never changed. `init` creates the first layout and applies all of them, so both ways lead to the same tables.

A migration expands first: it adds what newer programs need, and leaves what older ones use. A later one contracts: it
removes that, and raises the oldest layouts that may read and write. Statements take their locks while workers run, so
they are short: a table is never rewritten, and an index of a large one comes with its partitions. What a migration
creates, it grants. A role is created only if it is missing (`CREATE ROLE` within `DO`): roles belong to the cluster.
"""

from collections.abc import Sequence
from typing import NamedTuple


class Migration(NamedTuple):
    """Step from a layout to the next one."""

    statements: str
    """SQL, run in one transaction as the owner."""
    min_reader: int
    """Oldest layout of a program that may read afterwards; an older one ends."""
    min_writer: int
    """Oldest layout of a program that may write afterwards; an older one follows."""


MIGRATIONS: Sequence[Migration] = ()
"""All migrations, in order: the first one makes layout 2 of layout 1."""


def layout_after(migrations: Sequence[Migration]) -> int:
    """Return the layout that these migrations lead to."""
    return 1 + len(migrations)


LAYOUT = layout_after(MIGRATIONS)
"""Layout of the tables that this program reads and writes."""
