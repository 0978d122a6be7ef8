"""Source of a link's expiry, for the detail: how far the operator can rely on it."""

from enum import StrEnum

from tui.domain.models import Link


class ExpirySource(StrEnum):
    """Where the expiry of a link comes from."""

    SIGNED = "signed"
    SESSION = "session"
    """Signed into the URL, but the credentials of its session may end sooner."""
    OBSERVED = "observed"
    """The link's server rejected it."""
    ESTIMATED = "estimated"
    """First seen plus the documented lifetime, if there is one."""
    UNREADABLE = "unreadable"
    """Estimated: the expiry signed into the URL cannot be read."""
    PASSED = "passed"
    """Estimated: the expiry signed into the URL had passed when the service reported the link."""


def expiry_source(link: Link) -> ExpirySource:
    """Return where the expiry of a link comes from."""
    if link.is_dead:
        return ExpirySource.OBSERVED
    if link.expiry_is_exact:
        return ExpirySource.SIGNED
    from tui.domain.links import signed_urls  # 2 ms at the start, and few links need it

    signed = signed_urls.signed_expiry(link.url)
    if signed is None:
        unreadable = signed_urls.has_unreadable_expiry(link.url)
        return ExpirySource.UNREADABLE if unreadable else ExpirySource.ESTIMATED
    return ExpirySource.PASSED if signed.is_exact or signed.at <= link.first_seen else ExpirySource.SESSION
