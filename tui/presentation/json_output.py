"""JSON of a job, a link and a phase change. Times are ISO 8601 in UTC; absent values are null."""

from typing import Any

from tui.domain import evaluation
from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Fault, JobPart, Link, Phase
from tui.presentation import formatting

JsonObject = dict[str, Any]
"""JSON object, before encoding."""


def job(state: JobState, provider: str | None, context: EvaluationContext) -> JsonObject:
    """Return the job with its state."""
    listed, report = state.job, state.report
    progress = report.progress if report else None
    source = None if report is None or progress is None else "stage" if report.progress_is_stage else "measured"
    rest, share = evaluation.remaining(state, context), evaluation.estimated_progress(state, context)
    if progress is None and share is not None:
        progress, source = round(share, 2), "estimated"
    return {
        "account": listed.account,
        "provider": provider,
        "id": listed.id,
        "kind": listed.kind,
        "label": listed.label,
        "tags": listed.tags,
        "note": listed.note,
        "owners": listed.owners,
        "added": iso_or_none(listed.added),
        "phase": state.phase,
        "status": report.raw_status if report else None,
        "title": report.title if report else None,
        "language": report.language if report else None,
        "progress": progress,
        "progress_source": source,
        "eta": iso_or_none(rest and context.now + rest.median),
        "message": report.message if report else None,
        "links": [link(each) for each in state.links],
        "parts": [part(each) for each in report.parts] if report else [],
        "result": state.result or None,  # "": hidden from a viewer
        "flags": evaluation.flags(state, context),
        "checked_at": iso_or_none(state.checked_at),
        "next_poll_at": iso_or_none(state.next_poll_at),
        "fault": _fault(state.fault),
    }


def job_with_options(state: JobState, provider: str | None, context: EvaluationContext) -> JsonObject:
    """Return the job with its state and its watchlist options."""
    listed = state.job
    return job(state, provider, context) | {
        "keep_link": listed.keep_link,
        "download": listed.download,
        "muted": listed.muted,
        "archived": listed.archived,
    }


def phase_change(change: PhaseChange) -> JsonObject:
    """Return the phase change, which happened between `earliest` and `seen`."""
    return {
        "account": change.ref.account,
        "id": change.ref.id,
        "before": change.before,
        "after": change.after,
        "earliest": iso_or_none(change.earliest),
        "seen": iso_or_none(change.seen),
        "message": change.message,
    }


def link(each: Link) -> JsonObject:
    """Return the link with its expiry; `exact` is false for an estimate."""
    return {
        "kind": each.kind,
        "url": each.url or None,
        "expires_at": iso_or_none(each.expires_at),
        "exact": each.expiry_is_exact,
        "language": each.language,
        "needs_key": each.needs_key,
        "one_time": each.one_time,
        "used": each.is_used,
    }


def part(each: JobPart) -> JsonObject:
    """Return the part of a job. An unknown status counts as running."""
    return {
        "id": each.id,
        "language": each.language,
        "status": each.raw_status,
        "phase": each.phase or Phase.RUNNING,
        "progress": each.progress,
        "message": each.message,
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
    """Return the instant in ISO 8601, or None."""
    return None if at is None else formatting.iso_time(at)
