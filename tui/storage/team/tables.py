"""Smaller tables of the team's database: rate limits by key, API moves, and sent notifications."""

import hashlib
import hmac
from collections.abc import Callable, Collection, Mapping, Sequence
from math import inf

import msgspec

from tui.domain.polling import rate_limit
from tui.domain.polling.rate_limit import RateLimit
from tui.storage.deliveries import HookDelivery
from tui.storage.journal.journal import Journal
from tui.storage.journal.notifications import HELD_FOR
from tui.storage.team.connection import LAYOUT_AND_TIME, TeamDatabase, TeamDatabaseError
from tui.storage.team.lease import TeamLease
from tui.storage.team.outbox import delivery_rows

MARK_BYTES = 5
"""Bytes of a key's mark: enough to tell a team's keys apart, too few to find one."""
MAX_ATTEMPTS = 20
"""Attempts to change a rate limit that other processes change at the same moment."""

NO_LEASE = "this process does not hold the lease of account {}"
"""Why a worker gets no token."""

KeyOf = Callable[[str], str | None]
"""Returns the API key of an account; None: there is none here."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RateLimit).decode


class TeamRateLimits:
    """RateLimits by key: accounts with one key share its row, at the lowest of their rates.

    A process that polls gets tokens only while it holds the lease of the account, which the database checks too; any
    other, such as `doctor`, needs a worker's rights, and its compare-and-set.
    """

    is_required = True

    def __init__(
        self, database: TeamDatabase, lease: TeamLease, key_of: KeyOf, per_minute: Mapping[str, float], *, fenced: bool
    ) -> None:
        """`per_minute`: rate of each account. `fenced`: the process polls, so it needs the lease."""
        self._database = database
        self._lease = lease
        self._key_of = key_of
        self._per_minute = per_minute
        self._is_fenced = fenced
        self._salt: bytes | None = None
        self._sharers: dict[str, int] = {}
        self._remembered: dict[str, bytes] = {}
        """Marks of keys that this process has noted, by account."""

    async def refusal(self) -> str:
        """Return why the login takes no tokens: requests that no rate limit counts are not sent."""
        try:
            missing = await self.missing_role()
        except TeamDatabaseError as error:
            return str(error)
        return missing if self._database.layout.is_writable else self._database.layout.restriction

    async def missing_role(self) -> str:
        """Return why the login is no worker's; "" if it is. Raises TeamDatabaseError."""
        rows = await self._database.execute("SELECT current_user, has_table_privilege('babeltop.rate_limit', 'UPDATE')")
        user, may_update = rows[0]
        refusal = f"only workers of the team send requests to services, and {user} has not the role babeltop_worker"
        return "" if may_update else refusal

    def sharer_count(self, account: str) -> int:
        """Return how many accounts of live leaders have the account's key."""
        return self._sharers.get(account, 1)

    async def get(self, account: str) -> RateLimit | None:
        """Read the rate limit of the account's key."""
        return (await self._read(account, await self._mark(account)))[1]

    async def update(self, account: str, change: Callable[[RateLimit | None], RateLimit]) -> RateLimit:
        """Change the rate limit of the account's key by compare-and-set."""
        mark, own = await self._mark(account), self._lowest_rate(account)
        for _ in range(MAX_ATTEMPTS):
            self._check_lease(account)
            version, found, lowest = await self._read(account, mark)
            self._check_lease(account)  # the database's clock may have been set
            changed, lowest = change(found), min(own, lowest)
            if lowest < changed.configured_per_minute:
                changed = changed.with_config_of(rate_limit.initial(lowest, changed.updated_at))
            fence = (self._lease.holder, self._lease.epochs.get(account)) if self._is_fenced else (None, None)
            rows = await self._database.write(
                "SELECT babeltop.update_rate_limit(%s, %s, %s, %s, %s, %s)",
                (mark, version, _encode(changed), account, *fence),
            )
            if rows[0][0] is None:
                raise TeamDatabaseError(NO_LEASE.format(account))
            if rows[0][0]:
                if self._remembered.get(account) != mark:
                    await self._remember_key(account, mark)
                return changed
        raise TeamDatabaseError(f"the rate limit of account {account} is changed too often by other processes")

    def _check_lease(self, account: str) -> None:
        if self._is_fenced and account not in self._lease.held:
            raise TeamDatabaseError(NO_LEASE.format(account))

    async def _read(self, account: str, mark: bytes) -> tuple[int, RateLimit | None, float]:
        """Return version and rate limit of a key, and the lowest rate that other workers have for its accounts.

        A new key starts with the rate limit of the account's last one.
        """
        rows = await self._database.execute_timed(
            "SELECT coalesce(own.version, 0), coalesce(own.state, last.state), "
            "(SELECT min(per_minute) FROM babeltop.account_key AS known JOIN babeltop.lease USING (account) "
            "WHERE known.key_mark = wanted.key_mark AND expires_at > clock_timestamp() - interval '1 hour'), "
            "(SELECT count(*) FROM babeltop.account_key AS known JOIN babeltop.lease USING (account) "
            "WHERE known.key_mark = wanted.key_mark AND expires_at > clock_timestamp()), "
            f"{LAYOUT_AND_TIME} "
            "FROM (SELECT %s::bytea AS key_mark, %s AS account) AS wanted "
            "LEFT JOIN babeltop.rate_limit AS own USING (key_mark) "
            "LEFT JOIN babeltop.account_key AS former USING (account) "
            "LEFT JOIN babeltop.rate_limit AS last ON last.key_mark = former.key_mark",
            (mark, account),
        )
        version, state, rate, self._sharers[account] = rows[0]
        lowest = inf if rate is None else float(rate)
        try:
            found = None if state is None else _decode(state)
        except msgspec.DecodeError:
            return version, None, lowest  # of another version
        now = self._database.clock.now()
        return version, found if found is None or found.is_from_future(now) else found.refilled(now), lowest

    async def _remember_key(self, account: str, mark: bytes) -> None:
        await self._database.write(
            "INSERT INTO babeltop.account_key (account, key_mark, per_minute) VALUES (%s, %s, %s) "
            "ON CONFLICT (account) DO UPDATE SET key_mark = excluded.key_mark, per_minute = excluded.per_minute",
            (account, mark, self._per_minute.get(account, inf)),
        )
        self._remembered[account] = mark

    async def _mark(self, account: str) -> bytes:
        if self._salt is None:
            rows = await self._database.execute("SELECT salt FROM babeltop.meta")
            self._salt = bytes(rows[0][0])
        key = self._key_of(account)
        if key is None:
            raise TeamDatabaseError(f"account {account} has no key here")
        return hmac.new(self._salt, key.encode(), hashlib.sha256).digest()[:MARK_BYTES]

    def _lowest_rate(self, account: str) -> float:
        key = self._key_of(account)
        rates = [rate for name, rate in self._per_minute.items() if name == account or self._key_of(name) == key]
        return min(rates, default=inf)


class TeamSuccessors:
    """Successors on PostgreSQL. The row of an account itself has no job id."""

    def __init__(self, database: TeamDatabase, local: Callable[[], Journal]) -> None:
        """`local` returns this computer's journal, from which the next start takes the moves."""
        self._database = database
        self._local = local

    async def refusals(self, account: str, provider: str, now: float) -> Mapping[str, float]:
        """Read the refusals of this successor."""
        return dict(
            await self._database.execute(
                "SELECT job_id, least(recorded_at, %s) FROM babeltop.successor "
                "WHERE account = %s AND provider = %s AND job_id <> ''",
                (now, account, provider),
            )
        )

    async def record_move(self, account: str, provider: str, at: float) -> None:
        """Write the move, and delete the account's refusals."""
        self._local().successors.record_move(account, provider, at)
        await self._database.write(
            "WITH gone AS (DELETE FROM babeltop.successor WHERE account = %(account)s AND job_id <> '') "
            f"{_RECORD_SUCCESSOR}",
            {"account": account, "job": "", "provider": provider, "at": at},
        )

    async def record_refusal(self, account: str, job: str, provider: str, at: float) -> None:
        """Write the refusal of a job."""
        await self._database.write(_RECORD_SUCCESSOR, {"account": account, "job": job, "provider": provider, "at": at})


_RECORD_SUCCESSOR = (
    "INSERT INTO babeltop.successor VALUES (%(account)s, %(job)s, %(provider)s, %(at)s) "
    "ON CONFLICT (account, job_id) DO UPDATE SET provider = excluded.provider, recorded_at = excluded.recorded_at"
)


class TeamNotifications:
    """Notifications on PostgreSQL."""

    def __init__(self, database: TeamDatabase) -> None:
        self._database = database

    async def claim(
        self,
        keys: Mapping[str, float],
        now: float,
        held: Mapping[str, bytes] | None = None,
        deliveries: Sequence[tuple[HookDelivery, Sequence[str]]] = (),
        *,
        is_sent: bool = False,
    ) -> frozenset[str]:
        """Claim the keys and write their deliveries in one statement."""
        sent = [
            {**row, "keys": causes}
            for (_, causes), row in zip(deliveries, delivery_rows(each for each, _ in deliveries), strict=True)
        ]
        kept = held or {}
        rows = await self._database.write(
            _CLAIM,
            {
                "keys": list(keys),
                "repeats": list(keys.values()),
                "now": now,
                "held": list(kept),
                "bodies": list(kept.values()),
                "is_sent": is_sent,
                "deliveries": msgspec.json.encode(sent).decode(),
            },
        )
        return frozenset(key for (key,) in rows)

    async def held(self, since: float, until: float) -> Sequence[bytes]:
        """Read the held notifications."""
        rows = await self._database.execute(
            "SELECT body FROM babeltop.held_notification WHERE held_at >= %s AND held_at < %s ORDER BY held_at",
            (since, until),
        )
        return tuple(bytes(body) for (body,) in rows)

    async def take_held(self, now: float) -> Sequence[bytes]:
        """Take the unsent held notifications in one statement."""
        rows = await self._database.write(
            "UPDATE babeltop.held_notification SET is_sent = true WHERE NOT is_sent AND held_at > %s "
            "RETURNING held_at, body",
            (now - HELD_FOR,),
        )
        return tuple(bytes(body) for _, body in sorted(rows))

    async def forget(self, keys: Collection[str]) -> None:
        """Delete the keys."""
        await self._database.write("DELETE FROM babeltop.sent_notification WHERE key = ANY(%s)", (list(keys),))


_CLAIM = """
WITH wanted AS (SELECT * FROM unnest(%(keys)s::text[], %(repeats)s::float8[]) AS wanted (key, repeat_after)),
claimed AS (INSERT INTO babeltop.sent_notification AS sent SELECT key, %(now)s FROM wanted ON CONFLICT (key)
  DO UPDATE SET sent_at = excluded.sent_at WHERE abs(excluded.sent_at - sent.sent_at)
    >= (SELECT repeat_after FROM wanted WHERE wanted.key = sent.key) RETURNING key),
kept AS (INSERT INTO babeltop.held_notification SELECT key, %(now)s, body, %(is_sent)s
  FROM unnest(%(held)s::text[], %(bodies)s::bytea[]) AS held (key, body) JOIN claimed USING (key)
  ON CONFLICT (key) DO UPDATE SET held_at = excluded.held_at, body = excluded.body, is_sent = excluded.is_sent),
sent AS (INSERT INTO babeltop.hook_delivery (delivery_id, hook, event, payload)
  SELECT delivery_id, hook, event, decode(payload, 'base64') FROM jsonb_to_recordset(%(deliveries)s::text::jsonb)
    AS delivery (delivery_id text, hook text, event text, payload text, keys jsonb)
  WHERE EXISTS (SELECT FROM claimed WHERE delivery.keys @> to_jsonb(claimed.key)) ON CONFLICT DO NOTHING)
SELECT key FROM claimed"""
