"""When time alone makes a job worth a word, and which: it stalls, its link is about to die, its link dies. Pure."""

from typing import NamedTuple

from tui.domain import artifacts
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import Flag, JobState, primary_link
from tui.domain.links import renewal
from tui.domain.models import ACTIVE
from tui.domain.polling import duration_model

RENEWAL_WARNING_DIVISOR = 4
"""A link that is renewed by itself is worth a word once that is known to fail, or by this part of the warning time."""


class TimedAlert(NamedTuple):
    """One instant in a job's life."""

    at: float
    """Instant from which the flag is up."""
    flag: Flag
    """Stalled, expiring or expired."""
    subject: str
    """What it is about: the link's URL, or when the job began. Another one is another alarm."""
    max_delay: float = 0.0
    """Seconds that its word can wait for others, to be one with theirs; 0: nor can it come before its instant."""


def timed_alerts(state: JobState, context: EvaluationContext) -> tuple[TimedAlert, ...]:
    """Those that are still to come and those that went off already, whatever `outlook.now` is.

    The links of what was downloaded may die unsaid.
    """
    if state.job.archived:
        return ()
    found: list[TimedAlert] = []
    if state.phase in ACTIVE and state.first_polled_at is not None:
        patience = duration_model.stall_threshold(state.duration_fit, context.stall_after)
        found.append(TimedAlert(state.first_polled_at + patience, Flag.STALLED, repr(state.first_polled_at)))
    link = primary_link(state)
    if link is not None and link.expires_at is not None and not (state.downloads and not artifacts.undownloaded(state)):
        renewing = state.job.keep_link and not renewal.is_failing(state)
        before = context.warn_before / (RENEWAL_WARNING_DIVISOR if renewing else 1)
        patience = 0.0 if renewing else before / 2
        found.append(TimedAlert(link.expires_at - before, Flag.EXPIRING, link.url, patience))
        found.append(TimedAlert(link.expires_at, Flag.EXPIRED, link.url))
    return tuple(found)
