"""Outbox of a team's hooks: deliveries that are written with their cause, and sent by any process that has the hook.

A process claims a delivery for some time before it sends it. If it ends in between, another one sends the same id and
payload.
"""

import base64
from collections.abc import Iterable
from typing import Any

import msgspec

from tui.storage.deliveries import ClaimedDelivery, HookDelivery
from tui.storage.team.connection import TeamDatabase


class TeamOutbox:
    """Outbox on PostgreSQL."""

    def __init__(self, database: TeamDatabase, holder: str) -> None:
        """`holder`: id of this process."""
        self._database = database
        self._holder = holder

    async def add(self, deliveries: Iterable[HookDelivery]) -> None:
        """Write deliveries; those that are there already stay as they are."""
        rows = msgspec.json.encode(delivery_rows(deliveries)).decode()
        await self._database.write(
            "INSERT INTO babeltop.hook_delivery (delivery_id, hook, event, payload) SELECT delivery_id, hook, event, "
            "decode(payload, 'base64') FROM jsonb_to_recordset(%s::text::jsonb) AS delivery (delivery_id text, "
            "hook text, event text, payload text) ON CONFLICT DO NOTHING",
            (rows,),
        )

    async def claim(self, hook: str, seconds: float) -> ClaimedDelivery | None:
        """Claim the delivery that is due for the longest time, without waiting for one that is being claimed."""
        rows = await self._database.write(_CLAIM, {"hook": hook, "holder": self._holder, "seconds": seconds})
        if not rows:
            return None
        delivery_id, event, payload, failures = rows[0]
        return ClaimedDelivery(HookDelivery(hook, delivery_id, event, bytes(payload)), failures)

    async def complete(self, delivery: HookDelivery) -> None:
        """Record that the delivery was sent."""
        await self._set("delivered_at = extract(epoch FROM clock_timestamp())", delivery)

    async def postpone(self, delivery: HookDelivery, seconds: float) -> None:
        """Record that sending the delivery failed, and let it be claimed again after so many seconds."""
        assignment = "failures = failures + 1, not_before = extract(epoch FROM clock_timestamp()) + %(seconds)s"
        await self._set(assignment, delivery, seconds)

    async def fail(self, delivery: HookDelivery) -> None:
        """Record that the delivery is given up."""
        await self._set("failed_at = extract(epoch FROM clock_timestamp())", delivery)

    async def _set(self, assignment: str, delivery: HookDelivery, seconds: float = 0.0) -> None:
        await self._database.write(
            f"UPDATE babeltop.hook_delivery SET {assignment} WHERE delivery_id = %(id)s AND hook = %(hook)s",
            {"id": delivery.delivery_id, "hook": delivery.hook, "seconds": seconds},
        )


def delivery_rows(deliveries: Iterable[HookDelivery]) -> list[dict[str, Any]]:
    """Return the deliveries as JSON, for statements that insert them."""
    return [{**delivery._asdict(), "payload": base64.b64encode(delivery.payload).decode()} for delivery in deliveries]


_CLAIM = """
UPDATE babeltop.hook_delivery SET claimed_by = %(holder)s,
  not_before = extract(epoch FROM clock_timestamp()) + %(seconds)s
WHERE (delivery_id, hook) = (SELECT delivery_id, hook FROM babeltop.hook_delivery
  WHERE hook = %(hook)s AND delivered_at IS NULL AND failed_at IS NULL
    AND not_before <= extract(epoch FROM clock_timestamp())
  ORDER BY not_before FOR UPDATE SKIP LOCKED LIMIT 1)
RETURNING delivery_id, event, payload, failures"""
