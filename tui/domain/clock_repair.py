"""Repair of instants that were written by a clock that was ahead: nothing has happened later than now.

Waits keep their length; what happened later than now happened now. `JobState`'s events apply it.
"""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui.domain.models import Link

if TYPE_CHECKING:
    from tui.domain.job_state import JobState

CLOCK_SET_BACK = 2.0
"""Seconds: an instant of the past this far in the future means that the clock was set back since."""
FIRST_CREDIBLE_NOW = 1_767_225_600.0
"""2026-01-01: a clock that shows less was never set, so it repairs nothing."""


def clock_lead(state: "JobState", now: float) -> float:
    """Return the seconds by which the clock that wrote the state was ahead, as far as it shows; 0: it was not."""
    latest = max(
        state.checked_at or 0.0,
        state.phase_since or 0.0,
        state.result_fetched_at or 0.0,
        state.first_404_at or 0.0,
        *(file.downloaded_at for file in state.downloads),
    )  # no link and no first poll is later than the last report
    return latest - now if latest - now > CLOCK_SET_BACK and now >= FIRST_CREDIBLE_NOW else 0.0


def bounded_history(state: "JobState", now: float) -> "JobState":
    """Return the state in which nothing has happened later than `now`."""

    def bounded(at: float | None) -> float | None:
        return None if at is None else min(at, now)

    return replace(
        state,
        phase_since=bounded(state.phase_since),
        first_polled_at=bounded(state.first_polled_at),
        checked_at=bounded(state.checked_at),
        first_404_at=bounded(state.first_404_at),
        result_fetched_at=bounded(state.result_fetched_at),
        links=tuple(_bounded_link(link, now) for link in state.links),
        part_changes=tuple(change._replace(seen=min(change.seen, now)) for change in state.part_changes),
        downloads=tuple(replace(file, downloaded_at=min(file.downloaded_at, now)) for file in state.downloads),
    )


def _bounded_link(link: Link, now: float) -> Link:
    """Return the link, first seen at `now` at the latest; a signed expiry is read again, without the wrong skew."""
    from tui.domain.links.signed_urls import signed_expiry  # 2 ms at the start, and few links need it

    lead = link.first_seen - now
    if link.is_dead:
        return replace(link, first_seen=min(link.first_seen, now), expires_at=min(link.expires_at or now, now))
    if lead <= 0 or link.expires_at is None:
        return replace(link, first_seen=min(link.first_seen, now))
    signed = signed_expiry(link.url)
    expires_at = signed[0] if signed is not None and link.expiry_is_exact else link.expires_at - lead
    return replace(link, first_seen=now, expires_at=expires_at)
