"""Hooks of a team: a worker writes deliveries to the outbox, and every worker that has the hook sends them.

A delivery is sent at least once, always with the same id and payload. Which process sends it is left to the outbox.
"""

import asyncio
import hashlib
from collections.abc import Iterator

from msgspec import json

from tui.engine.notifications.events import AlertEvent
from tui.engine.notifications.hooks import RETRY_PAUSES, HookDispatcher, HookQueue
from tui.engine.notifications.payload import delivery_id
from tui.storage.config.settings import Hook
from tui.storage.deliveries import ClaimedDelivery, HookDelivery
from tui.storage.journal.database import JournalError
from tui.storage.protocols import Outbox

CHECK_INTERVAL = 1.0
"""Seconds between two looks at an empty outbox."""
CLAIM_MARGIN = 5.0
"""Seconds beyond a hook's time-out for which a delivery stays claimed."""


class TeamHooks:
    """Hooks of one worker."""

    def __init__(self, outbox: Outbox, dispatcher: HookDispatcher) -> None:
        """`dispatcher` sends; its own queues stay empty."""
        self._outbox = outbox
        self._dispatcher = dispatcher
        self._queues = {_digest(queue.hook): queue for queue in dispatcher.queues}

    @property
    def digests(self) -> tuple[str, ...]:
        """Names of the hooks in the outbox."""
        return tuple(self._queues)

    def deliveries(self, event: AlertEvent) -> tuple[HookDelivery, ...]:
        """Return the deliveries of an event, to be written with it."""
        return tuple(self._deliveries(event))

    def _deliveries(self, event: AlertEvent) -> Iterator[HookDelivery]:
        for digest, queue in self._queues.items():
            selected = self._dispatcher.select(queue.hook, event)
            if selected is not None:
                body = self._dispatcher.body(queue.hook, selected)
                yield HookDelivery(digest, delivery_id(selected), selected.event, body)

    async def add(self, event: AlertEvent) -> None:
        """Write the deliveries of an event. Raises JournalError."""
        await self._outbox.add(self.deliveries(event))

    async def run(self) -> None:
        """Send what is due until cancelled, one delivery of a hook at a time."""
        async with asyncio.TaskGroup() as tasks:
            for digest, queue in self._queues.items():
                tasks.create_task(self._send_forever(digest, queue))

    async def _send_forever(self, digest: str, queue: HookQueue) -> None:
        while True:
            try:
                claimed = await self._outbox.claim(digest, queue.hook.timeout + CLAIM_MARGIN)
                if claimed is not None:
                    await self._send(claimed, queue)
                    continue
            except JournalError:
                pass  # shown where states are read; a delivery that is not marked is sent again
            await asyncio.sleep(CHECK_INTERVAL)

    async def _send(self, claimed: ClaimedDelivery, queue: HookQueue) -> None:
        delivery, failures = claimed
        result = await queue.attempt(delivery.payload, delivery.delivery_id)
        if result.retry and failures < len(RETRY_PAUSES):
            await self._outbox.postpone(delivery, queue.retry_delay(RETRY_PAUSES[failures], result))
            return
        queue.log_result(f"{delivery.event} {delivery.delivery_id}", result)
        await (self._outbox.fail(delivery) if result.problem else self._outbox.complete(delivery))


def _digest(hook: Hook) -> str:
    """Return the name of a hook in the outbox: its command, URL and secret can't be read from it."""
    return hashlib.sha256(json.encode(hook, enc_hook=str)).hexdigest()[:32]
