"""Alert events: single ones, those of several jobs as one, and the summary of a quiet time."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Literal, NamedTuple, TypeAlias

from tui.domain.job_state import Flag, JobState, PhaseChange
from tui.engine.api import AccountState
from tui.presentation.descriptions import describe_alert, describe_summary
from tui.presentation.queries import display_name
from tui.storage.config.settings import HookEvent

SUMMARY: Literal["summary"] = "summary"
"""Event that stands for all events of a quiet time."""
NEVER_REPEATED = inf
GROUPED_EVENTS = frozenset({"expiring", "expired"})
"""Events of several jobs that are delivered as one."""

EventName: TypeAlias = HookEvent | Literal["summary"]


class AlertEvent(NamedTuple):
    """Event to be delivered once, about a job or an account."""

    event: EventName
    key: str
    """Unique name of the event, equal in all processes."""
    text: str
    """One line for the operator."""
    at: float
    """Instant of the event."""
    state: JobState | None = None
    """State of the job; None: the event is about an account."""
    change: PhaseChange | None = None
    """Phase change of the job, if that is the event."""
    account: AccountState | None = None
    repeat_after: float = NEVER_REPEATED
    """Seconds after which an equal event is delivered again."""
    other_states: tuple[JobState, ...] = ()
    """Further jobs of a grouped event."""
    is_test: bool = False
    """The operator tries a hook: job and account are made up."""
    is_quiet: bool = False
    """It happened in the quiet time: only hooks that ignore that time get it at once."""
    account_jobs: tuple[JobState, ...] = ()
    """Jobs of the account that the event is about, for the filters of hooks."""
    summarized: tuple["AlertEvent", ...] = ()
    """Events of a quiet time that this one stands for, oldest first."""

    @property
    def states(self) -> tuple[JobState, ...]:
        """States of all its jobs, each job once; of a summary the latest."""
        own = (*filter(None, [self.state]), *self.other_states)
        by_ref = {state.job.ref: state for each in self.summarized for state in each.states}
        return (*own, *by_ref.values())


def group_events(events: Iterable[AlertEvent], now: float) -> Iterator[AlertEvent]:
    """Yield the events; those of expiring and of expired links as one event each."""
    grouped = defaultdict[tuple[Flag, bool], list[AlertEvent]](list)
    for event in events:
        if event.event in GROUPED_EVENTS:
            grouped[Flag(event.event), event.is_quiet].append(event)
        else:
            yield event
    for (flag, _), group in grouped.items():
        states = [each.state for each in group if each.state is not None]
        yield group[0]._replace(text=describe_alert(flag, states, now), other_states=tuple(states[1:]))


def summarize(events: Sequence[AlertEvent], ended_at: float) -> AlertEvent:
    """Return the summary of the events of a quiet time that ended at an instant."""
    counts = Counter[str](each.event for each in events)
    names = [display_name(each.state) if each.state is not None else _account_name(each) for each in events]
    text = describe_summary(counts, tuple(dict.fromkeys(names)))
    return AlertEvent(SUMMARY, f"{SUMMARY} {ended_at!r}", text, ended_at, summarized=tuple(events))


def _account_name(event: AlertEvent) -> str:
    return event.account.name if event.account is not None else ""
