"""Event about a made-up job or account, marked as a test, with which an operator tries a hook."""

from typing import cast, get_args

from tui.domain.job_state import Flag, JobState, PhaseChange
from tui.domain.models import ENDED, Job, Link, LinkKind, Phase, Report
from tui.engine.api import AccountState, Health
from tui.engine.notifications.events import SUMMARY, AlertEvent, EventName, summarize
from tui.presentation.descriptions import describe_alert
from tui.storage.config.settings import HookEvent

EVENTS: tuple[EventName, ...] = (*get_args(HookEvent), SUMMARY)
JOB_ID = "babeltop-test"
_LINK_URL = "https://example.org/babeltop-test.mp4"
_DURATION = 3600.0
"""Seconds that the job has run, and until or since the expiry of its link."""


def sample_event(event: EventName, account: str, provider: str, now: float) -> AlertEvent:
    """Return a test event as a real one of its kind would be, with a delivery id of its own."""
    key = f"test {event} {now!r}"
    if event == SUMMARY:
        events = [sample_event(each, account, provider, now) for each in ("done", "failed")]
        return summarize(events, now)._replace(key=key, is_test=True)
    if event in {"refused", "retired"}:
        message = f"test event {event!r}"
        state = AccountState(name=account, provider=provider, title=provider, health=Health.REFUSED, message=message)
        return AlertEvent(event, key, f"Test: account {account}: {event}", now, account=state, is_test=True)
    if event in {"stalled", "expiring", "expired"}:
        phase = Phase.RUNNING if event == "stalled" else Phase.DONE
        job = _job_state(account, phase, now, is_expired=event == "expired")
        text = describe_alert(Flag(event), [job], now)
        return AlertEvent(event, key, text, now, state=job, is_test=True)
    phase = Phase(cast("str", event))
    job = _job_state(account, phase, now)
    before = Phase.RUNNING if phase in ENDED else Phase.NEW
    change = PhaseChange(job.job.ref, before, phase, now - 60, now, "")
    text = f"{job.job.label}: {phase.replace('_', ' ')}"
    return AlertEvent(event, key, text, now, state=job, change=change, is_test=True)


def _job_state(account: str, phase: Phase, now: float, *, is_expired: bool = False) -> JobState:
    expires_at = now - _DURATION if is_expired else now + _DURATION
    link = Link(LinkKind.VIDEO, _LINK_URL, now - _DURATION, expires_at, expiry_is_exact=True)
    return JobState(
        job=Job(account=account, id=JOB_ID, label="Test of a hook", added=now - _DURATION),
        phase=phase,
        phase_since=now,
        first_polled_at=now - _DURATION,
        report=Report(phase=phase, raw_status=phase.value),
        checked_at=now,
        links=(link,) if phase is Phase.DONE else (),
    )
