"""Monitor for alerts: phase changes, expiring links, stalled jobs, refused accounts, retired APIs.

It receives all engine events, passes them on, and adds the notices of alerts that only depend on time. Hooks receive
each alert event once from all processes on the state folder together: the first process that notices it claims it in
the journal. A process that is killed after the claim does not deliver it. Delivery is left to the hooks.

Expiring links are reported together, once a day: the first one of a day (UTC) includes the others of that day. Links
that become known later in the day wait for the next report, unless half of their warning time would pass.
"""

import asyncio
import hashlib
import logging
import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import cast

from msgspec import Struct
from msgspec.structs import replace

from tui.domain import time_alerts
from tui.domain.job_state import Flag, JobState, PhaseChange
from tui.domain.links import renewal
from tui.domain.models import FaultKind, Ref
from tui.domain.time_alerts import TimedAlert
from tui.engine.api import AccountState, EngineEvent, Health, Notice, NoticeKind, Publish, WatchlistOrder
from tui.engine.context import EngineContext
from tui.engine.notifications.events import AlertEvent, group_events
from tui.engine.notifications.held_alerts import SHOWN_EVENTS, HeldAlerts
from tui.engine.notifications.team_hooks import TeamHooks
from tui.presentation import queries
from tui.presentation.descriptions import describe_alert
from tui.storage.config.quiet_time import Period
from tui.storage.config.settings import HookEvent
from tui.storage.deliveries import HookDelivery
from tui.storage.journal.database import JournalError
from tui.storage.protocols import Notifications
from tui.storage.workspace import Workspace

DAY = 86400.0
"""Seconds between two reports of expiring links, and of an account that is still refused after a restart.

Also the age from which the expiry of a link that was found at startup is not reported.
"""
BATCH_SIZE = 1000
"""Alert events claimed in one transaction, which takes some milliseconds; the rest waits for the next tick."""
MAX_PENDING = 10_000
"""Alert events kept while the journal cannot be written; the oldest are dropped first."""
REFUSED_HEALTH = frozenset({Health.REFUSED, Health.NO_KEY})
UNCERTAIN_HEALTH = frozenset({Health.UNTRIED, Health.UNKNOWN})

log = logging.getLogger(__name__)


class MonitoredJob(Struct, gc=False):
    """Job with its alerts."""

    state: JobState
    handled: tuple[tuple[Flag, str], ...] | None = None
    """Flag and subject of the alerts that are done; None: they were not evaluated yet."""
    next_alert_at: float = math.inf
    """Instant of the next alert."""


class AlertMonitor:
    """Monitor of one engine: forwards its events to the front end and raises alerts."""

    def __init__(
        self,
        context: EngineContext,
        workspace: Workspace,
        notifications: Notifications,
        publish: Publish,
        dispatch: Callable[[AlertEvent], None] | None,
        *,
        recent_changes: Callable[[int], Awaitable[Sequence[PhaseChange]]] | None = None,
        team_hooks: TeamHooks | None = None,
        is_watched: bool = True,
    ) -> None:
        """`dispatch` delivers to the operator's hooks; None: there are none, or `--readonly` forbids them.

        `recent_changes` returns the last recorded phase changes, newest first; None: other processes report them, too.
        `team_hooks`: in a worker of a team, what delivers in place of `dispatch`. `is_watched`: the operator may see
        the notices.
        """
        self._publish = publish
        self._workspace = workspace
        self._notifications = notifications
        self._recent_changes = recent_changes
        self._now = context.now
        self._dispatch = dispatch
        self._team_hooks = team_hooks
        self._has_hooks = dispatch is not None or team_hooks is not None
        self._subscribed_events = (
            {event for hook in workspace.settings.hooks for event in hook.on} if self._has_hooks else set[HookEvent]()
        )
        self._summary_events = SHOWN_EVENTS
        if not self._has_hooks:  # a hook of another process gets them in the quiet time too, if that one claims them
            self._summary_events -= {
                event for hook in workspace.settings.hooks if hook.ignore_quiet for event in hook.on
            }
        self._context = workspace.config.evaluation_context(context.now())
        self._jobs: dict[Ref, MonitoredJob] = {}
        """Every job, with its latest state."""
        self._earliest_alert_at = math.inf
        self._expiring: dict[Ref, TimedAlert] = {}
        """Expiring links for the next report."""
        self._notified_until = 0.0
        """End of the day whose expiring links were reported."""
        self._accounts: dict[str, AccountState] = {}
        self._retired: set[str] = set()
        self._pending: list[AlertEvent] = []
        self._flush_lock = asyncio.Lock()
        self._held = HeldAlerts(
            workspace.settings.alerts.quiet,
            notifications,
            context.now(),
            has_hooks=bool(workspace.settings.hooks),
            sends=self._has_hooks,
            is_watched=is_watched,
        )
        self._resolved: set[str] = set()
        """Keys of events that have ended, so that they may be delivered again."""

    # Events of the engine.

    def publish(self, event: EngineEvent) -> None:
        """Pass the event on, and evaluate the alerts that it concerns."""
        self._publish(event)
        match event:
            case JobState():
                self._on_job_state(event)
            case AccountState():
                self._on_account_state(event)
            case WatchlistOrder(refs):
                for ref in self._jobs.keys() - set(refs):
                    self._expiring.pop(ref, None)
                self._jobs = {ref: self._jobs[ref] for ref in refs if ref in self._jobs}  # shares the refs
            case _:
                pass

    def _on_job_state(self, state: JobState) -> None:
        ref = state.job.ref
        job = self._jobs.get(ref)
        if job is None:
            job = self._jobs[ref] = MonitoredJob(state)
            self._evaluate(job, self._now())
        else:
            before, job.state = job.state, state
            if not _has_same_alerts(before, state):
                self._evaluate(job, self._now())
        if state.fault is not None and state.fault.kind is FaultKind.RETIRED and not state.job.is_silent:
            account = self._accounts.get(state.job.account)
            if account is not None:
                self._notify_retired(account, state.fault.message)

    def _on_account_state(self, state: AccountState) -> None:
        before = self._accounts.get(state.name)
        self._accounts[state.name] = state
        key = f"refused {state.name}"
        was_refused = before is not None and before.health in REFUSED_HEALTH
        if state.health in REFUSED_HEALTH and not was_refused:
            text = f"Polling of account {state.name} stopped: {state.message}"
            self._enqueue(AlertEvent("refused", key, text, self._now(), account=state, repeat_after=DAY))
        elif (
            state.health is Health.OK
            and (before is None or was_refused or before.health in UNCERTAIN_HEALTH)
            and (self._has_hooks or self._workspace.settings.alerts.quiet is not None)
        ):
            self._resolved.add(key)
        if before is not None and before.provider != state.provider:
            self._notify_retired(before, f"{before.title} retired, account moved to {state.title}")

    # Alert events.

    def on_phase_change(self, state: JobState, change: PhaseChange) -> None:
        """Handle a phase change as the journal holds it, from any process."""
        event = self._change_event(state, change)
        if event is not None:
            self._enqueue(event)

    def deliveries(self, state: JobState, change: PhaseChange) -> tuple[HookDelivery, ...]:
        """Return the deliveries that are to be written with a phase change; none without a team."""
        event = self._change_event(state, change) if self._team_hooks is not None else None
        if event is None or self._team_hooks is None:
            return ()
        return self._team_hooks.deliveries(event._replace(is_quiet=self._held.is_quiet(self._now())))

    def _change_event(self, state: JobState, change: PhaseChange) -> AlertEvent | None:
        """Return the event of a phase change; None: nothing gets it."""
        if state.job.is_silent or not self._is_wanted(change.after.value, change.seen):
            return None
        text = f"{queries.display_name(state)}: {change.after.replace('_', ' ')}"
        key = f"{change.after} {change.ref} {change.seen!r}"
        event = cast("HookEvent", change.after.value)
        return AlertEvent(event, key, text, change.seen, state=state, change=change)

    async def tick(self) -> None:
        """Raise the alerts that are due, and deliver events to the hooks."""
        now = self._now()
        if now >= self._earliest_alert_at:
            for job in [job for job in self._jobs.values() if job.next_alert_at <= now]:
                self._evaluate(job, now)
            self._earliest_alert_at = min((job.next_alert_at for job in self._jobs.values()), default=math.inf)
        if self._expiring:
            self._notify_expiring(now)
        await self.flush()
        await self._report_quiet_time(now)

    async def _report_quiet_time(self, now: float) -> None:
        """Show and deliver the summary of a quiet time that has ended."""
        period = self._held.ended_period(now)
        if period is None or not await self._claim_recorded(period):
            return
        context = replace(self._context, now=now)
        summaries = await self._held.summaries(now, self._state_of, context)
        if summaries is None:
            return
        if summaries.shown is not None:
            self._publish(Notice(NoticeKind.SUMMARY, summaries.shown.text, None, now))
        if summaries.sent is not None:
            summarized = tuple(map(self._with_account_jobs, summaries.sent.summarized))
            await self._send_summary(summaries.sent._replace(summarized=summarized))

    async def _claim_recorded(self, period: Period) -> bool:
        """Claim the recorded phase changes of a quiet time that no process has claimed; return whether that is done.

        A process that was killed just after it had recorded one has not.
        """
        if self._recent_changes is None:
            return True
        try:
            recorded = [
                event._replace(is_quiet=True)
                for change in reversed(await self._recent_changes(BATCH_SIZE))
                if period.begins_at <= change.seen < period.ends_at
                and (state := self._state_of(change.ref)) is not None
                and (event := self._change_event(state, change)) is not None
            ]
            claimed = await self._held.claim(recorded, math.nextafter(period.ends_at, 0.0)) if recorded else ()
        except JournalError as error:
            log.warning("%s", error)
            return False
        if self._dispatch is not None:
            for event in recorded:
                if event.key in claimed:
                    self._dispatch(event)
        return True

    async def _send_summary(self, summary: AlertEvent) -> None:
        if self._dispatch is not None:
            self._dispatch(summary)
        elif self._team_hooks is not None:
            try:
                await self._team_hooks.add(summary)
            except JournalError as error:
                log.warning("%s", error)

    def _notify_expiring(self, now: float) -> None:
        """Report all links whose alert is due now or later today."""
        self._notified_until = (now // DAY + 1) * DAY
        for job in [job for job in self._jobs.values() if job.next_alert_at < self._notified_until]:
            self._evaluate(job, now, horizon=self._notified_until)
        expiring = [(self._jobs[ref].state, alarm) for ref, alarm in self._expiring.items()]
        expiring = [(state, alarm) for state, alarm in expiring if self._is_still_due(state, alarm)]
        self._expiring.clear()
        if not expiring:
            return
        states = [state for state, _ in expiring]
        ref = states[0].job.ref if len(states) == 1 else None
        self._publish(Notice(NoticeKind.EXPIRING, describe_alert(Flag.EXPIRING, states, now), ref, now))
        for state, alert in expiring:
            self._enqueue(self._alert_event(state, alert, now))

    def _is_still_due(self, state: JobState, alert: TimedAlert) -> bool:
        """Return whether the alert still applies: the link may have been renewed meanwhile."""
        return any(
            (each.flag, each.subject) == (alert.flag, alert.subject)
            for each in time_alerts.timed_alerts(state, self._context)
        )

    async def flush(self) -> None:
        """Deliver the pending events that no other process has claimed, at most BATCH_SIZE."""
        async with self._flush_lock:
            await self._flush()

    async def _flush(self) -> None:
        batch, resolved = self._pending[:BATCH_SIZE], frozenset(self._resolved)
        if not (batch or resolved):
            return
        del self._pending[:BATCH_SIZE]
        try:
            if resolved:
                await self._notifications.forget(resolved)
                self._resolved -= resolved
            deliveries = tuple(self._deliveries(batch))
            claimed = await self._held.claim(batch, self._now(), deliveries) if batch else frozenset[str]()
        except JournalError as error:
            log.warning("%s", error)
            self._pending[:0] = batch
            return
        events = {each.key: each for each in batch if each.key in claimed}  # equal events may be pending twice
        if self._dispatch is not None:
            for event in group_events(events.values(), self._now()):
                self._dispatch(self._with_account_jobs(event))

    def _deliveries(self, batch: Sequence[AlertEvent]) -> Iterator[tuple[HookDelivery, Sequence[str]]]:
        """Yield what a team's outbox gets for the events, each with the keys of those that it is about."""
        if self._team_hooks is None:
            return
        for event in group_events({each.key: each for each in batch}.values(), self._now()):
            keys = [each.key for each in batch if each.state in event.states] if event.other_states else [event.key]
            for delivery in self._team_hooks.deliveries(self._with_account_jobs(event)):
                yield delivery, keys

    def _with_account_jobs(self, event: AlertEvent) -> AlertEvent:
        """Return an event about an account with the states of its jobs."""
        if event.account is None:
            return event
        name = event.account.name
        return event._replace(
            account_jobs=tuple(each.state for each in self._jobs.values() if each.state.job.account == name)
        )

    def _state_of(self, ref: Ref) -> JobState | None:
        job = self._jobs.get(ref)
        return job.state if job is not None else None

    def _evaluate(self, job: MonitoredJob, now: float, horizon: float = 0.0) -> None:
        """Raise the job's alerts that are due, and note when the next one is.

        Alerts that can be grouped are raised up to `horizon`.
        """
        state, handled = job.state, job.handled
        alerts = time_alerts.timed_alerts(state, self._context)
        firing = [alarm for alarm in alerts if self._fire_at(alarm) <= now or (alarm.max_delay and alarm.at < horizon)]
        has_expired = any(alarm.flag is Flag.EXPIRED for alarm in firing)
        for alert in firing:
            is_superseded = has_expired and alert.flag is Flag.EXPIRING
            if not is_superseded and (handled is None or (alert.flag, alert.subject) not in handled):
                self._fire(state, alert, now, at_start=handled is None)
        subjects = {(alarm.flag, alarm.subject) for alarm in alerts}
        quiet = subjects & set(handled or ()) | {(alarm.flag, alarm.subject) for alarm in firing}
        job.handled = tuple(quiet)  # a set takes four times the memory
        job.next_alert_at = min(
            (self._fire_at(alarm) for alarm in alerts if (alarm.flag, alarm.subject) not in quiet), default=math.inf
        )
        self._earliest_alert_at = min(self._earliest_alert_at, job.next_alert_at)

    def _fire_at(self, alert: TimedAlert) -> float:
        """Return when the alert is raised: after the day that was reported already, if it can wait."""
        return min(max(alert.at, self._notified_until), alert.at + alert.max_delay)

    def _fire(self, state: JobState, alert: TimedAlert, now: float, *, at_start: bool) -> None:
        """Raise one alert. `at_start`: it was due before the engine started, so it goes to hooks, not to the screen."""
        if state.job.is_silent:
            return
        if alert.flag is Flag.EXPIRING and not at_start:
            self._expiring[state.job.ref] = alert
            return
        event = self._alert_event(state, alert, now)
        if alert.flag is Flag.STALLED and not at_start:
            self._publish(Notice(NoticeKind.STALLED, event.text, state.job.ref, now))
        if at_start and alert.flag is Flag.EXPIRED and now - alert.at > DAY:
            return
        self._enqueue(event)

    def _alert_event(self, state: JobState, alert: TimedAlert, now: float) -> AlertEvent:
        event = cast("HookEvent", alert.flag.value)
        # hashed: a link may be signed
        subject_hash = hashlib.sha256(alert.subject.encode()).hexdigest()[:16]
        text, at = describe_alert(alert.flag, (state,), now), min(alert.at, now)
        return AlertEvent(event, f"{event} {state.job.ref} {subject_hash}", text, at, state=state)

    def _notify_retired(self, account: AccountState, text: str) -> None:
        key = f"retired {account.name} {account.provider}"
        if key in self._retired:
            return
        self._retired.add(key)
        self._enqueue(AlertEvent("retired", key, f"{account.name}: {text}", self._now(), account=account))

    def _is_wanted(self, event: str, at: float) -> bool:
        """Return whether hooks get an event of this instant, or the summary of the quiet time names it."""
        return event in self._subscribed_events or (event in self._summary_events and self._held.is_quiet(at))

    def _enqueue(self, event: AlertEvent) -> None:
        if self._is_wanted(event.event, self._now()):
            self._pending.append(event._replace(is_quiet=self._held.is_quiet(self._now())))
            del self._pending[:-MAX_PENDING]


def _has_same_alerts(before: JobState, after: JobState) -> bool:
    """Return whether both states have the same alerts, as after most polls."""
    if renewal.is_failing(before) is not renewal.is_failing(after):
        return False
    return (before.phase, before.first_polled_at, before.links, before.duration_fit) == (
        after.phase,
        after.first_polled_at,
        after.links,
        after.duration_fit,
    ) and (before.job.archived, before.job.keep_link) == (after.job.archived, after.job.keep_link)
