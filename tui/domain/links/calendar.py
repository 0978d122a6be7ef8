"""Expiry calendar: which jobs' links expire on which day and in which hour of it. Days are the caller's."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from msgspec import Struct

from tui.domain import artifacts, job_state
from tui.domain.job_state import JobState
from tui.domain.models import Phase, Ref

DAYS = 14
"""Days of the calendar, on the screen and in the report."""
HOURS = 24
HOUR = 3600.0
"""Seconds."""


class CalendarDay(Struct):
    """Jobs with a link that expires on one day. By the link that is shown for the job."""

    starts_at: float
    """Instant of its midnight."""
    kept: list[int]
    """Jobs that keep their link, by the hour of its expiry."""
    unkept: list[int]
    """Jobs that do not."""
    refs: list[Ref]
    """All of them."""
    saved: int = 0
    """Jobs of which every file is downloaded."""


def expiry_calendar(states: Iterable[JobState], now: float, midnights: Sequence[float]) -> list[CalendarDay]:
    """Return the days between the midnights, in order, with the links that have not expired.

    A day is 24 hours here: when the clocks change, its last hour has two hours' links, or none.
    """
    days = [CalendarDay(start, [0] * HOURS, [0] * HOURS, []) for start in midnights[:-1]]
    for state in states:
        link = job_state.primary_link(state)
        if state.phase is not Phase.DONE or link is None or link.expires_at is None or link.expires_at <= now:
            continue
        number = bisect_right(midnights, link.expires_at) - 1
        if 0 <= number < len(days):
            day = days[number]
            hours = day.kept if state.job.keep_link else day.unkept
            hours[min(HOURS - 1, int((link.expires_at - day.starts_at) // HOUR))] += 1
            day.refs.append(state.job.ref)
            day.saved += not artifacts.undownloaded(state)
    return days
