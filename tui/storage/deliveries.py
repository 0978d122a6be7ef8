"""Delivery of one event to one hook, as a team's outbox keeps it until a process has sent it."""

from typing import NamedTuple


class HookDelivery(NamedTuple):
    """Delivery to be sent at least once, always with the same id and payload."""

    hook: str
    """Digest of the hook: equal in all processes whose config.toml has this `[[hook]]`."""
    delivery_id: str
    event: str
    payload: bytes


class ClaimedDelivery(NamedTuple):
    """Delivery that a process has claimed, to send it."""

    delivery: HookDelivery
    failures: int
    """How often sending it has failed."""
