"""Alerts of the quiet time: kept in the journal until its end, so that a restart loses none.

Each process shows its own summary; of all processes on the state folder, one sends the summary to the hooks.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec

from tui.domain.evaluation import EvaluationContext, flags
from tui.domain.job_state import JobState
from tui.domain.models import Ref
from tui.engine.notifications.events import AlertEvent, summarize
from tui.storage.config.quiet_time import Period, QuietTime
from tui.storage.deliveries import HookDelivery
from tui.storage.journal.database import JournalError
from tui.storage.protocols import Notifications

SHOWN_EVENTS = frozenset(
    {"done", "failed", "timed_out", "blocked", "missing", "stalled", "expiring", "refused", "retired"}
)
"""Events in the summary that a console shows."""
FLAG_EVENTS = frozenset({"stalled", "expiring", "expired"})
"""Events that are flags of a job. A summary leaves out those whose job no longer has the flag."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(AlertEvent).decode

log = logging.getLogger(__name__)


class Summaries(NamedTuple):
    """Summaries of an ended quiet time; None: nothing to report, or another process reports it."""

    shown: AlertEvent | None
    sent: AlertEvent | None


class HeldAlerts:
    """Held alerts, as one engine handles them."""

    def __init__(
        self,
        quiet: QuietTime | None,
        notifications: Notifications,
        started_at: float,
        *,
        has_hooks: bool,
        sends: bool,
        is_watched: bool,
    ) -> None:
        """`has_hooks`: config.toml has hooks. `sends`: this process delivers to them.

        `is_watched`: the operator may see this process.
        """
        self._quiet = quiet
        self._notifications = notifications
        self._started_at = started_at
        self._has_hooks = has_hooks
        self._sends = sends
        self._is_watched = is_watched
        self._reported_until = -math.inf
        """End of the last quiet time whose summaries were made."""

    def is_quiet(self, now: float) -> bool:
        """Return whether alerts wait for the end of a quiet time."""
        return self._quiet is not None and self._quiet.period(now) is not None

    def ended_period(self, now: float) -> Period | None:
        """Return the quiet time that has ended since the last summaries; None: none has."""
        if self._quiet is None or self.is_quiet(now):
            return None
        period = self._quiet.last_period(now)
        return period if period.ends_at > self._reported_until else None

    async def claim(
        self, events: Iterable[AlertEvent], now: float, deliveries: Sequence[tuple[HookDelivery, Sequence[str]]] = ()
    ) -> frozenset[str]:
        """Return the keys of the events that this process is to handle, with those of a quiet time held.

        `deliveries`: what a team's outbox gets, with the keys of their events. Raises JournalError, with nothing
        recorded.
        """
        events = tuple(events)
        held = {  # JSON has no infinity
            each.key: _encode(each._replace(is_quiet=False, repeat_after=0.0, account_jobs=()))
            for each in events
            if each.is_quiet
        }
        repeat_after = {each.key: each.repeat_after for each in events}
        return await self._notifications.claim(repeat_after, now, held, deliveries, is_sent=not self._has_hooks)

    async def summaries(
        self, now: float, state_of: Callable[[Ref], JobState | None], context: EvaluationContext
    ) -> Summaries | None:
        """Return the summaries of a quiet time that has ended since the last call; None: none has, or try later.

        `state_of` returns the state of a job; None: it is not listed any more.

        One that ended before the start of this process is shown only if no other process showed it.
        """
        period = self.ended_period(now)
        if period is None:
            return None
        try:
            held = await self._notifications.held(period.begins_at, period.ends_at) if self._is_watched else ()
            shown_key = f"summary shown {period.ends_at!r}"
            is_new = bool(held) and bool(await self._notifications.claim({shown_key: math.inf}, now))
            unsent = await self._notifications.take_held(now) if self._sends else ()
        except JournalError as error:
            log.warning("%s", error)
            return None
        self._reported_until = period.ends_at
        shown = [each for each in _decoded(held, state_of, context) if each.event in SHOWN_EVENTS]
        sent = _decoded(unsent, state_of, context)
        return Summaries(
            summarize(shown, period.ends_at) if shown and (is_new or self._started_at < period.ends_at) else None,
            summarize(sent, period.ends_at) if sent else None,
        )


def _decoded(
    rows: Iterable[bytes], state_of: Callable[[Ref], JobState | None], context: EvaluationContext
) -> list[AlertEvent]:
    """Return the events that still apply."""
    events: list[AlertEvent] = []
    for row in rows:
        try:
            event = _decode(row)
        except msgspec.DecodeError as error:  # of another version
            log.warning("an alert of the quiet time cannot be read: %s", error)
            continue
        state = state_of(event.state.job.ref) if event.state is not None else None
        if event.event not in FLAG_EVENTS or state is None or event.event in flags(state, context):
            events.append(event)
    return events
