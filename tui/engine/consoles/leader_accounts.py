"""Account states in the heartbeats of leaders, for followers and for subcommands that only read."""

import msgspec

from tui.engine.api import AccountState
from tui.storage.journal.heartbeats import Heartbeat
from tui.storage.protocols import Lease
from tui.storage.untrusted_json import CleaningDecoder

encode_accounts = msgspec.json.Encoder().encode
"""Encodes the states, and whether polling is paused."""
_decode = CleaningDecoder(tuple[tuple[AccountState, ...], bool])


def decode_accounts(heartbeat: Heartbeat) -> tuple[tuple[AccountState, ...], bool]:
    """Return the account states, and whether the leader is paused."""
    try:
        return _decode(heartbeat.account_states)
    except msgspec.DecodeError:
        return (), False  # written by another version


async def leader_accounts(lease: Lease) -> dict[str, AccountState]:
    """Return the account states of the processes that poll now, by name; none without such a process.

    Raises JournalError.
    """
    try:
        is_free = await lease.is_free()
    except OSError:  # the folder is not ours to write
        is_free = True
    heartbeats = () if is_free else await lease.heartbeats()
    return {state.name: state for heartbeat in heartbeats for state in decode_accounts(heartbeat)[0]}
