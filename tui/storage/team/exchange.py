"""What the processes of a team give each other: published watchlists, and commands with their results."""

from collections.abc import Mapping, Sequence

import msgspec

from tui.domain.models import Job
from tui.presentation.sanitize import clean
from tui.storage.team.connection import TeamDatabase
from tui.storage.watchlist.parser import trusted_jobs

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
        await self._database.write(
            "INSERT INTO babeltop.watchlist AS known (name, jobs) "
            "SELECT %(name)s, %(jobs)s WHERE %(has_jobs)s OR EXISTS "
            "(SELECT FROM babeltop.watchlist WHERE name = %(name)s) "
            "ON CONFLICT (name) DO UPDATE SET jobs = excluded.jobs, revision = known.revision + 1, "
            "published_at = now() WHERE known.jobs <> excluded.jobs",
            {"name": self.watchlist, "jobs": _encode(tuple(jobs)), "has_jobs": bool(jobs)},
        )

    async def lists(self) -> Mapping[str, Sequence[Job]] | None:
        """Read all published watchlists, in the order of their names; None: no change.

        What another operator wrote is read like a file of another person.
        """
        rows = await self._database.execute("SELECT name, revision FROM babeltop.watchlist")
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

    async def submit(self, command: bytes) -> int:
        """Submit a command to the worker that polls, and return its number."""
        rows = await self._database.write(
            "INSERT INTO babeltop.command_request (command) VALUES (%s) RETURNING id", (command,)
        )
        return rows[0][0]

    async def result(self, number: int) -> bytes | None:
        """Read the result of a command; None: there is none yet."""
        rows = await self._database.execute("SELECT answer FROM babeltop.command_request WHERE id = %s", (number,))
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None

    async def open_commands(self) -> Sequence[tuple[int, bytes, float]]:
        """Read the commands without a result, oldest first, each with its age in seconds."""
        rows = await self._database.execute(
            "SELECT id, command, extract(epoch FROM clock_timestamp()) - requested_at FROM babeltop.command_request "
            "WHERE answered_at IS NULL ORDER BY id LIMIT 100"
        )
        return [(number, bytes(command), float(age)) for number, command, age in rows]

    async def complete(self, number: int, result: bytes) -> None:
        """Write the result of a command."""
        await self._database.write(
            "UPDATE babeltop.command_request SET answered_at = extract(epoch FROM clock_timestamp()), answer = %s "
            "WHERE id = %s",
            (result, number),
        )
