"""Quiet time of each day, in which no alert disturbs anyone, by the local clock of this machine."""

import re
from datetime import date, datetime, time, timedelta
from typing import NamedTuple, Self

_PATTERN = re.compile(r"((?:[01][0-9]|2[0-3]):[0-5][0-9]) ?- ?((?:[01][0-9]|2[0-3]):[0-5][0-9])")


class Period(NamedTuple):
    """One night of quiet. Instants."""

    begins_at: float
    ends_at: float


class QuietTime(str):
    """Local times of day, such as `22:00-07:00`: from the first up to the second, which may be on the next day."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Return the checked times. Raises ValueError."""
        found = _PATTERN.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"expected two local times such as '22:00-07:00', got {value!r}")
        if found[1] == found[2]:
            raise ValueError(f"{value!r} would be quiet all day, or never: set bell and desktop to false instead")
        return cls(f"{found[1]}-{found[2]}")

    def period(self, now: float) -> Period | None:
        """Return the period that contains the instant; None: alerts are due at once."""
        return next((each for each in self._periods(now) if each.begins_at <= now < each.ends_at), None)

    def last_period(self, now: float) -> Period:
        """Return the latest period that has ended."""
        return max((each for each in self._periods(now) if each.ends_at <= now), key=lambda each: each.ends_at)

    def _periods(self, now: float) -> list[Period]:
        """Return the periods of the days around the instant.

        An end comes once, even where the clock is set back over it, and also if the clock skips it.
        """
        today = datetime.fromtimestamp(now).date()  # noqa: DTZ006 - the local time zone is meant
        days = (today + timedelta(days) for days in range(-2, 2))
        begins, ends = map(time.fromisoformat, self.split("-"))
        return [Period(_instant(day, begins), _instant(day + timedelta(ends < begins), ends)) for day in days]


def _instant(day: date, at: time) -> float:
    return datetime.combine(day, at).timestamp()
