"""HTTP response as a value, and the parser of its headers on clock, retirement and rate limit.

Pure: the local clock is `HttpResponse.received_at`. Waiting hints: `wait_hints`. Bodies: `response_parser`.
"""

import re
from collections.abc import Mapping

from msgspec import Struct

from tui.providers import wait_hints

_COUNT = re.compile(r"[0-9]{1,9}(?![0-9])")


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
    """Present by the service's clock, from Date and Age."""
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
        date=wait_hints.service_time(headers),
        deprecated=headers.get("deprecation", "").strip().lower() not in {"", "false", "?0"},
        sunset=wait_hints.http_date(headers.get("sunset", "")),
        limit=_parse_count(headers, "limit"),
        remaining=0 if wait_hints.is_exhausted(headers) else _parse_count(headers, "remaining"),
        reset_at=None if reset is None else response.received_at + reset,
    )


def retry_after(response: HttpResponse) -> float | None:
    """Return the seconds from the receipt on until a request may be repeated; None without a hint."""
    return wait_hints.retry_after(response.headers, response.received_at)


def reset_after(response: HttpResponse) -> float | None:
    """Return the seconds from the receipt on until the next rate-limit window; None without a hint."""
    return wait_hints.reset_after(response.headers, response.received_at)


def _parse_count(headers: Mapping[str, str], name: str) -> int | None:
    """Return the number of a rate-limit header, in either spelling."""
    value = headers.get(f"x-ratelimit-{name}") or headers.get(f"x-rate-limit-{name}", "")
    match = _COUNT.match(value.strip())
    return int(match[0]) if match else None
