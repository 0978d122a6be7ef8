"""Body of a delivery: the event as JSON, or the table of the hook with its fields filled in."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec

from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import primary_link
from tui.engine.notifications.events import GROUPED_EVENTS, NEVER_REPEATED, SUMMARY, AlertEvent
from tui.presentation import json_output
from tui.presentation.queries import display_name
from tui.storage.config.settings import Hook


def hook_body(
    hook: Hook, event: AlertEvent, provider_of: Callable[[str], str | None], context: EvaluationContext
) -> bytes:
    """Return what the hook gets. `provider_of` returns an account's provider."""
    if hook.body is not None:
        return msgspec.json.encode(hook.body.fill(_field_values(event)))
    return msgspec.json.encode(_payload(event, provider_of, context))


def delivery_id(event: AlertEvent) -> str:
    """Return the delivery id: the same in every process and for every try, so that receivers find duplicates."""
    key = event.key if event.repeat_after == NEVER_REPEATED else f"{event.key} {event.at!r}"
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _payload(event: AlertEvent, provider_of: Callable[[str], str | None], context: EvaluationContext) -> dict[str, Any]:
    """Return the event for JSON, jobs as on the command line."""
    account, is_summary = event.account, event.event == SUMMARY
    jobs = [json_output.job(state, provider_of(state.job.account), context) for state in event.states]
    return {
        "event": event.event,
        "delivery": delivery_id(event),
        "test": event.is_test,
        "at": json_output.iso_or_none(event.at),
        "text": event.text,
        "job": jobs[0] if jobs and not is_summary else None,
        "jobs": jobs if event.event in GROUPED_EVENTS or is_summary else None,
        "change": None if event.change is None else json_output.phase_change(event.change),
        "account": None
        if account is None
        else {
            "name": account.name,
            "provider": account.provider,
            "health": account.health,
            "message": account.message,
        },
        "events": [_brief(each) for each in event.summarized] if is_summary else None,
    }


def _brief(event: AlertEvent) -> dict[str, Any]:
    """Return one event of a summary."""
    ref = event.state.job.ref if event.state is not None else None
    account = event.account.name if event.account is not None else None
    return {
        "event": event.event,
        "at": json_output.iso_or_none(event.at),
        "text": event.text,
        "account": account if ref is None else ref.account,
        "id": None if ref is None else ref.id,
    }


def _field_values(event: AlertEvent) -> dict[str, str]:
    """Return the values of `body_template.FIELDS`; "": the event has none. A summary has no single job."""
    state = event.state
    link = primary_link(state) if state is not None else None
    message = event.account.message if event.account is not None else ""
    name = event.account.name if event.account is not None else ""
    if state is not None:
        name, message = state.job.account, (state.report and state.report.message) or ""
    return {
        "text": event.text,
        "event": event.event,
        "at": json_output.iso_or_none(event.at) or "",
        "delivery": delivery_id(event),
        "name": display_name(state) if state is not None else "",
        "account": name,
        "id": state.job.id if state is not None else "",
        "phase": state.phase if state is not None else "",
        "message": message,
        "link": link.url if link is not None else "",
    }
