"""Which hook gets which alert event, and which of its jobs. Pure."""

from tui.domain.evaluation import EvaluationContext
from tui.domain.job_state import Flag
from tui.engine.notifications.events import AlertEvent, summarize
from tui.presentation.descriptions import describe_alert
from tui.presentation.filters.model import Filter
from tui.storage.config.settings import Hook


def select(hook: Hook, event: AlertEvent, context: EvaluationContext) -> AlertEvent | None:
    """Return the event as the hook gets it, without the jobs that its filter excludes; None: it does not get it."""
    if event.summarized:
        kept = [selected for each in event.summarized if (selected := select(hook, each, context)) is not None]
        return summarize(kept, event.at) if kept and not hook.ignore_quiet else None
    if event.event not in hook.on or (event.is_quiet and not hook.ignore_quiet):
        return None
    return event if hook.filter is None else _matching(hook.filter.parsed, event, context)


def _matching(wanted: Filter, event: AlertEvent, context: EvaluationContext) -> AlertEvent | None:
    """Return the event with the jobs that match. One about an account stays if a job of the account matches."""
    if event.account is not None:
        return event if any(wanted.matches(state, context) for state in event.account_jobs) else None
    states = tuple(state for state in event.states if wanted.matches(state, context))
    if len(states) in {0, len(event.states)}:
        return event if states else None
    text = describe_alert(Flag(event.event), states, context.now)
    return event._replace(state=states[0], other_states=states[1:], text=text)
