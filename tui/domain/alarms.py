"""When time alone makes a job worth a word: it stalls, its link is about to die, its link dies. Pure."""

from typing import NamedTuple

from tui.domain import durations, renewal
from tui.domain.board import Flag, JobState, soonest
from tui.domain.jobs import ACTIVE
from tui.domain.rows import Outlook

RENEWING = 4
"""A link that is renewed by itself is worth a word once that is known to fail, or by this part of the warning time."""


class Alarm(NamedTuple):
    """One instant in a job's life."""

    at: float
    """Instant from which the flag is up."""
    flag: Flag
    """Stalled, expiring or expired."""
    of: str
    """What it is about: the link's URL, or when the job began. Another one is another alarm."""


def alarms(state: JobState, outlook: Outlook) -> tuple[Alarm, ...]:
    """Those that are still to come and those that went off already, whatever `outlook.now` is."""
    if state.job.archived:
        return ()
    found: list[Alarm] = []
    if state.phase in ACTIVE and state.born is not None:
        patience = durations.patience(state.expected, outlook.stall_after)
        found.append(Alarm(state.born + patience, Flag.STALLED, repr(state.born)))
    link = soonest(state)
    if link is not None and link.expires_at is not None:
        renewing = state.job.keep_link and not renewal.fails(state)
        before = outlook.warn_before / (RENEWING if renewing else 1)
        found.append(Alarm(link.expires_at - before, Flag.EXPIRING, link.url))
        found.append(Alarm(link.expires_at, Flag.EXPIRED, link.url))
    return tuple(found)
