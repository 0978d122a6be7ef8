"""Until when a link lives: what its URL says, and else what its provider promises. It fetches nothing.

A link that carries its own expiry is exact; else it is an estimate: the instant at which this URL was first seen
plus the provider's documented life. The signatures are those of `providers.md`, "Link expiry".

Both are kept in the time of our own clock, by which they are shown and waited for. What is signed is told in the
service's time: where its Date header says that its clock is SKEWED or more from ours, that much is taken off when the
link is read. An estimate runs from a moment of ours and needs no such thing. A clock that is set afterwards makes the
instants of links that were read before wrong by as much, until a report shows them again.
"""

import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from msgspec import DecodeError, json
from msgspec.structs import replace

from tui.domain.models import Link, LinkKind, ReportedLink

MIN_CLOCK_SKEW = 5.0
"""Seconds from which two clocks differ: a Date header is whole seconds old, and a reply takes its time."""
MAX_EXPIRY = 253_370_764_800
"""Instant, the start of the year 9999: what is signed for later, or before 1970, is damage and no expiry."""

_BASIC_ISO_8601 = r"[0-9]{8}T[0-9]{6}Z"
"""ISO 8601 basic, in UTC: how SigV4 and GCS V4 write the date of signing."""
_CLOUDFRONT_BASE64 = str.maketrans("-_~", "+=/")
"""CloudFront's stand-ins for what has a meaning in a URL (Amazon CloudFront Developer Guide, custom policy)."""


def merge_links(
    before: Sequence[Link], reported: Sequence[ReportedLink], at: float, clock_skew: float = 0.0
) -> tuple[Link, ...]:
    """The links that a job has after a reply at instant `at` showed `sightings`, in their order.

    `skew`: seconds by which the service's clock is ahead of ours.

    The same URL of the same kind keeps its first_seen, and stays dead where it proved to be: showing it again does
    not restart its clock. A kind that
    the reply does not show at all keeps the links that still live; they stand last.
    """
    known = {(link.kind, link.url): link for link in before}
    shown: dict[tuple[LinkKind, str], ReportedLink] = {}
    for sighting in reported:
        shown.setdefault((sighting.kind, sighting.url), sighting)
    links = [_build_link(sighting, known.get(key), at, clock_skew) for key, sighting in shown.items()]
    kinds = {link.kind for link in links}
    return (*links, *(link for link in before if link.kind not in kinds and not is_expired(link, at)))


def remaining(link: Link, now: float) -> float | None:
    """Seconds until the link dies, negative once it has; None where no expiry is known."""
    return None if link.expires_at is None else link.expires_at - now


def is_expired(link: Link, now: float) -> bool:
    """The link is known to be dead."""
    return link.expires_at is not None and link.expires_at <= now


def is_expiring(link: Link, now: float, warn_before: float) -> bool:
    """The link still lives, and has at most `warn_before` seconds left."""
    return link.expires_at is not None and 0 < link.expires_at - now <= warn_before


def earliest_expiry(links: Sequence[Link]) -> float | None:
    """Instant at which the first of the links dies, or died; None: no expiry of any is known."""
    return min((link.expires_at for link in links if link.expires_at is not None), default=None)


def signed_expiry(url: str) -> tuple[float, bool] | None:
    """The instant that the URL's own signature ends, and whether that is exact; None: it says none that can be read.

    Not exact is "at most": credentials of a session (X-Amz-Security-Token) may end before the signature does. A URL
    with several signatures dies with the first of them. Raises nothing, whatever the string.
    """
    query = url.partition("#")[0].partition("?")[2]
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, value)
    return min(_signatures(parameters), default=None)


def mark_dead(links: Sequence[Link], url: str, at: float) -> tuple[Link, ...]:
    """The links after the one with this URL proved to be dead at an instant."""
    return tuple(
        replace(link, expires_at=min(at, link.expires_at or at), expiry_is_exact=True, is_dead=True)
        if link.url == url
        else link
        for link in links
    )


def _build_link(reported: ReportedLink, known: Link | None, at: float, clock_skew: float) -> Link:
    """`known`: the same one, if it was there already."""
    if known is not None and known.is_dead:
        return known
    first_seen = at if known is None else known.first_seen
    expires_at, exact = signed_expiry(reported.url) or (None, False)
    if expires_at is not None and abs(clock_skew) >= MIN_CLOCK_SKEW:
        expires_at -= clock_skew
    if expires_at is None and reported.lifetime is not None:
        expires_at = first_seen + reported.lifetime
    return Link(reported.kind, reported.url, first_seen, expires_at, exact, reported.needs_key)


def _signatures(parameters: Mapping[str, str]) -> Iterator[tuple[float, bool]]:
    """Every signature among a query's parameters that can be read: its end, and whether that is exact."""
    folded = {name.lower(): value for name, value in parameters.items()}
    exact = "x-amz-security-token" not in folded
    found = [(_dated_expiry(folded.get("x-amz-date"), folded.get("x-amz-expires")), exact)]
    found.append((_dated_expiry(parameters.get("X-Goog-Date"), parameters.get("X-Goog-Expires")), True))
    if "Key-Pair-Id" in parameters:
        found.append((_cloudfront_policy_expiry(parameters.get("Policy")), True))
    if not parameters.keys().isdisjoint({"Key-Pair-Id", "AWSAccessKeyId", "GoogleAccessId"}):
        found.append((_parse_epoch(parameters.get("Expires")), True))
    if {"sig", "sv"} <= parameters.keys():
        found.append((_azure_expiry(parameters.get("se")), True))
    return ((at, exact) for at, exact in found if at is not None)


def _dated_expiry(date: str | None, seconds: str | None) -> float | None:
    """The end of a signature that tells its beginning (20130721T201207Z) and its length in seconds."""
    length = _parse_epoch(seconds)
    if date is None or length is None or not re.fullmatch(_BASIC_ISO_8601, date):
        return None
    start = _parse_iso(date)
    return None if start is None else _plausible(start + length)


def _parse_epoch(digits: str | None) -> float | None:
    """Whole seconds, written in decimal ASCII digits."""
    if digits is None or not re.fullmatch(r"[0-9]{1,12}", digits):
        return None
    return _plausible(float(digits))


def _cloudfront_policy_expiry(encoded: str | None) -> float | None:
    """The end of a CloudFront custom policy."""
    if encoded is None:
        return None
    try:
        policy = json.decode(binascii.a2b_base64(encoded.translate(_CLOUDFRONT_BASE64), strict_mode=True))
        return _parse_epoch(str(policy["Statement"][0]["Condition"]["DateLessThan"]["AWS:EpochTime"]))
    except (DecodeError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _azure_expiry(text: str | None) -> float | None:
    """A SAS's end: ISO 8601 to the day, minute, second or fraction; the '+' of an offset may have become a space."""
    if text is None or not text.isascii():
        return None
    return _plausible(_parse_iso(text.replace(" ", "+")))


def _parse_iso(text: str) -> float | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _plausible(at: float | None) -> float | None:
    return at if at is not None and 0 <= at < MAX_EXPIRY else None
