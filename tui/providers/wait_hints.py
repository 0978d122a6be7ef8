"""Waiting hints: from a response's headers to seconds to wait, for every form that services send.

Pure: the local clock is `at`, the service's is Date plus Age. Leaves to others: whether a hint concerns the account or
one job, and what follows from it.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

MAX_WAIT = 86400.0
"""Seconds: a longer wait is cut to this."""
MIN_EPOCH = 1e9
"""A number from here on is an instant, an epoch sent in place of seconds."""
MIN_EPOCH_MS = 1e12
"""A number from here on is an instant in milliseconds."""
MAX_RESET_SECONDS = 1e6
"""X-RateLimit-Reset: seconds to wait below this value, an epoch from MIN_EPOCH on, nonsense in between."""

_MAX_LENGTH = 256
"""Characters of a hint: longer text is none."""
_NUMBER = re.compile(r"[+]?(-?[0-9]{1,15}(?:\.[0-9]{0,9})?)")
_UNIT = re.compile(r" ?(?:s|secs?|seconds?)", re.IGNORECASE)
_AGE = re.compile(r"([0-9]{1,9})(?:\.[0-9]*)?(?:,.*)?")
"""Seconds. Of a list, which caches on the way can make of it, the first counts (RFC 9111 §5.1)."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = "([0-9]{2}):([0-9]{2}):([0-9]{2})"
_HTTP_DATE = re.compile(
    rf"(?:[a-z]+, *)?([0-9]{{1,2}})[ -]([a-z]{{3}})[ -]([0-9]{{4}}|[0-9]{{2}}) {_TIME} (?:gmt|utc|ut|z|[+-]0000)"
)
"""IMF-fixdate and RFC 850 (RFC 9110 §5.6.7) in lower case: day, month, year, hour, minute, second."""
_ASCTIME = re.compile(rf"[a-z]+ ([a-z]{{3}}) +([0-9]{{1,2}}) {_TIME} ([0-9]{{4}})")
"""The third form, as C's asctime: month, day, hour, minute, second, year."""
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([t ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
_SEPARATOR = re.compile(r",(?!\s*[0-9]{1,2}[ -][a-zA-Z]{3}[ -])")
"""Comma between the values of a repeated header, not the one behind a date's day of the week."""
_POLICY = re.compile(r"(?:^|,)\s*[^,;]{0,64}((?:;\s*[a-z]+=[0-9]{1,10})+)")
"""Policy of the RateLimit header: its parameters."""
_OLD_POLICY = re.compile(r"(?:limit=[0-9]+\s*,\s*)?remaining=([0-9]{1,10})\s*,\s*reset=([0-9]{1,10})\b")
"""The header in drafts up to 07, which had one policy."""

_Reader = Callable[[str, float], float | None]
"""Returns the seconds to wait of one value, given the service's present; None: it cannot be read."""


def service_time(headers: Mapping[str, str]) -> float | None:
    """Return the service's present as an instant: Date plus Age (RFC 9111 §5.1); None without a Date."""
    date, age = http_date(headers.get("date", "")), _AGE.fullmatch(headers.get("age", "").strip())
    return date + float(age[1]) if date is not None and age else date


def retry_after(headers: Mapping[str, str], at: float) -> float | None:
    """Return the seconds, 0 to MAX_WAIT, until a request may be repeated; None without a hint that can be read."""
    return _first_wait(headers, at, _RETRY_AFTER)


def reset_after(headers: Mapping[str, str], at: float) -> float | None:
    """Return the seconds, 0 to MAX_WAIT, until the rate limit's window begins again; None without a hint."""
    return _first_wait(headers, at, _RESET_AFTER)


def unreadable(headers: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the waiting hints that are present and cannot be read."""
    return tuple(
        name
        for name, read in READERS.items()
        if read is not _exhausted_policies and headers.get(name, "").strip() and _read(headers, name, read, 0) is None
    )


def is_exhausted(headers: Mapping[str, str]) -> bool:
    """Return whether a policy of the RateLimit header has no request left."""
    return _read(headers, "ratelimit", _exhausted_policies, 0) is not None


def http_date(text: str) -> float | None:
    """Return the instant of an HTTP date in any of its three forms, or of an ISO 8601 date; None for other text."""
    value = text.strip().lower()
    if match := _HTTP_DATE.fullmatch(value):
        day, month, year, *time = match.groups()
    elif match := _ASCTIME.fullmatch(value):
        month, day, *time, year = match.groups()
    else:
        return _iso_date(value)
    if month not in _MONTHS:
        return None
    full_year = int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= 70 else 2000)
    return _utc_timestamp(full_year, _MONTHS.index(month) + 1, int(day), *map(int, time))


def _first_wait(headers: Mapping[str, str], at: float, readers: Mapping[str, _Reader]) -> float | None:
    """Return the wait of the first header that can be read."""
    if headers.keys().isdisjoint(readers):
        return None
    present = service_time(headers)
    for name, read in readers.items():
        seconds = _read(headers, name, read, at if present is None else present)
        if seconds is not None:
            return min(max(0.0, seconds), MAX_WAIT)
    return None


def _read(headers: Mapping[str, str], name: str, read: _Reader, present: float) -> float | None:
    """Read a header, whose values are joined by commas if it was sent more than once: the longest wait counts."""
    value = headers.get(name, "").strip()
    if not value or len(value) > _MAX_LENGTH:
        return None
    whole = read(value, present)
    if whole is not None:
        return whole
    waits = [read(part.strip(), present) for part in _SEPARATOR.split(value)]
    known = [seconds for seconds in waits if seconds is not None]
    return max(known) if len(known) == len(waits) else None


def _seconds(text: str, _present: float) -> float | None:
    number = _number(text)
    return number if number is not None and number < MIN_EPOCH else None


def _milliseconds(text: str, present: float) -> float | None:
    number = _seconds(text.removesuffix("ms").rstrip(), present)
    return None if number is None else number / 1000


def _seconds_or_instant(text: str, present: float) -> float | None:
    number = _number(text)
    return number if number is not None and number < MIN_EPOCH else _until(text, number, present)


def _reset(text: str, present: float) -> float | None:
    number = _number(text)
    if number is not None and MAX_RESET_SECONDS <= number < MIN_EPOCH:
        return None
    return number if number is not None and number < MAX_RESET_SECONDS else _until(text, number, present)


def _exhausted_policies(text: str, _present: float) -> float | None:
    """Return the longest t of the policies with r=0 (draft-ietf-httpapi-ratelimit-headers)."""
    if old := _OLD_POLICY.match(text.lower()):
        return float(old[2]) if int(old[1]) == 0 else None
    waits: list[float] = []
    for policy in _POLICY.finditer(text.lower()):
        parameters = dict(part.strip().split("=") for part in policy[1].strip(";").split(";"))
        if "t" in parameters and int(parameters.get("r", "1")) == 0:
            waits.append(float(parameters["t"]))
    return max(waits, default=None)


_RETRY_AFTER: Mapping[str, _Reader] = {"retry-after-ms": _milliseconds, "retry-after": _seconds_or_instant}
"""Readers by header, in the order of precedence."""
_RESET_AFTER: Mapping[str, _Reader] = {
    "ratelimit": _exhausted_policies,
    "ratelimit-reset": _seconds,
    "x-ratelimit-reset-after": _seconds,
    "x-rate-limit-reset-after": _seconds,
    "x-ratelimit-reset": _reset,
    "x-rate-limit-reset": _reset,
}
READERS: Mapping[str, _Reader] = {**_RETRY_AFTER, **_RESET_AFTER}
"""Readers of all waiting hints by header."""


def _number(text: str) -> float | None:
    bare = text.strip('"')
    match = _NUMBER.match(bare)
    if match is None or not (match.end() == len(bare) or _UNIT.fullmatch(bare, match.end())):
        return None
    return float(match[1])


def _until(text: str, epoch: float | None, present: float) -> float | None:
    """Return the seconds until an instant: an epoch in seconds or milliseconds, or a date."""
    instant = http_date(text) if epoch is None else epoch / 1000 if epoch >= MIN_EPOCH_MS else epoch
    return None if instant is None else instant - present


def _iso_date(value: str) -> float | None:
    if not _ISO.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value.upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _utc_timestamp(year: int, month: int, day: int, hour: int, minute: int, second: int) -> float | None:
    try:  # a leap second is the second before it
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).timestamp()
    except ValueError:
        return None
