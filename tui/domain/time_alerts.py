"""Alerts that time alone triggers: a job stalls, its link is about to expire, its link expires.

The text is `presentation.descriptions`, sending is the engine's.
"""

from typing import NamedTuple

from tui.domain import artifacts
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import Flag, JobState, primary_link
from tui.domain.links import renewal
from tui.domain.models import ACTIVE
from tui.domain.polling import duration_model

RENEWAL_WARNING_DIVISOR = 4
"""A link with automatic renewal warns when its renewal fails, else this many times later than other links."""


class TimedAlert(NamedTuple):
    """Alert about a job from an instant on."""

    at: float
    """Instant from which the job has the flag."""
    flag: Flag
    """Stalled, expiring or expired."""
    subject: str
    """What it is about: the link's URL, or the start of the job. Another subject is another alert."""
    max_delay: float = 0.0
    """Seconds that the alert may wait for others, to be sent as one; 0: nor may it be sent early."""


def timed_alerts(state: JobState, context: EvaluationContext) -> tuple[TimedAlert, ...]:
    """Return the alerts of the job, past and future ones, whatever `context.now` is.

    Links of downloaded files expire without an alert.
    """
    if state.job.archived:
        return ()
    found: list[TimedAlert] = []
    if state.phase in ACTIVE and state.first_polled_at is not None:
        threshold = duration_model.stall_threshold(state.duration_fit, context.stall_after)
        found.append(TimedAlert(state.first_polled_at + threshold, Flag.STALLED, repr(state.first_polled_at)))
    link = primary_link(state)
    if link is not None and link.expires_at is not None and not (state.downloads and not artifacts.undownloaded(state)):
        renewing = state.job.keep_link and not renewal.is_failing(state)
        before = context.warn_before / (RENEWAL_WARNING_DIVISOR if renewing else 1)
        max_delay = 0.0 if renewing else before / 2
        found.append(TimedAlert(link.expires_at - before, Flag.EXPIRING, link.url, max_delay))
        found.append(TimedAlert(link.expires_at, Flag.EXPIRED, link.url))
    return tuple(found)
