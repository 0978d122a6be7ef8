"""Administration of the team's database: create it, and describe its state. Run by its owner."""

import os
import time
from typing import Any, LiteralString, NamedTuple, cast

import psycopg
from psycopg import AsyncConnection, sql

from tui.presentation import sanitize
from tui.storage.team.connection import CONNECT_TIMEOUT, TeamDatabaseError
from tui.storage.team.schema import CREATE, GRANT, LAYOUT, LEASE_NAME, ROLES

SETTINGS = ("lock_timeout = '2s'", "statement_timeout = '10s'", "idle_in_transaction_session_timeout = '3s'")
"""Settings of the database: no process can block the others for long."""


_ROLE = """
SELECT CASE WHEN has_table_privilege('babeltop.job', 'INSERT') THEN 'worker'
  WHEN has_column_privilege('babeltop.job', 'results', 'SELECT') THEN 'editor' ELSE 'viewer' END"""


class TeamStatus(NamedTuple):
    """State of a team's database."""

    server_version: str
    user: str
    layout: int
    role: str
    """What the login may do: `worker`, `editor` or `viewer`."""
    worker: tuple[str, int, str] | None
    """Host, process id and version of the process that polls; None: no process does."""
    watchlists: tuple[tuple[str, str, int], ...]
    """Name, owner and number of jobs of each published watchlist."""
    job_count: int
    clock_lead: float
    """Seconds by which the database's clock is ahead of this computer's."""


async def initialize(conninfo: str) -> str:
    """Create schema and roles, in one transaction; return what was done. Raises TeamDatabaseError.

    A database that has them is left as it is.
    """
    async with await _connect(conninfo) as connection:
        try:
            async with connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock(hashtext('babeltop init'))")
                found = await _layout(connection)
                if found is not None:
                    return _existing(found)
                await connection.execute(CREATE)
                await connection.execute(
                    "INSERT INTO babeltop.meta (layout, salt) VALUES (%s, %s)", (LAYOUT, os.urandom(32))
                )
                await connection.execute("INSERT INTO babeltop.lease (name) VALUES (%s)", (LEASE_NAME,))
                for role in ROLES:
                    await _create_role(connection, role)
                await connection.execute("SELECT babeltop.maintain(extract(epoch FROM now())::float8)")
                await connection.execute(GRANT)
                for setting in SETTINGS:
                    await connection.execute(
                        sql.SQL("ALTER DATABASE {} SET {}").format(
                            sql.Identifier(connection.info.dbname),
                            sql.SQL(cast(LiteralString, setting)),
                        )
                    )
        except psycopg.Error as error:
            raise TeamDatabaseError(f"the team's database was left as it was: {_text(error)}") from error
    return f"created schema babeltop (layout {LAYOUT}) and the roles {', '.join(ROLES)}"


def _existing(layout: int) -> str:
    if layout > LAYOUT:
        raise TeamDatabaseError(f"the team's database has layout {layout}, of a newer babeltop: update this one")
    return f"nothing to do: the schema babeltop is there (layout {layout})"


async def _create_role(connection: AsyncConnection[tuple[Any, ...]], role: str) -> None:
    """Create a role that no other database of the cluster has created before."""
    found = await (await connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))).fetchone()
    if found is None:
        await connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))


async def read_status(conninfo: str) -> TeamStatus:
    """Return the state of the team's database. Raises TeamDatabaseError."""
    async with await _connect(conninfo) as connection:
        try:
            layout = await _layout(connection)
            if layout is None:
                raise TeamDatabaseError(
                    "the database has no schema babeltop, or its role may not see it: "
                    "run `babeltop team init` as its owner"
                )
            before = time.time()
            (database_time,) = await _row(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")
            lead = database_time - (before + time.time()) / 2
            (role,) = await _row(connection, _ROLE)
            (job_count,) = await _row(connection, "SELECT count(*) FROM babeltop.job")
            worker = await (
                await connection.execute(
                    "SELECT host, pid, version FROM babeltop.lease WHERE name = %s AND expires_at > clock_timestamp()",
                    (LEASE_NAME,),
                )
            ).fetchone()
            watchlists = await (
                await connection.execute(
                    "SELECT name, owner, jsonb_array_length(convert_from(jobs, 'UTF8')::jsonb) "
                    "FROM babeltop.watchlist ORDER BY name"
                )
            ).fetchall()
        except psycopg.Error as error:
            raise TeamDatabaseError(f"the team's database refused a statement: {_text(error)}") from error
        return TeamStatus(
            connection.info.parameter_status("server_version") or "",
            connection.info.user,
            layout,
            role,
            worker and (worker[0], worker[1], worker[2]),
            tuple((name, owner, count) for name, owner, count in watchlists),
            job_count,
            lead,
        )


async def own_watchlists(conninfo: str) -> frozenset[str]:
    """Return the names of the watchlists that this login has published. Raises TeamDatabaseError."""
    async with await _connect(conninfo) as connection:
        try:
            rows = await connection.execute("SELECT name FROM babeltop.watchlist WHERE owner = current_user")
            return frozenset([sanitize.clean(name) for (name,) in await rows.fetchall()])
        except psycopg.Error as error:
            raise TeamDatabaseError(f"the team's database refused a statement: {_text(error)}") from error


async def forget_watchlist(conninfo: str, name: str) -> bool:
    """Delete a published watchlist; return whether there was one that the role may delete."""
    async with await _connect(conninfo) as connection:
        try:
            cursor = await connection.execute("DELETE FROM babeltop.watchlist WHERE name = %s", (name,))
        except psycopg.Error as error:
            raise TeamDatabaseError(f"the team's database refused a statement: {_text(error)}") from error
        return cursor.rowcount > 0


async def _connect(conninfo: str) -> AsyncConnection[tuple[Any, ...]]:
    try:
        return await AsyncConnection.connect(
            conninfo, autocommit=True, connect_timeout=CONNECT_TIMEOUT, application_name="babeltop"
        )
    except psycopg.Error as error:
        raise TeamDatabaseError(f"the team's database cannot be reached: {_text(error)}") from error


async def _layout(connection: AsyncConnection[tuple[Any, ...]]) -> int | None:
    if (await _row(connection, "SELECT to_regclass('babeltop.meta') IS NULL"))[0]:
        return None
    return (await _row(connection, "SELECT layout FROM babeltop.meta"))[0]


async def _row(connection: AsyncConnection[tuple[Any, ...]], query: LiteralString) -> tuple[Any, ...]:
    row = await (await connection.execute(query)).fetchone()
    assert row is not None, "the statement returns a row"
    return row


def _text(error: psycopg.Error) -> str:
    return " ".join(str(error).split())
