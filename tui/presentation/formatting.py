"""Text from outside made harmless, and values made short. It measures no terminal cells: widgets do.

Times come in three forms: `duration` for what is left, `age` for what has passed, `span` for a length that no longer
moves. The first two tick, and `next_change` says when.
"""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Literal

MINUTE, HOUR, DAY = 60, 3600, 86400
"""Seconds."""
_MAX_SECONDS = 99_999 * DAY
"""Seconds: what is longer is shown as this, in six cells."""
_DURATION_STEPS = ((MINUTE, 1), (10 * HOUR, MINUTE), (100 * DAY, HOUR), (math.inf, DAY))
"""Below so many seconds, `duration` counts in steps of so many. A quiet board is woken once a step."""
_AGE_STEPS = ((MINUTE, 1), (HOUR, MINUTE), (DAY, HOUR), (math.inf, DAY))
"""The same of `age`."""
_UNITS = ((1, "s", "s"), (MINUTE, "m", "min"), (HOUR, "h", "h"), (DAY, "d", "days"))
"""Seconds in it, and how it is written in a cell and in a sentence. A range is in the first with two digits for it."""
_MIN_INSTANT, _MAX_INSTANT = -62_135_596_800 + 2 * DAY, 253_402_300_800 - 2 * DAY
"""Instants, year 1 to year 9999: what a datetime holds in every zone. What lies outside is shown as these."""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
"""Not strftime's, which are the locale's."""


def duration(seconds: float) -> str:
    """What is left, in at most six cells: 38s, 7m, 2h05m, 18h, 5d04h, 120d. A second that has begun counts whole."""
    whole = math.ceil(_clamp(seconds))
    if HOUR <= whole < 10 * HOUR:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    if DAY <= whole < 100 * DAY:
        return f"{whole // DAY}d{whole % DAY // HOUR:02}h"
    return _in_one_unit(whole)


def age(seconds: float) -> str:
    """What has passed, in one unit and at most six cells: 40s, 7m, 3h, 6d."""
    return _in_one_unit(math.floor(_clamp(seconds)))


def span(seconds: float) -> str:
    """A length that no longer moves, in two units and at most six cells: 38s, 7m12s, 18h07m, 5d04h."""
    whole = math.floor(_clamp(seconds))
    if MINUTE <= whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02}s"
    if HOUR <= whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    return duration(whole)


def duration_range(low: float, high: float, *, short: bool = False) -> str:
    """A range in one unit, the larger one's: 8–11 min, or `short` in at most six cells (up to 99 days): 3–5m.

    Both are rounded to whole units; where they are the same it is one number, and never 0.
    """
    low, high = _clamp(min(low, high)), _clamp(high)
    unit, sign, word = next(each for each in _UNITS if high < each[0] * 99.5 or each is _UNITS[-1])
    most = max(1, round(high / unit))
    least = min(most, round(low / unit))
    number = f"{least}–{most}" if least < most else f"{most}"
    return f"{number}{sign}" if short else f"{number} {word}"


def next_change(seconds: float, label: Literal["duration", "age"]) -> float:
    """In how many seconds the label of what is left (it falls) or of an age (it grows) changes; infinity: never.

    The label is the same until then and another one at that instant. Always above 0: a sleeper never spins.
    """
    if label == "age":
        whole = math.floor(_clamp(seconds))
        step = _step_at(whole, _AGE_STEPS)
        return math.inf if whole >= _MAX_SECONDS else whole // step * step + step - seconds
    whole = math.ceil(_clamp(seconds))
    step = _step_at(whole, _DURATION_STEPS)
    return math.inf if whole == 0 else seconds - (whole // step * step - 1)


def clock(at: float, zone: tzinfo, *, seconds: bool = False) -> str:
    """The time of day: 14:05, or 14:05:09."""
    return _datetime(at, zone).strftime("%H:%M:%S" if seconds else "%H:%M")


def instant(at: float, zone: tzinfo, now: float) -> str:
    """An instant, as short as `now` allows: 14:05 on the same day, 21 Nov 14:05 in the same year, 21 Nov 2025."""
    moment, today = _datetime(at, zone), _datetime(now, zone)
    day = f"{moment.day} {_MONTHS[moment.month - 1]}"
    if moment.year != today.year:
        return f"{day} {moment.year}"
    return f"{moment:%H:%M}" if moment.date() == today.date() else f"{day} {moment:%H:%M}"


def next_midnight(zone: tzinfo, now: float) -> float:
    """The instant at which `instant` says another day of what it said the time of."""
    tomorrow = _datetime(now, zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), zone).timestamp()


def iso_time(at: float) -> str:
    """ISO 8601 in UTC to the second, which is never rounded up: 2026-11-21T14:05:09Z."""
    return _datetime(at, UTC).replace(tzinfo=None).isoformat() + "Z"


def size(count: int) -> str:
    """So many bytes, in at most six cells: 512 B, 1.5 kB, 34 MB, 2.0 GB."""
    value, unit = float(max(0, count)), "B"
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if value < 999.5 or unit == "PB":
            break
        value /= 1000
    return f"{value:.1f} {unit}" if unit != "B" and value < 9.95 else f"{value:.0f} {unit}"


def bar(fraction: float, cells: int, *, ascii_only: bool = False) -> str:
    """A bar of `cells` characters, of which `fraction` (0 to 1) is filled, in eighths: ██████▏··, or ######..."""
    eighths = int(min(max(0.0, fraction), 1.0) * cells * 8)
    full, part = divmod(eighths, 8)
    if ascii_only:
        return "#" * full + "." * (cells - full)
    return ("█" * full + " ▏▎▍▌▋▊▉"[part] * (part > 0)).ljust(cells, "·")


def sparkline(values: Sequence[float], *, ascii_only: bool = False) -> str:
    """One sign a value, from the lowest to the highest of them: ▁▂▂▃▂▁▂▅, or __--^^."""
    signs = "_-^" if ascii_only else "▁▂▃▄▅▆▇█"
    low, high = min(values, default=0.0), max(values, default=0.0)
    span = (high - low) or 1.0
    return "".join(signs[min(len(signs) - 1, int((value - low) / span * len(signs)))] for value in values)


def _clamp(seconds: float) -> float:
    """Never negative, and no longer than a label can be."""
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


def _datetime(at: float, zone: tzinfo) -> datetime:
    return datetime.fromtimestamp(math.floor(min(max(_MIN_INSTANT, at), _MAX_INSTANT)), zone)
