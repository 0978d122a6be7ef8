"""The shapes of our JSON: a job, and a change of its phase. Times are ISO 8601 in UTC; what is not there is null."""

from typing import Any

from tui.domain import evaluation
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Fault, Link
from tui.presentation import formatting

JsonObject = dict[str, Any]
"""What becomes a JSON object."""


def job(state: JobState, provider: str | None, context: EvaluationContext) -> JsonObject:
    """A job and all that is known of it."""
    said, report = state.job, state.report
    progress = report.progress if report else None
    source = None if report is None or progress is None else "stage" if report.progress_is_stage else "measured"
    rest, share = evaluation.remaining(state, context), evaluation.estimated_progress(state, context)
    if progress is None and share is not None:
        progress, source = round(share, 2), "estimated"
    return {
        "account": said.account,
        "provider": provider,
        "id": said.id,
        "kind": said.kind,
        "label": said.label,
        "tags": said.tags,
        "note": said.note,
        "added": iso_or_none(said.added),
        "phase": state.phase,
        "status": report.raw_status if report else None,
        "title": report.title if report else None,
        "language": report.language if report else None,
        "progress": progress,
        "progress_source": source,
        "eta": iso_or_none(rest and context.now + rest.median),
        "message": report.message if report else None,
        "links": [link(each) for each in state.links],
        "result": state.result,
        "flags": evaluation.flags(state, context),
        "checked_at": iso_or_none(state.checked_at),
        "next_poll_at": iso_or_none(state.next_poll_at),
        "fault": _fault(state.fault),
    }


def job_with_options(state: JobState, provider: str | None, context: EvaluationContext) -> JsonObject:
    """A job with all that the watchlist says of it, too."""
    said = state.job
    wishes = {"keep_link": said.keep_link, "download": said.download, "muted": said.muted, "archived": said.archived}
    return job(state, provider, context) | wishes


def phase_change(found: PhaseChange) -> JsonObject:
    """A job's step from one phase to another; it fell between `earliest` and `seen`."""
    return {
        "account": found.ref.account,
        "id": found.ref.id,
        "before": found.before,
        "after": found.after,
        "earliest": iso_or_none(found.earliest),
        "seen": iso_or_none(found.seen),
        "message": found.message,
    }


def link(found: Link) -> JsonObject:
    """A link, and until when it lives; not exact is an estimate."""
    return {
        "kind": found.kind,
        "url": found.url,
        "expires_at": iso_or_none(found.expires_at),
        "exact": found.expiry_is_exact,
    }


def _fault(fault: Fault | None) -> JsonObject | None:
    if fault is None:
        return None
    return {
        "kind": fault.kind,
        "message": fault.message,
        "http_status": fault.http_status,
        "retry_at": iso_or_none(fault.retry_at),
    }


def iso_or_none(at: float | None) -> str | None:
    """An instant, where there is one."""
    return None if at is None else formatting.iso_time(at)
