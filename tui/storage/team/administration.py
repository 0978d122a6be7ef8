"""Administration of the team's database: create it, migrate it, and describe its state.

Its owner creates and migrates it: one process at a time, by an advisory lock that ends with the transaction.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, LiteralString, NamedTuple, cast

import psycopg
from psycopg import AsyncConnection, sql

from tui.presentation import sanitize
from tui.storage.team.connection import (
    NO_SCHEMA,
    UNVERSIONED,
    TeamDatabaseError,
    check_layout,
    connect,
    error_text,
    fetch,
    no_role,
)
from tui.storage.team.layout import LAYOUT_COLUMN, Layout, LayoutGuard
from tui.storage.team.lease import TTL
from tui.storage.team.migrations import LAYOUT, MIGRATIONS, Migration, layout_after
from tui.storage.team.schema import CREATE, GRANT, LEASE_NAME, ROLES

SETTINGS = ("lock_timeout = '2s'", "statement_timeout = '10s'", "idle_in_transaction_session_timeout = '3s'")
"""Settings of the database: no process can block the others for long."""
LOCK_TIMEOUT = 1.0
"""Seconds that a migration waits for a lock: half of what the statements behind it wait."""
STATEMENT_TIMEOUT = 300
"""Seconds that a statement of a migration has."""
ATTEMPTS = 30
"""Attempts of a migration to get its locks."""
PAUSE = 1.0
"""Seconds between two attempts, in which workers go on."""
UNCHANGED = "the team's database was left as it was"
REFUSED = "the team's database refused a statement"
"""Beginnings of error messages."""
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('babeltop schema'))"

_WORKERS = """
SELECT host, pid, version, clock_step, clock_stepped_at, accounts,
  ARRAY(SELECT account FROM babeltop.lease WHERE holder = incarnation AND expires_at > clock_timestamp()
    ORDER BY account)
FROM babeltop.worker WHERE seen_at > extract(epoch FROM clock_timestamp()) - %s ORDER BY name, incarnation"""
_UNPOLLED = """
SELECT account FROM babeltop.lease WHERE expires_at < clock_timestamp()
  AND EXISTS (SELECT FROM babeltop.job WHERE job.account = lease.account AND phase IN ('new', 'queued', 'running'))
ORDER BY account"""
_DELIVERIES = """
SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM babeltop.worker WHERE hook = ANY(hooks)
    AND seen_at > extract(epoch FROM clock_timestamp()) - %s))
FROM babeltop.hook_delivery WHERE delivered_at IS NULL AND failed_at IS NULL"""
_ROLE = """
SELECT CASE WHEN has_table_privilege('babeltop.job', 'INSERT') THEN 'worker'
  WHEN has_column_privilege('babeltop.job', 'results', 'SELECT') THEN 'editor' ELSE 'viewer' END"""


class WorkerStatus(NamedTuple):
    """Process that is there to poll."""

    host: str
    pid: int
    version: str
    accounts: tuple[str, ...]
    """Accounts that it can poll."""
    polled: tuple[str, ...]
    """Accounts that it polls."""
    clock_step: tuple[float, float] | None = None
    """Seconds by which the database's clock was set forward, as it measured, and the instant after that."""


class TeamStatus(NamedTuple):
    """State of a team's database."""

    server_version: str
    user: str
    layout: Layout
    restriction: str
    """Why this program may only read, and the remedy; "" if it may do all."""
    role: str
    """What the login may do: `worker`, `editor` or `viewer`."""
    workers: tuple[WorkerStatus, ...]
    unpolled: tuple[str, ...]
    """Accounts with active jobs that no process polls."""
    deliveries: tuple[int, int] | None
    """Open deliveries to hooks, and those that no live worker can send; None: the role may not read them."""
    watchlists: tuple[tuple[str, str, int], ...]
    """Name, owner and number of jobs of each published watchlist."""
    job_count: int
    clock_lead: float
    """Seconds by which the database's clock is ahead of this computer's."""


async def initialize(conninfo: str, migrations: Sequence[Migration] = MIGRATIONS) -> str:
    """Create schema and roles, in one transaction; return what was done. Raises TeamDatabaseError.

    A database that has them is left as it is.
    """
    newest = layout_after(migrations)
    async with _connection(conninfo, UNCHANGED) as connection, connection.transaction():
        await connection.execute(_LOCK)
        await _check_owner(connection, "runs `babeltop team init`")
        found = await _layout(connection)
        if found is not None:
            return _existing(found.number, newest)
        await connection.execute(CREATE)
        await connection.execute(
            "INSERT INTO babeltop.meta (layout, min_reader, min_writer, salt) VALUES (1, 1, 1, %s)",
            (os.urandom(32),),
        )
        await connection.execute("INSERT INTO babeltop.lease (name) VALUES (%s)", (LEASE_NAME,))
        for role in ROLES:
            await _create_role(connection, role)
        await connection.execute("SELECT babeltop.maintain(extract(epoch FROM now())::float8)")
        await connection.execute(GRANT)
        for number, migration in enumerate(migrations, 2):
            await _apply(connection, migration, number)
        for setting in SETTINGS:
            await connection.execute(
                sql.SQL("ALTER DATABASE {} SET {}").format(
                    sql.Identifier(connection.info.dbname),
                    sql.SQL(cast(LiteralString, setting)),
                )
            )
    return f"created schema babeltop (layout {newest}) and the roles {', '.join(ROLES)}"


def _existing(layout: int, newest: int) -> str:
    if layout > newest:
        raise TeamDatabaseError(_newer(layout))
    if layout < newest:
        return f"the schema babeltop is there (layout {layout}): `babeltop team migrate` makes layout {newest} of it"
    return f"nothing to do: the schema babeltop is there (layout {layout})"


def _newer(layout: int) -> str:
    return f"the team's database has layout {layout}, of a newer babeltop: update this one"


async def migrate(
    conninfo: str,
    migrations: Sequence[Migration] = MIGRATIONS,
    *,
    attempts: int = ATTEMPTS,
    lock_timeout: float = LOCK_TIMEOUT,
    pause: float = PAUSE,
) -> str:
    """Bring the schema to the newest layout, one transaction a step; return what was done. Raises TeamDatabaseError.

    Workers go on meanwhile: a step that does not get a lock in time lets them pass, and is tried again.
    """
    newest, first = layout_after(migrations), None
    async with _connection(conninfo, "not migrated") as connection:
        while True:
            try:
                async with connection.transaction():
                    await connection.execute(
                        "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)",
                        (f"{lock_timeout:g}s", f"{STATEMENT_TIMEOUT}s"),
                    )
                    await connection.execute(_LOCK)
                    await _check_owner(connection, "runs `babeltop team migrate`")
                    found = await _existing_layout(connection)
                    if found.number >= newest:
                        return _migrated(found, first, newest)
                    first = first or found.number
                    await _apply(connection, migrations[found.number - 1], found.number + 1)
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                attempts -= 1
                if not attempts:
                    raise TeamDatabaseError(f"not migrated, since workers hold locks: {error_text(error)}") from error
                await asyncio.sleep(pause)


def _migrated(found: Layout, first: int | None, newest: int) -> str:
    if found.number > newest:
        raise TeamDatabaseError(_newer(found.number))
    if first is None:
        return f"nothing to do: the schema babeltop has layout {newest}, the newest of this babeltop"
    return (
        f"migrated the schema babeltop from layout {first} to {newest}: programs before layout {found.min_writer} "
        f"only follow, those before layout {found.min_reader} end"
    )


async def _apply(connection: AsyncConnection[tuple[Any, ...]], migration: Migration, layout: int) -> None:
    """Make the layout of the one before, in the transaction of the caller."""
    await connection.execute(cast(LiteralString, migration.statements))
    await connection.execute(
        "UPDATE babeltop.meta SET layout = %s, min_reader = %s, min_writer = %s",
        (layout, migration.min_reader, migration.min_writer),
    )


async def _check_owner(connection: AsyncConnection[tuple[Any, ...]], action: str) -> None:
    """Raise TeamDatabaseError if the login is not the owner of the schema, or of the database that has none.

    `action`: what only the owner does. A login without a role of the team sees the owner too.
    """
    [(owner, is_owner, user)] = await fetch(
        connection,
        "SELECT pg_get_userbyid(owner), pg_has_role(owner, 'USAGE'), current_user FROM (SELECT coalesce(nspowner, "
        "datdba) AS owner FROM pg_database LEFT JOIN pg_namespace ON nspname = 'babeltop' "
        "WHERE datname = current_database()) AS found",
    )
    if not is_owner:
        raise TeamDatabaseError(f"only the owner of the team's database, {owner}, {action}: this login is {user}")


async def declare_accounts(conninfo: str, addresses: Mapping[str, str]) -> tuple[str, ...]:
    """Make these the team's base URLs, by account, as its owner; return the accounts that had another one or none.

    Raises TeamDatabaseError. An account that no owner has declared gets its base URL from the worker that first polls
    it, which no worker changes.
    """
    async with _connection(conninfo, UNCHANGED) as connection:
        await _check_owner(connection, "declares accounts")
        found = await _layout(connection)
        if found is None or found.number != LAYOUT:
            return ()
        rows = await connection.execute(
            "INSERT INTO babeltop.lease AS known (account, base_url) SELECT * FROM unnest(%s::text[], %s::text[]) "
            "ON CONFLICT (account) DO UPDATE SET base_url = excluded.base_url "
            "WHERE known.base_url <> excluded.base_url RETURNING account",
            (list(addresses), list(addresses.values())),
        )
        return tuple(sorted(account for (account,) in await rows.fetchall()))


async def _create_role(connection: AsyncConnection[tuple[Any, ...]], role: str) -> None:
    """Create a role that no other database of the cluster has created before. Raises TeamDatabaseError."""
    found = await (await connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,))).fetchone()
    if found is not None:
        return
    try:
        await connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
    except psycopg.errors.InsufficientPrivilege:
        user = connection.info.user
        login = sql.Identifier(user).as_string()
        raise TeamDatabaseError(
            f"{UNCHANGED}: {user} may not create the roles of the team. A superuser runs `ALTER ROLE {login} "
            "CREATEROLE`, then the owner `babeltop team init` again"
        ) from None


async def read_status(conninfo: str) -> TeamStatus:
    """Return the state of the team's database. Raises TeamDatabaseError and OutdatedProgramError."""
    async with _connection(conninfo) as connection:
        layout = await _existing_layout(connection)
        guard = LayoutGuard()
        guard.take(layout)
        check_layout(guard, writes=False)
        before = time.time()
        (database_time,) = await _row(connection, "SELECT extract(epoch FROM clock_timestamp())::float8")
        lead = database_time - (before + time.time()) / 2
        (role,) = await _row(connection, _ROLE)
        (job_count,) = await _row(connection, "SELECT count(*) FROM babeltop.job")
        workers = await fetch(connection, _WORKERS, (TTL,))
        unpolled = await fetch(connection, _UNPOLLED)
        deliveries = await fetch(connection, _DELIVERIES, (TTL,)) if role == "worker" else []
        watchlists = await fetch(
            connection,
            "SELECT name, owner, jsonb_array_length(convert_from(jobs, 'UTF8')::jsonb) "
            "FROM babeltop.watchlist ORDER BY name",
        )
        return TeamStatus(
            connection.info.parameter_status("server_version") or "",
            connection.info.user,
            layout,
            guard.restriction,
            role,
            tuple(
                WorkerStatus(
                    host, pid, version, tuple(accounts), tuple(polled), None if step is None else (step, stepped_at)
                )
                for host, pid, version, step, stepped_at, accounts, polled in workers
            ),
            tuple(account for (account,) in unpolled),
            (deliveries[0][0], deliveries[0][1]) if deliveries else None,
            tuple((name, owner, count) for name, owner, count in watchlists),
            job_count,
            lead,
        )


async def own_watchlists(conninfo: str) -> frozenset[str]:
    """Return the names of the watchlists that this login has published. Raises TeamDatabaseError."""
    async with _connection(conninfo) as connection:
        await _existing_layout(connection)
        rows = await fetch(connection, "SELECT name FROM babeltop.watchlist WHERE owner = current_user")
        return frozenset([sanitize.clean(name) for (name,) in rows])


async def forget_watchlist(conninfo: str, name: str) -> bool:
    """Delete a published watchlist; return whether there was one that the login may delete."""
    async with _connection(conninfo) as connection:
        await _existing_layout(connection)
        found = await fetch(connection, "DELETE FROM babeltop.watchlist WHERE name = %s RETURNING name", (name,))
        return bool(found)


@asynccontextmanager
async def _connection(conninfo: str, failure: str = REFUSED) -> AsyncGenerator[AsyncConnection[tuple[Any, ...]]]:
    """Connect. Errors become TeamDatabaseErrors; `failure`: how those of the statements begin."""
    try:
        connection = await connect(conninfo)
    except psycopg.Error as error:
        raise TeamDatabaseError(f"the team's database cannot be reached: {error_text(error)}") from error
    async with connection:
        try:
            yield connection
        except (psycopg.Error, TimeoutError) as error:
            raise TeamDatabaseError(f"{failure}: {error_text(error)}") from error


async def _layout(connection: AsyncConnection[tuple[Any, ...]]) -> Layout | None:
    """Return the layout; None without the schema. Raises TeamDatabaseError if it has none, or the login no role."""
    try:
        if (await _row(connection, "SELECT to_regclass('babeltop.meta') IS NULL"))[0]:
            return None
        return Layout(*(await _row(connection, f"SELECT {LAYOUT_COLUMN}"))[0])
    except psycopg.errors.UndefinedColumn:
        raise TeamDatabaseError(UNVERSIONED) from None
    except psycopg.errors.InsufficientPrivilege:
        raise no_role(connection.info.user) from None


async def _existing_layout(connection: AsyncConnection[tuple[Any, ...]]) -> Layout:
    """Return the layout. Raises TeamDatabaseError if there is none, or the login has no role."""
    found = await _layout(connection)
    if found is None:
        raise TeamDatabaseError(NO_SCHEMA)
    return found


async def _row(connection: AsyncConnection[tuple[Any, ...]], query: LiteralString) -> tuple[Any, ...]:
    return (await fetch(connection, query))[0]
