"""What the processes of a team give each other: published watchlists, and commands with their results."""

from collections.abc import Collection, Mapping, Sequence

import msgspec
import psycopg

from tui.domain.models import Job
from tui.presentation.sanitize import clean
from tui.storage.protocols import OpenCommand
from tui.storage.team.connection import SHORT_TIMEOUT, TeamDatabase, TeamDatabaseError
from tui.storage.team.lease import TTL
from tui.storage.watchlist.parser import trusted_jobs

NOT_EDITOR = "Your role in the team publishes no watchlist: the database's owner grants babeltop_editor"
NOT_OWNER = (
    "Watchlist {name} belongs to the login {owner}, so that yours is not published: set another name under [team] in "
    'config.toml, as in watchlist = "{name}-2"'
)

_encode = msgspec.json.Encoder().encode
_decode_jobs = msgspec.json.Decoder(tuple[Job, ...]).decode


class TeamExchange:
    """Exchange of one process."""

    def __init__(self, database: TeamDatabase, watchlist: str, *, is_worker: bool) -> None:
        """`watchlist`: name under which this process publishes its jobs."""
        self._database = database
        self.watchlist = watchlist
        self.is_worker = is_worker
        self._revisions: dict[str, int] = {}
        self._lists: dict[str, tuple[Job, ...]] = {}

    @property
    def is_viewer(self) -> bool:
        """Whether the role may neither publish nor send commands."""
        return self._database.is_viewer

    @property
    def restriction(self) -> str:
        """Why this process may not do all that its role allows, and the remedy; "" if it may."""
        return self._database.layout.restriction

    async def publish(self, jobs: Sequence[Job]) -> None:
        """Publish the jobs of this process's watchlist in place of those it has published; none if none ever were."""
        try:
            await self._database.write(
                "INSERT INTO babeltop.watchlist AS known (name, jobs) "
                "SELECT %(name)s, %(jobs)s WHERE %(has_jobs)s OR EXISTS "
                "(SELECT FROM babeltop.watchlist WHERE name = %(name)s) "
                "ON CONFLICT (name) DO UPDATE SET jobs = excluded.jobs, revision = known.revision + 1, "
                "published_at = now() WHERE known.jobs <> excluded.jobs",
                {"name": self.watchlist, "jobs": _encode(tuple(jobs)), "has_jobs": bool(jobs)},
            )
        except TeamDatabaseError as error:
            if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
                raise TeamDatabaseError(await self._why_not_published()) from error
            raise

    async def _why_not_published(self) -> str:
        [(may_publish, owner)] = await self._database.execute(
            "SELECT has_any_column_privilege('babeltop.watchlist', 'INSERT'), "
            "(SELECT owner::text FROM babeltop.watchlist WHERE name = %s)",
            (self.watchlist,),
            seconds=SHORT_TIMEOUT,
        )
        if not may_publish:
            return NOT_EDITOR
        return NOT_OWNER.format(name=self.watchlist, owner=clean(owner or ""))

    async def lists(self) -> Mapping[str, Sequence[Job]] | None:
        """Read all published watchlists, in the order of their names; None: no change.

        What another operator wrote is read like a file of another person.
        """
        rows = await self._database.execute("SELECT name, revision FROM babeltop.watchlist", seconds=SHORT_TIMEOUT)
        revisions = dict(rows)
        if revisions == self._revisions:
            return None
        changed = [name for name, revision in revisions.items() if self._revisions.get(name) != revision]
        found = await self._database.execute(
            "SELECT name, jobs FROM babeltop.watchlist WHERE name = ANY(%s)", (changed,)
        )
        kept = {name: self._lists[clean(name)] for name in revisions if clean(name) in self._lists}
        for name, blob in found:
            try:
                kept[name] = trusted_jobs(_decode_jobs(blob))
            except msgspec.DecodeError:
                continue  # published by another version: its last known jobs stay
        self._lists, self._revisions = {clean(name): kept[name] for name in sorted(kept)}, revisions
        return self._lists

    async def submit(self, commands: Mapping[str, bytes]) -> Mapping[str, int]:
        """Submit commands by account, each to the worker that polls it; return their numbers by account."""
        rows = await self._database.write(
            "INSERT INTO babeltop.command_request (account, command) SELECT account, command "
            f"FROM unnest(%s::text[], %s::bytea[]) AS wanted (account, command) JOIN {_LIVE} USING (account) "
            "RETURNING account, id",
            (list(commands), list(commands.values())),
        )
        return dict(rows)

    async def submit_to_all(self, command: bytes) -> Mapping[str, int]:
        """Submit a command for each account that a live worker can poll; return their numbers by account."""
        rows = await self._database.write(
            f"INSERT INTO babeltop.command_request (account, command) SELECT account, %s FROM {_LIVE} "
            "RETURNING account, id",
            (command,),
        )
        return dict(rows)

    async def results(self, numbers: Collection[int]) -> Mapping[int, bytes]:
        """Read the results of those commands that have one, by number."""
        rows = await self._database.execute(
            "SELECT id, answer FROM babeltop.command_request WHERE id = ANY(%s) AND answer IS NOT NULL",
            (list(numbers),),
            seconds=SHORT_TIMEOUT,
        )
        return {number: bytes(answer) for number, answer in rows}

    async def open_commands(self, accounts: Collection[str]) -> Sequence[OpenCommand]:
        """Read the commands for these accounts that have no result, oldest first."""
        rows = await self._database.execute(
            "SELECT id, account, command, extract(epoch FROM clock_timestamp()) - requested_at "
            "FROM babeltop.command_request WHERE answered_at IS NULL AND account = ANY(%s) ORDER BY id LIMIT 100",
            (list(accounts),),
            seconds=SHORT_TIMEOUT,
        )
        return [OpenCommand(number, account, bytes(command), float(age)) for number, account, command, age in rows]

    async def complete(self, number: int, result: bytes) -> None:
        """Write the result of a command."""
        await self._database.write(
            "UPDATE babeltop.command_request SET answered_at = extract(epoch FROM clock_timestamp()), answer = %s "
            "WHERE id = %s",
            (result, number),
        )


_LIVE = f"""(SELECT account FROM babeltop.lease WHERE expires_at > clock_timestamp() UNION
  SELECT unnest(accounts) FROM babeltop.worker WHERE seen_at > extract(epoch FROM clock_timestamp()) - {TTL}) AS live"""
"""Accounts that a live worker polls or can poll."""
