"""Formatting of durations, instants, sizes, counts and bars as short text. Terminal cells are `cell_width`.

Times have three forms: `duration` for remaining time, `age` for elapsed time, `span` for a fixed length. The first two
change with time; `next_change` returns when.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal

MINUTE, HOUR, DAY = 60, 3600, 86400
"""Seconds."""
_MAX_SECONDS = 99_999 * DAY
"""Seconds: longer times are shown as this, in six cells."""
_DURATION_STEPS = ((MINUTE, 1), (10 * HOUR, MINUTE), (100 * DAY, HOUR), (math.inf, DAY))
"""Upper bounds in seconds, and the step of `duration` below each. An idle dashboard wakes once a step."""
_AGE_STEPS = ((MINUTE, 1), (HOUR, MINUTE), (DAY, HOUR), (math.inf, DAY))
"""The same for `age`."""
_UNITS = ((1, "s", "s"), (MINUTE, "m", "min"), (HOUR, "h", "h"), (DAY, "d", "days"))
"""Seconds of a unit, its text in a cell and in a sentence. A range uses the first unit that needs two digits."""
_MIN_INSTANT, _MAX_INSTANT = -62_135_596_800 + 2 * DAY, 253_402_300_800 - 2 * DAY
"""Instants, year 1 to year 9999: the range of a datetime in every zone. Others are shown as these."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
"""English, unlike those of strftime, which depend on the locale."""


def duration(seconds: float) -> str:
    """Return remaining time in at most six cells: 38s, 7m, 2h05m, 18h, 5d04h, 120d. Rounded up to seconds."""
    whole = math.ceil(_clamp(seconds))
    if HOUR <= whole < 10 * HOUR:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    if DAY <= whole < 100 * DAY:
        return f"{whole // DAY}d{whole % DAY // HOUR:02}h"
    return _in_one_unit(whole)


def age(seconds: float) -> str:
    """Return elapsed time in one unit and at most six cells: 40s, 7m, 3h, 6d."""
    return _in_one_unit(math.floor(_clamp(seconds)))


def span(seconds: float) -> str:
    """Return a fixed length of time in two units and at most six cells: 38s, 7m12s, 18h07m, 5d04h."""
    whole = math.floor(_clamp(seconds))
    if MINUTE <= whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02}s"
    if HOUR <= whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    return duration(whole)


def duration_range(low: float, high: float, *, short: bool = False) -> str:
    """Return a range in one unit, that of `high`: 8–11 min, or `short` in at most six cells (up to 99 days): 3–5m.

    Both ends are rounded to whole units, at least 1; equal ends are one number.
    """
    low, high = _clamp(min(low, high)), _clamp(high)
    unit, sign, word = next(each for each in _UNITS if high < each[0] * 99.5 or each is _UNITS[-1])
    most = max(1, round(high / unit))
    least = min(most, round(low / unit))
    number = f"{least}–{most}" if least < most else f"{most}"
    return f"{number}{sign}" if short else f"{number} {word}"


def next_change(seconds: float, label: Literal["duration", "age"]) -> float:
    """Return the seconds until the text of a `duration` (falling) or an `age` (growing) changes; infinity: never.

    Always above 0, so that a caller that sleeps does not spin.
    """
    if label == "age":
        whole = math.floor(_clamp(seconds))
        step = _step_at(whole, _AGE_STEPS)
        return math.inf if whole >= _MAX_SECONDS else whole // step * step + step - seconds
    whole = math.ceil(_clamp(seconds))
    step = _step_at(whole, _DURATION_STEPS)
    return math.inf if whole == 0 else seconds - (whole // step * step - 1)


def clock(at: float, zone: tzinfo, *, seconds: bool = False) -> str:
    """Return the time of day: 14:05, or 14:05:09."""
    return _datetime(at, zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def instant(at: float, zone: tzinfo, now: float) -> str:
    """Return an instant: 14:05 on the day of `now`, 21 Nov 14:05 in its year, else 21 Nov 2025."""
    moment, today = _datetime(at, zone), _datetime(now, zone)
    day = f"{moment.day} {_MONTHS[moment.month - 1]}"
    if moment.year != today.year:
        return f"{day} {moment.year}"
    return f"{moment:%H:%M}" if moment.date() == today.date() else f"{day} {moment:%H:%M}"


def next_midnight(zone: tzinfo, now: float) -> float:
    """Return the next midnight, at which the text of `instant` changes."""
    tomorrow = _datetime(now, zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).timestamp()


def midnights(zone: tzinfo, now: float, days: Iterable[int]) -> tuple[float, ...]:
    """Return the midnights with which these days begin; 0 is today, 1 tomorrow, -1 yesterday."""
    today = _datetime(now, zone).date()
    return tuple(datetime.combine(today + timedelta(days=day), time(), zone).timestamp() for day in days)


def day(at: float, zone: tzinfo) -> str:
    """Return a day in ten cells: Fri 28 Nov."""
    moment = _datetime(at, zone)
    return f"{_DAYS[moment.weekday()]} {moment.day:>2} {_MONTHS[moment.month - 1]}"


def date_and_time(at: float, zone: tzinfo | None) -> str:
    """Return an instant in the order of its parts: 2026-11-28 14:05. None: the local zone."""
    return f"{_datetime(at, zone):%Y-%m-%d %H:%M}"


def zone_name(at: float, zone: tzinfo) -> str:
    """Return the name of the zone at an instant: UTC, CET; "": it has none."""
    return _datetime(at, zone).tzname() or ""


def iso_time(at: float) -> str:
    """Return ISO 8601 in UTC, rounded down to seconds: 2026-11-21T14:05:09Z."""
    return _datetime(at, UTC).replace(tzinfo=None).isoformat() + "Z"


def size(count: int) -> str:
    """Return a number of bytes in at most six cells: 512 B, 1.5 kB, 34 MB, 2.0 GB."""
    value, unit = float(max(0, count)), "B"
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if value < 999.5 or unit == "PB":
            break
        value /= 1000
    return f"{value:.1f} {unit}" if unit != "B" and value < 9.95 else f"{value:.0f} {unit}"


def bar(fraction: float, cells: int, *, ascii_only: bool = False) -> str:
    """Return a bar of `cells` characters, filled to `fraction` (0 to 1) in eighths: ██████▏··, or ######..."""
    eighths = int(min(max(0.0, fraction), 1.0) * cells * 8)
    full, part = divmod(eighths, 8)
    if ascii_only:
        return "#" * full + "." * (cells - full)
    return ("█" * full + " ▏▎▍▌▋▊▉"[part] * (part > 0)).ljust(cells, "·")


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun: `1 link`, `3 links`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def sparkline(values: Sequence[float], *, ascii_only: bool = False) -> str:
    """Return one character per value, from the lowest to the highest: ▁▂▂▃▂▁▂▅, or __--^^."""
    signs = "_-^" if ascii_only else "▁▂▃▄▅▆▇█"
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = (high - low) or 1.0
    return "".join(signs[min(len(signs) - 1, int((value - low) / span * len(signs)))] for value in values)


def count_line(counts: Sequence[int], *, most: int = 0, ascii_only: bool = False) -> str:
    """Return one character per count, its height in proportion: ··▂█·▅, or ..-#.+; · is none.

    `most`: the count of the full height, if that is not the highest of these.
    """
    signs = ":-=+*#" if ascii_only else "▁▂▃▄▅▆▇█"
    high = max(most, *counts, 1)
    return "".join(signs[(count * len(signs) - 1) // high] if count else "." if ascii_only else "·" for count in counts)


def _clamp(seconds: float) -> float:
    """Return the seconds within 0 and _MAX_SECONDS."""
    return min(max(0.0, seconds), _MAX_SECONDS)


def _step_at(whole: int, steps: Sequence[tuple[float, int]]) -> int:
    for below, step in steps:
        if whole < below:
            return step
    return steps[-1][1]


def _in_one_unit(whole: int) -> str:
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m"
    return f"{whole // HOUR}h" if whole < DAY else f"{whole // DAY}d"


def _datetime(at: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(math.floor(min(max(_MIN_INSTANT, at), _MAX_INSTANT)), zone)
