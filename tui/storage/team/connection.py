"""Connection to the team's database: one statement at a time in autocommit, reconnected when it is lost.

It also measures the database's clock, which dates everything that processes share, and reads the layout of its tables.
A network that drops everything silently is noticed by time limits of this side; the server's reach no lost client.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, LiteralString, cast

import psycopg
from psycopg import AsyncConnection, conninfo, pq, sql

from tui.storage.journal.database import JournalError, OutdatedProgramError, UnreachableError
from tui.storage.team.layout import LAYOUT_COLUMN, LayoutGuard

STATEMENT_TIMEOUT = 10.0
"""Seconds after which a statement is given up, and the connection with it."""
SHORT_TIMEOUT = 3.0
"""The same for a statement that reads or writes a row or two: those of every second."""
CONNECT_TIMEOUT = 5
"""Seconds that a connection has to open."""
CONNECT_OPTIONS: Mapping[str, str] = {
    "connect_timeout": str(CONNECT_TIMEOUT),
    "tcp_user_timeout": "5000",  # milliseconds without an acknowledgement
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "2",
    "application_name": "babeltop",
}
"""Options of libpq, where the connection string sets no other."""
RETRY_DELAYS = (0.5, 10.0)
"""Seconds until a lost connection is opened again: the first delay, which doubles, and the longest."""
MAX_ROUND_TRIP = 1.0
"""Seconds: a slower round trip tells nothing about the database's clock."""
SAMPLE_LIFETIME = 60.0
"""Seconds after which a clock sample is replaced by one with a longer round trip."""
MIN_STEP = 2.0
"""Seconds: by so much the database's clock was set, or another server answers, if two samples differ by more."""
LAYOUT_AND_TIME = f"{LAYOUT_COLUMN}, extract(epoch FROM clock_timestamp())::float8"
"""Last columns of a timed statement."""
LOOPBACK = ("localhost", "127.0.0.1", "::1")


NO_SCHEMA = "the database has no schema babeltop: run `babeltop team init` as its owner"
UNVERSIONED = (
    "the schema babeltop was made by a version before 0.1, which this one cannot use: export its watchlists with that "
    "version, drop the schema, and run `babeltop team init`"
)


class TeamDatabaseError(JournalError):
    """The team's database cannot be used."""


class TeamUnreachableError(TeamDatabaseError, UnreachableError):
    """The team's database is away."""


def no_role(user: str) -> TeamDatabaseError:
    """Return the error for a login that may not even read the layout."""
    login = sql.Identifier(user).as_string()
    return TeamDatabaseError(
        f"{user} has no role in the team's database. Its owner grants one: `GRANT babeltop_editor TO {login}`, "
        "or babeltop_viewer to read only, or babeltop_worker to poll"
    )


def error_text(error: Exception) -> str:
    """Return the error in one line: of a statement what the server says, else each line of libpq as a sentence.

    A question of libpq ("Is the server running …?") is left out.
    """
    diagnosis = error.diag if isinstance(error, psycopg.Error) else None
    if diagnosis is not None and diagnosis.message_primary:
        lines = [diagnosis.message_primary, diagnosis.message_detail, diagnosis.message_hint]
    else:
        lines = str(error).removeprefix("connection failed: ").splitlines()
    sentences = [" ".join(line.split()).lstrip("- ").rstrip(".") for line in lines if line]
    return ". ".join(each for each in sentences if each and not each.endswith("?"))


class DatabaseClock:
    """Clock of the database, as measured by its statements. Until the first one it is this computer's."""

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self._offset: float | None = None
        self._round_trip = 0.0
        self._sampled_at = 0.0
        self._stepped_at = 0.0
        self.step_count = 0
        """Number of times that the database's clock was set, as far as measured."""
        self.stepped = 0.0
        """Seconds by which it was set forward in all."""
        self.last_step: tuple[float, float] | None = None
        """Seconds by which it was set forward last, and the instant after that; None: it never was."""

    def now(self) -> float:
        """Return the database's time, in seconds since the epoch."""
        return self._wall() if self._offset is None else self._offset + time_since_boot()

    @property
    def lead(self) -> float:
        """Seconds by which the database's clock is ahead of this computer's."""
        return self.now() - self._wall()

    def sample(self, database_time: float, sent_at: float, received_at: float) -> None:
        """Take the database's time of a statement; the instants are those of `time_since_boot`."""
        round_trip = received_at - sent_at
        if round_trip >= MAX_ROUND_TRIP or sent_at < self._stepped_at:
            return
        offset = database_time - (sent_at + received_at) / 2
        step = 0.0 if self._offset is None else offset - self._offset
        has_stepped = abs(step) > MIN_STEP
        is_old = self._offset is None or received_at - self._sampled_at > SAMPLE_LIFETIME
        if has_stepped or is_old or round_trip <= self._round_trip:
            self._offset, self._round_trip, self._sampled_at = offset, round_trip, received_at
        if has_stepped:
            self.step_count, self.stepped, self._stepped_at = self.step_count + 1, self.stepped + step, received_at
            self.last_step = step, self.now()


def time_since_boot() -> float:
    """Return seconds that pass evenly, a suspend included where the system counts it."""
    return time.monotonic() if sys.platform == "darwin" else time.clock_gettime(time.CLOCK_BOOTTIME)


def check_conninfo(text: str, *, allow_insecure: bool) -> None:
    """Raise ValueError if the text is no conninfo, holds a password, or allows an unverified remote server."""
    try:
        found = conninfo.conninfo_to_dict(text)
    except psycopg.Error as error:
        raise ValueError(f"no libpq connection string: {str(error).strip()}") from None
    if "password" in found:
        raise ValueError("must not hold a password: use .pgpass, a service file or PGPASSWORD")
    options = _resolved(text)
    servers = [*options.get("host", "").split(","), *options.get("hostaddr", "").split(",")]
    remote = [server for server in servers if server and not server.startswith("/") and server not in LOOPBACK]
    if remote and options.get("sslmode") != "verify-full" and not allow_insecure:
        raise ValueError(f"{remote[0]} requires sslmode=verify-full (or insecure_database = true)")


def _resolved(text: str) -> dict[str, str]:
    """Return the options with those of service files and of the environment; none if the service is not defined.

    libpq resolves them when it begins to connect, which an invalid option prevents: nothing is sent.
    """
    attempt = pq.PGconn.connect_start(conninfo.make_conninfo(text, target_session_attrs="invalid").encode())
    try:
        return {option.keyword.decode(): option.val.decode() for option in attempt.info if option.val is not None}
    finally:
        attempt.finish()


def check_layout(layout: LayoutGuard, *, writes: bool) -> None:
    """Raise OutdatedProgramError or TeamDatabaseError if the program may not do this with the database."""
    if not layout.is_readable:
        raise OutdatedProgramError(layout.restriction)
    if not layout.is_current or (writes and not layout.is_writable):
        raise TeamDatabaseError(layout.restriction)


async def connect(conninfo_text: str) -> AsyncConnection[tuple[Any, ...]]:
    """Open a connection. Raises psycopg.Error."""
    return await AsyncConnection.connect(
        conninfo.make_conninfo("", **{**CONNECT_OPTIONS, **conninfo.conninfo_to_dict(conninfo_text)}),
        autocommit=True,
        prepare_threshold=None,  # PgBouncer before 1.21 loses prepared statements
    )


async def fetch(
    connection: AsyncConnection[tuple[Any, ...]],
    query: str,
    parameters: Sequence[Any] | Mapping[str, Any] | None = None,
    *,
    seconds: float = STATEMENT_TIMEOUT,
) -> list[tuple[Any, ...]]:
    """Execute a statement and return its rows. Raises psycopg.Error and TimeoutError.

    A statement that is given up or cancelled takes the connection with it: psycopg would first wait for the server.
    """

    async def rows() -> list[tuple[Any, ...]]:
        cursor = await connection.execute(cast("LiteralString", query), parameters)
        return await cursor.fetchall() if cursor.description is not None else []

    running = asyncio.create_task(rows())
    # its error is retrieved even if the caller is cancelled just then: asyncio would log it
    running.add_done_callback(lambda task: task.cancelled() or task.exception())
    try:
        done, _ = await asyncio.wait([running], timeout=seconds)
        if not done:
            raise TimeoutError(f"no answer within {seconds:g} s")
    finally:
        if not running.done():
            connection.pgconn.finish()
            running.cancel()
            await asyncio.wait([running])
    return running.result()


class TeamDatabase:
    """Connection of one process, opened by its first statement."""

    def __init__(
        self, conninfo_text: str, clock: DatabaseClock | None = None, layout: LayoutGuard | None = None
    ) -> None:
        """`clock` and `layout` are set by timed statements."""
        self._conninfo = conninfo_text
        self.clock = clock or DatabaseClock()
        self.layout = layout or LayoutGuard()
        self.is_viewer = False
        """Whether the login's role reads no links and writes nothing, as last read."""
        self._connection: AsyncConnection[tuple[Any, ...]] | None = None
        self._lock = asyncio.Lock()
        self._retry_at = 0.0
        self._retry_delay = RETRY_DELAYS[0]
        self._error = ""
        self._away_since: float | None = None

    async def execute(
        self,
        query: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        seconds: float = STATEMENT_TIMEOUT,
    ) -> list[tuple[Any, ...]]:
        """Execute a statement that reads, and return its rows. Raises TeamDatabaseError and OutdatedProgramError.

        `seconds`: after which it is given up.
        """
        return await self._execute(query, parameters, writes=False, seconds=seconds)

    async def write(
        self,
        query: str,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        seconds: float = STATEMENT_TIMEOUT,
    ) -> list[tuple[Any, ...]]:
        """Execute a statement that writes, and return its rows, as `execute` does."""
        return await self._execute(query, parameters, writes=True, seconds=seconds)

    async def execute_timed(
        self, query: str, parameters: Sequence[Any] = (), *, writes: bool = False
    ) -> list[tuple[Any, ...]]:
        """Execute a statement whose last columns are LAYOUT_AND_TIME, which are taken off and set layout and clock.

        Raises TeamDatabaseError and OutdatedProgramError.
        """
        sent_at = time_since_boot()
        rows = await self._execute(query, parameters, writes=writes, seconds=SHORT_TIMEOUT)
        if rows:
            *_, layout, database_time = rows[0]
            self.clock.sample(float(database_time), sent_at, time_since_boot())
            self.layout.take(layout)
            check_layout(self.layout, writes=False)
        return [row[:-2] for row in rows]

    async def _execute(
        self, query: str, parameters: Sequence[Any] | Mapping[str, Any] | None, *, writes: bool, seconds: float
    ) -> list[tuple[Any, ...]]:
        async with self._lock:
            try:
                connection = self._connection
                if connection is None or connection.closed:  # by a statement that was cancelled
                    connection = await self._connect()
                if not self.layout.is_current:
                    await self._read_layout(connection)
                check_layout(self.layout, writes=writes)
                rows = await fetch(connection, query, parameters, seconds=seconds)
            except (psycopg.Error, OSError, TimeoutError) as error:
                raise self._failed(error) from error
            self._away_since, self._retry_delay = None, RETRY_DELAYS[0]
            return rows

    async def _read_layout(self, connection: AsyncConnection[tuple[Any, ...]]) -> None:
        try:
            [(found,)] = await fetch(connection, f"SELECT {LAYOUT_COLUMN}", seconds=SHORT_TIMEOUT)
        except psycopg.errors.UndefinedTable:
            raise TeamDatabaseError(NO_SCHEMA) from None
        except psycopg.errors.UndefinedColumn:
            raise TeamDatabaseError(UNVERSIONED) from None
        except psycopg.errors.InsufficientPrivilege:
            raise no_role(connection.info.user) from None
        self.layout.take(found)

    async def _connect(self) -> AsyncConnection[tuple[Any, ...]]:
        if time.monotonic() < self._retry_at:
            raise ConnectionError(self._error)
        self.layout.expire()
        async with asyncio.timeout(STATEMENT_TIMEOUT):  # of several servers, each has its own time
            self._connection = await connect(self._conninfo)
        return self._connection

    def _failed(self, error: Exception) -> TeamDatabaseError:
        """Return the error for the caller; a connection that may be broken is closed."""
        state = getattr(error, "sqlstate", None)
        text = error_text(error) or type(error).__name__
        is_refused = state is not None and self._connection is not None and not self._connection.broken
        if is_refused and not isinstance(error, psycopg.OperationalError):
            self.layout.expire()  # a migration may have removed what the statement needs
            return TeamDatabaseError(f"the team's database refused a statement: {text}. See `babeltop doctor`")
        if self._connection is not None:
            with suppress(psycopg.Error):
                self._connection.pgconn.finish()
            self._connection = None
        if time.monotonic() >= self._retry_at:
            self._error = text
            self._retry_at = time.monotonic() + self._retry_delay
            self._retry_delay = min(RETRY_DELAYS[1], self._retry_delay * 2)
        if self._away_since is None:
            self._away_since = self.clock.now()
        since = time.strftime("%H:%M:%S", time.localtime(self._away_since))
        return TeamUnreachableError(f"Team database not reachable since {since}: {self._error}")

    async def close(self) -> None:
        """Close the connection."""
        async with self._lock:  # a statement that is connecting would leave its connection open
            connection, self._connection = self._connection, None
            if connection is not None:
                await connection.close()
