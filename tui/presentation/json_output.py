"""The shapes of our JSON: a job, and a change of its phase. Times are ISO 8601 in UTC; what is not there is null."""

from typing import Any

from tui.domain.job_state import JobState, PhaseChange
from tui.domain.models import Fault, Link
from tui.presentation import formatting, queries
from tui.presentation.queries import Outlook

Shape = dict[str, Any]
"""What becomes a JSON object."""


def job(state: JobState, provider: str | None, outlook: Outlook) -> Shape:
    """A job and all that is known of it."""
    said, report = state.job, state.report
    progress = report.progress if report else None
    source = None if report is None or progress is None else "stage" if report.staged else "measured"
    rest, share = queries.left(state, outlook), queries.estimated(state, outlook)
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
        "added": iso(said.added),
        "phase": state.phase,
        "status": report.word if report else None,
        "title": report.title if report else None,
        "language": report.language if report else None,
        "progress": progress,
        "progress_source": source,
        "eta": iso(rest and outlook.now + rest.middle),
        "message": report.message if report else None,
        "links": [link(each) for each in state.links],
        "result": state.result,
        "flags": queries.flags(state, outlook),
        "checked_at": iso(state.checked_at),
        "next_ask_at": iso(state.next_ask_at),
        "fault": _fault(state.fault),
    }


def exported(state: JobState, provider: str | None, outlook: Outlook) -> Shape:
    """A job with all that the watchlist says of it, too."""
    said = state.job
    wishes = {"keep_link": said.keep_link, "download": said.download, "muted": said.muted, "archived": said.archived}
    return job(state, provider, outlook) | wishes


def change(found: PhaseChange) -> Shape:
    """A job's step from one phase to another; it fell between `earliest` and `seen`."""
    return {
        "account": found.ref.account,
        "id": found.ref.id,
        "before": found.before,
        "after": found.after,
        "earliest": iso(found.earliest),
        "seen": iso(found.seen),
        "message": found.message,
    }


def link(found: Link) -> Shape:
    """A link, and until when it lives; not exact is an estimate."""
    return {"kind": found.kind, "url": found.url, "expires_at": iso(found.expires_at), "exact": found.exact}


def _fault(fault: Fault | None) -> Shape | None:
    if fault is None:
        return None
    return {
        "kind": fault.kind,
        "message": fault.message,
        "http_status": fault.http_status,
        "retry_at": iso(fault.retry_at),
    }


def iso(at: float | None) -> str | None:
    """An instant, where there is one."""
    return None if at is None else formatting.iso(at)
