"""Which hook gets which alert event. Pure."""

from tui.engine.notifications.events import AlertEvent, summarize
from tui.storage.config.settings import Hook


def select(hook: Hook, event: AlertEvent) -> AlertEvent | None:
    """Return the event as the hook gets it; None: it does not get it."""
    if event.summarized:
        kept = [each for each in event.summarized if select(hook, each) is not None]
        return summarize(kept, event.at) if kept and not hook.ignore_quiet else None
    return event if event.event in hook.on and (hook.ignore_quiet or not event.is_quiet) else None
