"""When time alone makes a job worth a word, and which: it stalls, its link is about to die, its link dies. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from tui.domain import artifacts
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import Flag, JobState, primary_link
from tui.domain.links import renewal
from tui.domain.models import ACTIVE
from tui.domain.polling import duration_model
from tui.presentation import formatting, queries

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


def describe(flag: Flag, states: Sequence[JobState], now: float) -> str:
    """Of these jobs, one or more, the alarm has gone off: in a line, for an operator."""
    first, many = states[0], len(states) > 1
    if flag is Flag.STALLED:
        took = formatting.span(now - (first.first_polled_at or now))
        return f"{queries.display_name(first)}: has been at it for {took}, far longer than usual"
    if flag is Flag.EXPIRED:
        dead = "its link is dead: L asks for a fresh one"
        return (
            f"{len(states)} links are dead: L asks for fresh ones" if many else f"{queries.display_name(first)}: {dead}"
        )
    states = sorted(states, key=lambda state: _remaining(state, now))
    first, last = states[0], states[-1]
    troubles = [trouble for state in states if (trouble := renewal.failure_message(state))]
    if not many:
        parts = [
            f"{queries.display_name(first)}: its link dies in {formatting.duration(_remaining(first, now))}",
            *troubles,
        ]
    else:
        parts = [f"{len(states)} links die in the next {formatting.duration(_remaining(last, now))}"]
        parts += [f"the first, of {queries.display_name(first)}, in {formatting.duration(_remaining(first, now))}"]
        parts += [f"{len(troubles)} could not be renewed"] if troubles else []
    return "; ".join(parts)


def _remaining(state: JobState, now: float) -> float:
    link = primary_link(state)
    return max(0.0, (link.expires_at or now) - now) if link is not None else 0.0
