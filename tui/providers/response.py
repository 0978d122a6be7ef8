"""HTTP response as a value, and the parser of its headers on clock, retirement and rate limit.

Pure: the local clock is `HttpResponse.received_at`, the service's is the Date header. Bodies: `response_parser`.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

MIN_EPOCH_RESET = 1e6
"""X-RateLimit-Reset: seconds to wait below this value, an epoch from it on. Services differ."""

_SECONDS = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,9})?")
_COUNT = re.compile(r"[0-9]{1,9}(?![0-9])")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_TIME = "([0-9]{2}):([0-9]{2}):([0-9]{2})"
_HTTP_DATE = re.compile(rf"[a-z]+, *([0-9]{{1,2}})[ -]([a-z]{{3}})[ -]([0-9]{{4}}|[0-9]{{2}}) {_TIME} gmt")
"""IMF-fixdate and RFC 850 (RFC 9110 §5.6.7) in lower case: day, month, year, hour, minute, second."""
_ASCTIME = re.compile(rf"[a-z]+ ([a-z]{{3}}) +([0-9]{{1,2}}) {_TIME} ([0-9]{{4}})")
"""The third form, as C's asctime: month, day, hour, minute, second, year."""
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}([t ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(z|[+-][0-9]{2}:[0-9]{2})?)?"
)


class HttpResponse(Struct, frozen=True):
    """Response to one request, with the account's key already removed."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    """Decompressed."""
    received_at: float
    """Instant, by the local clock."""


class AccountHeaders(Struct, frozen=True, kw_only=True):
    """Headers of a response on the account and its API. Absent headers are None."""

    date: float | None = None
    """Instant by the service's clock."""
    deprecated: bool = False
    """The API is deprecated (RFC 9745)."""
    sunset: float | None = None
    """Instant from which the API may be gone (RFC 8594)."""
    limit: int | None = None
    """Requests allowed in the window."""
    remaining: int | None = None
    """Requests left in the window."""
    reset_at: float | None = None
    """Instant, by the local clock, at which the next window starts."""


def parse_account_headers(response: HttpResponse) -> AccountHeaders:
    """Return the headers on the account, of any response."""
    headers = response.headers
    reset = reset_after(response)
    return AccountHeaders(
        date=parse_http_date(headers.get("date", "")),
        deprecated=headers.get("deprecation", "").strip().lower() not in {"", "false", "?0"},
        sunset=parse_http_date(headers.get("sunset", "")),
        limit=_parse_count(headers.get("x-ratelimit-limit", "")),
        remaining=_parse_count(headers.get("x-ratelimit-remaining", "")),
        reset_at=None if reset is None else response.received_at + reset,
    )


def retry_after(response: HttpResponse) -> float | None:
    """Return the seconds of Retry-After (RFC 9110 §10.2.3) from the receipt on, at least 0; None without it."""
    value = response.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    until = parse_http_date(value)
    return None if until is None else max(0.0, until - _service_time(response))


def reset_after(response: HttpResponse) -> float | None:
    """Return the seconds until the next rate-limit window by X-RateLimit-Reset, at least 0; None without it."""
    value = response.headers.get("x-ratelimit-reset", "").strip()
    if not _SECONDS.fullmatch(value):
        return None
    seconds = float(value)
    return seconds if seconds < MIN_EPOCH_RESET else max(0.0, seconds - _service_time(response))


def parse_http_date(text: str) -> float | None:
    """Return the instant of an HTTP date in any of its three forms, or of an ISO 8601 date; None for other text."""
    value = text.strip().lower()
    if match := _HTTP_DATE.fullmatch(value):
        day, month, year, *time = match.groups()
    elif match := _ASCTIME.fullmatch(value):
        month, day, *time, year = match.groups()
    else:
        return _parse_iso_date(value)
    if month not in _MONTHS:
        return None
    full_year = int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= 70 else 2000)
    return _utc_timestamp(full_year, _MONTHS.index(month) + 1, int(day), *map(int, time))


def _parse_iso_date(value: str) -> float | None:
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


def _service_time(response: HttpResponse) -> float:
    """Return the instant of the response by the service's clock; without a Date header, by the local one."""
    date = parse_http_date(response.headers.get("date", ""))
    return response.received_at if date is None else date


def _parse_count(value: str) -> int | None:
    match = _COUNT.match(value.strip())
    return int(match[0]) if match else None
