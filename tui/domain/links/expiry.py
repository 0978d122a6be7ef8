"""Expiry of links: signed into the URL or stated (exact), else first_seen plus the documented lifetime (estimated).

A signature that cannot be read, or had ended when the service reported the link, is no statement: the estimate holds.

Instants are by this computer's clock. A signed expiry is by the service's: a skew of MIN_CLOCK_SKEW or more, known from
the Date header, is subtracted when the link is read. If this computer's clock is set later, links read before are off
by as much until a report shows them again.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from tui.domain.models import Link, LinkKind, ReportedLink

MIN_CLOCK_SKEW = 5.0
"""Seconds: a smaller difference is noise, since a Date header has whole seconds and a response takes time."""


def merge_links(
    before: Sequence[Link], reported: Sequence[ReportedLink], at: float, clock_skew: float = 0.0
) -> tuple[Link, ...]:
    """Return the links of a job after a response at instant `at` reported `reported`, in their order.

    The same URL of the same kind keeps its first_seen, and stays dead if it was. A kind without reported links keeps
    its valid links, at the end. `clock_skew`: seconds by which the service's clock is ahead of this computer's.
    """
    known = {(link.kind, link.url): link for link in before}
    unique: dict[tuple[LinkKind, str], ReportedLink] = {}
    for link in reported:
        unique.setdefault((link.kind, link.url), link)
    links = [_build_link(link, known.get(key), at, clock_skew) for key, link in unique.items()]
    kinds = {link.kind for link in links}
    return (*links, *(link for link in before if link.kind not in kinds and not is_expired(link, at)))


def remaining(link: Link, now: float) -> float | None:
    """Return the seconds until the link expires, negative afterwards; None: no expiry is known."""
    return None if link.expires_at is None else link.expires_at - now


def is_expired(link: Link, now: float) -> bool:
    """Return whether the link has expired."""
    return link.expires_at is not None and link.expires_at <= now


def is_expiring(link: Link, now: float, warn_before: float) -> bool:
    """Return whether the link expires within `warn_before` seconds, and has not expired."""
    return link.expires_at is not None and 0 < link.expires_at - now <= warn_before


def earliest_expiry(links: Sequence[Link]) -> float | None:
    """Return the instant of the first expiry; None: no expiry is known."""
    return min((link.expires_at for link in links if link.expires_at is not None), default=None)


def mark_dead(links: Sequence[Link], url: str, at: float) -> tuple[Link, ...]:
    """Return the links after a download from this URL was rejected at an instant."""
    return tuple(
        replace(link, expires_at=min(at, link.expires_at or at), expiry_is_exact=True, is_dead=True)
        if link.url == url
        else link
        for link in links
    )


def mark_used(links: Sequence[Link], url: str) -> tuple[Link, ...]:
    """Return the links after the service has begun to send this URL's file, which it sends once."""
    return tuple(replace(link, is_used=True) if link.url == url else link for link in links)


def _build_link(reported: ReportedLink, known: Link | None, at: float, clock_skew: float) -> Link:
    """Return the link with its expiry; `known` is the same link as before, if there was one."""
    from tui.domain.links.signed_urls import signed_expiry  # 2 ms at the start, and only a response has new links

    if known is not None and (known.is_dead or known.is_used):
        return replace(known, is_used=known.is_used or reported.is_used)
    first_seen = at if known is None else known.first_seen
    expires_at, exact = signed_expiry(reported.url) or (reported.expires_at, reported.expires_at is not None)
    if expires_at is not None and abs(clock_skew) >= MIN_CLOCK_SKEW:
        expires_at -= clock_skew
    if reported.lifetime is not None and (expires_at is None or expires_at <= first_seen):
        expires_at, exact = first_seen + reported.lifetime, False
    return Link(
        reported.kind,
        reported.url,
        first_seen,
        expires_at,
        exact,
        reported.needs_key,
        language=reported.language,
        one_time=reported.one_time,
        suffix=reported.suffix,
        form=reported.form,
        is_used=reported.is_used,
    )
