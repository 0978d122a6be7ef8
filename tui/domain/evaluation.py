"""Evaluation of a job state at an instant: flags, remaining time, archive. Views are `presentation.queries`."""

import math
from collections.abc import Mapping
from datetime import tzinfo

from msgspec import Struct

from tui.domain import job_state
from tui.domain.job_state import Flag, JobState
from tui.domain.links import expiry
from tui.domain.models import ACTIVE, ENDED, Phase
from tui.domain.polling import duration_model
from tui.domain.polling.duration_model import DurationRange


class EvaluationContext(Struct, frozen=True, kw_only=True):
    """Instant and settings by which a job state is evaluated. Durations are seconds."""

    now: float
    stall_after: float = 3600.0
    warn_before: float = 86400.0
    archive_after: float = 14 * 86400.0
    providers: Mapping[str, str] = {}
    """Account to provider, where they differ in name."""
    zone: tzinfo | None = None
    """Time zone of days; None: the local one."""

    def provider_of(self, account: str) -> str:
        """Return the account's provider."""
        return self.providers.get(account, account)


def flags(state: JobState, context: EvaluationContext) -> tuple[Flag, ...]:
    """Return the warnings about the job."""
    found: list[Flag] = []
    if job_state.is_stalled(state, context.now, context.stall_after):
        found.append(Flag.STALLED)
    if job_state.is_stale(state, context.now):
        found.append(Flag.STALE)
    link = job_state.primary_link(state)
    if link is not None:
        if expiry.is_expired(link, context.now):
            found.append(Flag.EXPIRED)
        elif expiry.is_expiring(link, context.now, context.warn_before):
            found.append(Flag.EXPIRING)
    if job_state.has_unknown_status(state):
        found.append(Flag.UNKNOWN)
    counts = state.report.part_counts if state.report is not None else None
    if state.phase is Phase.DONE and counts is not None and counts.failed:
        found.append(Flag.PARTIAL)
    return tuple(found)


def is_archived(state: JobState, context: EvaluationContext) -> bool:
    """Return whether the operator archived the job, or it ended long ago and no link of it is valid."""
    if state.job.archived:
        return True
    if state.phase not in ENDED or state.phase_since is None or context.now - state.phase_since < context.archive_after:
        return False
    return all(expiry.is_expired(link, context.now) for link in state.links)


def remaining(state: JobState, context: EvaluationContext) -> DurationRange | None:
    """Return the seconds that similar jobs take from here; None: the job has ended, or no estimate is possible."""
    if state.duration_fit is None or state.first_polled_at is None or state.phase not in ACTIVE:
        return None
    return duration_model.remaining(state.duration_fit, context.now - state.first_polled_at)


def estimated_progress(state: JobState, context: EvaluationContext) -> float | None:
    """Return the elapsed share of the estimated duration, 0 to 1; None: the job has ended, or there is no estimate."""
    if state.duration_fit is None or state.first_polled_at is None or state.phase not in ACTIVE:
        return None
    return duration_model.progress(state.duration_fit, context.now - state.first_polled_at)


def next_change_at(state: JobState, context: EvaluationContext) -> float:
    """Return the next instant at which time alone changes the job's views or flags; infinity: never."""
    now, soonest = context.now, math.inf
    for link in state.links:
        end = link.expires_at
        if end is not None and now < end:
            soonest = min(soonest, end - context.warn_before if end - context.warn_before > now else end)
    if state.phase in ENDED:
        change = (state.phase_since or 0.0) + context.archive_after
    else:
        threshold = duration_model.stall_threshold(state.duration_fit, context.stall_after)
        change = math.nextafter((state.first_polled_at or 0.0) + threshold, math.inf)
    if now < change < soonest:
        soonest = change
    if state.stale_after is not None and now <= state.stale_after < soonest:
        soonest = math.nextafter(state.stale_after, math.inf)
    return soonest
