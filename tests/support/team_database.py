"""Database of a team in tests: its rows, expired leases, and migrations that follow the program's newest one."""

from typing import Any

import psycopg

from tui.storage.team.migrations import LAYOUT, MIGRATIONS, Migration

EXPANDING = Migration("ALTER TABLE babeltop.job ADD COLUMN more text", 1, 1)
"""Migration after which all programs go on."""
FENCING = Migration("ALTER TABLE babeltop.lease ADD COLUMN part int NOT NULL DEFAULT 0", 1, LAYOUT + 1)
"""Migration after which older programs may only read."""
REMOVING = Migration("ALTER TABLE babeltop.lease RENAME revision TO parts", LAYOUT + 1, LAYOUT + 1)
"""Migration after which older programs cannot read."""


def further(*migrations: Migration) -> tuple[Migration, ...]:
    """Return the program's migrations and these."""
    return (*MIGRATIONS, *migrations)


def rows(conninfo: str, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Return the rows of a statement; none if it returns no rows."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(query, parameters or None)
        return cursor.fetchall() if cursor.description else []


def expire_leases(conninfo: str, seconds: float = 1.0, where: str = "true") -> None:
    """Let leases have been expired for so long; `where`: condition of SQL that selects them."""
    rows(conninfo, f"UPDATE babeltop.lease SET expires_at = clock_timestamp() - interval '{seconds} s' WHERE {where}")
