"""Until when a link lives: what its URL says, and else what its provider promises. It fetches nothing.

A link that carries its own expiry is exact; else it is an estimate: the instant at which this URL was first seen
plus the provider's documented life. The signatures are those of `providers.md`, "Link expiry".

Both are kept in the time of our own clock, by which they are shown and waited for. What is signed is told in the
service's time: where its Date header says that its clock is SKEWED or more from ours, that much is taken off when the
link is read. An estimate runs from a moment of ours and needs no such thing. A clock that is set afterwards makes the
instants of links that were read before wrong by as much, until a report shows them again.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from tui.domain.links.signed_urls import signed_expiry
from tui.domain.models import Link, LinkKind, ReportedLink

MIN_CLOCK_SKEW = 5.0
"""Seconds from which two clocks differ: a Date header is whole seconds old, and a reply takes its time."""


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
